"""Output formats of ``skgenre predict``. Widths are in columns of the terminal."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import click
import numpy as np

from .._printable import printable
from .options import count_tracks, count_unusable

#: Minimum width of the column of paths.
_MIN_PATH = 12

#: Width of three genres with their probabilities.
_TOP_THREE = 34

#: First characters of cells that spreadsheets interpret as formulas.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

#: Control characters that the json module does not escape.
_CONTROLS = re.compile("[\x7f-\x9f\u2028\u2029]")


class Writer:
    """Base class of the formats, which have a method ``write(track)``."""

    write: Callable[[dict], None]

    def finish(self, n_failed: int) -> None:
        """Finish the output, in which `n_failed` files are missing."""


def _write(text: str, errors: str) -> None:
    """Write a line in UTF-8 and flush it, so that finished predictions are not lost."""
    sys.stdout.buffer.write(f"{text}\n".encode("utf-8", errors))
    sys.stdout.buffer.flush()


class JSONLines(Writer):
    """Write one JSON object per track, in UTF-8.

    Bytes in file names that are not valid UTF-8 are written as surrogates, as in Python.
    """

    def write(self, track: dict) -> None:
        """Write a track and its parts."""
        line = json.dumps(track, ensure_ascii=False)
        line = _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", line)
        # Surrogates cannot be encoded in UTF-8. "backslashreplace" escapes them as in JSON.
        _write(line, "backslashreplace")


class CSV(Writer):
    """Write one row per track and per part of a timeline, in UTF-8.

    Bytes in file names that are not valid UTF-8 are written unchanged.

    Parameters
    ----------
    timeline : bool
        Whether the tracks have a timeline.
    """

    def __init__(self, timeline: bool):
        times = ["start", "stop"] if timeline else []
        self._columns = ["path", *times, "genre", "probability", "unsure"]
        self._row(self._columns)

    def write(self, track: dict) -> None:
        """Write a track and its parts."""
        for row in [track, *track.get("timeline", ())]:
            cells = {"path": track["path"], **row}
            if "unsure" in row:
                cells["unsure"] = str(row["unsure"]).lower()
            self._row([_without_formula(str(cells.get(name, ""))) for name in self._columns])

    def _row(self, cells: list[str]) -> None:
        file = io.StringIO()
        # Use the default line terminator "\r\n", since csv quotes only cells with characters of
        # the terminator, and names may contain both.
        csv.writer(file).writerow(cells)
        line = file.getvalue().removesuffix("\r\n")
        _write(printable(line) if sys.stdout.isatty() else line, "surrogateescape")


def _without_formula(cell: str) -> str:
    """Prefix cells that spreadsheets would interpret as formulas."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


class Table(Writer):
    """Write a table with the width of the terminal.

    Parameters
    ----------
    names : dict of str to str
        Name of each path for display.
    classes : array of str
        All genres.
    may_be_unsure : bool, default=False
        Whether to reserve space for the three most probable genres.
    """

    def __init__(self, names: dict[str, str], classes, may_be_unsure: bool = False):
        self._names = {path: printable(name) for path, name in names.items()}
        self._genre = max(len("unsure"), *(width(printable(str(name))) for name in classes))
        columns = shutil.get_terminal_size().columns
        # Reserve two spaces between columns, and space for the probability and the runner-up.
        beside = max(self._genre + 5, _TOP_THREE if may_be_unsure else 0)
        room = max(_MIN_PATH, columns - self._genre - 12 - beside)
        self._path = min(room, max(len("path"), *map(width, self._names.values())))
        self._rest = columns - self._path - self._genre - 11
        self._counts: Counter[str] = Counter()

    def write(self, track: dict) -> None:
        """Write a track and its parts."""
        if not self._counts:
            has_probability = "probability" in track
            self._line("path", "genre", *(("prob", "runner-up") if has_probability else ("", "")))
        self._counts["unsure" if track.get("unsure") else track["genre"]] += 1
        self._line(self._names[track["path"]], *_cells(track, self._rest))
        for start, stop, part in merge(track.get("timeline", ())):
            self._line(f"  {clock(start)}-{clock(stop)}", *_cells(part, self._rest))

    def _line(self, path: str, genre: str, probability: str, runner_up: str) -> None:
        path = pad(shorten(path, self._path), self._path)
        _echo(f"{path}  {pad(genre, self._genre)}  {probability:4}  {runner_up}".rstrip())

    def finish(self, n_failed: int) -> None:
        """Write the number of tracks of each genre."""
        n_used = self._counts.total()
        n = n_used + n_failed
        if n > 1:
            counts = self._counts.most_common()
            listed = ", ".join(f"{printable(name)} {count}" for name, count in counts)
            listed = listed and f": {listed}"
            _echo(f"\n{count_tracks(n_used, n)}{listed}{count_unusable(n_used, n)}")


def _echo(line: str) -> None:
    """Write a line to the terminal; characters that it cannot encode are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(line.encode(encoding, "backslashreplace").decode(encoding))


def _cells(row: dict, room: int) -> tuple[str, str, str]:
    """Return the cells for the genre, its probability, and the runner-up.

    If the prediction is unsure, return "unsure" and up to three of the most probable genres,
    depending on the available width.
    """
    genre, probabilities = row["genre"], row.get("probabilities", {})
    ranked = sorted(probabilities, key=lambda name: -probabilities[name])
    if row.get("unsure"):
        top = [f"{printable(name)} {probabilities[name]:.2f}" for name in ranked[:3]]
        while len(top) > 1 and width(", ".join(top)) > room:
            top.pop()
        return "unsure", "", ", ".join(top)
    second = next((name for name in ranked if name != genre), None)
    return (
        printable(genre),
        f"{probabilities[genre]:.2f}" if ranked else "",
        "" if second is None else f"{printable(second)} {probabilities[second]:.2f}",
    )


def merge(parts: Iterable[dict]) -> Iterator[tuple[float, float, dict]]:
    """Merge consecutive parts with the same genre and average their probabilities over time."""
    runs: list[list[dict]] = []
    for part in parts:
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


def clock(seconds: float) -> str:
    """Format a time as minutes and seconds, or with hours: ``0:12``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
