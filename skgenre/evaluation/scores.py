"""Scores of predictions: confidence intervals, calibration error and coverage.

Arrays have one row per track. Columns of probabilities are in the order of `classes`. Groups are
artists.
"""

from __future__ import annotations

from collections.abc import Callable
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from sklearn.utils import Bunch, check_random_state

from .._checks import AT_LEAST_1, check_comparable, check_groups, check_labels, check_number
from .._sklearn import Interval

#: Number of values in the arrays of the resamples that are processed at once, 4 MB each.
_BLOCK_VALUES = 1 << 19


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
SCORES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
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
    scoring: str = "accuracy",
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
    scoring : {"accuracy", "balanced_accuracy", "f1_macro"}, default="accuracy"
        Name of the score.
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
        If there are no tracks, the lengths of the arrays differ, labels or groups are missing
        (None or NaN), the true and predicted labels are of different types, or `scoring`,
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
    >>> from skgenre.evaluation import bootstrap_score
    >>> y_true = ["jazz", "jazz", "rock", "rock", "rock"]
    >>> y_pred = ["jazz", "rock", "rock", "rock", "rock"]
    >>> result = bootstrap_score(y_true, y_pred, groups=["a", "a", "b", "c", "c"])
    >>> result.score, result.low, result.high, result.n_groups
    (0.8, 0.5, 1.0, 3)
    """
    y_true = check_labels(y_true, None, "y_true")
    n_tracks = len(y_true)
    if not n_tracks:
        raise ValueError("There are no tracks to score.")
    labels = {"y_pred": y_pred, "reference": reference}
    predictions = {
        name: check_labels(values, n_tracks, name)
        for name, values in labels.items()
        if values is not None
    }
    check_comparable(y_true=y_true, **predictions)
    groups = np.arange(n_tracks) if groups is None else check_groups(groups, n_tracks)
    if scoring not in SCORES:
        raise ValueError(f"scoring must be one of {list(SCORES)}; got {scoring!r}.")
    check_number("confidence_level", confidence_level, Interval(Real, 0, 1, closed="neither"))
    check_number("n_resamples", n_resamples, AT_LEAST_1)
    names, group = np.unique(groups, return_inverse=True)
    group = group.ravel()
    scores = [
        _score_of_resamples(y_true, predicted, group, scoring) for predicted in predictions.values()
    ]

    def score(draws: np.ndarray) -> np.ndarray:
        first, *others = [function(draws) for function in scores]
        return first - others[0] if others else first

    rng = check_random_state(random_state)
    n = len(names)
    n_classes = len(np.unique(np.concatenate([y_true, *predictions.values()])))
    block = max(1, _BLOCK_VALUES // max(n, n_classes**2))
    distribution = np.concatenate(
        [
            score(rng.randint(0, n, (min(block, n_resamples - start), n)))
            for start in range(0, n_resamples, block)
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


def _score_of_resamples(y_true, y_pred, group: np.ndarray, scoring: str) -> Callable:
    """Return a function that scores resamples of groups by their confusion matrices."""
    classes, codes = np.unique(np.concatenate([y_true, y_pred]), return_inverse=True)
    codes = codes.ravel()
    k, n = len(classes), group.max() + 1
    cell = codes[: len(y_true)] * k + codes[len(y_true) :]
    # The confusion matrix of each group as a row, which has few entries.
    confusion = csr_array((np.ones(len(cell)), (group, cell)), shape=(n, k * k))

    def score(draws: np.ndarray) -> np.ndarray:
        # The confusion matrix of a resample is the sum of the matrices of its groups, weighted by
        # the number of times that they were drawn.
        rows = np.arange(len(draws))[:, None] * n
        times = np.bincount((draws + rows).ravel(), minlength=len(draws) * n)
        # In C order, so that sums over classes do not depend on SciPy's choice.
        total = np.ascontiguousarray(times.reshape(len(draws), n) @ confusion)
        return SCORES[scoring](total.reshape(-1, k, k))

    return score


def top_probability(y_true, proba, classes) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest probability of each track and whether the prediction is correct.

    Parameters
    ----------
    y_true : array-like of shape (n_tracks,)
        True genres.
    proba : array-like of shape (n_tracks, n_classes)
        Predicted class probabilities.
    classes : array-like of shape (n_classes,)
        Genres of the columns of `proba`.

    Returns
    -------
    confidence : ndarray of shape (n_tracks,)
        Probability of the most probable genre of each track.
    correct : bool ndarray of shape (n_tracks,)
        Whether the most probable genre is the true genre.

    Raises
    ------
    ValueError
        If there are no tracks, the shapes are inconsistent, or labels are missing or of another
        type than `classes`.
    """
    proba = np.asarray(proba, float)
    y_true = check_labels(y_true, len(proba), "y_true")
    classes = check_labels(classes, name="classes")
    check_comparable(y_true=y_true, classes=classes)
    if proba.ndim != 2 or proba.shape[1] != len(classes) or not len(proba):
        raise ValueError(
            f"proba must have shape (n_tracks, {len(classes)}) with at least one track; got shape "
            f"{proba.shape}."
        )
    return proba.max(axis=1), classes[proba.argmax(axis=1)] == y_true


