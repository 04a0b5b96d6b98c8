"""Options and helpers that commands share."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

#: Endings, in lower case, of what is taken for a table.
TABLE_SUFFIXES = (".csv", ".tsv", ".txt")

#: Threads beyond which a machine is busy with changing between them.
_MOST_JOBS = 256


def _check_jobs(ctx: click.Context, param: click.Parameter, value: int) -> int:
    if value == 0 or value > _MOST_JOBS:
        raise click.BadParameter(
            f"{value} is not in the range from 1 to {_MOST_JOBS}. Leave it out, or give -1, to "
            "use all cores."
        )
    return value


jobs_option = click.option(
    "--jobs",
    type=int,
    default=-1,
    show_default="all cores",
    callback=_check_jobs,
    help="Files to read at once.",
)
strict_option = click.option(
    "--strict", is_flag=True, help="End with an error if a file cannot be used, not a warning."
)

cache_option = click.option("--cache", help="Folder in which to keep features for another time.")
seed_option = click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="For random numbers.",
)

# Named here, the default first, and not read from the library, so that help needs none of it; a
# test compares.
PRESETS = [
    *("descriptors", "mel", "blend", "musicnn", "ann", "cnn", "lstm"),
    *("knn", "svm", "logistic", "lda", "forest", "boosting"),
]


def audio_files(sources: tuple[str, ...]) -> list[str]:
    """Files as they were given, and all audio files of folders."""
    from ..datasets import list_audio

    paths: list[str] = []
    for source in sources:
        if not os.path.exists(source):
            raise FileNotFoundError(f"there is no file or folder {source}")
        found = list_audio(source) if os.path.isdir(source) else [source]
        if not found:
            raise ValueError(f"{source} holds no audio files; give files, or a folder with some")
        paths += found
    return paths


def on_a_terminal() -> bool:
    """Whether to show progress."""
    return sys.stderr is not None and sys.stderr.isatty()


def source_argument(command):
    """Take labelled tracks, from a folder or a table; for :func:`labelled`."""
    for option in reversed(
        [
            click.argument("source", metavar="FOLDER_OR_TABLE"),
            click.option("--path", help="Column of a table with the paths.  [default: path]"),
            click.option("--target", help="Column of a table with the genres.  [default: genre]"),
            click.option("--group", help="Column of a table with the artists."),
            click.option(
                "--genre-from",
                type=click.Choice(["folder", "tags"]),
                default="folder",
                show_default=True,
                help="Take the genres of a folder from the folders in it, or from the files' tags.",
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
    """Tracks of a folder or of a table, of at least two genres."""
    from ..datasets import load_folder, load_table

    given = {"path": path, "target": target, "group": group}
    columns: dict[str, Any] = {name: column for name, column in given.items() if column}
    is_folder = os.path.isdir(os.path.expanduser(source))
    if is_folder and columns:
        raise ValueError(
            f"--{next(iter(columns))} names a column of a table, and {source} is a folder; leave "
            "it out, or give a table"
        )
    if not is_folder and genre_from != "folder":
        raise ValueError(f"--genre-from={genre_from} is for folders, and {source} is none")
    if not is_folder and os.path.splitext(source)[1].lower() in TABLE_SUFFIXES:
        tracks = load_table(source, **columns)
    else:
        tracks = load_folder(source, genre_from=genre_from)
    if len(tracks.target_names) < 2:
        another = "a second folder beside it, of another genre," if is_folder else "a second genre"
        raise ValueError(
            f"{source} holds one genre only, {tracks.target_names[0]!r}; {another} is needed"
        )
    return tracks


def count(n_used: int, n: int) -> str:
    """Say of how many tracks a figure is: ``29 tracks``, or ``27 of 29 tracks``."""
    tracks = "track" if n == 1 else "tracks"
    return f"{n} {tracks}" if n_used == n else f"{n_used} of {n} {tracks}"


def left_out(n_used: int, n: int) -> str:
    """Say how many tracks are in no figure, if any: ``; 2 cannot be used``."""
    return f"; {n - n_used} cannot be used" if n_used < n else ""
