"""Any classifier on the segments of tracks: track in, track out."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping, process_routing
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from ._sklearn import HasMethods, StrOptions, _check_sample_weight, _fit_context
from ._warnings import warn
from .tensor import (
    AGGREGATIONS,
    aggregate_or_prior,
    as_tensor,
    check_tensor,
    list_tracks,
    segment_mask,
    spread,
)


class SegmentVotingClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Train any classifier on the segments or windows of tracks, and aggregate its predictions.

    Every segment becomes one row for `estimator`, its frames laid one after the other, with the
    label of its track. A prediction for a track is aggregated from those of its segments.

    Parameters
    ----------
    estimator : classifier, default=None
        A scikit-learn classifier, or a pipeline that ends in one. It is cloned. None is a
        logistic regression.
    aggregation : {"mean", "vote", "max", "geometric"}, default="mean"
        How the probabilities of a track's segments become the track's, as in
        :class:`skgenre.SegmentClassifier`. Classifiers without ``predict_proba`` can only
        ``"vote"``, whatever is set.

    Attributes
    ----------
    estimator_ : classifier
        The fitted clone.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Weighted share of each class among the training tracks; the prediction for a track
        without segments.
    n_features_in_ : int
        Coefficients a frame: the last axis of the input.

    Notes
    -----
    Input is that of the networks: ``(n_tracks, n_segments, n_frames, n_coefficients)`` whose
    missing segments are all NaN, ``(n_samples, n_frames, n_coefficients)``, or a table.

    A track's weight is shared among its segments, as the networks do it, where tracks differ in
    length or ``sample_weight`` is given: then `estimator` must take ``sample_weight``, or, without
    ``sample_weight``, each segment counts the same.

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

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict"]), None],
        "aggregation": [StrOptions(set(AGGREGATIONS))],
    }

    def __init__(self, estimator: Any = None, *, aggregation: str = "mean"):
        self.estimator = estimator
        self.aggregation = aggregation

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, **fit_params) -> Self:
        """Fit a clone of `estimator` on the segments.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Or of three or two axes, see the class.
        y : array-like of shape (n_tracks,)
            Class labels.
        sample_weight : array-like of shape (n_tracks,), default=None
            Weights of the tracks, shared among a track's segments.
        **fit_params : dict
            With metadata routing, what `estimator` requests; one value a track each.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For fewer than two classes, or no track with a segment.
        TypeError
            If `sample_weight` is given and `estimator` does not take it.

        Warns
        -----
        UserWarning
            If tracks have no segment; they are left out.
        """
        X, y = check_tensor(self, X, y, reset=True)
        check_classification_targets(y)
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
        X = as_tensor(X)
        mask = segment_mask(X)
        tracks = self._usable_tracks(mask, weight)
        classes = np.unique(y[tracks])
        if len(classes) < 2:
            raise ValueError(
                f"y holds only one class, {classes.tolist()}: a classifier needs at least two"
            )
        track, segment, shared = spread(mask, tracks, weight)
        # Scaled so that a track of weight 2 counts as the track twice.
        shared *= weight[track].sum() / len(track)
        estimator = clone(self._estimator())
        # Without metadata there is nothing to route, and weights go in as without routing.
        routed = sklearn.get_config()["enable_metadata_routing"] and (
            sample_weight is not None or bool(fit_params)
        )
        params = self._fit_params(estimator, sample_weight, track, shared, fit_params, routed)
        with sklearn.config_context(enable_metadata_routing=routed):
            estimator.fit(_rows(X[track, segment]), y[track], **params)
        self.estimator_ = estimator
        self.classes_ = estimator.classes_
        counts = np.bincount(np.searchsorted(classes, y[track]), shared)
        self.class_prior_ = counts / counts.sum()
        return self

    def _usable_tracks(self, mask: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Find the tracks that have a segment and a weight."""
        missing = np.flatnonzero(~mask.any(axis=1))
        tracks = np.flatnonzero(mask.any(axis=1) & (weight > 0))
        if not len(tracks):
            raise ValueError("There is nothing to train on: no track has a segment and a weight.")
        if len(missing):
            warn(
                f"{len(missing)} of {len(mask)} tracks have no segment and are left out of fit: "
                f"{list_tracks(missing)}"
            )
        return tracks

    def _fit_params(self, estimator, sample_weight, track, shared, fit_params, routed) -> dict:
        """Metadata of the estimator's fit, a value a row."""
        if routed:
            if sample_weight is not None:
                fit_params = {**fit_params, "sample_weight": sample_weight}
            routed = process_routing(self, "fit", **fit_params).estimator.fit
            params = {name: np.asarray(values)[track] for name, values in routed.items()}
            if "sample_weight" in params:
                params["sample_weight"] = shared
            return params
        if fit_params:
            raise TypeError(
                f"fit got {sorted(fit_params)}, which need metadata routing: "
                "sklearn.set_config(enable_metadata_routing=True)"
            )
        name = _weight_parameter(estimator)
        if name is not None:
            return {name: shared} if sample_weight is not None or np.ptp(shared) > 0 else {}
        if sample_weight is not None:
            raise TypeError(
                f"{type(estimator).__name__} takes no sample_weight; leave it out, or use another "
                "estimator"
            )
        return {}

    def predict_segments_proba(self, X) -> np.ndarray:
        """Class probabilities of each segment, over a track's time.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            As in `fit`; the number of segments may differ.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_segments, n_classes)
            NaN where a segment does not exist. Of classifiers without ``predict_proba``, 1 for
            the predicted class.
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
        return proba, mask

    def predict_proba(self, X) -> np.ndarray:
        """Class probabilities of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            As in `fit`; the number of segments may differ.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_classes)
            In the order of ``classes_``.

        Warns
        -----
        UserWarning
            If tracks have no segment; their row is the class prior.
        """
        proba, mask = self._predict_segments_proba(X)
        return aggregate_or_prior(proba, mask, self.aggregation, self.class_prior_)

    def predict(self, X) -> np.ndarray:
        """Predict the most probable class of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            As in `predict_proba`.

        Returns
        -------
        labels : ndarray of shape (n_tracks,)
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def get_metadata_routing(self) -> MetadataRouter:
        """Return how metadata reach the estimator.

        Returns
        -------
        routing : MetadataRouter
        """
        return MetadataRouter(owner=type(self).__name__).add(
            estimator=self._estimator(),
            method_mapping=MethodMapping().add(caller="fit", callee="fit"),
        )

    def _estimator(self):
        return LogisticRegression(max_iter=1000) if self.estimator is None else self.estimator

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _rows(segments: np.ndarray) -> np.ndarray:
    """Lay the frames of each segment one after the other."""
    return segments.reshape(len(segments), -1)


def _weight_parameter(estimator) -> str | None:
    """Name under which an estimator's fit, or that of a pipeline's last step, takes weights."""
    if hasattr(estimator, "steps"):
        name, last = estimator.steps[-1]
        inner = _weight_parameter(last)
        return None if inner is None else f"{name}__{inner}"
    return "sample_weight" if has_fit_parameter(estimator, "sample_weight") else None
