"""Harmonic-percussive separation, some frames at a time.

The harmonic part of a signal with librosa's soft masks; the percussive part is the rest.
D. Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

#: Bins or frames that the median filters span.
_SIZE = 31

#: Frames beside a block that its medians depend on.
HALO = _SIZE // 2


def harmonic_mask(magnitude: np.ndarray) -> np.ndarray:
    """Share of each bin of each frame that is harmonic.

    Parameters
    ----------
    magnitude : float32 ndarray of shape (n_frames, n_bins)
        With :data:`HALO` frames more than are of use, but at the ends of the signal.

    Returns
    -------
    mask : float32 ndarray of shape (n_frames, n_bins)
    """
    median = _running_median()
    harmonic = median(np.ascontiguousarray(magnitude.T), _SIZE).T
    percussive = median(magnitude, _SIZE)
    # Relative to the larger, so that squares do not underflow.
    larger = np.maximum(harmonic, percussive)
    silent = larger < np.finfo(np.float32).tiny
    larger[silent] = 1
    harmonic = np.square(harmonic / larger)
    harmonic[silent] = 0.5
    percussive = np.square(percussive / larger)
    percussive[silent] = 0.5
    return harmonic / (harmonic + percussive)


@cache
def _running_median() -> Callable:
    """Compile the median filter on first use."""
    import numba

    try:
        return numba.njit(_median_of_lines, cache=True, nogil=True)
    except RuntimeError:  # there is no folder that it may write to
        return numba.njit(_median_of_lines, nogil=True)


def _median_of_lines(lines, size):
    """Median of the `size` values around each, along lines that are mirrored at their ends.

    ``scipy.ndimage.median_filter(lines, (1, size), mode="reflect")`` for odd sizes and finite
    values. The window is kept sorted; one step takes a value out and puts one in, which is a
    minimum and a maximum for each place of the window, without a branch, so that a few
    instructions do it.
    """
    n_lines, n = lines.shape
    half = size // 2
    out = np.empty_like(lines)
    padded = np.empty(n + size - 1, lines.dtype)
    window = np.empty(size + 2, lines.dtype)
    stepped = np.empty(size + 2, lines.dtype)
    for k in range(n_lines):
        for i in range(len(padded)):
            j = (i - half) % (2 * n)
            padded[i] = lines[k, j if j < n else 2 * n - 1 - j]
        window[0] = -np.inf
        window[1:-1] = np.sort(padded[:size])
        window[-1] = np.inf
        out[k, 0] = window[half + 1]
        for i in range(1, n):
            old = padded[i - 1]
            new = padded[i + size - 1]
            if new >= old:
                for j in range(1, size + 1):
                    here = window[j]
                    stepped[j] = here if here < old else min(max(here, new), window[j + 1])
            else:
                for j in range(1, size + 1):
                    here = window[j]
                    stepped[j] = here if here > old else max(min(here, new), window[j - 1])
            window[1:-1] = stepped[1:-1]
            out[k, i] = window[half + 1]
    return out


class Moments:
    """Mean and variance of values that come in parts.

    T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance",
    The American Statistician 37, 1983.
    """

    def __init__(self):
        self.n, self.mean, self._squares = 0, 0.0, 0.0

    def add(self, x: np.ndarray) -> None:
        """Count a part in."""
        if not len(x):
            return
        mean = x.mean(dtype=float)
        n, difference = self.n + len(x), mean - self.mean
        self._squares += x.var(dtype=float) * len(x) + difference**2 * self.n * len(x) / n
        self.mean += difference * len(x) / n
        self.n = n

    @property
    def variance(self) -> float:
        """Mean square difference from the mean."""
        return self._squares / self.n
