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


def make_pipeline(preset: str, jobs: int, cache: str | None, seed: int):
    """Preset from paths, with a progress bar on a terminal."""
    from ..pipelines import genre_pipeline

    pipeline = genre_pipeline(preset, n_jobs=jobs, memory=cache, random_state=seed)
    return pipeline.set_params(mfccsegmenter__verbose=int(on_a_terminal()))


def load_from_paths(model: str | None):
    """Load a model that begins with audio files; without a name, the one that is included."""
    from sklearn.pipeline import Pipeline

    from ..features import TrackExtractor
    from ..persistence import load
    from ..pipelines import starter_model

    pipeline = load(model) if model else starter_model()
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    if not (isinstance(pipeline, Pipeline) and isinstance(pipeline[0], TrackExtractor)):
        raise ValueError(f"{model} is a model, but not one that begins with audio files")
    return pipeline


def usable(extractor, tracks):
    """Features of the tracks that can be used, and the tracks without the others.

    Raises
    ------
    ValueError
        If a genre has no track that can be used.
    """
    import numpy as np
    from sklearn.utils import Bunch

    X = extractor.transform(tracks.data)
    # A track that cannot be used has no first segment, or no first feature.
    used = ~np.isnan(np.asarray(X).reshape(len(X), -1)[:, 0])
    left = Bunch(
        data=[path for path, is_used in zip(tracks.data, used, strict=True) if is_used],
        target=tracks.target[used],
        target_names=tracks.target_names,
        groups=tracks.groups[used],
    )
    if missing := sorted(set(tracks.target_names) - set(left.target.tolist())):
        raise ValueError(
            f"no track of {', '.join(missing)} can be used; add some that can, or take the "
            "folder away"
        )
    return X[used], left


def count(n_used: int, n: int) -> str:
    """Say of how many tracks a figure is: ``29 tracks``, or ``27 of 29 tracks``."""
    tracks = "track" if n == 1 else "tracks"
    return f"{n} {tracks}" if n_used == n else f"{n_used} of {n} {tracks}"


def left_out(n_used: int, n: int) -> str:
    """Say how many tracks are in no figure, if any: ``; 2 cannot be used``."""
    return f"; {n - n_used} cannot be used" if n_used < n else ""
