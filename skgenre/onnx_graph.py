"""ONNX graphs of networks, and their evaluation with ONNX Runtime.

Arrays have the axes of Keras: segments first and channels last, as in ``(n_segments, n_frames,
n_coefficients, n_channels)``. Operators of ONNX that need the channels on axis 1 are enclosed in
transpositions, which ONNX Runtime removes where they cancel. Weights are float32 and have the
shapes of Keras.

Importing this module imports neither onnx nor onnxruntime, which take a fifth of a second.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np

#: Versions of the operators and of the file format. ONNX Runtime reads them since version 1.12.
_OPSET_VERSION, _IR_VERSION = 17, 8

_PADDINGS = {"valid": "VALID", "same": "SAME_UPPER"}

#: Operators of activation functions whose names differ from those of Keras, and attributes whose
#: defaults differ.
_OPERATORS = {"leaky_relu": "LeakyRelu"}
_ATTRIBUTES: dict[str, Any] = {"leaky_relu": {"alpha": 0.2}}


class Graph:
    """An ONNX graph under construction.

    Each method appends a layer or an operator. Its inputs are arrays and names of earlier outputs,
    and it returns the name of its output.

    Parameters
    ----------
    shape : tuple of int or str
        Shape of the input without the axis of segments; names stand for sizes that vary.

    Attributes
    ----------
    input : str
        Name of the input.
    """

    input = "segments"

    def __init__(self, shape: tuple[int | str, ...]):
        self._shape = shape
        self._nodes: list = []
        self._arrays: list = []

    def add(
        self, operator: str, *inputs: str | np.ndarray, n_skipped: int = 0, **attributes
    ) -> str:
        """Append an operator of ONNX and return its output, the one after `n_skipped` others."""
        import onnx

        names = []
        for value in inputs:
            if not isinstance(value, str):
                array = onnx.numpy_helper.from_array(value, f"array_{len(self._arrays)}")
                self._arrays.append(array)
                value = array.name
            names.append(value)
        output = f"{operator}_{len(self._nodes)}"
        outputs = [*[""] * n_skipped, output]
        self._nodes.append(onnx.helper.make_node(operator, names, outputs, **attributes))
        return output

    def add_channels_first(
        self, operator: str, x: str, *inputs: np.ndarray, n_axes: int, **attributes
    ) -> str:
        """Append an operator whose input needs its channels, the last of `n_axes`, on axis 1."""
        if n_axes == 2:
            return self.add(operator, x, *inputs, **attributes)
        x = self.add("Transpose", x, perm=[0, n_axes - 1, *range(1, n_axes - 1)])
        x = self.add(operator, x, *inputs, **attributes)
        return self.add("Transpose", x, perm=[0, *range(2, n_axes), 1])

    def dense(self, x: str, kernel: np.ndarray, bias: np.ndarray) -> str:
        """Append a fully connected layer over the last axis."""
        return self.add("Add", self.add("MatMul", x, kernel), bias)

    def conv2d(
        self, x: str, kernel: np.ndarray, *bias: np.ndarray, strides: int = 1, padding: str
    ) -> str:
        """Append a convolution over two axes; `padding` is that of Keras."""
        return self.add_channels_first(
            "Conv",
            x,
            kernel.transpose(3, 2, 0, 1),
            *bias,
            n_axes=4,
            strides=[strides, strides],
            auto_pad=_PADDINGS[padding],
        )

    def max_pooling2d(self, x: str, pool_size: tuple[int, int], strides: int) -> str:
        """Append max pooling over two axes, with ``padding="same"`` of Keras."""
        return self.add_channels_first(
            "MaxPool",
            x,
            n_axes=4,
            kernel_shape=pool_size,
            strides=[strides, strides],
            auto_pad=_PADDINGS["same"],
        )

    def batch_normalization(
        self, x: str, gamma, beta, mean, variance, *, n_axes: int, epsilon: float
    ) -> str:
        """Append a batch normalization of an input of `n_axes` axes."""
        return self.add_channels_first(
            "BatchNormalization", x, gamma, beta, mean, variance, n_axes=n_axes, epsilon=epsilon
        )

    def activation(self, x: str, name: str) -> str:
        """Append an activation function of Keras."""
        if name == "linear":
            return x
        if name == "silu":
            return self.add("Mul", x, self.add("Sigmoid", x))
        return self.add(_OPERATORS.get(name, name.capitalize()), x, **_ATTRIBUTES.get(name, {}))

    def lstm(self, x: str, kernel, recurrent_kernel, bias, *, return_sequences: bool) -> str:
        """Append an LSTM layer over the frames of an input (n_segments, n_frames, n_channels)."""
        units = len(recurrent_kernel)
        # Keras has the gates in the order input, forget, cell, output; ONNX has input, output,
        # forget, cell, and a second bias.
        gates = np.arange(4 * units).reshape(4, units)[[0, 3, 1, 2]].ravel()
        weights = [kernel.T[gates], recurrent_kernel.T[gates], np.append(bias[gates], 0 * bias)]
        return self._recurrent("LSTM", x, weights, units, return_sequences)

    def gru(self, x: str, kernel, recurrent_kernel, bias, *, return_sequences: bool) -> str:
        """Append a GRU layer over the frames of an input (n_segments, n_frames, n_channels)."""
        weights = [kernel.T, recurrent_kernel.T, bias.ravel()]  # the gates are in the same order
        units = len(recurrent_kernel)
        return self._recurrent("GRU", x, weights, units, return_sequences, linear_before_reset=1)

    def _recurrent(
        self, operator: str, x: str, weights, units: int, return_sequences: bool, **attributes
    ) -> str:
        # Axis 0 of the weights are directions. The first output has all frames, (n_frames, 1,
        # n_segments, units), the second the last.
        x = self.add(
            operator,
            self.add("Transpose", x, perm=[1, 0, 2]),
            *(weight[None] for weight in weights),
            hidden_size=units,
            n_skipped=0 if return_sequences else 1,
            **attributes,
        )
        if return_sequences:
            return self.add("Transpose", self.add("Squeeze", x, np.array([1])), perm=[1, 0, 2])
        return self.add("Squeeze", x, np.array([0]))

    def to_bytes(self, output: str, n_outputs: int, name: str) -> bytes:
        """Return the model that computes `output`, of shape (n_segments, n_outputs), as `name`."""
        import onnx
        from onnx.helper import make_graph, make_model, make_node, make_opsetid

        def describe(name, *shape):
            return onnx.helper.make_tensor_value_info(
                name, onnx.TensorProto.FLOAT, ["n_segments", *shape]
            )

        graph = make_graph(
            [*self._nodes, make_node("Identity", [output], [name])],
            "network",
            [describe(self.input, *self._shape)],
            [describe(name, n_outputs)],
            self._arrays,
        )
        opset = make_opsetid("", _OPSET_VERSION)
        model = make_model(
            graph, opset_imports=[opset], ir_version=_IR_VERSION, producer_name="skgenre"
        )
        return model.SerializeToString()


class Session:
    """A model in ONNX Runtime, which several threads may use at once.

    It has no threads of its own: they would not exist after a fork, and be idle most of the time.
    Instead, :func:`for_blocks` processes blocks of segments in parallel. Results therefore do not
    depend on the number of threads.

    Parameters
    ----------
    model : bytes
        Model of :meth:`Graph.to_bytes`.
    """

    def __init__(self, model: bytes):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, segments: np.ndarray) -> np.ndarray:
        """Compute the outputs, of shape (n_segments, n_outputs), of float32 segments."""
        [output] = self._session.run(None, {Graph.input: segments})
        return output


def n_threads() -> int:
    """Return the number of threads granted to this process.

    This is ``OMP_NUM_THREADS``, which joblib and Dask set in their workers, or else the number of
    processors.
    """
    granted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    return int(granted) if granted.isdigit() and int(granted) else joblib.cpu_count()


def for_blocks(function: Callable[[slice], Any], n: int, size: int) -> None:
    """Call a function for the slices of up to `size` of `n` segments, in parallel threads."""
    blocks = [slice(start, start + size) for start in range(0, n, size)]
    n_workers = min(len(blocks), n_threads()) if len(blocks) > 1 else 1
    if n_workers < 2:
        for block in blocks:
            function(block)
    else:
        with ThreadPoolExecutor(n_workers) as pool:
            list(pool.map(function, blocks))  # raises the errors
