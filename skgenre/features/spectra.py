"""Spectra of samples in memory: STFT, decibels, filter banks of mel bands and chroma, pitch.

Frames are centered on multiples of the hop with zero padding, and the window is a periodic Hann
window, as in ``librosa.stft``. In all arrays, frames are the first axis. Samples are float32, where
full scale is 1; frequencies are in Hz. The twelve pitch classes of chroma start with C. The values
equal those of librosa 0.11, whichever version is installed; librosa is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from numbers import Real
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from .._warnings import warn
from ..audio import why_too_large
from .segments import n_segment_frames

#: Level below the maximum at which levels are clipped, in dB.
TOP_DB = 80.0

#: Minimum power, as in ``librosa.power_to_db``.
MIN_POWER = 1e-10

#: Number of frames processed at a time: those of a 3-second segment, which take 2 MB. Smaller
#: blocks are as fast in a single thread, but threads then contend for the interpreter lock.
_BLOCK_FRAMES = 132

#: Number of frames per block of the STFT of a whole signal, in float64; they fit the CPU cache.
_STFT_FRAMES = 32

#: Number of mel bands summed at a time.
_BLOCK_BANDS = 8

#: Range in Hz of the peaks used to estimate the tuning.
_MIN_PITCH, _MAX_PITCH = 150.0, 4000.0

#: Minimum height of a peak, relative to the maximum of its frame.
_MIN_HEIGHT = 0.1

#: Number of histogram bins per semitone in the estimation of the tuning.
_BINS_PER_SEMITONE = 100

#: Slaney's mel scale: mels at 1 kHz, and the logarithmic step per mel above it.
_LINEAR_MELS, _MEL_STEP = 15.0, np.log(6.4) / 27


def check_samples(y, name: str = "y", min_length: int = 1) -> np.ndarray:
    """Validate mono samples passed by the user, and return them as float32.

    Raises
    ------
    TypeError
        If the samples are not floats.
    ValueError
        If `y` is not one-dimensional, is shorter than `min_length`, or contains values that are
        not finite or larger than 16, where full scale is 1.
    """
    y = np.asarray(y)
    if y.dtype.kind != "f":
        raise TypeError(
            f"{name} has dtype {y.dtype}: samples must be floats, where full scale is 1; for "
            "int16, use y / 32768"
        )
    if y.ndim != 1 or len(y) < min_length:
        least = "not empty" if min_length == 1 else f"at least {min_length}"
        raise ValueError(
            f"{name} must be mono samples of shape (n_samples,), {least}; got shape {y.shape}"
        )
    if not np.isfinite([y.min(), y.max()]).all():
        raise ValueError(f"{name} contains NaN or infinite samples")
    if (reason := why_too_large(y)) is not None:
        raise ValueError(f"{name} {reason}")
    return np.ascontiguousarray(y, dtype=np.float32)


# ---------------------------------------------------------------- transforms


@lru_cache(maxsize=16)
def hann(n_fft: int) -> np.ndarray:
    """Return a periodic Hann window in float32, which is read-only."""
    return _read_only(_hann(n_fft).astype(np.float32))


def _hann(n_fft: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)


def _read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def stft_blocks(
    y: np.ndarray, *, n_fft: int, hop_length: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Compute the short-time Fourier transform of a signal in blocks, like ``librosa.stft``.

    The transform is computed in float64, so that bins far below the maximum of a frame are
    accurate.

    Parameters
    ----------
    y : float32 ndarray of shape (n_samples,)
        Samples.
    n_fft, hop_length : int
        Frame length and hop in samples.

    Yields
    ------
    rows : slice
        Position of the frames of the block.
    spectrum : complex64 ndarray of shape (n_frames_of_block, n_fft // 2 + 1)
        Spectra, in C order.
    """
    window = _hann(n_fft)
    frames = sliding_window_view(np.pad(y, n_fft // 2), n_fft)[::hop_length]
    n_frames = n_segment_frames(len(y), hop_length)
    for start in range(0, n_frames, _STFT_FRAMES):
        rows = slice(start, min(n_frames, start + _STFT_FRAMES))
        yield rows, scipy.fft.rfft(frames[rows] * window).astype(np.complex64)


def band_powers(y: np.ndarray, *banks: FilterBank, n_fft: int, hop_length: int) -> list[np.ndarray]:
    """Sum the power spectra of a signal over the bands of filter banks, using one STFT for all.

    Parameters
    ----------
    y : float32 ndarray of shape (n_samples,)
        Samples.
    *banks : FilterBank
        Filter banks.
    n_fft, hop_length : int
        Frame length and hop in samples.

    Returns
    -------
    powers : list of float32 ndarray of shape (n_frames, n_bands)
        Powers for each filter bank.
    """
    window = hann(n_fft)
    n_frames = n_segment_frames(len(y), hop_length)
    # Long enough for the last frame, which may be centered on the last sample.
    padded = np.zeros(n_frames * hop_length + 2 * n_fft, np.float32)
    padded[n_fft // 2 : n_fft // 2 + len(y)] = y
    frames = sliding_window_view(padded, n_fft)[::hop_length]
    windowed = np.empty((min(n_frames, _BLOCK_FRAMES), n_fft), np.float32)
    powers = [np.empty((n_frames, bank.n_bands), np.float32) for bank in banks]
    for start in range(0, n_frames, _BLOCK_FRAMES):
        n = min(_BLOCK_FRAMES, n_frames - start)
        np.multiply(frames[start : start + n], window, out=windowed[:n])
        squares = scipy.fft.rfft(windowed[:n], overwrite_x=True).view(np.float32)
        np.square(squares, out=squares)
        for bank, power in zip(banks, powers, strict=True):
            sum_bands(squares, bank, power[start : start + n])
    return powers


def to_decibels(level: np.ndarray, top_db: float = TOP_DB) -> np.ndarray:
    """Convert powers to dB in place, clipped `top_db` below the maximum."""
    np.maximum(level, MIN_POWER, out=level)
    # np.log uses SIMD instructions, np.log10 does not.
    np.log(level, out=level)
    level *= np.float32(10 / np.log(10))
    return np.maximum(level, level.max() - top_db, out=level)


@lru_cache(maxsize=16)
def dct_basis(n_mfcc: int, n_mels: int) -> np.ndarray:
    """Return the basis of the orthonormal DCT-II, of shape (n_mels, n_mfcc), which is read-only.

    It is float64, since float32 sums of 128 levels near -100 dB have errors of 1e-3.
    """
    basis = scipy.fft.dct(np.eye(n_mels), axis=0, norm="ortho")[:n_mfcc]
    return _read_only(np.ascontiguousarray(basis.T))


# ---------------------------------------------------------------- filter banks


class FilterBank(NamedTuple):
    """A filter bank without most of its zeros, split into blocks of bands.

    The power of a spectrum is the sum of the squares of its interleaved real and imaginary parts.
    Since both have the same weight, they need not be added first.

    Attributes
    ----------
    n_bands : int
        Number of bands.
    blocks : list of (parts, bands, weights)
        ``parts`` is a slice of the real and imaginary parts that the bands span, ``bands`` a slice
        of the bands, and ``weights`` a read-only array of shape (n_parts, n_bands).
    """

    n_bands: int
    blocks: list[tuple[slice, slice, np.ndarray]]


def filter_bank(weights: np.ndarray, block_size: int = _BLOCK_BANDS) -> FilterBank:
    """Create a filter bank from an array of shape (n_bands, n_fft // 2 + 1).

    Use the number of bands as `block_size` for weights without zeros.
    """
    blocks = []
    for start in range(0, len(weights), block_size):
        block = weights[start : start + block_size]
        [used] = np.nonzero(block.any(axis=0))
        first, last = (used[0], used[-1] + 1) if len(used) else (0, 0)
        of_parts = np.repeat(block[:, first:last], 2, axis=1).T
        of_parts = _read_only(np.ascontiguousarray(of_parts, np.float32))
        blocks.append((slice(2 * first, 2 * last), slice(start, start + len(block)), of_parts))
    return FilterBank(len(weights), blocks)


def sum_bands(squares: np.ndarray, bank: FilterBank, out: np.ndarray) -> None:
    """Sum the power of spectra over the bands of a filter bank.

    Parameters
    ----------
    squares : float32 ndarray of shape (n_frames, n_fft + 2)
        Squares of the interleaved real and imaginary parts.
    bank : FilterBank
        Filter bank.
    out : float32 ndarray of shape (n_frames, n_bands)
        Array for the result.
    """
    for parts, bands, weights in bank.blocks:
        np.matmul(squares[:, parts], weights, out=out[:, bands])


@lru_cache(maxsize=16)
def mel_bank(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float = 0.0, fmax: float | None = None
) -> FilterBank:
    """Return the filter bank of :func:`mel_filters`."""
    return filter_bank(mel_filters(sample_rate, n_fft, n_mels, fmin, fmax))


def mel_filters(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float = 0.0, fmax: float | None = None
) -> np.ndarray:
    """Compute triangular mel filters with equal areas, like ``librosa.filters.mel``.

    The mel scale is that of Slaney's Auditory Toolbox (1998): linear below 1 kHz, with 200/3 Hz
    per mel, and logarithmic above, with 27 mels per factor of 6.4.

    Returns
    -------
    weights : float32 ndarray of shape (n_mels, n_fft // 2 + 1)
        Weight of each bin of the spectrum in each mel band.
    """
    mels = np.linspace(_mels(fmin), _mels(sample_rate / 2 if fmax is None else fmax), n_mels + 2)
    edges = np.where(
        mels < _LINEAR_MELS, mels * 200 / 3, 1000 * np.exp(_MEL_STEP * (mels - _LINEAR_MELS))
    )
    bins = np.arange(1 + n_fft // 2) * (sample_rate / n_fft)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    height = 2 / (edges[2:] - edges[:-2])
    return (np.maximum(0, np.minimum(rising, falling)) * height[:, None]).astype(np.float32)


def _mels(frequency: float) -> float:
    if frequency < 1000:
        return frequency * 3 / 200
    return _LINEAR_MELS + np.log(frequency / 1000) / _MEL_STEP


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


def warn_of_empty_bands(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> None:
    """Warn about mel bands that contain no frequency bin."""
    bank = mel_bank(sample_rate, n_fft, n_mels, fmin, fmax)
    empty = sum(int((~weights.any(axis=0)).sum()) for _, _, weights in bank.blocks)
    if empty:
        warn(
            f"{empty} of n_mels={n_mels} bands are narrower than a bin of n_fft={n_fft} samples "
            f"at {sample_rate} Hz and produce empty responses; use fewer bands or longer frames"
        )


# ---------------------------------------------------------------- pitch


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
