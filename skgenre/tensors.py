"""The track tensor's own rules, and the transformers that work on it.

A track tensor is ``float32 (n_tracks, n_segments, n_frames, n_coefficients)``. A segment
that does not exist is all NaN, and NaN occurs nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils import check_array
from sklearn.utils._param_validation import StrOptions
from sklearn.utils._set_output import _wrap_data_with_container
from sklearn.utils.validation import (
    _check_y,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

#: Values looked at in one go, so that a memory-mapped tensor is never read in whole.
BLOCK_VALUES = 1 << 22

STATISTICS = ("mean", "std", "percentiles", "delta_std", "covariance")

#: The percentiles of ``statistics="percentiles"``.
PERCENTILES = (5, 25, 50, 75, 95)


def as_tensor(X: np.ndarray) -> np.ndarray:
    """View 2-D and 3-D input as a track tensor: one segment a sample, of one frame if 2-D."""
    if X.ndim == 2:
        return X[:, None, None, :]
    return X[:, None] if X.ndim == 3 else X


def check_tensor(estimator, X, y="no_validation", *, reset: bool, allow_nan: bool = False):
    """Validate 2-D, 3-D or 4-D input as scikit-learn's ``validate_data`` does 2-D.

    Sets or checks ``n_features_in_``, which is the last axis whatever the number of axes
    (scikit-learn would take axis 1), and ``feature_names_in_`` for tables.

    Returns
    -------
    X : float32 or float64 ndarray, with as many axes as given
    y : the validated labels, only if `y` is passed

    Raises
    ------
    ValueError
        For another number of axes or coefficients, or, on 2-D input unless `allow_nan`,
        NaN. Segments are checked for NaN by :func:`segment_mask`.
    """
    dtype = [np.float32, np.float64]
    ndim = getattr(X, "ndim", None)
    if ndim is None:
        ndim = np.asarray(X).ndim
    if ndim not in (3, 4):
        if ndim > 4:
            raise ValueError(
                f"Found array with dim {ndim}, while {type(estimator).__name__} takes tracks as "
                "(n_tracks, n_segments, n_frames, n_coefficients), samples as (n_samples, "
                "n_frames, n_coefficients), or a table (n_samples, n_features)."
            )
        ensure_all_finite = "allow-nan" if allow_nan else True
        # validate_data names the problem of 0-D and 1-D input, and of sparse matrices.
        return validate_data(
            estimator, X, y, reset=reset, dtype=dtype, ensure_all_finite=ensure_all_finite
        )

    name = type(estimator).__name__
    X = check_array(X, allow_nd=True, dtype=dtype, ensure_all_finite=False, estimator=name)
    if 0 in X.shape:
        raise ValueError(f"X has shape {X.shape}: there is nothing in it.")
    with_y = not (isinstance(y, str) and y == "no_validation")
    if with_y:
        if y is None:
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        y = _check_y(y, estimator=name)
        check_consistent_length(X, y)
    n_features = X.shape[-1]
    if reset:
        estimator.n_features_in_ = n_features
        if hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
    elif n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_features} features, but {name} is expecting "
            f"{estimator.n_features_in_} features as input: the number of coefficients a "
            "frame must be that of the fit."
        )
    return (X, y) if with_y else X


def _blocks(X: np.ndarray) -> Iterator[slice]:
    """Slices of the first axis that hold about :data:`BLOCK_VALUES` values each."""
    step = max(1, BLOCK_VALUES // max(1, X[0].size)) if len(X) else 1
    for start in range(0, len(X), step):
        yield slice(start, start + step)


def segment_mask(X: np.ndarray) -> np.ndarray:
    """Tell which segments of a track tensor exist.

    Parameters
    ----------
    X : ndarray of shape (n_tracks, n_segments, n_frames, n_coefficients)

    Returns
    -------
    mask : bool ndarray of shape (n_tracks, n_segments)

    Raises
    ------
    ValueError
        If a segment is partly NaN, or holds infinity; names the track and segment.
    """
    mask = np.empty(X.shape[:2], bool)
    for block in _blocks(X):
        finite = np.isfinite(X[block])
        mask[block] = finite.all(axis=(2, 3))
        if not mask[block].all():
            bad = ~mask[block] & ~np.isnan(X[block]).all(axis=(2, 3))
            if bad.any():
                track, segment = np.argwhere(bad)[0]
                kind = "infinity" if np.isinf(X[block][track, segment]).any() else "NaN"
                raise ValueError(
                    f"Input X contains {kind} in part of segment {segment} of track "
                    f"{block.start + track}. A segment is either whole or, where the track has "
                    "none, all NaN; compute it again or set all of it to NaN."
                )
    return mask


@dataclass(frozen=True)
class Segments:
    """Segments of tracks to train on, without a copy of the tensor they lie in.

    Parameters
    ----------
    X : ndarray of shape (n_tracks, n_segments, n_frames, n_coefficients)
        May be memory-mapped: only batches are read.
    track, segment : int ndarray of shape (n,)
        Where each training segment lies.
    y : int ndarray of shape (n,)
        Its class.
    weight : float32 ndarray of shape (n,)
        Its weight in the loss; they have mean 1.
    """

    X: np.ndarray
    track: np.ndarray
    segment: np.ndarray
    y: np.ndarray
    weight: np.ndarray

    def __len__(self) -> int:
        return len(self.track)

    def batches(self, batch_size: int, rng: np.random.Generator | None) -> Iterator[tuple]:
        """Yield ``(x, y, weight)`` of one epoch, permuted if there is an `rng`."""
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            x = self.X[self.track[batch], self.segment[batch]]
            yield x.astype(np.float32, copy=False), self.y[batch], self.weight[batch]


def spread(
    X: np.ndarray, mask: np.ndarray, tracks: np.ndarray, y: np.ndarray, weight: np.ndarray
) -> Segments:
    """Spread tracks into their segments.

    A track's weight is shared among its segments, then all are scaled to mean 1, since
    Keras divides a weighted loss by the number of segments, not by their weight. So a long
    mix counts as one track, and a collection of equal lengths trains as if unweighted.

    Parameters
    ----------
    X : ndarray of shape (n_tracks, n_segments, n_frames, n_coefficients)
    mask : bool ndarray of shape (n_tracks, n_segments)
        From :func:`segment_mask`.
    tracks : int ndarray
        Which tracks to take; each has a segment.
    y, weight : ndarray of shape (n_tracks,)
        Class and weight of every track.
    """
    row, segment = np.nonzero(mask[tracks])
    track = tracks[row]
    shared = weight[track] / mask.sum(axis=1)[track]
    shared *= len(shared) / shared.sum()
    return Segments(X, track, segment, y[track].astype(np.int32), shared.astype(np.float32))


def fold(proba: np.ndarray, mask: np.ndarray, aggregation: str) -> np.ndarray:
    """Fold segment probabilities into one row per track.

    Parameters
    ----------
    proba : ndarray of shape (n_tracks, n_segments, n_classes)
        NaN where a segment does not exist.
    mask : bool ndarray of shape (n_tracks, n_segments)
        Where it does; each track has at least one.
    aggregation : {"mean", "vote", "max", "geometric"}
        See :class:`skgenre.CNNClassifier` for the formulas.

    Returns
    -------
    proba : ndarray of shape (n_tracks, n_classes)
        Rows sum to 1.
    """
    where = mask[:, :, None]
    n = mask.sum(axis=1, keepdims=True)
    if aggregation == "vote":
        votes = np.nan_to_num(proba).argmax(axis=2)[:, :, None] == np.arange(proba.shape[2])
        return (votes & where).sum(axis=1) / n
    if aggregation == "max":
        folded = np.where(where, proba, 0).max(axis=1)
    elif aggregation == "geometric":
        # The smallest positive number keeps a probability of 0 from making all rows 0.
        log = np.log(np.where(where, np.maximum(proba, np.finfo(proba.dtype).tiny), 1))
        folded = log.sum(axis=1) / n
        folded = np.exp(folded - folded.max(axis=1, keepdims=True))
    else:
        folded = np.where(where, proba, 0).sum(axis=1)
    return folded / folded.sum(axis=1, keepdims=True)


class _OutputForTables:
    """``transform`` whose result ``set_output`` changes for tables and not for tensors.

    It comes first among the bases: scikit-learn wraps these methods where its own mixins
    see them defined, and would make a table of everything.
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


