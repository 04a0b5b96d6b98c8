"""Models that begin with front ends: which they are, and copies with other settings."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import Pipeline

from .extractor import TrackExtractor


def path_pipelines(model) -> list[Pipeline]:
    """List the pipelines of a model that begin with a front end.

    Parameters
    ----------
    model : Pipeline or VotingClassifier of pipelines
        Of a fitted vote, the fitted members.

    Returns
    -------
    pipelines : list of Pipeline

    Raises
    ------
    TypeError
        If there is another one.
    """
    members = [model]
    if isinstance(model, VotingClassifier):
        members = [member for _, member in model.estimators if member != "drop"]
        members = getattr(model, "estimators_", members)
    for member in members:
        if not (isinstance(member, Pipeline) and isinstance(member[0], TrackExtractor)):
            raise TypeError(
                "Expected a pipeline that begins with a front end, such as TrackDescriptors, or a "
                f"vote of such pipelines, got {member}"
            )
    return members


def replace_front_ends(model, replace: Callable[[Any], TrackExtractor]):
    """Copy a fitted model with other front ends; the copy shares all that is fitted.

    Parameters
    ----------
    model : Pipeline, VotingClassifier of pipelines, or a search that has found one
        It stays as it is.
    replace : callable
        From a front end to the one to take its place.

    Returns
    -------
    model : Pipeline or VotingClassifier
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
    """Copy a fitted model whose front ends have other parameters; see `replace_front_ends`."""
    return replace_front_ends(model, lambda front: clone(front).set_params(**params))
