"""The tracks that are held out of a fit, to measure on and to stop by."""

from __future__ import annotations

import sys
from types import FrameType

import numpy as np
import sklearn
from sklearn.model_selection import train_test_split

from .._warnings import warn


def hold_out(
    tracks: np.ndarray, labels: np.ndarray, groups, *, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split tracks into those to train on and those to hold out.

    Parameters
    ----------
    tracks : int ndarray of shape (n_tracks,)
        What to split.
    labels : int ndarray of shape (n_tracks,)
        Their classes, by which the split is stratified.
    groups : ndarray of shape (n_tracks,) or None
        Groups to keep on one side.
    fraction : float
        Share of the tracks to hold out; with groups, as near to it as whole groups come
        without taking all tracks of a class.
    seed : int

    Returns
    -------
    training, validation : int ndarray
        Parts of `tracks`.

    Raises
    ------
    ValueError
        If there are too few tracks or groups.
    """
    if groups is not None:
        held_out = _hold_out_groups(labels, groups, fraction, np.random.default_rng(seed))
        return tracks[~held_out], tracks[held_out]
    try:
        training, validation = train_test_split(
            np.arange(len(tracks)), test_size=fraction, stratify=labels, random_state=seed
        )
        if len(np.unique(labels[training])) < len(np.unique(labels)):
            raise ValueError("A class would have no track left to train on.")
    except ValueError as error:
        raise ValueError(
            f"fit cannot hold out validation_fraction={fraction} of {len(tracks)} tracks, "
            f"stratified: {error} Use more tracks, another fraction, or early_stopping=False "
            "and validation_fraction=None."
        ) from error
    return tracks[training], tracks[validation]


def _hold_out_groups(labels, groups, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Draw groups until their tracks are as near to the fraction as they come."""
    _, group = np.unique(groups, return_inverse=True)
    _, label = np.unique(labels, return_inverse=True)
    counts = np.zeros((group.max() + 1, label.max() + 1), int)  # of each group in each class
    np.add.at(counts, (group, label), 1)
    if len(counts) < 2:
        raise ValueError(
            "fit holds out whole groups and there is only 1; use early_stopping=False and "
            "validation_fraction=None, or leave groups out."
        )
    class_sizes, sizes = counts.sum(axis=0), counts.sum(axis=1)
    target = fraction * len(labels)
    held = np.zeros(len(counts), bool)
    left = class_sizes.copy()
    # A group that has all tracks of a class stays in training.
    order = [i for i in _stratified_order(counts, rng) if (counts[i] < class_sizes).all()]
    if not order:
        raise ValueError(
            f"fit holds out whole groups, and each of the {len(counts)} has all tracks of a "
            "class; use early_stopping=False and validation_fraction=None, or leave groups out."
        )
    for i in order:
        n_held = len(labels) - left.sum()
        nearer = abs(n_held + sizes[i] - target) < abs(n_held - target)
        if nearer and (counts[i] < left).all():
            held[i] = True
            left -= counts[i]
    if not held.any():  # all of them are more than twice what is wanted
        held[min(order, key=lambda i: sizes[i])] = True
    return held[group]


def _stratified_order(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle groups so that those drawn first have about an equal share of each class."""
    order = rng.permutation(len(counts))
    main_class = counts.argmax(axis=1)
    place = np.empty(len(counts))
    for label in range(counts.shape[1]):
        members = order[main_class[order] == label]
        sizes = counts[members].sum(axis=1)
        # The middle of a group, where the groups of its class lie end to end from 0 to 1.
        place[members] = (sizes.cumsum() - sizes / 2) / max(1, sizes.sum())
    return order[np.argsort(place[order], kind="stable")]


def warn_of_forgotten_groups(name: str) -> None:
    """Warn if a search up the stack has groups for its folds and none for `fit`.

    Without metadata routing scikit-learn hands ``groups`` to the splitter alone, and no
    estimator can know of it, but by looking at the callers.
    """
    if sklearn.get_config()["enable_metadata_routing"]:
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("sklearn.model_selection."):
            params = frame.f_locals.get("params")
            given = params.get("groups") if isinstance(params, dict) else None
            if given is not None or frame.f_locals.get("groups") is not None:
                warn(
                    f"The folds are drawn by groups, but the groups do not reach {name}.fit, and "
                    "tracks of one group may be both trained on and held out in it. Call "
                    "sklearn.set_config(enable_metadata_routing=True) before, and they reach "
                    "both; cross_validate then takes them as params={'groups': groups}."
                )
                return
        frame = frame.f_back
