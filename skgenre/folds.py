"""Folds that keep groups together, and the passing of groups and weights to the parts of a model.

Everything that draws folds uses :func:`check_folds`, so that ``cv`` and ``groups`` mean the same
everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Integral
from typing import Any

import numpy as np
import sklearn
from sklearn.base import is_classifier
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils.metadata_routing import get_routing_for_object

from ._checks import AT_LEAST_2, check_number

#: How messages call groups, which are usually artists.
GROUP = "group (artist)", "groups (artists)"

#: Number of folds if ``cv`` is None, as in scikit-learn.
_DEFAULT_FOLDS = 5


def check_folds(cv: Any, y=None, groups=None) -> Any:
    """Return the splitter for the parameter ``cv`` of a function that takes classes and groups.

    Parameters
    ----------
    cv : int, cross-validation generator, iterable or None
        Splitting strategy. An int is the maximum number of folds; None means 5. Splitters and
        iterables of index pairs are returned as splitters.
    y : array-like of shape (n_samples,), default=None
        Class labels. An int then means stratified folds.
    groups : array-like of shape (n_samples,), default=None
        Group labels. An int then means folds that keep groups together: ``StratifiedGroupKFold``,
        shuffled with a fixed seed, or ``GroupKFold`` without `y`.

    Returns
    -------
    splitter : object
        Splitter with ``split(X, y, groups)``. Its number of folds is at most the number of groups
        (or samples, without groups) of the rarest class.

    Raises
    ------
    ValueError
        If a class has only one group, or one sample, or `cv` is an int below 2.
    """
    integral: Any = Integral  # mypy does not treat int as a subtype of Integral
    if cv is not None and not isinstance(cv, integral):
        return check_cv(cv, y, classifier=y is not None)
    check_number("cv", cv, AT_LEAST_2, None)
    n_folds = _DEFAULT_FOLDS if cv is None else int(cv)
    if y is None:
        return check_cv(n_folds) if groups is None else GroupKFold(n_folds)
    counts = count_groups(y, groups)
    fewest = min(counts.values())
    if fewest < 2:
        alone = ", ".join(str(label) for label, n in counts.items() if n < 2)
        one, several = ("sample", "samples") if groups is None else GROUP
        raise ValueError(
            f"each class must have at least two {several}, so that one can be used for testing; "
            f"there is only one {one} of {alone}. Add tracks"
            f"{'' if groups is None else ' of other artists'}, or leave out these classes."
        )
    if groups is None:
        return StratifiedKFold(min(n_folds, fewest))
    # Without shuffling, ties between groups are broken by the order of the samples.
    return StratifiedGroupKFold(min(n_folds, fewest), shuffle=True, random_state=0)


def count_groups(y, groups=None) -> dict[Any, int]:
    """Count the groups of each class, or its samples if `groups` is None."""
    y = np.asarray(y)
    group = np.arange(len(y)) if groups is None else np.asarray(groups)
    return {label: len(np.unique(group[y == label])) for label in np.unique(y).tolist()}


def with_metadata() -> Any:
    """Return a context in which scikit-learn routes metadata to the parts of a model."""
    return sklearn.config_context(enable_metadata_routing=True)


def accepted(model, names: Iterable[str]) -> set[str]:
    """Return the names of the metadata to pass to ``model.fit`` within :func:`with_metadata`.

    If metadata routing is enabled, the user has set what the parts of a model request. Otherwise,
    all parts that accept groups request them, and all classifiers that accept sample weights, also
    for scores inside a search.

    Parameters
    ----------
    model : estimator
        The model. Requests are set in place.
    names : iterable of str
        Names of metadata, such as ``"groups"`` and ``"sample_weight"``.

    Returns
    -------
    names : set of str
        The names that a part of the model requests. The others must not be passed.
    """
    names = list(names)
    by_user = sklearn.get_config()["enable_metadata_routing"]
    with with_metadata():
        for part in () if by_user else _parts(model):
            for method in ("fit", "score"):
                own = getattr(part._get_metadata_request(), method).requests
                unset = {
                    name: name == "groups" or is_classifier(part)
                    for name in names
                    if name in own and own[name] is None
                }
                if unset:
                    getattr(part, f"set_{method}_request")(**unset)
        return set(get_routing_for_object(model).consumes("fit", names))


def weight_names(model) -> set[str]:
    """Return the names under which the parts of a model request sample weights in ``fit``."""
    requests = (
        part._get_metadata_request().fit.requests.get("sample_weight") for part in _parts(model)
    )
    return {"sample_weight", *(alias for alias in requests if isinstance(alias, str))}


def _parts(model) -> list:
    """Return a model and the estimators in it that can request metadata."""
    return [
        part
        for part in [model, *model.get_params().values()]
        if hasattr(part, "fit") and hasattr(part, "_get_metadata_request")
    ]


def fit_with_groups(model, X, y, groups) -> Any:
    """Fit a model, passing groups to all of its parts that accept them; return the model.

    If each sample is a group of its own, nothing is known about groups and none are passed.
    """
    if len(set(groups)) == len(groups) or not accepted(model, ["groups"]):
        return model.fit(X, y)
    with with_metadata():
        return model.fit(X, y, groups=groups)
