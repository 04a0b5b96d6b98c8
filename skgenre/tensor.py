"""Validation and aggregation of track tensors.

A track tensor is a float32 array of shape ``(n_tracks, n_segments, n_frames, n_coefficients)``. A
missing segment is all NaN, and NaN occurs nowhere else.

In training, the last segments of a tensor may be those of changed copies of the tracks
(:class:`.features.augmented.Augmented`). One rule applies to all classifiers: fits use all
segments, predictions only those of the recordings. :func:`check_tensor` implements it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import check_consistent_length, validate_data

from ._checks import check_labels, list_names
from ._sklearn import _check_y, _get_feature_names
from ._warnings import warn
from .features.augmented import count_recorded, with_copies, without_copies
from .features.columns import GTZAN_FEATURES, tensor_order

#: Ways of aggregating the probabilities of the segments of a track.
AGGREGATIONS = ("mean", "vote", "max", "geometric")

#: Maximum number of tracks without segments that are listed in a warning.
MAX_TRACKS_LISTED = 20

#: Number of values checked at a time, so that a memory-mapped tensor is never loaded whole.
BLOCK_VALUES = 1 << 22


def as_tensor(X: np.ndarray) -> np.ndarray:
    """View 2-D or 3-D input as a track tensor of one segment per sample."""
    X = np.asarray(X)
    if X.ndim == 2:
        return X[:, None, None, :]
    return X[:, None] if X.ndim == 3 else X


def recorded_mask(X: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return the mask of the existing segments that are of the recordings, not of copies."""
    return mask & (np.arange(mask.shape[1]) < (count_recorded(X) or mask.shape[1]))


def check_tensor(
    estimator,
    X,
    y="no_validation",
    *,
    reset: bool,
    allow_nan: bool = False,
    copies: bool = False,
):
    """Validate 2-D, 3-D or 4-D input like ``validate_data`` of scikit-learn.

    Sets or checks ``n_features_in_``, which is the size of the last axis (scikit-learn uses axis
    1), and ``feature_names_in_`` for tables.

    Segments of changed copies are returned only in training: if `y` is passed, or with `copies`.

    Returns
    -------
    X : float32 or float64 ndarray
        The validated input, with its number of dimensions unchanged.
    y : ndarray
        The validated labels, only if `y` is passed.

    Raises
    ------
    ValueError
        If the number of dimensions or coefficients is wrong, or, unless `allow_nan`, if 2-D input
        contains NaN or values exceed the range of float32, in which the classifiers compute.
        :func:`segment_mask` checks segments for NaN. Also if the estimator was fitted on a table
        of GTZAN columns that are in another order than in tensors, or the reverse.

    Warns
    -----
    UserWarning
        If `reset`, and 4-D input has the shape of single-channel images; or if a tensor is passed
        to an estimator that was fitted on a table of other columns, whose names cannot be checked.
    """
    with_y = not (isinstance(y, str) and y == "no_validation")
    if not (with_y or copies):
        X = without_copies(X)
    n_recorded = count_recorded(X)
    if with_y and y is not None:
        check_labels(y)
    dtype = [np.float32, np.float64]
    ndim = X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim
    if ndim not in (3, 4):
        if ndim > 4:
            raise ValueError(
                f"Found array with dim {ndim}, while {type(estimator).__name__} expects tracks of "
                "shape (n_tracks, n_segments, n_frames, n_coefficients), samples of shape "
                "(n_samples, n_frames, n_coefficients), or a table of shape (n_samples, "
                "n_features)."
            )
        ensure_all_finite = "allow-nan" if allow_nan else True
        if not reset and not hasattr(estimator, "feature_names_in_"):
            _check_order(type(estimator).__name__, _get_feature_names(X))
        # validate_data has specific messages for 0-D and 1-D input and for sparse matrices.
        checked = validate_data(
            estimator, X, y, reset=reset, dtype=dtype, ensure_all_finite=ensure_all_finite
        )
        if not allow_nan:
            _check_float32(checked[0] if isinstance(checked, tuple) else checked)
        return checked

    name = type(estimator).__name__
    X = check_array(X, allow_nd=True, dtype=dtype, ensure_all_finite=False, estimator=name)
    if 0 in X.shape:
        raise ValueError(f"X must not be empty; got shape {X.shape}.")
    if not allow_nan:
        _check_float32(X)
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
        _warn_of_channels(X)
    elif n_features != estimator.n_features_in_:
        raise ValueError(
            f"X has {n_features} features, but {name} is expecting "
            f"{estimator.n_features_in_} features as input: the number of coefficients per frame "
            "must be the same as in fit."
        )
    elif hasattr(estimator, "feature_names_in_"):
        _check_names(name, list(estimator.feature_names_in_))
    X = with_copies(X, n_recorded)
    return (X, y) if with_y else X


