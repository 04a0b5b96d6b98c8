"""Access to the front ends of models."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._sklearn import _safe_indexing
from .augmented import without_copies
from .class_key import class_key
from .front_end import FrontEnd

#: Attributes of meta-estimators that contain the models to which they pass their input.
_PARTS = ("estimator", "estimators", "estimator_", "estimators_", "calibrated_classifiers_")


class Computed(FrontEnd, auto_wrap_output_keys=()):
    """Front end that returns precomputed features.

    Parameters
    ----------
    extractor : FrontEnd
        Front end that computed the features.
    features : array-like
        Features of all tracks, and of their changed copies if models are trained.
    index : dict of str to int
        Index of each path in `features`.
    """

    def __init__(self, extractor: FrontEnd, features: Any, index: dict[str, int]):
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

    def fit_transform(self, X, y=None):
        """Return the precomputed features of paths, with those of their changed copies."""
        return _safe_indexing(self.features, [self.index[path] for path in X])

    def transform(self, X):
        """Return the precomputed features of paths."""
        return without_copies(self.fit_transform(X))

    def __sklearn_clone__(self):
        return self  # immutable, and the features are large


def replace_front_ends(model, replace: Callable[[Any], FrontEnd]):
    """Copy a model with different front ends. All other steps are shared.

    Parameters
    ----------
    model : Pipeline, or meta-estimator of pipelines
        The model, which is not modified: a pipeline that begins with a front end, or a vote,
        calibration, stack or other meta-estimator of such pipelines. A fitted search stands for
        its best estimator.
    replace : callable
        Function that returns the replacement of a front end. It is called for the front ends of
        fitted and of unfitted parts.

    Returns
    -------
    model : estimator
        The copy.

    Raises
    ------
    TypeError
        If a part of the model does not begin with a front end.
    """
    model = getattr(model, "best_estimator_", model)
    if isinstance(model, Pipeline):
        name, first = model.steps[0]
        is_front_end = isinstance(first, FrontEnd)
        first = replace(first) if is_front_end else replace_front_ends(first, replace)
        changed = {"steps": [(name, first), *model.steps[1:]]}
    else:
        changed = {}
        for name in _PARTS:
            part = getattr(model, "__dict__", {}).get(name)
            if isinstance(part, list | tuple):
                changed[name] = [_replace_in_member(member, replace) for member in part]
            elif part is not None:
                changed[name] = replace_front_ends(part, replace)
    if not changed:
        raise TypeError(
            "Expected a pipeline that begins with a front end, such as TrackDescriptors, or a "
            f"VotingClassifier or another meta-estimator of such pipelines, got {model}"
        )
    model = copy.copy(model)
    vars(model).update(changed)
    return model


def _replace_in_member(member, replace: Callable):
    """Replace the front ends of an estimator, or of a pair of a name and an estimator."""
    if isinstance(member, tuple):
        name, estimator = member
        return name, _replace_in_member(estimator, replace)
    if isinstance(member, str):  # "drop"
        return member
    return replace_front_ends(member, replace)


def front_ends(model) -> list[FrontEnd]:
    """List the front ends of a model; see :func:`replace_front_ends`."""
    found: list[FrontEnd] = []

    def collect(front: FrontEnd) -> FrontEnd:
        found.append(front)
        return front

    replace_front_ends(model, collect)
    return found


def identify(front_end: FrontEnd) -> str:
    """Return what equal front ends have in common."""
    try:
        return class_key(type(front_end), front_end.get_params())
    except ValueError:  # a value that cannot be hashed
        return str(id(front_end))


def copy_with_front_ends(model, **params: Any):
    """Copy a fitted model with different front end parameters; see :func:`replace_front_ends`."""
    return replace_front_ends(model, lambda front: clone(front).set_params(**params))
