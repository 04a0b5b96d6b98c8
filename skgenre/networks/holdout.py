"""Selection of the tracks that `fit` holds out for validation and early stopping."""

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
    """Split tracks into a training set and a held-out validation set.

    Parameters
    ----------
    tracks : int ndarray of shape (n_tracks,)
        Indices of the tracks to split.
    labels : int ndarray of shape (n_tracks,)
        Class of each track. The split is stratified by class.
    groups : ndarray of shape (n_tracks,) or None
        Group of each track. The tracks of a group are kept together.
    fraction : float
        Fraction of the tracks to hold out. With groups, the fraction is approximated by whole
        groups, and at least one track of each class remains in the training set.
    seed : int
        Seed of the random number generator.

    Returns
    -------
    training, validation : int ndarray
        Disjoint subsets of `tracks`.

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
            raise ValueError("No track of some class would remain in the training set.")
    except ValueError as error:
        raise ValueError(
            f"Cannot hold out validation_fraction={fraction} of {len(tracks)} tracks with "
            f"stratification: {error} Use more tracks, another fraction, or early_stopping=False "
            "and validation_fraction=None."
        ) from error
    return tracks[training], tracks[validation]


def _hold_out_groups(labels, groups, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """Draw groups at random until the fraction of held-out tracks is approximated best.

    Returns
    -------
    held_out : bool ndarray of shape (n_tracks,)
    """
    _, group = np.unique(groups, return_inverse=True)
    _, label = np.unique(labels, return_inverse=True)
    counts = np.zeros((group.max() + 1, label.max() + 1), int)  # of each group in each class
    np.add.at(counts, (group, label), 1)
    if len(counts) < 2:
        raise ValueError(
            "Cannot hold out whole groups: there is only one group. Use early_stopping=False and "
            "validation_fraction=None, or do not pass groups."
        )
    class_sizes, sizes = counts.sum(axis=0), counts.sum(axis=1)
    target = fraction * len(labels)
    held = np.zeros(len(counts), bool)
    left = class_sizes.copy()
    # A group with all tracks of a class stays in the training set.
    order = [i for i in _stratified_order(counts, rng) if (counts[i] < class_sizes).all()]
    if not order:
        raise ValueError(
            f"Cannot hold out whole groups: each of the {len(counts)} groups contains all tracks "
            "of some class. Use early_stopping=False and validation_fraction=None, or do not pass "
            "groups."
        )
    for i in order:
        n_held = len(labels) - left.sum()
        nearer = abs(n_held + sizes[i] - target) < abs(n_held - target)
        if nearer and (counts[i] < left).all():
            held[i] = True
            left -= counts[i]
    if not held.any():  # each group has more than twice the requested number of tracks
        held[min(order, key=lambda i: sizes[i])] = True
    return held[group]


def _stratified_order(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shuffle groups such that any leading part of the order is approximately stratified."""
    order = rng.permutation(len(counts))
    main_class = counts.argmax(axis=1)
    place = np.empty(len(counts))
    for label in range(counts.shape[1]):
        members = order[main_class[order] == label]
        sizes = counts[members].sum(axis=1)
        # Concatenate the groups of this class on the interval from 0 to 1. The position of a
        # group is its center.
        place[members] = (sizes.cumsum() - sizes / 2) / max(1, sizes.sum())
    return order[np.argsort(place[order], kind="stable")]


def warn_of_forgotten_groups(name: str) -> None:
    """Warn if `fit` is called by a search that draws folds by groups but does not pass them on.

    Without metadata routing, scikit-learn passes ``groups`` only to the splitter. An estimator
    can detect this only by inspecting the call stack.

    Parameters
    ----------
    name : str
        Name of the class of the estimator.
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
                    f"The folds are drawn by groups, but the groups are not passed to {name}.fit: "
                    "its training and held-out sets may contain tracks of the same group. Enable "
                    "metadata routing with sklearn.set_config(enable_metadata_routing=True); in "
                    "cross_validate, pass the groups as params={'groups': groups}."
                )
                return
        frame = frame.f_back
