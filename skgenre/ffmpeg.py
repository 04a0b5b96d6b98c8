"""Audio files that libsndfile does not know, by ffmpeg's libraries (the extra ``skgenre[av]``)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

#: Formats of files with sound. None of them names other files or addresses to fetch, as
#: playlists do.
_FORMATS = (
    "aac,ac3,amr,ape,asf,avi,dsf,dts,eac3,flv,matroska,mov,mpc,mpc8,mpeg,mpegts,rm,tta,wav,wv"
)

#: Formats whose headers do not tell how long they are.
_UNMEASURED = ("aac", "ac3", "amr", "dts", "eac3", "mpeg", "mpegts")


class FFmpegError(Exception):
    """What ffmpeg's libraries say of a file that they cannot read (further)."""


class FFmpegFile:
    """The first stream of sound in a file, with what :class:`skgenre.audio.AudioFile` needs.

    Parameters
    ----------
    file : binary file object
        Seekable, at its start.

    Raises
    ------
    FFmpegError
        If it is no file with sound.
    ImportError
        If the extra is not installed.
    """

    format = "FFMPEG"
    subtype = ""
    extra_info = ""

    def __init__(self, file: BinaryIO):
        import av  # here, since it takes time that most files do not need

        self._errors = (av.FFmpegError, ValueError, OSError, OverflowError)
        try:
            self._open(file)
            self.samplerate = self._stream.rate or 0
            self.channels = self._stream.channels or 0
            if not (self.samplerate > 0 and 0 < self.channels <= 1024):
                raise FFmpegError("its rate or its number of channels is not known")
            self.frames = self._measure(file)
        except self._errors as error:
            raise FFmpegError(_said(error)) from error
        self._blocks = self._decode()
        self._left = np.empty((0, self.channels), np.float32)
        #: Frames by which the length may be wrong: encoders fill their last packet, and more.
        self.tolerance = self.samplerate // 2

    def _open(self, file: BinaryIO) -> None:
        import av

        file.seek(0)
        self._container = av.open(
            file, metadata_errors="replace", options={"format_whitelist": _FORMATS}
        )
        if not self._container.streams.audio:
            raise FFmpegError("there is no sound in it")
        self._stream = self._container.streams.audio[0]
        if self._stream.codec_context is None:
            raise FFmpegError("its sound is coded in a way that ffmpeg does not know")
        self._stream.thread_count = 1  # files are read in parallel already

    def _measure(self, file: BinaryIO) -> int:
        """Tell the length in frames, about."""
        stream, container = self._stream, self._container
        if container.format.name in _UNMEASURED or not (stream.duration or container.duration):
            n = sum(packet.duration or 0 for packet in container.demux(stream))
            seconds = float(n * stream.time_base)
            container.close()
            self._open(file)
        elif stream.duration:
            seconds = float(stream.duration * stream.time_base)
        else:
            seconds = container.duration / 1e6
        return math.ceil(max(0.0, seconds) * self.samplerate)

    def _decode(self) -> Iterator[np.ndarray]:
        """Yield blocks of shape (n_frames, n_channels) as they come."""
        import av

        resampler = av.AudioResampler(format="flt", layout=self._stream.layout)
        for frame in self._container.decode(self._stream):
            if frame.sample_rate != self.samplerate:
                raise FFmpegError("its rate changes on the way")
            for block in resampler.resample(frame):
                yield block.to_ndarray().reshape(-1, self.channels)

    def read(self, out: np.ndarray) -> np.ndarray:
        """Fill `out` with the next frames; returns the part of it that is filled.

        Raises
        ------
        FFmpegError
            If damage comes first; what was decoded before it is in `out`.
        """
        n = 0
        while n < len(out):
            if not len(self._left):
                try:
                    block = next(self._blocks, None)
                except self._errors as error:
                    raise FFmpegError(_said(error)) from error
                if block is None:
                    break
                self._left = block
            part = self._left[: len(out) - n]
            out[n : n + len(part)] = part
            self._left = self._left[len(part) :]
            n += len(part)
        return out[:n]

    def close(self) -> None:
        """Close what was opened for it."""
        self._container.close()


def _said(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
