"""Computation of all tables of an evaluation report."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from sklearn.utils import Bunch
from sklearn.utils.multiclass import check_classification_targets

from .._checks import (
    AT_LEAST_0,
    AT_LEAST_1,
    check_classifier,
    check_groups,
    check_labels,
    check_number,
    check_two_classes,
)
from .._progress import one_bar, work_of_fit
from ..audio import AudioError
from ..datasets import count_known_artists
from ..evaluation import bootstrap_score, calibration_error, compare_models, leakage_report
from ..evaluation.comparison import model_name
from ..evaluation.out_of_fold import (
    compute_features,
    count_shared_artists,
    draw_folds,
    name_groups,
    predict_fitted,
    predict_out_of_fold,
    restore_front_ends,
    work_of_features,
)
from ..evaluation.robustness import CONDITIONS, changed_predictions, summarize
from ..evaluation.scores import SCORES
from ..features import UnreadableTracksError
from ..features.augmented import without_copies
from ..features.front_end import check_paths
from ..features.model_front_ends import copy_with_front_ends, front_ends
from ..folds import count_groups
from ..timeline import predict_segments
from .result import EvaluationReport

#: Name of the prediction of the most frequent genre in the scores.
CHANCE = "chance"

#: Number of folds for measuring leakage, which requires three times as many fits.
_LEAKAGE_FOLDS = 3


def evaluation_report(
    models: Mapping[str, Any] | Any,
    paths,
    y,
    *,
    groups=None,
    cv: Any = 5,
    leakage: bool = True,
    robustness: int | None = 60,
    n_mistakes: int = 20,
    n_resamples: int = 9999,
    title: str = "Genre evaluation",
    n_jobs: int | None = None,
    verbose: int = 0,
    random_state: int = 0,
) -> EvaluationReport:
    """Evaluate models on tracks and create a report.

    The report contains scores with confidence intervals, misclassified tracks, calibration,
    leakage and robustness. The models are cross-validated on folds that keep groups together,
    unless ``cv="prefit"``. Features are computed only once.

    Parameters
    ----------
    models : estimator, or mapping of str to estimator
        Models to evaluate: pipelines that begin with a front end, or a ``VotingClassifier`` or
        other meta-estimator of such pipelines. They are cloned. No model can be named
        ``"chance"``, which is the name of the prediction of the most frequent genre. The scores
        of further models are compared with those of the first model.
    paths : list of str or path-like
        Tracks.
    y : array-like of shape (n_tracks,)
        Genres.
    groups : array-like of shape (n_tracks,), default=None
        Group labels, usually artists, which are used for the folds and the confidence intervals.
        If None, each track is a group.
    cv : int, splitter, iterable of splits, or "prefit", default=5
        Cross-validation splitting strategy, in which each track must be in exactly one test set.
        The number of folds is reduced if a genre has fewer groups. With ``"prefit"``, fitted
        models are evaluated on all tracks. If they were trained on these tracks, the scores are
        not valid for unseen tracks.
    leakage : bool, default=True
        Whether to also score the models on folds with leakage. This takes up to nine more fits
        per model.
    robustness : int or None, default=60
        Maximum number of tracks for :func:`skgenre.evaluation.robustness_report`. They are drawn
        at random, with similar numbers of each genre. Each track is modified in 17 ways and
        predicted by the model that was not trained on it. None omits this part.
    n_mistakes : int, default=20
        Number of misclassified tracks to list per model, beginning with those of the highest
        probability.
    n_resamples : int, default=9999
        Number of bootstrap resamples for the confidence intervals.
    title : str, default="Genre evaluation"
        Title of the report.
    n_jobs : int, default=None
        Number of files to process in parallel.
    verbose : int, default=0
        Whether to show a progress bar, with an estimate of the remaining time.
    random_state : int, default=0
        Controls the confidence intervals, the noise, and the selection of tracks for the
        robustness. It does not affect the folds, which always use the same seed.

    Returns
    -------
    report : EvaluationReport
        Report. ``report.save("report.html")`` writes it to an HTML file.

    Raises
    ------
    TypeError
        If a model does not begin with a front end, or is not a classifier.
    ValueError
        If there are no models, the lengths of the arguments differ, labels or groups are missing
        (None or NaN), there is only one genre, a genre has no usable tracks or only one group, a
        track is not tested exactly once, a genre is not among the classes of a fitted model, or a
        number is not positive.

    See Also
    --------
    compare_models : Cross-validate several models on the same folds.
    robustness_report : Measure the robustness of a model.

    Examples
    --------
    >>> from skgenre import evaluation_report, genre_pipeline
    >>> model = genre_pipeline()
    >>> report = evaluation_report(model, paths, y, groups=artists)  # doctest: +SKIP
    >>> report.save("report.html")  # doctest: +SKIP
    """
    began = time.perf_counter()
    check_number("robustness", robustness, AT_LEAST_1, None)
    check_number("n_mistakes", n_mistakes, AT_LEAST_0)
    check_number("n_resamples", n_resamples, AT_LEAST_1)
    tracks = _tracks(paths, y, groups)
    prefit = isinstance(cv, str) and cv == "prefit"
    jobs = {} if n_jobs is None else {"n_jobs": n_jobs}
    models = _prepare(models, prefit, tracks.target, on_error="warn", verbose=0, **jobs)
    n, n_fits = len(tracks.data), 0
    if not prefit:
        check_two_classes("y", np.unique(tracks.target))
        cv = list(cv) if isinstance(cv, Iterator) else cv
        folds, _ = draw_folds(tracks, cv)  # so that errors come before audio is read
        n_fits = len(folds) + (3 * _LEAKAGE_FOLDS if leakage else 0)
    work = (
        work_of_features(models, n, training=not prefit)
        + n_fits * sum(work_of_fit(model, n) for model in models.values())
        + min(robustness or 0, n) * (1 + len(CONDITIONS)) * len(models)
    )
    with one_bar(work, n, verbose):
        models, used = compute_features(models, tracks, training=not prefit)
        if prefit:
            everything = np.arange(len(used.data))
            folds, how = [(everything, everything)], "none (fitted models)"
            predicted = {name: predict_fitted(model, used) for name, model in models.items()}
        else:
            folds, how = draw_folds(used, cv)
            predicted = {name: predict_out_of_fold(m, used, folds) for name, m in models.items()}
        # The models of each fold, with their front ends, which read files again.
        fitted_models = {
            name: [restore_front_ends(model) for model in bunch.models]
            for name, bunch in predicted.items()
        }
        fold = np.empty(len(used.data), int)
        for i, (_, test) in enumerate(folds):
            fold[test] = i
        chosen = _choose(used.target, robustness or 0, random_state)
        options = {"n_jobs": n_jobs, "random_state": random_state}
        report = EvaluationReport(
            title=title,
            about={
                "folds": how,
                "by": name_groups(used),
                "prefit": prefit,
                "shared": 0 if prefit else count_shared_artists(used, folds),
                "artists_known": count_known_artists(used.data, used.groups),
                "n_groups": len(set(used.groups)),
                "n_folds": len(folds),
                "n_changed": len(chosen),
                "seed": random_state,
                "draws": n_resamples,
            },
            left_out=pd.DataFrame(used.left_out, columns=["path", "reason"]),
            tracks=_table_of_tracks(used, fold, chosen, predicted),
            **_scores(used, predicted, n_resamples, random_state),
            fold_accuracy=_over_folds(used, folds, predicted),
            **_by_genre(used, predicted),
            **_probabilities(used, predicted),
            leakage=_leakage(models, used) if leakage and not prefit else None,
            robustness=_robustness(fitted_models, used, fold, chosen, **options),
            **_mistakes(fitted_models, used, fold, predicted, n_mistakes),
        )
    report.about["seconds"] = time.perf_counter() - began
    return report


def _tracks(paths, y, groups) -> Bunch:
    paths = [os.fspath(path) for path in check_paths(paths)]
    n = len(paths)
    y = check_labels(y, n)
    check_classification_targets(y)
    groups = np.arange(n) if groups is None else check_groups(groups, n)
    return Bunch(data=paths, target=y, target_names=np.unique(y).tolist(), groups=groups)


def _prepare(models, prefit: bool, y, **params: Any) -> dict[str, Any]:
    """Copy the models and configure their front ends to warn about unusable files."""
    if not isinstance(models, Mapping):
        models = {model_name(models): models}
    if not models:
        raise ValueError("models must contain at least one model.")
    if CHANCE in models:
        raise ValueError(
            f"No model can be named {CHANCE!r}, which the report uses for the share of the most "
            "frequent genre; use another name."
        )
    for name, model in models.items():
        check_classifier(f"The model {name!r}", model)
    if prefit:
        for name, model in models.items():
            if not hasattr(model, "classes_"):
                raise ValueError(f"{name} is not fitted, which cv='prefit' requires; call fit.")
            classes = np.asarray(model.classes_).tolist()
            if unknown := sorted(set(y.tolist()) - set(classes)):
                raise ValueError(
                    f"The genres {unknown} are not among the classes of {name}, {classes}."
                )
        return {name: copy_with_front_ends(model, **params) for name, model in models.items()}
    prepared = {name: clone(model) for name, model in models.items()}
    for model in prepared.values():
        for front_end in front_ends(model):
            front_end.set_params(**params)
    return prepared


def _table_of_tracks(used, fold, chosen, predicted) -> pd.DataFrame:
    table = {"path": used.data, "genre": used.target, "group": used.groups, "fold": fold}
    table["modified"] = np.isin(np.arange(len(fold)), chosen)
    for name, bunch in predicted.items():
        table[f"predicted: {name}"] = bunch.labels
        table[f"probability: {name}"] = _probability(bunch)
    return pd.DataFrame(table)


def _probability(bunch) -> np.ndarray:
    """Return the probability of the predicted genres, NaN if the model has none."""
    if bunch.proba is None:
        return np.full(len(bunch.labels), np.nan)
    columns = np.searchsorted(bunch.classes, bunch.labels)
    return bunch.proba[np.arange(len(columns)), columns]


def _over_folds(used, folds, predicted) -> pd.DataFrame:
    """Compute the accuracy on each fold, as scikit-learn's ``cross_val_score`` does."""
    right = {name: bunch.labels == used.target for name, bunch in predicted.items()}
    return pd.DataFrame(
        [{name: hits[test].mean() for name, hits in right.items()} for _, test in folds]
    )


