"""Features that are computed once and shared by all folds and models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.utils import Bunch

from ..features import FrontEnd, UnreadableTracksError
from ..features.model_front_ends import Computed, replace_front_ends


def compute_features(models: Mapping[str, Any], tracks: Bunch) -> tuple[dict[str, Any], Bunch]:
    """Replace the front ends of models by precomputed features and drop unusable tracks.

    Parameters
    ----------
    models : mapping of str to estimator
        Models, which are not modified. Features of equal front ends are computed once.
    tracks : Bunch
        Tracks with ``data``, ``target``, ``target_names`` and ``groups``.

    Returns
    -------
    models : dict of str to estimator
        Copies of the models with precomputed features.
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

    def compute(extractor: FrontEnd) -> Computed:
        # The repr is not unique, since it abbreviates long lists.
        key = joblib.hash((type(extractor).__name__, extractor.get_params()))
        if key not in computed:
            X = extractor.transform(tracks.data)
            # Other tracks may have missing segments, too.
            missing = np.isnan(np.asarray(X)).reshape(len(X), -1).all(axis=1)
            used[missing] = False
            for i in np.flatnonzero(missing):
                reasons.setdefault(tracks.data[i], _reason(extractor, tracks.data[i]))
            index = {path: i for i, path in enumerate(tracks.data)}
            computed[key] = Computed(extractor, X, index)
        return computed[key]

    models = {name: replace_front_ends(model, compute) for name, model in models.items()}
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
    return models, left


def _reason(extractor, path) -> str:
    """Return the reason why a front end cannot use a file."""
    try:
        clone(extractor).set_params(on_error="raise", verbose=0).transform([path])
    except UnreadableTracksError as error:
        return error.failures[0].reason
    return "no features"