class SegmentScaler(_OutputForTables, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Scale each coefficient to mean 0 and variance 1 over all frames of the training tracks.

    What :class:`sklearn.preprocessing.StandardScaler` does for a table, for track tensors:
    statistics are per coefficient, over all tracks, segments and frames that exist.

    Parameters
    ----------
    with_mean : bool, default=True
        Subtract the mean.
    with_std : bool, default=True
        Divide by the standard deviation. A coefficient that never varies is left as it is.

    Attributes
    ----------
    mean_, scale_ : float64 ndarray of shape (n_coefficients,)
        What is subtracted, and by what is divided.
    n_features_in_ : int
        Number of coefficients.

    Notes
    -----
    Takes ``(n_tracks, n_segments, n_frames, n_coefficients)``, ``(n_samples, n_frames,
    n_coefficients)`` or a table ``(n_samples, n_features)``, in float32 or float64, and
    returns the same kind. Missing segments stay missing. ``set_output`` changes the output
    for tables and has no effect on tensors.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import SegmentScaler
    >>> X = np.arange(24, dtype="float32").reshape(2, 2, 3, 2)
    >>> SegmentScaler().fit(X).mean_
    array([11., 12.])
    """

    _parameter_constraints: dict = {"with_mean": ["boolean"], "with_std": ["boolean"]}

    def __init__(self, *, with_mean=True, with_std=True):
        self.with_mean = with_mean
        self.with_std = with_std

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
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
        X = self._check(X, reset=True)
        # Chan, Golub and LeVeque's update: numerically sound, one block at a time.
        n = np.zeros(X.shape[-1])
        mean = np.zeros(X.shape[-1])
        squares = np.zeros(X.shape[-1])
        for block in _blocks(X):
            rows = X[block].reshape(-1, X.shape[-1]).astype(np.float64)
            exists = ~np.isnan(rows)
            n_block = exists.sum(axis=0)
            divisor = np.maximum(n_block, 1)
            mean_block = np.where(exists, rows, 0).sum(axis=0) / divisor
            deviation = np.where(exists, rows - mean_block, 0)
            # The second term takes out the rounding error of the block's mean.
            squares_block = (deviation**2).sum(axis=0) - deviation.sum(axis=0) ** 2 / divisor
            total = np.maximum(n + n_block, 1)
            delta = mean_block - mean
            squares += squares_block + delta**2 * n * n_block / total
            mean += delta * n_block / total
            n += n_block
        if X.ndim > 2 and not n.any():
            raise ValueError("No track has a segment: all of X is NaN.")
        variance = squares / np.maximum(n, 1)
        # A constant column's variance is rounding error, not signal (as in StandardScaler).
        eps = np.finfo(np.float64).eps
        constant = variance <= n * eps * variance + (n * mean * eps) ** 2
        self.mean_ = np.where(n, mean, np.nan) if self.with_mean else np.zeros_like(mean)
        self.scale_ = np.where(constant | (not self.with_std), 1.0, np.sqrt(variance))
        return self

    def _transform(self, X) -> np.ndarray:
        check_is_fitted(self)
        X = self._check(X, reset=False)
        return (X - self.mean_.astype(X.dtype)) / self.scale_.astype(X.dtype)

    def inverse_transform(self, X):
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
        return X * self.scale_.astype(X.dtype) + self.mean_.astype(X.dtype)

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

    _parameter_constraints: dict = {"statistics": ["array-like", StrOptions(set(STATISTICS))]}

    def __init__(self, *, statistics=STATISTICS):
        self.statistics = statistics

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
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
