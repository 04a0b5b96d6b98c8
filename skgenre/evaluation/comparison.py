"""Cross-validation of several models on the same folds, and measurement of leakage."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn.base import clone
from sklearn.metrics import check_scoring, make_scorer
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.utils import Bunch, indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.parallel import Parallel, delayed

from .._checks import (
    AT_LEAST_2,
    check_classifier,
    check_groups,
    check_labels,
    check_number,
    check_sequence,
    check_two_classes,
)
from .._metadata import route
from .._progress import advance_fit
from .._sklearn import _safe_split
from ..folds import check_folds
from .scores import SCORES, bootstrap_score

#: Key of the predictions among the scores of a fold.
_PREDICTED = "predicted"


def compare_models(
    models: Mapping[str, object],
    X,
    y,
    *,
    cv: Any = 5,
    groups: Any = None,
    scoring: str | Sequence[str] = ("accuracy", "f1_macro"),
    reference: str | None = None,
    n_jobs: int | None = None,
) -> Bunch:
    """Cross-validate several models on the same folds.

    Parameters
    ----------
    models : mapping of str to estimator
        Estimators by name, such as networks, baselines or whole pipelines. They are cloned.
    X : list of paths, table or tensor
        Input of all models.
    y : array-like of shape (n_samples,)
        Genres.
    cv : int, splitter, iterable of splits, None, or mapping of str to these, default=5
        Cross-validation splitting strategy. An int is the maximum number of stratified folds,
        which keep groups together and are then shuffled with seed 0; None means 5. A mapping
        compares several strategies by name. The folds are drawn once and are the same for all
        models.
    groups : array-like of shape (n_samples,), or mapping of str to array-like, default=None
        Group labels, such as artists. They are also passed to all parts of the models that accept
        them, such as networks with early stopping. A mapping contains the groups for the
        strategies in `cv`.
    scoring : str or sequence of str, default=("accuracy", "f1_macro")
        Names of scikit-learn scorers.
    reference : str, default=None
        Name of the model with which the others are compared. Each scorer must then be one of
        those of :func:`skgenre.evaluation.bootstrap_score`.
    n_jobs : int, default=None
        Number of fits to run in parallel.

    Returns
    -------
    comparison : Bunch
        Dictionary-like object with the following attributes.

        table : DataFrame
            One row for each model and splitting strategy, with the columns ``model`` and
            ``splitting``, the mean ``<scorer>`` and standard deviation ``<scorer>_std`` over the
            folds for each scorer, and the mean fit time ``fit_seconds``. With `reference`, also
            the difference from the score of the reference, ``<scorer>_difference``, and its 95 %
            confidence interval, ``<scorer>_difference_low`` and ``<scorer>_difference_high``.
        fold_scores : DataFrame
            One row for each model, splitting strategy and fold, with the columns ``model``,
            ``splitting``, ``fold`` (from 0), ``<scorer>`` for each scorer, and ``fit_seconds``.
        predictions : DataFrame
            One row for each prediction of a test set, with the columns ``model``, ``splitting``,
            ``fold``, ``sample`` (row of `X`), ``group``, ``genre`` and ``predicted``. Without
            groups, each sample is a group.

    Raises
    ------
    TypeError
        If a model is not a classifier.
    ValueError
        If `models` is empty or not a mapping, labels or groups are missing (None or NaN), there
        is only one genre, or `reference` is not a model or cannot be used with `scoring`. Errors
        in the models are raised unchanged.

    See Also
    --------
    skgenre.plotting.ScoreIntervalDisplay.from_comparison : Plot the scores with their intervals.
    skgenre.evaluation.bootstrap_score : Compute a score, or a difference, and its interval.

    Notes
    -----
    Differences are paired: both models are trained on the same folds and predict the same samples.
    They are differences between the scores of all predictions together, which differ slightly from
    those between the means over folds if folds differ in size. The interval is computed by
    bootstrap over groups with ``bootstrap_score(..., reference=...)``. A model is not significantly
    better or worse than the reference if the interval contains 0.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgenre import compare_models, make_baseline
    >>> X, y = load_iris(return_X_y=True)
    >>> models = {name: make_baseline(name) for name in ("knn", "lda")}
    >>> comparison = compare_models(models, X, y, cv=3, scoring="accuracy", reference="knn")
    >>> columns = [f"accuracy{end}" for end in ("", "_difference", "_difference_low")]
    >>> comparison.table.set_index("model")[columns].round(2)  # doctest: +NORMALIZE_WHITESPACE
           accuracy  accuracy_difference  accuracy_difference_low
    model
    knn        0.95                 0.00                     0.00
    lda        0.99                 0.04                     0.01
    >>> comparison.predictions.query("model == 'knn'")["sample"].nunique()
    150
    """
    if not isinstance(models, Mapping) or not models:
        raise ValueError(
            f"models must be a non-empty mapping of names to estimators; got {models!r}."
        )
    for name, model in models.items():
        check_classifier(f"The model {name!r}", model)
    scoring = [scoring] if isinstance(scoring, str) else list(scoring)
    if reference is not None:
        _check_reference(reference, models, scoring)
    if isinstance(X, str | os.PathLike):
        check_sequence("X", X)
    X, y = indexable(X, check_labels(y))
    check_classification_targets(y)
    check_two_classes("y", np.unique(y))
    strategies = cv if isinstance(cv, Mapping) else {None: cv}
    by_name = isinstance(groups, Mapping)
    if by_name and (unknown := groups.keys() - strategies.keys()):
        raise ValueError(
            f"groups has the keys {sorted(unknown)}, which are no splitting strategies in cv. Use "
            "the same names."
        )
    folds = {}
    for key, strategy in strategies.items():
        of = groups.get(key) if by_name else groups
        if of is not None:
            of = check_groups(of, len(y), f"groups[{key!r}]" if by_name else "groups")
        splitter = check_folds(strategy, y, of)
        name = key or type(splitter).__name__.lstrip("_")
        folds[name] = of, list(splitter.split(X, y, of))
    found = [
        _cross_validate(name, model, X, y, splitting, *folds[splitting], scoring, n_jobs)
        for name, model in models.items()
        for splitting in folds
    ]
    fold_scores, predictions = (
        pd.concat(parts, ignore_index=True) for parts in zip(*found, strict=True)
    )
    return Bunch(
        table=_summarize(fold_scores, predictions, scoring, reference),
        fold_scores=fold_scores,
        predictions=predictions,
    )


def _check_reference(reference: str, models: Mapping, scoring: list[str]) -> None:
    if reference not in models:
        raise ValueError(f"reference must be one of the models {list(models)}; got {reference!r}.")
    if unknown := [name for name in scoring if name not in SCORES]:
        raise ValueError(
            f"With reference, scoring must be among {list(SCORES)}, for which there are "
            f"confidence intervals; got {unknown}."
        )


def _cross_validate(
    name: str, model, X, y, splitting: str, groups, folds: list, scoring: list[str], n_jobs
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the scores of each fold, and the predictions of the test sets."""
    model = clone(model)
    params, routed = route(model, groups=groups)
    classes = np.unique(y)
    # Predictions are scored as well, so that they are computed only once.
    predicted = make_scorer(_find_predicted, classes=classes)
    scorers = {**dict(zip(scoring, scoring, strict=True)), _PREDICTED: predicted}
    results = Parallel(n_jobs=n_jobs)(
        delayed(_fit_and_score)(clone(model), X, y, fold, params, routed, scorers) for fold in folds
    )
    scores, predictions = [], []
    for i, ((_, test), (row, seconds)) in enumerate(zip(folds, results, strict=True)):
        key = {"model": name, "splitting": splitting, "fold": i}
        sample = np.arange(len(y))[test]
        columns = {
            "sample": sample,
            "group": sample if groups is None else groups[sample],
            "genre": y[sample],
            "predicted": classes[row.pop(_PREDICTED)],
        }
        predictions.append(pd.DataFrame({**key, **columns}))
        scores.append({**key, **row, "fit_seconds": seconds})
    return pd.DataFrame(scores), pd.concat(predictions)


