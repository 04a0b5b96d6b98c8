"""The one description of a network: a plain list of layers with their sizes.

Training builds a Keras model from it, prediction walks it in NumPy, and model files
store it. It knows nothing of Keras and holds no arrays.

A layer maps the shape of one segment to the shape of its output and lists the
weights it needs for that, in the order in which Keras keeps them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

Shape = tuple[int, ...]

ACTIVATIONS = ("linear", "relu", "softmax")


@dataclass(frozen=True)
class Weight:
    """One array of a layer: its name, shape, first values, and whether it learns."""

    name: str
    shape: Shape
    initializer: str
    trainable: bool = True


@dataclass(frozen=True)
class Layer:
    """Base of all layers: one that keeps the shape and has no weights."""

    #: Number of axes that the input must have; None takes any.
    n_axes: ClassVar[int | None] = None

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one segment's output, given the shape of its input."""
        return shape

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        """Weights of the layer, given the shape of its input."""
        return ()


@dataclass(frozen=True)
class Reshape(Layer):
    """Give the values of a segment another shape, in the same order."""

    target_shape: Shape

    def output_shape(self, shape: Shape) -> Shape:
        if math.prod(self.target_shape) != math.prod(shape):
            raise ValueError(f"cannot reshape {shape} into {self.target_shape}")
        return tuple(self.target_shape)


@dataclass(frozen=True)
class Flatten(Layer):
    """Lay all values of a segment in one row."""

    def output_shape(self, shape: Shape) -> Shape:
        return (math.prod(shape),)


@dataclass(frozen=True)
class Dropout(Layer):
    """Set a fraction `rate` of the values to zero while training; no effect after."""

    rate: float


@dataclass(frozen=True)
class _Activated(Layer):
    """A layer that ends in an activation, with checks of its number of units."""

    units: int
    activation: str = "linear"

    def __post_init__(self):
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"activation={self.activation!r} is not known; use one of {list(ACTIVATIONS)}"
            )
        if self.units < 1:
            raise ValueError(f"units={self.units} must be at least 1")


@dataclass(frozen=True)
class Dense(_Activated):
    """Fully connected layer over the last axis, with an L2 penalty on its kernel."""

    l2: float = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape[:-1], self.units)

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        return (
            Weight("kernel", (shape[-1], self.units), "glorot_uniform"),
            Weight("bias", (self.units,), "zeros"),
        )


@dataclass(frozen=True)
class Conv2D(_Activated):
    """Convolution without padding, stride 1, over (frames, coefficients, channels)."""

    kernel_size: tuple[int, int] = (3, 3)
    n_axes: ClassVar[int | None] = 3

    def output_shape(self, shape: Shape) -> Shape:
        height, width = (n - k + 1 for n, k in zip(shape, self.kernel_size, strict=False))
        if min(height, width) < 1:
            raise ValueError(f"a kernel of {self.kernel_size} does not fit into {shape[:2]}")
        return (height, width, self.units)

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        return (
            Weight("kernel", (*self.kernel_size, shape[-1], self.units), "glorot_uniform"),
            Weight("bias", (self.units,), "zeros"),
        )


