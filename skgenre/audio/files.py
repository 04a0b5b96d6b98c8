"""A file -> mono float32 samples at one rate, or :class:`AudioError`.

Decoding is libsndfile's (wav, au, flac, ogg, mp3, aiff, ...) and, with the extra
``skgenre[av]``, ffmpeg's (m4a, aac, wma, ...); resampling is soxr's. The samples equal those of
``librosa.load``.
"""

from __future__ import annotations

import math
import os
import warnings
from numbers import Integral
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soxr

from . import mp3, streamed
from .errors import AudioError
from .ffmpeg import FFmpegReader
from .readers import DecodingError, FileView, Reader, SndfileReader
from .sources import name_of, prepare

#: Seconds of audio beside an interval that its resampled samples depend on. soxr's "HQ"
#: filter reaches 20 ms (at 6 kHz, to 2e-7) and less at higher rates.
RESAMPLING_MARGIN = 0.05

#: Values decoded at once, over all channels: 48 s of mono at 22,050 Hz. No memory is taken on the
#: word of a header, only as they arrive.
BLOCK_VALUES = 1 << 20

#: The largest sample that makes sense, where full scale is 1. The power of a frame of larger ones
#: may be beyond float32, and its features NaN.
LARGEST_SAMPLE = 1e12


class AudioFile:
    """An open audio file, read as mono float32 at one sample rate.

    Parameters
    ----------
    path : str, pathlib.Path, or binary file object
        A file object is read from its start and left open. One that cannot seek, such as a
        pipe, is read into memory, from where it stands.
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
        If it is missing, a folder, empty, not audio, or has no samples; or if a file object
        gives no bytes, since it is open as text, say.
    TypeError
        If `path` is neither a path nor a file object.
    ValueError
        If `sample_rate` is no integer above 0.
    """

    def __init__(self, path: str | os.PathLike | BinaryIO, sample_rate: int = 22050):
        integral: Any = Integral  # mypy does not take int for one of them
        if not isinstance(sample_rate, integral) or sample_rate < 1:
            raise ValueError(f"sample_rate={sample_rate!r} must be an integer above 0, in Hz")
        self.sample_rate = sample_rate
        self.name = name_of(path)
        self._source = prepare(path, self.name)
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
        self.close()

    def close(self) -> None:
        """Close the file; a file object that was given stays open."""
        self._reader.close()

    def _open(self) -> None:
        """Open the file at its first frame."""
        try:
            self._reader = _open_reader(self._source, self.name)
        except OSError as error:  # of a file that is there
            raise AudioError(self.name, error.strerror or str(error)) from error
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
            If samples are not finite or absurdly large, or none could be decoded.
        """
        margin = 0 if self._up == self._down else RESAMPLING_MARGIN
        # Begin where a sample of ours and a frame of the file fall together.
        step = max(0, start - math.ceil(margin * self.sample_rate)) // self._up
        first = step * self._down
        last = None
        if stop is not None:
            last = -(-stop * self._down // self._up) + math.ceil(margin * self._reader.sample_rate)
        y = self._read_frames(first, last)
        offset = step * self._up
        return y[start - offset : None if stop is None else stop - offset]

    def _read_seconds(self, offset: float, duration: float | None) -> np.ndarray:
        """Read an interval as ``librosa.load`` does.

        It begins and ends with frames of the file, rounded down, and is resampled alone, so that
        the samples at its ends are not those of the whole file, which :meth:`read` gives.
        """
        rate = self._reader.sample_rate
        first = int(offset * rate)
        last = None if duration is None else first + int(duration * rate)
        y = self._read_frames(first, last)
        if not len(y) and first < self._reader.n_frames and last != first:
            raise AudioError(self.name, "holds no samples")
        return y

    def _read_frames(self, first: int, last: int | None) -> np.ndarray:
        """Frames `first` to `last` of the file, resampled."""
        y = self._decode(first, last)
        if len(y):
            peak = max(-float(y.min()), float(y.max()))
            if not math.isfinite(peak):
                raise AudioError(self.name, "holds NaN or infinite samples")
            if peak > LARGEST_SAMPLE:
                raise AudioError(self.name, f"holds samples of {peak:.1e}, where full scale is 1")
        if self._up != self._down and len(y):
            n = self._resampled_length(len(y))
            y = soxr.resample(y, self._reader.sample_rate, self.sample_rate, quality="HQ")
            y = np.pad(y[:n], (0, n - min(n, len(y))))  # soxr rounds, librosa rounds up
        return y

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
    reader = None
    try:
        # python-soundfile takes no name that is not UTF-8.
        if isinstance(source, str) and source.isprintable():
            reader = SndfileReader(source)
        else:
            reader = SndfileReader(FileView.of(source))
    except DecodingError as error:
        reason = str(error)
    else:
        if reader.is_mp3:
            return _complete_mp3(reader, source)
        if reader.n_frames > 0:
            return reader
    # Headers that libsndfile does not understand: an MP3 behind junk, a length that is not known.
    for complete in (mp3.complete, streamed.complete):
        view = FileView.of(source)
        if mended := complete(view):
            try:
                return SndfileReader(mended)
            except DecodingError:
                view = mended
        view.close()
    if reader is not None:
        return reader  # of no samples
    view = FileView.of(source)
    if (start := mp3.behind_tags(view)) > 0:  # ffmpeg knows them before some formats only
        view = view.from_byte(start)
    try:
        return FFmpegReader(view)
    except (DecodingError, ImportError) as error:
        view.close()
        if isinstance(error, DecodingError):
            reason = (
                "not audio that libsndfile or ffmpeg can read "
                f"(libsndfile: {reason}; ffmpeg: {error})"
            )
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
        channels (averaged) and sample format. A file object is read from its start, one that
        cannot seek from where it stands.
    sample_rate : int, default=22050
        Rate of the result, in Hz.
    offset : float, default=0.0
        Where to begin, in seconds; as in librosa, rounded down to a frame of the file.
    duration : float, default=None
        How much to read, in seconds; None reads to the end. No more is decoded than needed.

    Returns
    -------
    y : float32 ndarray of shape (n_samples,)
        Equal to ``librosa.load(path, sr=sample_rate, offset=offset, duration=duration)`` to
        1e-5.

    Raises
    ------
    AudioError
        If the file is missing, a folder, empty, corrupt, or holds no, non-finite or absurdly large
        samples; or if a file object gives no bytes, since it is open as text, say.
    TypeError
        If `path` is neither a path nor a file object.
    ValueError
        If `offset` or `duration` is negative or not finite, or `sample_rate` no integer above 0.

    Warns
    -----
    UserWarning
        If the file ends before its header says; it is used as far as it goes.

    Examples
    --------
    >>> import skgenre
    >>> y = skgenre.load_audio("song.mp3", duration=30)  # doctest: +SKIP
    """
    for seconds in (offset, 0.0 if duration is None else duration):
        if not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(
                f"offset={offset!r} and duration={duration!r} must not be negative or infinite"
            )
    with AudioFile(path, sample_rate) as audio:
        y = audio._read_seconds(offset, duration)
        if audio.ended_early:
            warnings.warn(
                f"{audio.name} ends early (truncated?) and is used as far as it goes",
                UserWarning,
                stacklevel=2,
            )
    return y