def _warn_of_channels(X: np.ndarray) -> None:
    """Warn if a 4-D array has the shape of single-channel images, as in many Keras tutorials."""
    if X.ndim == 4 and X.shape[2] > 1 and X.shape[3] == 1:
        n, height, width, _ = X.shape
        warn(
            f"X of shape {X.shape} is read as {n} tracks of {height} segments with {width} frames "
            f"of 1 coefficient. If the last axis is a channel, as in Keras' convolutions, pass "
            f"X[..., 0], of shape {X.shape[:3]}: {n} tracks of one segment with {height} frames "
            f"of {width} coefficients."
        )


def _check_order(name: str, names: np.ndarray | None) -> None:
    """Compare the names of a table with the order of the columns of tensors, without names."""
    if names is not None and (expected := tensor_order(names)) != list(names):
        raise ValueError(
            f"X is a table with GTZAN's columns in the order {list(names)}, but {name} was fitted "
            f"without names, on a tensor or an array. In tensors, they are in the order of "
            f"GTZAN_FEATURES: pass X[{expected}]. If it was fitted on an array in this order, pass "
            "X.to_numpy()."
        )


def _check_names(name: str, names: list[str]) -> None:
    """Compare the names of a table with the order of the columns of tensors, which have none."""
    expected = tensor_order(names)
    if names != expected:
        raise ValueError(
            f"X is a tensor, in which GTZAN's columns are in the order of GTZAN_FEATURES, but "
            f"{name} was fitted on a table with the columns {names}. Pass a table to predict, or "
            f"fit {name} on table[{expected}]."
        )
    if not set(names) <= set(GTZAN_FEATURES):
        warn(f"X does not have valid feature names, but {name} was fitted with feature names")


