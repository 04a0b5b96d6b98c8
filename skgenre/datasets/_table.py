"""Loading of tables of paths and genres."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .._checks import AT_LEAST_1, check_number, list_names
from .._files import expand
from ..features.columns import GTZAN_FEATURES
from ._groups import make_collection
from ._names import normal


def load_table(
    csv: str | os.PathLike,
    *,
    path: str = "path",
    target: str = "genre",
    group: str | None = None,
    min_tracks: int = 1,
    return_X_y: bool = False,
) -> Bunch:
    """Load paths and genres from a table. No audio is read.

    Parameters
    ----------
    csv : str or path-like
        Table with a header and one row per track, in UTF-8. Columns are separated by tabs if the
        file name ends in ``.tsv``, otherwise by commas.
    path : str, default="path"
        Column of the paths, which are absolute or relative to the folder of the table.
    target : str, default="genre"
        Column of the genres. Like those of :func:`load_folder`, they are converted to lower case
        and normalized.
    group : str, default=None
        Column of the groups for cross-validation, such as artists. They are compared ignoring case,
        Unicode form and repeated spaces. If None, and for tracks with an empty cell, the group is
        the artist for tracks of GTZAN, identified by their file names, and otherwise the track
        itself, together with its parts; see the Notes of :func:`load_folder`.
    min_tracks : int, default=1
        Genres with fewer tracks are excluded.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch object.

    Returns
    -------
    tracks : Bunch
        Dictionary-like object, in the order of the table, with the following attributes. If
        `return_X_y` is True, a tuple of the first two is returned instead.

        data : list of str
            Paths, for example for :class:`skgenre.MFCCSegmenter`.
        target : ndarray of str, shape (n_tracks,)
            Genres.
        target_names : list of str
            Sorted names of the genres.
        groups : ndarray of str, shape (n_tracks,)
            Group of each track; see `group`.
        excluded : list of str
            Paths of genres with fewer than `min_tracks` tracks.
        frame : DataFrame of shape (n_tracks, n_columns)
            The rows of the table, with all values as strings.

    Raises
    ------
    FileNotFoundError
        If the table or a file listed in it does not exist.
    ValueError
        If a column is missing, the table is not valid CSV or is empty, a path or genre is empty, a
        file is listed twice, by the same path or through a symbolic link, or no genre has at least
        `min_tracks` tracks.

    See Also
    --------
    load_folder : Load a folder of genre folders.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> from skgenre.datasets import load_table, make_tracks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = make_tracks(1, genres=["jazz"], duration=1, folder=folder)
    ...     table = pd.DataFrame({"file": made.data, "label": made.target})
    ...     table.to_csv(folder + "/tracks.csv", index=False)
    ...     tracks = load_table(folder + "/tracks.csv", path="file", target="label")
    >>> tracks.target.tolist()
    ['jazz']
    """
    check_number("min_tracks", min_tracks, AT_LEAST_1)
    table = Path(expand(csv))
    frame = _read(table)
    columns = [path, target] if group is None else [path, target, group]
    for argument, column in zip(("path", "target", "group"), columns, strict=False):
        if column not in frame:
            if set(GTZAN_FEATURES) <= set(frame.columns):
                raise ValueError(
                    f"{table} is a table of features, not of paths of audio files; in Python, "
                    "skgenre.datasets.load_gtzan_features reads it, and skgenre.make_baseline "
                    "makes models for it"
                )
            raise ValueError(
                f"{table} has no column {column!r}; it has {list(frame.columns)}. Name the column, "
                f"for example {argument}={frame.columns[-1]!r}; columns must be separated by "
                "commas, or by tabs in a .tsv file"
            )
    cells = frame[list(dict.fromkeys(columns))].apply(lambda column: column.str.strip())
    cells[target] = cells[target].map(normal)
    for column in (path, target):
        _raise_for_rows(
            table,
            frame,
            cells[column] == "",
            f"have no {column!r}:",
            "Fill them in, or remove these rows.",
        )
    paths = [os.path.normpath(table.parent / expand(name)) for name in cells[path]]
    missing = np.array([not os.path.isfile(name) for name in paths])
    if missing.any():
        n, first = int(missing.sum()), paths[int(missing.argmax())]
        raise FileNotFoundError(
            f"{n} of the {len(paths)} files of {table} do not exist, such as {first} in "
            f"{_rows(missing)}; paths must be absolute or relative to the folder of the table"
        )
    _raise_for_rows(
        table,
        frame,
        pd.Series([os.path.realpath(name) for name in paths]).duplicated(),
        "repeat the file of an earlier row:",
        "List each file only once.",
    )
    tracks = make_collection(
        paths,
        cells[target],
        None if group is None else cells[group].tolist(),
        paths,
        where=str(table),
        min_tracks=min_tracks,
        position=np.arange(len(paths)),
    )
    tracks.frame = frame.iloc[tracks.pop("position")].reset_index(drop=True)
    return (tracks.data, tracks.target) if return_X_y else tracks


def _read(table: Path) -> pd.DataFrame:
    """Read a table with all cells as strings."""
    if not table.is_file():
        raise FileNotFoundError(f"There is no table {table}")
    try:
        frame = pd.read_csv(
            table,
            sep="\t" if table.suffix.lower() == ".tsv" else ",",
            dtype=str,
            keep_default_na=False,
            encoding="utf-8-sig",
            index_col=False,
        )
    except ValueError as error:  # includes pandas' ParserError and UnicodeDecodeError
        raise ValueError(f"{table} is not a CSV table in UTF-8: {error}") from error
    # Rows with fewer cells than the header have NaN.
    frame = frame.fillna("").rename(columns=str.strip)
    if not len(frame):
        raise ValueError(f"{table} has no rows below its header")
    return frame


def _raise_for_rows(
    table: Path, frame: pd.DataFrame, wrong: pd.Series, problem: str, remedy: str
) -> None:
    """Raise ValueError if any rows of a table are wrong."""
    if wrong.any():
        raise ValueError(
            f"{int(wrong.sum())} of the {len(frame)} rows of {table} {problem} {_rows(wrong)}. "
            f"{remedy}"
        )


def _rows(wrong) -> str:
    """List the first row numbers, counted as in a spreadsheet, where the header is row 1."""
    return f"rows {list_names(np.flatnonzero(wrong) + 2)}"
