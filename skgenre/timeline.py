"""Genre predictions over the duration of a track. Times are in seconds, positions in samples."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from .audio import AudioError, AudioFile
from .audio.transforms import wav
from .features import UnreadableTracksError
from .features.model_front_ends import copy_with_front_ends, front_ends

#: Duration of the segments for front ends without the attribute ``segment_duration``, and maximum
#: time between the starts of segments.
DURATION, MAX_STEP = 30.0, 5.0

#: Minimum length of a segment at the end of a track, as a fraction of the others. It is slightly
#: less than half because clips of 30 seconds, such as those of GTZAN, are often 0.1 s shorter.
MIN_FRACTION = 0.49


def genre_timeline(pipeline: Pipeline | VotingClassifier, path: str | os.PathLike) -> Bunch:
    """Predict the genre of each segment of a track and of the whole track.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline with ``predict_proba`` whose first step is a front end, such as
        :class:`TrackDescriptors` or :class:`MFCCSegmenter`. A meta-estimator of such pipelines,
        such as :class:`sklearn.ensemble.VotingClassifier` or :class:`GroupCalibratedClassifier`,
        or a fitted search over such a model, is also accepted.
    path : str or path-like
        Path of the track.

    Returns
    -------
    timeline : Bunch
        Dictionary-like object, with the following attributes.

        start, stop : ndarray of shape (n_segments,)
            Start and end in seconds of the audio that the prediction of each segment is based on;
            see the Notes.
        proba : ndarray of shape (n_segments, n_classes)
            Class probabilities of each segment; NaN for segments without a signal.
        track_proba : ndarray of shape (n_classes,)
            Class probabilities of the whole track.
        classes : ndarray of shape (n_classes,)
            Class labels, in the order of the probabilities.

    Raises
    ------
    TypeError
        If the pipeline does not start with a front end or has no ``predict_proba``.
    UnreadableTracksError, AudioError
        If the track cannot be used.

    See Also
    --------
    skgenre.plotting.GenreTimelineDisplay : Plot a genre timeline.

    Notes
    -----
    Each segment is predicted as if it were a track. Its duration is the `segment_duration` of the
    front end, or 30 seconds if there is none; for a meta-estimator, the longest one. Segments start
    every 5 seconds, or every `segment_duration` if that is shorter, so segments of 30 seconds
    overlap. The last ones are shorter, down to half of the duration, if the front end can use them:
    a song of 30 seconds has four segments. Displays show each segment from its start to the start
    of the next one.

    Examples
    --------
    >>> import tempfile
    >>> from skgenre import genre_timeline, starter_model
    >>> from skgenre.datasets import make_tracks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=["jazz"], duration=4, random_state=0, folder=folder)
    ...     timeline = genre_timeline(starter_model(), tracks.data[0])
    >>> timeline.proba.shape
    (1, 10)
    """
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    start, stop, proba = predict_segments(pipeline, path)
    [track_proba] = pipeline.predict_proba([path])
    return Bunch(
        start=start, stop=stop, proba=proba, track_proba=track_proba, classes=pipeline.classes_
    )


def predict_segments(model, path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predict the class probabilities of each segment of a track.

    Parameters
    ----------
    model : Pipeline, or meta-estimator of pipelines
        Fitted model; see :func:`genre_timeline`. Segments are predicted in parallel with the
        `n_jobs` of its first front end.
    path : str, path-like or binary file object
        The track.

    Returns
    -------
    start, stop : ndarray of shape (n_segments,)
        Start and end of each segment in seconds.
    proba : ndarray of shape (n_segments, n_classes)
        Class probabilities of each segment; NaN for segments without a signal.
    """
    if not hasattr(model, "predict_proba"):
        raise TypeError(f"{model} has no predict_proba, which a timeline needs")
    fronts = front_ends(model)
    rate = max(front.sample_rate for front in fronts)
    duration = max(getattr(front, "segment_duration", None) or DURATION for front in fronts)
    length, step = round(duration * rate), round(min(duration, MAX_STEP) * rate)
    model = copy_with_front_ends(model, on_error="raise", memory=None, n_jobs=None, verbose=0)
    with AudioFile(path, rate) as audio:
        segments = ((len(y), wav(y, rate, audio.name)) for y in _segments(audio, length, step))
        n = max(1, int(DURATION / duration))
        blocks = iter(lambda: list(itertools.islice(segments, n)), [])
        found = Parallel(n_jobs=fronts[0].n_jobs, prefer="threads")(
            delayed(_predict_block)(model, block) for block in blocks
        )
        audio._warn()
    predicted = list(itertools.chain.from_iterable(found))
    if all(isinstance(result, AudioError) for _, result in predicted):
        raise predicted[0][1]
    while predicted[-1][0] < length and isinstance(predicted[-1][1], AudioError):
        predicted.pop()
    start = np.arange(len(predicted)) * (step / rate)
    stop = start + [n_samples / rate for n_samples, _ in predicted]
    proba = np.full((len(predicted), len(model.classes_)), np.nan)
    for row, (_, result) in zip(proba, predicted, strict=True):
        if not isinstance(result, AudioError):
            row[:] = result
    return start, stop, proba


def _segments(audio: AudioFile, length: int, step: int) -> Iterator[np.ndarray]:
    """Read segments that start every `step` samples, from a file that is decoded once."""
    y = audio.read(0, length)
    yield y
    for stop in itertools.count(length + step, step):
        more = audio.read(stop - step, stop) if len(y) == length else y[:0]
        y = np.concatenate([y[step:], more])
        if len(y) < MIN_FRACTION * length:
            return
        yield y


def _predict_block(model, block: list) -> list[tuple[int, Any]]:
    """Return the lengths and the probabilities of segments, or why one cannot be used."""
    lengths, files = zip(*block, strict=True)
    try:
        return list(zip(lengths, model.predict_proba(files), strict=True))
    except UnreadableTracksError as error:
        if len(block) == 1:
            return [(lengths[0], error.failures[0])]
        return [_predict_block(model, [segment])[0] for segment in block]


def clock(seconds: float) -> str:
    """Format a time as minutes and seconds, or with hours: ``0:12``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
