"""Collections that come as a table of paths."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, overload

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .._paths import expand
from ._collections import check_min_tracks, make_collection
from ._folder import group_by_name

#: Rows that a message names before it only counts the rest.
_MOST_NAMED = 3


@overload
def load_table(
    csv: str | os.PathLike,
    *,
    path: str = "path",
    target: str = "genre",
    group: str | None = None,
    min_tracks: int = 1,
    return_X_y: Literal[False] = False,
) -> Bunch: ...
@overload
def load_table(
    csv: str | os.PathLike,
    *,
    path: str = "path",
    target: str = "genre",
    group: str | None = None,
    min_tracks: int = 1,
    return_X_y: Literal[True],
) -> tuple[list[str], np.ndarray]: ...
def load_table(
    csv: str | os.PathLike,
    *,
    path: str = "path",
    target: str = "genre",
    group: str | None = None,
    min_tracks: int = 1,
    return_X_y: bool = False,
) -> Bunch | tuple[list[str], np.ndarray]:
    """List the tracks of a table of paths and genres; reads no audio.

    Parameters
    ----------
    csv : str or path-like
        A table with a line of column names and a line per track, in UTF-8. Columns are parted by
        tabs if the name ends in ``.tsv``, else by commas.
    path : str, default="path"
        The column of paths, relative to the table's folder, or absolute.
    target : str, default="genre"
        The column of genres.
    group : str, default=None
        The column of what cross-validation should keep together, such as the artist. A track
        whose cell is empty is a group of its own. None takes the artist of GTZAN's tracks, by
        their file names, and else each track alone.
    min_tracks : int, default=1
        Genres with fewer tracks are left out.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    tracks : Bunch
        In the order of the table, with these attributes; or the first two, with `return_X_y`.

        data : list of str
            Paths, for :class:`skgenre.MFCCSegmenter`.
        target : ndarray of str, shape (n_tracks,)
            Genres.
        target_names : list of str
            The genres, sorted.
        groups : ndarray of str, shape (n_tracks,)
            See `group`.
        excluded : list of str
            Paths of genres with fewer than `min_tracks` tracks.
        frame : DataFrame of shape (n_tracks, n_columns)
            The rows of the table, every value a string.

    Raises
    ------
    FileNotFoundError
        If there is no such table, or audio files that it names are not there; names rows.
    ValueError
        If a column is missing, the table is no CSV or has no rows, a path or a genre is empty, a
        file occurs twice, or no genre has `min_tracks` tracks.

    See Also
    --------
    load_folder : List a folder of genre folders.

    Examples
    --------
    >>> from skgenre.datasets import load_table
    >>> tracks = load_table(
    ...     "tracks.csv", path="file", target="label", group="artist"
    ... )  # doctest: +SKIP
    """
    check_min_tracks(min_tracks)
    table = Path(expand(csv))
    frame = _read(table)
    columns = [path, target] if group is None else [path, target, group]
    for argument, column in zip(("path", "target", "group"), columns, strict=False):
        if column not in frame:
            raise ValueError(
                f"{table} has no column {column!r}; it has {list(frame.columns)}. Name the right "
                f"one, as in {argument}={frame.columns[-1]!r}"
            )
    cells = frame[list(dict.fromkeys(columns))].apply(lambda column: column.str.strip())
    for column in (path, target):
        _refuse(
            table,
            frame,
            cells[column] == "",
            f"have no {column!r}, in",
            "Fill them in, or leave these rows out.",
        )
    paths = [os.path.normpath(table.parent / expand(name)) for name in cells[path]]
    missing = np.array([not os.path.isfile(name) for name in paths])
    if missing.any():
        n, first = int(missing.sum()), paths[int(missing.argmax())]
        raise FileNotFoundError(
            f"{n} of the {len(paths)} files of {table} are not there, such as {first} of "
            f"{_rows(missing)}; paths are relative to the table's folder, or absolute"
        )
    _refuse(
        table,
        frame,
        pd.Series(paths).duplicated(),
        "name a file that an earlier row names, in",
        "Give each file one row.",
    )
    if group is None:
        groups = [group_by_name((name,)) for name in paths]
    else:
        groups = [own or name for own, name in zip(cells[group], paths, strict=True)]
    tracks = make_collection(
        paths,
        cells[target],
        groups,
        where=str(table),
        min_tracks=min_tracks,
        position=np.arange(len(paths)),
    )
    tracks.frame = frame.iloc[tracks.pop("position")].reset_index(drop=True)
    return (tracks.data, tracks.target) if return_X_y else tracks


def _read(table: Path) -> pd.DataFrame:
    """Read a table, every cell as it is written."""
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
    except ValueError as error:  # pandas' own are some, and so is wrong UTF-8
        raise ValueError(f"{table} is no table in CSV and UTF-8: {error}") from error
    # Of a row with fewer cells than the others.
    frame = frame.fillna("").rename(columns=str.strip)
    if not len(frame):
        raise ValueError(f"{table} has no rows below its line of column names")
    return frame


def _refuse(table: Path, frame: pd.DataFrame, wrong: pd.Series, words: str, remedy: str) -> None:
    if wrong.any():
        raise ValueError(
            f"{int(wrong.sum())} of the {len(frame)} rows of {table} {words} {_rows(wrong)}. "
            f"{remedy}"
        )


def _rows(wrong) -> str:
    """Name the first rows, as a spreadsheet numbers them: the column names are row 1."""
    rows = (np.flatnonzero(np.asarray(wrong)) + 2).tolist()
    named = ", ".join(map(str, rows[:_MOST_NAMED]))
    more = f" and {len(rows) - _MOST_NAMED} more" if len(rows) > _MOST_NAMED else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {named}{more}"
