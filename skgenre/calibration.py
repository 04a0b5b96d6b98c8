"""Calibration of probabilities, and detection of outliers, on groups not seen in training."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
import sklearn
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.covariance import LedoitWolf
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from ._checks import check_classifier, check_groups, check_labels, check_two_classes
from ._metadata import route
from ._sklearn import (
    HasMethods,
    Interval,
    _check_sample_weight,
    _check_y,
    _fit_context,
    _safe_indexing,
)
from ._warnings import warn
from .features.augmented import without_copies
from .folds import check_folds, count_groups, describe_rare
from .tensor import as_tensor, check_proba, segment_mask
from .voting import SegmentVotingClassifier

#: Minimum number of groups per class, and of tracks, for estimating a threshold.
MIN_GROUPS, MIN_TRACKS = 5, 20

#: Why a prediction is unsure.
LOW_PROBABILITY, UNLIKE_TRAINING = "low probability", "unlike the training tracks"

#: Bounds of the log temperature in the search.
_LOG_TEMPERATURE = (-3.0, 6.0)


class GroupCalibratedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Calibrate the probabilities of a classifier on unseen groups.

    Out-of-fold probabilities are computed by cross-validation, with all tracks of a group (for
    example, of an artist) in the same fold. From them, a temperature by which log probabilities
    are divided [1]_ and a threshold are estimated. The threshold is the lowest probability from
    which on the predictions reach `target_accuracy`. The classifier is then refit on all tracks.
    Calibration does not change the predicted labels.

    Read more in the :ref:`User Guide <probabilities>`.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``, default=None
        The classifier to calibrate; it is cloned. If None, a :class:`SegmentVotingClassifier` is
        used.
    cv : int, cross-validation generator, iterable or None, default=5
        Splitting strategy. An int is the maximum number of stratified folds that keep groups
        together, reduced to the number of groups of the rarest class; None means 5. Index pairs
        refer to all tracks passed to `fit`.
    target_accuracy : float, default=0.8
        Out-of-fold accuracy of the predictions whose probability is at least ``threshold_``.
    contamination : float, default=None
        Share of the tracks of left-out folds that are regarded as outliers, of which the
        probabilities say nothing. It sets ``max_distance_``. If None, outliers are not detected.
        Otherwise the input must be an array or a table of numbers.

    Attributes
    ----------
    estimator_ : classifier
        The classifier fitted on all tracks.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    temperature_ : float
        Temperature of the log probabilities; 1 if no temperature lowers the log loss on folds
        left out of its estimation.
    threshold_ : float or None
        The lowest probability at or above which the out-of-fold predictions reach
        `target_accuracy`. None if fewer than 20 predictions do, if a class has fewer than 5
        groups, or if no groups were passed.
    location_ : ndarray of shape (n_coefficients,) or None
        Mean of the training tracks, each of which is the mean of its segments and frames.
    precision_ : ndarray of shape (n_coefficients, n_coefficients) or None
        Inverse of their covariance, with Ledoit-Wolf shrinkage of standardized values.
    max_distance_ : float or None
        Mahalanobis distance from ``location_`` above which a track is an outlier. This and the two
        attributes above are None if `contamination` is None or probabilities are not calibrated.
    n_features_in_ : int
        Number of features seen by `estimator_`, if it has this attribute.

    Notes
    -----
    Training fits the classifier once per fold and once on all tracks.
    :class:`sklearn.calibration.CalibratedClassifierCV` does not keep artists together in the folds
    that it draws, so that its probabilities tend to be overconfident on unseen artists.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
       networks", ICML 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    >>> from skgenre import GroupCalibratedClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat(["blues", "jazz"], 50)
    >>> X = rng.normal(size=(100, 30)) + 0.2 * (y == "jazz")[:, None]
    >>> artists = np.arange(100) // 5
    >>> clf = GroupCalibratedClassifier(LinearDiscriminantAnalysis())
    >>> clf.fit(X, y, groups=artists).temperature_ > 1
    True
    """

    # Like the networks, request `groups` in `fit` if metadata routing is enabled.
    __metadata_request__fit: ClassVar = {"groups": True}

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "cv": [Interval(Integral, 2, None, closed="left"), "cv_object"],
        "target_accuracy": [Interval(Real, 0, 1, closed="right")],
        "contamination": [Interval(Real, 0, 0.5, closed="right"), None],
    }

    def __init__(
        self,
        estimator: Any = None,
        *,
        cv: Any = 5,
        target_accuracy: float = 0.8,
        contamination: float | None = None,
    ):
        self.estimator = estimator
        self.cv = cv
        self.target_accuracy = target_accuracy
        self.contamination = contamination

    precision_: Any

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, sample_weight=None, *, groups=None) -> Self:
        """Fit clones of `estimator` to folds, the temperature, and a clone to all tracks.

        Parameters
        ----------
        X : array-like or list of length n_tracks
            Any input that `estimator` accepts.
        y : array-like of shape (n_tracks,)
            Class labels.
        sample_weight : array-like of shape (n_tracks,), default=None
            Weights of the tracks, for the fits and for the calibration. Tracks with weight zero
            are ignored.
        groups : array-like of shape (n_tracks,), default=None
            Group of each track, for example its artist. If None, each track is its own group and
            no threshold is estimated. Groups are also passed to all parts of `estimator` that
            accept them, such as the networks and the splitter of a search, and the weights to all
            classifiers that do, whether metadata routing is enabled or not.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If `cv` yields fewer than two folds, labels or groups are missing (None or NaN), or
            there is only one class.
        TypeError
            If `estimator` is not a classifier.

        Warns
        -----
        UserWarning
            If probabilities are not calibrated because a class has only one group or fitting a
            fold failed, or if `estimator` does not accept `sample_weight`.
        """
        check_classifier("estimator", self._estimator())
        [X] = indexable(X)
        n_tracks = X.shape[0] if hasattr(X, "shape") else len(X)
        if y is not None:
            check_labels(y, n_tracks)
        y = _check_y(y, estimator=self)
        check_classification_targets(y)
        check_two_classes("y", np.unique(y))
        groups = None if groups is None else check_groups(groups, n_tracks)
        estimator = clone(self._estimator())
        weight = _check_sample_weight(sample_weight, y, dtype=np.float64, ensure_non_negative=True)
        params, routed = route(
            estimator, sample_weight=None if sample_weight is None else weight, groups=groups
        )
        if sample_weight is not None and not params.keys() - {"groups"}:
            warn(
                f"{type(estimator).__name__} does not accept sample_weight; the weights are used "
                "only for the calibration."
            )

        def fit(tracks: np.ndarray):
            """Fit a clone to some of the tracks."""
            of_tracks = {name: values[tracks] for name, values in params.items()}
            part = X if len(tracks) == len(y) else _safe_indexing(X, tracks)
            with sklearn.config_context(enable_metadata_routing=routed):
                return clone(estimator).fit(part, y[tracks], **of_tracks)

        weighted = np.flatnonzero(weight > 0)
        fitted = fit(weighted)
        self.estimator_, self.classes_ = fitted, fitted.classes_
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))
        self.temperature_, self.threshold_ = 1.0, None
        self.location_ = self.precision_ = self.max_distance_ = None
        used = _with_segments(X, weighted)
        counts = count_groups(y[used], None if groups is None else groups[used])
        n_groups = min(counts.values())
        if n_groups < 2:
            several, lack = describe_rare(counts, groups)
            warn(
                f"Probabilities are not calibrated, which requires at least two {several} per "
                f"class: {lack}."
            )
            return self
        # The indices of a splitter or of pairs refer to all tracks.
        drawn = used if self.cv is None or isinstance(self.cv, Integral) else np.arange(len(y))
        of_drawn = y[drawn], None if groups is None else groups[drawn]
        splits = check_folds(self.cv, *of_drawn).split(np.zeros(len(drawn)), *of_drawn)
        folds = [(drawn[train], drawn[test]) for train, test in splits]
        if len(folds) < 2:
            raise ValueError(f"cv={self.cv} yields {len(folds)} fold; calibration needs at least 2")
        try:
            found = self._out_of_fold(fit, X, y, used, folds)
        except ValueError as error:
            warn(f"Probabilities are not calibrated because fitting a fold failed. {error}")
            return self
        log_proba, labels, fold, tracks = found
        self.temperature_ = _temperature(log_proba, labels, fold, weight[tracks])
        if groups is not None and n_groups >= MIN_GROUPS:
            proba = softmax(log_proba / self.temperature_, axis=1)
            self.threshold_ = _threshold(proba, labels, weight[tracks], self.target_accuracy)
        if self.contamination is not None:
            rows = _means(X)
            distances = [
                _distances(rows[test], *_fit_normal(rows[np.intersect1d(train, used)]))
                for train, test in folds
            ]
            self.location_, self.precision_ = _fit_normal(rows[used])
            self.max_distance_ = float(
                np.nanquantile(np.concatenate(distances), 1 - self.contamination)
            )
        return self

    def _out_of_fold(self, fit, X, y, used, folds):
        """Compute out-of-fold log probabilities of the tracks `used`.

        Tracks of a class missing from the training part of their fold are left out.

        Returns
        -------
        log_proba : ndarray of shape (n_known_tracks, n_classes)
        labels, fold, tracks : int ndarray of shape (n_known_tracks,)
            Class index, fold and index of each track.
        """
        found = []
        for i, (train, test) in enumerate(folds):
            model = fit(np.intersect1d(train, used))
            test = np.intersect1d(test, used)
            known = test[np.isin(y[test], model.classes_)]
            proba = np.zeros((len(known), len(self.classes_)))
            if len(known):
                columns = np.searchsorted(self.classes_, model.classes_)
                proba[:, columns] = model.predict_proba(_safe_indexing(X, known))
            labels = np.searchsorted(self.classes_, y[known])
            found.append((_log(proba), labels, np.full(len(known), i), known))
        return tuple(map(np.concatenate, zip(*found, strict=True)))

    def _estimator(self):
        return SegmentVotingClassifier() if self.estimator is None else self.estimator

    def predict_proba(self, X) -> np.ndarray:
        """Predict calibrated class probabilities.

        Parameters
        ----------
        X : array-like or list of length n_tracks
            Any input that `estimator` accepts.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_classes)
            Columns are in the order of ``classes_``.

        Raises
        ------
        ValueError
            If a predicted probability is not finite.
        """
        check_is_fitted(self)
        proba = self.estimator_.predict_proba(X)
        check_proba(self, proba)
        return self._calibrate(proba)

    def explain_unsure(self, X, proba: np.ndarray) -> list[str]:
        """State why predictions are unsure.

        Parameters
        ----------
        X : array-like or list of length n_tracks
            Any input that `estimator` accepts.
        proba : ndarray of shape (n_tracks, n_classes)
            Output of :meth:`predict_proba` for `X`.

        Returns
        -------
        reasons : list of str
            For each track, ``"unlike the training tracks"`` if its distance from them is greater
            than ``max_distance_``, or else ``"low probability"`` if its highest probability is
            below ``threshold_``, or else an empty string.
        """
        check_is_fitted(self)
        reasons = np.full(len(proba), "", object)
        if self.threshold_ is not None:
            reasons[proba.max(axis=1) < self.threshold_] = LOW_PROBABILITY
        location: Any = getattr(self, "location_", None)  # missing in older model files
        if location is not None:
            distances = _distances(_means(X), location, self.precision_)
            reasons[distances > self.max_distance_] = UNLIKE_TRAINING
        return reasons.tolist()

    @available_if(lambda self: hasattr(self.estimator_, "predict_segments_proba"))
    def predict_segments_proba(self, X) -> np.ndarray:
        """Predict class probabilities of each segment, using the temperature of whole tracks.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_segments, n_classes)
            NaN for missing segments.
        """
        return self._calibrate(self.estimator_.predict_segments_proba(X))

    def _calibrate(self, proba: np.ndarray) -> np.ndarray:
        if self.temperature_ == 1:
            return proba
        return softmax(_log(proba) / self.temperature_, axis=-1)

    def predict(self, X) -> np.ndarray:
        """Predict the class of each track with the fitted `estimator`.

        Parameters
        ----------
        X : array-like or list of length n_tracks
            Any input that `estimator` accepts.

        Returns
        -------
        labels : ndarray of shape (n_tracks,)
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.sparse = get_tags(self._estimator()).input_tags.sparse
        return tags


def _with_segments(X, tracks: np.ndarray) -> np.ndarray:
    """Drop tracks without segments if `X` is a tensor."""
    if isinstance(X, np.ndarray) and X.ndim > 2:
        X = without_copies(X)
        return tracks[segment_mask(as_tensor(X))[tracks].any(axis=1)]
    return tracks


def _means(X) -> np.ndarray:
    """Return the mean of the segments and frames of each track; NaN for tracks without any."""
    X = np.asarray(X, np.float64)
    if X.ndim == 2:
        return X
    exists = ~np.isnan(X).all(axis=-1, keepdims=True)
    frames = tuple(range(1, X.ndim - 1))
    n_frames = exists.sum(axis=frames)
    return np.where(exists, X, 0).sum(axis=frames) / np.where(n_frames, n_frames, np.nan)


def _fit_normal(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the inverse of the covariance of rows, without those that have NaN."""
    rows = rows[np.isfinite(rows).all(axis=1)]
    # Shrinkage makes variances alike, so it needs columns of one scale.
    scaler = StandardScaler().fit(rows)
    precision = LedoitWolf().fit(scaler.transform(rows)).precision_
    return scaler.mean_, precision / np.outer(scaler.scale_, scaler.scale_)


