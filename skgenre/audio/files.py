"""Reading of audio files as mono float32 samples at a given sample rate.

Files are decoded with libsndfile (wav, au, flac, ogg, mp3, aiff, ...) or, with the extra
``skgenre[av]``, with ffmpeg (m4a, aac, wma, ...), and resampled with soxr. The samples equal those
of ``librosa.load``.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from numbers import Real
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
import soxr

from .._checks import AT_LEAST_0, AT_LEAST_1, check_number
from .._sklearn import Interval
from .._warnings import warn
from .decoders import DecodingError
from .levels import choose_channel, has_loud_block, why_too_large
from .reader import Reader
from .sources import AudioError, Source, name_of

_Result = TypeVar("_Result")

#: Offsets and durations in seconds.
_SECONDS = Interval(Real, 0, None, closed="left")

#: Margin in seconds that is decoded before and after an interval, since its resampled samples
#: depend on it. The "HQ" filter of soxr reaches 20 ms at 6 kHz (to 2e-7), less at higher rates.
RESAMPLING_MARGIN = 0.05

#: Number of values decoded at a time, over all channels: 48 s of mono audio at 22,050 Hz. Memory is
#: allocated only for decoded data, whatever length the header claims.
BLOCK_VALUES = 1 << 20

#: Number of frames decoded at a time until it is known whether the channels cancel: 1.5 s at
#: 44,100 Hz.
_DECISION_FRAMES = 1 << 16


class AudioFile:
    """An open audio file that is read as mono float32 samples at one sample rate.

    Parameters
    ----------
    path : str, pathlib.Path, or binary file object
        File objects are read from their start and left open. Those that do not support seeking,
        such as pipes, are read from their current position. File objects other than ``io.BytesIO``
        and files opened with :func:`open` may share a source, such as an archive, and are copied.
    sample_rate : int, default=22050
        Sample rate in Hz of the samples that :meth:`read` returns.

    Attributes
    ----------
    name : str
        The path, or the name of the file object.
    n_samples : int
        Length at `sample_rate`. What can be decoded counts, not the header: unless the format
        allows to jump to the end, the file is decoded to its end for it. If the file is damaged,
        the length may depend on what was read before.
    ended_early : bool
        Whether the file is known to be shorter than its header states, or to lack a part.
    channels_cancel : bool
        Whether the channels are known to cancel in their mean, as in a recording with one channel
        inverted. The loudest channel is then read instead of the mean of the channels. This is
        decided for the whole file at the first signal in it.

    Raises
    ------
    AudioError
        If the file is missing, empty, a folder, not audio, has no samples or an implausible sample
        rate, or if a file object does not return bytes, for example because it was opened in text
        mode.
    TypeError
        If `path` is neither a path nor a file object.
    ValueError
        If `sample_rate` is not a positive integer.

    Examples
    --------
    >>> import tempfile
    >>> from skgenre import AudioFile
    >>> from skgenre.datasets import make_tracks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=1, duration=2, random_state=0, folder=folder)
    ...     with AudioFile(tracks.data[0], sample_rate=16000) as audio:
    ...         audio.n_samples, audio.read(8000, 16000).shape
    (32000, (8000,))
    """

    def __init__(self, path: str | os.PathLike | BinaryIO, sample_rate: int = 22050):
        check_number("sample_rate", sample_rate, AT_LEAST_1)
        self.sample_rate = sample_rate
        self.name = name_of(path)
        try:
            self._source = Source(path, self.name)
        except OSError as error:  # raised for existing files
            raise AudioError(self.name, error.strerror or str(error)) from error
        try:
            with self._naming_the_file():
                self._reader = Reader(self._source)
        except AudioError:
            self._source.close()
            raise
        native = self._reader.sample_rate
        divisor = math.gcd(native, sample_rate)
        # `up` samples at `sample_rate` have the same duration as `down` frames of the file.
        self._up, self._down = sample_rate // divisor, native // divisor
        #: The last frames that were read, reused if the next interval overlaps with them, and the
        #: position behind them.
        self._tail, self._tail_stop = np.empty(0, np.float32), 0
        #: Channel that is read, -1 for the mean, None until it is decided.
        self._channel: int | None = None if self._reader.n_channels > 1 else -1
        #: Whether no interval that was read has a signal, None if nothing was read.
        self._is_silent: bool | None = None

    @property
    def n_samples(self) -> int:  # noqa: D102  # see the class
        if self._reader.length is None:
            with self._naming_the_file():
                self._decide_channel()
                self._reader.find_end()
        return self._resampled_length(self._reader.length or 0)

    @property
    def ended_early(self) -> bool:  # noqa: D102  # see the class
        return self._reader.ended_early

    @property
    def _stated(self) -> int | None:
        """Length at `sample_rate` according to the header, if it states one."""
        n = self._reader.n_frames if self._reader.length is None else self._reader.length
        return None if n is None else self._resampled_length(n)

    @property
    def channels_cancel(self) -> bool:  # noqa: D102  # see the class
        return self._channel is not None and self._channel >= 0

    def __enter__(self) -> AudioFile:
        return self

    def __exit__(self, *exc) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. A file object passed by the user is left open."""
        self._reader.close()
        self._source.close()

    def _warn(self) -> None:
        """Warn of what is known to be missing from the samples that were read."""
        if self.ended_early:
            warn(f"{self.name} ends early (truncated file?); only the decoded part is used")
        if self.channels_cancel:
            warn(
                f"the channels of {self.name} cancel in their mean (one of them inverted?); only "
                "the loudest channel is used"
            )

    @contextlib.contextmanager
    def _naming_the_file(self) -> Iterator[None]:
        """Convert errors of decoding."""
        try:
            yield
        except DecodingError as error:
            raise AudioError(self.name, str(error)) from error

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Read an interval of samples.

        The samples equal those of the whole file in this interval to 1e-5, unless the file is
        damaged: they may then depend on what was read before. Only the part of the file that they
        depend on is decoded, if the format allows it.

        Parameters
        ----------
        start : int, default=0
            First sample, at `sample_rate`.
        stop : int, default=None
            End of the interval (exclusive), at `sample_rate`. If None, read to the end of the file.

        Returns
        -------
        y : float32 ndarray of shape (n_samples,)
            Shorter than requested at the end of the file.

        Raises
        ------
        AudioError
            If samples are not finite, or larger than 16, where full scale is 1, or nothing could
            be decoded.
        ValueError
            If `start` or `stop` is negative or not an integer, or `stop` is less than `start`.
        """
        check_number("start", start, AT_LEAST_0)
        check_number("stop", stop, AT_LEAST_0, None)
        if stop is not None and stop < start:
            raise ValueError(f"stop={stop} must be at least start={start}")
        start, stop = int(start), None if stop is None else int(stop)  # NumPy's may be too small
        margin = 0 if self._up == self._down else RESAMPLING_MARGIN
        # Start where a resampled sample and a frame of the file coincide.
        step = max(0, start - math.ceil(margin * self.sample_rate)) // self._up
        first = step * self._down
        last = None
        if stop is not None:
            last = -(-stop * self._down // self._up) + math.ceil(margin * self._reader.sample_rate)
        y = self._read_frames(first, last)
        offset = step * self._up
        return y[start - offset : None if stop is None else stop - offset]

    def _read_seconds(self, offset: float, duration: float | None) -> np.ndarray:
        """Read an interval like ``librosa.load``.

        Its limits are rounded down to frames of the file, and it is resampled separately, so that
        samples near its ends differ from those that :meth:`read` returns.
        """
        rate = self._reader.sample_rate
        first = int(offset * rate)
        last = None if duration is None else first + int(duration * rate)
        return self._read_frames(first, last)

    def _read_frames(self, first: int, last: int | None) -> np.ndarray:
        """Read the frames from `first` to `last` and resample them."""
        with self._naming_the_file():
            y = self._decode(first, last)
        if len(y):
            lowest, highest = float(y.min()), float(y.max())
            if not (math.isfinite(lowest) and math.isfinite(highest)):
                raise AudioError(self.name, "contains NaN or infinite samples")
            if (reason := why_too_large(y)) is not None:
                raise AudioError(self.name, reason)
            if self._is_silent is not False:
                self._is_silent = not has_loud_block(y, self._reader.sample_rate)
        if self._up != self._down and len(y):
            n = self._resampled_length(len(y))
            y = soxr.resample(y, self._reader.sample_rate, self.sample_rate, quality="HQ")
            y = np.pad(y[:n], (0, n - min(n, len(y))))  # soxr rounds the length, librosa rounds up
        return y

    def _resampled_length(self, n_frames: int) -> int:
        return -(-n_frames * self._up // self._down)

    def _decode(self, first: int, last: int | None) -> np.ndarray:
        """Decode the frames from `first` to `last` as mono; fewer at the end of the file."""
        reader = self._reader
        blocks = [self._tail[:0]]
        before = reader.position - first
        if reader.position == self._tail_stop and 0 < before <= len(self._tail):
            # Consecutive intervals overlap by the margins. Reusing them avoids seeking.
            blocks.append(self._tail[len(self._tail) - before :])
        else:
            self._decide_channel(first)
            reader.seek(first)
        while reader.position >= first and (last is None or reader.position < last):
            n = self._block_size if last is None else min(self._block_size, last - reader.position)
            blocks.append(self._to_mono(reader.read(n)))
            if len(blocks[-1]) < n:
                break
        y = blocks[1] if len(blocks) == 2 else np.concatenate(blocks)
        margin = math.ceil(RESAMPLING_MARGIN * reader.sample_rate)
        kept = min(len(y), 4 * margin + 2 * self._down)
        self._tail, self._tail_stop = y[len(y) - kept :].copy(), reader.position
        return y if last is None else y[: max(0, last - first)]

    def _decide_channel(self, stop: int | None = None) -> None:
        """Decode up to a frame until the channel is decided, whatever is read first."""
        reader = self._reader
        while self._channel is None and (stop is None or reader.position < stop):
            n = self._block_size if stop is None else min(self._block_size, stop - reader.position)
            if len(self._to_mono(reader.read(n))) < n:
                break

    @property
    def _block_size(self) -> int:
        """Number of frames to decode at a time."""
        n = BLOCK_VALUES // self._reader.n_channels
        return min(n, _DECISION_FRAMES) if self._channel is None else n

    def _to_mono(self, block: np.ndarray) -> np.ndarray:
        """Average the channels of a block, or select the loudest if they cancel in the file."""
        if block.shape[1] == 1:
            return block[:, 0]
        if self._channel is None:
            self._channel = choose_channel(block, self._reader.sample_rate)
        if self.channels_cancel:
            return block[:, self._channel].copy()  # a view would keep all channels in memory
        with np.errstate(invalid="ignore"):  # infinite samples are reported later
            return sum(block.T) / block.shape[1]  # 20 times as fast as block.mean(axis=1)


def at_length(audio: AudioFile, compute: Callable[[int], _Result]) -> _Result:
    """Compute what depends on the length of a track.

    Most headers are right. The result for the length in the header is therefore used if decoding
    the rest of the file confirms it, so that the file is decoded only once.

    Parameters
    ----------
    audio : AudioFile
        The open file.
    compute : callable
        Function of the number of samples, which reads from `audio`. It is called again if the
        length turns out to be another.
    """
    n_samples = audio._stated or audio.n_samples
    while True:
        result = compute(n_samples)
        if audio.n_samples == n_samples:
            return result
        n_samples = audio.n_samples


def load_audio(
    path: str | Path | BinaryIO,
    *,
    sample_rate: int = 22050,
    offset: float = 0.0,
    duration: float | None = None,
) -> np.ndarray:
    """Load an audio file as mono samples.

    Parameters
    ----------
    path : str, pathlib.Path, or binary file object
        The file, in any format that libsndfile reads (wav, au, flac, ogg, mp3, aiff, ...) or, with
        the extra ``skgenre[av]``, ffmpeg (m4a, aac, wma, ...). Channels are averaged. File objects
        are read from their start or, if they do not support seeking, from their current position.
    sample_rate : int, default=22050
        Target sample rate in Hz.
    offset : float, default=0.0
        Start of the interval to read in seconds. As in librosa, it is rounded down to a frame of
        the file.
    duration : float, default=None
        Duration of the interval to read in seconds. If None, read to the end of the file.

    Returns
    -------
    y : float32 ndarray of shape (n_samples,)
        Mono samples. They equal ``librosa.load(path, sr=sample_rate, offset=offset,
        duration=duration)`` to 1e-5, unless the channels cancel.

    Raises
    ------
    AudioError
        If the file is missing, empty, a folder, corrupt, or has no samples or samples that are not
        finite or larger than 16, where full scale is 1, or if a file object does not return bytes,
        for example because it was opened in text mode.
    TypeError
        If `path` is neither a path nor a file object.
    ValueError
        If `offset` or `duration` is negative or not finite, or `sample_rate` is not a positive
        integer.

    Warns
    -----
    UserWarning
        If the file is shorter than its header states. The part that could be decoded is returned.
        Also if the channels cancel in their mean, as in a recording with one channel inverted. The
        loudest channel is returned.

    Examples
    --------
    >>> import tempfile
    >>> from skgenre import load_audio
    >>> from skgenre.datasets import make_tracks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=1, duration=2, random_state=0, folder=folder)
    ...     load_audio(tracks.data[0], duration=0.5).shape
    (11025,)
    """
    check_number("offset", offset, _SECONDS)
    check_number("duration", duration, _SECONDS, None)
    with AudioFile(path, sample_rate) as audio:
        y = audio._read_seconds(offset, duration)
        audio._warn()
    return y
