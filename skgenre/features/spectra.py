"""Spectra, mel bands and MFCCs: pure functions over samples.

The numbers are those of ``librosa.feature.mfcc`` of librosa 0.11 on each segment alone,
whichever librosa is installed: a periodic Hann window, frames centred on multiples of the
hop with zeros beyond the ends, a power spectrum, Slaney's mel filter bank, decibels cut off
80 dB below the segment's maximum, and an orthonormal DCT-II.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, lru_cache, partial
from numbers import Integral

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from .._warnings import warn
from ..audio import LARGEST_SAMPLE
from .filters import band_blocks, check_band_limits, mel_filters
from .segments import n_segment_frames

#: Decibels below a segment's loudest mel band at which its spectrum is cut off.
TOP_DB = 80.0

#: The smallest power, as in ``librosa.power_to_db``.
AMIN = 1e-10

#: Frames computed at once: those of a 3-second segment, whose samples and spectra take 2 MB.
#: Fewer are as fast alone, but threads then wait for each other at the interpreter.
_BLOCK_FRAMES = 132

#: Frames of a block of a whole signal's transform, in float64: as many as fit the cache.
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
    """Mel-frequency cepstral coefficients of one segment.

    Parameters
    ----------
    y : float ndarray of shape (n_samples,)
        Mono samples, where full scale is 1.
    sample_rate : int, default=22050
        In Hz.
    n_mfcc : int, default=13
        Number of coefficients, the first being the mean level.
    n_fft, hop_length : int, default=2048, 512
        Length of a frame and step from one to the next, in samples.
    n_mels : int, default=128
        Number of mel bands.
    fmin, fmax : float, default=0.0, None
        Where the lowest mel band begins and the highest ends, in Hz; None for `fmax` is half of
        `sample_rate`.

    Returns
    -------
    coefficients : float32 ndarray of shape (1 + n_samples // hop_length, n_mfcc)
        Equal to ``librosa.feature.mfcc(...).T`` to 1e-3.

    Raises
    ------
    TypeError
        If `y` holds integers.
    ValueError
        If `y` is not one-dimensional, empty, not finite, or absurdly large, sizes are below 1,
        or the bands have no width or reach above half of `sample_rate`.

    Warns
    -----
    UserWarning
        If mel bands are narrower than a bin of the spectrum.

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
    """MFCCs of several segments, each computed on its own.

    Parameters
    ----------
    segments : sequence of float ndarray of shape (n_samples,)
        Mono samples, where full scale is 1, of lengths that give the same number of frames.
    sample_rate, n_mfcc, n_fft, hop_length, n_mels, fmin, fmax
        See :func:`mfcc`.

    Returns
    -------
    coefficients : float32 ndarray of shape (n_segments, n_frames, n_mfcc)

    Raises
    ------
    TypeError
        If a segment holds integers.
    ValueError
        For more coefficients than mel bands, segments of different lengths, or arguments that
        :func:`mfcc` refuses.

    Warns
    -----
    UserWarning
        If mel bands are narrower than a bin of the spectrum.
    """
    sizes = {
        "sample_rate": sample_rate,
        "n_mfcc": n_mfcc,
        "n_fft": n_fft,
        "hop_length": hop_length,
        "n_mels": n_mels,
    }
    for name, size in sizes.items():
        if not isinstance(size, Integral) or size < 1:
            raise ValueError(f"{name}={size!r} must be an integer of at least 1")
    if n_mfcc > n_mels:
        raise ValueError(
            f"n_mfcc={n_mfcc} is more than n_mels={n_mels}; there are as many coefficients as "
            "mel bands at the most"
        )
    check_band_limits(sample_rate, fmin, fmax)
    segments = [check_samples(y, f"segment {i}") for i, y in enumerate(segments)]
    frames = sorted({n_segment_frames(len(y), hop_length) for y in segments})
    if len(frames) > 1:
        raise ValueError(f"The segments give different numbers of frames: {frames}")
    warn_of_silent_bands(sample_rate, n_fft, n_mels, fmin, fmax)
    return compute_mfccs(segments, **sizes, fmin=fmin, fmax=fmax)


def check_samples(y, name: str = "y", shortest: int = 1) -> np.ndarray:
    """Validate mono samples that a user gives.

    Returns
    -------
    y : float32 ndarray of shape (n_samples,)

    Raises
    ------
    TypeError
        If they are no floats.
    ValueError
        If `y` is not one-dimensional, shorter than `shortest`, not finite, or absurdly large.
    """
    y = np.asarray(y)
    if y.dtype.kind != "f":
        raise TypeError(
            f"{name} holds {y.dtype}: samples must be floats, where full scale is 1; divide int16 "
            "samples by 32768, as y / 32768"
        )
    if y.ndim != 1 or len(y) < shortest:
        least = "not empty" if shortest == 1 else f"at least {shortest}"
        raise ValueError(
            f"{name} has shape {y.shape}: it must be mono samples, (n_samples,), {least}"
        )
    peak = max(-float(y.min()), float(y.max()))
    if not np.isfinite(peak):
        raise ValueError(f"{name} holds NaN or infinite samples")
    if peak > LARGEST_SAMPLE:
        raise ValueError(
            f"{name} holds samples of {peak:.1e}, too large for dtype('float32') once they are "
            "squared; full scale is 1"
        )
    return np.ascontiguousarray(y, dtype=np.float32)


def compute_mfccs(
    segments, *, sample_rate, n_mfcc, n_fft, hop_length, n_mels, fmin, fmax
) -> np.ndarray:
    """Compute the MFCCs of segments of equal numbers of frames that need no check."""
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
    """Sum the power spectra of signals over the bands of filter banks, with one STFT for all.

    Frames are centred on multiples of the hop, with zeros beyond the ends, and a periodic Hann
    window, as in ``librosa.stft``.

    Parameters
    ----------
    signals : iterable of float32 ndarray of shape (n_samples,)
    banks : sequence of tuple
        Filter banks, each of blocks ``(parts, bands, weights)`` as :func:`band_blocks` makes.
    n_fft, hop_length : int
        In samples.

    Yields
    ------
    powers : list of float32 ndarray of shape (n_frames, n_bands)
        One for each bank; overwritten by the next signal of as many frames.
    """
    window = hann(n_fft)
    widths = [bank[-1][1].stop for bank in banks]
    windowed = np.empty((_BLOCK_FRAMES, n_fft), np.float32)
    padded, powers = np.empty(0, np.float32), [np.empty((0, 0), np.float32)]
    rfft = _rfft()
    for y in signals:
        n_frames = n_segment_frames(len(y), hop_length)
        if len(powers[0]) != n_frames:
            # Long enough for the last frame, whose centre may be the last sample.
            padded = np.zeros(n_frames * hop_length + 2 * n_fft, np.float32)
            powers = [np.empty((n_frames, width), np.float32) for width in widths]
        padded[n_fft // 2 : n_fft // 2 + len(y)] = y
        padded[n_fft // 2 + len(y) :] = 0
        frames = sliding_window_view(padded, n_fft)[::hop_length]
        for start in range(0, n_frames, _BLOCK_FRAMES):
            n = min(_BLOCK_FRAMES, n_frames - start)
            np.multiply(frames[start : start + n], window, out=windowed[:n])
            squares = rfft(windowed[:n]).view(np.float32)
            np.square(squares, out=squares)
            for bank, power in zip(banks, powers, strict=True):
                sum_bands(squares, bank, power[start : start + n])
        yield powers


def stft_blocks(
    y: np.ndarray, *, n_fft: int, hop_length: int
) -> Iterator[tuple[slice, np.ndarray]]:
    """Short-time Fourier transform of a signal, some frames at a time: ``librosa.stft``.

    Frames are centred on multiples of the hop, with zeros beyond the ends, and a periodic Hann
    window. Computed in float64, so that bins far below the loudest of a frame are right too.

    Parameters
    ----------
    y : float32 ndarray of shape (n_samples,)
    n_fft, hop_length : int
        In samples.

    Yields
    ------
    rows : slice
        Of the frames.
    spectrum : complex64 ndarray of shape (n_frames_of_block, n_fft // 2 + 1)
        C-contiguous.
    """
    window = _hann(n_fft)
    frames = sliding_window_view(np.pad(y, n_fft // 2), n_fft)[::hop_length]
    n_frames = n_segment_frames(len(y), hop_length)
    for start in range(0, n_frames, _STFT_FRAMES):
        rows = slice(start, min(n_frames, start + _STFT_FRAMES))
        yield rows, scipy.fft.rfft(frames[rows] * window).astype(np.complex64)


@cache
def _rfft() -> Callable[[np.ndarray], np.ndarray]:
    """Choose the transform: that of the ``fast`` extra if it is installed; the same to 1e-6."""
    try:
        import ducc0
    except ImportError:
        return partial(scipy.fft.rfft, overwrite_x=True)
    return partial(ducc0.fft.r2c, axes=(1,))


def sum_bands(squares: np.ndarray, bands, out: np.ndarray) -> np.ndarray:
    """Sum the power of a spectrum over the bands of a filter bank.

    Parameters
    ----------
    squares : float32 ndarray of shape (n_frames, n_fft + 2)
        Of the real and imaginary parts in turn. They have the same weight, so that they need not be
        added before.
    bands : tuple
        From :func:`band_blocks`.
    out : float32 ndarray of shape (n_frames, n_bands)
        Where to put the sums.

    Returns
    -------
    out : ndarray
    """
    for parts, columns, weights in bands:
        np.matmul(squares[:, parts], weights, out=out[:, columns])
    return out


def to_decibels(level: np.ndarray, top_db: float = TOP_DB) -> np.ndarray:
    """Turn powers into dB, in place, cut off `top_db` below the highest."""
    np.maximum(level, AMIN, out=level)
    # NumPy computes natural logarithms several at a time, and those of base 10 one by one.
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
    """Window, mel bands, and DCT-II basis; read-only.

    The basis is in float64 since float32 sums of 128 levels near -100 dB are off by 1e-3.
    """
    window = hann(n_fft)
    bands = mel_bands(sample_rate, n_fft, n_mels, fmin, fmax)
    # The DCT of Makhoul (1980) with an orthonormal basis.
    dct = scipy.fft.dct(np.eye(n_mels), axis=0, norm="ortho")[:n_mfcc]
    dct = np.ascontiguousarray(dct.T)
    dct.flags.writeable = False
    return window, bands, dct


@lru_cache(maxsize=16)
def mel_bands(sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None) -> tuple:
    """Mel bands for :func:`band_powers`, without the zeros that most of the matrix is."""
    return band_blocks(mel_filters(sample_rate, n_fft, n_mels, fmin, fmax))


@lru_cache(maxsize=16)
def hann(n_fft: int) -> np.ndarray:
    """Periodic Hann window; read-only."""
    window = _hann(n_fft).astype(np.float32)
    window.flags.writeable = False
    return window


def _hann(n_fft: int) -> np.ndarray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n_fft) / n_fft)


def warn_of_silent_bands(
    sample_rate: int, n_fft: int, n_mels: int, fmin: float, fmax: float | None
) -> None:
    """Warn of mel bands without a bin; at each call, which :func:`mel_bands` would not."""
    bands = mel_bands(sample_rate, n_fft, n_mels, fmin, fmax)
    silent = sum(int((~weights.any(axis=0)).sum()) for _, _, weights in bands)
    if silent:
        warn(
            f"{silent} of n_mels={n_mels} bands are narrower than a bin of n_fft={n_fft} samples "
            f"at {sample_rate} Hz and stay silent; use fewer bands or longer frames"
        )
