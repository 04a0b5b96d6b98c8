"""The genre of a song over its time."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from .audio import load_audio
from .features import GTZAN_FEATURES, MFCCSegmenter, TrackFeatures, track_features

#: Seconds of a part for models of whole-track features: what GTZAN's tables were made of.
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


def parts(pipeline: Pipeline, path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Start and stop of each part of a track in seconds, and its class probabilities."""
    first = pipeline[0] if isinstance(pipeline, Pipeline) else pipeline
    if not hasattr(pipeline, "predict_proba"):
        raise TypeError(f"{pipeline} has no predict_proba, which a timeline needs")
    if isinstance(first, MFCCSegmenter):
        whole = clone(first).set_params(n_segments=None, placement="start", on_error="raise")
        [segments] = whole.transform([path])
        proba = pipeline[1:].predict_proba(segments[:, None])  # each as a track of one segment
        start = np.arange(len(segments)) * first.segment_duration
        stop = start + first.segment_duration
    elif isinstance(first, TrackFeatures):
        y = load_audio(path, sample_rate=TrackFeatures.sample_rate)
        length = round(_PART * TrackFeatures.sample_rate)
        # A rest of less than half a part belongs to the part before.
        n_parts = max(1, round(len(y) / length))
        edges = np.r_[np.arange(n_parts) * length, len(y)]
        rows = [track_features(y[a:b]) for a, b in itertools.pairwise(edges)]
        proba = pipeline[1:].predict_proba(pd.DataFrame(rows, columns=list(GTZAN_FEATURES)))
        start, stop = edges[:-1] / TrackFeatures.sample_rate, edges[1:] / TrackFeatures.sample_rate
    else:
        raise TypeError(
            f"Expected a pipeline that begins with MFCCSegmenter or TrackFeatures, got {pipeline}"
        )
    return start, stop, proba