def _scores(used, predicted, n_resamples: int, random_state) -> dict[str, pd.DataFrame]:
    options = {"groups": used.groups, "n_resamples": n_resamples, "random_state": random_state}
    labels = {name: bunch.labels for name, bunch in predicted.items()}
    first, *others = labels

    def row(model: str, metric: str, y_pred, reference=None) -> dict:
        result = bootstrap_score(
            used.target, y_pred, reference=reference, scoring=metric, **options
        )
        values = {name: result[name] for name in ("score", "low", "high")}
        return {"model": model, "metric": metric, **values}

    genres, counts = np.unique(used.target, return_counts=True)
    most_frequent = np.full(len(used.target), genres[counts.argmax()])
    everyone = [*labels.items(), (CHANCE, most_frequent)]
    return {
        "scores": pd.DataFrame([row(name, m, y) for name, y in everyone for m in SCORES]),
        "differences": pd.DataFrame(
            [row(name, m, labels[name], labels[first]) for name in others for m in SCORES],
            columns=["model", "metric", "score", "low", "high"],
        ),
    }


def _by_genre(used, predicted) -> dict[str, Any]:
    confusion, rows = {}, []
    for name, bunch in predicted.items():
        genres = np.union1d(np.unique(used.target), np.unique(bunch.labels))
        counts = confusion_matrix(used.target, bunch.labels, labels=genres)
        confusion[name] = pd.DataFrame(counts, genres, genres)
        columns = precision_recall_fscore_support(
            used.target, bunch.labels, labels=genres, zero_division=0
        )
        rows += [(name, *values) for values in zip(genres, *columns, strict=True)]
    columns = ["model", "genre", "precision", "recall", "f1", "tracks"]
    return {"confusion": confusion, "genres": pd.DataFrame(rows, columns=columns)}


