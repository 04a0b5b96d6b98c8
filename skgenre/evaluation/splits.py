"""The fault-filtered partition of GTZAN as a split."""

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
    """Split GTZAN's tracks by the fault-filtered partition, for ``cv=`` of any search.

    Random splits of GTZAN have artists, and repetitions of one recording, on both sides. This
    partition [1]_ leaves out repetitions, distorted and mislabelled tracks, and no named artist
    is in two of its parts: 443 tracks to train on, 197 to choose by, 290 to test on. (One of
    the 443, ``jazz.00054``, is in the tables but has no readable audio.)

    Parameters
    ----------
    track_ids : sequence of str
        The track of each sample, in the order of X: track ids, file names or paths. Pieces of
        a track may each have a row. Tracks in no part are on neither side.
    train, test : sequence of {"train", "valid", "test"}, default=("train",), ("test",)
        Parts to train and to test on.

    Returns
    -------
    cv : list of one (train, test) pair of int ndarrays
        Indices of the samples, as ``cv=`` takes them.

    Raises
    ------
    ValueError
        If names are not those of GTZAN's tracks, a part is unknown or on both sides, or a side
        would have no sample.

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
            f"train={sides[0]} and test={sides[1]} must name different parts of the partition: "
            f"{parts}"
        )
    part_of = gtzan_filtered_split()
    part = np.array([part_of.get(track, "") for track in track_groups(track_ids)])
    training, testing = (np.flatnonzero(np.isin(part, side)) for side in sides)
    for side, indices in zip(sides, (training, testing), strict=True):
        if not len(indices):
            raise ValueError(
                f"None of the {len(part)} samples is in part {' or '.join(side)} of the "
                "filtered partition; are these all of the tracks?"
            )
    return [(training, testing)]
