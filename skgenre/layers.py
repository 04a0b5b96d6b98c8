"""Layers of networks, independent of Keras.

Training builds a Keras model from an :class:`Architecture`, prediction an ONNX graph, and model
files store it. It does not contain any arrays.

A layer maps the shape of a segment to the shape of its output, and lists its weights in the order
of Keras.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import ClassVar

from ._checks import AT_LEAST_1
from ._sklearn import Interval, StrOptions, validate_parameter_constraints

__all__ = [
    "GRU",
    "LSTM",
    "Activation",
    "Architecture",
    "BatchNormalization",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "KerasArchitecture",
    "Layer",
    "MaxPooling2D",
    "Reshape",
    "TimePooling",
    "Weight",
]

Shape = tuple[int, ...]

#: Activation functions, by the names and with the defaults of Keras.
ACTIVATIONS = (
    *("linear", "relu", "softmax", "tanh", "sigmoid"),
    *("elu", "selu", "leaky_relu", "silu", "softplus"),
)

_ACTIVATION = [StrOptions(set(ACTIVATIONS))]
_BELOW_1 = [Interval(Real, 0, 1, closed="left")]


@dataclass(frozen=True)
class Weight:
    """Description of a weight array of a layer.

    Parameters
    ----------
    name : str
        Name of the array in the layer.
    shape : tuple of int
        Shape of the array.
    initializer : str
        Name of the distribution of the initial values.
    trainable : bool, default=True
        Whether the array is updated by the optimizer.
    """

    name: str
    shape: Shape
    initializer: str
    trainable: bool = True


@dataclass(frozen=True)
class Layer:
    """Base class of all layers. By default, a layer keeps the shape and has no weights."""

    #: Required number of axes of the input of a segment; None accepts any.
    n_axes: ClassVar[int | None] = None
    #: Constraints of the parameters, as in the estimators of scikit-learn.
    _constraints: ClassVar[dict] = {}

    def __post_init__(self):
        validate_parameter_constraints(self._constraints, vars(self), type(self).__name__)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the output shape of a segment, given its input shape."""
        return shape

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        """Return the weights of the layer, given the input shape of a segment."""
        return ()


def _check_window(name: str, size: tuple[int, int]) -> None:
    if len(size) != 2 or not all(map(AT_LEAST_1.is_satisfied_by, size)):
        raise ValueError(f"{name}={size!r} must be two positive integers.")


def _same_size(size: int, strides: int) -> int:
    """Return the number of positions of a window with ``padding="same"``, as in Keras."""
    return -(-size // strides)


@dataclass(frozen=True)
class Reshape(Layer):
    """Reshape a segment.

    Parameters
    ----------
    target_shape : tuple of int
        New shape. As in NumPy, one size may be -1 and is then inferred, for example if the number
        of frames is not known.
    """

    target_shape: Shape

    def output_shape(self, shape: Shape) -> Shape:
        size, known = math.prod(shape), math.prod(n for n in self.target_shape if n != -1)
        target = tuple(size // known if n == -1 and known else n for n in self.target_shape)
        if math.prod(target) != size:
            raise ValueError(f"Cannot reshape shape {shape} into {self.target_shape}.")
        return target


@dataclass(frozen=True)
class Flatten(Layer):
    """Flatten a segment into a vector."""

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


@dataclass(frozen=True)
class Dropout(Layer):
    """Dropout, which is only active during training.

    Parameters
    ----------
    rate : float
        Fraction of the values that are set to zero.
    """

    rate: float
    _constraints: ClassVar[dict] = {"rate": _BELOW_1}


@dataclass(frozen=True)
class Dense(Layer):
    """Fully connected layer over the last axis.

    Parameters
    ----------
    units : int
        Number of units.
    activation : str, default="linear"
        Activation function, see :class:`Activation`.
    l2 : float, default=0.0
        L2 regularization factor of the kernel.
    """

    units: int
    activation: str = "linear"
    l2: float = 0.0
    _constraints: ClassVar[dict] = {
        "units": [AT_LEAST_1],
        "activation": _ACTIVATION,
        "l2": [Interval(Real, 0, None, closed="left")],
    }

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], self.units)

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        return (
            Weight("kernel", (shape[-1], self.units), "glorot_uniform"),
            Weight("bias", (self.units,), "zeros"),
        )


