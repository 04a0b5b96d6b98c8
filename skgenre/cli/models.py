"""Models of the command line: made, loaded, and given features that are computed once."""

from __future__ import annotations

from typing import Any

import joblib
import numpy as np
import sklearn
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import get_routing_for_object

from .._sklearn import _safe_indexing
from ..features import TrackExtractor
from ..features.front import path_pipelines
from ..persistence import load
from ..pipelines import genre_pipeline, starter_model
from .options import on_a_terminal


def make_model(preset: str, jobs: int, cache: str | None, seed: int):
    """Preset from paths, with a progress bar on a terminal."""
    model = genre_pipeline(preset, n_jobs=jobs, memory=cache, random_state=seed)
    set_front_ends(model, verbose=int(on_a_terminal()))
    return model


def load_model(file: str | None):
    """Load a model that begins with audio files; without a name, the one that is included."""
    model = load(file) if file else starter_model()
    model = getattr(model, "best_estimator_", model)
    try:
        path_pipelines(model)
    except TypeError:
        raise ValueError(f"{file} is a model, but not one that begins with audio files") from None
    return model


def confident_from(model) -> float | None:
    """Probability from which a model's predictions can be relied on, if it was calibrated."""
    last = model[-1] if isinstance(model, Pipeline) else model
    return getattr(last, "threshold_", None)


def set_front_ends(model, **params: Any) -> None:
    """Set parameters of all front ends of a model."""
    for pipeline in path_pipelines(model):
        pipeline[0].set_params(**params)


class Computed(TrackExtractor):
    """A front end whose features are computed already: looks tracks up by their paths."""

    def __init__(self, extractor: TrackExtractor, features: Any, index: dict[str, int]):
        self.extractor = extractor
        self.features = features
        self.index = index

    @property
    def track_shape(self):
        """Shape of a track's array."""
        return self.extractor.track_shape

    def extract_track(self, audio):
        """Compute the array of one track."""
        return self.extractor.extract_track(audio)

    def fit(self, X, y=None):
        """Do nothing."""
        return self

    def transform(self, X):
        """Look up the features of paths."""
        return _safe_indexing(self.features, [self.index[path] for path in X])

    def __sklearn_clone__(self):
        return self  # it does not change, and the features are many


def fit_with_groups(model, tracks: Bunch) -> None:
    """Fit a model, and hand the tracks' groups to those of its parts that take them.

    Where every track is a group of its own no artists are known, and nothing is handed on.
    """
    with sklearn.config_context(enable_metadata_routing=True):
        taken = len(set(tracks.groups)) < len(tracks.groups) and get_routing_for_object(
            model
        ).consumes("fit", ["groups"])
        model.fit(tracks.data, tracks.target, **({"groups": tracks.groups} if taken else {}))


def restore_front_ends(model) -> None:
    """Put the front ends back into the pipelines of a fitted model, as for new tracks."""
    pipelines = path_pipelines(model)
    if isinstance(model, VotingClassifier):  # its members before they were fitted, too
        pipelines = [*pipelines, *(member for _, member in model.estimators)]
    for pipeline in pipelines:
        name, computed = pipeline.steps[0]
        extractor = computed.extractor.set_params(verbose=0, memory=None)
        pipeline.steps[0] = name, extractor


def compute_features(models: list, tracks: Bunch) -> Bunch:
    """Replace the front ends of models by what they compute, and leave out unusable tracks.

    Parameters
    ----------
    models : list of Pipeline or VotingClassifier
        Changed in place. Equal front ends compute once.
    tracks : Bunch

    Returns
    -------
    tracks : Bunch
        Those that all front ends can use.

    Raises
    ------
    ValueError
        If a genre has no such track.
    """
    computed: dict[str | None, Computed] = {}
    used = np.ones(len(tracks.data), bool)
    for pipeline in [pipeline for model in models for pipeline in path_pipelines(model)]:
        name, extractor = pipeline.steps[0]
        # Not its repr, which cuts long lists short.
        key = joblib.hash((type(extractor).__name__, extractor.get_params()))
        if key not in computed:
            X = extractor.transform(tracks.data)
            # A track that cannot be used has no first segment, or no first feature.
            used &= ~np.isnan(np.asarray(X).reshape(len(X), -1)[:, 0])
            index = {path: i for i, path in enumerate(tracks.data)}
            computed[key] = Computed(extractor, X, index)
        pipeline.steps[0] = name, computed[key]
    left = Bunch(
        data=[path for path, is_used in zip(tracks.data, used, strict=True) if is_used],
        target=tracks.target[used],
        target_names=tracks.target_names,
        groups=tracks.groups[used],
    )
    if missing := sorted(set(tracks.target_names) - set(left.target.tolist())):
        raise ValueError(
            f"no track of {', '.join(missing)} can be used; add some that can, or remove the folder"
        )
    return left
