"""Answer with a trained network in NumPy: no Keras, no TensorFlow.

Ten segments through a reference network take milliseconds here, where importing
TensorFlow alone takes seconds. The results equal Keras' to about 1e-6.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import layers as L

#: Segments that go through a network at once, at the most.
BLOCK_SEGMENTS = 128

#: Values of a layer's output that go through a network at once, so that they stay in the cache.
_BLOCK_VALUES = 1 << 18

Step = Callable[[np.ndarray], np.ndarray]


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=x)


def _softmax(x: np.ndarray) -> np.ndarray:
    # In float64, so that rows sum to 1 as closely as scikit-learn's metrics ask.
    x = x.astype(np.float64)
    x -= x.max(axis=-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=-1, keepdims=True)
    return x


_ACTIVATIONS = {"linear": lambda x: x, "relu": _relu, "softmax": _softmax}


# Each layer is prepared once a call, for blocks of at most `n` segments of `shape`: it makes its
# buffers, so that blocks after the first touch no new memory, and gives the function of a block.


def _dense(layer: L.Dense, weights: Sequence[np.ndarray], shape: L.Shape, n: int) -> Step:
    kernel = weights[0]
    return lambda x: x @ kernel


def _conv2d(layer: L.Conv2D, weights: Sequence[np.ndarray], shape: L.Shape, n: int) -> Step:
    """Lay the values under the kernel at each position in a matrix, for one product with it.

    The matrix is written in the order in which longer runs of values can be copied.
    """
    kernel = weights[0]
    height, width, units = layer.output_shape(shape)
    matrix = kernel.reshape(-1, units)
    under, positions = (*layer.kernel_size, shape[-1]), (n, height, width)
    by_position = layer.kernel_size[1] * shape[-1] >= width
    buffer = np.empty(positions + under if by_position else under + positions, np.float32)
    out = np.empty((*positions, units), np.float32)

    def forward(x):
        windows = sliding_window_view(x, layer.kernel_size, axis=(1, 2))  # n, h, w, c, kh, kw
        if by_position:
            rows = buffer[: len(x)]
            np.copyto(rows, windows.transpose(0, 1, 2, 4, 5, 3))
            rows = rows.reshape(-1, len(matrix))
        else:
            rows = buffer[..., : len(x), :, :]
            np.copyto(rows, windows.transpose(4, 5, 3, 0, 1, 2))
            rows = rows.reshape(len(matrix), -1).T
        y = out[: len(x)]
        np.matmul(rows, matrix, out=y.reshape(-1, units))
        return y

    return forward


def _max_pooling2d(layer: L.MaxPooling2D, weights, shape: L.Shape, n: int) -> Step:
    halfway, values = np.empty((2, n, -(-shape[0] // layer.strides), *shape[1:]), np.float32)
    out, more = np.empty((2, n, *layer.output_shape(shape)), np.float32)

    def forward(x):
        n, (height, width) = len(x), layer.pool_size
        x = _max_pool(x, 1, height, layer.strides, halfway[:n], values[:n])
        return _max_pool(x, 2, width, layer.strides, out[:n], more[:n])

    return forward


def _max_pool(x: np.ndarray, axis: int, size: int, stride: int, out, values) -> np.ndarray:
    """Maximum over windows along one axis, padded with TensorFlow's "same" rule.

    Where a window reaches over the edge, the value at the edge, which it holds, is taken again.
    """
    n, n_out = x.shape[axis], out.shape[axis]
    before = max((n_out - 1) * stride + size - n, 0) // 2
    starts = stride * np.arange(n_out) - before
    np.take(x, starts, axis, out, mode="clip")
    for k in range(1, size):
        # Taken, then compared: NumPy copies rows of a few values faster than it compares them.
        np.take(x, starts + k, axis, values, mode="clip")
        np.maximum(out, values, out=out)
    return out


def _add(bias: np.ndarray) -> Step:
    return lambda x: np.add(x, bias, out=x)


def _batch_normalization(layer, weights: Sequence[np.ndarray], shape: L.Shape, n: int) -> Step:
    scale, shift = _affine(layer, weights)
    return lambda x: x * scale + shift


def _affine(layer: L.BatchNormalization, weights: Sequence[np.ndarray]):
    """Write a trained batch normalisation as a scale and a shift of each channel."""
    gamma, beta, mean, variance = weights
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def _fold(scale: np.ndarray, shift: np.ndarray, kernel: np.ndarray, bias: np.ndarray):
    """Kernel and bias that do the work of a scale and shift of their input's channels too."""
    # Channels come last, so flattened inputs repeat them.
    scale, shift = (np.resize(values, kernel.shape[-2])[:, None] for values in (scale, shift))
    return kernel * scale, bias + (kernel * shift).reshape(-1, len(bias)).sum(axis=0)


