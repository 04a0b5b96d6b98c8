"""Loading of local copies of GTZAN, and of the published tables of its features."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch, check_array

from .._checks import AT_LEAST_1, check_labels, check_number
from .._files import expand
from .._sklearn import _get_feature_names
from ..features.columns import GTZAN_FEATURES, tensor_order
from ._folder import list_audio
from ._groups import artist_groups, gtzan_table, make_collection, parse_names
from ._names import GTZAN_GENRES, is_audio, normal, parse_gtzan

logger = logging.getLogger("skgenre")

#: Environment variable with the path of the dataset.
ENVIRONMENT_VARIABLE = "SKGENRE_GTZAN"

#: Folders that contain the genre folders in common downloads.
_INNER = ("genres_original", "genres", "Data/genres_original")

_WHERE = (
    "The official GTZAN download is no longer available; copies are distributed as 'GTZAN Dataset "
    "- Music Genre Classification' on data science platforms and as genres.tar.gz. Unpack one and "
    f"pass its folder as data_home, or set {ENVIRONMENT_VARIABLE}. Without the dataset, "
    "skgenre.datasets.make_tracks creates synthetic tracks."
)

_DESCR = """\
GTZAN: {n_tracks} of 1,000 tracks of 30 seconds in ten genres.

Collected by G. Tzanetakis (G. Tzanetakis and P. Cook, "Musical Genre Classification of Audio
Signals", IEEE Trans. Speech and Audio Processing, 2002). The artists were identified by B. L. Sturm
("An Analysis of the GTZAN Music Genre Dataset", ACM MIRUM 2012), who also found repetitions and
wrong labels. Tracks of an artist are similar: use `groups` for cross-validation.
"""

_TABLE_DESCR = """\
GTZAN feature table {name}: {n_rows} rows of 57 features, of {n_tracks} tracks.

The features are means and variances of features computed by librosa with its defaults. Segments of
the same track are nearly identical: for cross-validation, use `track_ids` as groups or, better,
`groups`, the artists.
"""


def load_gtzan(
    data_home: str | os.PathLike | None = None,
    *,
    min_tracks: int = 1,
    return_X_y: bool = False,
) -> Bunch:
    """Load the paths and genres of a local copy of GTZAN. No audio is read.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder that contains ``genres_original/``, ``genres/`` or the genre folders. If None, the
        environment variable ``SKGENRE_GTZAN`` is used. The files can have any audio format and
        the names that :func:`skgenre.datasets.track_groups` accepts. The copy can be incomplete,
        and its genre folders can be symbolic links. Of several files of a track, the one with the
        shortest name is used; parts of tracks are ignored.
    min_tracks : int, default=1
        Genres with fewer tracks are excluded.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch object.

    Returns
    -------
    tracks : Bunch
        Dictionary-like object, sorted by genre and number, with the following attributes. If
        `return_X_y` is True, a tuple of the first two is returned instead.

        data : list of str
            Paths, for example for :class:`skgenre.MFCCSegmenter`.
        target : ndarray of str, shape (n_tracks,)
            Genres.
        target_names : list of str
            Sorted names of the genres.
        track_ids : ndarray of str, shape (n_tracks,)
            Track ids, such as ``"blues.00000"``.
        groups : ndarray of str, shape (n_tracks,)
            Artist of each track if known, otherwise the track id.
        excluded : list of str
            Paths of ``jazz.00054.wav``, which is corrupt in the common download, and of genres
            with fewer than `min_tracks` tracks.
        DESCR : str
            Description of the dataset.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist or contains no GTZAN tracks.
    OSError
        If the folder cannot be read, for example a PermissionError.
    ValueError
        If no genre has at least `min_tracks` tracks.

    Warns
    -----
    UserWarning
        If subfolders cannot be read; they are left out.

    Examples
    --------
    >>> from skgenre.datasets import load_gtzan
    >>> tracks = load_gtzan("gtzan")  # doctest: +SKIP
    >>> tracks.target_names  # doctest: +SKIP
    ['blues', 'classical', 'country', 'disco', 'hiphop', 'jazz', 'metal', 'pop', 'reggae', 'rock']
    """
    check_number("min_tracks", min_tracks, AT_LEAST_1)
    home = data_home or os.environ.get(ENVIRONMENT_VARIABLE)
    if home is None:
        raise FileNotFoundError(f"No folder given for GTZAN. {_WHERE}")
    home = Path(expand(home))
    if not home.is_dir():
        raise FileNotFoundError(f"There is no folder {home}. {_WHERE}")
    root = next((home / inner for inner in _INNER if (home / inner).is_dir()), home)

    faults = gtzan_table("faults")
    found: dict[str, str] = {}
    excluded = []
    n_parts = 0
    files = [Path(path) for path in list_audio(root)]
    # The shortest name is that of the original of a copy. Sorting makes the choice between two
    # formats of a track reproducible.
    for file in sorted(files, key=lambda file: (len(file.name), file)):
        if file.parent.parent != root or normal(file.parent.name) not in GTZAN_GENRES:
            continue
        parsed = parse_gtzan(file.name)
        if parsed is None or parsed.is_part:
            n_parts += parsed is not None
            continue
        # jazz.00054.au.wav is not the common download.
        if parsed.track in faults and file.suffix.lower() == ".wav" and not is_audio(file.stem):
            logger.info("Excluding %s: %s in the common download", file, faults[parsed.track])
            excluded.append(str(file))
        else:
            found.setdefault(parsed.track, str(file))
    if not found:
        parts = f" It contains {n_parts} parts of tracks: use load_folder." if n_parts else ""
        raise FileNotFoundError(
            f"{root} contains no GTZAN tracks: expected folders named by genre ({GTZAN_GENRES[0]}, "
            f"...) with files such as {GTZAN_GENRES[0]}.00000.wav.{parts} {_WHERE}"
        )
    track_ids = sorted(found)
    tracks = make_collection(
        [found[track_id] for track_id in track_ids],
        [track_id.partition(".")[0] for track_id in track_ids],
        None,
        track_ids,
        where=str(root),
        min_tracks=min_tracks,
        excluded=excluded,
        track_ids=np.array(track_ids),
    )
    tracks.DESCR = _DESCR.format(n_tracks=len(tracks.data))
    return (tracks.data, tracks.target) if return_X_y else tracks


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
        If columns are missing, values are missing or not finite, or file names are not those of
        GTZAN.

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
    try:
        frame = pd.read_csv(path)
    except ValueError as error:  # includes pandas' ParserError and UnicodeDecodeError
        raise ValueError(f"{path} is not a CSV table in UTF-8: {error}") from error
    missing = [name for name in ("filename", "label", *GTZAN_FEATURES) if name not in frame]
    if missing:
        raise ValueError(
            f"{path} lacks {len(missing)} of the 59 columns of a GTZAN feature table: {missing}. "
            f"It has: {list(frame.columns)}; columns must be separated by commas"
        )
    if frame.empty:
        raise ValueError(f"{path} has no rows")
    parsed = parse_names(frame["filename"])
    data = frame[list(GTZAN_FEATURES)].apply(pd.to_numeric, errors="coerce").astype(np.float64)
    _check_values(data, frame, path)

    target = frame["label"].to_numpy(dtype=str)
    filenames = frame["filename"].to_numpy(dtype=str)
    track_ids = np.array([name.track for name in parsed], dtype=str)
    segment = np.array([name.number for name in parsed], dtype=int)
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
        DESCR=_TABLE_DESCR.format(name=path.name, n_rows=len(data), n_tracks=len(set(track_ids))),
    )


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
