"""NumPy implementation of the network musicnn, from log-mel patches to embeddings.

The architecture is that of J. Pons et al., "End-to-end learning for music audio tagging at scale",
ISMIR 2018, as implemented in musicnn 0.1.0:

- front end: timbral filters of 7 frames by 38 or 67 bands and temporal filters of 128, 64 or 32
  frames of one band, each followed by max pooling over frequency;
- mid end: three convolutions over 7 frames, the second and third with residual connections;
- back end: max and mean pooling over time of all these layers, and a dense layer of 200 units.

Each layer is followed by a bias, ReLU and batch normalization.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

#: Number of frames and mel bands of a patch; a patch is 3 seconds long.
N_FRAMES, N_MELS = 187, 96

#: Dimension of an embedding.
N_EMBEDDING = 200

#: Number of frames spanned by the timbral filters and by the convolutions of the mid end.
_WIDTH = 7

#: Epsilon of batch normalization, TensorFlow's default.
_EPSILON = 1e-3

#: Number of patches processed at a time, and number of their frames processed at a time by the
#: timbral and temporal filters. The intermediate results then fit into the CPU cache.
_BLOCK_PATCHES, _TIMBRE_FRAMES, _TIME_FRAMES = 2, 24, 16


class Musicnn:
    """The network musicnn without its output layer.

    Parameters
    ----------
    arrays : mapping of str to float32 ndarray
        Variables of the checkpoint by name.

    Raises
    ------
    KeyError
        If a variable is missing.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        names = [f"conv2d_{i}".removesuffix("_0") for i in range(8)]
        kernels = [np.squeeze(arrays[f"{name}/kernel"], axis=2) for name in names]
        self._input = _normalization(arrays, 0)
        self._rectified = [
            (arrays[f"{name}/bias"], *_normalization(arrays, i))
            for i, name in enumerate(names, start=1)
        ]
        # If batch normalization has a negative scale, pooling must select the minimum.
        signs = [np.where(scale < 0, -1, 1).astype(np.float32) for _, scale, _ in self._rectified]
        self._timbre = [_TimbreFilters(kernels[i], signs[i]) for i in (0, 1)]
        self._time = [_TimeFilters(kernels[i][:, 0], signs[i]) for i in (2, 3, 4)]
        self._middle = kernels[5:]
        # Merge the batch normalization before the dense layer into its kernel and bias.
        (scale, shift), kernel = _normalization(arrays, 9), arrays["dense/kernel"]
        self._dense = scale[:, None] * kernel
        self._rectified.append((arrays["dense/bias"] + shift @ kernel, *_normalization(arrays, 10)))

    def embed(self, patches: np.ndarray) -> np.ndarray:
        """Compute the embeddings of patches.

        Parameters
        ----------
        patches : float32 ndarray of shape (n_patches, 187, 96)
            Log-mel spectrograms.

        Returns
        -------
        embeddings : float32 ndarray of shape (n_patches, 200)
            Embedding of each patch.
        """
        out = np.empty((len(patches), N_EMBEDDING), np.float32)
        for start in range(0, len(patches), _BLOCK_PATCHES):
            block = slice(start, start + _BLOCK_PATCHES)
            out[block] = self._embed(patches[block])
        return out

    def _embed(self, patches: np.ndarray) -> np.ndarray:
        scale, shift = self._input
        x = patches * scale + shift
        spectra = _spectra(x)
        maxima = [filters(spectra).reshape(*x.shape[:2], -1) for filters in self._timbre]
        maxima += [filters(x) for filters in self._time]
        rectified = iter(self._rectified)
        layers = [np.concatenate([_rectify(y, *next(rectified)) for y in maxima], axis=2)]
        for kernel in self._middle:
            y = _rectify(_over_time(layers[-1], kernel), *next(rectified))
            layers.append(y if len(layers) == 1 else y + layers[-1])
        pooled = [[layer.max(axis=1), layer.mean(axis=1)] for layer in layers]
        # Maximum and mean of each channel are adjacent.
        rows = np.concatenate([np.stack(pair, axis=2) for pair in pooled], axis=1)
        return _rectify(rows.reshape(len(x), -1) @ self._dense, *next(rectified))


