"""Genre predictions over the duration of a track."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch

from ._sklearn import _wrap_data_with_container
from .audio import AudioFile
from .features import FrontEnd
from .features.columns import tensor_order
from .features.model_front_ends import Computed, identify, replace_front_ends


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
            Start and end of each segment in seconds. Segments follow each other and have the
            duration of those of the front end, or 30 seconds for :class:`GTZANFeatures`.
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
    ValueError
        If the pipelines of a meta-estimator split the track into different segments.
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
        Fitted model; see :func:`genre_timeline`.
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
    found: dict[str, tuple] = {}

    def compute(front: FrontEnd) -> Computed:
        key = identify(front)
        if key not in found:
            found[key] = _extract_segments(front, path)
        X = found[key][-1]
        return Computed(front, X, {str(i): i for i in range(len(X))})

    of_segments = replace_front_ends(model, compute)
    start, stop, _ = next(iter(found.values()))
    if any(not np.array_equal(start, other) for other, *_ in found.values()):
        raise ValueError(
            "The pipelines of the model split tracks into different segments; use the same "
            "segment_duration in their front ends"
        )
    # Segments without a signal are NaN.
    missing = [np.isnan(np.asarray(X, float)).reshape(len(X), -1) for *_, X in found.values()]
    exists = ~np.any([values.all(axis=1) for values in missing], axis=0)
    proba = np.full((len(start), len(model.classes_)), np.nan)
    if exists.any():
        proba[exists] = of_segments.predict_proba([str(i) for i in np.flatnonzero(exists)])
    return start, stop, proba


def _extract_segments(extractor: FrontEnd, path) -> tuple[np.ndarray, np.ndarray, Any]:
    """Extract the features of each segment of a track as if it were a track.

    Returns
    -------
    start, stop : ndarray of shape (n_segments,)
        Start and end of each segment in seconds.
    X : ndarray or DataFrame
        Features, in the container that the front end has returned in fit.
    """
    front, seconds = extractor.consecutive()
    with AudioFile(path, front.sample_rate) as audio:
        is_table = len(extractor.track_shape) == 1
        one = round(seconds * front.sample_rate)
        is_short = is_table and len(audio.read(0, one + 1)) <= one
        if is_short:  # tables accept tracks shorter than 3 s
            segments = extractor._extract_open(audio)[None, None]
        else:
            segments = front._extract_open(audio)
        duration = audio.n_samples / front.sample_rate
        audio._warn()
    start = np.arange(len(segments)) * seconds
    stop = np.minimum(start + seconds, duration)
    if not is_table:
        return start, stop, segments[:, None]  # one track per segment
    X = segments[:, 0]
    names = list(extractor.get_feature_names_out())
    if not is_short:
        order = tensor_order(names)
        X = X[:, [order.index(name) for name in names]]
    return start, stop, _wrap_data_with_container("transform", X, X, extractor)
