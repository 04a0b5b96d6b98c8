"""Answer with a trained network in NumPy: no Keras, no TensorFlow.

Ten segments through a reference network take milliseconds here, where importing
TensorFlow alone takes seconds. The results equal Keras' to about 1e-6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import layers as L

#: Segments that go through a network at once: their activations stay near the cache.
BLOCK_SEGMENTS = 64


def _activate(x: np.ndarray, activation: str) -> np.ndarray:
    if activation == "relu":
        return np.maximum(x, 0, out=x)
    if activation == "softmax":
        # In float64, so that rows sum to 1 as closely as scikit-learn's metrics ask.
        x = x.astype(np.float64)
        x -= x.max(axis=-1, keepdims=True)
        np.exp(x, out=x)
        x /= x.sum(axis=-1, keepdims=True)
    return x


def _dense(layer: L.Dense, weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    kernel, bias = weights
    return _activate(x @ kernel + bias, layer.activation)


def _conv2d(layer: L.Conv2D, weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    kernel, bias = weights
    windows = sliding_window_view(x, layer.kernel_size, axis=(1, 2))  # n, h, w, c, kh, kw
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kernel[..., 0].size)
    y = rows @ kernel.reshape(-1, layer.units)
    y += bias
    return _activate(y, layer.activation).reshape(*windows.shape[:3], layer.units)


def _max_pooling2d(layer: L.MaxPooling2D, weights, x: np.ndarray) -> np.ndarray:
    for axis, size in enumerate(layer.pool_size, start=1):
        x = _max_pool(x, axis, size, layer.strides)
    return x


def _max_pool(x: np.ndarray, axis: int, size: int, stride: int) -> np.ndarray:
    """Maximum over windows along one axis, padded with TensorFlow's "same" rule.

    Padding never wins a maximum, so windows at the edges are only shorter.
    """
    n = x.shape[axis]
    n_out = -(-n // stride)
    before = max((n_out - 1) * stride + size - n, 0) // 2
    x = np.moveaxis(x, axis, 0)
    out = np.full((n_out, *x.shape[1:]), -np.inf, x.dtype)
    for k in range(size):
        # Window i reads row i * stride + k - before, where there is one.
        first = -(-max(before - k, 0) // stride)
        rows = x[first * stride + k - before :: stride][: n_out - first]
        target = out[first : first + len(rows)]
        np.maximum(target, rows, out=target)
    return np.moveaxis(out, 0, axis)


def _batch_normalization(layer, weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    gamma, beta, mean, variance = weights
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return x * scale + (beta - mean * scale)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    """Apply the logistic function in place, by tanh: 1 / (1 + exp(-x)) overflows at -90."""
    x *= 0.5
    np.tanh(x, out=x)
    x += 1
    x *= 0.5
    return x


def _lstm(layer: L.LSTM, weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    kernel, recurrent, bias = weights
    n, n_frames, _ = x.shape
    u = layer.units
    # Frames first, so that each step reads and writes one contiguous block.
    inputs = np.ascontiguousarray(x.transpose(1, 0, 2)) @ kernel + bias
    h = np.zeros((n, u), x.dtype)
    c = np.zeros((n, u), x.dtype)
    sequence = np.empty((n_frames, n, u), x.dtype)
    for t in range(n_frames):
        z = inputs[t]
        z += h @ recurrent
        i, f, o = _sigmoid(z[:, :u]), _sigmoid(z[:, u : 2 * u]), _sigmoid(z[:, 3 * u :])
        c *= f
        c += i * np.tanh(z[:, 2 * u : 3 * u])
        h = np.multiply(o, np.tanh(c), out=sequence[t])
    return sequence.transpose(1, 0, 2) if layer.return_sequences else h


_FORWARD = {
    L.Reshape: lambda layer, weights, x: x.reshape(len(x), *layer.target_shape),
    L.Flatten: lambda layer, weights, x: x.reshape(len(x), -1),
    L.Dropout: lambda layer, weights, x: x,
    L.Dense: _dense,
    L.Conv2D: _conv2d,
    L.MaxPooling2D: _max_pooling2d,
    L.BatchNormalization: _batch_normalization,
    L.LSTM: _lstm,
}


def predict_proba(
    architecture: L.Architecture, weights: Sequence[np.ndarray], X: np.ndarray
) -> np.ndarray:
    """Class probabilities of segments.

    Parameters
    ----------
    architecture : Architecture
        The layers.
    weights : list of ndarray
        All weights, layer by layer, as :attr:`Architecture.weights` lists them.
    X : ndarray of shape (n_segments, n_frames, n_coefficients)
        Segments without NaN.

    Returns
    -------
    proba : ndarray of shape (n_segments, n_classes), float64
    """
    remaining = iter(weights)
    per_layer = [[next(remaining) for _ in specs] for specs in architecture.weights]
    out = np.empty((len(X), *architecture.shapes[-1]))
    for start in range(0, len(X), BLOCK_SEGMENTS):
        x = X[start : start + BLOCK_SEGMENTS]
        for layer, arrays in zip(architecture.layers, per_layer, strict=True):
            x = _FORWARD[type(layer)](layer, arrays, x)
        out[start : start + BLOCK_SEGMENTS] = x
    return out
