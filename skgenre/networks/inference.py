"""Prediction with trained networks in NumPy, without Keras and TensorFlow.

The prediction of ten segments by one of the reference networks takes milliseconds, whereas
importing TensorFlow takes seconds. The results agree with those of Keras to about 1e-6.

A network is prepared in two passes over its layers: :func:`_fuse` converts them to a shorter list
of operations, and :func:`_emit` creates a function with preallocated buffers for each operation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import layers as L

#: Maximum number of segments that are processed at once.
BLOCK_SEGMENTS = 128

#: Maximum number of values in memory per layer and block. A block of one segment may exceed it.
_BLOCK_HELD = 1 << 24

#: Maximum number of output values of a layer per block, such that they fit into the CPU cache.
_BLOCK_VALUES = 1 << 18

Step = Callable[[np.ndarray], np.ndarray]


def _relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0, out=x)


def _softmax(x: np.ndarray) -> np.ndarray:
    # In float64, since scikit-learn's metrics check that the rows sum to 1.
    x = x.astype(np.float64)
    x -= x.max(axis=-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=-1, keepdims=True)
    return x


# ---------------------------------------------------------------- first pass: fuse


@dataclass(frozen=True)
class _Operation:
    """One operation on a block of segments."""

    kind: str
    #: Layer from which the operation was derived.
    layer: Any
    #: Input shape of one segment.
    shape: L.Shape
    arrays: Sequence[np.ndarray] = ()


def _fuse(architecture: L.Architecture, weights: Sequence[np.ndarray]) -> list[_Operation]:
    """Convert layers to a shorter list of equivalent operations.

    - Dropout layers are removed.
    - A batch normalization directly before or after a kernel is merged into the kernel.
    - A kernel, its bias and its activation become three operations. Max pooling is moved before
      bias and ReLU, which are then applied only to the maxima (a quarter of the values). This
      does not change the result, since bias and ReLU are monotonic.
    """
    remaining = iter(weights)
    layers = [
        (layer, [next(remaining) for _ in specs], shape)
        for layer, specs, shape in zip(
            architecture.layers, architecture.weights, architecture.shapes, strict=False
        )
        if not isinstance(layer, L.Dropout)
    ]
    operations: list[_Operation] = []
    scale_and_shift: tuple[np.ndarray, np.ndarray] | None = (
        None  # of a batch normalization to be merged into the next kernel
    )
    for i, (layer, arrays, shape) in enumerate(layers):
        following = [layer for layer, _, _ in layers[i + 1 : i + 3]]
        last = [operation.kind for operation in operations[-2:]]
        if isinstance(layer, L.BatchNormalization):
            affine = _scale_and_shift(layer, arrays)
            if last in (["Conv2D", "bias"], ["Dense", "bias"]):
                operations[-2:] = _follow(operations[-2], operations[-1], *affine)
            elif _reaches_kernel(following):
                scale_and_shift = affine
            else:
                operations.append(_Operation("affine", layer, shape, affine))
        elif isinstance(layer, L.Conv2D | L.Dense):
            kernel, bias = [*arrays, np.zeros(1, np.float32)][:2]
            if scale_and_shift:
                kernel, bias = _absorb(*scale_and_shift, kernel, bias)
                scale_and_shift = None
            output = layer.output_shape(shape)
            operations += [
                _Operation(type(layer).__name__, layer, shape, [kernel]),
                _Operation("bias", layer, output, [bias]),
            ]
            if layer.activation != "linear":
                operations.append(_Operation(layer.activation, layer, output))
        elif isinstance(layer, L.Activation):
            # In-place operations are allowed on buffers, but not on the input of the network.
            in_place = last[-1:] == ["bias"]
            operations.append(
                _Operation(layer.activation if in_place else "Activation", layer, shape)
            )
        elif isinstance(layer, L.MaxPooling2D):
            before = len(operations)
            while before and operations[before - 1].kind in ("bias", "relu"):
                before -= 1
            operations.insert(before, _Operation("MaxPooling2D", layer, shape))
        else:
            operations.append(_Operation(type(layer).__name__, layer, shape, arrays))
    return operations


def _reaches_kernel(following: list[L.Layer]) -> bool:
    """Return whether a batch normalization can be merged into the next kernel.

    The next layer must be a convolution, a dense layer, or a flatten layer before a dense layer.
    Convolutions with padding are excluded, since the shift does not apply to the padded zeros.
    """
    kinds = [type(layer) for layer in following]
    if kinds[:1] == [L.Conv2D]:
        return following[0].padding == "valid"  # type: ignore[attr-defined]
    return kinds[:1] == [L.Dense] or kinds == [L.Flatten, L.Dense]


def _scale_and_shift(
    layer: L.BatchNormalization, weights: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return a trained batch normalization as scale and shift of each channel."""
    gamma, beta, mean, variance = weights
    scale = gamma / np.sqrt(variance + layer.epsilon)
    return scale, beta - mean * scale


