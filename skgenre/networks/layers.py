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
PADDINGS = ("valid", "same")


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

    def n_held(self, shape: Shape) -> int:
        """Values that prediction holds at once to compute the output of one segment."""
        return math.prod(self.output_shape(shape))


def _check_activation(activation: str) -> None:
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation={activation!r} is not known; use one of {list(ACTIVATIONS)}")


def _same_size(size: int, strides: int) -> int:
    """Count the positions of a window that is padded as Keras' ``"same"``."""
    return -(-size // strides)


@dataclass(frozen=True)
class Reshape(Layer):
    """Give the values of a segment another shape, in the same order.

    One size may be -1, as in NumPy: whatever is left, such as any number of frames.
    """

    target_shape: Shape

    def output_shape(self, shape: Shape) -> Shape:
        size, known = math.prod(shape), math.prod(n for n in self.target_shape if n != -1)
        target = tuple(size // known if n == -1 and known else n for n in self.target_shape)
        if math.prod(target) != size:
            raise ValueError(f"cannot reshape {shape} into {self.target_shape}")
        return target


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
        _check_activation(self.activation)
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
class Activation(Layer):
    """An activation alone, as behind a batch normalisation."""

    activation: str = "relu"

    def __post_init__(self):
        _check_activation(self.activation)


@dataclass(frozen=True)
class Conv2D(_Activated):
    """Convolution over (frames, coefficients, channels).

    ``padding="same"`` pads with zeros to one output for each `strides` inputs; of an odd number
    of zeros the one more comes last, as in Keras.
    """

    kernel_size: tuple[int, int] = (3, 3)
    strides: int = 1
    padding: str = "valid"
    use_bias: bool = True
    n_axes: ClassVar[int | None] = 3

    def __post_init__(self):
        super().__post_init__()
        if self.padding not in PADDINGS:
            raise ValueError(f"padding={self.padding!r} is not known; use one of {list(PADDINGS)}")
        sizes = [*self.kernel_size, self.strides]
        if len(sizes) != 3 or not all(isinstance(n, int) and n > 0 for n in sizes):
            raise ValueError(
                f"kernel_size={self.kernel_size} must be two integers and strides={self.strides} "
                "one, all at least 1"
            )

    def output_shape(self, shape: Shape) -> Shape:
        if self.padding == "same":
            height, width = (_same_size(n, self.strides) for n in shape[:2])
            return (height, width, self.units)
        height, width = (
            (n - k) // self.strides + 1 for n, k in zip(shape, self.kernel_size, strict=False)
        )
        if min(height, width) < 1:
            raise ValueError(f"a kernel of {self.kernel_size} does not fit into {shape[:2]}")
        return (height, width, self.units)

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        kernel = Weight("kernel", (*self.kernel_size, shape[-1], self.units), "glorot_uniform")
        return (kernel, Weight("bias", (self.units,), "zeros")) if self.use_bias else (kernel,)

    def n_held(self, shape: Shape) -> int:
        # The values under the kernel at each place, and the padded input.
        output = self.output_shape(shape)
        under = math.prod(output[:2]) * math.prod(self.kernel_size) * shape[2]
        padded = math.prod(
            max(n, (n_out - 1) * self.strides + size)
            for n, n_out, size in zip(shape, output, self.kernel_size, strict=False)
        )
        return under + padded * shape[2] + math.prod(output)


@dataclass(frozen=True)
class MaxPooling2D(Layer):
    """Maximum over windows of (frames, coefficients), padded as Keras' ``"same"``."""

    pool_size: tuple[int, int] = (2, 2)
    strides: int = 2
    n_axes: ClassVar[int | None] = 3

    def output_shape(self, shape: Shape) -> Shape:
        height, width = (_same_size(n, self.strides) for n in shape[:2])
        return (height, width, shape[2])

    def n_held(self, shape: Shape) -> int:
        # Of one axis after the other.
        return 2 * _same_size(shape[0], self.strides) * shape[1] * shape[2]


@dataclass(frozen=True)
class TimePooling(Layer):
    """Mean over the coefficients, then mean and maximum over the frames, for each channel.

    Maps (frames, coefficients, channels) to twice the channels, means first. A network that has
    no layer before it that depends on the number of frames predicts on any number of them.
    """

    n_axes: ClassVar[int | None] = 3

    def output_shape(self, shape: Shape) -> Shape:
        return (2 * shape[2],)


@dataclass(frozen=True)
class BatchNormalization(Layer):
    """Normalise each channel; Keras' epsilon (0.001).

    The running means move by ``1 - momentum`` of the way each step.
    """

    momentum: float = 0.99
    epsilon: ClassVar[float] = 1e-3

    def __post_init__(self):
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum={self.momentum} must be at least 0 and below 1")

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

    def n_held(self, shape: Shape) -> int:
        return shape[0] * self.units

    def weights(self, shape: Shape) -> tuple[Weight, ...]:
        return (
            Weight("kernel", (shape[-1], 4 * self.units), "glorot_uniform"),
            Weight("recurrent_kernel", (self.units, 4 * self.units), "orthogonal"),
            Weight("bias", (4 * self.units,), "unit_forget_bias"),
        )


LAYERS: dict[str, type[Layer]] = {
    cls.__name__: cls
    for cls in (
        *(Reshape, Flatten, Dropout, Dense, Activation, BatchNormalization),
        *(Conv2D, MaxPooling2D, TimePooling, LSTM),
    )
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

    @cached_property
    def takes_any_frames(self) -> bool:
        """Whether it pools over time, and nothing in it depends on the number of frames."""
        if not any(isinstance(layer, TimePooling) for layer in self.layers):
            return False
        try:
            return self.with_frames(self.input_shape[0] + 1).weights == self.weights
        except ValueError:
            return False

    def with_frames(self, n_frames: int) -> Architecture:
        """Make the same layers for segments of another number of frames."""
        return Architecture((n_frames, *self.input_shape[1:]), self.layers)

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


def mel_cnn_layers(
    input_shape: Shape, filters: Sequence[int], dense_units: int, dropout: float
) -> list[Layer]:
    """Hidden layers of a convolutional network over log-mel spectrograms of any length.

    After the VGG networks of Simonyan and Zisserman (2015): small kernels and pools by 2, here
    with batch normalisation. The first kernel is 5 x 5 at every second place, others are 3 x 3.
    """
    layers: list[Layer] = [Reshape((-1, input_shape[1], 1))]
    for i, n_filters in enumerate(filters):
        size, strides = (3, 1) if i else (5, 2)
        layers += [MaxPooling2D()] if i else []
        layers += [
            Conv2D(n_filters, "linear", (size, size), strides, "same", use_bias=False),
            BatchNormalization(0.9),
            Activation("relu"),
        ]
    layers += [TimePooling(), BatchNormalization(0.9), Dropout(dropout)]
    return [*layers, Dense(dense_units, "relu"), Dropout(dropout)]
