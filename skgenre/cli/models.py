"""Models of the command line: made and loaded, with front ends that show progress."""

from __future__ import annotations

from typing import Any

from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline

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


def restore_front_ends(model) -> None:
    """Put the front ends back into the pipelines of a fitted model, as for new tracks."""
    pipelines = path_pipelines(model)
    if isinstance(model, VotingClassifier):  # its members before they were fitted, too
        pipelines = [*pipelines, *(member for _, member in model.estimators)]
    for pipeline in pipelines:
        name, computed = pipeline.steps[0]
        extractor = computed.extractor.set_params(verbose=0, memory=None)
        pipeline.steps[0] = name, extractor
