"""Calibration error and coverage of predicted probabilities."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .._checks import AT_LEAST_1, check_comparable, check_labels, check_number


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
