"""Features that are computed once and shared by all folds and models."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch

from .._sklearn import _safe_indexing
from ..features import TrackExtractor, UnreadableTracksError
from ..features.front import path_pipelines


class Computed(TrackExtractor):
    """Front end that returns precomputed features.

    Parameters
    ----------
    extractor : TrackExtractor
        Front end that computed the features.
    features : array-like
        Features of all tracks.
    index : dict of str to int
        Index of each path in `features`.
    """

    def __init__(self, extractor: TrackExtractor, features: Any, index: dict[str, int]):
        self.extractor = extractor
        self.features = features
        self.index = index

    @property
    def track_shape(self):
        """Shape of the features of a track."""
        return self.extractor.track_shape

    def extract_track(self, audio):
        """Compute the features of a track with the original front end."""
        return self.extractor.extract_track(audio)

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Return the precomputed features of paths."""
        return _safe_indexing(self.features, [self.index[path] for path in X])

    def __sklearn_clone__(self):
        return self  # immutable, and the features are large


def compute_features(models: list, tracks: Bunch) -> Bunch:
    """Replace the front ends of models by precomputed features and drop unusable tracks.

    Parameters
    ----------
    models : list of Pipeline or VotingClassifier
        Models, which are modified in place. Features of equal front ends are computed once.
    tracks : Bunch
        Tracks with ``data``, ``target``, ``target_names`` and ``groups``.

    Returns
    -------
    tracks : Bunch
        Tracks that all front ends can use. ``left_out`` is a list of the paths of the other
        tracks and the reasons.

    Raises
    ------
    ValueError
        If no track of a genre can be used.
    """
    computed: dict[str | None, Computed] = {}
    used = np.ones(len(tracks.data), bool)
    reasons: dict[str, str] = {}
    for pipeline in [pipeline for model in models for pipeline in path_pipelines(model)]:
        name, extractor = pipeline.steps[0]
        # The repr is not unique, since it abbreviates long lists.
        key = joblib.hash((type(extractor).__name__, extractor.get_params()))
        if key not in computed:
            X = extractor.transform(tracks.data)
            # Other tracks may have missing segments, too.
            missing = np.isnan(np.asarray(X)).reshape(len(X), -1).all(axis=1)
            used &= ~missing
            for i in np.flatnonzero(missing):
                reasons.setdefault(tracks.data[i], _reason(extractor, tracks.data[i]))
            index = {path: i for i, path in enumerate(tracks.data)}
            computed[key] = Computed(extractor, X, index)
        pipeline.steps[0] = name, computed[key]
    left = Bunch(
        data=[path for path, is_used in zip(tracks.data, used, strict=True) if is_used],
        target=tracks.target[used],
        target_names=tracks.target_names,
        groups=tracks.groups[used],
        left_out=[(path, reasons[path]) for path in tracks.data if path in reasons],
    )
    if lost := sorted(set(tracks.target_names) - set(left.target.tolist())):
        raise ValueError(
            f"no track of {', '.join(map(str, lost))} can be used; add usable tracks, or remove "
            "the genre"
        )
    return left


def _reason(extractor, path) -> str:
    """Return the reason why a front end cannot use a file."""
    try:
        clone(extractor).set_params(on_error="raise", verbose=0).transform([path])
    except UnreadableTracksError as error:
        return error.failures[0].reason
    return "no features"
