"""Networks in model files: layers, weights and training histories."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..networks.layers import LAYERS, LSTM, Architecture, Layer, MaxPooling2D
from .archive import Refused
from .values import Kind, Loading, Saving, fit_size, from_plain, to_plain

#: Limits for one segment: the number of output values of a layer, the number of values in memory
#: while a layer is computed, and the number of multiplications in all layers. The first two are
#: higher for large segments; see below.
_MOST_VALUES, _MOST_HELD, _MOST_MULTIPLICATIONS = 1 << 22, 1 << 24, 1 << 32

#: Limits that are proportional to the size of a segment: the number of values in memory and the
#: number of multiplications, both per input value. For small segments, the limit on multiplications
#: is `_FEW_MULTIPLICATIONS`.
_HELD_A_VALUE, _MULTIPLICATIONS_A_VALUE, _FEW_MULTIPLICATIONS = 1 << 8, 1 << 16, 1 << 24

#: A network that accepts any number of frames is also checked for a segment that is longer by this
#: number of frames.
_MORE_FRAMES = 1 << 12

#: Cost of one iteration of a Python loop over frames or pooling windows, expressed as the number of
#: multiplications that take as long.
_A_STEP = 1 << 16

#: Number of segments per track that is assumed to estimate the cost of a prediction.
_SEGMENTS = 4

_MOST_LAYERS = 200


@dataclass(frozen=True)
class Network(Kind):
    """An architecture and its weights."""

    def pack(self, value: Any, saving: Saving) -> Any:
        architecture, weights = value
        return {
            "input_shape": list(architecture.input_shape),
            "layers": [
                {
                    "layer": type(layer).__name__,
                    **{
                        name: list(size) if isinstance(size, tuple) else to_plain(size)
                        for name, size in dataclasses.asdict(layer).items()
                    },
                }
                for layer in architecture.layers
            ],
            "weights": [saving.arrays.add(weight) for weight in weights],
        }

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, dict) or value.keys() != {"input_shape", "layers", "weights"}:
            raise Refused("is not a network")
        layers, names = value["layers"], value["weights"]
        if not isinstance(layers, list) or not 1 <= len(layers) <= _MOST_LAYERS:
            raise Refused(f"must have a list of 1 to {_MOST_LAYERS} layers")
        shape = _integers(value["input_shape"])
        if len(shape) != 2 or math.prod(shape) > _MOST_VALUES:
            raise Refused(f"has an invalid input shape {shape}")
        try:
            architecture = Architecture(shape, tuple(map(_make_layer, layers)))
        except (TypeError, ValueError, LookupError, ZeroDivisionError) as error:
            raise Refused(f"has invalid layers: {error}") from error
        loading.spend(_SEGMENTS * _check_cost(architecture))
        fit_size("n", shape[-1], sizes)
        fit_size(1, len(architecture.shapes[-1]), sizes)
        fit_size("k", architecture.shapes[-1][0], sizes)
        shapes = [weight.shape for layer in architecture.weights for weight in layer]
        if not isinstance(names, list) or len(names) != len(shapes):
            raise Refused(f"must have {len(shapes)} weight arrays")
        weights = [loading.arrays.take(name, ("f4",)) for name in names]
        for weight, expected in zip(weights, shapes, strict=True):
            if weight.shape != expected:
                raise Refused(f"has weights of shape {weight.shape}, expected {expected}")
            if not np.isfinite(weight).all():
                raise Refused("has weights that are not finite")
        return architecture, weights


def _make_layer(described: Any) -> Layer:
    if not isinstance(described, dict) or "layer" not in described:
        raise Refused(f"{described!r:.100} is not a layer")
    name = described["layer"]
    if not isinstance(name, str) or name not in LAYERS:
        raise Refused(f"has an unknown layer {name!r:.100}; expected one of {sorted(LAYERS)}")
    expected = {field.name: field for field in dataclasses.fields(LAYERS[name])}
    sizes = {key: size for key, size in described.items() if key != "layer"}
    if sizes.keys() != expected.keys():
        raise Refused(f"has a {name} layer with keys {sorted(sizes)}, expected {sorted(expected)}")
    for key, size in sizes.items():
        kind = expected[key].type
        if isinstance(size, list):
            # The target shape of Reshape may contain one -1.
            free = name == "Reshape" and size.count(-1) == 1
            sizes[key] = _integers(size, also=-1 if free else 1)
            known = kind in ("Shape", "tuple[int, int]")
        elif kind == "float":
            known = isinstance(size, int | float) and 0 <= size <= 1e6
        elif kind == "int":
            known = type(size) is int and 1 <= size <= 1 << 20
        else:
            known = type(size).__name__ == kind
        if not known:
            raise Refused(f"has a {name} layer with invalid {key}={size!r:.50}")
    return LAYERS[name](**sizes)


def _integers(values: Any, also: int = 1) -> tuple[int, ...]:
    if not isinstance(values, list) or not 1 <= len(values) <= 4:
        raise Refused(f"{values!r:.100} is not a shape")
    if not all(type(n) is int and (0 < n <= 1 << 20 or n == also) for n in values):
        raise Refused(f"{values!r:.100} must be positive integers")
    return tuple(values)


def _check_cost(architecture: Architecture) -> float:
    """Check the computational cost of the prediction for one segment.

    A small file can be expensive to evaluate, since a convolution applies the same weights at many
    positions.

    Returns
    -------
    multiplications : float
        Number of multiplications for one segment. If the network accepts any number of frames, a
        segment with additional frames is used.
    """
    multiplications = _multiplications(architecture)
    if multiplications > _MOST_MULTIPLICATIONS:
        raise Refused(
            f"requires {multiplications:.1e} multiplications per segment, more than the maximum "
            f"{_MOST_MULTIPLICATIONS:.1e}"
        )
    if architecture.takes_any_frames:
        longer = architecture.with_frames(architecture.input_shape[0] + _MORE_FRAMES)
        multiplications = _multiplications(longer)
    return multiplications


def _multiplications(architecture: Architecture) -> float:
    """Estimate the number of multiplications and check the limits for the size of the segment."""
    n_values = math.prod(architecture.input_shape)
    most_held = max(_MOST_HELD, _HELD_A_VALUE * n_values)
    most = max(_FEW_MULTIPLICATIONS, _MULTIPLICATIONS_A_VALUE * n_values)
    multiplications = 0
    for layer, shape, before, weights in zip(
        architecture.layers,
        architecture.shapes[1:],
        architecture.shapes[:-1],
        architecture.weights,
        strict=True,
    ):
        name = type(layer).__name__
        if min(shape) < 1 or math.prod(shape) > max(_MOST_VALUES, _HELD_A_VALUE * n_values):
            raise Refused(f"has a {name} layer with an invalid or too large output shape {shape}")
        if (held := layer.n_held(before)) > most_held:
            raise Refused(f"has a {name} layer that requires {held:.1e} values in memory")
        recurrent = isinstance(layer, LSTM)
        places = before[0] if recurrent else math.prod(shape[:-1])
        steps = before[0] if recurrent else sum(getattr(layer, "pool_size", ()))
        multiplications += steps * _A_STEP + math.prod(shape)
        multiplications += places * sum(math.prod(weight.shape) for weight in weights)
        if isinstance(layer, MaxPooling2D):
            multiplications += held * sum(layer.pool_size)
    if multiplications > most:
        raise Refused(
            f"requires {multiplications:.1e} multiplications for a segment of shape "
            f"{architecture.input_shape}, more than the maximum {most:.1e}"
        )
    return multiplications


@dataclass(frozen=True)
class History(Kind):
    """A training history."""

    def pack(self, value: Any, saving: Saving) -> Any:
        return {
            name: [to_plain(float(number)) for number in values] for name, values in value.items()
        }

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("loss"), list):
            raise Refused("must contain the loss")
        history = {}
        for name, values in value.items():
            numbers = from_plain(values)
            if not isinstance(numbers, list) or not all(type(n) is float for n in numbers):
                raise Refused(f"{name!r:.50} is not a list of numbers")
            fit_size("epochs", len(numbers), sizes)
            history[name] = numbers
        return history
