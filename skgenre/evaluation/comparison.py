"""Cross-validation of several models on the same folds, and measurement of leakage."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_validate
from sklearn.utils import indexable
from sklearn.utils.multiclass import check_classification_targets

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
from ..folds import check_folds


def compare_models(
    models: Mapping[str, object],
    X,
    y,
    *,
    cv: Any = 5,
    groups: Any = None,
    scoring: str | Sequence[str] = ("accuracy", "f1_macro"),
    n_jobs: int | None = None,
) -> pd.DataFrame:
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
        which keep groups together; None means 5. A mapping compares several strategies by name.
        The folds are drawn once and are the same for all models.
    groups : array-like of shape (n_samples,), or mapping of str to array-like, default=None
        Group labels, such as artists. They are also passed to all parts of the models that accept
        them, such as networks with early stopping. A mapping contains the groups for the
        strategies in `cv`.
    scoring : str or sequence of str, default=("accuracy", "f1_macro")
        Names of scikit-learn scorers.
    n_jobs : int, default=None
        Number of jobs to run in parallel, as in
        :func:`sklearn.model_selection.cross_validate`.

    Returns
    -------
    table : DataFrame
        One row for each model and splitting strategy, with the columns ``model`` and
        ``splitting``, the mean ``<scorer>`` and standard deviation ``<scorer>_std`` over the
        folds for each scorer, and the mean fit time ``fit_seconds``.

    Raises
    ------
    TypeError
        If a model is not a classifier.
    ValueError
        If `models` is empty or not a mapping, labels or groups are missing (None or NaN), or there
        is only one genre. Errors in the models are raised unchanged.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skgenre import compare_models, make_baseline
    >>> X, y = load_iris(return_X_y=True)
    >>> models = {name: make_baseline(name) for name in ("knn", "logistic")}
    >>> table = compare_models(models, X, y, cv=3)
    >>> table[["model", "splitting"]].values.tolist()
    [['knn', 'StratifiedKFold'], ['logistic', 'StratifiedKFold']]
    """
    if not isinstance(models, Mapping) or not models:
        raise ValueError(
            f"models must be a non-empty mapping of names to estimators; got {models!r}."
        )
    for name, model in models.items():
        check_classifier(f"The model {name!r}", model)
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
    scoring = [scoring] if isinstance(scoring, str) else list(scoring)
    rows = []
    for name, model in models.items():
        for splitting, (of, splits) in folds.items():
            fresh = clone(model)
            params, routed = route(fresh, groups=of)
            with sklearn.config_context(enable_metadata_routing=routed):
                scores = cross_validate(
                    fresh,
                    X,
                    y,
                    params=params,
                    cv=splits,
                    scoring=scoring,
                    n_jobs=n_jobs,
                    error_score="raise",
                )
            row = {"model": name, "splitting": splitting}
            for scorer in scoring:
                row[scorer] = scores[f"test_{scorer}"].mean()
                row[f"{scorer}_std"] = scores[f"test_{scorer}"].std()
            rows.append({**row, "fit_seconds": scores["fit_time"].mean()})
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
        Scores, see :func:`compare_models`. The column ``splitting`` contains ``"random pieces"``,
        ``"by track"`` or ``"by artist"``.

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
    )


def _checked(groups, n: int, name: str):
    return None if groups is None else check_groups(groups, n, name)


def model_name(model) -> str:
    """Return the class name of an estimator, or of the last step of a pipeline."""
    return type(model.steps[-1][1] if hasattr(model, "steps") else model).__name__
