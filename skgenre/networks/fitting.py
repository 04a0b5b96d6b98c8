"""Helpers of `fit`: validation of classes, track weights, output layer and history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

from .._checks import check_number
from .._sklearn import Interval
from .._warnings import warn
from ..tensor import list_tracks
from .layers import Architecture, Dense, Layer


def weigh_tracks(
    y: np.ndarray,
    mask: np.ndarray,
    weight: np.ndarray,
    class_weight: Mapping | str | None,
    classes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Select the tracks to train on and apply the class weights.

    Parameters
    ----------
    y : int ndarray of shape (n_tracks,)
        Class indices.
    mask : bool ndarray of shape (n_tracks, n_segments)
        Whether each segment exists.
    weight : ndarray of shape (n_tracks,)
        Weights of the tracks.
    class_weight : mapping, "balanced" or None
        Class weights. "balanced" refers to the tracks with a segment and nonzero weight.
    classes : ndarray of shape (n_classes,)
        All class labels. In `partial_fit`, some may not occur in `y`.

    Returns
    -------
    tracks : int ndarray of shape (n_used,)
        Indices of the tracks to use.
    weight : ndarray of shape (n_tracks,)
        Weights of the tracks, multiplied with the class weights.

    Raises
    ------
    ValueError
        If no track can be used.

    Warns
    -----
    UserWarning
        If some tracks have no segment.
    """
    has_segment = mask.any(axis=1)
    missing = np.flatnonzero(~has_segment)
    if len(missing) == len(mask):
        raise ValueError("There are no tracks to train on: no track has a segment.")
    if not weight.any():
        raise ValueError("There are no tracks to train on: all weights are zero.")
    used = has_segment & (weight > 0)
    if class_weight is not None and used.any():
        weight = weight.copy()
        weight[used] *= _class_factors(class_weight, classes, y[used])
        used &= weight > 0
    if not used.any():
        raise ValueError(
            "There are no tracks to train on: all tracks with segments have zero weight due to "
            "sample_weight or class_weight."
        )
    if len(missing):
        warn(
            f"{len(missing)} of {len(mask)} tracks have no segment and are ignored in fit: "
            f"{list_tracks(missing)}"
        )
    return np.flatnonzero(used), weight


def _class_factors(class_weight, classes: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the class weight of each label in `y`."""
    if isinstance(class_weight, str):  # "balanced", which refers to the classes in y
        return compute_sample_weight(class_weight, y)
    for label, weight in class_weight.items():
        check_number(f"class_weight[{label!r}]", weight, Interval(Real, 0, None, closed="left"))
    return compute_class_weight(class_weight, classes=classes, y=classes[y])[y]


def with_output(
    hidden: Sequence[Layer], input_shape: tuple[int, ...], n_classes: int, name: str
) -> Architecture:
    """Append the softmax output layer to the hidden layers of the classifier `name`."""
    architecture = Architecture(input_shape, (*hidden, Dense(n_classes, "softmax")))
    if architecture.shapes[-1] != (n_classes,):
        raise ValueError(
            f"The output of the last layer of {name} must be one-dimensional; got shape "
            f"{architecture.shapes[-2]}. Append a Flatten or TimePooling layer, or use an LSTM "
            "with return_sequences=False."
        )
    return architecture


def join_histories(
    before: Mapping[str, list[float]], after: Mapping[str, list[float]]
) -> dict[str, list[float]]:
    """Concatenate two histories, with NaN for the epochs in which a value was not recorded."""
    n_before, n_after = (len(history.get("loss", ())) for history in (before, after))
    return {
        name: before.get(name, [np.nan] * n_before) + after.get(name, [np.nan] * n_after)
        for name in [*after, *(name for name in before if name not in after)]
    }
