"""Access to the front ends of pipelines."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline

from .extractor import TrackExtractor


def path_pipelines(model) -> list[Pipeline]:
    """List the pipelines of a model, which must all start with a front end.

    Parameters
    ----------
    model : Pipeline or VotingClassifier of pipelines
        The model. For a fitted VotingClassifier, its fitted members are used.

    Returns
    -------
    pipelines : list of Pipeline
        The pipeline itself, or the members of the VotingClassifier.

    Raises
    ------
    TypeError
        If the model or a member is not a pipeline that starts with a front end.
    """
    members = [model]
    if isinstance(model, VotingClassifier):
        members = [member for _, member in model.estimators if member != "drop"]
        members = getattr(model, "estimators_", members)
    for member in members:
        if not (isinstance(member, Pipeline) and isinstance(member[0], TrackExtractor)):
            raise TypeError(
                "Expected a pipeline that begins with a front end, such as TrackDescriptors, or a "
                f"VotingClassifier of such pipelines, got {member}"
            )
    return members


def replace_front_ends(model, replace: Callable[[Any], TrackExtractor]):
    """Copy a fitted model with different front ends. All other steps are shared.

    Parameters
    ----------
    model : Pipeline, VotingClassifier of pipelines, or a fitted search over such a model
        The model, which is not modified.
    replace : callable
        Function that returns the replacement of a front end.

    Returns
    -------
    model : Pipeline or VotingClassifier
        The copy.
    """
    model = getattr(model, "best_estimator_", model)
    copies = []
    for pipeline in path_pipelines(model):
        name, front = pipeline.steps[0]
        changed = copy.copy(pipeline)
        changed.steps = [(name, replace(front)), *pipeline.steps[1:]]
        copies.append(changed)
    if not isinstance(model, VotingClassifier):
        return copies[0]
    vote = copy.copy(model)
    vote.estimators_ = copies
    return vote


def copy_with_front_ends(model, **params: Any):
    """Copy a fitted model with different front end parameters; see `replace_front_ends`."""
    return replace_front_ends(model, lambda front: clone(front).set_params(**params))
