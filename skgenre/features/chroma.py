"""Chromagram of a track whose tuning is estimated from the track."""

from __future__ import annotations

import numpy as np

from .filters import chroma_filters

#: Range in Hz of the peaks used to estimate the tuning.
_LOWEST, _HIGHEST = 150.0, 4000.0

#: Minimum height of a peak, relative to the maximum of its frame.
_THRESHOLD = 0.1

#: Number of histogram bins per semitone in the estimation of the tuning.
_RESOLUTION = 100


class Chroma:
    """Compute the chromagram of a track, with the tuning estimated from the whole track.

    The values equal those of ``librosa.feature.chroma_stft``. The power spectra of all frames are
    kept in memory, since the tuning is known only after the last frame.

    Parameters
    ----------
    n_frames : int
        Number of frames of the track.
    sample_rate : int
        Sample rate in Hz.
    n_fft : int
        Length of a frame in samples.
    """

    def __init__(self, n_frames: int, sample_rate: int, n_fft: int):
        self._sample_rate, self._n_fft = sample_rate, n_fft
        self._power = np.empty((n_frames, n_fft // 2 + 1), np.float32)
        self._peaks: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, rows: slice, power: np.ndarray) -> None:
        """Add the power spectra of some frames.

        Parameters
        ----------
        rows : slice
            Position of the frames in the track.
        power : float32 ndarray of shape (n_frames, n_fft // 2 + 1)
            Power spectra of the frames.
        """
        self._power[rows] = power
        self._peaks.append(peaks(power, self._sample_rate, self._n_fft))

    def compute(self) -> np.ndarray:
        """Compute the chromagram after all frames have been added.

        Returns
        -------
        chroma : float32 ndarray of shape (n_frames, 12)
            Normalized to a maximum of 1 in each frame; 0 in silent frames.
        """
        pitch, height = map(np.concatenate, zip(*self._peaks, strict=True))
        filters = chroma_filters(self._sample_rate, self._n_fft, tuning(pitch, height))
        chroma = self._power @ filters.T
        highest = chroma.max(axis=1, keepdims=True)
        highest[highest < np.finfo(np.float32).tiny] = 1
        return chroma / highest


def peaks(power: np.ndarray, sample_rate: int, n_fft: int) -> tuple[np.ndarray, np.ndarray]:
    """Find spectral peaks with parabolic interpolation, as ``librosa.piptrack`` does.

    Parameters
    ----------
    power : float32 ndarray of shape (n_frames, n_fft // 2 + 1)
        Power spectra.
    sample_rate, n_fft : int
        Sample rate in Hz and frame length in samples.

    Returns
    -------
    pitch : float32 ndarray of shape (n_peaks,)
        Frequencies of the peaks in Hz.
    height : float32 ndarray of shape (n_peaks,)
        Heights of the peaks, in the unit of `power`.
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
    """Estimate the tuning from the higher half of the peaks, like ``librosa.estimate_tuning``.

    Parameters
    ----------
    pitch, height : ndarray of shape (n_peaks,)
        Frequencies and heights of the peaks; see :func:`peaks`.

    Returns
    -------
    tuning : float
        Deviation from A = 440 Hz in semitones, from -0.5 to 0.5; 0 if there are no peaks.
    """
    if not len(pitch):
        return 0.0
    high = pitch[height >= np.median(height)]
    off = 12 * np.log2(high / 27.5) % 1
    off[off >= 0.5] -= 1
    counts, edges = np.histogram(off, np.linspace(-0.5, 0.5, _RESOLUTION + 1))
    return float(edges[counts.argmax()])