def blocks(X: np.ndarray) -> Iterator[slice]:
    """Yield slices of the first axis that contain about :data:`BLOCK_VALUES` values each."""
    step = max(1, BLOCK_VALUES // max(1, X[0].size)) if len(X) else 1
    for start in range(0, len(X), step):
        yield slice(start, start + step)


def _check_float32(X: np.ndarray) -> None:
    """Raise ValueError for finite values that would overflow in float32."""
    if X.dtype == np.float32:
        return
    for block in blocks(X):
        too_large = np.isfinite(X[block]) & (np.abs(X[block]) > np.finfo(np.float32).max)
        if too_large.any():
            where = np.argwhere(too_large)[0]
            raise ValueError(
                "Input X contains infinity or a value too large for dtype('float32'): "
                f"{X[block][tuple(where)]:.1e} in sample {block.start + where[0]}. Scale it first, "
                "or leave the sample out."
            )


def segment_mask(X: np.ndarray) -> np.ndarray:
    """Compute the mask of existing segments.

    Parameters
    ----------
    X : ndarray of shape (n_tracks, n_segments, n_frames, n_coefficients)
        Track tensor.

    Returns
    -------
    mask : bool ndarray of shape (n_tracks, n_segments)
        True for segments that exist, False for missing segments.

    Raises
    ------
    ValueError
        If a segment is partly NaN or contains infinity. The message names the track and segment.
    """
    mask = np.empty(X.shape[:2], bool)
    for block in blocks(X):
        finite = np.isfinite(X[block])
        mask[block] = finite.all(axis=(2, 3))
        if not mask[block].all():
            bad = ~mask[block] & ~np.isnan(X[block]).all(axis=(2, 3))
            if bad.any():
                track, segment = np.argwhere(bad)[0]
                kind = "infinity" if np.isinf(X[block][track, segment]).any() else "NaN"
                raise ValueError(
                    f"Input X contains {kind} in part of segment {segment} of track "
                    f"{block.start + track}. A segment must be finite or, if it is missing, all "
                    "NaN; recompute it, or set all of it to NaN."
                )
    return mask


def spread(
    mask: np.ndarray, tracks: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distribute tracks and their weights over their segments.

    The weight of a track is divided among its segments. The result is scaled to mean 1, since
    Keras divides a weighted loss by the number of segments, not by the sum of their weights. A
    long track thus counts as one track, and a collection of tracks of equal length is trained as
    if unweighted.

    Parameters
    ----------
    mask : bool ndarray of shape (n_tracks, n_segments)
        Mask of existing segments, from :func:`segment_mask`.
    tracks : int ndarray
        Indices of the tracks to use. Each must have a segment.
    weight : ndarray of shape (n_tracks,)
        Weight of every track.

    Returns
    -------
    track, segment : int ndarray of shape (n_existing_segments,)
        Indices of each segment in the tensor.
    shared : float64 ndarray of shape (n_existing_segments,)
        Weight of each segment, with mean 1.
    """
    row, segment = np.nonzero(mask[tracks])
    track = tracks[row]
    shared = weight[track] / mask.sum(axis=1)[track]
    shared *= len(shared) / shared.sum()
    return track, segment, shared


def check_proba(estimator: Any, proba: np.ndarray) -> None:
    """Raise ValueError for probabilities that are not finite, which have no most probable class.

    Parameters
    ----------
    estimator : classifier
        The estimator that predicted them.
    proba : ndarray of shape (n_samples, n_classes)
        Probabilities of tracks or of existing segments.
    """
    total = proba.sum(axis=-1)
    if not (np.isfinite(total) & (total > 0)).all():
        raise ValueError(
            f"{type(estimator).__name__} predicts probabilities that are not finite or all zero. "
            "The values of X may be too large, or the model may be damaged: scale X as in fit, or "
            "fit the model again."
        )


def aggregate(proba: np.ndarray, mask: np.ndarray, aggregation: str) -> np.ndarray:
    """Aggregate the probabilities of segments into probabilities of tracks.

    Parameters
    ----------
    proba : ndarray of shape (n_tracks, n_segments, n_classes)
        Probabilities of the segments; NaN for missing segments.
    mask : bool ndarray of shape (n_tracks, n_segments)
        Mask of existing segments. Each track must have at least one.
    aggregation : {"mean", "vote", "max", "geometric"}
        Method; see :class:`skgenre.CNNClassifier` for the formulas.

    Returns
    -------
    proba : ndarray of shape (n_tracks, n_classes)
        Rows sum to 1.

    Raises
    ------
    ValueError
        If `aggregation` is unknown.
    """
    if aggregation not in AGGREGATIONS:
        raise ValueError(f"aggregation={aggregation!r} must be one of {', '.join(AGGREGATIONS)}")
    where = mask[:, :, None]
    n = mask.sum(axis=1, keepdims=True)
    if aggregation == "vote":
        votes = np.nan_to_num(proba).argmax(axis=2)[:, :, None] == np.arange(proba.shape[2])
        return (votes & where).sum(axis=1) / n
    if aggregation == "max":
        pooled = np.where(where, proba, 0).max(axis=1)
    elif aggregation == "geometric":
        # Clip at the smallest positive number, so that zeros do not make a whole row zero.
        log = np.log(np.where(where, np.maximum(proba, np.finfo(proba.dtype).tiny), 1))
        pooled = log.sum(axis=1) / n
        pooled = np.exp(pooled - pooled.max(axis=1, keepdims=True))
    else:
        pooled = np.where(where, proba, 0).sum(axis=1)
    return pooled / pooled.sum(axis=1, keepdims=True)


def aggregate_or_prior(
    proba: np.ndarray, mask: np.ndarray, aggregation: str, prior: np.ndarray
) -> np.ndarray:
    """Aggregate the probabilities of segments; use the class prior for tracks without segments.

    Parameters
    ----------
    proba, mask, aggregation
        See :func:`aggregate`. Tracks may have no segment.
    prior : ndarray of shape (n_classes,)
        Probabilities for tracks without segments.

    Returns
    -------
    proba : ndarray of shape (n_tracks, n_classes)
        Rows sum to 1.

    Warns
    -----
    UserWarning
        If tracks have no segment.
    """
    exists = mask.any(axis=1)
    out = np.tile(prior, (len(mask), 1))
    if exists.any():
        out[exists] = aggregate(proba[exists], mask[exists], aggregation)
    warn_of_missing(mask, "tracks have no segment and get the class prior")
    return out


def warn_of_missing(mask: np.ndarray, what: str) -> None:
    """Warn of tracks without segments; `what` says what becomes of them."""
    missing = np.flatnonzero(~mask.any(axis=1))
    if len(missing):
        listed = list_names(missing, MAX_TRACKS_LISTED)
        warn(f"{len(missing)} of {len(mask)} {what}: tracks {listed}")