def _distances(rows: np.ndarray, location: np.ndarray, precision: np.ndarray) -> np.ndarray:
    """Compute the Mahalanobis distance of each row from the location; NaN for NaN."""
    difference = rows - location
    return np.sqrt(np.einsum("ij,jk,ik->i", difference, precision, difference))


def _log(proba: np.ndarray) -> np.ndarray:
    # Clip at the smallest normal number, not at the resolution of floats: for an overconfident
    # classifier, the order of the remaining probabilities still carries information.
    return np.log(np.maximum(proba, np.finfo(np.float64).tiny))


def _losses(log_proba: np.ndarray, labels: np.ndarray, temperature: float) -> np.ndarray:
    """Compute the log loss of each track."""
    return -log_softmax(log_proba / temperature, axis=1)[np.arange(len(labels)), labels]


def _best_temperature(log_proba: np.ndarray, labels: np.ndarray, weight: np.ndarray) -> float:
    found = minimize_scalar(
        lambda t: np.average(_losses(log_proba, labels, np.exp(t)), weights=weight),
        bounds=_LOG_TEMPERATURE,
        method="bounded",
    )
    return float(np.exp(found.x))


def _temperature(log_proba, labels, fold, weight) -> float:
    """Estimate the temperature; return 1 if it does not lower the loss of left-out folds."""
    losses = np.empty(len(labels))
    for i in np.unique(fold):
        test = fold == i
        temperature = _best_temperature(log_proba[~test], labels[~test], weight[~test])
        losses[test] = _losses(log_proba[test], labels[test], temperature)
    if np.average(losses - _losses(log_proba, labels, 1.0), weights=weight) < 0:
        return _best_temperature(log_proba, labels, weight)
    return 1.0


def _threshold(proba, labels, weight, target: float) -> float | None:
    """Find the lowest probability at or above which the accuracy is at least `target`.

    Return None if there is no such probability for at least ``MIN_TRACKS`` tracks.
    """
    highest = proba.max(axis=1)
    order = np.argsort(-highest, kind="stable")
    weight = weight[order]
    right = (proba.argmax(axis=1) == labels)[order]
    accuracy = (right * weight).cumsum() / weight.cumsum()
    # A threshold can only lie after the last of several equal probabilities.
    last = np.append(np.diff(highest[order]) != 0, True)
    [enough] = np.nonzero(last & (accuracy >= target) & (np.arange(len(right)) >= MIN_TRACKS - 1))
    return float(highest[order][enough[-1]]) if len(enough) else None