@dataclass(frozen=True)
class Activation(Layer):
    """Activation function as a separate layer, for example after batch normalization.

    Parameters
    ----------
    activation : str, default="relu"
        Activation function, with the defaults of Keras: ``"linear"``, ``"relu"``, ``"softmax"``,
        ``"tanh"``, ``"sigmoid"``, ``"elu"``, ``"selu"``, ``"leaky_relu"``, ``"silu"`` or
        ``"softplus"``.
    """

    activation: str = "relu"
    _constraints: ClassVar[dict] = {"activation": _ACTIVATION}


@dataclass(frozen=True)
class Conv2D(Layer):
    """Convolution over (frames, coefficients, channels).

    Parameters
    ----------
    units : int
        Number of filters.
    activation : str, default="linear"
        Activation function, see :class:`Activation`.
    kernel_size : tuple of int, default=(3, 3)
        Number of frames and of coefficients of the kernel.
    strides : int, default=1
        Step between positions of the kernel along both axes.
    padding : {"valid", "same"}, default="valid"
        ``"valid"`` does not pad the input. ``"same"`` pads it with zeros as Keras does, such that
        the output has one value per `strides` inputs.
    use_bias : bool, default=True
        Whether to add a bias.
    """

    units: int
    activation: str = "linear"
    kernel_size: tuple[int, int] = (3, 3)
    strides: int = 1
    padding: str = "valid"
    use_bias: bool = True
    n_axes: ClassVar[int | None] = 3
    _constraints: ClassVar[dict] = {
        "units": [AT_LEAST_1],
        "activation": _ACTIVATION,
        "strides": [AT_LEAST_1],
        "padding": [StrOptions({"valid", "same"})],
    }

    def __post_init__(self):
        super().__post_init__()
        _check_window("kernel_size", self.kernel_size)

    def output_shape(self, shape: Shape) -> Shape:
        if self.padding == "same":
            height, width = (_same_size(n, self.strides) for n in shape[:2])
            return (height, width, self.units)
        height, width = (
            (n - k) // self.strides + 1 for n, k in zip(shape, self.kernel_size, strict=False)
        )
        if min(height, width) < 1:
            raise ValueError(
                f"kernel_size={self.kernel_size} must not exceed the input size {shape[:2]}."
            )
        return (height, width, self.units)

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        kernel = Weight("kernel", (*self.kernel_size, shape[-1], self.units), "glorot_uniform")
        return (kernel, Weight("bias", (self.units,), "zeros")) if self.use_bias else (kernel,)


@dataclass(frozen=True)
class MaxPooling2D(Layer):
    """Max pooling over (frames, coefficients), with ``padding="same"`` as in Keras.

    Parameters
    ----------
    pool_size : tuple of int, default=(2, 2)
        Number of frames and of coefficients of the windows.
    strides : int, default=2
        Step between windows along both axes. It must not exceed the window, unless that covers
        the input.
    """

    pool_size: tuple[int, int] = (2, 2)
    strides: int = 2
    n_axes: ClassVar[int | None] = 3
    _constraints: ClassVar[dict] = {"strides": [AT_LEAST_1]}

    def __post_init__(self):
        super().__post_init__()
        _check_window("pool_size", self.pool_size)

    def output_shape(self, shape: Shape) -> Shape:
        for n, size in zip(shape, self.pool_size, strict=False):
            if size < min(n, self.strides):  # ONNX Runtime does not leave out inputs
                raise ValueError(
                    f"strides={self.strides} must not exceed pool_size={self.pool_size} for an "
                    f"input of size {shape[:2]}."
                )
        height, width = (_same_size(n, self.strides) for n in shape[:2])
        return (height, width, shape[2])


