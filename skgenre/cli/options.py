"""Options and helpers shared by the commands."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

#: File extensions of tables, in lower case.
TABLE_SUFFIXES = (".csv", ".tsv", ".txt")

#: Maximum number of threads. More threads would only add overhead.
_MOST_JOBS = 256


def _check_jobs(ctx: click.Context, param: click.Parameter, value: int) -> int:
    if value == 0 or value > _MOST_JOBS:
        raise click.BadParameter(
            f"{value} is not in the range from 1 to {_MOST_JOBS}. Omit it, or use -1, for all "
            "cores."
        )
    return value


def expand_home(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Expand ``~`` in a path, in several, or in none; shells do not, after ``=`` or in quotes."""
    from .._files import expand

    if value is None:
        return None
    return tuple(map(expand, value)) if isinstance(value, tuple) else expand(value)


jobs_option = click.option(
    "--jobs",
    type=int,
    default=-1,
    show_default="all cores",
    callback=_check_jobs,
    help="Number of files to process in parallel.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="Raise an error instead of a warning if a file cannot be used."
)

cache_option = click.option(
    "--cache", callback=expand_home, help="Folder in which features are cached."
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Random seed.",
)

# The default is first. The names are repeated here, so that --help does not import the library; a
# test compares them.
PRESETS = [
    *("descriptors", "mel", "blend", "musicnn", "ann", "cnn", "lstm"),
    *("knn", "svm", "logistic", "lda", "forest", "boosting"),
]


def audio_files(sources: tuple[str, ...]) -> list[str]:
    """Return the given files, and all audio files in the given folders."""
    from ..datasets import list_audio

    paths: list[str] = []
    for source in sources:
        if not os.path.exists(source):
            raise FileNotFoundError(f"there is no file or folder {source}")
        found = list_audio(source) if os.path.isdir(source) else [source]
        if not found:
            raise ValueError(f"{source} does not contain any audio files")
        paths += found
    return paths


def on_a_terminal() -> bool:
    """Return whether standard error is a terminal, so that progress can be shown."""
    return sys.stderr is not None and sys.stderr.isatty()


def source_argument(command):
    """Add the arguments of :func:`labelled` to a command."""
    for option in reversed(
        [
            click.argument("source", metavar="FOLDER_OR_TABLE", callback=expand_home),
            click.option("--path", help="Column of the table with the paths.  [default: path]"),
            click.option("--target", help="Column of the table with the genres.  [default: genre]"),
            click.option("--group", help="Column of the table with the artists."),
            click.option(
                "--genre-from",
                type=click.Choice(["folder", "tags"]),
                default="folder",
                show_default=True,
                help="Whether genres are the names of subfolders or read from the tags of files.",
            ),
        ]
    ):
        command = option(command)
    return command


def labelled(
    source: str,
    path: str | None = None,
    target: str | None = None,
    group: str | None = None,
    genre_from: str = "folder",
):
    """Load the tracks of a folder or a table and check that there are at least two genres."""
    from ..datasets import load_folder, load_table

    given = {"path": path, "target": target, "group": group}
    columns: dict[str, Any] = {name: column for name, column in given.items() if column}
    is_folder = os.path.isdir(source)
    if is_folder and columns:
        raise ValueError(
            f"--{next(iter(columns))} requires a table, but {source} is a folder; omit the option, "
            "or pass a table"
        )
    if not is_folder and genre_from != "folder":
        raise ValueError(f"--genre-from={genre_from} requires a folder; got {source}")
    if not is_folder and os.path.splitext(source)[1].lower() in TABLE_SUFFIXES:
        tracks = load_table(source, **columns)
    else:
        tracks = load_folder(source, genre_from=genre_from)
    if len(tracks.target_names) < 2:
        remedy = "add a folder of another genre" if is_folder else "add tracks of another genre"
        raise ValueError(f"{source} contains only one genre, {tracks.target_names[0]!r}; {remedy}")
    return tracks


def count(n_used: int, n: int) -> str:
    """Format the number of used tracks, such as ``29 tracks`` or ``27 of 29 tracks``."""
    tracks = "track" if n == 1 else "tracks"
    return f"{n} {tracks}" if n_used == n else f"{n_used} of {n} {tracks}"


def left_out(n_used: int, n: int) -> str:
    """Format the number of unusable tracks, such as ``; 2 cannot be used``, if there are any."""
    return f"; {n - n_used} cannot be used" if n_used < n else ""
