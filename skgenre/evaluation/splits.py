"""Fault-filtered partition of GTZAN."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..datasets.facts import gtzan_filtered_split, track_groups


def filtered_split(
    track_ids,
    *,
    train: str | Sequence[str] = ("train",),
    test: str | Sequence[str] = ("test",),
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Split the tracks of GTZAN by the fault-filtered partition.

    With random splits of GTZAN, the same artists and even repetitions of a recording are in the
    training and in the test set. This partition [1]_ excludes repetitions as well as distorted
    and mislabeled tracks, and each known artist is in only one of its parts: 443 training, 197
    validation and 290 test tracks. One of the training tracks, ``jazz.00054``, is contained in
    the feature tables but has no readable audio.

    Parameters
    ----------
    track_ids : sequence of str
        Track of each sample: track ids, file names or paths. A track may occur more than once if
        the samples are pieces of tracks. Tracks that are not in the partition are not used.
    train, test : sequence of {"train", "valid", "test"}, default=("train",), ("test",)
        Parts of the partition to use for training and for testing.

    Returns
    -------
    cv : list of one (train, test) pair of int ndarray
        Indices of the training and test samples, which can be passed as ``cv`` to
        scikit-learn's functions and searches.

    Raises
    ------
    ValueError
        If a name is not that of a GTZAN track, a part is unknown or used in both `train` and
        `test`, or no samples would be left for training or testing.

    References
    ----------
    .. [1] C. Kereliuk, B. L. Sturm and J. Larsen, "Deep Learning and Music Adversaries", IEEE
       Transactions on Multimedia 17(11), 2015.

    Examples
    --------
    >>> from skgenre import filtered_split
    >>> track_ids = ["blues.00029", "blues.00000", "blues.00012"]
    >>> [(train, test)] = filtered_split(track_ids, test=("valid",))
    >>> train.tolist(), test.tolist()
    ([0], [1])
    """
    sides = [tuple([side] if isinstance(side, str) else side) for side in (train, test)]
    parts = ("train", "valid", "test")
    if not set(sides[0] + sides[1]) <= set(parts) or set(sides[0]) & set(sides[1]):
        raise ValueError(
            f"train and test must be different parts of the partition, {parts}; got "
            f"train={sides[0]} and test={sides[1]}."
        )
    part_of = gtzan_filtered_split()
    part = np.array([part_of.get(track, "") for track in track_groups(track_ids)])
    training, testing = (np.flatnonzero(np.isin(part, side)) for side in sides)
    for side, indices in zip(sides, (training, testing), strict=True):
        if not len(indices):
            raise ValueError(
                f"None of the {len(part)} samples is in part {' or '.join(side)} of the "
                "fault-filtered partition. Pass more tracks of GTZAN."
            )
    return [(training, testing)]