def _fit_and_score(model, X, y, fold: tuple, params: dict, routed: bool, scorers: dict):
    """Return the scores of the test set of a fold, and the fit time in seconds."""
    train, test = fold
    X_train, y_train = _safe_split(model, X, y, train)
    X_test, y_test = _safe_split(model, X, y, test, train)
    with sklearn.config_context(enable_metadata_routing=routed):
        began = time.perf_counter()
        model.fit(X_train, y_train, **{name: value[train] for name, value in params.items()})
        seconds = time.perf_counter() - began
        scores = check_scoring(model, scoring=scorers)(model, X_test, y_test)
    advance_fit(model, len(y_train) / len(y))
    return scores, seconds


def _find_predicted(y_true, y_pred, classes: np.ndarray) -> np.ndarray:
    """Return the indices of predictions in `classes`; a scorer must return numbers."""
    return np.searchsorted(classes, y_pred)


def _summarize(
    fold_scores: pd.DataFrame, predictions: pd.DataFrame, scoring: list[str], reference: str | None
) -> pd.DataFrame:
    key = ["model", "splitting"]
    predicted = dict(list(predictions.groupby(key, sort=False)))
    rows = []
    for (model, splitting), scores in fold_scores.groupby(key, sort=False):
        row = {"model": model, "splitting": splitting}
        for scorer in scoring:
            row[scorer] = scores[scorer].mean()
            row[f"{scorer}_std"] = scores[scorer].std(ddof=0)
            if reference is not None:
                own, other = predicted[model, splitting], predicted[reference, splitting]
                result = bootstrap_score(
                    own["genre"],
                    own["predicted"],
                    groups=own["group"],
                    reference=other["predicted"],
                    scoring=scorer,
                )
                row[f"{scorer}_difference"] = result.score
                row[f"{scorer}_difference_low"] = result.low
                row[f"{scorer}_difference_high"] = result.high
        rows.append({**row, "fit_seconds": scores["fit_seconds"].mean()})
    return pd.DataFrame(rows)


