"""Estimation of the tempo of a track, with memory independent of its length."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

#: Length of the autocorrelation window in seconds.
_WINDOW = 8

#: Center of the prior on the tempo, and maximum tempo, in beats per minute.
_CENTER, _MAXIMUM = 120.0, 320.0

#: Number of frames processed at a time.
_BLOCK_FRAMES = 256


def tempo(onset: np.ndarray, sample_rate: int, hop_length: int) -> float:
    """Estimate the tempo in beats per minute, like ``librosa.beat.beat_track``.

    The tempo maximizes the autocorrelation of the onset strength, averaged over the track, weighted
    by a prior centered on 120 beats per minute. Beats are not tracked.

    Parameters
    ----------
    onset : ndarray of shape (n_frames,)
        Onset strength of each frame.
    sample_rate, hop_length : int
        Sample rate in Hz and hop in samples.

    Returns
    -------
    tempo : float
        Tempo in beats per minute; 0 if there are no onsets.

    References
    ----------
    D. P. W. Ellis, "Beat tracking by dynamic programming", Journal of New Music Research 36(1),
    2007.
    """
    if not onset.any():
        return 0.0
    length = _WINDOW * sample_rate // hop_length
    correlation = np.log1p(1e6 * _autocorrelation(onset, length)[1:])
    beats = 60.0 * sample_rate / (hop_length * np.arange(1, length))
    preference = np.where(beats < _MAXIMUM, -0.5 * np.log2(beats / _CENTER) ** 2, -np.inf)
    return float(beats[np.argmax(correlation + preference)])


def _autocorrelation(onset: np.ndarray, length: int) -> np.ndarray:
    """Average the autocorrelations of windows around all frames, each scaled to a maximum of 1."""
    padded = np.pad(onset.astype(float), length // 2, mode="linear_ramp", end_values=0)
    window = np.hanning(length + 1)[:-1]
    n = scipy.fft.next_fast_len(2 * length - 1, real=True)  # pad for a linear autocorrelation
    total = np.zeros(length)
    for first in range(0, len(onset), _BLOCK_FRAMES):
        last = min(len(onset), first + _BLOCK_FRAMES)
        parts = sliding_window_view(padded[first : last - 1 + length], length) * window
        power = np.abs(scipy.fft.rfft(parts, n)) ** 2
        correlation = scipy.fft.irfft(power, n)[:, :length]
        highest = np.abs(correlation).max(axis=1, keepdims=True)
        highest[highest < np.finfo(float).tiny] = 1
        total += (correlation / highest).sum(axis=0)
    return total / len(onset)
