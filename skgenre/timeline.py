"""The genre of a song over its time."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from ._warnings import warn
from .audio import AudioError, AudioFile
from .features import MFCCSegmenter, TrackFeatures

#: Seconds of a part for models of whole-track features: what GTZAN's tables were made of. So much
#: is read at once, too.
_PART = 30.0


def genre_timeline(pipeline: Pipeline, path: str | os.PathLike) -> Bunch:
    """Predict the genre of each part of a track, from its start to its end, and of the whole.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, with ``predict_proba``, whose first step is a :class:`MFCCSegmenter` or a
        :class:`TrackFeatures`; or a search that has found one.
    path : str or path-like
        The track.

    Returns
    -------
    timeline : Bunch
        With these attributes.

        start, stop : ndarray of shape (n_parts,)
            Seconds. Parts are as long as the segmenter's segments, or 30 seconds.
        proba : ndarray of shape (n_parts, n_classes)
            Class probabilities of each part.
        track_proba : ndarray of shape (n_classes,)
            Class probabilities of the whole track.
        classes : ndarray of shape (n_classes,)
            The classes.

    Raises
    ------
    TypeError
        If the pipeline does not begin with one of the two.
    UnreadableTracksError, AudioError
        If the track cannot be used.

    Notes
    -----
    The track is read in blocks, so that one of hours takes no more memory than a song.

    See Also
    --------
    skgenre.plotting.GenreTimelineDisplay : The same as a picture.
    """
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    start, stop, proba = map(np.concatenate, zip(*parts(pipeline, path), strict=True))
    [track_proba] = pipeline.predict_proba([path])
    return Bunch(
        start=start, stop=stop, proba=proba, track_proba=track_proba, classes=pipeline.classes_
    )


def parts(pipeline: Pipeline, path) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Go through a track in blocks, in memory that does not grow with its length.

    Parameters
    ----------
    pipeline : Pipeline
    path : str, path-like or binary file object

    Yields
    ------
    start, stop : ndarray of shape (n_parts,)
        Seconds.
    proba : ndarray of shape (n_parts, n_classes)
    """
    first = pipeline[0] if isinstance(pipeline, Pipeline) else pipeline
    if not hasattr(pipeline, "predict_proba"):
        raise TypeError(f"{pipeline} has no predict_proba, which a timeline needs")
    if isinstance(first, MFCCSegmenter):
        blocks = _segments(first, path)
    elif isinstance(first, TrackFeatures):
        blocks = _windows(first, path)
    else:
        raise TypeError(
            f"Expected a pipeline that begins with MFCCSegmenter or TrackFeatures, got {pipeline}"
        )
    rest = pipeline[1:]
    for start, stop, X in blocks:
        yield start, stop, rest.predict_proba(X)


def _segments(segmenter: MFCCSegmenter, path) -> Iterator[tuple[np.ndarray, np.ndarray, Any]]:
    """All whole segments, each as a track of one."""
    whole = clone(segmenter).set_params(n_segments=None, placement="start")
    seconds = segmenter.segment_duration
    length = round(seconds * segmenter.sample_rate)
    n = 0
    with _open(path, segmenter.sample_rate) as audio:
        # Whole segments in a block: none reaches into the next.
        for y in _read(audio, max(1, round(_PART / seconds)) * length):
            try:
                segments = whole.extract_track(_Samples(audio, y))
            except AudioError:
                if n == 0:
                    raise
                return  # the last block is too short for a segment, as the end of most tracks
            start = np.arange(n, n + len(segments)) * seconds
            yield start, start + seconds, segments[:, None]
            n += len(segments)


def _windows(features: TrackFeatures, path) -> Iterator[tuple[np.ndarray, np.ndarray, Any]]:
    """Features of parts of 30 seconds; a rest of less than half a part belongs to the last."""
    whole = clone(features).set_params(max_duration=None)
    rate = features.sample_rate
    length = round(_PART * rate)

    def row(n: int, y: np.ndarray):
        X: Any = whole.extract_track(_Samples(audio, y))[None]
        if X.ndim == 2:
            X = pd.DataFrame(X, columns=whole.get_feature_names_out())
        start = n * length / rate
        return np.array([start]), np.array([start + len(y) / rate]), X

    with _open(path, rate) as audio:
        n, before = 0, np.empty(0, np.float32)
        for y in _read(audio, length):
            if n and max(1, round((n * length + len(y)) / length)) == n:
                before = np.concatenate([before, y])
                continue
            if n:
                yield row(n - 1, before)
            n, before = n + 1, y
        yield row(max(0, n - 1), before)


@contextlib.contextmanager
def _open(path, sample_rate: int) -> Iterator[AudioFile]:
    with AudioFile(path, sample_rate) as audio:
        yield audio
        if audio.ended_early:
            warn(f"{audio.name} ends early (truncated?) and is used as far as it goes")


def _read(audio: AudioFile, length: int) -> Iterator[np.ndarray]:
    """All samples, `length` at a time."""
    for start in itertools.count(0, length):
        y = audio.read(start, start + length)
        if len(y):
            yield y
        if len(y) < length:
            return


class _Samples:
    """Part of a file, in memory, as the whole of one."""

    def __init__(self, audio: AudioFile, y: np.ndarray):
        self.name, self.sample_rate = audio.name, audio.sample_rate
        self.n_samples, self.ended_early = len(y), False
        self._y = y

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        return self._y[start:stop]
