"""Prediction of individual files for ``skgenre predict``."""

from __future__ import annotations

import io
import os
import sys
import threading
import warnings
from collections.abc import Generator
from functools import cache

import numpy as np

from ..audio import AudioError, AudioFile
from ..features import UnreadableTracksError
from ..timeline import parts
from .models import confident_from


def predictions(
    pipeline, paths: list[str], *, timeline: bool, jobs: int, progress: Progress
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
    progress : Progress
        Progress bar.

    Yields
    ------
    track : dict or str
        Prediction, or the reason why the file cannot be used.
    """
    from joblib import Parallel, delayed

    stdin = None
    if "-" in paths:
        if sys.stdin is None:
            raise OSError("standard input is closed")
        stdin = _Stdin(sys.stdin.buffer.read())  # a timeline reads it twice
    # joblib returns results only when a batch is complete, so use batches of one file.
    found = Parallel(n_jobs=jobs, prefer="threads", batch_size=1, return_as="generator")(
        delayed(_predict)(pipeline, path, stdin if path == "-" else path, timeline, progress)
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


def _predict(pipeline, path: str, file, timeline: bool, progress: Progress) -> dict | str:
    try:
        track: dict = {"path": display_name(path)}
        if hasattr(pipeline, "predict_proba"):
            [proba] = pipeline.predict_proba([file])
            track |= _prediction(pipeline.classes_, proba)
            if (threshold := confident_from(pipeline)) is not None:
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
                for start, stop, proba in zip(*parts(pipeline, file), strict=True)
                if not np.isnan(proba).any()  # no signal
            ]
    except UnreadableTracksError as error:
        return error.failures[0].reason
    except AudioError as error:
        return error.reason
    finally:
        progress.finish(path)
    return track


def _prediction(classes, proba) -> dict:
    """Return the most probable genre and the probabilities of all genres."""
    by_genre = {str(name): round(float(p), 4) for name, p in zip(classes, proba, strict=True)}
    return {
        "genre": str(classes[np.argmax(proba)]),
        "probability": round(float(np.max(proba)), 4),
        "probabilities": by_genre,
    }


@cache
def _duration(path: str) -> float:
    """Return the duration in seconds according to the header, 0 if it cannot be read."""
    try:
        with AudioFile(path) as audio:
            return (audio._stated or 0) / audio.sample_rate  # nothing is decoded for a bar
    except (AudioError, OSError):
        return 0.0


class Progress:
    """Progress bar on standard error, in seconds of audio.

    Parameters
    ----------
    paths : list of str
        Audio files. Their total duration is computed in the background.
    shown : bool
        Whether to show the progress bar.
    """

    def __init__(self, paths: list[str], shown: bool):
        from tqdm import tqdm

        self._shown = shown
        self._bar = tqdm(
            disable=not shown,
            bar_format="{desc}{percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s of audio "
            "[{elapsed}<{remaining}]",
            total=1e-9,  # must not be zero or None in this format
            leave=False,
        )
        self._lock = threading.Lock()
        if shown:
            # A daemon thread does not delay the exit after Ctrl-C.
            threading.Thread(target=self._measure, args=(paths,), daemon=True).start()

    def _measure(self, paths: list[str]) -> None:
        for path in paths:
            seconds = _duration(path)
            with self._lock:
                self._bar.total += seconds

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exc) -> None:
        self._bar.close()

    def add(self, seconds: float) -> None:
        """Advance the bar by a number of seconds. Thread-safe."""
        with self._lock:
            self._bar.update(seconds)

    def finish(self, path: str) -> None:
        """Advance the bar by the duration of a file."""
        if self._shown:
            self.add(_duration(path))

    def hidden(self):
        """Return a context manager that hides the bar while lines are printed."""
        return self._bar.external_write_mode()


def display_name(path: str) -> str:
    """Return the name of a file in the output."""
    return "stdin" if path == "-" else path


def short_names(paths: list[str], sources: tuple[str, ...]) -> dict[str, str]:
    """Return names for display, relative to the folder if a single folder was given."""
    if len(sources) > 1 or not os.path.isdir(sources[0]):
        return {display_name(path): display_name(path) for path in paths}
    return {path: os.path.relpath(path, sources[0]) for path in paths}
