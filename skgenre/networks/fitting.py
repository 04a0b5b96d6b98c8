"""What a fit does around the training: classes, tracks, weights, the output, the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight

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
    """Find the tracks to use, and multiply their weights by those of their classes.

    Parameters
    ----------
    y : int ndarray of shape (n_tracks,)
        Indices into `classes`.
    mask : bool ndarray of shape (n_tracks, n_segments)
        Segments that exist.
    weight : ndarray of shape (n_tracks,)
        Weights of the tracks.
    class_weight : mapping, "balanced" or None
        Over the tracks that are used: those with a segment and a weight.
    classes : ndarray of shape (n_classes,)
        Labels, of which a part of the tracks need not have all.

    Returns
    -------
    tracks : int ndarray
        Indices of the tracks to use.
    weight : ndarray of shape (n_tracks,)

    Raises
    ------
    ValueError
        If no track is left.

    Warns
    -----
    UserWarning
        If tracks have no segment.
    """
    has_segment = mask.any(axis=1)
    missing = np.flatnonzero(~has_segment)
    if len(missing) == len(mask):
        raise ValueError("There is nothing to train on: no track has a segment.")
    if not weight.any():
        raise ValueError("There is nothing to train on: all weights are zero.")
    used = has_segment & (weight > 0)
    if class_weight is not None and used.any():
        weight = weight.copy()
        weight[used] *= _class_factors(class_weight, classes, y[used])
        used &= weight > 0
    if not used.any():
        raise ValueError(
            "There is nothing to train on: every track that has a segment has weight zero, by "
            "sample_weight or class_weight."
        )
    if len(missing):
        warn(
            f"{len(missing)} of {len(mask)} tracks have no segment and are left out of fit: "
            f"{list_tracks(missing)}"
        )
    return np.flatnonzero(used), weight


def _class_factors(class_weight, classes: np.ndarray, y: np.ndarray) -> np.ndarray:
    if isinstance(class_weight, str):  # over the classes that are there
        return compute_sample_weight(class_weight, y)
    return compute_class_weight(class_weight, classes=classes, y=classes[y])[y]


def check_two_classes(name: str, classes: np.ndarray) -> None:
    """Raise if `classes`, of the argument `name`, are fewer than two."""
    if len(classes) < 2:
        raise ValueError(
            f"{name} holds only one class, {classes.tolist()[0]!r}: a classifier needs at least two"
        )


def with_output(
    hidden: Sequence[Layer], input_shape: tuple[int, ...], n_classes: int, name: str
) -> Architecture:
    """Put a softmax over the classes behind the hidden layers of the classifier `name`."""
    architecture = Architecture(input_shape, (*hidden, Dense(n_classes, "softmax")))
    if architecture.shapes[-1] != (n_classes,):
        raise ValueError(
            f"The layers of {name} end in shape {architecture.shapes[-2]}; put a Flatten or "
            "TimePooling layer last, or an LSTM that does not return sequences."
        )
    return architecture


def join_histories(
    before: Mapping[str, list[float]], after: Mapping[str, list[float]]
) -> dict[str, list[float]]:
    """Append one history to another; NaN stands for epochs in which a curve was not measured."""
    n_before, n_after = (len(history.get("loss", ())) for history in (before, after))
    return {
        name: before.get(name, [np.nan] * n_before) + after.get(name, [np.nan] * n_after)
        for name in [*after, *(name for name in before if name not in after)]
    }
