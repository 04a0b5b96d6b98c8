"""Genre predictions over the duration of a track."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from ._warnings import warn
from .audio import AudioFile
from .features.columns import tensor_order
from .features.front import path_pipelines


def genre_timeline(pipeline: Pipeline | VotingClassifier, path: str | os.PathLike) -> Bunch:
    """Predict the genre of each part of a track and of the whole track.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline with ``predict_proba`` whose first step is a front end, such as
        :class:`TrackDescriptors` or :class:`MFCCSegmenter`. A
        :class:`sklearn.ensemble.VotingClassifier` of such pipelines, or a fitted search over such
        a model, is also accepted.
    path : str or path-like
        Path of the track.

    Returns
    -------
    timeline : Bunch
        Dictionary-like object, with the following attributes.

        start, stop : ndarray of shape (n_parts,)
            Start and end of each part in seconds. The parts are the segments or windows of the
            front end; for :class:`TrackFeatures` without windows they are 30 seconds long.
        proba : ndarray of shape (n_parts, n_classes)
            Class probabilities of each part; NaN for parts without a signal.
        track_proba : ndarray of shape (n_classes,)
            Class probabilities of the whole track.
        classes : ndarray of shape (n_classes,)
            Class labels, in the order of the probabilities.

    Raises
    ------
    TypeError
        If the pipeline does not start with a front end or has no ``predict_proba``.
    ValueError
        If the pipelines of a VotingClassifier split the track into different parts.
    UnreadableTracksError, AudioError
        If the track cannot be used.

    See Also
    --------
    skgenre.plotting.GenreTimelineDisplay : Plot a genre timeline.

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
    start, stop, proba = parts(pipeline, path)
    [track_proba] = pipeline.predict_proba([path])
    return Bunch(
        start=start, stop=stop, proba=proba, track_proba=track_proba, classes=pipeline.classes_
    )


def parts(model, path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predict the class probabilities of each part of a track.

    Parameters
    ----------
    model : Pipeline or VotingClassifier of pipelines
        Fitted model; see :func:`genre_timeline`.
    path : str, path-like or binary file object
        The track.

    Returns
    -------
    start, stop : ndarray of shape (n_parts,)
        Start and end of each part in seconds.
    proba : ndarray of shape (n_parts, n_classes)
        Class probabilities of each part; NaN for parts without a signal.
    """
    pipelines = path_pipelines(model)
    if not hasattr(model, "predict_proba"):
        raise TypeError(f"{model} has no predict_proba, which a timeline needs")
    starts, stops, probas = zip(*(_parts(pipeline, path) for pipeline in pipelines), strict=True)
    if any(not np.array_equal(start, starts[0]) for start in starts):
        raise ValueError(
            "The pipelines of the VotingClassifier split tracks into different parts; use the same "
            "window length in their front ends"
        )
    weights = getattr(model, "weights", None)
    if weights is not None:
        members = zip(model.estimators, weights, strict=True)
        weights = [weight for (_, member), weight in members if member != "drop"]
    # Members may find a signal in different parts.
    mean = np.ma.average(np.ma.masked_invalid(probas), axis=0, weights=weights)
    return starts[0], stops[0], np.ma.filled(mean, np.nan)


def _parts(pipeline: Pipeline, path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    front, seconds = pipeline[0].consecutive()
    with AudioFile(path, front.sample_rate) as audio:
        is_table = len(pipeline[0].track_shape) == 1
        one = round(seconds * front.sample_rate)
        is_short = is_table and len(audio.read(0, one + 1)) <= one
        if is_short:  # tables accept tracks shorter than 3 s
            segments = pipeline[0]._extract_open(audio)[None, None]
        else:
            segments = front._extract_open(audio)
        duration = audio.n_samples / front.sample_rate
        if audio.ended_early:
            warn(f"{audio.name} ends early (truncated file?); only the decoded part is used")
        if audio.channels_cancel:
            warn(
                f"the channels of {audio.name} cancel in their mean (one of them inverted?); only "
                "the loudest channel is used"
            )
    start = np.arange(len(segments)) * seconds
    stop = np.minimum(start + seconds, duration)
    exists = ~np.isnan(segments).all(axis=(1, 2))
    X = segments[exists][:, None]  # one track per segment
    if is_table:
        names = pipeline[0].get_feature_names_out()
        columns = names if is_short else tensor_order(names)
        X = pd.DataFrame(X[:, 0, 0], columns=columns)[names]
    proba = np.full((len(segments), len(pipeline.classes_)), np.nan)
    proba[exists] = pipeline[1:].predict_proba(X)
    return start, stop, proba