@dataclass(frozen=True)
class TimePooling(Layer):
    """Mean and maximum over time of the mean over the coefficients of each channel.

    The output for (frames, coefficients, channels) is a vector of the means of all channels,
    followed by their maxima. A network with this layer accepts any number of frames, unless an
    earlier layer depends on the number of frames.
    """

    n_axes: ClassVar[int | None] = 3

    def output_shape(self, shape: Shape) -> Shape:
        return (2 * shape[2],)


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """Batch normalization of each channel, with the default epsilon of Keras (0.001).

    Parameters
    ----------
    momentum : float, default=0.99
        Momentum of the running means and variances: each step updates them by
        ``1 - momentum`` of the difference to the statistics of the batch.
    """

    momentum: float = 0.99
    epsilon: ClassVar[float] = 1e-3
    _constraints: ClassVar[dict] = {"momentum": _BELOW_1}

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        n = (shape[-1],)
        return (
            Weight("gamma", n, "ones"),
            Weight("beta", n, "zeros"),
            Weight("moving_mean", n, "zeros", trainable=False),
            Weight("moving_variance", n, "ones", trainable=False),
        )


@dataclass(frozen=True)
class _Recurrent(Layer):
    """Recurrent layer over the frames."""

    units: int
    return_sequences: bool = False
    n_axes: ClassVar[int | None] = 2
    _constraints: ClassVar[dict] = {"units": [AT_LEAST_1]}

    def output_shape(self, shape: Shape) -> Shape:
        return (shape[0], self.units) if self.return_sequences else (self.units,)


@dataclass(frozen=True)
class LSTM(_Recurrent):
    """Long short-term memory over the frames.

    The gates are in the order of Keras: input, forget, cell, output.

    Parameters
    ----------
    units : int
        Number of units.
    return_sequences : bool, default=False
        Whether to return the output of each frame instead of that of the last frame.
    """

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        return (
            Weight("kernel", (shape[-1], 4 * self.units), "glorot_uniform"),
            Weight("recurrent_kernel", (self.units, 4 * self.units), "orthogonal"),
            Weight("bias", (4 * self.units,), "unit_forget_bias"),
        )


@dataclass(frozen=True)
class GRU(_Recurrent):
    """Gated recurrent unit over the frames, with ``reset_after=True`` as by default in Keras.

    The gates are in the order of Keras: update, reset, output.

    Parameters
    ----------
    units : int
        Number of units.
    return_sequences : bool, default=False
        Whether to return the output of each frame instead of that of the last frame.
    """

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        return (
            Weight("kernel", (shape[-1], 3 * self.units), "glorot_uniform"),
            Weight("recurrent_kernel", (self.units, 3 * self.units), "orthogonal"),
            Weight("bias", (2, 3 * self.units), "zeros"),
        )


LAYERS: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (
        *(Reshape, Flatten, Dropout, Dense, Activation, BatchNormalization),
        *(Conv2D, MaxPooling2D, TimePooling, LSTM, GRU),
    )
}


