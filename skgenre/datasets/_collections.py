"""What the loaders of collections share."""

from __future__ import annotations

from collections import Counter
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import Bunch


def check_min_tracks(min_tracks: Any) -> None:
    """Refuse a number of tracks that is none.

    Raises
    ------
    ValueError
        If it is no integer of at least 1.
    """
    if not isinstance(min_tracks, Integral) or min_tracks < 1:
        raise ValueError(f"min_tracks={min_tracks!r} must be an integer of at least 1")


def make_collection(
    data: list[str],
    target,
    groups,
    *,
    where: str,
    min_tracks: int,
    excluded: list[str] | None = None,
    **more,
) -> Bunch:
    """Collect tracks into a Bunch, without those of genres that have too few.

    Parameters
    ----------
    data : list of str
        Paths.
    target, groups : sequence of str
        Genre and group of each.
    where : str
        What to call the collection in errors.
    min_tracks : int
        Least number of tracks of a genre.
    excluded : list of str, default=None
        Paths that are left out already.
    **more : ndarray of shape (n_tracks,)
        Further attributes, a value for each track.

    Returns
    -------
    tracks : Bunch
        With ``data``, ``target``, ``target_names``, ``groups``, ``excluded`` and those of `more`.

    Raises
    ------
    ValueError
        If no genre has as many tracks.
    """
    target = np.asarray(target, dtype=str)
    counts = Counter(target.tolist())
    keep = np.array([counts[genre] >= min_tracks for genre in target.tolist()], dtype=bool)
    if not keep.any():
        listed = ", ".join(f"{genre} {n}" for genre, n in sorted(counts.items()))
        raise ValueError(
            f"No genre of {where} has min_tracks={min_tracks} tracks; it has {listed}. Use a "
            "smaller number."
        )
    return Bunch(
        data=[path for path, kept in zip(data, keep, strict=True) if kept],
        target=target[keep],
        target_names=sorted(set(target[keep].tolist())),
        groups=np.asarray(groups, dtype=str)[keep],
        excluded=sorted(
            [*(excluded or []), *(p for p, kept in zip(data, keep, strict=True) if not kept)]
        ),
        **{name: np.asarray(values)[keep] for name, values in more.items()},
    )