def _follow(
    kernel: _Operation, bias: _Operation, scale: np.ndarray, shift: np.ndarray
) -> list[_Operation]:
    """Merge a scale and shift of the output channels into a kernel and a bias."""
    return [
        replace(kernel, arrays=[kernel.arrays[0] * scale]),
        replace(bias, arrays=[bias.arrays[0] * scale + shift]),
    ]


def _absorb(scale: np.ndarray, shift: np.ndarray, kernel: np.ndarray, bias: np.ndarray):
    """Merge a scale and shift of the input channels into a kernel and a bias."""
    # Channels are the last axis, so they repeat periodically in flattened inputs.
    scale, shift = (np.resize(values, kernel.shape[-2])[:, None] for values in (scale, shift))
    return kernel * scale, bias + (kernel * shift).reshape(-1, kernel.shape[-1]).sum(axis=0)


# ---------------------------------------------------------------- second pass: emit

# Each call of `predict_proba` creates the function of each operation once, with buffers for blocks
# of at most `n` segments. All blocks share these buffers.


def _dense(operation: _Operation, n: int) -> Step:
    [kernel] = operation.arrays
    return lambda x: x @ kernel


def _conv2d(operation: _Operation, n: int) -> Step:
    """Compute a convolution as the product of a matrix of all patches with the kernel.

    The memory layout of the matrix is chosen such that longer contiguous runs are copied.
    """
    layer, shape, [kernel] = operation.layer, operation.shape, operation.arrays
    height, width, units = layer.output_shape(shape)
    matrix = kernel.reshape(-1, units)
    under, positions = (*layer.kernel_size, shape[-1]), (n, height, width)
    by_position = layer.kernel_size[1] * shape[-1] >= width
    buffer = np.empty(positions + under if by_position else under + positions, np.float32)
    out = np.empty((*positions, units), np.float32)
    pad = _padding(layer, shape, n)

    def forward(x):
        windows = sliding_window_view(pad(x), layer.kernel_size, axis=(1, 2))
        windows = windows[:, :: layer.strides, :: layer.strides]  # n, h, w, c, kh, kw
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


def _padding(layer: L.Conv2D, shape: L.Shape, n: int) -> Step:
    """Return a function that pads with zeros as TensorFlow does."""
    if layer.padding == "valid":
        return lambda x: x
    total = [
        max(0, (n_out - 1) * layer.strides + size - n_in)
        for n_out, size, n_in in zip(
            layer.output_shape(shape), layer.kernel_size, shape, strict=False
        )
    ]
    padded = np.zeros((n, shape[0] + total[0], shape[1] + total[1], shape[2]), np.float32)
    top, left = total[0] // 2, total[1] // 2
    inside = padded[:, top : top + shape[0], left : left + shape[1]]

    def pad(x):
        inside[: len(x)] = x
        return padded[: len(x)]

    return pad


