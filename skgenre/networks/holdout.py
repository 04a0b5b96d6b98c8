"""The tracks that early stopping watches."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, train_test_split


def hold_out(
    tracks: np.ndarray, labels: np.ndarray, groups, *, fraction: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split tracks into those to train on and those to stop by.

    Parameters
    ----------
    tracks : int ndarray of shape (n_tracks,)
        What to split.
    labels : ndarray of shape (n_tracks,)
        Their classes, by which the split is stratified.
    groups : ndarray of shape (n_tracks,) or None
        Groups to keep on one side.
    fraction : float
        Share to hold out: of the tracks, or of the groups if there are some.
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
    if groups is None:
        try:
            training, validation = train_test_split(
                tracks, test_size=fraction, stratify=labels, random_state=seed
            )
        except ValueError as error:
            raise ValueError(
                f"early_stopping cannot hold out validation_fraction={fraction} of {len(tracks)} "
                f"tracks, stratified: {error} Use more tracks, a larger fraction, or "
                "early_stopping=False."
            ) from error
        return training, validation
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError(
            f"early_stopping holds out whole groups and there is only {n_groups}; use "
            "early_stopping=False or leave groups out."
        )
    # The share is that of one fold; more folds than groups or tracks a class make none.
    n_splits = min(max(2, round(1 / fraction)), n_groups)
    splitter = StratifiedGroupKFold(
        max(2, min(n_splits, np.bincount(labels).max())), shuffle=True, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The least populated class in y has only")
        training, validation = next(splitter.split(tracks, labels, groups))
    return tracks[training], tracks[validation]
