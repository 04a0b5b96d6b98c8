"""Mel and chroma filter banks."""

from __future__ import annotations

from numbers import Real

import numpy as np

#: Number of mel bands summed at a time.
_BLOCK_BANDS = 8


#: Slaney's mel scale: mels at 1 kHz, and the logarithmic step per mel above it.
_LINEAR_MELS, _STEP = 15.0, np.log(6.4) / 27


def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float = 0.0, fmax: float | None = None
) -> np.ndarray:
    """Compute a mel filter bank of triangular filters with equal areas.

    The mel scale is that of Slaney's Auditory Toolbox (1998): linear below 1 kHz, with 200/3 Hz
    per mel, and logarithmic above, with 27 mels per factor of 6.4. The result equals that of
    ``librosa.filters.mel``, without the half second needed to import it.

    Parameters
    ----------
    sample_rate : int
        Sample rate in Hz.
    n_fft : int
        Length of a frame in samples.
    n_mels : int
        Number of mel bands.
    fmin : float, default=0.0
        Lowest frequency of the mel bands in Hz.
    fmax : float, default=None
        Highest frequency of the mel bands in Hz. If None, half of `sample_rate`.

    Returns
    -------
    weights : float32 ndarray of shape (n_mels, n_fft // 2 + 1)
        Weight of each bin of the spectrum in each mel band.

    Examples
    --------
    >>> from skgenre.mfcc import mel_filters
    >>> mel_filters(sample_rate=22050, n_fft=2048, n_mels=128).shape
    (128, 1025)
    """
    mels = np.linspace(_mels(fmin), _mels(sample_rate / 2 if fmax is None else fmax), n_mels + 2)
    edges = np.where(
        mels < _LINEAR_MELS, mels * 200 / 3, 1000 * np.exp(_STEP * (mels - _LINEAR_MELS))
    )
    bins = np.arange(1 + n_fft // 2) * (sample_rate / n_fft)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    height = 2 / (edges[2:] - edges[:-2])
    return (np.maximum(0, np.minimum(rising, falling)) * height[:, None]).astype(np.float32)


def _mels(frequency: float) -> float:
    if frequency < 1000:
        return frequency * 3 / 200
    return _LINEAR_MELS + np.log(frequency / 1000) / _STEP


def check_band_limits(sample_rate: int, fmin: float, fmax: float | None) -> None:
    """Raise ValueError if the mel bands are empty or exceed half the sample rate."""
    highest = sample_rate / 2
    top = highest if fmax is None else fmax
    if not (isinstance(fmin, Real) and isinstance(top, Real) and 0 <= fmin < top <= highest):
        raise ValueError(
            f"mel bands must satisfy 0 <= fmin < fmax <= {highest:g} Hz, half of "
            f"sample_rate={sample_rate}; got fmin={fmin!r} and fmax={fmax!r}. Higher bands require "
            "a higher sample_rate"
        )


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


def band_blocks(filters: np.ndarray, size: int = _BLOCK_BANDS) -> tuple:
    """Split a filter bank into blocks of bands, each restricted to the bins that it spans.

    Parameters
    ----------
    filters : ndarray of shape (n_bands, n_fft // 2 + 1)
        Filter bank, in which most weights are zero.
    size : int, default=8
        Number of bands per block. Use the number of bands for a filter bank without zeros.

    Returns
    -------
    blocks : tuple of (parts, bands, weights)
        ``parts`` is a slice of the interleaved real and imaginary parts of a spectrum, ``bands`` a
        slice of the bands, and ``weights`` a read-only array of shape (n_parts, n_bands).
    """
    blocks = []
    for start in range(0, len(filters), size):
        block = filters[start : start + size]
        [used] = np.nonzero(block.any(axis=0))
        first, last = (used[0], used[-1] + 1) if len(used) else (0, 0)
        weights = np.ascontiguousarray(np.repeat(block[:, first:last], 2, axis=1).T, np.float32)
        weights.flags.writeable = False
        blocks.append((slice(2 * first, 2 * last), slice(start, start + len(block)), weights))
    return tuple(blocks)
