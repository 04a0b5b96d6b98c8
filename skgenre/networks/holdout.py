"""Selection of the tracks that `fit` holds out for validation and early stopping."""

from __future__ import annotations

import numpy as np
from sklearn.metrics.cluster import contingency_matrix
from sklearn.model_selection import train_test_split

from .._checks import list_names


def hold_out(
    tracks: np.ndarray, labels: np.ndarray, groups, *, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split tracks into a training set and a held-out validation set.

    Parameters
    ----------
    tracks : int ndarray of shape (n_tracks,)
        Indices of the tracks to split.
    labels : ndarray of shape (n_tracks,)
        Label of each track. The split is stratified by label.
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
        classes, counts = np.unique(labels, return_counts=True)
        if (counts < 2).any():
            raise ValueError(f"There is only one track of {list_names(classes[counts < 2])}.")
        training, validation = train_test_split(
            np.arange(len(tracks)), test_size=fraction, stratify=labels, random_state=seed
        )
        lost = np.setdiff1d(classes, labels[training])
        if len(lost):
            raise ValueError(f"No track of {list_names(lost)} would remain in the training set.")
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
    names, group = np.unique(groups, return_inverse=True)
    classes, label = np.unique(labels, return_inverse=True)
    counts = contingency_matrix(group, label)  # of each group in each class
    class_sizes, sizes = counts.sum(axis=0), counts.sum(axis=1)
    target = fraction * len(labels)
    # A group with all tracks of a class stays in the training set.
    order = [i for i in _stratified_order(counts, rng) if (counts[i] < class_sizes).all()]
    if not order:
        whole = list_names(
            f"{name} (all of {list_names(classes[count == class_sizes])})"
            for name, count in zip(names, counts, strict=True)
        )
        raise ValueError(
            "Cannot hold out whole groups: each group (artist) contains all tracks of a class: "
            f"{whole}. Add tracks of other groups, use early_stopping=False and "
            "validation_fraction=None, or do not pass groups."
        )
    held_out = np.zeros(len(counts), bool)
    for i in order:
        taken = counts[held_out].sum(axis=0)
        nearer = abs(taken.sum() + sizes[i] - target) < abs(taken.sum() - target)
        held_out[i] = nearer and (taken + counts[i] < class_sizes).all()
    if not held_out.any():  # each group has more than twice the requested number of tracks
        held_out[min(order, key=lambda i: sizes[i])] = True
    return held_out[group]


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