@dataclass(frozen=True)
class Architecture:
    """Architecture of a network.

    Parameters
    ----------
    input_shape : tuple of int (n_frames, n_coefficients)
        Shape of one segment.
    layers : tuple of Layer
        Layers from the input to the class probabilities.

    Raises
    ------
    TypeError
        If a layer is not of a type in :data:`LAYERS`.
    ValueError
        If the output shape of a layer does not match the input of the next layer.

    Examples
    --------
    >>> from skgenre.layers import Architecture, Dense, Flatten
    >>> architecture = Architecture((130, 13), (Flatten(), Dense(10, "softmax")))
    >>> architecture.shapes
    ((130, 13), (1690,), (10,))
    >>> architecture.count_parameters()
    16910
    """

    input_shape: Shape
    layers: tuple[Layer, ...]

    def __post_init__(self):
        for layer in self.layers:
            if type(layer) not in LAYERS.values():
                raise TypeError(
                    f"Layers must be of types {sorted(LAYERS)}; got {layer!r}. For a network of "
                    "other layers, override build_model(input_shape, n_classes), which returns "
                    "any Keras model, or pass such a function as build."
                )
        _ = self.shapes  # raises if the layers do not match

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Shapes of a segment before each layer and after the last layer."""
        shapes = [tuple(self.input_shape)]
        for i, layer in enumerate(self.layers):
            if layer.n_axes not in (None, len(shapes[-1])):
                raise ValueError(
                    f"Layer {i}, {layer!r}, expects an input with {layer.n_axes} axes; got shape "
                    f"{shapes[-1]}. Insert a Reshape or Flatten layer before it."
                )
            shapes.append(layer.output_shape(shapes[-1]))
        return tuple(shapes)

    @cached_property
    def weights(self) -> tuple[tuple[Weight, ...], ...]:
        """Weights of each layer."""
        return tuple(
            layer.weights(shape) for layer, shape in zip(self.layers, self.shapes, strict=False)
        )

    @cached_property
    def takes_any_frames(self) -> bool:
        """Whether the network accepts any number of frames, due to a TimePooling layer."""
        if not any(isinstance(layer, TimePooling) for layer in self.layers):
            return False
        try:
            return self.with_frames(self.input_shape[0] + 1).weights == self.weights
        except ValueError:
            return False

    def with_frames(self, n_frames: int) -> Architecture:
        """Return the architecture with the same layers for another number of frames."""
        return Architecture((n_frames, *self.input_shape[1:]), self.layers)

    def count_parameters(self, *, trainable_only: bool = False) -> int:
        """Return the number of parameters in all weights."""
        return sum(
            math.prod(weight.shape)
            for weights in self.weights
            for weight in weights
            if weight.trainable or not trainable_only
        )


@dataclass(frozen=True)
class KerasArchitecture:
    """Input and output of a Keras model that ``build_model`` returns.

    The layers are known only to Keras; see :meth:`skgenre.NetworkClassifier.to_keras`.

    Parameters
    ----------
    input_shape : tuple of int (n_frames, n_coefficients)
        Shape of one segment.
    n_classes : int
        Number of classes.
    takes_any_frames : bool, default=False
        Whether the model accepts any number of frames.
    outputs : tuple of float, default=()
        Probabilities that the trained model returns for two fixed segments, with which those of a
        model that is built again are compared.
    """

    input_shape: Shape
    n_classes: int
    takes_any_frames: bool = field(default=False, compare=False)
    outputs: tuple[float, ...] = field(default=(), compare=False)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Shapes of a segment and of its class probabilities."""
        return self.input_shape, (self.n_classes,)

    def with_frames(self, n_frames: int) -> KerasArchitecture:
        """Return the same model for another number of frames."""
        return replace(self, input_shape=(n_frames, *self.input_shape[1:]))


def summarize(architecture: Architecture) -> list[str]:
    """Return the lines of a table of the layers, followed by the parameter counts."""
    lines = [f"{'Layer':20}{'Output shape':24}Parameters", "=" * 54]
    for layer, shape, weights in zip(
        architecture.layers, architecture.shapes[1:], architecture.weights, strict=True
    ):
        n = sum(math.prod(weight.shape) for weight in weights)
        lines.append(f"{type(layer).__name__:20}{(None, *shape)!s:24}{n:,}")
    total = architecture.count_parameters()
    trainable = architecture.count_parameters(trainable_only=True)
    return [
        *(*lines, lines[1]),
        f"Total params: {total:,}",
        f"Trainable params: {trainable:,}",
        f"Non-trainable params: {total - trainable:,}",
    ]
