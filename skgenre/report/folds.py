"""Folds and out-of-fold predictions."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import StratifiedGroupKFold, check_cv
from sklearn.utils import Bunch

from .computed import fit_with_groups


def grouped_folds(tracks: Bunch, most: int) -> StratifiedGroupKFold:
    """Return a splitter that keeps groups together.

    Parameters
    ----------
    tracks : Bunch
        Tracks with ``target`` and ``groups``.
    most : int
        Maximum number of folds. It is reduced to the smallest number of groups of a genre.

    Returns
    -------
    splitter : StratifiedGroupKFold

    Raises
    ------
    ValueError
        If a genre has only one group.
    """
    fewest = min(
        len(set(tracks.groups[tracks.target == name])) for name in np.unique(tracks.target)
    )
    if fewest < 2:
        raise ValueError(
            "each genre must have tracks of at least two groups (artists), so that one can be used "
            "for testing; a genre has only one group. Add tracks of other artists."
        )
    return StratifiedGroupKFold(min(most, fewest), shuffle=True, random_state=0)


def draw_folds(tracks: Bunch, cv: Any) -> tuple[list, str]:
    """Draw folds and return them with a description.

    Parameters
    ----------
    tracks : Bunch
        Tracks with ``data``, ``target`` and ``groups``.
    cv : int, splitter or iterable of splits
        Cross-validation splitting strategy.

    Returns
    -------
    folds : list of (train, test) pairs of int ndarray
        Indices of each fold.
    how : str
        Description of the folds.
    """
    by = "artist" if len(set(tracks.groups)) < len(tracks.groups) else "track"
    integral: Any = Integral  # mypy does not treat int as a subtype of Integral
    if isinstance(cv, integral):
        splitter: Any = grouped_folds(tracks, cv)
        how = f"{splitter.get_n_splits()} folds by {by}, stratified by genre (StratifiedGroupKFold)"
    else:
        splitter = check_cv(cv, tracks.target, classifier=True)
        how = f"folds of {type(splitter).__name__.lstrip('_')}"
    folds = list(splitter.split(np.zeros(len(tracks.data)), tracks.target, tracks.groups))
    tested = np.concatenate([test for _, test in folds])
    if len(np.unique(tested)) < len(tested) or len(tested) < len(tracks.data):
        raise ValueError(
            f"cv must test on each track once; got {cv!r}. Use an integer, or a splitter such as "
            "StratifiedGroupKFold."
        )
    return folds, how


def shared_artists(tracks: Bunch, folds: list) -> int:
    """Return the number of tracks whose artist is also in the training set of their fold."""
    return sum(
        int(np.isin(tracks.groups[test], tracks.groups[train]).sum()) for train, test in folds
    )


def out_of_fold(model, tracks: Bunch, folds: list) -> Bunch:
    """Train a model on each fold and predict its test set.

    Returns
    -------
    predicted : Bunch
        Predictions with ``labels``, ``proba`` (None without ``predict_proba``), ``classes``, and
        ``models`` (fitted model of each fold).
    """
    classes = np.unique(tracks.target)
    labels = np.empty(len(tracks.data), tracks.target.dtype)
    proba = np.zeros((len(labels), len(classes))) if hasattr(model, "predict_proba") else None
    models = []
    for train, test in folds:
        fitted = clone(model)
        fit_with_groups(fitted, _take(tracks, train))
        paths = [tracks.data[i] for i in test]
        labels[test] = fitted.predict(paths)
        if proba is not None:
            # The training set of a fold may not contain all genres.
            columns = np.searchsorted(classes, fitted.classes_)
            proba[np.ix_(test, columns)] = fitted.predict_proba(paths)
        models.append(fitted)
    return Bunch(labels=labels, proba=proba, classes=classes, models=models)


def as_it_is(model, tracks: Bunch) -> Bunch:
    """Predict all tracks with a fitted model, see :func:`out_of_fold`."""
    has_proba = hasattr(model, "predict_proba")
    return Bunch(
        labels=np.asarray(model.predict(tracks.data)),
        proba=model.predict_proba(tracks.data) if has_proba else None,
        classes=np.asarray(model.classes_),
        models=[model],
    )


def chance(tracks: Bunch, folds: list) -> np.ndarray:
    """Predict the most frequent genre of the training set of each fold."""
    labels = np.empty_like(tracks.target)
    for train, test in folds:
        dummy = DummyClassifier().fit(np.zeros((len(train), 1)), tracks.target[train])
        labels[test] = dummy.predict(np.zeros((len(test), 1)))
    return labels


def _take(tracks: Bunch, indices) -> Bunch:
    return Bunch(
        data=[tracks.data[i] for i in indices],
        target=tracks.target[indices],
        groups=tracks.groups[indices],
    )
