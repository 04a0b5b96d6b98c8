"""Prediction of individual files for ``skgenre predict``."""

from __future__ import annotations

import warnings
from collections.abc import Generator

import numpy as np
from joblib import Parallel, delayed
from sklearn.pipeline import Pipeline

from ..audio import AudioError, name_of
from ..features import UnreadableTracksError
from ..timeline import predict_segments
from .options import NO_THRESHOLD

#: Number of tags that are returned of a track.
_N_TAGS = 5


def predictions(
    pipeline, files: list, *, tagger: Pipeline | None = None, timeline: bool, jobs: int
) -> Generator[dict | str, None, None]:
    """Yield the prediction of each file in order, as soon as it is available.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted pipeline whose first step raises an error for files that cannot be used.
    files : list of str or binary file object
        Audio files.
    tagger : Pipeline, default=None
        Transformer from files to a table of the probabilities of tags. If None, tracks have none.
    timeline : bool
        Whether to also predict the parts of each track.
    jobs : int
        Number of threads.

    Yields
    ------
    track : dict or str
        Prediction, or the reason why the file cannot be used. ``unsure`` is None if the model has
        no threshold.
    """
    # joblib returns results only when a batch is complete, so use batches of one file.
    found = Parallel(n_jobs=jobs, prefer="threads", batch_size=1, return_as="generator")(
        delayed(_predict)(pipeline, file, tagger, timeline) for file in files
    )
    try:
        for track in found:  # noqa: UP028  # `found` must be closed if the caller stops
            yield track
    finally:
        with warnings.catch_warnings():
            # joblib warns about tasks that are canceled.
            warnings.simplefilter("ignore")
            found.close()


def _predict(pipeline, file, tagger: Pipeline | None, timeline: bool) -> dict | str:
    try:
        track: dict = {"path": name_of(file)}
        X, last = [file], pipeline
        if isinstance(pipeline, Pipeline):
            X, last = pipeline[:-1].transform(X), pipeline[-1]
        unsure, reason = None, NO_THRESHOLD
        if hasattr(last, "predict_proba"):
            proba = last.predict_proba(X)
            track |= _prediction(pipeline.classes_, proba[0])
            if getattr(last, "threshold_", None) is not None:
                [reason] = last.explain_unsure(X, proba)
                unsure = bool(reason)
        else:
            track["genre"] = str(last.predict(X)[0])
        track |= {"unsure": unsure, "reason": reason}
        if tagger is not None:
            # They are the features of the starter model on musicnn.
            are_features = last is not pipeline and str(pipeline[:-1]) == str(tagger)
            [tags] = X if are_features else tagger.transform([file])
            names = tagger[0].get_feature_names_out()
            highest = np.argsort(-tags, kind="stable")[:_N_TAGS]
            track["tags"] = {names[i]: round(float(tags[i]), 4) for i in highest}
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
