"""Scores with intervals, by bootstrap over groups."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_consistent_length, check_random_state

#: Draws whose confusion matrices are summed at once: 1,000 of 1,000 groups take 8 MB.
_BLOCK = 1000


def _accuracy(confusion: np.ndarray) -> np.ndarray:
    return np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum((-2, -1))


def _balanced_accuracy(confusion: np.ndarray) -> np.ndarray:
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    n = confusion.sum(-1)
    # A genre that a draw lacks is in no mean, as in scikit-learn.
    return (right / np.maximum(n, 1)).sum(-1) / (n > 0).sum(-1)


def _f1_macro(confusion: np.ndarray) -> np.ndarray:
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    n = confusion.sum(-1) + confusion.sum(-2)
    return (2 * right / np.maximum(n, 1)).sum(-1) / (n > 0).sum(-1)


#: Scores that are functions of the confusion matrix, by scikit-learn's names.
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
    """Score predictions, with an interval by bootstrap over groups.

    Whole groups (artists) are drawn with replacement, as many as there are, with all of their
    tracks, and the draw is scored; the interval is between percentiles of the scores of all
    draws [1]_. Tracks of an artist are alike, and an interval over tracks would be too narrow.

    Parameters
    ----------
    y_true : array-like of shape (n_tracks,)
        Genres.
    y_pred : array-like of shape (n_tracks,)
        Predicted genres, of tracks that the model was not trained on.
    groups : array-like of shape (n_tracks,), default=None
        Artists. None takes every track for a group of its own.
    reference : array-like of shape (n_tracks,), default=None
        Predictions of another model for the same tracks. With it the score is the difference:
        that of `y_pred` less that of `reference`, both from the same draws.
    scoring : {"accuracy", "balanced_accuracy", "f1_macro"} or callable, default="accuracy"
        A callable takes true and predicted genres and returns a number; it is called for each
        draw.
    confidence_level : float, default=0.95
        Between 0 and 1.
    n_resamples : int, default=9999
        Number of draws.
    random_state : int, RandomState instance or None, default=0
        Seed of the draws.

    Returns
    -------
    result : Bunch
        With these attributes.

        score : float
            Of all tracks.
        low, high : float
            Ends of the interval.
        n_groups : int
            Number of groups that were drawn from.
        distribution : ndarray of shape (n_resamples,)
            Scores of the draws.

    Raises
    ------
    ValueError
        For no tracks, sequences of different lengths, an unknown score, a confidence level that
        is not between 0 and 1, or less than one draw.

    Notes
    -----
    Accuracy equals :func:`scipy.stats.bootstrap`, paired and by percentiles, of the groups'
    numbers of right predictions and of tracks. The interval is of the artists that might have
    been in the collection. It does not contain what another seed or another training set would
    change, and is too narrow for fewer than about twenty groups.

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
            f"scoring={scoring!r} is unknown; take one of {list(_SCORES)}, or a function of true "
            "and predicted genres"
        )
    real: Any = Real  # mypy does not take numbers for instances of these
    if not (isinstance(confidence_level, real) and 0 < confidence_level < 1):
        raise ValueError(f"confidence_level={confidence_level!r} must be between 0 and 1")
    integral: Any = Integral
    if not (isinstance(n_resamples, integral) and n_resamples > 0):
        raise ValueError(f"n_resamples={n_resamples!r} must be an integer above 0")
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
    """Make a function from draws of groups to scores, by their confusion matrices."""
    classes, codes = np.unique(np.concatenate([y_true, y_pred]), return_inverse=True)
    codes = codes.ravel()
    k, n = len(classes), group.max() + 1
    confusion = np.zeros((n, k, k))
    np.add.at(confusion, (group, codes[: len(y_true)], codes[len(y_true) :]), 1)

    def score(draws: np.ndarray) -> np.ndarray:
        # How often each draw has each group; then a draw's matrix is a sum over groups.
        rows = np.arange(len(draws))[:, None] * n
        times = np.bincount((draws + rows).ravel(), minlength=len(draws) * n)
        total = times.reshape(len(draws), n).astype(float) @ confusion.reshape(n, k * k)
        return _SCORES[scoring](total.reshape(-1, k, k))

    return score


def _score_by_calls(y_true, y_pred, group: np.ndarray, scoring: Callable) -> Callable:
    """Make a function from draws of groups to scores, by calls of a function of labels."""
    tracks = [np.flatnonzero(group == i) for i in range(group.max() + 1)]

    def score(draws: np.ndarray) -> np.ndarray:
        drawn = [np.concatenate([tracks[i] for i in draw]) for draw in draws]
        return np.array([float(scoring(y_true[i], y_pred[i])) for i in drawn])

    return score
