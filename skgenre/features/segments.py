"""Positions of the segments and windows of a track."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from .._checks import AT_LEAST_0, AT_LEAST_1, check_number
from ..audio import AudioError, AudioFile, has_signal

#: Minimum length in seconds of a track that is split into windows.
SHORTEST = 3.0


def n_segment_frames(segment_length: int, hop_length: int) -> int:
    """Return the number of frames of a segment, for example 130 for 66,150 samples and hop 512.

    Examples
    --------
    >>> from skgenre.mfcc import n_segment_frames
    >>> n_segment_frames(segment_length=66150, hop_length=512)
    130
    """
    check_number("segment_length", segment_length, AT_LEAST_0)
    check_number("hop_length", hop_length, AT_LEAST_1)
    return 1 + segment_length // hop_length


def check_hop(segment_length: int, hop_length: int) -> None:
    """Raise ValueError if the hop is longer than a segment."""
    if hop_length > segment_length:
        raise ValueError(
            f"hop_length={hop_length} is more than the {segment_length} samples of a segment or "
            "window; use a shorter hop or longer segments"
        )


def segment_starts(
    n_samples: int,
    *,
    segment_length: int,
    hop_length: int,
    n_segments: int | None,
    placement: str = "start",
) -> np.ndarray:
    """Compute the first sample of each segment of a track.

    The last ``segment_length % hop_length`` samples of a segment (102 for 66,150 and 512) are not
    required, since the segment has all of its frames without them.

    Parameters
    ----------
    n_samples : int
        Length of the track.
    segment_length, hop_length : int
        Length of a segment and hop of its frames in samples.
    n_segments : int or None
        Maximum number of segments. If None, all are used.
    placement : {"start", "spread"}, default="start"
        Whether segments are consecutive from the start of the track, or centered in equal parts of
        the track.

    Returns
    -------
    starts : int ndarray of shape (n_segments_found,)
        First sample of each segment.

    Raises
    ------
    ValueError
        If `hop_length` is larger than `segment_length`, or a number is not positive.

    Examples
    --------
    >>> from skgenre.mfcc import segment_starts
    >>> segment_starts(100, segment_length=20, hop_length=5, n_segments=3)
    array([ 0, 20, 40])
    >>> segment_starts(100, segment_length=20, hop_length=5, n_segments=3, placement="spread")
    array([ 6, 40, 73])
    """
    check_number("n_samples", n_samples, AT_LEAST_0)
    check_number("segment_length", segment_length, AT_LEAST_1)
    check_number("hop_length", hop_length, AT_LEAST_1)
    check_number("n_segments", n_segments, AT_LEAST_1, None)
    check_hop(segment_length, hop_length)
    needed = segment_length - segment_length % hop_length
    n = (n_samples - needed) // segment_length + 1 if n_samples >= needed else 0
    if n_segments is not None:
        n = min(n, n_segments)
    if placement == "start" or n == 0:
        return np.arange(n) * segment_length
    # Centers are at (i + 1/2) * n_samples / n. Integer arithmetic avoids rounding errors.
    return np.maximum(0, ((2 * np.arange(n) + 1) * n_samples - n * segment_length) // (2 * n))


def read_windows(
    audio: AudioFile, window: float, n_windows: int | None = None, shortest: float = SHORTEST
) -> Iterator[np.ndarray]:
    """Read a track one window at a time, to its end.

    A track shorter than a window has a single window with the length of the track. The last window
    is used if it has at least half the length of the others. Parts of a window without a signal are
    left out, see :func:`without_silence`.

    Parameters
    ----------
    audio : AudioFile
        The open file.
    window : float
        Length of a window in seconds.
    n_windows : int, default=None
        Maximum number of windows, from the start. If None, all are used.
    shortest : float, default=3.0
        Minimum length of a track in seconds.

    Yields
    ------
    y : float32 ndarray of shape (n_samples,)
        Samples of one window; none if it has no signal.

    Raises
    ------
    AudioError
        If the track is shorter than `shortest`.
    """
    length = round(window * audio.sample_rate)
    for i in itertools.count() if n_windows is None else range(n_windows):
        y = audio.read(i * length, (i + 1) * length)
        if i == 0 and len(y) < round(shortest * audio.sample_rate):
            raise AudioError(
                audio.name,
                f"{len(y) / audio.sample_rate:.2f} s of audio is too short; at least "
                f"{shortest:.3g} s are needed",
            )
        if i > 0 and len(y) < length / 2:
            return
        yield without_silence(y, audio.sample_rate)
        if len(y) < length:
            return


def without_silence(y: np.ndarray, sample_rate: int) -> np.ndarray:
    """Leave out the parts of a window or track without a signal.

    All parts have equal lengths, of at least 3 s if `y` is as long. Pauses in music, which are
    shorter, are thus kept.
    """
    parts = np.array_split(y, max(1, int(len(y) / (SHORTEST * sample_rate))))
    kept = [part for part in parts if has_signal(part, sample_rate)]
    return y if len(kept) == len(parts) else np.concatenate([y[:0], *kept])


def compute_rows(
    segments: Iterable[np.ndarray],
    compute: Callable[[Iterator[np.ndarray]], Iterable[np.ndarray]],
    shape: tuple,
) -> np.ndarray:
    """Compute one row for each segment; NaN for segments without samples.

    Parameters
    ----------
    segments : iterable of float32 ndarray of shape (n_samples,)
        Samples of the segments, of which only one is in memory at a time.
    compute : callable
        Function of an iterator over the other segments, which returns their rows.
    shape : tuple of int
        Shape of a row.

    Returns
    -------
    rows : float32 ndarray of shape (n_segments, *shape)
        The rows.
    """
    exists = []

    def existing() -> Iterator[np.ndarray]:
        for y in segments:
            exists.append(len(y) > 0)
            if exists[-1]:
                yield y

    rows = list(compute(existing()))
    out = np.full((len(exists), *shape), np.nan, np.float32)
    if rows:
        out[exists] = rows
    return out
