"""Features computed once for all models and folds, and predictions of tracks that are held out.

Training and evaluation share these functions. Tracks are a Bunch with the paths ``data``, the
genres ``target``, their names ``target_names``, and the artists ``groups``, one row per track.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch

from .._metadata import fit_with_groups
from .._progress import advance_fit
from ..audio.changes import list_changes
from ..datasets import count_known_artists
from ..features import FrontEnd, UnreadableTracksError
from ..features.augmented import without_copies
from ..features.model_front_ends import (
    Computed,
    front_ends,
    identify,
    replace_front_ends,
)
from ..folds import check_folds

#: How to state the artists, for outputs about files whose artists are unknown.
NAME_ARTISTS = (
    "To name the artists, use subfolders such as rock/Artist/song.mp3, tags of the files "
    "(--genre-from tags), or a table with a column of artists (--group)."
)


def name_groups(tracks: Bunch) -> str:
    """Return ``"by artist"``, or ``"by file"`` if the artists are unknown."""
    return "by artist" if count_known_artists(tracks.data, tracks.groups) else "by file"


def name_known(n_known: int, n_tracks: int) -> str:
    """Return how many tracks have a known artist, or nothing if all or none have."""
    if n_known in (0, n_tracks):
        return ""
    return f" (artists known for {n_known} of {n_tracks} tracks)"


def compute_features(
    models: Mapping[str, Any], tracks: Bunch, *, training: bool = True
) -> tuple[dict[str, Any], Bunch]:
    """Replace the front ends of models by precomputed features and drop unusable tracks.

    Parameters
    ----------
    models : mapping of str to estimator
        Models, which are not modified. Features of equal front ends are computed once.
    tracks : Bunch
        Tracks.
    training : bool, default=True
        Whether models will be trained, on the changed copies of tracks as well, if their front ends
        have the parameter `augment`.

    Returns
    -------
    models : dict of str to estimator
        Copies of the models with precomputed features; see :func:`restore_front_ends`.
    tracks : Bunch
        Tracks that all front ends can use. ``left_out`` is a list of the paths of the other
        tracks and the reasons.

    Raises
    ------
    ValueError
        If no track of a genre can be used.
    """
    computed: dict[str, Computed] = {}
    reasons: dict[str, str] = {}

    def compute(front_end: FrontEnd) -> Computed:
        key = identify(front_end)
        if key not in computed:
            extract = front_end.fit_transform if training else front_end.transform
            X = extract(tracks.data)
            # Other tracks may have missing segments, too.
            missing = np.isnan(np.asarray(without_copies(X))).reshape(len(X), -1).all(axis=1)
            for i in np.flatnonzero(missing):
                reasons.setdefault(tracks.data[i], _reason(front_end, tracks.data[i]))
            index = {path: i for i, path in enumerate(tracks.data)}
            computed[key] = Computed(front_end, X, index)
        return computed[key]

    models = {name: replace_front_ends(model, compute) for name, model in models.items()}
    used = np.array([path not in reasons for path in tracks.data])
    left = Bunch(
        data=[path for path in tracks.data if path not in reasons],
        target=tracks.target[used],
        target_names=tracks.target_names,
        groups=tracks.groups[used],
        left_out=[(path, reasons[path]) for path in tracks.data if path in reasons],
    )
    if lost := sorted(set(tracks.target_names) - set(left.target.tolist())):
        raise ValueError(
            f"no track of {', '.join(map(str, lost))} can be used; add usable tracks, or remove "
            "the genre"
        )
    return models, left


def work_of_features(models: Mapping[str, Any], n_tracks: int, *, training: bool) -> int:
    """Return the work of :func:`compute_features`, see :mod:`skgenre._progress`."""
    each = {identify(front): front for model in models.values() for front in front_ends(model)}
    copies = sum(len(list_changes(front.augment)) for front in each.values()) if training else 0
    return n_tracks * (len(each) + copies)


def _reason(front_end, path) -> str:
    """Return the reason why a front end cannot use a file."""
    try:
        clone(front_end).set_params(on_error="raise", verbose=0).transform([path])
    except UnreadableTracksError as error:
        return error.failures[0].reason
    return "no features"


def restore_front_ends(model):
    """Copy a fitted model with its front ends instead of the features that they computed."""
    return replace_front_ends(
        model, lambda computed: clone(computed.extractor).set_params(verbose=0, memory=None)
    )


def draw_folds(tracks: Bunch, cv: Any) -> tuple[list, str]:
    """Draw folds that test each track once, and return them with a description.

    Parameters
    ----------
    tracks : Bunch
        Tracks.
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


def count_shared_artists(tracks: Bunch, folds: list) -> int:
    """Return the number of tracks whose artist is also in the training set of their fold."""
    return sum(
        int(np.isin(tracks.groups[test], tracks.groups[train]).sum()) for train, test in folds
    )


def predict_out_of_fold(model, tracks: Bunch, folds: list) -> Bunch:
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
        advance_fit(model, len(train) / len(labels))
    return Bunch(labels=labels, proba=proba, classes=classes, models=models)


def predict_fitted(model, tracks: Bunch) -> Bunch:
    """Predict all tracks with a fitted model, see :func:`predict_out_of_fold`."""
    has_proba = hasattr(model, "predict_proba")
    return Bunch(
        labels=np.asarray(model.predict(tracks.data)),
        proba=model.predict_proba(tracks.data) if has_proba else None,
        classes=np.asarray(model.classes_),
        models=[model],
    )
