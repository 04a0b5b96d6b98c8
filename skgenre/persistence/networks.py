"""Networks in model files: their layers and weights.

Of a model of ``build_model``, the file contains the shapes of input and output and the weights; the
class, which the user has to trust, builds the model.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..layers import LAYERS, Architecture, KerasArchitecture, Layer
from .archive import Refused
from .attributes import Attribute, Loader, Saver, Sizes, check_range, check_size, from_json, to_json

#: Limits of the layers: their number, each of their sizes, and the output values of each for one
#: segment.
MAX_LAYERS, MAX_SIZE, MAX_VALUES = 200, 1 << 20, 1 << 24

#: Data types of weights. Those of known layers are float32.
WEIGHT_TYPES = ("f2", "f4", "f8", "i4", "i8")


@dataclass(frozen=True)
class ArchitectureAttribute(Attribute):
    """The layers of a network, or the shapes of a model of ``build_model``."""

    def save(self, value: Any, saver: Saver) -> Any:
        if isinstance(value, KerasArchitecture):
            return {**dataclasses.asdict(value), "input_shape": list(value.input_shape)}
        layers = [
            {"layer": type(layer).__name__, **dataclasses.asdict(layer)} for layer in value.layers
        ]
        return {
            "input_shape": list(value.input_shape),
            "layers": [{name: to_json(size) for name, size in layer.items()} for layer in layers],
        }

    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> Architecture | KerasArchitecture:
        architecture: Architecture | KerasArchitecture
        keys = stored.keys() if isinstance(stored, dict) else ()
        if keys == {"input_shape", "n_classes", "takes_any_frames", "outputs"}:
            values: dict[str, Any] = {
                n: tuple(v) if isinstance(v, list) else v for n, v in stored.items()
            }
            architecture = KerasArchitecture(**values)
            if not isinstance(architecture.takes_any_frames, bool):
                raise Refused("has an invalid takes_any_frames")
            if not all(isinstance(value, float) for value in architecture.outputs):
                raise Refused("has invalid outputs")
        elif keys == {"input_shape", "layers"}:
            architecture = _make_architecture(tuple(stored["input_shape"]), stored["layers"])
        else:
            raise Refused("is not an architecture")
        shape = architecture.input_shape
        for found in architecture.shapes:
            is_shape = all(type(n) is int and n >= 1 for n in found)
            if not is_shape or math.prod(found) > MAX_VALUES:
                raise Refused(f"has a layer with an invalid or too large shape {found}")
        check_size(2, len(shape), sizes)
        check_size("n", shape[-1], sizes)
        check_size(1, len(architecture.shapes[-1]), sizes)
        check_size("k", architecture.shapes[-1][0], sizes)
        return architecture


def _make_architecture(input_shape: tuple, layers: Any) -> Architecture:
    if not isinstance(layers, list) or not 1 <= len(layers) <= MAX_LAYERS:
        raise Refused(f"must have a list of 1 to {MAX_LAYERS} layers")
    try:
        return Architecture(input_shape, tuple(map(_make_layer, layers)))
    except (TypeError, ValueError, ArithmeticError) as error:
        raise Refused(f"has invalid layers: {error}") from error


def _make_layer(stored: Any) -> Layer:
    values = {name: from_json(value) for name, value in dict(stored).items()}
    check_range(values, (-1, MAX_SIZE))
    name = values.pop("layer", None)
    if name not in list(LAYERS):
        raise Refused(f"has an unknown layer {name!r:.100}; expected one of {sorted(LAYERS)}")
    return LAYERS[name](**values)


@dataclass(frozen=True)
class WeightsAttribute(Attribute):
    """The weights of a network, whose shapes are checked by :func:`complete_network`."""

    def save(self, value: Any, saver: Saver) -> Any:
        return [saver.arrays.add(np.asarray(weight)) for weight in value]

    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> list[np.ndarray]:
        if not isinstance(stored, list):
            raise Refused("is not a list of arrays")
        return [loader.arrays.take(name, WEIGHT_TYPES) for name in stored]


def complete_network(model) -> None:
    """Check the weights of a network against its layers, and set its other attributes."""
    architecture, is_own = model.architecture_, model._is_own
    if isinstance(architecture, KerasArchitecture) != is_own:
        raise Refused(f"must {'not ' * is_own}have the layers of its architecture_")
    if not all(np.isfinite(values).all() for values in model.weights_):
        raise Refused("has weights that are not finite")
    if isinstance(architecture, Architecture):
        _check_weights(architecture, model.weights_)
    history = model.history_
    if not isinstance(history, dict) or not isinstance(history.get("loss"), list):
        raise Refused("has a history_ without a list of losses")
    model.n_iter_ = len(history["loss"])
    model._state = None  # of the optimizer


def _check_weights(architecture: Architecture, weights: list[np.ndarray]) -> None:
    expected = [weight for layer in architecture.weights for weight in layer]
    if len(weights) != len(expected):
        raise Refused(f"must have {len(expected)} weight arrays; got {len(weights)}")
    for weight, values in zip(expected, weights, strict=True):
        if values.shape != weight.shape or values.dtype != np.float32:
            found = f"{values.dtype} weights of shape {values.shape}"
            raise Refused(f"has {found}, expected float32 of shape {weight.shape}")
        if weight.name == "moving_variance" and (values < 0).any():
            raise Refused("has negative variances")
