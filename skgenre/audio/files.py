"""Reading of audio files as mono float32 samples at a given sample rate.

Files are decoded with libsndfile (wav, au, flac, ogg, mp3, aiff, ...) or, with the extra
``skgenre[av]``, with ffmpeg (m4a, aac, wma, ...), and resampled with soxr. The samples equal those
of ``librosa.load``.
"""

from __future__ import annotations

import contextlib
import math
import os
import re
import warnings
from collections.abc import Callable
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
import soxr

from . import mp3, streamed
from .chained import ChainedReader, ogg_links
from .errors import AudioError
from .ffmpeg import FFmpegReader
from .levels import choose_channel, has_loud_block, why_too_large
from .readers import DecodingError, FileView, Reader, SndfileReader, check_rate
from .sources import Source, name_of

_Result = TypeVar("_Result")

#: Margin in seconds that is decoded before and after an interval, since its resampled samples
#: depend on it. The "HQ" filter of soxr reaches 20 ms at 6 kHz (to 2e-7), less at higher rates.
RESAMPLING_MARGIN = 0.05

#: Number of values decoded at a time, over all channels: 48 s of mono audio at 22,050 Hz. Memory is
#: allocated only for decoded data, whatever length the header claims.
BLOCK_VALUES = 1 << 20

#: Number of frames decoded at a time until it is known whether the channels cancel: 1.5 s at
#: 44,100 Hz.
_DECISION_FRAMES = 1 << 16

