"""Loading of GTZAN feature tables."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_array

from .._checks import check_labels
from .._files import expand
from .._sklearn import _get_feature_names
from ..features.columns import GTZAN_FEATURES, tensor_order
from ._table import check_repeated, read_header
from .facts import artist_groups, parse_names

_DESCR = """\
GTZAN feature table {name}: {n_rows} rows of 57 features, of {n_tracks} tracks.

The features are means and variances of features computed by librosa with its defaults. Pieces of
the same track are nearly identical: for cross-validation, use `track_ids` as groups or, better,
`groups`, the artists.
"""


def load_gtzan_features(path: str | os.PathLike, *, per_track: bool = False) -> Bunch:
    """Load a feature table of the tracks of GTZAN or of segments of them.

    Supported are the published tables of 3-, 10- and 30-second segments, such as
    ``features_3_sec.csv``, with columns in any order.

    Parameters
    ----------
    path : str or path-like
        CSV file with the columns ``filename``, ``label`` and the 57 features. Other columns, such
        as an index or ``length``, are ignored. File names may have the suffix of an audio file or
        none; see :func:`skgenre.datasets.track_groups`.
    per_track : bool, default=False
        If True, average the segments of each track.

    Returns
    -------
    table : Bunch
        Dictionary-like object, with the following attributes.

        data : DataFrame of shape (n_rows, 57)
            Features, in the order of :class:`skgenre.GTZANFeatures`.
        target : ndarray of str, shape (n_rows,)
            Genres.
        target_names : list of str
            Sorted names of the genres.
        frame : DataFrame of shape (n_rows, 58)
            `data` and `target`.
        feature_names : list of str
            Names of the columns of `data`.
        filenames : ndarray of str, shape (n_rows,)
            File names in the table, or track ids if `per_track` is True.
        track_ids : ndarray of str, shape (n_rows,)
            Track ids, such as ``"blues.00000"``, for cross-validation grouped by track.
        groups : ndarray of str, shape (n_rows,)
            Artist of each track if known, otherwise the track id.
        segment : int ndarray of shape (n_rows,)
            Number of the segment within its track; 0 for whole tracks.
        DESCR : str
            Description of the table.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If columns are missing or repeated, or have another separator than commas, values are
        missing or not finite, or file names are not those of GTZAN.

    See Also
    --------
    skgenre.GTZANFeatures : Extract the same columns from audio files.
    skgenre.datasets.segments_to_tracks : Convert a table of segments to a track tensor.

    Examples
    --------
    >>> from skgenre.datasets import load_gtzan_features
    >>> table = load_gtzan_features("features_30_sec.csv")  # doctest: +SKIP
    """
    path = Path(expand(path))
    header = read_header(path, dtype=str, keep_default_na=False)
    frame = pd.read_csv(path)
    _check_columns(frame, header, path)
    parsed = parse_names(frame["filename"])
    data = frame[list(GTZAN_FEATURES)].apply(pd.to_numeric, errors="coerce").astype(np.float64)
    _check_values(data, frame, path)

    target = frame["label"].to_numpy(dtype=str)
    filenames = frame["filename"].to_numpy(dtype=str)
    track_ids = np.array([name.track for name in parsed], dtype=str)
    segment = np.array([name.piece for name in parsed], dtype=int)
    if per_track:
        first = ~pd.Series(track_ids).duplicated().to_numpy()
        data = data.groupby(track_ids, sort=False).mean().reset_index(drop=True)
        target = target[first]
        filenames = track_ids = track_ids[first]
        segment = np.zeros(len(track_ids), dtype=int)
    return Bunch(
        data=data,
        target=target,
        target_names=sorted(set(target.tolist())),
        frame=data.assign(label=target),
        feature_names=list(data.columns),
        filenames=filenames,
        track_ids=track_ids,
        groups=artist_groups(track_ids),
        segment=segment,
        DESCR=_DESCR.format(name=path.name, n_rows=len(data), n_tracks=len(set(track_ids))),
    )


def _check_columns(frame: pd.DataFrame, header: list[str], path: Path) -> None:
    needed = ("filename", "label", *GTZAN_FEATURES)
    missing = [name for name in needed if name not in frame]
    if missing:
        raise ValueError(
            f"{path} lacks {len(missing)} of the 59 columns of a GTZAN feature table: {missing}. "
            f"It has: {list(frame.columns)}"
        )
    check_repeated(path, header, needed)
    if frame.empty:
        raise ValueError(f"{path} has no rows")


def _check_values(data: pd.DataFrame, frame: pd.DataFrame, path: Path) -> None:
    finite = np.isfinite(data.to_numpy())
    labelled = frame["label"].notna().to_numpy()
    bad = np.flatnonzero(~finite.all(axis=1) | ~labelled)
    if len(bad):
        column = "label" if not labelled[bad[0]] else data.columns[~finite[bad[0]]][0]
        raise ValueError(
            f"{len(bad)} of {len(data)} rows of {path} have missing or non-finite values: "
            f"{frame['filename'].iloc[bad[:20]].tolist()}; in the first, {column}="
            f"{frame[column].iloc[bad[0]]!r}. Remove these rows, or recompute them from audio with "
            "skgenre.GTZANFeatures."
        )


def segments_to_tracks(X, track_ids) -> tuple[np.ndarray, np.ndarray]:
    """Convert a table of segments of tracks to a track tensor.

    The segments of a track then stay together in any split, and
    :class:`skgenre.SegmentVotingClassifier` predicts one label per track.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n_segments, n_features)
        Features of the segments, for example from :func:`skgenre.datasets.load_gtzan_features`. If
        all columns of a DataFrame are GTZAN's, they are put in the order of
        :data:`skgenre.features.GTZAN_FEATURES`, as in the tensors of
        :class:`skgenre.GTZANFeatures`. Otherwise, their order is kept.
    track_ids : array-like of shape (n_segments,)
        Track of each segment. The segments of a track need not be adjacent; their order is kept.

    Returns
    -------
    tensor : float32 ndarray of shape (n_tracks, n_segments_of_longest, 1, n_features)
        Tracks in the order of their first segments. Shorter tracks are padded with NaN.
    first : int ndarray of shape (n_tracks,)
        Index of the first segment of each track, so that ``y[first]`` contains the labels of the
        tracks.

    Raises
    ------
    ValueError
        If `X` and `track_ids` differ in length, `X` contains NaN or infinity, or track ids are
        missing (None or NaN).

    Examples
    --------
    >>> from skgenre.datasets import segments_to_tracks
    >>> tensor, first = segments_to_tracks([[1.0, 2], [3, 4], [5, 6]], ["a", "b", "a"])
    >>> tensor.shape, first.tolist()
    ((2, 2, 1, 2), [0, 1])
    >>> tensor[0, :, 0].tolist()
    [[1.0, 2.0], [5.0, 6.0]]
    """
    names = _get_feature_names(X)
    X = check_array(X, dtype=np.float32)
    if names is not None:
        expected = tensor_order(names)
        X = X[:, np.argsort([expected.index(name) for name in names], kind="stable")]
    track_ids = check_labels(track_ids, len(X), "track_ids")
    _, first, track = np.unique(track_ids, return_index=True, return_inverse=True)
    # Order tracks by their first segment instead of by name.
    order = np.argsort(first)
    first, track = first[order], np.argsort(order)[track]
    by_track = np.argsort(track, kind="stable")
    counts = np.bincount(track)
    segment = np.empty(len(X), int)
    segment[by_track] = np.arange(len(X)) - np.repeat(np.cumsum(counts) - counts, counts)
    tensor = np.full((len(first), counts.max(), 1, X.shape[1]), np.nan, np.float32)
    tensor[track, segment, 0] = X
    return tensor, first
