"""Bootstrap confidence intervals of scores."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_consistent_length, check_random_state

#: Number of resamples that are processed at once. With 1,000 groups they take 8 MB.
_BLOCK = 1000


def _accuracy(confusion: np.ndarray) -> np.ndarray:
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum((-2, -1))


def _balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    n = confusion.sum(-1)
    # As in scikit-learn, genres that do not occur in a resample are ignored.
    return (right / np.maximum(n, 1)).sum(-1) / (n > 0).sum(-1)


def _f1_macro(confusion: np.ndarray) -> np.ndarray:
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    n = confusion.sum(-1) + confusion.sum(-2)
    return (2 * right / np.maximum(n, 1)).sum(-1) / (n > 0).sum(-1)


#: Scores that can be computed from the confusion matrix, by their names in scikit-learn.
_SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "f1_macro": _f1_macro,
}


def bootstrap_score(
    y_true,
    y_pred,
    *,
    groups=None,
    reference=None,
    scoring: str | Callable = "accuracy",
    confidence_level: float = 0.95,
    n_resamples: int = 9999,
    random_state: Any = 0,
) -> Bunch:
    """Compute a score and its confidence interval by bootstrap over groups.

    In each resample, whole groups (artists) are drawn with replacement, with all of their tracks.
    The bounds of the interval are percentiles of the scores of the resamples [1]_. Since tracks
    of the same artist are similar, resampling tracks would underestimate the uncertainty.

    Parameters
    ----------
    y_true : array-like of shape (n_tracks,)
        True genres.
    y_pred : array-like of shape (n_tracks,)
        Predicted genres. The tracks should not have been used for training.
    groups : array-like of shape (n_tracks,), default=None
        Group labels, usually artists. If None, each track is a group.
    reference : array-like of shape (n_tracks,), default=None
        Predictions of another model for the same tracks. If given, the difference of the scores
        of `y_pred` and `reference` on the same resamples is returned.
    scoring : {"accuracy", "balanced_accuracy", "f1_macro"} or callable, default="accuracy"
        Name of the score, or a function ``scoring(y_true, y_pred)`` that returns a float.
    confidence_level : float, default=0.95
        Confidence level of the interval, between 0 and 1.
    n_resamples : int, default=9999
        Number of resamples.
    random_state : int, RandomState instance or None, default=0
        Controls the resampling.

    Returns
    -------
    result : Bunch
        Dictionary-like object with the following attributes.

        score : float
            Score of all tracks.
        low, high : float
            Bounds of the confidence interval.
        n_groups : int
            Number of groups.
        distribution : ndarray of shape (n_resamples,)
            Scores of the resamples.

    Raises
    ------
    ValueError
        If there are no tracks, the lengths of the arrays differ, or `scoring`,
        `confidence_level` or `n_resamples` is invalid.

    Notes
    -----
    For the accuracy, the interval is that of :func:`scipy.stats.bootstrap` with ``paired=True``
    and ``method="percentile"``, applied to the numbers of correct predictions and of tracks of
    each group. The interval reflects the choice of artists in the collection. It does not reflect
    the variation due to the random seed of the model or the choice of the training set, and is
    too narrow for fewer than about twenty groups.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", chapter 13,
       Chapman & Hall, 1993.

    Examples
    --------
    >>> from skgenre import bootstrap_score
    >>> y_true = ["jazz", "jazz", "rock", "rock", "rock"]
    >>> y_pred = ["jazz", "rock", "rock", "rock", "rock"]
    >>> result = bootstrap_score(y_true, y_pred, groups=["a", "a", "b", "c", "c"])
    >>> result.score, result.low, result.high, result.n_groups
    (0.8, 0.5, 1.0, 3)
    """
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    predictions = [y_pred] if reference is None else [y_pred, np.asarray(reference)]
    groups = np.arange(len(y_true)) if groups is None else np.asarray(groups)
    check_consistent_length(y_true, *predictions, groups)
    if not len(y_true):
        raise ValueError("There are no tracks to score.")
    if not (callable(scoring) or scoring in _SCORES):
        raise ValueError(
            f"scoring must be one of {list(_SCORES)} or a callable scoring(y_true, y_pred); got "
            f"{scoring!r}."
        )
    real: Any = Real  # mypy does not treat float as a subtype of Real
    if not (isinstance(confidence_level, real) and 0 < confidence_level < 1):
        raise ValueError(f"confidence_level must be between 0 and 1; got {confidence_level!r}.")
    integral: Any = Integral
    if not (isinstance(n_resamples, integral) and n_resamples > 0):
        raise ValueError(f"n_resamples must be a positive integer; got {n_resamples!r}.")
    names, group = np.unique(groups, return_inverse=True)
    group = group.ravel()
    make: Any = _score_by_calls if callable(scoring) else _score_by_counts
    scores = [make(y_true, predicted, group, scoring) for predicted in predictions]

    def score(draws: np.ndarray) -> np.ndarray:
        first, *others = [function(draws) for function in scores]
        return first - others[0] if others else first

    rng = check_random_state(random_state)
    n = len(names)
    distribution = np.concatenate(
        [
            score(rng.randint(0, n, (min(_BLOCK, n_resamples - start), n)))
            for start in range(0, n_resamples, _BLOCK)
        ]
    )
    outside = (1 - confidence_level) / 2
    low, high = np.percentile(distribution, [100 * outside, 100 * (1 - outside)])
    return Bunch(
        score=float(score(np.arange(n)[None])[0]),
        low=float(low),
        high=float(high),
        n_groups=n,
        distribution=distribution,
    )


def _score_by_counts(y_true, y_pred, group: np.ndarray, scoring: str) -> Callable:
    """Return a function that scores resamples of groups by their confusion matrices."""
    classes, codes = np.unique(np.concatenate([y_true, y_pred]), return_inverse=True)
    codes = codes.ravel()
    k, n = len(classes), group.max() + 1
    confusion = np.zeros((n, k, k))
    np.add.at(confusion, (group, codes[: len(y_true)], codes[len(y_true) :]), 1)

    def score(draws: np.ndarray) -> np.ndarray:
        # The confusion matrix of a resample is the sum of the matrices of its groups, weighted by
        # the number of times that they were drawn.
        rows = np.arange(len(draws))[:, None] * n
        times = np.bincount((draws + rows).ravel(), minlength=len(draws) * n)
        total = times.reshape(len(draws), n).astype(float) @ confusion.reshape(n, k * k)
        return _SCORES[scoring](total.reshape(-1, k, k))

    return score


def _score_by_calls(y_true, y_pred, group: np.ndarray, scoring: Callable) -> Callable:
    """Return a function that scores resamples of groups by calling `scoring`."""
    tracks = [np.flatnonzero(group == i) for i in range(group.max() + 1)]

    def score(draws: np.ndarray) -> np.ndarray:
        drawn = [np.concatenate([tracks[i] for i in draw]) for draw in draws]
        return np.array([float(scoring(y_true[i], y_pred[i])) for i in drawn])

    return score
