"""Predictions of one file after the other, as ``skgenre predict`` writes them."""

from __future__ import annotations

import os
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
    """Yield the prediction of each path in order, as soon as it is known, or why there is none.

    Parameters
    ----------
    pipeline : Pipeline
        Whose first step raises for files that cannot be used.
    paths : list of str
    timeline : bool
        Whether to predict the parts of each track, too.
    jobs : int
        Threads.
    progress : Progress
    """
    from joblib import Parallel, delayed

    # One file a batch: joblib would hold back those that are done until a batch is.
    found = Parallel(n_jobs=jobs, prefer="threads", batch_size=1, return_as="generator")(
        delayed(_predict)(pipeline, path, timeline, progress) for path in paths
    )
    try:
        for track in found:  # noqa: UP028  # closed here if the caller stops
            yield track
    finally:
        with warnings.catch_warnings():
            # joblib's, of tracks that are not waited for.
            warnings.simplefilter("ignore")
            found.close()


def _predict(pipeline, path: str, timeline: bool, progress: Progress) -> dict | str:
    try:
        track: dict = {"path": path}
        if hasattr(pipeline, "predict_proba"):
            [proba] = pipeline.predict_proba([path])
            track |= _prediction(pipeline.classes_, proba)
            if (threshold := confident_from(pipeline)) is not None:
                track["unsure"] = bool(proba.max() < threshold)
        else:
            track["genre"] = str(pipeline.predict([path])[0])
        if timeline:
            track["timeline"] = [
                {
                    "start": round(float(start), 3),
                    "stop": round(float(stop), 3),
                    **_prediction(pipeline.classes_, proba),
                }
                for start, stop, proba in zip(*parts(pipeline, path), strict=True)
            ]
    except UnreadableTracksError as error:
        return error.failures[0].reason
    except AudioError as error:
        return error.reason
    finally:
        progress.finish(path)
    return track


def _prediction(classes, proba) -> dict:
    """Return the most probable genre, its probability, and those of all."""
    by_genre = {str(name): round(float(p), 4) for name, p in zip(classes, proba, strict=True)}
    return {
        "genre": str(classes[np.argmax(proba)]),
        "probability": round(float(np.max(proba)), 4),
        "probabilities": by_genre,
    }


@cache
def _duration(path: str) -> float:
    """Seconds of audio by the header; 0 of what is no audio."""
    try:
        with AudioFile(path) as audio:
            return audio.n_samples / audio.sample_rate
    except (AudioError, OSError):
        return 0.0


class Progress:
    """Bar of seconds of audio on standard error.

    Parameters
    ----------
    paths : list of str
        Their durations are added up while the first are predicted.
    shown : bool
    """

    def __init__(self, paths: list[str], shown: bool):
        from tqdm import tqdm

        self._shown = shown
        self._bar = tqdm(
            disable=not shown,
            bar_format="{desc}{percentage:3.0f}%|{bar}| {n:.0f} of {total:.0f} s of audio "
            "[{elapsed}<{remaining}]",
            total=1e-9,  # the format needs one
            leave=False,
        )
        self._lock = threading.Lock()
        if shown:
            # A daemon, so that Ctrl-C does not wait for it.
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
        """Count seconds of audio that are done; from any thread."""
        with self._lock:
            self._bar.update(seconds)

    def finish(self, path: str) -> None:
        """Count a file that is done."""
        if self._shown:
            self.add(_duration(path))

    def hidden(self):
        """Context in which lines can be printed where the bar is."""
        return self._bar.external_write_mode()


def short_names(paths: list[str], sources: tuple[str, ...]) -> dict[str, str]:
    """Names for people: relative to the folder that was given, if it was one."""
    folder = os.path.expanduser(sources[0])
    if len(sources) > 1 or not os.path.isdir(folder):
        return {path: path for path in paths}
    return {path: os.path.relpath(path, folder) for path in paths}
