"""Decoding with the libraries of ffmpeg (extra ``skgenre[av]``)."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from .decoders import Decoder, DecodingError
from .sources import FileView

#: Formats that are opened. None of them can refer to other files or URLs, as playlists can. Most
#: have a signature. MP3 in particular is excluded, because ffmpeg would take damaged files of other
#: formats for MP3 and decode them as noise.
_FORMATS = (
    "aa,aac,ac3,adx,aea,aiff,amr,ape,asf,au,avi,bonk,caf,dsf,dts,dtshd,eac3,flac,flv,hca,iff,loas,"
    "matroska,mlp,mmf,mov,mpc,mpc8,mpeg,mpegts,mxf,nut,ogg,oma,osq,qcp,qoa,rka,rm,shn,sox,swf,tak,"
    "truehd,tta,voc,vqf,w64,wav,wavarc,wtv,wv,xwma"
)

#: Formats whose header states the length. That of others may be a placeholder, written before the
#: audio, or ffmpeg estimates it from the bit rate.
_STATED = ("ape", "caf", "flac", "matroska,webm", "mov", "mpc", "tta", "w64", "wav")

#: Replacements for uninformative messages of ffmpeg.
_WORDS = {
    "Invalid data found when processing input": "unknown format, or damaged",
    "End of file": "the file ends before any audio data",
    # Also raised for formats that are not in `_FORMATS`.
    "Invalid argument": "a format that is not supported, such as a playlist, or damaged",
}


class FFmpegDecoder(Decoder):
    """Decode an audio stream of a file with ffmpeg's libraries.

    If there are several, it is the one that ffmpeg marks as the default. Packets that cannot be
    decoded are skipped.

    Parameters
    ----------
    view : FileView
        The file.

    Raises
    ------
    DecodingError
        If the file has no audio stream that ffmpeg can decode.
    ImportError
        If PyAV is not installed.
    """

    def __init__(self, view: FileView):
        import av  # a slow import, which most files do not need

        self._errors = (av.FFmpegError, ValueError, OSError, OverflowError)
        try:
            # From version 19 on, this is how av decodes tags, and the parameter is gone.
            older = int(av.__version__.split(".")[0]) < 19
            tags = {"metadata_errors": "replace"} if older else {}
            self._container = av.open(view, options={"format_whitelist": _FORMATS}, **tags)
            stream = self._container.streams.best("audio")
            if stream is None:
                raise DecodingError("there is no audio stream")
            if stream.codec_context is None:
                raise DecodingError("ffmpeg does not support its codec")
            stream.thread_count = 1  # files are already read in parallel
            self._stream = stream
            self.sample_rate = stream.rate or 0
            self.n_channels = stream.channels or 0
            if not (self.sample_rate > 0 and 0 < self.n_channels <= 1024):
                raise DecodingError("the sample rate or the number of channels is unknown")
            self.n_frames = self._stated_length()
        except self._errors as error:
            raise DecodingError(_reason(error)) from error
        # Encoders pad their last packet, and some add more.
        self.tolerance = self.sample_rate // 2
        self._blocks, self._left = self._decode(), np.empty((0, self.n_channels), np.float32)

    def _stated_length(self) -> int | None:
        stream, container = self._stream, self._container
        name = container.format.name
        if not name.startswith(_STATED):
            return None
        if name.startswith("matroska"):  # states only that of the container
            seconds = 0 if stream.duration else (container.duration or 0) / 1e6
        else:
            seconds = float((stream.duration or 0) * stream.time_base)
        return math.ceil(seconds * self.sample_rate) if seconds > 0 else None

    def read(self, n: int) -> np.ndarray:
        while not len(self._left) and (found := next(self._blocks, None)) is not None:
            self.sample_rate, self._left = found
            self.n_channels = self._left.shape[1]
        block, self._left = self._left[:n], self._left[n:]
        return block

    def _decode(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the sample rate and the frames of each packet."""
        import av

        known: tuple | None = None
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except self._errors as error:
                self.damage, packet = _reason(error), None
            if packet is None:
                return
            try:
                frames = packet.decode()
            except self._errors as error:
                self.damage = _reason(error)
                continue
            for frame in frames:
                self.damage = None
                kind = (frame.format.name, frame.layout.name, frame.sample_rate)
                if kind != known:
                    known, resampler = kind, av.AudioResampler(format="flt")
                for block in resampler.resample(frame):
                    n_channels = block.layout.nb_channels
                    yield frame.sample_rate, block.to_ndarray().reshape(-1, n_channels)

    def close(self) -> None:
        self._container.close()


def _reason(error: Exception) -> str:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return _WORDS.get(words, words)
