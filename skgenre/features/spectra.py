"""Computation of spectra, mel bands and MFCCs from samples.

The MFCCs equal those of ``librosa.feature.mfcc`` (librosa 0.11) on each segment separately,
regardless of the installed version of librosa: a periodic Hann window, frames centered on
multiples of the hop with zero padding, a power spectrum, Slaney's mel filter bank, levels in
decibels clipped 80 dB below the maximum of the segment, and an orthonormal DCT-II.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from .._checks import AT_LEAST_1, check_number
from .._warnings import warn
from ..audio import why_too_large
from .filters import band_blocks, check_band_limits, mel_filters
from .segments import n_segment_frames

#: Level below the maximum of a segment at which levels are clipped, in dB.
TOP_DB = 80.0

#: Minimum power, as in ``librosa.power_to_db``.
AMIN = 1e-10

#: Number of frames processed at a time: those of a 3-second segment, which take 2 MB. Smaller
#: blocks are as fast in a single thread, but threads then contend for the interpreter lock.
_BLOCK_FRAMES = 132

#: Number of frames per block of the STFT of a whole signal, in float64; they fit the CPU cache.
_STFT_FRAMES = 32


def mfcc(
    y: np.ndarray,
    *,
    sample_rate: int = 22050,
    n_mfcc: int = 13,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> np.ndarray:
    """Compute the mel-frequency cepstral coefficients (MFCCs) of one segment.

    Parameters
    ----------
    y : float ndarray of shape (n_samples,)
        Mono samples, where full scale is 1.
    sample_rate : int, default=22050
        Sample rate in Hz.
    n_mfcc : int, default=13
        Number of coefficients. The first is proportional to the mean level.
    n_fft : int, default=2048
        Length of a frame in samples.
    hop_length : int, default=512
        Number of samples between successive frames.
    n_mels : int, default=128
        Number of mel bands.
    fmin : float, default=0.0
        Lowest frequency of the mel bands in Hz.
    fmax : float, default=None
        Highest frequency of the mel bands in Hz. If None, half of `sample_rate`.

    Returns
    -------
    coefficients : float32 ndarray of shape (1 + n_samples // hop_length, n_mfcc)
        MFCCs of each frame. They equal ``librosa.feature.mfcc(...).T`` to 1e-3.

    Raises
    ------
    TypeError
        If `y` is an array of integers.
    ValueError
        If `y` is not one-dimensional, is empty, or contains values that are not finite or larger
        than 16, where full scale is 1; if a size is below 1; or if the limits of the mel bands are
        invalid.

    Warns
    -----
    UserWarning
        If mel bands are narrower than a frequency bin.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre.mfcc import mfcc
    >>> y = np.sin(2 * np.pi * 440 * np.arange(66150) / 22050)
    >>> mfcc(y).shape
    (130, 13)
    """
    return segment_mfcc(
        [check_samples(y)],
        sample_rate=sample_rate,
        n_mfcc=n_mfcc,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        fmin=fmin,
        fmax=fmax,
    )[0]


def segment_mfcc(
    segments,
    *,
    sample_rate: int = 22050,
    n_mfcc: int = 13,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> np.ndarray:
    """Compute the MFCCs of several segments, each separately.

    Parameters
    ----------
    segments : sequence of float ndarray of shape (n_samples,)
        Mono samples, where full scale is 1. All segments must have the same number of frames.
    sample_rate, n_mfcc, n_fft, hop_length, n_mels, fmin, fmax
        See :func:`mfcc`.

    Returns
    -------
    coefficients : float32 ndarray of shape (n_segments, n_frames, n_mfcc)
        MFCCs of each segment.

    Raises
    ------
    TypeError
        If a segment is an array of integers.
    ValueError
        If `n_mfcc` is larger than `n_mels`, segments have different numbers of frames, or an
        argument is invalid as in :func:`mfcc`.

    Warns
    -----
    UserWarning
        If mel bands are narrower than a frequency bin.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre.mfcc import segment_mfcc
    >>> y = np.sin(2 * np.pi * 440 * np.arange(132300) / 22050)
    >>> segment_mfcc([y[:66150], y[66150:]]).shape
    (2, 130, 13)
    """
    sizes = {
        "sample_rate": sample_rate,
        "n_mfcc": n_mfcc,
        "n_fft": n_fft,
        "hop_length": hop_length,
        "n_mels": n_mels,
    }
    for name, size in sizes.items():
        check_number(name, size, AT_LEAST_1)
    if n_mfcc > n_mels:
        raise ValueError(
            f"n_mfcc={n_mfcc} must be at most n_mels={n_mels}, the number of mel bands"
        )
    check_band_limits(sample_rate, fmin, fmax)
    segments = [check_samples(y, f"segment {i}") for i, y in enumerate(segments)]
    frames = sorted({n_segment_frames(len(y), hop_length) for y in segments})
    if len(frames) > 1:
        raise ValueError(f"The segments have different numbers of frames: {frames}")
    warn_of_silent_bands(sample_rate, n_fft, n_mels, fmin, fmax)
    return compute_mfccs(segments, **sizes, fmin=fmin, fmax=fmax)


def check_samples(y, name: str = "y", shortest: int = 1) -> np.ndarray:
    """Validate mono samples passed by the user.

    Returns
    -------
    y : float32 ndarray of shape (n_samples,)
        The validated samples.

    Raises
    ------
    TypeError
        If the samples are not floats.
    ValueError
        If `y` is not one-dimensional, is shorter than `shortest`, or contains values that are not
        finite or larger than 16, where full scale is 1.
    """
    y = np.asarray(y)
    if y.dtype.kind != "f":
        raise TypeError(
            f"{name} has dtype {y.dtype}: samples must be floats, where full scale is 1; for "
            "int16, use y / 32768"
        )
    if y.ndim != 1 or len(y) < shortest:
        least = "not empty" if shortest == 1 else f"at least {shortest}"
        raise ValueError(
            f"{name} must be mono samples of shape (n_samples,), {least}; got shape {y.shape}"
        )
    if not np.isfinite([y.min(), y.max()]).all():
        raise ValueError(f"{name} contains NaN or infinite samples")
    if (reason := why_too_large(y)) is not None:
        raise ValueError(f"{name} {reason}")
    return np.ascontiguousarray(y, dtype=np.float32)


def compute_mfccs(
    segments, *, sample_rate, n_mfcc, n_fft, hop_length, n_mels, fmin, fmax
) -> np.ndarray:
    """Compute the MFCCs of validated segments with the same number of frames."""
    n_frames = n_segment_frames(len(segments[0]), hop_length) if len(segments) else 0
    out = np.empty((len(segments), n_frames, n_mfcc), np.float32)
    _, bands, dct = constants(sample_rate, n_mfcc, n_fft, n_mels, fmin, fmax)
    powers = band_powers(segments, [bands], n_fft=n_fft, hop_length=hop_length)
    for target, [power] in zip(out, powers, strict=True):
        target[:] = to_decibels(power) @ dct
    return out


def band_powers(
    signals: Iterable[np.ndarray], banks: Sequence[tuple], *, n_fft: int, hop_length: int
) -> Iterator[list[np.ndarray]]:
    """Sum the power spectra of signals over the bands of filter banks, using one STFT for all.

    As in ``librosa.stft``, frames are centered on multiples of the hop with zero padding, and the
    window is a periodic Hann window.

    Parameters
    ----------
    signals : iterable of float32 ndarray of shape (n_samples,)
        Samples.
    banks : sequence of tuple
        Filter banks, as returned by :func:`band_blocks`.
    n_fft, hop_length : int
        Frame length and hop in samples.

    Yields
    ------
    powers : list of float32 ndarray of shape (n_frames, n_bands)
        Powers for each filter bank. The arrays are reused for the next signal with the same number
        of frames.
    """
    window = hann(n_fft)
    widths = [bank[-1][1].stop for bank in banks]
    windowed = np.empty((_BLOCK_FRAMES, n_fft), np.float32)
    padded, powers = np.empty(0, np.float32), [np.empty((0, 0), np.float32)]
    for y in signals:
        n_frames = n_segment_frames(len(y), hop_length)
        if len(powers[0]) != n_frames:
            # Long enough for the last frame, which may be centered on the last sample.
            padded = np.zeros(n_frames * hop_length + 2 * n_fft, np.float32)
            powers = [np.empty((n_frames, width), np.float32) for width in widths]
        padded[n_fft // 2 : n_fft // 2 + len(y)] = y
        padded[n_fft // 2 + len(y) :] = 0
        frames = sliding_window_view(padded, n_fft)[::hop_length]
        for start in range(0, n_frames, _BLOCK_FRAMES):
            n = min(_BLOCK_FRAMES, n_frames - start)
            np.multiply(frames[start : start + n], window, out=windowed[:n])
            squares = scipy.fft.rfft(windowed[:n], overwrite_x=True).view(np.float32)
            np.square(squares, out=squares)
            for bank, power in zip(banks, powers, strict=True):
                sum_bands(squares, bank, power[start : start + n])
        yield powers


def stft_blocks(
    y: np.ndarray, *, n_fft: int, hop_length: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Compute the short-time Fourier transform of a signal in blocks, like ``librosa.stft``.

    Frames are centered on multiples of the hop with zero padding, and the window is a periodic
    Hann window. The transform is computed in float64, so that bins far below the maximum of a
    frame are accurate.

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


def sum_bands(squares: np.ndarray, bands, out: np.ndarray) -> np.ndarray:
    """Sum the power of a spectrum over the bands of a filter bank.

    Parameters
    ----------
    squares : float32 ndarray of shape (n_frames, n_fft + 2)
        Squares of the interleaved real and imaginary parts. Since both have the same weight, they
        need not be added first.
    bands : tuple
        Filter bank, from :func:`band_blocks`.
    out : float32 ndarray of shape (n_frames, n_bands)
        Array for the result.

    Returns
    -------
    out : ndarray
        The array `out`.
    """
    for parts, columns, weights in bands:
        np.matmul(squares[:, parts], weights, out=out[:, columns])
    return out


def to_decibels(level: np.ndarray, top_db: float = TOP_DB) -> np.ndarray:
    """Convert powers to dB in place, clipped `top_db` below the maximum."""
    np.maximum(level, AMIN, out=level)
    # np.log uses SIMD instructions, np.log10 does not.
    np.log(level, out=level)
    level *= np.float32(10 / np.log(10))
    return np.maximum(level, level.max() - top_db, out=level)


@lru_cache(maxsize=16)
def constants(
    sample_rate: int,
    n_mfcc: int,
    n_fft: int,
    n_mels: int,
    fmin: float = 0.0,
    fmax: float | None = None,
):
    """Return the window, mel bands and DCT-II basis, which are read-only.

    The basis is float64, since float32 sums of 128 levels near -100 dB have errors of 1e-3.
    """
    window = hann(n_fft)
    bands = mel_bands(sample_rate, n_fft, n_mels, fmin, fmax)
    # The orthonormal DCT-II, as used by librosa.
    dct = scipy.fft.dct(np.eye(n_mels), axis=0, norm="ortho")[:n_mfcc]
    dct = np.ascontiguousarray(dct.T)
    dct.flags.writeable = False
    return window, bands, dct


@lru_cache(maxsize=16)
def mel_bands(sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None) -> tuple:
    """Return the mel filter bank as blocks for :func:`band_powers`, without most of its zeros."""
    return band_blocks(mel_filters(sample_rate, n_fft, n_mels, fmin, fmax))


@lru_cache(maxsize=16)
def hann(n_fft: int) -> np.ndarray:
    """Return a periodic Hann window, which is read-only."""
    window = _hann(n_fft).astype(np.float32)
    window.flags.writeable = False
    return window


def _hann(n_fft: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)


def warn_of_silent_bands(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> None:
    """Warn about mel bands without a frequency bin. Not cached, unlike :func:`mel_bands`."""
    bands = mel_bands(sample_rate, n_fft, n_mels, fmin, fmax)
    silent = sum(int((~weights.any(axis=0)).sum()) for _, _, weights in bands)
    if silent:
        warn(
            f"{silent} of n_mels={n_mels} bands are narrower than a bin of n_fft={n_fft} samples "
            f"at {sample_rate} Hz and produce empty responses; use fewer bands or longer frames"
        )