def _max_pooling2d(operation: _Operation, n: int) -> Step:
    layer, shape = operation.layer, operation.shape
    halfway, values = np.empty((2, n, -(-shape[0] // layer.strides), *shape[1:]), np.float32)
    out, more = np.empty((2, n, *layer.output_shape(shape)), np.float32)

    def forward(x):
        n, (height, width) = len(x), layer.pool_size
        x = _max_pool(x, 1, height, layer.strides, halfway[:n], values[:n])
        return _max_pool(x, 2, width, layer.strides, out[:n], more[:n])

    return forward


def _max_pool(x: np.ndarray, axis: int, size: int, stride: int, out, values) -> np.ndarray:
    """Compute the maximum over windows along one axis, with ``padding="same"`` of TensorFlow.

    Indices beyond the edge are clipped to the edge. This does not change the maximum, since such a
    window also contains the value at the edge.
    """
    n, n_out = x.shape[axis], out.shape[axis]
    before = max((n_out - 1) * stride + size - n, 0) // 2
    starts = stride * np.arange(n_out) - before
    np.take(x, starts, axis, out, mode="clip")
    for k in range(1, size):
        # Copying first is faster than comparing strided views, which have short contiguous runs.
        np.take(x, starts + k, axis, values, mode="clip")
        np.maximum(out, values, out=out)
    return out


def _time_pooling(operation: _Operation, n: int) -> Step:
    def forward(x):
        x = x.mean(axis=2)
        return np.concatenate([x.mean(axis=1), x.max(axis=1)], axis=1)

    return forward


def _activation(operation: _Operation, n: int) -> Step:
    function = _EMITTERS[operation.layer.activation](operation, n)
    return lambda x: function(x.copy())


def _bias(operation: _Operation, n: int) -> Step:
    [bias] = operation.arrays
    return lambda x: np.add(x, bias, out=x)


def _affine(operation: _Operation, n: int) -> Step:
    scale, shift = operation.arrays
    return lambda x: x * scale + shift


def _lstm(operation: _Operation, n: int) -> Step:
    r"""Compute an LSTM layer with one matrix product and one exponential for all gates of a frame.

    With the kernels W, recurrent kernels U and biases b of Keras, the layer computes [1]_, [2]_::

        i, f, o = sigmoid(W x + U h + b)    for each of the three gates
        g       = tanh(W x + U h + b)
        c       = f c + i g
        h       = o tanh(c)

    Since tanh(z) = 2 sigmoid(2 z) - 1 and sigmoid(z) = 1 / (1 + exp(-z)), one exponential suffices
    for all gates. The factors -1, and -2 for g, are merged into the weights. Without AVX-512,
    NumPy's exp takes half the time of its tanh. Units are the first and segments the last axis,
    so that each gate is contiguous in memory.

    References
    ----------
    .. [1] S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation 9(8),
       1997.
    .. [2] F. A. Gers, J. Schmidhuber and F. Cummins, "Learning to forget: Continual prediction
       with LSTM", Neural Computation 12(10), 2000.
    """
    layer = operation.layer
    kernel, recurrent, bias = operation.arrays
    n_inputs, u = len(kernel), layer.units
    # The order of the gates is that of Keras: input, forget, cell, output.
    factors = np.repeat(np.array([-1, -1, -2, -1], np.float32), u)[:, None]
    matrix = np.concatenate([kernel, recurrent, bias[None]]).T * factors

    @cache
    def buffers(n, n_frames):
        # Inputs of a frame, state, and a constant one, which is multiplied by the bias.
        inputs = np.ones((n_inputs + u + 1, n), np.float32)
        cell, gates = np.empty((u, n), np.float32), np.empty((4 * u, n), np.float32)
        return inputs, cell, gates, np.empty((n_frames, u, n), np.float32)

    @np.errstate(over="ignore")  # where exp(-z) is infinite, sigmoid(z) is 0
    def forward(x):
        n, n_frames = x.shape[:2]
        inputs, cell, gates, sequence = buffers(n, n_frames)
        i, f, g, o = gates.reshape(4, u, n)
        state = inputs[n_inputs:-1]
        state[:] = cell[:] = 0
        for t in range(n_frames):
            inputs[:n_inputs] = x[:, t].T
            np.matmul(matrix, inputs, out=gates)
            np.exp(gates, out=gates)
            gates += 1
            np.divide(1, gates, out=gates)
            g *= 2
            g -= 1
            cell *= f
            i *= g
            cell += i
            np.tanh(cell, out=g)
            np.multiply(o, g, out=state)
            if layer.return_sequences:
                sequence[t] = state
        return sequence.transpose(2, 0, 1) if layer.return_sequences else state.T

    return forward


def _reshape(operation: _Operation, n: int) -> Step:
    target = operation.layer.output_shape(operation.shape)
    return lambda x: x.reshape(len(x), *target)


_EMITTERS: dict[str, Callable[[_Operation, int], Step]] = {
    "Reshape": _reshape,
    "Flatten": _reshape,
    "Dense": _dense,
    "Conv2D": _conv2d,
    "MaxPooling2D": _max_pooling2d,
    "TimePooling": _time_pooling,
    "Activation": _activation,
    "LSTM": _lstm,
    "bias": _bias,
    "affine": _affine,
    "linear": lambda operation, n: lambda x: x,
    "relu": lambda operation, n: _relu,
    "softmax": lambda operation, n: _softmax,
}


def _emit(operations: Sequence[_Operation], n: int) -> list[Step]:
    """Create the functions of the operations, for blocks of at most `n` segments."""
    return [_EMITTERS[operation.kind](operation, n) for operation in operations]


def predict_proba(
    architecture: L.Architecture, weights: Sequence[np.ndarray], X: np.ndarray
) -> np.ndarray:
    """Predict class probabilities of segments.

    Parameters
    ----------
    architecture : Architecture
        Layers of the network.
    weights : list of ndarray
        Weights of the layers, in the order of :attr:`Architecture.weights`.
    X : ndarray of shape (n_segments, n_frames, n_coefficients)
        Segments without NaN.

    Returns
    -------
    proba : float64 ndarray of shape (n_segments, n_classes)
        Class probabilities.
    """
    out = np.empty((len(X), *architecture.shapes[-1]))
    # Recurrent layers process one frame at a time, so only their units count.
    largest = max(
        math.prod(shape[1:] if isinstance(layer, L.LSTM) and len(shape) > 1 else shape)
        for layer, shape in zip(architecture.layers, architecture.shapes[1:], strict=True)
    )
    held = max(
        layer.n_held(shape)
        for layer, shape in zip(architecture.layers, architecture.shapes[:-1], strict=True)
    )
    n = max(1, min(_BLOCK_VALUES // largest, _BLOCK_HELD // held, BLOCK_SEGMENTS, len(X)))
    steps = _emit(_fuse(architecture, weights), n)
    for start in range(0, len(X), n):
        x = X[start : start + n]
        for step in steps:
            x = step(x)
        out[start : start + n] = x
    return out