def _normalization(arrays: Mapping[str, np.ndarray], i: int) -> tuple[np.ndarray, np.ndarray]:
    """Return scale and shift of the batch normalization layer `i`."""
    name = f"batch_normalization_{i}".removesuffix("_0")
    variance = arrays[f"{name}/moving_variance"]
    scale = arrays[f"{name}/gamma"] / np.sqrt(variance + np.float32(_EPSILON))
    return scale, arrays[f"{name}/beta"] - arrays[f"{name}/moving_mean"] * scale


def _rectify(y: np.ndarray, bias: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Apply bias, ReLU and batch normalization in place."""
    y += bias
    np.maximum(y, 0, out=y)
    y *= scale
    y += shift
    return y


def _padded(x: np.ndarray) -> np.ndarray:
    """Pad patches with zeros for half a filter at both ends."""
    half = _WIDTH // 2
    return np.pad(x, ((0, 0), (half, half), (0, 0)))


# ---------------------------------------------------------------- timbral filters

# Direct convolution would take four fifths of the total time. Along the bands, the filters are
# therefore applied in the Fourier domain, with as many points as there are bands; positions at
# which the circular filter wraps around are not needed. With `even` and `odd` the even and odd
# parts of the inverse transform, the outputs at `center + d` and `center - d` are `even + odd` and
# `even - odd`, and their maximum is `even + |odd|`. This needs a quarter of the multiplications.

_FREQUENCIES = np.arange(N_MELS // 2 + 1)


def _phases(positions: np.ndarray) -> np.ndarray:
    """Return the phases of the Fourier transform at positions, of shape (n_positions, 49)."""
    return np.outer(positions, _FREQUENCIES) * (2 * np.pi / N_MELS)


_PHASES = _phases(np.arange(N_MELS))

#: Discrete Fourier transform of the bands, as real and imaginary part of each frequency.
_TRANSFORM = np.stack([np.cos(_PHASES), -np.sin(_PHASES)], axis=2).reshape(N_MELS, -1)
_TRANSFORM = _TRANSFORM.astype(np.float32)


def _spectra(x: np.ndarray) -> np.ndarray:
    """Transform the bands of each frame, and collect the frames under the filter.

    Returns
    -------
    spectra : float32 ndarray of shape (49, n_patches * 187, 14)
        Real and imaginary parts for each frequency and frame.
    """
    parts = (_padded(x) @ _TRANSFORM).reshape(len(x), -1, len(_FREQUENCIES), 2)
    under = sliding_window_view(parts, _WIDTH, axis=1).transpose(2, 0, 1, 4, 3)
    return np.ascontiguousarray(under).reshape(len(_FREQUENCIES), -1, 2 * _WIDTH)


class _TimbreFilters:
    """Filters of 7 frames and many bands with max pooling over their positions.

    Parameters
    ----------
    kernel : float32 ndarray of shape (7, n_bands, n_filters)
        Filters.
    sign : float32 ndarray of shape (n_filters,)
        1 to return the maximum, -1 to return the minimum.
    """

    def __init__(self, kernel: np.ndarray, sign: np.ndarray):
        n_bands = kernel.shape[1]
        center = (N_MELS - n_bands) / 2
        transform = np.exp(1j * _phases(np.arange(n_bands) + center))
        spectrum = np.einsum("tbf,bk->ktf", kernel * sign, transform)
        n = len(_FREQUENCIES)
        # Matrices for the real and imaginary parts of the product with the spectra.
        self._real, self._imaginary = (
            np.stack(parts, axis=2).reshape(n, 2 * _WIDTH, -1).astype(np.float32)
            for parts in (
                (spectrum.real, -spectrum.imag),
                (spectrum.imag, spectrum.real),
            )
        )
        weights = np.where(_FREQUENCIES % (N_MELS // 2), 2, 1) / N_MELS
        distances = _phases(np.arange(center % 1, center + 1))
        self._even = (np.cos(distances) * weights).astype(np.float32)
        self._odd = (np.sin(distances) * weights).astype(np.float32)
        self._sign = sign

    def __call__(self, spectra: np.ndarray) -> np.ndarray:
        """Return the pooled outputs, of shape (n_patches * 187, n_filters)."""
        n_rows, n_filters = spectra.shape[1], len(self._sign)
        out = np.empty((n_rows, n_filters), np.float32)
        # Reuse buffers for all blocks, since the system zeroes newly allocated memory.
        products = np.empty(len(spectra) * _TIMBRE_FRAMES * n_filters, np.float32)
        halves = np.empty((2, len(self._even) * _TIMBRE_FRAMES * n_filters), np.float32)
        for start in range(0, n_rows, _TIMBRE_FRAMES):
            block = spectra[:, start : start + _TIMBRE_FRAMES]
            n = block.shape[1] * n_filters
            product = products[: len(spectra) * n].reshape(len(spectra), n)
            even, odd = halves[:, : len(self._even) * n].reshape(2, len(self._even), n)
            frames = product.reshape(len(spectra), -1, n_filters)
            np.matmul(block, self._real, out=frames)
            np.matmul(self._even, product, out=even)
            np.matmul(block, self._imaginary, out=frames)
            np.matmul(self._odd, product, out=odd)
            even += np.abs(odd, out=odd)
            even.max(axis=0, out=out[start : start + _TIMBRE_FRAMES].reshape(-1))
        return np.multiply(out, self._sign, out=out)


# ---------------------------------------------------------------- temporal filters


class _TimeFilters:
    """Filters over the frames of one band with max pooling over the bands.

    One matrix product computes several frames: its matrix contains shifted copies of the kernel.

    Parameters
    ----------
    kernel : float32 ndarray of shape (n_frames, n_filters)
        Filters.
    sign : float32 ndarray of shape (n_filters,)
        1 to return the maximum, -1 to return the minimum.
    """

    def __init__(self, kernel: np.ndarray, sign: np.ndarray):
        length, n_filters = kernel.shape
        self._before = (length - 1) // 2
        matrix = np.zeros((length + _TIME_FRAMES - 1, _TIME_FRAMES, n_filters), np.float32)
        for i in range(_TIME_FRAMES):
            matrix[i : i + length, i] = kernel * sign
        self._matrix = matrix.reshape(len(matrix), -1)
        self._sign = sign

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Return the pooled outputs, of shape (n_patches, 187, n_filters)."""
        n, n_frames, n_bands = x.shape
        bands = np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(-1, n_frames)
        out = np.empty((n, n_frames, len(self._sign)), np.float32)
        for start in range(0, n_frames, _TIME_FRAMES):
            # Frames beyond the ends of a patch are zero and can be left out.
            first = start - self._before
            begin, end = max(0, first), min(n_frames, first + len(self._matrix))
            values = bands[:, begin:end] @ self._matrix[begin - first : end - first]
            largest = values.reshape(n, n_bands, -1).max(axis=1)
            target = out[:, start : start + _TIME_FRAMES]
            target[:] = largest.reshape(n, _TIME_FRAMES, -1)[:, : target.shape[1]]
        return np.multiply(out, self._sign, out=out)


def _over_time(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve over 7 frames.

    For every seventh output frame, the frames under the kernel are the rows of a reshaped view.
    Seven matrix products without copies therefore compute the convolution.

    Parameters
    ----------
    x : float32 ndarray of shape (n_patches, n_frames, n_channels)
        Input.
    kernel : float32 ndarray of shape (7, n_channels, n_filters)
        Filters.

    Returns
    -------
    y : float32 ndarray of shape (n_patches, n_frames, n_filters)
        Output, with zero padding at the ends of each patch.
    """
    n_channels, n_filters = kernel.shape[1:]
    padded = _padded(x)
    rows = padded.reshape(-1, n_channels)
    matrix = kernel.reshape(-1, n_filters)
    out = np.empty((len(rows), n_filters), np.float32)
    for start in range(_WIDTH):
        stop = len(rows) - (len(rows) - start) % _WIDTH
        under = rows[start:stop].reshape(-1, len(matrix))
        np.matmul(under, matrix, out=out[start:stop:_WIDTH])
    # Outputs that would mix two patches fall on the padding, which is cut off.
    return out.reshape(*padded.shape[:2], n_filters)[:, : x.shape[1]]
