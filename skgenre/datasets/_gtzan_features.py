"""Loading of GTZAN feature tables."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .._paths import expand
from ..features import GTZAN_FEATURES
from .facts import artist_groups, parse_names

_DESCR = """\
GTZAN feature table {name}: {n_rows} rows of 57 features, of {n_tracks} tracks.

The features are means and variances of features computed by librosa with its defaults. Pieces of
the same track are nearly identical: for cross-validation, use `track_ids` as groups or, better,
`groups`, the artists.
"""


def load_gtzan_features(path: str | os.PathLike, *, per_track: bool = False) -> Bunch:
    """Load a feature table of the tracks of GTZAN or of pieces of them.

    Supported are the published tables of 3-, 10- and 30-second pieces, such as
    ``features_3_sec.csv``, with columns in any order.

    Parameters
    ----------
    path : str or path-like
        CSV file with the columns ``filename``, ``label`` and the 57 features. Other columns, such
        as an index or ``length``, are ignored. File names may have the suffix of an audio file or
        none; see :func:`skgenre.track_groups`.
    per_track : bool, default=False
        If True, average the pieces of each track.

    Returns
    -------
    table : Bunch
        Dictionary-like object, with the following attributes.

        data : DataFrame of shape (n_rows, 57)
            Features, in the order of :class:`skgenre.TrackFeatures`.
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
        piece : int ndarray of shape (n_rows,)
            Number of the piece within its track; 0 for whole tracks.
        DESCR : str
            Description of the table.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If columns are missing, values are missing or not finite, or file names are not those of
        GTZAN.

    See Also
    --------
    skgenre.TrackFeatures : Extract the same columns from audio files.
    skgenre.pieces_to_tracks : Convert a table of pieces to a track tensor.

    Examples
    --------
    >>> from skgenre.datasets import load_gtzan_features
    >>> table = load_gtzan_features("features_30_sec.csv")  # doctest: +SKIP
    """
    path = Path(expand(path))
    frame = pd.read_csv(path)
    _check_columns(frame, path)
    parsed = parse_names(frame["filename"])
    data = frame[list(GTZAN_FEATURES)].apply(pd.to_numeric, errors="coerce").astype(np.float64)
    _check_values(data, frame, path)

    target = frame["label"].to_numpy(dtype=str)
    filenames = frame["filename"].to_numpy(dtype=str)
    track_ids = np.array([name.track for name in parsed], dtype=str)
    piece = np.array([name.piece for name in parsed], dtype=int)
    if per_track:
        first = ~pd.Series(track_ids).duplicated().to_numpy()
        data = data.groupby(track_ids, sort=False).mean().reset_index(drop=True)
        target = target[first]
        filenames = track_ids = track_ids[first]
        piece = np.zeros(len(track_ids), dtype=int)
    return Bunch(
        data=data,
        target=target,
        target_names=sorted(set(target.tolist())),
        frame=data.assign(label=target),
        feature_names=list(data.columns),
        filenames=filenames,
        track_ids=track_ids,
        groups=artist_groups(track_ids),
        piece=piece,
        DESCR=_DESCR.format(name=path.name, n_rows=len(data), n_tracks=len(set(track_ids))),
    )


def _check_columns(frame: pd.DataFrame, path: Path) -> None:
    missing = [name for name in ("filename", "label", *GTZAN_FEATURES) if name not in frame]
    if missing:
        raise ValueError(
            f"{path} lacks {len(missing)} of the 59 columns of a GTZAN feature table: {missing}. "
            f"It has: {list(frame.columns)}"
        )
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
            "skgenre.TrackFeatures."
        )