def calibration_error(y_true, proba, classes, *, n_bins: int = 10) -> float:
    """Compute the expected calibration error of the predicted genres.

    The predictions are binned by the probability of the most probable genre. The expected
    calibration error is the absolute difference between accuracy and mean probability of a bin,
    averaged over all bins with the number of predictions as weight [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_tracks,)
        True genres.
    proba : array-like of shape (n_tracks, n_classes)
        Predicted class probabilities.
    classes : array-like of shape (n_classes,)
        Genres of the columns of `proba`, usually ``classes_`` of a classifier.
    n_bins : int, default=10
        Number of bins of equal width between 0 and 1.

    Returns
    -------
    error : float
        Expected calibration error, between 0 (calibrated) and 1.

    Raises
    ------
    ValueError
        If there are no tracks, the shapes are inconsistent, labels are missing or of another type
        than `classes`, or `n_bins` is not a positive integer.

    See Also
    --------
    skgenre.plotting.ReliabilityDisplay : Plot a reliability diagram.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
       networks", ICML 2017, equation 3.

    Examples
    --------
    >>> from skgenre.evaluation import calibration_error
    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]]
    >>> round(calibration_error(["a", "a", "b", "a"], proba, ["a", "b"]), 3)
    0.15
    """
    check_number("n_bins", n_bins, AT_LEAST_1)
    confidence, correct = top_probability(y_true, proba, classes)
    edges = np.linspace(0, 1, n_bins + 1)[1:-1]
    which = np.searchsorted(edges, confidence)  # same bins as sklearn's calibration_curve
    gaps = np.bincount(which, correct - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(confidence))


def coverage_curve(y_true, proba, classes) -> pd.DataFrame:
    """Compute the accuracy of the most confident predictions as a function of coverage.

    If predictions whose highest probability is below a threshold are rejected, the remaining
    ones cover a smaller fraction of the tracks but are usually more accurate.

    Parameters
    ----------
    y_true : array-like of shape (n_tracks,)
        True genres.
    proba : array-like of shape (n_tracks, n_classes)
        Predicted class probabilities.
    classes : array-like of shape (n_classes,)
        Genres of the columns of `proba`, usually ``classes_`` of a classifier.

    Returns
    -------
    curve : DataFrame
        One row for each distinct value of the highest probability, in decreasing order, with
        the columns ``threshold``, ``coverage`` (fraction of tracks whose highest probability is
        at least the threshold) and ``accuracy`` (accuracy on these tracks).

    Raises
    ------
    ValueError
        If there are no tracks, the shapes are inconsistent, or labels are missing or of another
        type than `classes`.

    See Also
    --------
    skgenre.plotting.CoverageDisplay : Plot the curve.

    Examples
    --------
    >>> from skgenre.evaluation import coverage_curve
    >>> proba = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]
    >>> coverage_curve(["a", "a", "b"], proba, ["a", "b"]).round(2).values.tolist()
    [[0.9, 0.33, 1.0], [0.8, 0.67, 1.0], [0.6, 1.0, 0.67]]
    """
    confidence, correct = top_probability(y_true, proba, classes)
    order = np.argsort(-confidence, kind="stable")
    n = np.arange(1, len(order) + 1)
    # Tracks with equal probability belong to the same threshold.
    last = np.append(np.diff(confidence[order]) != 0, True)
    return pd.DataFrame(
        {
            "threshold": confidence[order][last],
            "coverage": (n / len(n))[last],
            "accuracy": (correct[order].cumsum() / n)[last],
        }
    )
