"""Filter banks over the bins of a spectrum: mel bands and pitch classes."""

from __future__ import annotations

from numbers import Real

import numpy as np

#: Mel bands summed at once.
_BLOCK_BANDS = 8


#: Slaney's mel scale: mels at 1 kHz, and the logarithm of a factor of frequency a mel above it.
_LINEAR_MELS, _STEP = 15.0, np.log(6.4) / 27


def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float = 0.0, fmax: float | None = None
) -> np.ndarray:
    """Weights of the bins of a spectrum in each mel band: triangles of equal area.

    The scale is that of Slaney's Auditory Toolbox (1998): linear below 1 kHz, 200/3 Hz a mel,
    and above it logarithmic, 27 mels for each factor of 6.4. The same as
    ``librosa.filters.mel``, without the half second that importing it takes.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_fft : int
        Length of a frame in samples.
    n_mels : int
        Number of bands.
    fmin, fmax : float, default=0.0, None
        Where the lowest band begins and the highest ends, in Hz; None for `fmax` is half of
        `sample_rate`.

    Returns
    -------
    weights : float32 ndarray of shape (n_mels, n_fft // 2 + 1)
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
    """Raise a ValueError for mel bands without width, or beyond half the sample rate."""
    highest = sample_rate / 2
    top = highest if fmax is None else fmax
    if not (isinstance(fmin, Real) and isinstance(top, Real) and 0 <= fmin < top <= highest):
        raise ValueError(
            f"mel bands cannot reach from fmin={fmin!r} to fmax={fmax!r}; choose 0 <= fmin < fmax "
            f"<= {highest:g} Hz, half of sample_rate={sample_rate}, or a higher sample_rate"
        )


def chroma_filters(sample_rate: int, n_fft: int, tuning: float = 0.0) -> np.ndarray:
    """Weights of the bins of a spectrum in each of the twelve pitch classes, C first.

    A bin counts for each pitch class by a Gaussian of their distance on the circle of an octave,
    as wide as the bin, and for all by a Gaussian of two octaves around 880 Hz (D. P. W. Ellis,
    "Chroma feature analysis and synthesis", 2007). The same as ``librosa.filters.chroma``.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_fft : int
        Length of a frame in samples.
    tuning : float, default=0.0
        Semitones by which the music is tuned above A = 440 Hz.

    Returns
    -------
    weights : float32 ndarray of shape (12, n_fft // 2 + 1)
    """
    frequencies = np.arange(1, n_fft) * (sample_rate / n_fft)
    # Semitones above A0 of every bin; the bin of 0 Hz lies an octave and a half below the next.
    semitones = 12 * np.log2(frequencies / 27.5) - tuning
    semitones = np.concatenate([[semitones[0] - 18], semitones])
    width = np.concatenate([np.maximum(np.diff(semitones), 1), [1]])
    distance = (semitones - np.arange(12)[:, None] + 6) % 12 - 6
    weights = np.exp(-0.5 * (2 * distance / width) ** 2)
    weights /= np.linalg.norm(weights, axis=0)
    weights *= np.exp(-0.5 * ((semitones / 12 - 5) / 2) ** 2)
    return np.roll(weights, -3, axis=0)[:, : 1 + n_fft // 2].astype(np.float32)


def band_blocks(filters: np.ndarray, size: int = _BLOCK_BANDS) -> tuple:
    """Cut a filter bank into blocks of bands, each with the bins that it spans.

    Parameters
    ----------
    filters : ndarray of shape (n_bands, n_fft // 2 + 1)
        Mostly zeros.
    size : int
        Bands of a block; of a bank without zeros, all.

    Returns
    -------
    blocks : tuple of (parts, bands, weights)
        ``parts`` slices the real and imaginary parts of a spectrum, ``bands`` the bands, and
        ``weights`` is a read-only array between the two.
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
