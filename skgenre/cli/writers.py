"""Output formats of ``skgenre predict``. Widths are in columns of the terminal."""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import os
import shutil
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import click
import numpy as np

from .._printable import printable
from ..calibration import UNLIKE_TRAINING
from ..timeline import clock
from .options import count_tracks, count_unusable

#: Minimum width of the column of paths.
_MIN_PATH = 12

#: Width of three genres with their probabilities.
_TOP_THREE = 34

#: First characters of cells that spreadsheets interpret as formulas.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class Writer:
    """Base class of the formats, which have a method ``write(track)``.

    Parameters
    ----------
    errors : str, default="strict"
        How characters that cannot be encoded are written, as for ``open``.
    encoding : str, default=None
        Encoding; None is that of the terminal.
    """

    write: Callable[[dict], None]

    def __init__(self, errors: str = "strict", encoding: str | None = None):
        stream = cast("io.TextIOWrapper", sys.stdout)
        # Each line is written at once, so that finished predictions are not lost.
        stream.reconfigure(encoding=encoding, errors=errors, newline="\n", line_buffering=True)

    def finish(self, n_failed: int) -> None:
        """Finish the output, in which `n_failed` files are missing."""


class JSONLines(Writer):
    """Write one JSON object per track. All characters beyond ASCII are escaped.

    Bytes in file names that are not valid UTF-8 are written as surrogates, as in Python.
    """

    def write(self, track: dict) -> None:
        """Write a track and its parts."""
        sys.stdout.write(f"{json.dumps(track)}\n")


class CSV(Writer):
    """Write one row per track, or per part of a timeline, in UTF-8.

    Bytes in file names that are not valid UTF-8 are written unchanged.

    Parameters
    ----------
    genres : sequence of str, default=()
        Genres whose probabilities have a column.
    timeline, tags : bool, default=False
        Whether to write the parts of the timeline of each track, and the tags.
    """

    def __init__(self, genres: Sequence[str] = (), *, timeline: bool = False, tags: bool = False):
        super().__init__("surrogateescape", "utf-8")
        self._genres, self._timeline = genres, timeline
        of_track = ["genre", "probability", "unsure", "reason"]
        of_part = ["start", "stop", "genre", "probability"]
        self._columns = ["path", *(of_part if timeline else of_track), *(["tags"] if tags else [])]
        self._rows = csv.writer(sys.stdout, lineterminator="\n")
        self._rows.writerow(map(_cell, [*self._columns, *genres]))

    def write(self, track: dict) -> None:
        """Write a track, or its parts."""
        of_track = {"path": track["path"], "tags": _list_tags(track)}
        for row in track["timeline"] if self._timeline else [track]:
            cells = row | of_track
            values = [cells.get(column, "") for column in self._columns]
            values += [row["probabilities"][genre] for genre in self._genres]
            self._rows.writerow(map(_cell, values))


def _list_tags(track: dict) -> str:
    return ", ".join(f"{name} {p:.2f}" for name, p in track.get("tags", {}).items())


def _cell(value) -> str:
    """Prefix what spreadsheets would interpret as a formula, and escape what a terminal would.

    None is an empty cell, and truth values are in lower case.
    """
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    text = f"'{text}" if text.startswith(_FORMULA) else text
    return printable(text) if sys.stdout.isatty() else text


