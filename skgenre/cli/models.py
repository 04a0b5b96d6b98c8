"""Creation and loading of the models for the commands."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline

from ..features.model_front_ends import front_ends, replace_front_ends
from ..persistence import load
from ..pipelines import genre_pipeline, starter_model
from .options import on_a_terminal


def make_model(preset: str, jobs: int, cache: str | None, seed: int):
    """Create the pipeline of a preset, with a progress bar on a terminal."""
    model = genre_pipeline(preset, n_jobs=jobs, memory=cache, random_state=seed)
    set_front_ends(model, verbose=int(on_a_terminal()))
    return model


def load_model(file: str | None):
    """Load a model whose input is audio files; None loads the starter model."""
    model = load(file) if file else starter_model()
    model = getattr(model, "best_estimator_", model)
    try:
        front_ends(model)
    except TypeError:
        raise ValueError(
            f"{file} cannot be used, since its input is not audio files; the model must begin with "
            "a front end"
        ) from None
    return model


def confident_from(model) -> float | None:
    """Return the threshold of the probability for confident predictions of a calibrated model."""
    last = model[-1] if isinstance(model, Pipeline) else model
    return getattr(last, "threshold_", None)


def set_front_ends(model, **params: Any) -> None:
    """Set parameters of all front ends of a model."""
    for front in front_ends(model):
        front.set_params(**params)


def restore_front_ends(model):
    """Copy a fitted model with the original front ends instead of precomputed features."""
    return replace_front_ends(
        model, lambda computed: computed.extractor.set_params(verbose=0, memory=None)
    )
