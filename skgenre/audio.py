"""A file -> mono float32 samples at one rate, or :class:`AudioError`.

Decoding is libsndfile's (wav, au, flac, ogg, mp3, aiff, ...) and, with the extra
``skgenre[av]``, ffmpeg's (m4a, aac, wma, ...); resampling is soxr's. The samples equal those of
``librosa.load``.
"""

from __future__ import annotations

import math
import os
import re
import stat
import warnings
from numbers import Integral
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from . import mp3
from .ffmpeg import FFmpegError, FFmpegFile

#: Seconds of audio beside an interval that its resampled samples depend on. soxr's "HQ"
#: filter reaches 20 ms (at 6 kHz, to 2e-7) and less at higher rates.
RESAMPLING_MARGIN = 0.05

#: Values decoded at once, over all channels: 48 s of mono at 22,050 Hz. No memory is taken on the
#: word of a header, only as they arrive.
BLOCK_VALUES = 1 << 20

#: Formats in which samples after a seek differ from those that plain decoding gives.
_INEXACT_SEEK = ("MP3", "OGG", "FFMPEG")

#: What libsndfile logs of a chunk whose header promises more bytes than the file has.
_PROMISED = re.compile(r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.M)


class AudioError(ValueError):
    """A file that gives no samples.

    Parameters
    ----------
    path : str
        The file, as it was given.
    reason : str
        What is wrong with it.
    """

    def __init__(self, path: str, reason: str):
        # Both go to args, so that pickling, from a worker process, makes it again.
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class _SoundFile(soundfile.SoundFile):
    """A sound file whose reads do nothing but read.

    Of a seekable file python-soundfile seeks after each read to where it already is, which
    disturbs libsndfile's MP3 decoder: samples after it differ.
    """

    #: Frames by which its length may be wrong.
    tolerance = 0

    def seekable(self) -> bool:
        return False


