"""Tracks and models that the commands are given. Imported late, since it loads scikit-learn."""

from __future__ import annotations

import io
import os
import sys
from typing import Any

import click

from ..datasets import list_audio, load_folder, load_table
from ..features.model_front_ends import front_ends
from ..persistence import load
from ..pipelines import STARTERS, default_starter, genre_pipeline, starter_model
from .options import on_a_terminal

#: File extensions of tables, in lower case.
_TABLE_SUFFIXES = (".csv", ".tsv", ".txt")


def audio_files(sources: tuple[str, ...]) -> list[str]:
    """Return the given files, and all audio files in the given folders."""
    paths: list[str] = []
    for source in sources:
        if not os.path.exists(source):
            raise FileNotFoundError(f"there is no file or folder {source}")
        found = list_audio(source) if os.path.isdir(source) else [source]
        if not found:
            raise ValueError(f"{source} does not contain any audio files")
        paths += found
    return paths


class _StandardInput(io.BytesIO):
    """Content of standard input, with the name by which messages call it."""

    name = "stdin"


def standard_input() -> _StandardInput:
    """Read standard input at once, since a timeline reads a file twice."""
    if sys.stdin is None:
        raise OSError("standard input is closed")
    return _StandardInput(sys.stdin.buffer.read())


def labeled_tracks(source: str, genre_from: str, **columns: str | None):
    """Load the tracks of a folder or a table and check that there are at least two genres.

    The columns of a table are those of :func:`skgenre.datasets.load_table`.
    """
    given: dict[str, Any] = {name: column for name, column in columns.items() if column}
    is_folder = os.path.isdir(source)
    if is_folder and given:
        raise ValueError(
            f"--{next(iter(given))} requires a table, but {source} is a folder; omit the option, "
            "or pass a table"
        )
    if not is_folder and genre_from != "folder":
        raise ValueError(f"--genre-from={genre_from} requires a folder; got {source}")
    if not is_folder and os.path.splitext(source)[1].lower() in _TABLE_SUFFIXES:
        tracks = load_table(source, **given)
    else:
        tracks = load_folder(source, genre_from=genre_from)
    if len(tracks.target_names) < 2:
        remedy = "add a folder of another genre" if is_folder else "add tracks of another genre"
        raise ValueError(f"{source} contains only one genre, {tracks.target_names[0]!r}; {remedy}")
    return tracks


def make_model(preset: str, jobs: int, cache: str | None, seed: int, augment: bool):
    """Create the pipeline of a preset, with a progress bar on a terminal."""
    model = genre_pipeline(
        preset,
        n_jobs=jobs,
        memory=cache,
        random_state=seed,
        augment="robust" if augment else None,
    )
    _set_front_ends(model, verbose=int(on_a_terminal()))
    return model


def find_model(name: str | None) -> str:
    """Return the path of a model file or of a starter model; None is the best that can be used."""
    if name is not None and os.path.exists(name):
        return name
    name = name or default_starter()
    if name not in STARTERS:
        raise FileNotFoundError(
            f"there is no model file {name}; the starter models are {' and '.join(STARTERS)}"
        )
    return str(STARTERS[name])


def read_model(path: str):
    """Load a model file, or a starter model without a warning of its version."""
    starters = {str(of_starter): name for name, of_starter in STARTERS.items()}
    return starter_model(starters[path]) if path in starters else load(path)


def load_model(file: str | None, **params: Any):
    """Load a model of audio files, and set parameters of its front ends.

    None loads the starter model, and says so if it is the less accurate one.
    """
    if file is None and default_starter() == "table":
        click.echo(
            "Note: the starter model without musicnn is used, which is right for about 55% of "
            "unseen artists. 'pip install --no-deps musicnn==0.1.0' installs one that is right for "
            "about 76%.",
            err=True,
        )
    model = read_model(find_model(file))
    model = getattr(model, "best_estimator_", model)
    try:
        _set_front_ends(model, **params)
    except TypeError:
        raise ValueError(
            f"{file} cannot be used, since its input is not audio files; the model must begin with "
            "a front end"
        ) from None
    return model


def load_predictor(file: str | None, *, needs_proba: str = "", n_jobs: int | None = None):
    """Load a model that raises an error for each file that it cannot use.

    `needs_proba` names what requires probabilities of the model, if anything. `n_jobs` is for the
    segments of a timeline.
    """
    model = load_model(file, on_error="raise", n_jobs=n_jobs, verbose=0)
    if needs_proba and not hasattr(model, "predict_proba"):
        raise ValueError(
            f"{file} does not predict probabilities, which {needs_proba} requires; train another "
            "preset than svm"
        )
    return model


def _set_front_ends(model, **params: Any) -> None:
    for front in front_ends(model):
        front.set_params(**params)
