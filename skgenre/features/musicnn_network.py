"""The network musicnn in NumPy: log-mel patches -> embeddings.

Its layers are those of J. Pons et al., "End-to-end learning for music audio tagging at scale",
ISMIR 2018, as musicnn 0.1.0 has them:

- the front end: filters of timbre, 7 frames by 38 or 67 bands, and of time, 128, 64 or 32 frames of
  one band, each reduced to its maximum over frequency;
- the middle: three convolutions over 7 frames, of which the second and third are added to their
  input;
- the back end: maximum and mean over time of all these, and a dense layer of 200 units.

Kernels are followed by a bias, ReLU and batch normalisation.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

#: Frames and mel bands of a patch, three seconds.
N_FRAMES, N_MELS = 187, 96

#: Numbers of an embedding.
N_EMBEDDING = 200

#: Frames under the filters of timbre and of the middle.
_WIDTH = 7

#: Of batch normalisation; TensorFlow's default.
_EPSILON = 1e-3

#: Patches that go through the network at once, and frames of them in the filters of timbre and of
#: time, so that what they give stays in the cache.
_BLOCK_PATCHES, _TIMBRE_FRAMES, _TIME_FRAMES = 2, 24, 16


class Musicnn:
    """The layers of a checkpoint of musicnn but for the last, which gives the tags.

    Parameters
    ----------
    arrays : mapping of str to float32 ndarray
        The variables of the checkpoint by name.

    Raises
    ------
    KeyError
        If one is missing.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        names = [f"conv2d_{i}".removesuffix("_0") for i in range(8)]
        kernels = [np.squeeze(arrays[f"{name}/kernel"], axis=2) for name in names]
        self._input = _normalisation(arrays, 0)
        self._rectified = [
            (arrays[f"{name}/bias"], *_normalisation(arrays, i))
            for i, name in enumerate(names, start=1)
        ]
        # The smallest value is the one to keep where the normalisation turns it round.
        signs = [np.where(scale < 0, -1, 1).astype(np.float32) for _, scale, _ in self._rectified]
        self._timbre = [_TimbreFilters(kernels[i], signs[i]) for i in (0, 1)]
        self._time = [_TimeFilters(kernels[i][:, 0], signs[i]) for i in (2, 3, 4)]
        self._middle = kernels[5:]
        # The normalisation in front of the dense kernel becomes part of it.
        (scale, shift), kernel = _normalisation(arrays, 9), arrays["dense/kernel"]
        self._dense = scale[:, None] * kernel
        self._rectified.append((arrays["dense/bias"] + shift @ kernel, *_normalisation(arrays, 10)))

    def embed(self, patches: np.ndarray) -> np.ndarray:
        """Compute the embeddings of patches.

        Parameters
        ----------
        patches : float32 ndarray of shape (n_patches, 187, 96)

        Returns
        -------
        embeddings : float32 ndarray of shape (n_patches, 200)
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
        # Maximum and mean of each channel stand side by side.
        rows = np.concatenate([np.stack(pair, axis=2) for pair in pooled], axis=1)
        return _rectify(rows.reshape(len(x), -1) @ self._dense, *next(rectified))


def _normalisation(arrays: Mapping[str, np.ndarray], i: int) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift of the batch normalisation number `i`."""
    name = f"batch_normalization_{i}".removesuffix("_0")
    variance = arrays[f"{name}/moving_variance"]
    scale = arrays[f"{name}/gamma"] / np.sqrt(variance + np.float32(_EPSILON))
    return scale, arrays[f"{name}/beta"] - arrays[f"{name}/moving_mean"] * scale


