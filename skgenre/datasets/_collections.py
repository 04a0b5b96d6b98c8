"""Utilities shared by the loaders of collections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ._names import one_spelling
from .facts import groups_by_name


def check_min_tracks(min_tracks: Any) -> None:
    """Validate `min_tracks`.

    Raises
    ------
    ValueError
        If it is not a positive integer.
    """
    if not isinstance(min_tracks, Integral) or min_tracks < 1:
        raise ValueError(f"min_tracks={min_tracks!r} must be an integer of at least 1")


def make_collection(
    data: list[str],
    target,
    groups: Sequence[str] | None,
    names: Sequence[str],
    *,
    where: str,
    min_tracks: int,
    excluded: list[str] | None = None,
    **more,
) -> Bunch:
    """Create a Bunch of tracks, excluding genres with too few tracks.

    Parameters
    ----------
    data : list of str
        Paths of the tracks.
    target : sequence of str
        Genre of each track.
    groups : sequence of str or None
        Group of each track. Where it is ``""`` or None, the group is taken from the name.
    names : sequence of str
        Path or track id of each track.
    where : str
        Name of the collection in error messages.
    min_tracks : int
        Minimum number of tracks per genre.
    excluded : list of str, default=None
        Paths that have already been excluded.
    **more : ndarray of shape (n_tracks,)
        Further attributes of the tracks.

    Returns
    -------
    tracks : Bunch
        With ``data``, ``target``, ``target_names``, ``groups``, ``excluded`` and the further
        attributes.

    Raises
    ------
    ValueError
        If no genre has at least `min_tracks` tracks.
    """
    by_name = groups_by_name(names)
    groups = one_spelling(
        own or other for own, other in zip(groups or by_name, by_name, strict=True)
    )
    target = np.asarray(target, dtype=str)
    counts = Counter(target.tolist())
    keep = np.array([counts[genre] >= min_tracks for genre in target.tolist()], dtype=bool)
    if not keep.any():
        listed = ", ".join(f"{genre} {n}" for genre, n in sorted(counts.items()))
        raise ValueError(
            f"No genre of {where} has at least min_tracks={min_tracks} tracks; it has {listed}. "
            "Use a smaller min_tracks."
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
