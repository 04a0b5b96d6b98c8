"""Models side by side on the same folds, and the scores of splits that leak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import sklearn
from sklearn.base import clone
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
    cross_validate,
)
from sklearn.utils import indexable
from sklearn.utils.metadata_routing import get_routing_for_object


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
        Networks, baselines and whole pipelines by name. They are cloned.
    X : paths, table or tensor
        What all of the models take.
    y : sequence of n_tracks labels
        Genres.
    cv : int, splitter, iterable of splits, or mapping of str to these, default=5
        How to draw the folds; a mapping compares several schemes by name. They are drawn once,
        and all models get the same folds.
    groups : sequence of n_tracks labels, or mapping of str to these, default=None
        Artists or tracks, for splitters that use groups; a mapping gives the groups of each
        scheme in `cv` that uses some. With metadata routing they also reach the models that
        request them, as the networks do.
    scoring : str or sequence of str, default=("accuracy", "f1_macro")
        Names of scikit-learn's scorers.
    n_jobs : int, default=None
        Folds to run at once, as in :func:`sklearn.model_selection.cross_validate`.

    Returns
    -------
    table : DataFrame
        One row for each model and scheme, with the columns ``model``, ``splitting``, then for
        each scorer its mean over the folds under its name and the standard deviation under
        ``<name>_std``, and ``fit_seconds``, the mean time of a fit.

    Raises
    ------
    ValueError
        If there are no models; errors of the models themselves are raised as they are.

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
        raise ValueError(f"models={models!r} must map names to estimators, at least one")
    if not isinstance(cv, Mapping):
        cv = check_cv(cv, y, classifier=True)
        cv = {type(cv).__name__.lstrip("_"): cv}
    if not isinstance(groups, Mapping):
        groups = dict.fromkeys(cv, groups)
    scoring = [scoring] if isinstance(scoring, str) else list(scoring)
    X, y = indexable(X, y)
    folds = {
        splitting: list(check_cv(splitter, y, classifier=True).split(X, y, groups.get(splitting)))
        for splitting, splitter in cv.items()
    }
    rows = []
    for name, model in models.items():
        for splitting, splits in folds.items():
            scores = cross_validate(
                clone(model),
                X,
                y,
                **_group_arguments(model, groups.get(splitting)),
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
    """Score models on pieces of tracks under three ways to draw the folds.

    *Random pieces* is how most published figures on GTZAN's tables came about: pieces of one
    track are on both sides of the split, and the model recognises the track. *By track* keeps
    a track's pieces together, but its artist's other tracks are on the other side. *By artist*
    is what a new artist's music will meet.

    Parameters
    ----------
    models : estimator, or mapping of str to estimator
        What to score.
    table : Bunch or mapping
        With ``data``, ``target``, ``track_ids`` and ``groups`` (artists), a row per piece, as
        :func:`skgenre.datasets.load_gtzan_features` gives.
    n_splits : int, default=5
        Number of folds.
    random_state : int, default=0
        Seed of the shuffle before the folds are drawn.
    scoring : str or sequence of str, default=("accuracy", "f1_macro")
        Names of scikit-learn's scorers.
    n_jobs : int, default=None
        Folds to run at once.

    Returns
    -------
    table : DataFrame
        As :func:`compare_models` gives; ``splitting`` is ``"random pieces"``, ``"by track"`` or
        ``"by artist"``.

    See Also
    --------
    skgenre.plotting.LeakageDisplay : The same as a picture.
    """
    if not isinstance(models, Mapping):
        models = {_name(models): models}
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


def _group_arguments(model, groups) -> dict[str, Any]:
    """Arguments by which `cross_validate`, which has its folds, hands groups to a model."""
    if groups is None:
        return {}
    if not sklearn.get_config()["enable_metadata_routing"]:
        return {"groups": groups}
    # Groups that no one requests would be an error.
    requested = get_routing_for_object(model).consumes("fit", ["groups"])
    return {"params": {"groups": groups}} if requested else {}


def _name(model) -> str:
    """Class of an estimator, or of a pipeline's last step."""
    return type(model.steps[-1][1] if hasattr(model, "steps") else model).__name__