@dataclass(frozen=True)
class MaxPooling2D(Layer):
    """Maximum over windows of (frames, coefficients), padded as Keras' ``"same"``."""

    pool_size: tuple[int, int] = (2, 2)
    strides: int = 2
    n_axes: ClassVar[int | None] = 3

    def output_shape(self, shape: Shape) -> Shape:
        return (-(-shape[0] // self.strides), -(-shape[1] // self.strides), shape[2])


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """Normalise each channel; Keras' momentum (0.99) and epsilon (0.001)."""

    epsilon: ClassVar[float] = 1e-3

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        n = (shape[-1],)
        return (
            Weight("gamma", n, "ones"),
            Weight("beta", n, "zeros"),
            Weight("moving_mean", n, "zeros", trainable=False),
            Weight("moving_variance", n, "ones", trainable=False),
        )


@dataclass(frozen=True)
class LSTM(Layer):
    """Long short-term memory over the frames (Keras' gate order: i, f, c, o)."""

    units: int
    return_sequences: bool = False
    n_axes: ClassVar[int | None] = 2

    def __post_init__(self):
        if self.units < 1:
            raise ValueError(f"units={self.units} must be at least 1")

    def output_shape(self, shape: Shape) -> Shape:
        return (shape[0], self.units) if self.return_sequences else (self.units,)

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        return (
            Weight("kernel", (shape[-1], 4 * self.units), "glorot_uniform"),
            Weight("recurrent_kernel", (self.units, 4 * self.units), "orthogonal"),
            Weight("bias", (4 * self.units,), "unit_forget_bias"),
        )


LAYERS: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (Reshape, Flatten, Dropout, Dense, Conv2D, MaxPooling2D, BatchNormalization, LSTM)
}


@dataclass(frozen=True)
class Architecture:
    """A network: the shape of one segment and the layers it goes through.

    Parameters
    ----------
    input_shape : tuple (n_frames, n_coefficients)
        Shape of one segment.
    layers : tuple of Layer
        From the input to the class probabilities.

    Raises
    ------
    TypeError
        For a layer that is none of :data:`LAYERS`.
    ValueError
        For layers that do not fit each other.
    """

    input_shape: Shape
    layers: tuple[Layer, ...]

    def __post_init__(self):
        for layer in self.layers:
            if type(layer) not in LAYERS.values():
                raise TypeError(f"unknown layer {layer!r}; the known layers are {sorted(LAYERS)}")
        _ = self.shapes  # layers that do not fit each other raise here

    @cached_property
    def shapes(self) -> tuple[Shape, ...]:
        """Shape of a segment before each layer and after the last."""
        shapes = [tuple(self.input_shape)]
        for i, layer in enumerate(self.layers):
            if layer.n_axes not in (None, len(shapes[-1])):
                raise ValueError(
                    f"layer {i}, {layer!r}, takes {layer.n_axes} axes a segment and gets "
                    f"shape {shapes[-1]}; put a Reshape or Flatten layer before it"
                )
            shapes.append(layer.output_shape(shapes[-1]))
        return tuple(shapes)

    @cached_property
    def weights(self) -> tuple[tuple[Weight, ...], ...]:
        """Weights of each layer."""
        return tuple(
            layer.weights(shape) for layer, shape in zip(self.layers, self.shapes, strict=False)
        )

    def count_parameters(self, *, trainable_only: bool = False) -> int:
        """Count the numbers in all weights."""
        return sum(
            math.prod(weight.shape)
            for weights in self.weights
            for weight in weights
            if weight.trainable or not trainable_only
        )


# ---------------------------------------------------------------- the reference networks


def ann_layers(hidden_units: Sequence[int], dropout: float, l2: float) -> list[Layer]:
    """Hidden layers of the published dense network."""
    layers: list[Layer] = [Flatten()]
    for units in hidden_units:
        layers += [Dense(units, "relu", l2=l2), Dropout(dropout)]
    return layers


def cnn_layers(
    input_shape: Shape, filters: Sequence[int], dense_units: int, dropout: float
) -> list[Layer]:
    """Hidden layers of the published convolutional network.

    Kernels and pools are 3 x 3 in the first two blocks and 2 x 2 in later ones; where
    the input is smaller than that they shrink to it.
    """
    shape = (*input_shape, 1)
    layers: list[Layer] = [Reshape(shape)]
    for i, n_filters in enumerate(filters):
        size = 3 if i < 2 else 2
        conv = Conv2D(n_filters, "relu", (min(size, shape[0]), min(size, shape[1])))
        shape = conv.output_shape(shape)
        pool = MaxPooling2D((min(size, shape[0]), min(size, shape[1])))
        shape = pool.output_shape(shape)
        layers += [conv, pool, BatchNormalization()]
    return [*layers, Flatten(), Dense(dense_units, "relu"), Dropout(dropout)]


def lstm_layers(units: Sequence[int], dense_units: int, dropout: float) -> list[Layer]:
    """Hidden layers of the published recurrent network."""
    last = len(units) - 1
    layers: list[Layer] = [LSTM(n, return_sequences=i < last) for i, n in enumerate(units)]
    return [*layers, Dense(dense_units, "relu"), Dropout(dropout)]
