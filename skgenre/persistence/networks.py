"""Networks in model files: layers in words, weights that fit them, and the losses of training."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..networks.layers import LAYERS, LSTM, Architecture, Layer, MaxPooling2D
from .archive import Refused
from .values import Kind, Loading, Saving, fit_size, from_plain, to_plain

#: Bounds of what a segment takes: values of a layer's output, values that a layer holds while it
#: computes that, and multiplications in all.
_MOST_VALUES, _MOST_HELD, _MOST_MULTIPLICATIONS = 1 << 22, 1 << 24, 1 << 32

#: The same for each value of a segment, and multiplications that are few for any segment.
_HELD_A_VALUE, _MULTIPLICATIONS_A_VALUE, _FEW_MULTIPLICATIONS = 1 << 8, 1 << 16, 1 << 24

#: Frames by which a network that takes any number of them is tried with more.
_MORE_FRAMES = 1 << 12

#: Multiplications in the time of a step of a loop, over frames or places of a window.
_A_STEP = 1 << 16

#: Segments of a track, which may be more: what a network takes of a prediction.
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
            raise Refused("is no network")
        layers, names = value["layers"], value["weights"]
        if not isinstance(layers, list) or not 1 <= len(layers) <= _MOST_LAYERS:
            raise Refused(f"has no list of 1 to {_MOST_LAYERS} layers")
        shape = _integers(value["input_shape"])
        if len(shape) != 2 or math.prod(shape) > _MOST_VALUES:
            raise Refused(f"has the input shape {shape}")
        try:
            architecture = Architecture(shape, tuple(map(_make_layer, layers)))
        except (TypeError, ValueError, LookupError, ZeroDivisionError) as error:
            raise Refused(f"has layers that do not fit each other: {error}") from error
        loading.spend(_SEGMENTS * _check_cost(architecture))
        fit_size("n", shape[-1], sizes)
        fit_size(1, len(architecture.shapes[-1]), sizes)
        fit_size("k", architecture.shapes[-1][0], sizes)
        shapes = [weight.shape for layer in architecture.weights for weight in layer]
        if not isinstance(names, list) or len(names) != len(shapes):
            raise Refused(f"its layers take {len(shapes)} weights")
        weights = [loading.arrays.take(name, ("f4",)) for name in names]
        for weight, expected in zip(weights, shapes, strict=True):
            if weight.shape != expected:
                raise Refused(f"has weights of shape {weight.shape}, expected {expected}")
            if not np.isfinite(weight).all():
                raise Refused("has weights that are not finite")
        return architecture, weights


def _make_layer(described: Any) -> Layer:
    if not isinstance(described, dict) or "layer" not in described:
        raise Refused(f"{described!r:.100} is no layer")
    name = described["layer"]
    if not isinstance(name, str) or name not in LAYERS:
        raise Refused(f"has the unknown layer {name!r:.100}; the known ones are {sorted(LAYERS)}")
    expected = {field.name: field for field in dataclasses.fields(LAYERS[name])}
    sizes = {key: size for key, size in described.items() if key != "layer"}
    if sizes.keys() != expected.keys():
        raise Refused(f"a {name} layer is described by {sorted(expected)}, not {sorted(sizes)}")
    for key, size in sizes.items():
        kind = expected[key].type
        if isinstance(size, list):
            # In the shape that a Reshape makes, one -1 stands for what is left.
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
            raise Refused(f"a {name} layer has {key}={size!r:.50}")
    return LAYERS[name](**sizes)


def _integers(values: Any, also: int = 1) -> tuple[int, ...]:
    if not isinstance(values, list) or not 1 <= len(values) <= 4:
        raise Refused(f"{values!r:.100} is no shape")
    if not all(type(n) is int and (0 < n <= 1 << 20 or n == also) for n in values):
        raise Refused(f"{values!r:.100} must be integers above 0")
    return tuple(values)


def _check_cost(architecture: Architecture) -> float:
    """Bound what a segment takes: weights that are used at every place are small in a file.

    Returns the multiplications, those for a long segment if the network takes any number of frames.
    """
    multiplications = _multiplications(architecture)
    if multiplications > _MOST_MULTIPLICATIONS:
        raise Refused(f"its layers take {multiplications:.1e} multiplications a segment")
    if architecture.takes_any_frames:
        longer = architecture.with_frames(architecture.input_shape[0] + _MORE_FRAMES)
        multiplications = _multiplications(longer)
    return multiplications


def _multiplications(architecture: Architecture) -> float:
    """Count multiplications, or what takes as long, and check them against the segment's size."""
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
            raise Refused(f"a {name} layer makes {shape} of a segment")
        if (held := layer.n_held(before)) > most_held:
            raise Refused(f"a {name} layer holds {held:.1e} values for a segment")
        recurrent = isinstance(layer, LSTM)
        places = before[0] if recurrent else math.prod(shape[:-1])
        steps = before[0] if recurrent else sum(getattr(layer, "pool_size", ()))
        multiplications += steps * _A_STEP + math.prod(shape)
        multiplications += places * sum(math.prod(weight.shape) for weight in weights)
        if isinstance(layer, MaxPooling2D):
            multiplications += held * sum(layer.pool_size)
    if multiplications > most:
        raise Refused(
            f"its layers take {multiplications:.1e} multiplications for a segment of shape "
            f"{architecture.input_shape}, more than {most:.1e}"
        )
    return multiplications


@dataclass(frozen=True)
class History(Kind):
    """Losses and accuracies of the epochs."""

    def pack(self, value: Any, saving: Saving) -> Any:
        return {
            name: [to_plain(float(number)) for number in values] for name, values in value.items()
        }

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, dict) or not isinstance(value.get("loss"), list):
            raise Refused("has no loss")
        history = {}
        for name, values in value.items():
            numbers = from_plain(values)
            if not isinstance(numbers, list) or not all(type(n) is float for n in numbers):
                raise Refused(f"{name!r:.50} is no list of numbers")
            fit_size("epochs", len(numbers), sizes)
            history[name] = numbers
        return history
