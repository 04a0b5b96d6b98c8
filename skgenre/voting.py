"""Classification of tracks with a scikit-learn classifier trained on their segments."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar, Self

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._checks import check_classifier, check_groups, check_two_classes
from ._metadata import route
from ._sklearn import HasMethods, StrOptions, _check_sample_weight, _fit_context
from ._warnings import warn
from .tensor import (
    AGGREGATIONS,
    aggregate_or_prior,
    as_tensor,
    check_proba,
    check_tensor,
    segment_mask,
    spread,
    warn_of_missing,
)


class SegmentVotingClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Train a classifier on the segments of tracks and aggregate its predictions.

    Each segment is one sample for `estimator`. The frames of a segment are concatenated, and its
    label is the label of the track. The prediction for a track is aggregated from the predictions
    for its segments.

    Read more in the :ref:`User Guide <classical_models>`.

    Parameters
    ----------
    estimator : classifier, default=None
        A scikit-learn classifier, or a pipeline that ends in one; it is cloned. If None, logistic
        regression is used.
    aggregation : {"mean", "vote", "max", "geometric"}, default="mean"
        How to aggregate the probabilities of the segments of a track; see
        :class:`skgenre.NetworkClassifier`. If `estimator` has no ``predict_proba``, the
        predicted class of a segment has probability 1 and the others have probability 0. In this
        case, ``"mean"`` and ``"vote"`` are equivalent.

    Attributes
    ----------
    estimator_ : classifier
        The fitted clone.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Weighted proportion of each class among the training tracks. It is the predicted
        probability for tracks without segments.
    n_features_in_ : int
        Number of coefficients per frame, the size of the last axis of the input.

    Notes
    -----
    The input is a track tensor of shape ``(n_tracks, n_segments, n_frames, n_coefficients)``, in
    which missing segments are all NaN; an array of shape ``(n_samples, n_frames,
    n_coefficients)``; or a table of shape ``(n_samples, n_features)``.

    If `estimator` supports ``sample_weight``, the weight of each track is divided among its
    segments, as in the networks, so a long track counts as much as a short one. If `estimator`
    does not support ``sample_weight``, all segments have the same weight.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.svm import SVC
    >>> from skgenre import SegmentVotingClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(20, 3, 8, 4))  # 20 tracks of 3 segments, 8 frames of 4 MFCCs
    >>> y = np.repeat(["blues", "jazz"], 10)
    >>> X[y == "jazz"] += 1
    >>> SegmentVotingClassifier(SVC()).fit(X, y).predict(X[:2]).tolist()
    ['blues', 'blues']
    """

    # Like the networks, request `groups` in `fit` if metadata routing is enabled.
    __metadata_request__fit: ClassVar = {"groups": True}

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "aggregation": [StrOptions(set(AGGREGATIONS))],
    }

    def __init__(self, estimator: Any = None, *, aggregation: str = "mean"):
        self.estimator = estimator
        self.aggregation = aggregation

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, groups=None) -> Self:
        """Fit a clone of `estimator` on the segments.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Arrays of two or three dimensions are also accepted; see the Notes of the class.
        y : array-like of shape (n_tracks,)
            Class labels.
        sample_weight : array-like of shape (n_tracks,), default=None
            Weights of the tracks, divided among the segments of each track.
        groups : array-like of shape (n_tracks,), default=None
            Group of each track, for example its artist. They are passed to all parts of `estimator`
            that accept them, such as the splitter of a search, with one value per segment.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If there are fewer than two classes, or no track has a segment.
        TypeError
            If `estimator` is not a classifier.

        Warns
        -----
        UserWarning
            If tracks have no segment; they are ignored. Also if `sample_weight` is passed and
            `estimator` does not support it: the weights then only affect ``class_prior_``.
        """
        check_classifier("estimator", self._estimator())
        X, y = check_tensor(self, X, y, reset=True)
        check_classification_targets(y)
        groups = None if groups is None else check_groups(groups, len(X))
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        X = as_tensor(X)
        mask = segment_mask(X)
        tracks = np.flatnonzero(mask.any(axis=1) & (weight > 0))
        if not len(tracks):
            raise ValueError(
                "There is nothing to train on: no track has a segment and a positive weight."
            )
        warn_of_missing(mask, "tracks have no segment and are ignored in fit")
        classes = np.unique(y[tracks])
        check_two_classes("y", classes)
        track, segment, shared = spread(mask, tracks, weight)
        # With this scale, a weight of 2 is equivalent to passing the track twice.
        shared *= weight[track].sum() / len(track)
        estimator = clone(self._estimator())
        weighted = sample_weight is not None or np.ptp(shared) > 0
        params, routed = route(
            estimator,
            sample_weight=shared if weighted else None,
            groups=None if groups is None else groups[track],
        )
        if sample_weight is not None and not params.keys() - {"groups"}:
            last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
            warn(
                f"{type(last).__name__} does not accept sample_weight: all segments of tracks with "
                "a positive weight count equally, and the weights only affect class_prior_. Use an "
                "estimator that accepts weights, such as LogisticRegression."
            )
        with sklearn.config_context(enable_metadata_routing=routed), warnings.catch_warnings():
            # Raised by the covariances of discriminant analysis if a class has one segment. Its
            # advice, to reshape an array, does not help.
            warnings.filterwarnings("ignore", "Only one sample available")
            estimator.fit(_rows(X[track, segment]), y[track], **params)
        self.estimator_ = estimator
        self.classes_ = estimator.classes_
        counts = np.bincount(np.searchsorted(classes, y[track]), shared)
        self.class_prior_ = counts / counts.sum()
        return self

    def predict_segments_proba(self, X) -> np.ndarray:
        """Predict the class probabilities of each segment.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            The number of segments per track may differ from the training data.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_segments, n_classes)
            NaN for missing segments. If `estimator` has no ``predict_proba``, the value is 1 for
            the predicted class and 0 for the others.
        """
        return self._predict_segments_proba(X)[0]

    def _predict_segments_proba(self, X) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        X = as_tensor(check_tensor(self, X, reset=False))
        mask = segment_mask(X)
        proba = np.full((*mask.shape, len(self.classes_)), np.nan)
        if mask.any():
            rows = _rows(X[mask])
            if hasattr(self.estimator_, "predict_proba"):
                proba[mask] = self.estimator_.predict_proba(rows)
            else:
                labels = self.estimator_.predict(rows)
                proba[mask] = labels[:, None] == self.classes_
            check_proba(self, proba[mask])
        return proba, mask

    def predict_proba(self, X) -> np.ndarray:
        """Predict the class probabilities of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            The number of segments per track may differ from the training data.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_classes)
            Columns are in the order of ``classes_``.

        Raises
        ------
        ValueError
            If a predicted probability is not finite.

        Warns
        -----
        UserWarning
            If tracks have no segment; their probabilities are the class prior.
        """
        proba, mask = self._predict_segments_proba(X)
        return aggregate_or_prior(proba, mask, self.aggregation, self.class_prior_)

    def predict(self, X) -> np.ndarray:
        """Predict the most probable class of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            The number of segments per track may differ from the training data.

        Returns
        -------
        labels : ndarray of shape (n_tracks,)
            Predicted class labels.
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def _estimator(self):
        return LogisticRegression(max_iter=1000) if self.estimator is None else self.estimator

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _rows(segments: np.ndarray) -> np.ndarray:
    """Concatenate the frames of each segment."""
    return segments.reshape(len(segments), -1)