def _lstm(layer: L.LSTM, weights: Sequence[np.ndarray], shape: L.Shape, n: int) -> Step:
    """Run all gates of a step as one product and one tanh.

    The logistic function is (1 + tanh(x / 2)) / 2, which cannot overflow. Its inner half goes to
    the weights; its outer half turns the states into twice theirs, and is taken back from the
    weights that they meet and from what is returned. Units come first and segments last, so that
    each gate is contiguous.
    """
    kernel, recurrent, bias = weights
    n_inputs, u = len(kernel), layer.units
    # Keras' order of the gates is input, forget, cell, output; the cell's comes last here.
    order = np.r_[0 : 2 * u, 3 * u : 4 * u, 2 * u : 3 * u]
    half = np.where(np.arange(4 * u) < 3 * u, np.float32(0.5), np.float32(1))[:, None]
    matrix = np.concatenate([kernel, recurrent / 2]).T[order] * half
    bias = bias[order, None] * half

    def forward(x):
        n, n_frames = x.shape[:2]
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
            np.add(gates, bias, out=gates)
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

    return forward


def _reshape(layer, weights, shape: L.Shape, n: int) -> Step:
    target = layer.output_shape(shape)
    return lambda x: x.reshape(len(x), *target)


_PREPARE = {
    L.Reshape: _reshape,
    L.Flatten: _reshape,
    L.Dense: _dense,
    L.Conv2D: _conv2d,
    L.MaxPooling2D: _max_pooling2d,
    L.BatchNormalization: _batch_normalization,
    L.LSTM: _lstm,
}


def _prepare(architecture: L.Architecture, weights: Sequence[np.ndarray], n: int) -> list[Step]:
    """Functions through which a block of at most `n` segments goes."""
    remaining = iter(weights)
    layers = [
        (layer, [next(remaining) for _ in specs], shape)
        for layer, specs, shape in zip(
            architecture.layers, architecture.weights, architecture.shapes, strict=False
        )
        if not isinstance(layer, L.Dropout)
    ]
    steps: list[Step] = []
    normalization = None  # that waits for the kernel behind it
    for i, (layer, arrays, shape) in enumerate(layers):
        has_kernel = isinstance(layer, L.Conv2D | L.Dense)
        if has_kernel and normalization:
            arrays = _fold(*normalization, *arrays)
            normalization = None
        if isinstance(layer, L.BatchNormalization):
            following = [type(layer) for layer, _, _ in layers[i + 1 : i + 3]]
            if following[:1] in ([L.Conv2D], [L.Dense]) or following == [L.Flatten, L.Dense]:
                normalization = _affine(layer, arrays)
                continue
        step = _PREPARE[type(layer)](layer, arrays, shape, n)
        if isinstance(layer, L.MaxPooling2D):
            # What never falls where its input rises may wait until a maximum has been taken,
            # which leaves a quarter of the values.
            position = len(steps) - 2 if steps[-1:] == [_relu] else len(steps)
            steps.insert(position, step)
            continue
        steps.append(step)
        if has_kernel:
            steps += [_add(arrays[1]), _ACTIVATIONS[layer.activation]]
    return steps


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
    out = np.empty((len(X), *architecture.shapes[-1]))
    # A recurrent layer goes through its frames one by one, with a product for each.
    largest = max(
        math.prod(shape[1:] if isinstance(layer, L.LSTM) and len(shape) > 1 else shape)
        for layer, shape in zip(architecture.layers, architecture.shapes[1:], strict=True)
    )
    n = max(1, min(_BLOCK_VALUES // largest, BLOCK_SEGMENTS, len(X)))
    steps = _prepare(architecture, weights, n)
    for start in range(0, len(X), n):
        x = X[start : start + n]
        for step in steps:
            x = step(x)
        out[start : start + n] = x
    return out