#: FLAC in Ogg, of which libsndfile reads only what it writes itself.
_OGG_FLAC = re.compile(rb"OggS.{22,}?\x7fFLAC", re.DOTALL)


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
        integral: Any = Integral  # mypy does not accept int as an Integral
        is_integer = isinstance(sample_rate, integral) and not isinstance(sample_rate, bool)
        if not is_integer or sample_rate < 1:
            raise ValueError(f"sample_rate={sample_rate!r} must be a positive integer, in Hz")
        self.sample_rate = sample_rate
        self.name = name_of(path)
        try:
            self._source = Source(path, self.name)
        except OSError as error:  # raised for existing files
            raise AudioError(self.name, error.strerror or str(error)) from error
        try:
            self._open()
        except AudioError:
            self._source.close()
            raise
        native = self._reader.sample_rate
        divisor = math.gcd(native, sample_rate)
        # `up` samples at `sample_rate` have the same duration as `down` frames of the file.
        self._up, self._down = sample_rate // divisor, native // divisor
        #: Length in frames, once the end has been reached.
        self._length: int | None = None
        self.ended_early = self._reader.truncated
        #: Channel that is read, -1 for the mean, None until it is decided.
        self._channel: int | None = None if self._reader.n_channels > 1 else -1
        #: Whether the mean is read, and channels were found to cancel in parts of the file.
        self._partly_cancels = False
        #: Whether no interval that was read has a signal, None if nothing was read.
        self._is_silent: bool | None = None

    @property
    def n_samples(self) -> int:  # noqa: D102  # see the class
        if self._length is None:
            self._find_end()
            assert self._length is not None
        return self._resampled_length(self._length)

    @property
    def _stated(self) -> int | None:
        """Length at `sample_rate` according to the header, if it states one."""
        n = self._reader.n_frames if self._length is None else self._length
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

    def _open(self) -> None:
        """Open the file and move to its first frame."""
        try:
            self._reader = _open_reader(self._source)
            if self._reader.n_frames == 0:
                self._reader.close()
                raise DecodingError("contains no samples")
        except DecodingError as error:
            raise AudioError(self.name, str(error)) from error
        self._position = 0
        #: The last frames before the position, reused if the next interval overlaps with them.
        self._tail = np.empty(0, np.float32)

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
        integral: Any = Integral
        for name, value in (("start", start), ("stop", stop)):
            if name == "stop" and value is None:
                continue
            if not isinstance(value, integral) or value < 0:
                raise ValueError(f"{name}={value!r} must be an integer of at least 0, in samples")
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
        blocks = []
        before = self._position - first
        if 0 < before <= len(self._tail):
            # Consecutive intervals overlap by the margins. Reusing them avoids seeking.
            blocks.append(self._tail[len(self._tail) - before :])
        else:
            before = 0
            self._seek_frame(first)
        while self._position >= first and (last is None or self._position < last):
            n = self._most if last is None else min(self._most, last - self._position)
            blocks.append(self._decode_block(n))
            if len(blocks[-1]) < n:
                break
        y = blocks[0] if len(blocks) == 1 else np.concatenate([np.empty(0, np.float32), *blocks])
        if before == 0 or len(y) > before:  # otherwise the tail already contains all of it
            margin = math.ceil(RESAMPLING_MARGIN * self._reader.sample_rate)
            kept = min(len(y), 4 * margin + 2 * self._down)
            self._tail = y[len(y) - kept :].copy()
        return y if last is None else y[: max(0, last - first)]

    def _seek_frame(self, frame: int) -> None:
        """Move to a frame, or to the end of a shorter file."""
        if self._position == frame or (self._length is not None and frame > self._length):
            return
        jumps = self._reader.exact_seek
        while self._channel is None and self._position < frame:
            # Decided from the start of the file, whatever is read first.
            n = min(self._most, frame - self._position)
            if len(self._decode_block(n)) < n:
                return
        if jumps:
            try:
                self._position = self._reader.seek(frame)
            except DecodingError:  # there is damage, or nothing
                jumps = False
        if not jumps and (self._position > frame or self._reader.exact_seek):
            self._reader.close()
            self._open()
        while self._position < frame:
            n = min(self._most, frame - self._position)
            if len(self._decode_block(n)) < n:
                break

    def _find_end(self) -> None:
        """Move to the end of the file."""
        n_frames = self._reader.n_frames
        if n_frames is not None and self._reader.exact_seek and self._position < n_frames:
            # The last frame shows whether the header is right.
            self._seek_frame(n_frames - 1)
        while self._length is None:
            self._decode_block(self._most)

    @property
    def _most(self) -> int:
        """Number of frames to decode at a time."""
        most = BLOCK_VALUES // self._reader.n_channels
        return min(most, _DECISION_FRAMES) if self._channel is None else most

    def _decode_block(self, n: int) -> np.ndarray:
        """Decode the next `n` frames as mono; fewer at the end of the file or before damage."""
        block = self._to_mono(self._reader.read(n))
        if len(block) < n:
            block = self._read_on(block, n)
        self._position += len(block)
        if len(block) < n:
            self._end()
        return block

    def _read_on(self, block: np.ndarray, n: int) -> np.ndarray:
        """Let ffmpeg continue a block where libsndfile stops before the end."""
        reader, position = self._reader, self._position + len(block)
        is_end = reader.damage is None and not reader.is_unread and not reader.ended_early(position)
        if is_end or isinstance(reader, FFmpegReader):
            return block
        try:
            other = FFmpegReader(_without_tags(self._source))
        except (DecodingError, ImportError):
            return block
        if other.sample_rate == reader.sample_rate and _skip(other, position):
            rest = self._to_mono(other.read(n - len(block)))
            if len(rest):
                reader.close()
                if reader.n_frames is not None:
                    other.n_frames, other.tolerance = reader.n_frames, reader.tolerance
                self._reader = other
                return np.concatenate([block, rest])
        other.close()
        return block

    def _to_mono(self, block: np.ndarray) -> np.ndarray:
        """Average the channels of a block, or select the loudest if they cancel in the file."""
        if block.shape[1] == 1:
            return block[:, 0]
        if self._channel is None:
            self._channel = choose_channel(block, self._reader.sample_rate)
        if self.channels_cancel:
            return block[:, self._channel].copy()  # a view would keep all channels in memory
        # Parts as long as the first, on which the decision is based; a short rest may be by chance.
        starts = range(0, len(block) - _DECISION_FRAMES // 2, _DECISION_FRAMES)
        self._partly_cancels = self._partly_cancels or any(
            choose_channel(block[i : i + _DECISION_FRAMES], self._reader.sample_rate)
            not in (None, -1)
            for i in starts
        )
        with np.errstate(invalid="ignore"):  # infinite samples are reported later
            return sum(block.T) / block.shape[1]  # 20 times as fast as block.mean(axis=1)

    def _end(self) -> None:
        """Note that the position is the end of the file."""
        if self._position == 0:
            damage = self._reader.damage
            raise AudioError(
                self.name,
                "contains no samples" if damage is None else f"cannot be decoded ({damage})",
            )
        # After damage, reading from the start and jumping may find different ends.
        self._length = min(self._position, self._length or self._position)
        self.ended_early |= self._reader.truncated or self._reader.ended_early(self._position)
        self.ended_early |= self._source.failure is not None


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


def _skip(reader: Reader, n: int) -> bool:
    """Decode `n` frames; return whether there are as many."""
    while n > 0 and (found := len(reader.read(min(n, BLOCK_VALUES // reader.n_channels)))):
        n -= found
    return n == 0


def _open_reader(source: Source) -> Reader:
    """Open a file with the reader that its content requires.

    Raises
    ------
    DecodingError
        If none can decode it. The message contains the reasons of libsndfile and ffmpeg.
    """
    reader = _choose_reader(source)
    try:
        check_rate(reader.sample_rate)
    except DecodingError:
        reader.close()
        raise
    return reader


def _choose_reader(source: Source) -> Reader:
    view = _without_tags(source)
    if _OGG_FLAC.match(view.read(64)):
        with contextlib.suppress(DecodingError, ImportError):
            return FFmpegReader(_without_tags(source))
    reader: SndfileReader | None = None
    try:
        reader = _open_sndfile(source)
    except DecodingError as error:
        reason = str(error)
    else:
        if reader.is_mp3:
            return _open_mp3(source, reader)
        if reader.is_ogg:
            return ChainedReader(reader, partial(ogg_links, view))
        if reader.n_frames != 0 and not reader.is_au:
            return reader
    if (repaired := streamed.complete(view)) is not None:
        with contextlib.suppress(DecodingError):
            return SndfileReader(repaired)
    if reader is not None:
        return reader  # valid, even if without samples
    try:
        return FFmpegReader(view.from_byte(0))
    except ImportError:
        reason = (
            f"not audio that libsndfile can read ({reason}); for m4a, aac, wma and more, "
            "pip install skgenre[av]"
        )
    except DecodingError as error:
        reason = (
            f"not audio that libsndfile or ffmpeg can read (libsndfile: {reason}; ffmpeg: {error})"
        )
    # Last, because what looks like MP3 may be a part of another format.
    return _open_mp3(source, None, reason)


def _without_tags(source: Source) -> FileView:
    """View a file behind its ID3 tags, which ffmpeg skips only before some formats."""
    view = FileView(source)
    return view.from_byte(mp3.skip_tags(view))


def _open_sndfile(source: Source) -> SndfileReader:
    """Open a file with libsndfile, behind its tags unless it is MP3.

    libsndfile skips tags, but then gets the positions in a file object wrong.
    """
    view, untagged = FileView(source), _without_tags(source)
    if untagged.size == view.size:
        return SndfileReader(view)
    with contextlib.suppress(DecodingError):
        reader = SndfileReader(view)
        if reader.is_mp3:
            return reader
        reader.close()
    return SndfileReader(untagged)


def _open_mp3(source: Source, reader: SndfileReader | None, reason: str = "") -> Reader:
    """Open an MP3 file with its true length, if libsndfile does not know it."""
    view = FileView(source)
    song, is_stated = mp3.complete(view, None if reader is None else reader.n_frames)
    if song is not None:
        if reader is not None:
            reader.close()
        reader = SndfileReader(song)
    elif reader is None:
        raise DecodingError(reason)
    reader.tolerance = mp3.TOLERANCE if is_stated else math.inf
    return ChainedReader(reader, partial(mp3.songs, view))


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
        loudest channel is returned. If they cancel only later in the file, the mean is returned.

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
    for seconds in (offset, 0.0 if duration is None else duration):
        if isinstance(seconds, bool) or not (math.isfinite(seconds) and seconds >= 0):
            raise ValueError(
                f"offset={offset!r} and duration={duration!r} must be finite and must not be "
                "negative"
            )
    with AudioFile(path, sample_rate) as audio:
        y = audio._read_seconds(offset, duration)
        if audio.ended_early:
            warnings.warn(
                f"{audio.name} ends early (truncated file?); only the decoded part is used",
                UserWarning,
                stacklevel=2,
            )
        if audio.channels_cancel:
            warnings.warn(
                f"the channels of {audio.name} cancel in their mean (one of them inverted?); only "
                "the loudest channel is used",
                UserWarning,
                stacklevel=2,
            )
        if audio._partly_cancels:
            warnings.warn(
                f"the channels of {audio.name} cancel in their mean in some parts; the mean is "
                "used, in which these parts are faint or missing",
                UserWarning,
                stacklevel=2,
            )
    return y
