"""Tempo of a track from its onsets, in memory that does not grow with its length."""

from __future__ import annotations

import numpy as np

#: Seconds of the window in which librosa looks for a period.
_WINDOW = 8

#: Frames whose autocorrelations are in memory at once.
_BLOCK_FRAMES = 256


def tempo(onset: np.ndarray, sample_rate: int, hop_length: int) -> float:
    """Beats a minute: those of ``librosa.beat.beat_track``, without tracking the beats.

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
    import librosa

    if not onset.any():
        return 0.0
    length = _WINDOW * sample_rate // hop_length
    padded = np.pad(onset, length // 2, mode="linear_ramp", end_values=0)
    total = np.zeros((length, 1))
    for first in range(0, len(onset), _BLOCK_FRAMES):
        last = min(len(onset), first + _BLOCK_FRAMES)
        tempogram = librosa.feature.tempogram(
            onset_envelope=padded[first : last - 1 + length], win_length=length, center=False
        )
        total += tempogram.sum(axis=1, keepdims=True)
    mean = total / len(onset)
    return float(np.squeeze(librosa.feature.tempo(tg=mean, sr=sample_rate, hop_length=hop_length)))
