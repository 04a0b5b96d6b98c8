"""Options and helpers that commands share."""

from __future__ import annotations

import os
import sys

import click

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


def labelled(folder: str):
    """Tracks of a folder of genre folders, at least two genres."""
    from ..datasets import load_folder

    tracks = load_folder(folder)
    if len(tracks.target_names) < 2:
        raise ValueError(
            f"{folder} holds one genre only, {tracks.target_names[0]!r}; a second folder beside "
            "it, of another genre, is needed"
        )
    return tracks


def count(n_used: int, n: int) -> str:
    """Say of how many tracks a figure is: ``29 tracks``, or ``27 of 29 tracks``."""
    tracks = "track" if n == 1 else "tracks"
    return f"{n} {tracks}" if n_used == n else f"{n_used} of {n} {tracks}"


def left_out(n_used: int, n: int) -> str:
    """Say how many tracks are in no figure, if any: ``; 2 cannot be used``."""
    return f"; {n - n_used} cannot be used" if n_used < n else ""
