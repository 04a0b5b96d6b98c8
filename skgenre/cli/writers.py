"""Rows of ``skgenre predict``: complete as CSV and JSON lines, and a table for people."""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

import click

from .._printable import printable
from .options import count, left_out
from .terminal import clock, pad, shorten, width

#: Columns that are left for a path on the narrowest terminals.
_NARROWEST = 12

#: Columns in which three names of genres with their probabilities have room.
_TOP_THREE = 34

#: How a cell begins that spreadsheets would run as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

#: Control characters that JSON does not escape by itself.
_CONTROLS = re.compile("[\x7f-\x9f\u2028\u2029]")


def make_writer(
    form: str, names: dict[str, str], classes, *, timeline: bool, may_be_unsure: bool = False
):
    """Make the writer of a format, with ``write(track)`` and ``finish(n_failed)``."""
    if form == "jsonl":
        return JSONLines()
    return CSV(timeline) if form == "csv" else Table(names, classes, may_be_unsure)


def _write(content: bytes) -> None:
    """Write bytes to standard output at once, so that what is known is not lost."""
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


def _echo(line: str) -> None:
    """Write a line for people; what the encoding of the terminal lacks is escaped."""
    encoding = sys.stdout.encoding or "utf-8"
    click.echo(line.encode(encoding, "backslashreplace").decode(encoding))


class JSONLines:
    """An object a track, in UTF-8; bytes of names that are not UTF-8 as Python's surrogates."""

    def write(self, track: dict) -> None:
        """Write a track."""
        line = json.dumps(track, ensure_ascii=False)
        line = _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", line)
        # What UTF-8 cannot encode, a surrogate, is escaped just as JSON does.
        _write(f"{line}\n".encode("utf-8", "backslashreplace"))

    def finish(self, n_failed: int) -> None:
        """End the output."""


class CSV:
    """A row a track and, in a timeline, a part, in UTF-8; names keep bytes that are not UTF-8.

    Parameters
    ----------
    timeline : bool
        Whether there are parts.
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
            self._row([_harmless(str(cells.get(name, ""))) for name in self._columns])

    def _row(self, cells: list[str]) -> None:
        file = io.StringIO()
        # With its own line end, since csv quotes only what it holds: a name may hold \r and \n.
        csv.writer(file).writerow(cells)
        line = file.getvalue().removesuffix("\r\n")
        if sys.stdout.isatty():
            line = printable(line)
        line += "\n"
        _write(line.encode("utf-8", "surrogateescape"))

    def finish(self, n_failed: int) -> None:
        """End the output."""


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


class Table:
    """A table for people, as wide as the terminal.

    Parameters
    ----------
    names : dict of str to str
        Short name of each path.
    classes : array of str
    may_be_unsure : bool
        Whether to keep room for the three most probable genres.
    """

    def __init__(self, names: dict[str, str], classes, may_be_unsure: bool = False):
        self._names = {path: printable(name) for path, name in names.items()}
        self._genre = max(len("unsure"), *(width(printable(str(name))) for name in classes))
        columns = shutil.get_terminal_size().columns
        # Two spaces between columns, and "0.93" with the runner-up beside each genre.
        beside = max(self._genre + 5, _TOP_THREE if may_be_unsure else 0)
        room = max(_NARROWEST, columns - self._genre - 12 - beside)
        self._path = min(room, max(len("path"), *map(width, self._names.values())))
        self._rest = columns - self._path - self._genre - 11
        self._counts: Counter[str] = Counter()

    def write(self, track: dict) -> None:
        """Write a track, and its parts below it."""
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
        """Write how many tracks there are of each genre."""
        n_used = self._counts.total()
        if n_used + n_failed > 1:
            listed = ", ".join(f"{printable(name)} {n}" for name, n in self._counts.most_common())
            listed = listed and f": {listed}"
            n = n_used + n_failed
            _echo(f"\n{count(n_used, n)}{listed}{left_out(n_used, n)}")


def _cells(row: dict, room: int) -> tuple[str, str, str]:
    """Genre, its probability, and the runner-up with its own.

    Or "unsure", and of the three most probable genres as many as there is room for.
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
    """Join neighbours of one genre; their probabilities are means over time."""
    for genre, group in itertools.groupby(parts, key=lambda part: part["genre"]):
        members = list(group)
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
