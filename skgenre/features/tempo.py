"""Tempo of a track from its onsets, in memory that does not grow with its length."""

from __future__ import annotations

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

#: Seconds of the window in which a period is looked for.
_WINDOW = 8

#: Beats a minute that are likeliest, and those that none exceeds.
_LIKELIEST, _MOST = 120.0, 320.0

#: Frames whose autocorrelations are in memory at once.
_BLOCK_FRAMES = 256


def tempo(onset: np.ndarray, sample_rate: int, hop_length: int) -> float:
    """Beats a minute: those of ``librosa.beat.beat_track``, without tracking the beats.

    The period at which the autocorrelation of the onsets, averaged over the track, is highest, if
    one of 120 beats a minute is preferred (D. P. W. Ellis, "Beat tracking by dynamic
    programming", Journal of New Music Research 36(1), 2007).

    Parameters
    ----------
    onset : ndarray of shape (n_frames,)
        Strength of the onset at each frame.
    sample_rate, hop_length : int

    Returns
    -------
    tempo : float
        0 if there are no onsets.
    """
    if not onset.any():
        return 0.0
    length = _WINDOW * sample_rate // hop_length
    correlation = np.log1p(1e6 * _autocorrelation(onset, length)[1:])
    beats = 60.0 * sample_rate / (hop_length * np.arange(1, length))
    preference = np.where(beats < _MOST, -0.5 * np.log2(beats / _LIKELIEST) ** 2, -np.inf)
    return float(beats[np.argmax(correlation + preference)])


def _autocorrelation(onset: np.ndarray, length: int) -> np.ndarray:
    """Autocorrelation of the windows around all frames, each scaled to a maximum of 1, averaged."""
    padded = np.pad(onset.astype(float), length // 2, mode="linear_ramp", end_values=0)
    window = np.hanning(length + 1)[:-1]
    n = scipy.fft.next_fast_len(2 * length - 1, real=True)  # so that it is not circular
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