def _rectify(y: np.ndarray, bias: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Bias, ReLU and batch normalisation, in place."""
    y += bias
    np.maximum(y, 0, out=y)
    y *= scale
    y += shift
    return y


def _padded(x: np.ndarray) -> np.ndarray:
    """Patches with zeros for half a filter at both ends."""
    half = _WIDTH // 2
    return np.pad(x, ((0, 0), (half, half), (0, 0)))


# ---------------------------------------------------------------- filters over time and frequency

# A product for each position of a filter would be four fifths of the work. Over the bands of a
# frame it is a product of discrete Fourier transforms instead. They have as many points as there
# are bands: the positions at which a circular filter reaches over the edge are not wanted. What it
# gives at `centre + d` and `centre - d` is `even + odd` and `even - odd`, the even and the odd part
# of the inverse transform, and the larger of both is `even + |odd|`. That takes a quarter of the
# products.

_FREQUENCIES = np.arange(N_MELS // 2 + 1)


def _phases(positions: np.ndarray) -> np.ndarray:
    """Radians of the Fourier transform at positions, of shape (n_positions, 49)."""
    return np.outer(positions, _FREQUENCIES) * (2 * np.pi / N_MELS)


_PHASES = _phases(np.arange(N_MELS))

#: Bands -> real and imaginary part of each frequency.
_TRANSFORM = np.stack([np.cos(_PHASES), -np.sin(_PHASES)], axis=2).reshape(N_MELS, -1)
_TRANSFORM = _TRANSFORM.astype(np.float32)


def _spectra(x: np.ndarray) -> np.ndarray:
    """Transform the bands; what lies under a filter at each frequency and frame.

    Returns
    -------
    spectra : float32 ndarray of shape (49, n_patches * 187, 14)
    """
    parts = (_padded(x) @ _TRANSFORM).reshape(len(x), -1, len(_FREQUENCIES), 2)
    under = sliding_window_view(parts, _WIDTH, axis=1).transpose(2, 0, 1, 4, 3)
    return np.ascontiguousarray(under).reshape(len(_FREQUENCIES), -1, 2 * _WIDTH)


class _TimbreFilters:
    """Filters of 7 frames and many bands: the largest value over their positions.

    Parameters
    ----------
    kernel : float32 ndarray of shape (7, n_bands, n_filters)
    sign : float32 ndarray of shape (n_filters,)
        -1 for the smallest value instead.
    """

    def __init__(self, kernel: np.ndarray, sign: np.ndarray):
        n_bands = kernel.shape[1]
        centre = (N_MELS - n_bands) / 2
        transform = np.exp(1j * _phases(np.arange(n_bands) + centre))
        spectrum = np.einsum("tbf,bk->ktf", kernel * sign, transform)
        n = len(_FREQUENCIES)
        # For the real and the imaginary part of the product with `_spectra`.
        self._real, self._imaginary = (
            np.stack(parts, axis=2).reshape(n, 2 * _WIDTH, -1).astype(np.float32)
            for parts in (
                (spectrum.real, -spectrum.imag),
                (spectrum.imag, spectrum.real),
            )
        )
        weights = np.where(_FREQUENCIES % (N_MELS // 2), 2, 1) / N_MELS
        distances = _phases(np.arange(centre % 1, centre + 1))
        self._even = (np.cos(distances) * weights).astype(np.float32)
        self._odd = (np.sin(distances) * weights).astype(np.float32)
        self._sign = sign

    def __call__(self, spectra: np.ndarray) -> np.ndarray:
        """Maxima of shape (n_patches * 187, n_filters)."""
        n_rows, n_filters = spectra.shape[1], len(self._sign)
        out = np.empty((n_rows, n_filters), np.float32)
        # Buffers for all blocks: the system would clear new ones.
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


# ---------------------------------------------------------------- filters over time


class _TimeFilters:
    """Filters over the frames of one band: the largest value over the bands.

    One product gives several frames: its matrix has the kernel once for each, a frame later.

    Parameters
    ----------
    kernel : float32 ndarray of shape (n_frames, n_filters)
    sign : float32 ndarray of shape (n_filters,)
        -1 for the smallest value instead.
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
        """Maxima of shape (n_patches, 187, n_filters)."""
        n, n_frames, n_bands = x.shape
        bands = np.ascontiguousarray(x.transpose(0, 2, 1)).reshape(-1, n_frames)
        out = np.empty((n, n_frames, len(self._sign)), np.float32)
        for start in range(0, n_frames, _TIME_FRAMES):
            # Beyond the ends of a patch there are zeros, which need no product.
            first = start - self._before
            begin, end = max(0, first), min(n_frames, first + len(self._matrix))
            values = bands[:, begin:end] @ self._matrix[begin - first : end - first]
            largest = values.reshape(n, n_bands, -1).max(axis=1)
            target = out[:, start : start + _TIME_FRAMES]
            target[:] = largest.reshape(n, _TIME_FRAMES, -1)[:, : target.shape[1]]
        return np.multiply(out, self._sign, out=out)


def _over_time(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve over 7 frames.

    What lies under the kernel at every seventh frame are the rows of a matrix as it is in memory:
    seven products, and nothing is copied.

    Parameters
    ----------
    x : float32 ndarray of shape (n_patches, n_frames, n_channels)
    kernel : float32 ndarray of shape (7, n_channels, n_filters)

    Returns
    -------
    y : float32 ndarray of shape (n_patches, n_frames, n_filters)
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
    # Frames that would reach into the next patch lie in the padding.
    return out.reshape(*padded.shape[:2], n_filters)[:, : x.shape[1]]
