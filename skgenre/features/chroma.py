"""Chroma: the strength of the twelve pitch classes, and the tuning of a track.

Pitch classes start with C. Frames are the first axis. The values equal those of librosa 0.11.
"""

from __future__ import annotations

import numpy as np

#: Range in Hz of the peaks used to estimate the tuning.
_MIN_PITCH, _MAX_PITCH = 150.0, 4000.0

#: Minimum height of a peak, relative to the maximum of its frame.
_MIN_HEIGHT = 0.1

#: Number of histogram bins per semitone in the estimation of the tuning.
_BINS_PER_SEMITONE = 100


def chroma_filters(sample_rate: int, n_fft: int, tuning: float = 0.0) -> np.ndarray:
    """Compute a chroma filter bank for the twelve pitch classes, starting with C.

    The weight of a bin in a pitch class is a Gaussian of their distance on the octave circle, with
    the width of the bin. All weights are multiplied by a Gaussian of two octaves around 880 Hz
    (D. P. W. Ellis, "Chroma feature analysis and synthesis", 2007). The result equals that of
    ``librosa.filters.chroma``.

    Parameters
    ----------
    sample_rate : int
        Sample rate in Hz.
    n_fft : int
        Length of a frame in samples.
    tuning : float, default=0.0
        Deviation of the tuning from A = 440 Hz in semitones.

    Returns
    -------
    weights : float32 ndarray of shape (12, n_fft // 2 + 1)
        Weight of each bin of the spectrum in each pitch class.
    """
    frequencies = np.arange(1, n_fft) * (sample_rate / n_fft)
    # Semitones above A0 of each bin. The bin of 0 Hz is set 1.5 octaves below the next one.
    semitones = 12 * np.log2(frequencies / 27.5) - tuning
    semitones = np.concatenate([[semitones[0] - 18], semitones])
    width = np.concatenate([np.maximum(np.diff(semitones), 1), [1]])
    distance = (semitones - np.arange(12)[:, None] + 6) % 12 - 6
    weights = np.exp(-0.5 * (2 * distance / width) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    weights *= np.exp(-0.5 * ((semitones / 12 - 5) / 2) ** 2)
    return np.roll(weights, -3, axis=0)[:, : 1 + n_fft // 2].astype(np.float32)


def chromagram(power: np.ndarray, sample_rate: int, n_fft: int, tuning: float) -> np.ndarray:
    """Compute the chromagram of a track, like ``librosa.feature.chroma_stft``.

    Parameters
    ----------
    power : float32 ndarray of shape (n_frames, n_fft // 2 + 1)
        Power spectra.
    sample_rate, n_fft : int
        Sample rate in Hz and frame length in samples.
    tuning : float
        Deviation from A = 440 Hz in semitones; see :func:`estimate_tuning`.

    Returns
    -------
    chroma : float32 ndarray of shape (n_frames, 12)
        Normalized to a maximum of 1 in each frame; 0 in silent frames.
    """
    chroma = power @ chroma_filters(sample_rate, n_fft, tuning).T
    highest = chroma.max(axis=1, keepdims=True)
    highest[highest < np.finfo(np.float32).tiny] = 1
    return chroma / highest


def find_peaks(power: np.ndarray, sample_rate: int, n_fft: int) -> tuple[np.ndarray, np.ndarray]:
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
    first, last = np.searchsorted(frequency, [_MIN_PITCH, _MAX_PITCH])
    left, here, right = (power[:, first + i : last + i] for i in (-1, 0, 1))
    floor = np.float32(_MIN_HEIGHT) * power.max(axis=1, keepdims=True)
    found = np.nonzero((here > floor) & (here > left) & (here >= right))
    left, here, right = (x[found].astype(float) for x in (left, here, right))
    slope = (right - left) / 2
    shift = slope / (2 * here - left - right)
    pitch = (first + found[1] + shift) * (sample_rate / n_fft)
    return pitch.astype(np.float32), (here + slope * shift / 2).astype(np.float32)


def estimate_tuning(pitch: np.ndarray, height: np.ndarray) -> float:
    """Estimate the tuning from the higher half of the peaks, like ``librosa.estimate_tuning``.

    Parameters
    ----------
    pitch, height : ndarray of shape (n_peaks,)
        Frequencies and heights of the peaks; see :func:`find_peaks`.

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
    counts, edges = np.histogram(off, np.linspace(-0.5, 0.5, _BINS_PER_SEMITONE + 1))
    return float(edges[counts.argmax()])
