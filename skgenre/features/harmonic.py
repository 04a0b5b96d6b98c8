"""Harmonic-percussive separation in blocks of frames.

The harmonic component is computed with the soft masks of librosa; the percussive component is the
remainder. Reference: D. Fitzgerald, "Harmonic/percussive separation using median filtering",
DAFx 2010.
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from scipy.ndimage import median_filter

from .spectra import hann

#: Number of frames before and after a frame, or bins around a bin, that its median depends on.
_HALO = 15

#: Minimum number of frames separated at a time.
_BLOCK_FRAMES = 256


class Separation:
    """Compute moments of the harmonic and percussive components of a signal.

    Spectra are added in blocks, and only those within reach of the median filters are kept.

    Parameters
    ----------
    y : float32 ndarray of shape (n_samples,)
        Samples of the signal.
    n_fft, hop_length : int
        Frame length and hop of the spectra in samples. A frame must contain an even number of hops.

    Attributes
    ----------
    harmonic, percussive : Moments
        Moments of the components, valid after all spectra have been added.
    """

    def __init__(self, y: np.ndarray, n_fft: int, hop_length: int):
        self.harmonic, self.percussive = Moments(), Moments()
        self._y, self._n_fft, self._hop_length = y, n_fft, hop_length
        self._n_frames = 1 + len(y) // hop_length
        #: Frames before and after a frame that overlap the hop starting at its center.
        self._around = n_fft // (2 * hop_length)
        #: `_blocks` contains frames `_begin` to `_end`. Samples before the center of frame `_first`
        #: are finished.
        self._blocks: list[np.ndarray] = []
        self._begin = self._first = self._end = 0

    def add(self, spectrum: np.ndarray) -> None:
        """Add the spectra of the next frames.

        Parameters
        ----------
        spectrum : complex64 ndarray of shape (n_frames, n_fft // 2 + 1)
            Spectra of the frames.
        """
        self._blocks.append(spectrum)
        self._end += len(spectrum)
        last = self._end - self._around - _HALO
        if self._end == self._n_frames:
            self._separate(self._end)
        elif last >= self._first + _BLOCK_FRAMES:
            self._separate(last)

    def _separate(self, last: int) -> None:
        """Process the samples up to the center of frame `last`, or to the end of the signal."""
        spectra = np.concatenate(self._blocks)
        around = max(0, self._first - self._around)
        rows = slice(around - self._begin, last + self._around - self._begin)
        mask = harmonic_mask(np.abs(spectra))[rows]
        signal = overlap_add(spectra[rows] * mask, self._n_fft, self._hop_length)
        y = self._y[self._first * self._hop_length : last * self._hop_length]
        harmonic = signal[(self._first - around) * self._hop_length :][: len(y)]
        self.harmonic.add(harmonic)
        # The masks add up to 1, so the components add up to the signal.
        self.percussive.add(y - harmonic)
        begin = max(0, last - self._around - _HALO)
        self._blocks = [spectra[begin - self._begin :]]
        self._begin, self._first = begin, last


def overlap_add(spectrum: np.ndarray, n_fft: int, hop_length: int) -> np.ndarray:
    """Invert an STFT like ``librosa.istft``.

    Parameters
    ----------
    spectrum : complex64 ndarray of shape (n_frames, n_fft // 2 + 1)
        Spectra of consecutive frames.
    n_fft, hop_length : int
        Frame length and hop in samples. A frame must contain an even number of hops.

    Returns
    -------
    y : float32 ndarray of shape (n_samples,)
        Samples from the center of the first frame to the end of the last.
    """
    window = hann(n_fft)
    frames = scipy.fft.irfft(spectrum, n_fft, overwrite_x=True) * window
    n, n_hops = len(frames), n_fft // hop_length
    total = np.zeros((n + n_hops - 1, hop_length), np.float32)
    weight = np.zeros_like(total)
    hops = np.square(window).reshape(n_hops, hop_length)
    for i, parts in enumerate(np.split(frames, n_hops, axis=1)):
        total[i : i + n] += parts
        weight[i : i + n] += hops[i]
    return (total[n_hops // 2 :] / weight[n_hops // 2 :]).ravel()


def harmonic_mask(magnitude: np.ndarray) -> np.ndarray:
    """Compute the soft mask of the harmonic component.

    Parameters
    ----------
    magnitude : float32 ndarray of shape (n_frames, n_bins)
        Magnitude spectra. Except at the ends of the signal, the masks of the first and last 15
        frames are not valid, because their medians depend on further frames.

    Returns
    -------
    mask : float32 ndarray of shape (n_frames, n_bins)
        Harmonic proportion of each bin, between 0 and 1.
    """
    harmonic = running_median(magnitude.T).T
    percussive = running_median(magnitude)
    # Divide by the larger value, so that squares do not underflow.
    larger = np.maximum(harmonic, percussive)
    silent = larger < np.finfo(np.float32).tiny
    larger[silent] = 1
    harmonic = np.square(harmonic / larger)
    harmonic[silent] = 0.5
    percussive = np.square(percussive / larger)
    percussive[silent] = 0.5
    return harmonic / (harmonic + percussive)


def running_median(x: np.ndarray) -> np.ndarray:
    """Compute the median of the 31 values around each value along the last axis.

    The ends are extended by reflection. SciPy's filter of a single line is many times as fast as
    its filter of an array, so all lines are filtered as one.

    Parameters
    ----------
    x : float32 ndarray of shape (n_lines, n)
        Values, which must be finite.

    Returns
    -------
    medians : float32 ndarray of shape (n_lines, n)
        The medians.
    """
    padded = np.pad(x, ((0, 0), (_HALO, _HALO)), mode="symmetric")
    medians = median_filter(padded.ravel(), 2 * _HALO + 1)
    return medians.reshape(padded.shape)[:, _HALO:-_HALO]


class Moments:
    """Mean and variance of values that are added in parts.

    T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for computing the sample variance",
    The American Statistician 37, 1983.
    """

    def __init__(self):
        self.n, self.mean, self._squares = 0, 0.0, 0.0

    def add(self, x: np.ndarray) -> None:
        """Add some values."""
        if not len(x):
            return
        mean = x.mean(dtype=float)
        n, difference = self.n + len(x), mean - self.mean
        self._squares += x.var(dtype=float) * len(x) + difference**2 * self.n * len(x) / n
        self.mean += difference * len(x) / n
        self.n = n

    @property
    def variance(self) -> float:
        """Population variance of the values."""
        return self._squares / self.n
