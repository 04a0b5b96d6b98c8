"""Prediction of individual files for ``skgenre predict``."""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Generator

import numpy as np
from joblib import Parallel, delayed

from ..audio import AudioError
from ..features import UnreadableTracksError
from ..timeline import predict_segments
from .inputs import threshold_of


def predictions(
    pipeline, paths: list[str], *, timeline: bool, jobs: int
) -> Generator[dict | str, None, None]:
    """Yield the prediction of each path in order, as soon as it is available.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted pipeline whose first step raises an error for files that cannot be used.
    paths : list of str
        Audio files, and ``-`` for standard input.
    timeline : bool
        Whether to also predict the parts of each track.
    jobs : int
        Number of threads.

    Yields
    ------
    track : dict or str
        Prediction, or the reason why the file cannot be used.
    """
    stdin = None
    if "-" in paths:
        if sys.stdin is None:
            raise OSError("standard input is closed")
        stdin = _Stdin(sys.stdin.buffer.read())  # a timeline reads it twice
    # joblib returns results only when a batch is complete, so use batches of one file.
    found = Parallel(n_jobs=jobs, prefer="threads", batch_size=1, return_as="generator")(
        delayed(_predict)(pipeline, path, stdin if path == "-" else path, timeline)
        for path in paths
    )
    try:
        for track in found:  # noqa: UP028  # `found` must be closed if the caller stops
            yield track
    finally:
        with warnings.catch_warnings():
            # joblib warns about tasks that are canceled.
            warnings.simplefilter("ignore")
            found.close()


class _Stdin(io.BytesIO):
    """Content of standard input, with the name by which messages call it."""

    name = "stdin"


def _predict(pipeline, path: str, file, timeline: bool) -> dict | str:
    try:
        track: dict = {"path": display_name(path)}
        if hasattr(pipeline, "predict_proba"):
            [proba] = pipeline.predict_proba([file])
            track |= _prediction(pipeline.classes_, proba)
            if (threshold := threshold_of(pipeline)) is not None:
                track["unsure"] = bool(proba.max() < threshold)
        else:
            track["genre"] = str(pipeline.predict([file])[0])
        if timeline:
            track["timeline"] = [
                {
                    "start": round(float(start), 3),
                    "stop": round(float(stop), 3),
                    **_prediction(pipeline.classes_, proba),
                }
                for start, stop, proba in zip(*predict_segments(pipeline, file), strict=True)
                if not np.isnan(proba).any()  # no signal
            ]
    except UnreadableTracksError as error:
        return error.failures[0].reason
    except AudioError as error:
        return error.reason
    return track


def _prediction(classes, proba) -> dict:
    """Return the most probable genre and the probabilities of all genres."""
    by_genre = {str(name): round(float(p), 4) for name, p in zip(classes, proba, strict=True)}
    return {
        "genre": str(classes[np.argmax(proba)]),
        "probability": round(float(np.max(proba)), 4),
        "probabilities": by_genre,
    }


def display_name(path: str) -> str:
    """Return the name of a file in the output."""
    return "stdin" if path == "-" else path


def short_names(paths: list[str], sources: tuple[str, ...]) -> dict[str, str]:
    """Return names for display, relative to the folder if a single folder was given."""
    if len(sources) > 1 or not os.path.isdir(sources[0]):
        return {display_name(path): display_name(path) for path in paths}
    return {path: os.path.relpath(path, sources[0]) for path in paths}
