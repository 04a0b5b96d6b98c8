"""Where the segments and windows of a track lie."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..audio import AudioError, AudioFile

#: Shortest track in seconds that is a window.
SHORTEST = 3.0


def n_segment_frames(segment_length: int, hop_length: int) -> int:
    """Frames of a segment of so many samples: 130 for 66,150 samples and a hop of 512."""
    return 1 + segment_length // hop_length


def check_hop(segment_length: int, hop_length: int) -> None:
    """Raise a ValueError for a hop over a whole segment, whose samples would not matter."""
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
    """Choose where the segments of a track begin.

    A segment counts if it yields all of its frames, so the last may lack a few samples: up
    to what the segment has beyond a whole number of hops (102 for 66,150 and 512).

    Parameters
    ----------
    n_samples : int
        Length of the track.
    segment_length, hop_length : int
        In samples.
    n_segments : int or None
        The most to take; None takes all that there are.
    placement : {"start", "spread"}
        One after the other from the start, or each in the middle of an equal part of the
        track.

    Returns
    -------
    starts : int ndarray of shape (n_segments_found,)

    Raises
    ------
    ValueError
        If `hop_length` is more than `segment_length`: a segment would need no samples.
    """
    check_hop(segment_length, hop_length)
    needed = segment_length - segment_length % hop_length
    n = (n_samples - needed) // segment_length + 1 if n_samples >= needed else 0
    if n_segments is not None:
        n = min(n, n_segments)
    if placement == "start" or n == 0:
        return np.arange(n) * segment_length
    # Centres at (i + 1/2) n_samples / n, in integers, so that no rounding moves a segment.
    return np.maximum(0, ((2 * np.arange(n) + 1) * n_samples - n * segment_length) // (2 * n))


def windows(n_samples: int, window_length: int) -> list[tuple[int, int]]:
    """Start and stop of consecutive windows of a track.

    A shorter track is one window of its own length, and a last window counts if at least half
    of it is there.
    """
    n = max(1, (n_samples + window_length // 2) // window_length)
    return [(i * window_length, min((i + 1) * window_length, n_samples)) for i in range(n)]


def read_windows(
    audio: AudioFile, window: float, n_windows: int | None = None, shortest: float = SHORTEST
) -> Iterator[np.ndarray]:
    """Read a track a window at a time.

    Parameters
    ----------
    audio : AudioFile
    window : float
        Length of a window in seconds; see :func:`windows` for shorter tracks and last windows.
    n_windows : int or None, default=None
        The most windows to take, from the start; None takes all.
    shortest : float, default=SHORTEST
        Least length of a track in seconds.

    Yields
    ------
    y : float32 ndarray of shape (n_samples,)
        Samples of one window.

    Raises
    ------
    AudioError
        If the track is shorter than `shortest`.
    """
    length = round(window * audio.sample_rate)
    for start, stop in windows(audio.n_samples, length)[:n_windows]:
        y = audio.read(start, stop)
        # The header may promise more than there is: what counts is what was read.
        if start == 0 and len(y) < round(shortest * audio.sample_rate):
            raise AudioError(
                audio.name,
                f"{len(y) / audio.sample_rate:.2f} s of audio is too short; at least "
                f"{shortest:.3g} s are needed",
            )
        if start > 0 and len(y) < length / 2:
            return
        yield y
