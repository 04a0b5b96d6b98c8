"""Validation of arguments before any audio is read and any model is fitted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import get_tags

from ._sklearn import Interval

AT_LEAST_0 = Interval(Integral, 0, None, closed="left")
AT_LEAST_1 = Interval(Integral, 1, None, closed="left")
AT_LEAST_2 = Interval(Integral, 2, None, closed="left")
POSITIVE = Interval(Real, 0, None, closed="neither")

#: Maximum number of tracks, classes or groups that are listed in a message.
MAX_LISTED = 5


def list_names(names: Iterable, limit: int = MAX_LISTED) -> str:
    """Join the first names for a message."""
    named = list(map(str, names))
    return ", ".join(named[:limit]) + (", ..." if len(named) > limit else "")


def check_number(name: str, value: Any, *allowed: Interval | None) -> None:
    """Raise ValueError unless a number is in one of the ranges, or None if that is allowed.

    NaN, infinity and booleans are in no range.
    """
    if not any(
        value is None if choice is None else choice.is_satisfied_by(value) for choice in allowed
    ):
        raise ValueError(f"{name}={value!r} must be {' or '.join(map(str, allowed))}.")


def check_sequence(name: str, values: Any) -> None:
    """Raise TypeError unless `values` is an ordered collection with a length.

    A string would be taken as a list of characters, and the order of a set is arbitrary.
    """
    if isinstance(values, str | bytes | os.PathLike):
        raise TypeError(
            f"{name} must contain one value per track; got the single value {values!r}. Pass a "
            f"list: [{values!r}]."
        )
    unordered = isinstance(values, set | frozenset | Mapping | Iterator)
    has_length = hasattr(values, "__len__") or hasattr(values, "__array__")
    if unordered or not has_length or getattr(values, "ndim", 1) == 0:
        raise TypeError(
            f"{name} must be a list or an array with one value per track; got {values!r:.100}, of "
            f"type {type(values).__name__}."
        )


def check_labels(y: Any, n_tracks: int | None = None, name: str = "y") -> np.ndarray:
    """Validate the labels of tracks.

    Parameters
    ----------
    y : array-like of shape (n_tracks,) or (n_tracks, n_outputs)
        Labels.
    n_tracks : int, default=None
        Number of tracks. If None, it is not checked.
    name : str, default="y"
        Name of the argument in messages.

    Returns
    -------
    y : ndarray
        The labels.

    Raises
    ------
    TypeError
        If `y` is not an ordered collection.
    ValueError
        If labels are missing (None or NaN) or cannot be compared with each other, or if their
        number is wrong.
    """
    return _check_values(y, n_tracks, name, "label", "Label these tracks, or leave them out.")


def check_groups(groups: Any, n_tracks: int | None = None, name: str = "groups") -> np.ndarray:
    """Validate the groups of tracks, such as artists, like :func:`check_labels`."""
    return _check_values(
        groups,
        n_tracks,
        name,
        "group",
        "Give each track of an unknown artist a group of its own, for example its path.",
    )


def _check_values(
    values: Any, n_tracks: int | None, name: str, what: str, remedy: str
) -> np.ndarray:
    import pandas as pd  # takes longer to import than a front end

    check_sequence(name, values)
    if not hasattr(values, "__array__"):
        values = list(values)
    # In a list, NumPy would convert None and NaN to strings if there are other strings.
    as_given = np.asarray(values, dtype=object if isinstance(values, list) else None)
    n = len(as_given)
    if what == "group" and as_given.ndim != 1:
        raise ValueError(
            f"{name} must be one-dimensional, with one group per track; got shape {as_given.shape}."
        )
    if n_tracks is not None and n != n_tracks:
        raise ValueError(
            f"{name} and the tracks have inconsistent numbers of samples: {n} {what}s for "
            f"{n_tracks} tracks. Pass one {what} per track."
        )
    missing = np.flatnonzero(pd.isna(as_given).any(axis=tuple(range(1, as_given.ndim))))
    if len(missing):
        raise ValueError(
            f"{name} contains NaN or None: {len(missing)} of {n} tracks have no {what}, tracks "
            f"{list_names(missing)}. {remedy}"
        )
    if as_given.dtype == object:
        try:
            np.unique(as_given)
        except TypeError:
            types = sorted({type(value).__name__ for value in as_given.flat})
            raise ValueError(
                f"{name} contains {what}s of types that cannot be compared: {', '.join(types)}. "
                f"Convert them to strings: list(map(str, {name}))."
            ) from None
    return np.asarray(values)


def check_two_classes(name: str, classes: np.ndarray) -> None:
    """Raise ValueError if the argument `name` contains fewer than two classes."""
    if len(classes) < 2:
        found = f"only one class, {classes.tolist()[0]!r}" if len(classes) else "no classes"
        raise ValueError(f"{name} contains {found}; at least two are required.")


def check_comparable(**labels: np.ndarray) -> None:
    """Raise ValueError if some labels are strings and others are numbers, which are never equal.

    Parameters
    ----------
    **labels : ndarray
        Labels by the names of the arguments.
    """
    kinds = {name: _is_text(values) for name, values in labels.items() if values.size}
    if len(set(kinds.values())) > 1:
        listed = ", ".join(
            f"{name} {'strings' if is_text else 'numbers'} such as {labels[name].flat[0]!r}"
            for name, is_text in kinds.items()
        )
        raise ValueError(
            f"Labels of different types are never equal: {listed}. Convert all of them to strings."
        )


def _is_text(values: np.ndarray) -> bool:
    return values.dtype.kind in "UST" or isinstance(values.flat[0], str | bytes)


def check_classifier(name: str, model: Any) -> None:
    """Raise TypeError if a model cannot be used as a classifier.

    Models of unknown kind are accepted if they have the methods ``fit`` and ``predict``.
    """
    if isinstance(model, type):
        raise TypeError(f"{name} must be a classifier, not a class; pass {model.__name__}().")
    kind = get_tags(model).estimator_type if hasattr(model, "__sklearn_tags__") else None
    has_methods = hasattr(model, "fit") and hasattr(model, "predict")
    if not has_methods or kind not in ("classifier", None):
        raise TypeError(
            f"{name} must be a classifier with the methods fit and predict; got {model!r:.200}."
        )
