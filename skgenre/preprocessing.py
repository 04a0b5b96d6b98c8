"""Scaling and summarizing of track tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from ._sklearn import StrOptions, _fit_context, _wrap_data_with_container
from .features.augmented import count_recorded, with_copies
from .tensor import as_tensor, blocks, check_tensor, segment_mask

STATISTICS = ("mean", "std", "percentiles", "delta_std", "covariance")

#: Percentiles computed for ``statistics="percentiles"``.
PERCENTILES = (5, 25, 50, 75, 95)


class _TableOutput:
    """Mixin whose ``set_output`` applies to tables but not to tensors.

    scikit-learn wraps a ``transform`` that is defined in a subclass of its own mixins, and would
    convert every result to a table, which fails for tensors. This class therefore does not inherit
    from those mixins, and must come first among the base classes.
    """

    def fit_transform(self, X, y=None):
        """Fit to data, then transform it.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Input accepted by `fit`.
        y : None
            Ignored.

        Returns
        -------
        X : ndarray of the same shape
            Transformed data.
        """
        return self.fit(X, y).transform(X)

    def transform(self, X):
        """Scale each coefficient.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Input accepted by `fit`.

        Returns
        -------
        X : ndarray of the same shape
            Scaled data.
        """
        scaled = self._transform(X)
        is_table = scaled.ndim == 2
        if is_table:
            return _wrap_data_with_container("transform", scaled, X, self)
        return with_copies(scaled, count_recorded(X))


class SegmentScaler(_TableOutput, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardize each coefficient over all frames of the training tracks.

    This is :class:`sklearn.preprocessing.StandardScaler` for track tensors: the statistics of each
    coefficient are computed over all tracks, existing segments and frames.

    Read more in the :ref:`User Guide <neural_networks>`.

    Parameters
    ----------
    with_mean : bool, default=True
        If True, subtract the mean.
    with_std : bool, default=True
        If True, divide by the standard deviation. Constant coefficients are not divided.

    Attributes
    ----------
    mean_ : float64 ndarray of shape (n_coefficients,) or None
        Mean of each coefficient; None if neither `with_mean` nor `with_std` is set.
    var_, scale_ : float64 ndarray of shape (n_coefficients,) or None
        Variance and scaling factor of each coefficient; None if `with_std` is not set.
    n_samples_seen_ : int or int ndarray of shape (n_coefficients,)
        Number of frames; one value per coefficient if a table has missing values.
    n_features_in_ : int
        Number of coefficients.

    Notes
    -----
    The input is an array of shape ``(n_tracks, n_segments, n_frames, n_coefficients)`` or
    ``(n_samples, n_frames, n_coefficients)``, or a table of shape ``(n_samples, n_features)``, in
    float32 or float64. The output has the same shape and dtype. Missing segments remain missing.
    ``set_output`` applies to tables and has no effect on tensors. Segments of changed copies, see
    :class:`FrontEnd`, are part of the statistics, since the next step is trained on them.

    Use ``with_std=False`` before the networks of the published system. High MFCCs vary little;
    unit variance would weigh them as much as the low ones, which lowers the accuracy on unseen
    artists. The bands of :class:`MelSegmenter` have similar variances and should be scaled before
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
        """Compute the mean and standard deviation of each coefficient.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Arrays of two or three dimensions are also accepted; see the Notes of the class.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted scaler.

        Raises
        ------
        ValueError
            If a segment is partly NaN, or no track has a segment.
        """
        return self._update(X, None)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None) -> Self:
        """Update the mean and standard deviation with more tracks.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Input accepted by `fit`.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted scaler.

        Raises
        ------
        ValueError
            If a segment is partly NaN, or no track has a segment.
        """
        return self._update(X, vars(self) if hasattr(self, "n_samples_seen_") else None)

    def _update(self, X, earlier: Mapping[str, Any] | None) -> Self:
        """Compute the statistics of `X`, combined with `earlier` ones if given."""
        X = check_tensor(self, X, reset=earlier is None, allow_nan=True, copies=True)
        # NaN is a missing value in a table, and a missing segment in a tensor.
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
        X = self._check(X)
        X = X - self.mean_.astype(X.dtype) if self.with_mean else X.copy()
        return X / self.scale_.astype(X.dtype) if self.with_std else X

    def inverse_transform(self, X) -> np.ndarray:
        """Undo the scaling of `transform`.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Input accepted by `fit`.

        Returns
        -------
        X : ndarray of the same shape
            Data on the original scale.
        """
        X = self._check(X)
        X = X * self.scale_.astype(X.dtype) if self.with_std else X.copy()
        return X + self.mean_.astype(X.dtype) if self.with_mean else X

    def _check(self, X) -> np.ndarray:
        check_is_fitted(self)
        X = check_tensor(self, X, reset=False, allow_nan=True, copies=True)
        if X.ndim > 2:
            segment_mask(as_tensor(X))  # raises for segments that are partly NaN
        return X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class SegmentSummary(TransformerMixin, BaseEstimator):
    """Summarize the frames of each track in one row of statistics.

    Read more in the :ref:`User Guide <classical_models>`.

    Parameters
    ----------
    statistics : str or sequence of str, default=("mean", "std", "percentiles", "delta_std", \
"covariance")
        Statistics to compute. The output columns are in the order in which they are passed.

        - ``"mean"``, ``"std"``: mean and standard deviation of each coefficient over all frames;
        - ``"percentiles"``: 5th, 25th, 50th, 75th and 95th percentile of each coefficient;
        - ``"delta_std"``: standard deviation of the differences between consecutive frames of a
          segment, a measure of how fast the timbre changes;
        - ``"covariance"``: covariance of each pair of different coefficients over all frames.

    Attributes
    ----------
    n_features_in_ : int
        Number of coefficients, the size of the last axis of the input.

    Notes
    -----
    Tracks without segments are summarized as rows of NaN. Segments of changed copies, see
    :class:`FrontEnd`, are left out, since a track is one row. Tables are treated as tracks of one
    frame; their standard deviations and covariances are 0.

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
        # Not sets, whose order differs between processes.
        "statistics": [list, tuple, np.ndarray, StrOptions(set(STATISTICS))]
    }

    def __init__(self, *, statistics: str | Sequence[str] = STATISTICS):
        self.statistics = statistics

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None) -> Self:
        """Validate the parameters and store the number of coefficients.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Arrays of two or three dimensions are also accepted.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.
        """
        check_tensor(self, X, reset=True, allow_nan=True)
        self._statistics()
        return self

    def transform(self, X):
        """Summarize each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Input accepted by `fit`.

        Returns
        -------
        rows : ndarray of shape (n_tracks, n_features_out)
            Statistics of each track.
        """
        check_is_fitted(self, "n_features_in_")
        X = check_tensor(self, X, reset=False, allow_nan=True)
        # NaN is a missing value in a table, and a missing segment in a tensor.
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
        """Get output feature names.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the coefficients. If None, ``feature_names_in_`` is used if it is defined,
            and ``mfcc1``, ``mfcc2``, ... otherwise.

        Returns
        -------
        names : ndarray of str objects
            Names of the output columns.
        """
        check_is_fitted(self, "n_features_in_")
        if input_features is None:
            default = [f"mfcc{i}" for i in range(1, self.n_features_in_ + 1)]
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
