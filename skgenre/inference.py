"""Answer with a trained network in NumPy: no Keras, no TensorFlow.

Ten segments through a reference network take milliseconds here, where importing
TensorFlow alone takes seconds. The results equal Keras' to about 1e-6.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import layers as L

#: Segments that go through a network at once, at the most.
BLOCK_SEGMENTS = 128

#: Values of a layer's output that go through a network at once, so that they stay in the cache.
_BLOCK_VALUES = 1 << 19


def _activate(x: np.ndarray, activation: str | None) -> np.ndarray:
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
    y = x @ kernel
    y += bias
    return y


def _conv2d(layer: L.Conv2D, weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    kernel, bias = weights
    windows = sliding_window_view(x, layer.kernel_size, axis=(1, 2))  # n, h, w, c, kh, kw
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kernel[..., 0].size)
    y = rows @ kernel.reshape(-1, layer.units)
    y += bias
    return y.reshape(*windows.shape[:3], layer.units)


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


def _lstm(layer: L.LSTM, weights: Sequence[np.ndarray], x: np.ndarray) -> np.ndarray:
    """Run all gates of a step as one product and one tanh.

    The logistic function is (1 + tanh(x / 2)) / 2, which cannot overflow. Its inner half goes to
    the weights; its outer half turns the states into twice theirs, and is taken back from the
    weights that they meet and from what is returned. Units come first and segments last, so that
    each gate is contiguous.
    """
    kernel, recurrent, bias = weights
    n, n_frames, n_inputs = x.shape
    u = layer.units
    # Keras' order of the gates is input, forget, cell, output; the cell's comes last here.
    order = np.r_[0 : 2 * u, 3 * u : 4 * u, 2 * u : 3 * u]
    half = np.where(np.arange(4 * u) < 3 * u, np.float32(0.5), np.float32(1))[:, None]
    matrix = np.concatenate([kernel, recurrent / 2]).T[order] * half
    bias = bias[order, None] * half
    inputs = np.empty((n_inputs + u, n), np.float32)  # of a step, above the doubled state
    state = inputs[n_inputs:]
    state[:] = 0
    cell = np.zeros((u, n), np.float32)
    gates = np.empty((4 * u, n), np.float32)
    i, f, o, g = gates.reshape(4, u, n)
    sequence = np.empty((n_frames, u, n), np.float32)
    for t in range(n_frames):
        inputs[:n_inputs] = x[:, t].T
        np.matmul(matrix, inputs, out=gates)
        gates += bias
        np.tanh(gates, out=gates)
        gates[: 3 * u] += 1
        cell *= f
        i *= g
        cell += i
        cell *= 0.5
        np.tanh(cell, out=g)
        np.multiply(o, g, out=state)
        if layer.return_sequences:
            sequence[t] = state
    if layer.return_sequences:
        sequence *= 0.5
        return sequence.transpose(2, 0, 1)
    return np.ascontiguousarray(state.T) / 2


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
    # A recurrent layer goes through its frames one by one, with a product for each.
    largest = max(
        np.prod(shape[1:] if isinstance(layer, L.LSTM) and len(shape) > 1 else shape)
        for layer, shape in zip(architecture.layers, architecture.shapes[1:], strict=True)
    )
    step = int(np.clip(_BLOCK_VALUES // largest, 1, BLOCK_SEGMENTS))
    for start in range(0, len(X), step):
        x = X[start : start + step]
        waiting = None
        for i, (layer, arrays) in enumerate(zip(architecture.layers, per_layer, strict=True)):
            x = _FORWARD[type(layer)](layer, arrays, x)
            waiting = getattr(layer, "activation", waiting)
            # What never falls where its input rises may wait until a maximum has been taken,
            # which leaves a quarter of the values.
            following = architecture.layers[i + 1 : i + 2]
            if waiting == "relu" and following and isinstance(following[0], L.MaxPooling2D):
                continue
            x = _activate(x, waiting)
            waiting = None
        out[start : start + step] = x
    return out