def leakage_report(
    models: Mapping[str, object] | object,
    table: Mapping,
    *,
    n_splits: int = 5,
    random_state: int | None = 0,
    scoring: str | Sequence[str] = ("accuracy", "f1_macro"),
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Compare the scores of models under splits with and without leakage.

    The models are cross-validated on pieces of tracks with three splitting strategies.

    - ``"random pieces"``: pieces are split at random, as for most published results on the
      feature tables of GTZAN. Pieces of the same track are in the training and in the test set,
      so that the model can recognize the track.
    - ``"by track"``: all pieces of a track are on the same side, but other tracks of the same
      artist may be on the other side.
    - ``"by artist"``: all tracks of an artist are on the same side. This score estimates the
      performance on unseen artists.

    Parameters
    ----------
    models : estimator, or mapping of str to estimator
        Models to evaluate.
    table : Bunch or mapping
        Table with one row per piece, with the keys ``data``, ``target``, ``track_ids`` and
        ``groups`` (artists), as returned by :func:`skgenre.datasets.load_gtzan_features`.
    n_splits : int, default=5
        Number of folds.
    random_state : int, default=0
        Seed for shuffling the samples before they are split.
    scoring : str or sequence of str, default=("accuracy", "f1_macro")
        Names of scikit-learn scorers.
    n_jobs : int, default=None
        Number of jobs to run in parallel.

    Returns
    -------
    table : DataFrame
        Scores, see ``table`` of :func:`compare_models`. The column ``splitting`` contains
        ``"random pieces"``, ``"by track"`` or ``"by artist"``.

    See Also
    --------
    compare_models : Compare models on arbitrary splits.
    skgenre.plotting.LeakageDisplay : Plot the scores.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import make_baseline
    >>> from skgenre.evaluation import leakage_report
    >>> rng = np.random.default_rng(0)
    >>> track_ids = np.repeat(np.arange(12), 3)  # 12 tracks of 3 pieces, by 6 artists
    >>> table = {
    ...     "data": rng.normal(size=(12, 4))[track_ids] + rng.normal(size=(36, 4)) / 10,
    ...     "target": np.array(["blues", "jazz"] * 6)[track_ids],
    ...     "track_ids": track_ids,
    ...     "groups": track_ids % 6,
    ... }
    >>> report = leakage_report(make_baseline("knn"), table, n_splits=3)
    >>> report["splitting"].tolist()
    ['random pieces', 'by track', 'by artist']
    >>> accuracy = report.set_index("splitting")["accuracy"]
    >>> bool(accuracy["random pieces"] > accuracy["by artist"])
    True
    """
    if not isinstance(models, Mapping):
        models = {model_name(models): models}
    check_number("n_splits", n_splits, AT_LEAST_2)
    shuffle = {"n_splits": n_splits, "shuffle": True, "random_state": random_state}
    by_group = StratifiedGroupKFold(**shuffle)
    return compare_models(
        models,
        table["data"],
        table["target"],
        cv={
            "random pieces": StratifiedKFold(**shuffle),
            "by track": by_group,
            "by artist": by_group,
        },
        groups={"by track": table["track_ids"], "by artist": table["groups"]},
        scoring=scoring,
        n_jobs=n_jobs,
    ).table


def model_name(model) -> str:
    """Return the class name of an estimator, or of the last step of a pipeline."""
    return type(model.steps[-1][1] if hasattr(model, "steps") else model).__name__
