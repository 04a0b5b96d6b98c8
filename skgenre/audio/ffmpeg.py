"""Decoding with the libraries of ffmpeg (extra ``skgenre[av]``)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .readers import DecodingError, FileView, Reader, to_mono

#: Formats that are opened. None of them can refer to other files or URLs, as playlists can. Most
#: have a signature. MP3 in particular is excluded, because ffmpeg would take damaged files of other
#: formats for MP3 and decode them as noise.
_FORMATS = (
    "aa,aac,ac3,adx,aea,aiff,amr,ape,asf,au,avi,bonk,caf,dsf,dts,dtshd,eac3,flac,flv,hca,iff,loas,"
    "matroska,mlp,mmf,mov,mpc,mpc8,mpeg,mpegts,mxf,nut,ogg,oma,osq,qcp,qoa,rka,rm,shn,sox,swf,tak,"
    "truehd,tta,voc,vqf,w64,wav,wavarc,wtv,wv,xwma"
)

#: Replacements for uninformative messages of ffmpeg.
_WORDS = {
    "Invalid data found when processing input": "unknown format, or damaged",
    "End of file": "the file ends before any audio data",
    # Also raised for formats that are not in `_FORMATS`.
    "Invalid argument": "a format that is not supported, such as a playlist, or damaged",
}

#: Formats whose header does not contain a duration.
_UNMEASURED = ("aac", "ac3", "amr", "dts", "eac3", "mpeg", "mpegts")


class FFmpegReader(Reader):
    """Decode the first audio stream of a file with ffmpeg's libraries.

    Parameters
    ----------
    file : FileView
        The file, which is closed with the reader.

    Raises
    ------
    DecodingError
        If the file has no audio stream that ffmpeg can decode.
    ImportError
        If PyAV is not installed.
    """

    def __init__(self, file: FileView):
        import av  # a slow import, which most files do not need

        self._view = file
        self._errors = (av.FFmpegError, ValueError, OSError, OverflowError)
        try:
            self._open()
            self.sample_rate = self._stream.rate or 0
            self.n_channels = self._stream.channels or 0
            if not (self.sample_rate > 0 and 0 < self.n_channels <= 1024):
                raise DecodingError("the sample rate or the number of channels is unknown")
            self.n_frames = self._measure()
        except self._errors as error:
            raise DecodingError(_reason(error)) from error
        self._blocks = self._decode()
        self._left = np.empty((0, self.n_channels), np.float32)
        # Encoders pad their last packet, and some add more.
        self.tolerance = self.sample_rate // 2

    def _open(self) -> None:
        import av

        self._view.seek(0)
        self._container = av.open(
            self._view, metadata_errors="replace", options={"format_whitelist": _FORMATS}
        )
        if not self._container.streams.audio:
            raise DecodingError("there is no audio stream")
        self._stream = self._container.streams.audio[0]
        if self._stream.codec_context is None:
            raise DecodingError("ffmpeg does not support its codec")
        self._stream.thread_count = 1  # files are already read in parallel

    def _measure(self) -> int:
        """Estimate the length in frames."""
        stream, container = self._stream, self._container
        if container.format.name in _UNMEASURED or not (stream.duration or container.duration):
            n = sum(packet.duration or 0 for packet in container.demux(stream))
            seconds = float(n * stream.time_base)
            container.close()
            self._open()
        elif stream.duration:
            seconds = float(stream.duration * stream.time_base)
        else:
            seconds = container.duration / 1e6
        return math.ceil(max(0.0, seconds) * self.sample_rate)

    def _decode(self) -> Iterator[np.ndarray]:
        """Yield the decoded blocks, each of shape (n_frames, n_channels)."""
        import av

        resampler = av.AudioResampler(format="flt", layout=self._stream.layout)
        for frame in self._container.decode(self._stream):
            if frame.sample_rate != self.sample_rate:
                raise DecodingError("the sample rate changes within the file")
            for block in resampler.resample(frame):
                yield block.to_ndarray().reshape(-1, self.n_channels)

    def read(self, n: int) -> np.ndarray:
        out = np.empty((n, self.n_channels), np.float32)
        filled = 0
        while filled < n:
            if not len(self._left):
                try:
                    block = next(self._blocks, None)
                except (DecodingError, *self._errors) as error:
                    self.damage = _reason(error)
                    break
                if block is None:
                    break
                self._left = block
            part = self._left[: n - filled]
            out[filled : filled + len(part)] = part
            self._left = self._left[len(part) :]
            filled += len(part)
        return to_mono(out[:filled])

    def close(self) -> None:
        self._container.close()
        self._view.close()


def _reason(error: Exception) -> str:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return _WORDS.get(words, words)