def _probabilities(used, predicted) -> dict[str, Any]:
    with_proba = {name: bunch for name, bunch in predicted.items() if bunch.proba is not None}
    return {
        "classes": {name: bunch.classes for name, bunch in with_proba.items()},
        "proba": {name: bunch.proba for name, bunch in with_proba.items()},
        "calibration_error": {
            name: calibration_error(used.target, bunch.proba, bunch.classes)
            for name, bunch in with_proba.items()
        },
    }


def _leakage(models: dict, used: Bunch) -> pd.DataFrame | None:
    """Compute scores for random pieces, by track and by artist.

    Models without segments, or with one segment per track, are scored only by track and by artist.
    """
    by = name_groups(used)
    # All splitting strategies use the same number of folds.
    n_splits = min(_LEAKAGE_FOLDS, *count_groups(used.target, used.groups).values())
    tables = []
    for name, model in models.items():
        segments = _segments_as_samples(model, used)
        if segments is not None:
            table = leakage_report(
                {name: model[1:]}, segments, n_splits=n_splits, scoring="accuracy"
            )
            if by == "by file":  # files are the only groups
                table = table[table["splitting"] != "by track"].replace("by artist", by)
            tables.append(table)
        elif by == "by artist":
            groups = {"by track": np.arange(len(used.data)), by: used.groups}
            tables.append(
                compare_models(
                    {name: model},
                    used.data,
                    used.target,
                    cv=dict.fromkeys(groups, n_splits),
                    groups=groups,
                    scoring="accuracy",
                ).table
            )
    return pd.concat(tables, ignore_index=True) if tables else None


