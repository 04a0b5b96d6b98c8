"""Folds and out-of-fold predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch

from ..datasets import count_known_artists
from ..folds import check_folds, fit_with_groups

#: How to state the artists, for outputs about files whose artists are unknown.
NAME_ARTISTS = (
    "To name the artists, use subfolders such as rock/Artist/song.mp3, tags of the files "
    "(--genre-from tags), or a table with a column of artists (--group)."
)


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
    splitter = check_folds(cv, tracks.target, tracks.groups)
    folds = list(splitter.split(np.zeros(len(tracks.data)), tracks.target, tracks.groups))
    tested = np.concatenate([test for _, test in folds])
    if len(np.unique(tested)) < len(tested) or len(tested) < len(tracks.data):
        raise ValueError(
            f"cv must test on each track once; got {cv!r}. Use an integer, or a splitter such as "
            "StratifiedGroupKFold."
        )
    name = type(splitter).__name__.lstrip("_")
    return folds, f"{len(folds)} folds {name_groups(tracks)} ({name})"


def name_groups(tracks: Bunch) -> str:
    """Return ``"by artist"``, or ``"by file"`` if the artists are unknown."""
    return "by artist" if count_known_artists(tracks.data, tracks.groups) else "by file"


def name_known(n_known: int, n_tracks: int) -> str:
    """Return how many tracks have a known artist, or nothing if all or none have."""
    if n_known in (0, n_tracks):
        return ""
    return f" (artists known for {n_known} of {n_tracks} tracks)"


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
        of_tracks = tracks.target[train], tracks.groups[train]
        fit_with_groups(fitted, [tracks.data[i] for i in train], *of_tracks)
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
