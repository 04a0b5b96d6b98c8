"""Options and helpers that commands share."""

from __future__ import annotations

import os
import sys

import click

jobs_option = click.option(
    "--jobs", type=int, default=-1, show_default="all cores", help="Files read at once."
)
strict_option = click.option(
    "--strict", is_flag=True, help="End with an error if a file cannot be used, not a warning."
)

cache_option = click.option("--cache", help="Folder in which to keep features for another time.")
seed_option = click.option(
    "--seed", type=int, default=0, show_default=True, help="For random numbers."
)

# Named here, and not read from the library, so that help needs none of it; a test compares.
PRESETS = ["ann", "cnn", "lstm", "knn", "svm", "logistic", "lda", "forest", "boosting"]


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
    return sys.stderr.isatty()


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


def make_pipeline(preset: str, jobs: int, cache: str | None, seed: int):
    """Preset from paths, with a progress bar on a terminal."""
    from ..pipelines import genre_pipeline

    pipeline = genre_pipeline(preset, n_jobs=jobs, memory=cache, random_state=seed)
    return pipeline.set_params(mfccsegmenter__verbose=int(on_a_terminal()))


def one_line(message) -> str:
    """Message without line breaks."""
    return " ".join(str(message).split())