def _segments_as_samples(model, used: Bunch) -> dict | None:
    """Return the segments as separate samples, or None if there are no tracks with several.

    This is the case for tables, votes, and front ends with one segment per track. Segments of
    changed copies are left out, so that no model is tested on them.
    """
    if not hasattr(model, "steps"):
        return None
    front = model[0]
    X = np.asarray(without_copies(front.features))
    if X.ndim < 4:
        return None
    X = X[[front.index[path] for path in used.data]]
    track, segment = np.nonzero(~np.isnan(X[:, :, 0, 0]))
    if len(track) == len(used.data):
        return None
    return {
        "data": X[track, segment][:, None],
        "target": used.target[track],
        "track_ids": track,
        "groups": used.groups[track],
    }


def _choose(y, max_tracks: int, random_state) -> np.ndarray:
    """Return the indices of at most `max_tracks` tracks, with similar numbers for each genre."""
    order = np.random.RandomState(random_state).permutation(len(y))
    turn = pd.Series(y[order]).groupby(y[order]).cumcount().to_numpy()
    return np.sort(order[np.argsort(turn, kind="stable")[:max_tracks]])


def _robustness(fitted_models, used, fold, chosen, **options) -> pd.DataFrame | None:
    """Compute the robustness on the chosen tracks; None if there are none.

    Each track is predicted by the models of the fold in whose test set it is.
    """
    if not len(chosen):
        return None
    models = [[of_folds[fold[i]] for of_folds in fitted_models.values()] for i in chosen]
    found = changed_predictions(models, [used.data[i] for i in chosen], **options)
    tables = []
    for name, predictions in zip(fitted_models, found, strict=True):
        table = summarize(predictions, used.target[chosen], fitted_models[name][0])
        table.insert(0, "model", name)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _mistakes(fitted_models, used, fold, predicted, n_mistakes: int) -> dict[str, Any]:
    """Return the misclassified tracks with the highest probabilities and their timelines."""
    rows, timelines = [], []
    for name, bunch in predicted.items():
        probability = _probability(bunch)
        wrong = np.flatnonzero(bunch.labels != used.target)
        for i in wrong[np.argsort(-probability[wrong], kind="stable")][:n_mistakes]:
            path = used.data[i]
            rows.append((name, path, used.target[i], bunch.labels[i], probability[i]))
            timelines.append(_timeline(fitted_models[name][fold[i]], path))
    columns = ["model", "path", "genre", "predicted", "probability"]
    return {"mistakes": pd.DataFrame(rows, columns=columns), "timelines": timelines}


def _timeline(model, path) -> Bunch | None:
    try:
        start, stop, proba = predict_segments(model, path)
    except (TypeError, ValueError, AudioError, UnreadableTracksError):
        return None  # no probabilities, or no usable segment
    return Bunch(start=start, stop=stop, proba=proba, classes=np.asarray(model.classes_))
