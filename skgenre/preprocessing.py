"""Transformers of track tensors: scaling, and summaries for classical models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from ._sklearn import StrOptions, _fit_context, _wrap_data_with_container
from .tensor import as_tensor, blocks, check_tensor, segment_mask

STATISTICS = ("mean", "std", "percentiles", "delta_std", "covariance")

#: The percentiles of ``statistics="percentiles"``.
PERCENTILES = (5, 25, 50, 75, 95)


class _TableOutput:
    """``transform`` whose result ``set_output`` changes for tables and not for tensors.

    scikit-learn wraps ``transform`` where its own mixins see it defined, and would make a
    table of every result, which fails for tensors. So this class, which is none of theirs,
    defines it, and comes first among the bases.
    """

    def fit_transform(self, X, y=None):
        """Fit, then transform the same tracks.

        Parameters
        ----------
        X : array-like, as in `fit`
        y : ignored

        Returns
        -------
        X : ndarray of the same shape
        """
        return self.fit(X, y).transform(X)

    def transform(self, X):
        """Scale tracks.

        Parameters
        ----------
        X : array-like, as in `fit`

        Returns
        -------
        X : ndarray of the same shape
        """
        scaled = self._transform(X)
        if scaled.ndim > 2:
            return scaled
        return _wrap_data_with_container("transform", scaled, X, self)


class SegmentScaler(_TableOutput, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale each coefficient to mean 0 and variance 1 over all frames of the training tracks.

    :class:`sklearn.preprocessing.StandardScaler` for track tensors: statistics are per
    coefficient, over all tracks, segments and frames that exist.

    Parameters
    ----------
    with_mean : bool, default=True
        Subtract the mean.
    with_std : bool, default=True
        Divide by the standard deviation. A constant coefficient is not divided.

    Attributes
    ----------
    mean_ : float64 ndarray of shape (n_coefficients,) or None
        Mean of each coefficient; None if neither `with_mean` nor `with_std`.
    var_, scale_ : float64 ndarray of shape (n_coefficients,) or None
        Variance of each coefficient and what it is divided by; None unless `with_std`.
    n_samples_seen_ : int or int ndarray of shape (n_coefficients,)
        Number of frames; one number for each coefficient if a table has missing values.
    n_features_in_ : int
        Number of coefficients.

    Notes
    -----
    Takes ``(n_tracks, n_segments, n_frames, n_coefficients)``, ``(n_samples, n_frames,
    n_coefficients)`` or a table ``(n_samples, n_features)``, in float32 or float64, and
    returns the same kind. Missing segments stay missing. ``set_output`` changes the output
    for tables and has no effect on tensors.

    Before the published networks, use ``with_std=False``. Of MFCCs the high coefficients vary
    little; divided by their deviations they weigh as much as the low ones, and accuracy on unseen
    artists falls. The bands of :class:`MelSegmenter` vary alike: scale them before
    :class:`MelCNNClassifier`.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import SegmentScaler
    >>> X = np.arange(24, dtype="float32").reshape(2, 2, 3, 2)
    >>> SegmentScaler().fit(X).mean_
    array([11., 12.])
    """

    _parameter_constraints: ClassVar[dict] = {"with_mean": ["boolean"], "with_std": ["boolean"]}

    def __init__(self, *, with_mean: bool = True, with_std: bool = True):
        self.with_mean = with_mean
        self.with_std = with_std

    mean_: np.ndarray
    var_: np.ndarray
    scale_: np.ndarray
    n_samples_seen_: int | np.ndarray

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None) -> Self:
        """Compute mean and standard deviation of each coefficient.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Or of three or two axes, see the class.
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a segment is partly NaN, or no track has a segment.
        """
        return self._update(X, None)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None) -> Self:
        """Update mean and standard deviation with more tracks.

        Parameters
        ----------
        X : array-like, as in `fit`
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a segment is partly NaN, or no track has a segment.
        """
        return self._update(X, vars(self) if hasattr(self, "n_samples_seen_") else None)

    def _update(self, X, earlier: Mapping[str, Any] | None) -> Self:
        """Compute the statistics of `X`, on top of `earlier` ones if there are some."""
        X = check_tensor(self, X, reset=earlier is None, allow_nan=True)
        # Of a table NaN is an unknown value, of a tensor a missing segment.
        exists = segment_mask(as_tensor(X)) if X.ndim > 2 else None
        if exists is not None and not exists.any():
            raise ValueError("No track has a segment: all of X is NaN.")
        scaler = StandardScaler(with_mean=self.with_mean, with_std=self.with_std)
        if earlier is not None:
            state = ("mean_", "var_", "scale_", "n_samples_seen_", "n_features_in_")
            vars(scaler).update({name: earlier[name] for name in state})
        for block in blocks(X):
            rows = X[block] if exists is None else as_tensor(X[block])[exists[block]]
            if len(rows):
                scaler.partial_fit(rows.reshape(-1, X.shape[-1]).astype(np.float64))
        self.mean_, self.var_, self.scale_ = scaler.mean_, scaler.var_, scaler.scale_
        self.n_samples_seen_ = scaler.n_samples_seen_
        return self

    def _transform(self, X) -> np.ndarray:
        check_is_fitted(self)
        X = self._check(X, reset=False)
        X = X - self.mean_.astype(X.dtype) if self.with_mean else X.copy()
        return X / self.scale_.astype(X.dtype) if self.with_std else X

    def inverse_transform(self, X) -> np.ndarray:
        """Undo `transform`.

        Parameters
        ----------
        X : array-like, as in `fit`

        Returns
        -------
        X : ndarray of the same shape
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        X = X * self.scale_.astype(X.dtype) if self.with_std else X.copy()
        return X + self.mean_.astype(X.dtype) if self.with_mean else X

    def _check(self, X, *, reset: bool) -> np.ndarray:
        X = check_tensor(self, X, reset=reset, allow_nan=True)
        if X.ndim > 2:
            segment_mask(as_tensor(X))
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class SegmentSummary(TransformerMixin, BaseEstimator):
    """Summarise all frames of a track in one row, for classical models.

    Parameters
    ----------
    statistics : sequence of {"mean", "std", "percentiles", "delta_std", "covariance"}
        What to compute, in this order:

        - ``"mean"``, ``"std"``: of each coefficient over all frames;
        - ``"percentiles"``: the 5th, 25th, 50th, 75th and 95th of each coefficient;
        - ``"delta_std"``: standard deviation of the differences between one frame and the
          next within a segment, how fast the timbre moves;
        - ``"covariance"``: of each pair of different coefficients over all frames.

    Attributes
    ----------
    n_features_in_ : int
        Number of coefficients.

    Notes
    -----
    A track without any segment gives a row of NaN. A table, with its one frame a sample,
    is summarised as such: deviations and covariances of it are 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import SegmentSummary
    >>> X = np.arange(24, dtype="float32").reshape(2, 2, 3, 2)
    >>> SegmentSummary(statistics=("mean",)).fit_transform(X)
    array([[ 5.,  6.],
           [17., 18.]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict] = {
        "statistics": ["array-like", StrOptions(set(STATISTICS))]
    }

    def __init__(self, *, statistics: str | Sequence[str] = STATISTICS):
        self.statistics = statistics

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None) -> Self:
        """Check the parameters and note the number of coefficients.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Or of three or two axes.
        y : ignored

        Returns
        -------
        self
        """
        check_tensor(self, X, reset=True, allow_nan=True)
        self._statistics()
        return self

    def transform(self, X):
        """Summarise tracks.

        Parameters
        ----------
        X : array-like, as in `fit`

        Returns
        -------
        rows : ndarray of shape (n_tracks, n_features_out)
        """
        check_is_fitted(self, "n_features_in_")
        X = check_tensor(self, X, reset=False, allow_nan=True)
        # NaN in a table is an unknown value; in a tensor it is a missing segment.
        mask = segment_mask(as_tensor(X)) if X.ndim > 2 else np.ones((len(X), 1), bool)
        X = as_tensor(X)
        names = self._statistics()
        out = np.full((len(X), len(self.get_feature_names_out())), np.nan, X.dtype)
        for row, track, exists in zip(out, X, mask, strict=True):
            if exists.any():
                segments = track[exists].astype(np.float64)
                row[:] = np.concatenate([_SUMMARIES[name](segments) for name in names])
        return out

    def get_feature_names_out(self, input_features=None):
        """Names of the output columns.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the coefficients; ``mfcc0``, ``mfcc1``, ... unless a table named them.

        Returns
        -------
        names : ndarray of str objects
        """
        check_is_fitted(self, "n_features_in_")
        if input_features is None:
            default = [f"mfcc{i}" for i in range(self.n_features_in_)]
            input_features = getattr(self, "feature_names_in_", default)
        elif len(input_features) != self.n_features_in_:
            raise ValueError(
                "input_features should have length equal to number of features "
                f"({self.n_features_in_}), got {len(input_features)}"
            )
        names = []
        for statistic in self._statistics():
            if statistic == "percentiles":
                names += [f"{c}_p{p}" for p in PERCENTILES for c in input_features]
            elif statistic == "covariance":
                rows, columns = np.triu_indices(self.n_features_in_, k=1)
                names += [
                    f"{input_features[i]}_{input_features[j]}_covariance"
                    for i, j in zip(rows, columns, strict=True)
                ]
            else:
                names += [f"{c}_{statistic}" for c in input_features]
        return np.asarray(names, dtype=object)

    def _statistics(self) -> list[str]:
        names = [self.statistics] if isinstance(self.statistics, str) else list(self.statistics)
        unknown = [name for name in names if name not in STATISTICS]
        if unknown or not names:
            raise ValueError(
                f"statistics={self.statistics!r} must name at least one of {list(STATISTICS)}"
                + (f"; unknown: {unknown}" if unknown else "")
            )
        return names

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _frames(segments: np.ndarray) -> np.ndarray:
    return segments.reshape(-1, segments.shape[-1])


def _covariance(segments: np.ndarray) -> np.ndarray:
    frames = _frames(segments)
    deviation = frames - frames.mean(axis=0)
    covariance = deviation.T @ deviation / len(frames)
    return covariance[np.triu_indices(len(covariance), k=1)]


def _delta_std(segments: np.ndarray) -> np.ndarray:
    if segments.shape[1] == 1:
        return np.zeros(segments.shape[-1])
    return _frames(np.diff(segments, axis=1)).std(axis=0)


_SUMMARIES = {
    "mean": lambda segments: _frames(segments).mean(axis=0),
    "std": lambda segments: _frames(segments).std(axis=0),
    "percentiles": lambda segments: np.percentile(_frames(segments), PERCENTILES, axis=0).ravel(),
    "delta_std": _delta_std,
    "covariance": _covariance,
}
