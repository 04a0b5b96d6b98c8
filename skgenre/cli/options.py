"""Options and words shared by the commands."""

from __future__ import annotations

import sys
from typing import Any

import click

#: Maximum number of threads. More threads would only add overhead.
_MAX_JOBS = 256

# The default is first. The names are repeated here, so that --help does not import the library; a
# test compares them.
PRESETS = [
    *("descriptors", "mel", "blend", "musicnn", "ann", "cnn", "lstm"),
    *("knn", "svm", "logistic", "lda", "forest", "boosting"),
]


def _check_jobs(ctx: click.Context, param: click.Parameter, value: int) -> int:
    if value == 0 or value > _MAX_JOBS:
        raise click.BadParameter(
            f"{value} is not in the range from 1 to {_MAX_JOBS}. Omit it, or use -1, for all cores."
        )
    return value


def expand_home(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Expand ``~`` in a path, in several, or in none; shells do not, after ``=`` or in quotes."""
    from .._files import expand

    if value is None:
        return None
    return tuple(map(expand, value)) if isinstance(value, tuple) else expand(value)


sources_argument = click.argument(
    "sources", nargs=-1, required=True, metavar="FILE_OR_FOLDER...", callback=expand_home
)
model_option = click.option(
    "--model",
    callback=expand_home,
    help="Model file.  [default: the starter model of skgenre]",
)
jobs_option = click.option(
    "--jobs",
    type=int,
    default=-1,
    show_default="all cores",
    callback=_check_jobs,
    help="Number of files to process in parallel.",
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


def labeled_tracks_options(command):
    """Add the arguments of :func:`.inputs.labeled_tracks` to a command."""
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


def on_a_terminal() -> bool:
    """Return whether standard error is a terminal, so that progress can be shown."""
    return sys.stderr is not None and sys.stderr.isatty()


def count_tracks(n_used: int, n: int) -> str:
    """Format the number of used tracks, such as ``29 tracks`` or ``27 of 29 tracks``."""
    tracks = "track" if n == 1 else "tracks"
    return f"{n} {tracks}" if n_used == n else f"{n_used} of {n} {tracks}"


def count_unusable(n_used: int, n: int) -> str:
    """Format the number of unusable tracks, such as ``; 2 cannot be used``, if there are any."""
    return f"; {n - n_used} cannot be used" if n_used < n else ""