class Table(Writer):
    """Write a table with the width of the terminal.

    Parameters
    ----------
    paths : list of str
        Paths of all tracks.
    sources : sequence of str
        Files and folders that were given. Paths in a single folder are shown relative to it.
    classes : array of str
        All genres.
    """

    def __init__(self, paths: list[str], sources, classes):
        super().__init__("backslashreplace")
        in_folder = len(sources) == 1 and os.path.isdir(sources[0])
        self._folder = sources[0] if in_folder else None
        self._genre = max(len("unsure"), *(width(printable(str(name))) for name in classes))
        self._columns = shutil.get_terminal_size().columns
        # Reserve two spaces between columns, and space for the probability.
        room = max(_MIN_PATH, self._columns - self._genre - 12 - _TOP_THREE)
        self._path = min(room, max(len("path"), *(width(self._name(path)) for path in paths)))
        self._counts: Counter[str] = Counter()

    def _name(self, path: str) -> str:
        return printable(os.path.relpath(path, self._folder) if self._folder else path)

    def write(self, track: dict) -> None:
        """Write a track and its parts."""
        if not self._counts:
            has_probability = "probability" in track
            self._line("path", "genre", *(("prob", "runner-up") if has_probability else ("", "")))
        self._counts["unsure" if track.get("unsure") else track["genre"]] += 1
        self._line(self._name(track["path"]), *_cells(track))
        if "tags" in track:
            line = f"  tags: {_list_tags(track)}"
            while width(line) > self._columns and ", " in line:
                line, _, _ = line.rpartition(", ")
            click.echo(line)
        for start, stop, part in merge(track.get("timeline", ())):
            self._line(f"  {clock(start)}-{clock(stop)}", *_cells(part))

    def _line(self, path: str, genre: str, probability: str, runner_up: str) -> None:
        path = pad(shorten(path, self._path), self._path)
        click.echo(f"{path}  {pad(genre, self._genre)}  {probability:4}  {runner_up}".rstrip())

    def finish(self, n_failed: int) -> None:
        """Write the number of tracks of each genre."""
        n_used = self._counts.total()
        n = n_used + n_failed
        if n > 1:
            counts = self._counts.most_common()
            listed = ", ".join(f"{printable(name)} {count}" for name, count in counts)
            listed = listed and f": {listed}"
            click.echo(f"\n{count_tracks(n_used, n)}{listed}{count_unusable(n_used, n)}")


def _cells(row: dict) -> tuple[str, str, str]:
    """Return the genre, its probability, and the runner-up.

    If the prediction is unsure, return "unsure" and the three most probable genres. They mean
    nothing for a track unlike the training tracks, of which this is returned.
    """
    genre, probabilities = row["genre"], row.get("probabilities", {})
    ranked = sorted(probabilities, key=lambda name: -probabilities[name])
    words = {name: f"{printable(name)} {probabilities[name]:.2f}" for name in ranked}
    if row.get("unsure"):
        unlike = row.get("reason") == UNLIKE_TRAINING
        return "unsure", "", UNLIKE_TRAINING if unlike else ", ".join(list(words.values())[:3])
    others = [text for name, text in words.items() if name != genre]
    probability = f"{probabilities[genre]:.2f}" if probabilities else ""
    return printable(genre), probability, others[0] if others else ""


def merge(parts: Sequence[dict]) -> Iterator[tuple[float, float, dict]]:
    """Merge consecutive parts with the same genre and average their probabilities over time.

    Parts may overlap. Each counts up to the start of the next one.
    """
    runs: list[list[dict]] = []
    for part, following in itertools.pairwise([*parts, {"start": math.inf}]):
        part = {**part, "stop": min(part["stop"], following["start"])}
        last = runs[-1][-1] if runs else None
        # Times are rounded to milliseconds; what is missing in between is longer than 0.01 s.
        if last and last["genre"] == part["genre"] and part["start"] < last["stop"] + 0.01:
            runs[-1].append(part)
        else:
            runs.append([part])
    for run in runs:
        seconds = [part["stop"] - part["start"] for part in run]
        rows = [list(part["probabilities"].values()) for part in run]
        mean = np.average(rows, axis=0, weights=seconds).tolist()
        probabilities = dict(zip(run[0]["probabilities"], mean, strict=True))
        merged = {"genre": run[0]["genre"], "probabilities": probabilities}
        yield run[0]["start"], run[-1]["stop"], merged


def width(text: str) -> int:
    """Return the width of a text on a terminal, in columns."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def pad(text: str, columns: int) -> str:
    """Pad a text with spaces."""
    return text + " " * (columns - width(text))


def shorten(text: str, columns: int) -> str:
    """Shorten a text to a number of columns by replacing its middle by an ellipsis."""
    if width(text) <= columns:
        return text
    head, tail = text, text
    # Keep more of the end, which contains the name of the track.
    while width(head) > (columns - 3) // 3:
        head = head[:-1]
    while width(tail) > columns - 3 - width(head):
        tail = tail[1:]
    return f"{head}...{tail}"
