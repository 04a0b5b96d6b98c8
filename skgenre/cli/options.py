"""Options and words shared by the commands."""

from __future__ import annotations

import os
import sys

import click

from .._files import expand

#: Maximum number of threads. More threads would only add overhead.
_MAX_JOBS = 256

# In the order in which to try them. The names are repeated here, so that --help does not import
# the library; a test compares them.
PRESETS = [
    *("descriptors", "musicnn", "mel", "blend", "cnn", "lstm", "ann"),
    *("knn", "svm", "logistic", "lda", "forest", "boosting"),
]


#: Reason why a model marks no prediction as unsure.
NO_THRESHOLD = "the model has no threshold"


class UserPath(click.ParamType):
    """Path in which ``~`` is expanded, since shells do not do so after ``=`` or in quotes."""

    name = "path"

    def convert(self, value, param, ctx) -> str:
        """Expand the path."""
        return expand(value)


class OutputFile(UserPath):
    """Path of a file to write, which is checked before the computation starts."""

    def convert(self, value, param, ctx) -> str:
        """Expand and check the path."""
        path = expand(value)
        if os.path.isdir(path):
            self.fail(f"{path} is a folder; pass the path of a file", param, ctx)
        if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            self.fail(f"there is no folder {os.path.dirname(path)}", param, ctx)
        return path


sources_argument = click.argument(
    "sources", nargs=-1, required=True, metavar="FILE_OR_FOLDER...", type=UserPath()
)
model_option = click.option(
    "--model",
    type=UserPath(),
    help="Model file, or musicnn or table, the starter models of skgenre.  [default: musicnn if "
    "its weights are installed, or else table]",
)
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, _MAX_JOBS),
    show_default="all cores that the process may use",
    callback=lambda ctx, param, value: value or -1,
    help="Number of files, or segments of a single file, to process in parallel.",
)
cache_option = click.option("--cache", type=UserPath(), help="Folder in which features are cached.")
augment_option = click.option(
    "--augment/--no-augment",
    default=True,
    show_default=True,
    help="Train on changed copies of the tracks as well, for robustness to noise and filters. "
    "It takes several times as long. No effect on classical models such as svm.",
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
            click.argument("source", metavar="FOLDER_OR_TABLE", type=UserPath()),
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
