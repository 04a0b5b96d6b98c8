"""Chroma of a track whose tuning is found first, from spectra that come in blocks."""

from __future__ import annotations

import numpy as np

from .filters import chroma_filters

#: Hz between which peaks determine the tuning.
_LOWEST, _HIGHEST = 150.0, 4000.0

#: Share of a frame's maximum that peaks exceed.
_THRESHOLD = 0.1

#: Steps of a semitone in which the tuning is found.
_RESOLUTION = 100


class Chroma:
    """Chroma of each frame, tuned as the whole track is.

    The numbers are those of ``librosa.feature.chroma_stft``. The power spectra of all frames are
    kept, since the tuning is known at the end.

    Parameters
    ----------
    n_frames : int
    sample_rate : int
        In Hz.
    n_fft : int
        Length of a frame in samples.
    """

    def __init__(self, n_frames: int, sample_rate: int, n_fft: int):
        self._sample_rate, self._n_fft = sample_rate, n_fft
        self._power = np.empty((n_frames, n_fft // 2 + 1), np.float32)
        self._peaks: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, rows: slice, power: np.ndarray) -> None:
        """Count in some frames.

        Parameters
        ----------
        rows : slice
        power : float32 ndarray of shape (n_frames, n_fft // 2 + 1)
        """
        self._power[rows] = power
        self._peaks.append(peaks(power, self._sample_rate, self._n_fft))

    def compute(self) -> np.ndarray:
        """Compute the chroma, once all frames are there.

        Returns
        -------
        chroma : float32 ndarray of shape (n_frames, 12)
            The highest of each frame is 1; all are 0 in silence.
        """
        pitch, height = map(np.concatenate, zip(*self._peaks, strict=True))
        filters = chroma_filters(self._sample_rate, self._n_fft, tuning(pitch, height))
        chroma = self._power @ filters.T
        highest = chroma.max(axis=1, keepdims=True)
        highest[highest < np.finfo(np.float32).tiny] = 1
        return chroma / highest


def peaks(power: np.ndarray, sample_rate: int, n_fft: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the peaks of spectra, between the bins by parabolas, as ``librosa.piptrack`` does.

    Parameters
    ----------
    power : float32 ndarray of shape (n_frames, n_fft // 2 + 1)
    sample_rate, n_fft : int

    Returns
    -------
    pitch : float32 ndarray of shape (n_peaks,)
        In Hz.
    height : float32 ndarray of shape (n_peaks,)
        In the units of `power`.
    """
    frequency = np.arange(power.shape[1]) * (sample_rate / n_fft)
    first, last = np.searchsorted(frequency, [_LOWEST, _HIGHEST])
    left, here, right = (power[:, first + i : last + i] for i in (-1, 0, 1))
    floor = np.float32(_THRESHOLD) * power.max(axis=1, keepdims=True)
    found = np.nonzero((here > floor) & (here > left) & (here >= right))
    left, here, right = (x[found].astype(float) for x in (left, here, right))
    slope = (right - left) / 2
    shift = slope / (2 * here - left - right)
    pitch = (first + found[1] + shift) * (sample_rate / n_fft)
    return pitch.astype(np.float32), (here + slope * shift / 2).astype(np.float32)


def tuning(pitch: np.ndarray, height: np.ndarray) -> float:
    """Tuning of the higher half of peaks, as ``librosa.estimate_tuning`` finds it.

    Parameters
    ----------
    pitch, height : ndarray of shape (n_peaks,)
        See :func:`peaks`.

    Returns
    -------
    tuning : float
        Semitones above A = 440 Hz, from -0.5 to 0.5; 0 if there are no peaks.
    """
    if not len(pitch):
        return 0.0
    high = pitch[height >= np.median(height)]
    off = 12 * np.log2(high / 27.5) % 1
    off[off >= 0.5] -= 1
    counts, edges = np.histogram(off, np.linspace(-0.5, 0.5, _RESOLUTION + 1))
    return float(edges[counts.argmax()])
