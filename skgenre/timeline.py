"""The genre of a song over its time."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from ._warnings import warn
from .audio import AudioFile
from .features.front import path_pipelines


def genre_timeline(pipeline: Pipeline | VotingClassifier, path: str | os.PathLike) -> Bunch:
    """Predict the genre of each part of a track, from its start to its end, and of the whole.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted, with ``predict_proba``, whose first step is a front end such as
        :class:`TrackDescriptors` or :class:`MFCCSegmenter`; a
        :class:`sklearn.ensemble.VotingClassifier` of such pipelines; or a search that has found
        one.
    path : str or path-like
        The track.

    Returns
    -------
    timeline : Bunch
        With these attributes.

        start, stop : ndarray of shape (n_parts,)
            Seconds. Parts are as long as the front end's segments or windows; those of
            :class:`TrackFeatures` without a window are 30 seconds.
        proba : ndarray of shape (n_parts, n_classes)
            Class probabilities of each part.
        track_proba : ndarray of shape (n_classes,)
            Class probabilities of the whole track.
        classes : ndarray of shape (n_classes,)
            The classes.

    Raises
    ------
    TypeError
        If the pipeline does not begin with a front end, or has no ``predict_proba``.
    ValueError
        If the pipelines of a vote cut the track into different parts.
    UnreadableTracksError, AudioError
        If the track cannot be used.

    See Also
    --------
    skgenre.plotting.GenreTimelineDisplay : The same as a picture.
    """
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    start, stop, proba = parts(pipeline, path)
    [track_proba] = pipeline.predict_proba([path])
    return Bunch(
        start=start, stop=stop, proba=proba, track_proba=track_proba, classes=pipeline.classes_
    )


def parts(model, path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predict each part of a track.

    Parameters
    ----------
    model : Pipeline or VotingClassifier of pipelines
    path : str, path-like or binary file object

    Returns
    -------
    start, stop : ndarray of shape (n_parts,)
        Seconds.
    proba : ndarray of shape (n_parts, n_classes)
    """
    pipelines = path_pipelines(model)
    if not hasattr(model, "predict_proba"):
        raise TypeError(f"{model} has no predict_proba, which a timeline needs")
    starts, stops, probas = zip(*(_parts(pipeline, path) for pipeline in pipelines), strict=True)
    if any(not np.array_equal(start, starts[0]) for start in starts):
        raise ValueError(
            "The pipelines of the vote cut tracks into different parts; give their front ends "
            "equal windows"
        )
    weights = getattr(model, "weights", None)
    if weights is not None:
        members = zip(model.estimators, weights, strict=True)
        weights = [weight for (_, member), weight in members if member != "drop"]
    return starts[0], stops[0], np.average(probas, axis=0, weights=weights)


def _parts(pipeline: Pipeline, path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    front, seconds = pipeline[0].consecutive()
    with AudioFile(path, front.sample_rate) as audio:
        duration = audio.n_samples / front.sample_rate
        is_table = len(pipeline[0].track_shape) == 1
        if is_table and duration <= seconds:  # shorter than a window may be
            segments = pipeline[0].extract_track(audio)[None, None]
        else:
            segments = front.extract_track(audio)
        if audio.ended_early:
            warn(f"{audio.name} ends early (truncated?) and is used as far as it goes")
    start = np.arange(len(segments)) * seconds
    stop = np.minimum(start + seconds, duration)
    X = segments[:, None]  # each as a track of its own
    if is_table:
        X = pd.DataFrame(segments[:, 0], columns=pipeline[0].get_feature_names_out())
    return start, stop, pipeline[1:].predict_proba(X)
