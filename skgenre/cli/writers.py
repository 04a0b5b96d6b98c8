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
from collections.abc import Iterable, Iterator

import click

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


def make_writer(
    form: str, names: dict[str, str], classes, *, timeline: bool, may_be_unsure: bool = False
):
    """Create the writer of a format, with the methods `write` and `finish`."""
    if form == "jsonl":
        return JSONLines()
    return CSV(timeline) if form == "csv" else Table(names, classes, may_be_unsure)


def _write(content: bytes) -> None:
    """Write bytes to standard output and flush it, so that finished predictions are not lost."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _echo(line: str) -> None:
    """Write a line to the terminal; characters that it cannot encode are escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(line.encode(encoding, "backslashreplace").decode(encoding))


class JSONLines:
    """Write one JSON object per track, in UTF-8.

    Bytes in file names that are not valid UTF-8 are written as surrogates, as in Python.
    """

    def write(self, track: dict) -> None:
        """Write a track."""
        line = json.dumps(track, ensure_ascii=False)
        line = _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", line)
        # Surrogates cannot be encoded in UTF-8. "backslashreplace" escapes them as in JSON.
        _write(f"{line}\n".encode("utf-8", "backslashreplace"))

    def finish(self, n_failed: int) -> None:
        """Finish the output."""


class CSV:
    """Write one row per track and per part of a timeline, in UTF-8.

    Bytes in file names that are not valid UTF-8 are written unchanged.

    Parameters
    ----------
    timeline : bool
        Whether the tracks have a timeline.
    """

    def __init__(self, timeline: bool):
        self._columns = [
            "path",
            *(["start", "stop"] if timeline else []),
            "genre",
            "probability",
            "unsure",
        ]
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
        if sys.stdout.isatty():
            line = printable(line)
        line += "\n"
        _write(line.encode("utf-8", "surrogateescape"))

    def finish(self, n_failed: int) -> None:
        """Finish the output."""


def _without_formula(cell: str) -> str:
    """Prefix cells that spreadsheets would interpret as formulas."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


class Table:
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
        if n_used + n_failed > 1:
            listed = ", ".join(f"{printable(name)} {n}" for name, n in self._counts.most_common())
            listed = listed and f": {listed}"
            n = n_used + n_failed
            _echo(f"\n{count_tracks(n_used, n)}{listed}{count_unusable(n_used, n)}")


def _cells(row: dict, room: int) -> tuple[str, str, str]:
    """Return the cells for the genre, its probability, and the runner-up.

    If the prediction is unsure, return "unsure" and up to three of the most probable genres,
    depending on the available width.
    """
    genre = printable(row["genre"])
    if row.get("unsure"):
        ranked = sorted(row["probabilities"].items(), key=lambda item: -item[1])[:3]
        top = [f"{printable(name)} {p:.2f}" for name, p in ranked]
        while len(top) > 1 and width(", ".join(top)) > room:
            top.pop()
        return "unsure", "", ", ".join(top)
    if "probability" not in row:
        return genre, "", ""
    others = {name: p for name, p in row["probabilities"].items() if name != row["genre"]}
    if not others:
        return genre, f"{row['probability']:.2f}", ""
    second = max(others, key=lambda name: others[name])
    of_genre = row["probabilities"].get(row["genre"], row["probability"])
    return genre, f"{of_genre:.2f}", f"{printable(second)} {others[second]:.2f}"


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
    for members in runs:
        genre = members[0]["genre"]
        start, stop = members[0]["start"], members[-1]["stop"]
        total = sum(part["stop"] - part["start"] for part in members)
        probabilities = {
            name: sum((p["stop"] - p["start"]) * p["probabilities"][name] for p in members) / total
            for name in members[0]["probabilities"]
        }
        yield (
            start,
            stop,
            {
                "genre": genre,
                "probability": probabilities[genre],
                "probabilities": probabilities,
            },
        )


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
    left = columns - len("...")
    # Keep more of the end, which contains the name of the track.
    head = _prefix(text, left // 3)
    tail = _prefix(text[::-1], left - width(head))[::-1]
    return f"{head}...{tail}"


def _prefix(text: str, columns: int) -> str:
    taken = 0
    for i, character in enumerate(text):
        taken += width(character)
        if taken > columns:
            return text[:i]
    return text


def clock(seconds: float) -> str:
    """Format a time as minutes and seconds, or with hours: ``0:12``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
