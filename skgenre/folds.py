"""Folds that keep groups together.

Everything that draws folds uses :func:`check_folds`, so that ``cv`` and ``groups`` mean the same
everywhere.
"""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    check_cv,
)

from ._checks import AT_LEAST_2, check_number

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
        if groups is None:
            return KFold(n_folds)
        return GroupKFold(max(2, min(n_folds, len(np.unique(groups)))))
    counts = count_groups(y, groups)
    fewest = min(counts.values())
    if fewest < 2:
        several, lack = describe_rare(counts, groups)
        raise ValueError(
            f"each class must have at least two {several}, so that one can be used for testing; "
            f"{lack}, or leave out these classes."
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


def describe_rare(counts: dict[Any, int], groups=None) -> tuple[str, str]:
    """Return what is counted, in the plural, and a sentence on classes with only one of it."""
    one, several, of_others = (
        ("track", "tracks", "")
        if groups is None
        else ("group (artist)", "groups (artists)", " of other artists")
    )
    alone = ", ".join(str(label) for label, n in counts.items() if n < 2)
    return several, f"there is only one {one} of {alone}. Add tracks{of_others}"
