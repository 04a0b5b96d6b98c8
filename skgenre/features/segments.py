"""Segments of a track: where they are, and how they are read.

There are two kinds. MFCCs and musicnn use *whole* segments, all of which have the same number of
samples. Front ends whose segments are summarized over time use *long* segments: a shorter track is
one segment, and a last segment is used if it has at least half the length of the others.

With ``placement="start"``, segments are consecutive from the start of the track; with
``placement="spread"``, they are centered in equal parts of the track. Lengths and positions are in
samples, durations in seconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from numbers import Integral, Real
from typing import Any

import numpy as np

from .._sklearn import Interval, StrOptions
from ..audio import AudioError, AudioFile, at_length, has_signal

#: Minimum duration in seconds of a track that is split into long segments.
MIN_DURATION = 3.0

#: Constraints of the parameters of all front ends that split tracks into segments.
N_SEGMENTS: list[Any] = [Interval(Integral, 1, None, closed="left"), None]
PLACEMENT: list[Any] = [StrOptions({"start", "spread"})]

#: Constraint of the duration of long segments.
LONG_DURATION = Interval(Real, MIN_DURATION, None, closed="left")


def n_segment_frames(n_samples: int, hop_length: int) -> int:
    """Return the number of frames of a segment, for example 130 for 66,150 samples and hop 512."""
    return 1 + n_samples // hop_length


def segment_starts(
    n_samples: int,
    *,
    segment_length: int,
    hop_length: int,
    n_segments: int | None,
    placement: str = "start",
) -> list[int]:
    """Compute the first sample of each whole segment of a track.

    The last ``segment_length % hop_length`` samples of a segment (102 for 66,150 and 512) are not
    required, since the segment has all of its frames without them.

    Parameters
    ----------
    n_samples : int
        Length of the track.
    segment_length, hop_length : int
        Length of a segment and hop of its frames.
    n_segments : int or None
        Maximum number of segments. If None, all are used.
    placement : {"start", "spread"}, default="start"
        Whether segments are consecutive from the start of the track, or centered in equal parts of
        the track.

    Examples
    --------
    >>> from skgenre.features.segments import segment_starts
    >>> segment_starts(100, segment_length=20, hop_length=5, n_segments=3)
    [0, 20, 40]
    >>> segment_starts(100, segment_length=20, hop_length=5, n_segments=3, placement="spread")
    [6, 40, 73]
    """
    needed = segment_length - segment_length % hop_length
    n = (n_samples - needed) // segment_length + 1 if n_samples >= needed else 0
    if n_segments is not None:
        n = min(n, n_segments)
    if placement == "start":
        return [i * segment_length for i in range(n)]
    return _centered_starts(n_samples, segment_length, n)


def _centered_starts(n_samples: int, segment_length: int, n: int) -> list[int]:
    # Centers are at (i + 1/2) * n_samples / n. Integer arithmetic avoids rounding errors.
    return [max(0, ((2 * i + 1) * n_samples - n * segment_length) // (2 * n)) for i in range(n)]


def read_at(
    audio: AudioFile, starts: Iterable[int], segment_length: int, n_samples: int
) -> Iterator[np.ndarray]:
    """Read the segments of a track that is said to have `n_samples`.

    If it has fewer, which :func:`skgenre.audio.at_length` finds out afterwards, segments that lack
    samples are empty.
    """
    for start in starts:
        y = audio.read(start, start + segment_length)
        yield y if len(y) == min(segment_length, n_samples - start) else y[:0]


def long_segment_rows(
    front: Any, audio: AudioFile, compute: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Compute one row for each long segment of a track, reading one segment at a time.

    Parts of a segment without a signal are left out, see :func:`without_silence`.

    Parameters
    ----------
    front : FrontEnd
        Front end with the parameters `segment_duration`, `n_segments` and `placement`.
    audio : AudioFile
        The open file.
    compute : callable
        Function of the samples of a segment, which returns its row.

    Returns
    -------
    rows : float32 ndarray of shape (n_segments_found, n_frames, n_coefficients)
        The rows; NaN for segments without a signal.

    Raises
    ------
    AudioError
        If the track is shorter than 3 s.
    """
    length = round(front.segment_duration * audio.sample_rate)
    silent = np.full(front.track_shape[1:], np.nan, np.float32)

    def rows(segments: Iterable[np.ndarray]) -> np.ndarray:
        sounding = (without_silence(y, audio.sample_rate) for y in segments)
        return np.stack([compute(y) if len(y) else silent for y in sounding], dtype=np.float32)

    def spread_rows(n_samples: int) -> np.ndarray:
        _check_duration(audio, n_samples)
        n = max(1, min(n_samples // length, front.n_segments or n_samples))
        return rows(read_at(audio, _centered_starts(n_samples, length, n), length, n_samples))

    if front.placement == "spread":
        return at_length(audio, spread_rows)
    return rows(_consecutive(audio, length, front.n_segments))


def _consecutive(audio: AudioFile, length: int, n_segments: int | None) -> Iterator[np.ndarray]:
    """Read long segments from the start of a track."""
    for i in itertools.count() if n_segments is None else range(n_segments):
        y = audio.read(i * length, (i + 1) * length)
        if i == 0:
            _check_duration(audio, len(y))
        elif len(y) < length / 2:
            return
        yield y
        if len(y) < length:
            return


def _check_duration(audio: AudioFile, n_samples: int) -> None:
    if n_samples < round(MIN_DURATION * audio.sample_rate):
        raise AudioError(
            audio.name,
            f"{n_samples / audio.sample_rate:.2f} s of audio is too short; at least "
            f"{MIN_DURATION:.3g} s are needed",
        )


def without_silence(y: np.ndarray, sample_rate: int) -> np.ndarray:
    """Leave out the parts of a segment or track without a signal.

    All parts have equal lengths, of at least 3 s if `y` is as long. Pauses in music, which are
    shorter, are thus kept.
    """
    parts = np.array_split(y, max(1, int(len(y) / (MIN_DURATION * sample_rate))))
    kept = [part for part in parts if has_signal(part, sample_rate)]
    return y if len(kept) == len(parts) else np.concatenate([y[:0], *kept])
