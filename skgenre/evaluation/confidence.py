"""What probabilities are worth: calibration error, and accuracy of the surest predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length


def top_probability(y_true, proba, classes) -> tuple[np.ndarray, np.ndarray]:
    """Probability of each track's most probable genre, and whether that is the true one.

    Parameters
    ----------
    y_true : array-like of shape (n_tracks,)
        Genres.
    proba : array-like of shape (n_tracks, n_classes)
        Class probabilities.
    classes : array-like of shape (n_classes,)
        Genres of the columns.

    Returns
    -------
    confidence : ndarray of shape (n_tracks,)
    correct : bool ndarray of shape (n_tracks,)

    Raises
    ------
    ValueError
        For no tracks, or shapes that do not belong together.
    """
    y_true, proba, classes = np.asarray(y_true), np.asarray(proba, float), np.asarray(classes)
    check_consistent_length(y_true, proba)
    if proba.ndim != 2 or proba.shape[1] != len(classes) or not len(proba):
        raise ValueError(
            f"proba has the shape {proba.shape}; expected a row for each track, at least one, and "
            f"{len(classes)} columns"
        )
    return proba.max(axis=1), classes[proba.argmax(axis=1)] == y_true


def calibration_error(y_true, proba, classes, *, n_bins: int = 10) -> float:
    """Compute the expected calibration error of the most probable genres.

    Predictions are put into bins of equal width by their probability. In each the share of right
    ones is compared with the mean probability; the error is the mean of the absolute
    differences, weighted by the number of predictions [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_tracks,)
        Genres.
    proba : array-like of shape (n_tracks, n_classes)
        Class probabilities.
    classes : array-like of shape (n_classes,)
        Genres of the columns, as ``classes_`` of a classifier.
    n_bins : int, default=10
        Number of bins between 0 and 1.

    Returns
    -------
    error : float
        0 if, in each bin, as many predictions are right as their probabilities say.

    Raises
    ------
    ValueError
        For no tracks, or shapes that do not belong together.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
       networks", ICML 2017, equation 3.

    Examples
    --------
    >>> from skgenre import calibration_error
    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]]
    >>> round(calibration_error(["a", "a", "b", "a"], proba, ["a", "b"]), 3)
    0.15
    """
    confidence, correct = top_probability(y_true, proba, classes)
    edges = np.linspace(0, 1, n_bins + 1)[1:-1]
    which = np.searchsorted(edges, confidence)  # as scikit-learn's calibration_curve
    gaps = np.bincount(which, correct - confidence, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(confidence))


def coverage_curve(y_true, proba, classes) -> pd.DataFrame:
    """Accuracy of the surest predictions, by the share of tracks that they are.

    A model may leave tracks undecided whose highest probability is below a threshold. Each
    row is a threshold: how many tracks are left, and how many of these are right.

    Parameters
    ----------
    y_true : array-like of shape (n_tracks,)
        Genres.
    proba : array-like of shape (n_tracks, n_classes)
        Class probabilities.
    classes : array-like of shape (n_classes,)
        Genres of the columns, as ``classes_`` of a classifier.

    Returns
    -------
    curve : DataFrame
        With the columns ``threshold``, ``coverage`` (the share of tracks whose probability is
        at least that) and ``accuracy`` (the share of these that are right), a row for each
        probability that occurs, from the highest.

    Raises
    ------
    ValueError
        For no tracks, or shapes that do not belong together.

    Examples
    --------
    >>> from skgenre import coverage_curve
    >>> proba = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]
    >>> coverage_curve(["a", "a", "b"], proba, ["a", "b"]).round(2).values.tolist()
    [[0.9, 0.33, 1.0], [0.8, 0.67, 1.0], [0.6, 1.0, 0.67]]
    """
    confidence, correct = top_probability(y_true, proba, classes)
    order = np.argsort(-confidence, kind="stable")
    n = np.arange(1, len(order) + 1)
    # Tracks of equal probability are on one side of every threshold.
    last = np.append(np.diff(confidence[order]) != 0, True)
    return pd.DataFrame(
        {
            "threshold": confidence[order][last],
            "coverage": (n / len(n))[last],
            "accuracy": (correct[order].cumsum() / n)[last],
        }
    )