class AudioFile:
    """An open audio file, read as mono float32 at one sample rate.

    Parameters
    ----------
    path : str, pathlib.Path, or binary file object
        A seekable file object is read from its start and left open.
    sample_rate : int, default=22050
        Rate of the samples that :meth:`read` returns, in Hz.

    Attributes
    ----------
    name : str
        The path, or the file object's name.
    n_samples : int
        Length at `sample_rate`, by the file's header; the file may end earlier.
    ended_early : bool
        Whether it is known to end before its header says.

    Raises
    ------
    AudioError
        If it is missing, a folder, empty, not audio, or has no samples.
    ValueError
        If `sample_rate` is no integer above 0.
    """

    def __init__(self, path: str | os.PathLike | BinaryIO, sample_rate: int = 22050):
        if not isinstance(sample_rate, Integral) or sample_rate < 1:
            raise ValueError(f"sample_rate={sample_rate!r} must be an integer above 0, in Hz")
        self.sample_rate = sample_rate
        self.name = name_of(path)
        self._source = path
        if isinstance(path, str | os.PathLike):
            self._source = self.name
            _check_regular(self.name)
        self._opened = None  # what was opened here, and is to be closed
        self._file: _SoundFile | FFmpegFile | None = None
        self._open()
        native = self._file.samplerate
        divisor = math.gcd(native, sample_rate)
        # up samples at our rate last exactly as long as down frames of the file.
        self._up, self._down = sample_rate // divisor, native // divisor
        self.n_samples = self._resampled_length(self._file.frames)
        self.ended_early = any(
            int(found) < int(promised) < 0xFFFFFF00  # above: a stream of unknown length
            for promised, found in _PROMISED.findall(self._file.extra_info)
        )

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(self, *exc) -> None:
        self._close()

    def _close(self) -> None:
        for file in (self._file, self._opened):
            if file is not None:
                file.close()
        self._file = self._opened = None

    def _open(self) -> None:
        """Open the file, anew if it is, at its first frame."""
        self._close()
        if not isinstance(self._source, str):
            self._source.seek(0)
        source = self._source
        if isinstance(source, str) and source.lower().endswith(".raw"):
            # By that name python-soundfile would ask for the format instead of looking for it.
            source = os.open(source, os.O_RDONLY)
        try:
            self._file = _SoundFile(source)
        except (soundfile.LibsndfileError, TypeError, ValueError) as error:
            reason = getattr(error, "error_string", "") or str(error)
            self._open_otherwise(reason.strip().rstrip("."), error)
        else:
            if self._file.format == "MP3":
                if view := mp3.readable(self._reopened(), self._file.frames):
                    self._file.close()
                    self._file = _SoundFile(view)
                self._file.tolerance = mp3.TOLERANCE
        if self._file.frames <= 0:
            self._close()
            raise AudioError(self.name, "holds no samples")
        self._position = 0

    def _open_otherwise(self, reason: str, error: Exception) -> None:
        """Open what libsndfile does not know: an MP3 behind junk, or what ffmpeg knows."""
        if view := mp3.readable(self._reopened()):
            try:
                self._file = _SoundFile(view)
                return
            except soundfile.LibsndfileError:
                pass
        try:
            self._file = FFmpegFile(self._reopened())
        except (FFmpegError, ImportError) as second:
            self._close()
            if isinstance(second, FFmpegError):
                reason = f"not audio that libsndfile or ffmpeg can read ({reason}; {second})"
            else:
                reason = (
                    f"not audio that libsndfile can read ({reason}); for m4a, aac, wma and more, "
                    "pip install skgenre[av]"
                )
            raise AudioError(self.name, reason) from error

    def _reopened(self) -> BinaryIO:
        """Return the file as an object, at its start."""
        if isinstance(self._source, str):
            if self._opened is None:
                self._opened = open(self._source, "rb")  # noqa: SIM115, closed by _close
            file = self._opened
        else:
            file = self._source
        file.seek(0)
        return file

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Read the samples from `start` to `stop`, counted at `sample_rate`.

        The same, to 1e-5, as that part of the whole file's samples, and no more of the
        file is decoded than they depend on.

        Parameters
        ----------
        start, stop : int
            Indices at `sample_rate`; None reads to the end.

        Returns
        -------
        y : float32 ndarray of shape (n_samples,)
            Shorter than asked for where the file ends.

        Raises
        ------
        AudioError
            If samples are not finite, or none could be decoded.
        """
        margin = 0 if self._up == self._down else RESAMPLING_MARGIN
        # Begin where a sample of ours and a frame of the file fall together.
        step = max(0, start - math.ceil(margin * self.sample_rate)) // self._up
        first = step * self._down
        last = None
        if stop is not None:
            last = -(-stop * self._down // self._up) + math.ceil(margin * self._file.samplerate)
        y = self._decode(first, last)
        if not np.isfinite(y).all():
            raise AudioError(self.name, "holds NaN or infinite samples")
        if self._up != self._down and len(y):
            n = self._resampled_length(len(y))
            y = soxr.resample(y, self._file.samplerate, self.sample_rate, quality="HQ")
            y = np.pad(y[:n], (0, n - min(n, len(y))))  # soxr rounds, librosa rounds up
        offset = step * self._up
        return y[start - offset : None if stop is None else stop - offset]

    def _resampled_length(self, n_frames: int) -> int:
        return -(-n_frames * self._up // self._down)

    def _decode(self, first: int, last: int | None) -> np.ndarray:
        """Frames `first` to `last` of the file, mixed to mono; fewer where it ends."""
        self._go_to(first)
        blocks = []
        most = BLOCK_VALUES // self._file.channels
        while self._position >= first and (last is None or self._position < last):
            n = most if last is None else min(most, last - self._position)
            blocks.append(self._decode_block(n))
            if len(blocks[-1]) < n:
                break
        promised = self._file.frames if last is None else min(last, self._file.frames)
        self.ended_early |= self._position < promised - self._file.tolerance
        return blocks[0] if len(blocks) == 1 else np.concatenate([np.empty(0, np.float32), *blocks])

    def _go_to(self, frame: int) -> None:
        """Move to a frame, or as near to it as the file goes."""
        if self._position == frame:
            return
        if self._file.format not in _INEXACT_SEEK:
            try:
                self._position = self._file.seek(min(frame, self._file.frames))
                return
            except soundfile.LibsndfileError:  # as after damage in a FLAC file
                self.ended_early = True
                self._open()
        elif self._position > frame:
            self._open()
        while self._position < frame:
            n = min(BLOCK_VALUES // self._file.channels, frame - self._position)
            if len(self._decode_block(n)) < n:
                break

    def _decode_block(self, n: int) -> np.ndarray:
        """Decode the next `n` frames, mixed to mono; fewer at the end or before damage."""
        # Integers come as they are, which is several times as fast as what libsndfile makes of
        # them. Frames that damage keeps from being decoded stay NaN; in plain samples the file
        # simply ends.
        plain = self._file.subtype == "PCM_16" and self._file.format != "FLAC"
        shape = n, self._file.channels
        block = np.empty(shape, np.int16) if plain else np.full(shape, np.nan, np.float32)
        try:
            block = self._file.read(out=block)
        except (soundfile.LibsndfileError, FFmpegError) as error:
            # What was decoded before the damage counts; libsndfile does not say how much.
            block = block[: np.isnan(block[:, 0]).argmax()]
            if self._position == 0 and not len(block):
                reason = getattr(error, "error_string", str(error)).strip() or "no reason given"
                raise AudioError(self.name, f"cannot be decoded ({reason})") from error
            self.ended_early = True
        self._position += len(block)
        if plain:
            block = block * np.float32(1 / 32768)
        return block[:, 0] if self._file.channels == 1 else block.mean(axis=1)


def name_of(path: str | os.PathLike | BinaryIO) -> str:
    """Path of a file, or the name of a file object."""
    if isinstance(path, str | os.PathLike):
        return os.fspath(path)
    return str(getattr(path, "name", None) or repr(path))


def _check_regular(path: str) -> None:
    """Raise an AudioError for what cannot be a sound, before libsndfile's vaguer words."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise AudioError(path, "no such file") from None
    except (OSError, ValueError) as error:
        raise AudioError(path, getattr(error, "strerror", None) or str(error)) from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(path, "is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(path, "is not a regular file")
    if status.st_size == 0:
        raise AudioError(path, "is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise AudioError(path, "permission denied")


def load_audio(
    path: str | Path | BinaryIO,
    *,
    sample_rate: int = 22050,
    offset: float = 0.0,
    duration: float | None = None,
) -> np.ndarray:
    """Read an audio file as mono samples.

    Parameters
    ----------
    path : str, pathlib.Path, or binary file object
        wav, au, flac, ogg, mp3, aiff and whatever else libsndfile reads, and with the extra
        ``skgenre[av]`` m4a, aac, wma and whatever else ffmpeg reads; any rate, number of
        channels (averaged) and sample format.
    sample_rate : int, default=22050
        Rate of the result, in Hz.
    offset : float, default=0.0
        Where to begin, in seconds.
    duration : float, default=None
        How much to read, in seconds; None reads to the end. No more is decoded than needed.

    Returns
    -------
    y : float32 ndarray of shape (n_samples,)
        Equal to ``librosa.load(path, sr=sample_rate)`` to 1e-5.

    Raises
    ------
    AudioError
        If the file is missing, a folder, empty, corrupt, or holds no or non-finite samples.
    ValueError
        If `offset` or `duration` is negative, or `sample_rate` no integer above 0.

    Warns
    -----
    UserWarning
        If the file ends before its header says; it is used as far as it goes.

    Examples
    --------
    >>> import skgenre
    >>> y = skgenre.load_audio("song.mp3", duration=30)  # doctest: +SKIP
    """
    if not offset >= 0 or not (duration is None or duration >= 0):
        raise ValueError(f"offset={offset!r} and duration={duration!r} must not be negative")
    with AudioFile(path, sample_rate) as audio:
        start = round(offset * sample_rate)
        stop = None if duration is None else start + round(duration * sample_rate)
        y = audio.read(start, stop)
        if not len(y) and start < audio.n_samples and stop != start:
            raise AudioError(audio.name, "holds no samples")
        if audio.ended_early:
            warnings.warn(
                f"{audio.name} ends early (truncated?) and is used as far as it goes",
                UserWarning,
                stacklevel=2,
            )
    return y
