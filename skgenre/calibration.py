"""Calibrated probabilities, from folds that keep groups together."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar, Self

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, check_cv
from sklearn.utils import get_tags, indexable
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from ._sklearn import HasMethods, Interval, _check_y, _fit_context, _safe_indexing
from ._warnings import warn
from .networks.holdout import warn_of_forgotten_groups
from .tensor import as_tensor, segment_mask
from .voting import SegmentVotingClassifier

#: Fewest groups of each class, and fewest tracks, from which a threshold is taken.
_FEWEST_GROUPS, _FEWEST_TRACKS = 5, 20

#: Bounds of the logarithm of the temperature.
_LOG_TEMPERATURE = (-3.0, 6.0)


class GroupCalibratedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):
    """Calibrate a classifier's probabilities on groups that it has not seen.

    Out-of-fold probabilities are computed first, with all tracks of a group (an artist) on one
    side. They give a temperature by which log probabilities are divided [1]_, and a threshold:
    the probability from which on enough of the predictions are right. Then the classifier is fit
    to all tracks. The predicted labels are those of the classifier alone.

    Parameters
    ----------
    estimator : classifier with ``predict_proba``, default=None
        It is cloned. None is a :class:`SegmentVotingClassifier`.
    cv : int, splitter or iterable of splits, default=5
        Number of folds, at most that of the groups of the rarest class; or as elsewhere in
        scikit-learn.
    target_accuracy : float, default=0.8
        Out-of-fold accuracy that predictions at or above ``threshold_`` reach.

    Attributes
    ----------
    estimator_ : classifier
        Fitted to all tracks.
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    temperature_ : float
        1 if no temperature lowers the log loss of folds that it was not fit to.
    threshold_ : float or None
        The lowest probability at or above which the predictions have `target_accuracy`, out of
        fold; None if there is no such probability for at least 20 tracks, if a class has fewer
        than 5 groups, or without groups.
    n_features_in_ : int
        As of `estimator_`, if it has one.

    Notes
    -----
    Training takes as many fits as there are folds, and one more.
    :class:`sklearn.calibration.CalibratedClassifierCV` draws its own folds, which do not keep
    artists together: on known artists most models look more certain than they should.

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

    # As the networks: a search with metadata routing hands `groups` to `fit`.
    __metadata_request__fit: ClassVar = {"groups": True}

    _parameter_constraints: ClassVar[dict] = {
        "estimator": [HasMethods(["fit", "predict_proba"]), None],
        "cv": [Interval(Integral, 2, None, closed="left"), "cv_object"],
        "target_accuracy": [Interval(Real, 0, 1, closed="right")],
    }

    def __init__(self, estimator: Any = None, *, cv: Any = 5, target_accuracy: float = 0.8):
        self.estimator = estimator
        self.cv = cv
        self.target_accuracy = target_accuracy

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, groups=None) -> Self:
        """Fit clones of `estimator` to folds, the temperature, and a clone to all tracks.

        Parameters
        ----------
        X : array-like or list of length n_tracks
            Whatever `estimator` takes.
        y : array-like of shape (n_tracks,)
            Class labels.
        groups : array-like of shape (n_tracks,), default=None
            Artists, say. None takes every track for a group of its own, and gives no
            threshold. They are also handed to an `estimator` whose ``fit`` takes them.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If `cv` gives one fold.

        Warns
        -----
        UserWarning
            If a class has one group only, or a fold cannot be trained on: then probabilities stay
            as they are. If a search around it has groups that do not reach it.
        """
        X, y, groups = indexable(X, y, groups)
        y = _check_y(y, estimator=self)
        check_classification_targets(y)
        if groups is None:
            warn_of_forgotten_groups(type(self).__name__)
        else:
            groups = np.asarray(groups)
        estimator = SegmentVotingClassifier() if self.estimator is None else self.estimator
        everything = np.arange(len(y))
        fitted = self._fit_clone(estimator, X, y, groups, everything)
        self.estimator_, self.classes_ = fitted, fitted.classes_
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(fitted, name):
                setattr(self, name, getattr(fitted, name))
        self.temperature_, self.threshold_ = 1.0, None
        used = _with_segments(X, everything)
        group = everything if groups is None else groups
        n_groups = min(len(np.unique(group[used][y[used] == label])) for label in self.classes_)
        if n_groups < 2:
            warn(
                "A class has tracks of one group only, so that probabilities cannot be "
                "calibrated on groups that the classifier has not seen."
            )
            return self
        folds = self._folds(y[used], None if groups is None else groups[used], n_groups)
        try:
            log_proba, labels, fold = self._out_of_fold(estimator, X, y, groups, used, folds)
        except ValueError as error:
            warn(f"Probabilities are not calibrated: a fold cannot be trained on. {error}")
            return self
        self.temperature_ = _temperature(log_proba, labels, fold)
        if groups is not None and n_groups >= _FEWEST_GROUPS:
            proba = softmax(log_proba / self.temperature_, axis=1)
            self.threshold_ = _threshold(proba, labels, self.target_accuracy)
        return self

    def _folds(self, y, groups, n_groups: int) -> list:
        cv = self.cv
        if isinstance(cv, Integral):
            cv = (StratifiedKFold if groups is None else StratifiedGroupKFold)(min(cv, n_groups))
        folds = list(check_cv(cv, y, classifier=True).split(np.zeros(len(y)), y, groups))
        if len(folds) < 2:
            raise ValueError(f"cv={self.cv} gives {len(folds)} fold; calibration needs at least 2")
        return folds

    def _fit_clone(self, estimator, X, y, groups, tracks):
        params = {}
        if groups is not None and has_fit_parameter(estimator, "groups"):
            params["groups"] = groups[tracks]
        if len(tracks) < len(y):
            X, y = _safe_indexing(X, tracks), y[tracks]
        return clone(estimator).fit(X, y, **params)

    def _out_of_fold(self, estimator, X, y, groups, used, folds):
        """Log probabilities, labels and fold of the tracks whose class their fold was fit to."""
        found = []
        for i, (train, test) in enumerate(folds):
            model = self._fit_clone(estimator, X, y, groups, used[train])
            known = used[test][np.isin(y[used[test]], model.classes_)]
            proba = np.zeros((len(known), len(self.classes_)))
            if len(known):
                columns = np.searchsorted(self.classes_, model.classes_)
                proba[:, columns] = model.predict_proba(_safe_indexing(X, known))
            labels = np.searchsorted(self.classes_, y[known])
            found.append((_log(proba), labels, np.full(len(known), i)))
        return tuple(map(np.concatenate, zip(*found, strict=True)))

    def predict_proba(self, X) -> np.ndarray:
        """Calibrated class probabilities of each track.

        Parameters
        ----------
        X : array-like or list of length n_tracks
            Whatever `estimator` takes.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_classes)
            In the order of ``classes_``.
        """
        check_is_fitted(self)
        return self._calibrate(self.estimator_.predict_proba(X))

    @available_if(lambda self: hasattr(self.estimator_, "predict_segments_proba"))
    def predict_segments_proba(self, X) -> np.ndarray:
        """Class probabilities of each segment, with the temperature of whole tracks.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_segments, n_classes)
            NaN where a segment does not exist.
        """
        return self._calibrate(self.estimator_.predict_segments_proba(X))

    def _calibrate(self, proba: np.ndarray) -> np.ndarray:
        if self.temperature_ == 1:
            return proba
        return softmax(_log(proba) / self.temperature_, axis=-1)

    def predict(self, X) -> np.ndarray:
        """Predict the class of each track, as `estimator` alone does.

        Parameters
        ----------
        X : array-like or list of length n_tracks
            Whatever `estimator` takes.

        Returns
        -------
        labels : ndarray of shape (n_tracks,)
        """
        check_is_fitted(self)
        return self.estimator_.predict(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        estimator = SegmentVotingClassifier() if self.estimator is None else self.estimator
        tags.input_tags.sparse = get_tags(estimator).input_tags.sparse
        return tags


def _with_segments(X, tracks: np.ndarray) -> np.ndarray:
    """Leave out tracks without a segment, if `X` is a tensor."""
    if isinstance(X, np.ndarray) and X.ndim > 2:
        return tracks[segment_mask(as_tensor(X)).any(axis=1)]
    return tracks


def _log(proba: np.ndarray) -> np.ndarray:
    # Not cut off at the resolution of floats: where a classifier is too certain, how much it is
    # so says which classes come next.
    return np.log(np.maximum(proba, np.finfo(np.float64).tiny))


def _losses(log_proba: np.ndarray, labels: np.ndarray, temperature: float) -> np.ndarray:
    """Log loss of each track."""
    return -log_softmax(log_proba / temperature, axis=1)[np.arange(len(labels)), labels]


def _best_temperature(log_proba: np.ndarray, labels: np.ndarray) -> float:
    found = minimize_scalar(
        lambda t: _losses(log_proba, labels, np.exp(t)).mean(),
        bounds=_LOG_TEMPERATURE,
        method="bounded",
    )
    return float(np.exp(found.x))


def _temperature(log_proba: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> float:
    """Fit the temperature; 1 if that does not lower the loss of folds that it was not fit to."""
    losses = np.empty(len(labels))
    for i in np.unique(fold):
        test = fold == i
        temperature = _best_temperature(log_proba[~test], labels[~test])
        losses[test] = _losses(log_proba[test], labels[test], temperature)
    if losses.mean() < _losses(log_proba, labels, 1.0).mean():
        return _best_temperature(log_proba, labels)
    return 1.0


def _threshold(proba: np.ndarray, labels: np.ndarray, target: float) -> float | None:
    """Find the lowest probability at or above which the accuracy is at least `target`."""
    highest = proba.max(axis=1)
    order = np.argsort(-highest, kind="stable")
    right = (proba.argmax(axis=1) == labels)[order]
    accuracy = right.cumsum() / np.arange(1, len(right) + 1)
    # Only behind the last of equal probabilities, which are all on one side.
    last = np.append(np.diff(highest[order]) != 0, True)
    [enough] = np.nonzero(
        last & (accuracy >= target) & (np.arange(len(right)) >= _FEWEST_TRACKS - 1)
    )
    return float(highest[order][enough[-1]]) if len(enough) else None
