"""A file -> mono float32 samples at one rate, or :class:`AudioError`.

Decoding is libsndfile's (wav, au, flac, ogg, mp3, aiff, ...) and, with the extra
``skgenre[av]``, ffmpeg's (m4a, aac, wma, ...); resampling is soxr's. The samples equal those of
``librosa.load``.
"""

from __future__ import annotations

import math
import os
import stat
import warnings
from numbers import Integral
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soxr

from . import mp3
from .errors import AudioError
from .ffmpeg import FFmpegReader
from .readers import DecodingError, FileView, Reader, SndfileReader

#: Seconds of audio beside an interval that its resampled samples depend on. soxr's "HQ"
#: filter reaches 20 ms (at 6 kHz, to 2e-7) and less at higher rates.
RESAMPLING_MARGIN = 0.05

#: Values decoded at once, over all channels: 48 s of mono at 22,050 Hz. No memory is taken on the
#: word of a header, only as they arrive.
BLOCK_VALUES = 1 << 20


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
        integral: Any = Integral  # mypy does not take int for one of them
        if not isinstance(sample_rate, integral) or sample_rate < 1:
            raise ValueError(f"sample_rate={sample_rate!r} must be an integer above 0, in Hz")
        self.sample_rate = sample_rate
        self.name = name_of(path)
        self._source: str | BinaryIO
        if isinstance(path, str | os.PathLike):
            self._source = self.name
            _check_regular(self.name)
        else:
            self._source = path
        self._open()
        native = self._reader.sample_rate
        divisor = math.gcd(native, sample_rate)
        # `up` samples at our rate last exactly as long as `down` frames of the file.
        self._up, self._down = sample_rate // divisor, native // divisor
        self.n_samples = self._resampled_length(self._reader.n_frames)
        self.ended_early = self._reader.truncated

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(self, *exc) -> None:
        self._reader.close()

    def _open(self) -> None:
        """Open the file at its first frame."""
        self._reader = _open_reader(self._source, self.name)
        if self._reader.n_frames <= 0:
            self._reader.close()
            raise AudioError(self.name, "holds no samples")
        self._position = 0
        #: The last frames before the position, in which the next interval may begin.
        self._tail = np.empty(0, np.float32)

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
            last = -(-stop * self._down // self._up) + math.ceil(margin * self._reader.sample_rate)
        y = self._decode(first, last)
        if not np.isfinite(y).all():
            raise AudioError(self.name, "holds NaN or infinite samples")
        if self._up != self._down and len(y):
            n = self._resampled_length(len(y))
            y = soxr.resample(y, self._reader.sample_rate, self.sample_rate, quality="HQ")
            y = np.pad(y[:n], (0, n - min(n, len(y))))  # soxr rounds, librosa rounds up
        offset = step * self._up
        return y[start - offset : None if stop is None else stop - offset]

    def _resampled_length(self, n_frames: int) -> int:
        return -(-n_frames * self._up // self._down)

    def _decode(self, first: int, last: int | None) -> np.ndarray:
        """Frames `first` to `last` of the file, mixed to mono; fewer where it ends."""
        blocks = []
        before = self._position - first
        if 0 < before <= len(self._tail):
            # Intervals one after the other overlap by margins: no decoder has to go back.
            blocks.append(self._tail[len(self._tail) - before :])
        else:
            before = 0
            self._go_to(first)
        most = BLOCK_VALUES // self._reader.n_channels
        while self._position >= first and (last is None or self._position < last):
            n = most if last is None else min(most, last - self._position)
            blocks.append(self._decode_block(n))
            if len(blocks[-1]) < n:
                break
        end = self._reader.n_frames if last is None else min(last, self._reader.n_frames)
        self.ended_early |= self._position < end - self._reader.tolerance
        y = blocks[0] if len(blocks) == 1 else np.concatenate([np.empty(0, np.float32), *blocks])
        if before == 0 or len(y) > before:  # otherwise all of it was in the tail
            margin = math.ceil(RESAMPLING_MARGIN * self._reader.sample_rate)
            kept = min(len(y), 4 * margin + 2 * self._down)
            self._tail = y[len(y) - kept :].copy()
        return y if last is None else y[: max(0, last - first)]

    def _go_to(self, frame: int) -> None:
        """Move to a frame, or as near to it as the file goes."""
        if self._position == frame:
            return
        if self._reader.exact_seek:
            try:
                self._position = self._reader.seek(frame)
                return
            except DecodingError:
                self.ended_early = True
        if self._position > frame or self._reader.exact_seek:
            self._reader.close()
            self._open()
        while self._position < frame:
            n = min(BLOCK_VALUES // self._reader.n_channels, frame - self._position)
            if len(self._decode_block(n)) < n:
                break

    def _decode_block(self, n: int) -> np.ndarray:
        """Decode the next `n` frames, mixed to mono; fewer at the end or before damage."""
        block = self._reader.read(n)
        if self._reader.damage is not None:
            if self._position == 0 and not len(block):
                raise AudioError(self.name, f"cannot be decoded ({self._reader.damage})")
            self.ended_early = True
        self._position += len(block)
        return block


def _open_reader(source: str | BinaryIO, name: str) -> Reader:
    """Open a file in the first decoder that knows it: libsndfile, then ffmpeg.

    Raises
    ------
    AudioError
        If none does; the reason is that of each.
    """
    try:
        reader = SndfileReader(source if isinstance(source, str) else FileView.of(source))
    except DecodingError as error:
        reason = str(error)
    else:
        return _complete_mp3(reader, source) if reader.is_mp3 else reader
    view = FileView.of(source)
    # An MP3 behind junk.
    if complete := mp3.complete(view):
        try:
            return SndfileReader(complete)
        except DecodingError:
            complete.close()
            view = FileView.of(source)
    try:
        return FFmpegReader(view)
    except (DecodingError, ImportError) as error:
        view.close()
        if isinstance(error, DecodingError):
            reason = f"not audio that libsndfile or ffmpeg can read ({reason}; {error})"
        else:
            reason = (
                f"not audio that libsndfile can read ({reason}); for m4a, aac, wma and more, "
                "pip install skgenre[av]"
            )
        raise AudioError(name, reason) from error


def _complete_mp3(reader: SndfileReader, source: str | BinaryIO) -> Reader:
    """Open an MP3 again with its true length, if libsndfile's is wrong."""
    view = FileView.of(source)
    complete = mp3.complete(view, reader.n_frames)
    if complete is None:
        view.close()
    else:
        reader.close()
        reader = SndfileReader(complete)
    reader.tolerance = mp3.TOLERANCE
    return reader


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
