"""Utilities shared by the loaders of collections."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from .._checks import AT_LEAST_1, check_number
from ..audio import name_of
from ._names import DISC, normal, one_spelling, split_folder, tracks_of, worded_tracks_of
from .facts import groups_by_name

#: Folder names that do not denote an artist, without spaces and punctuation.
_NO_ARTIST = frozenset(
    f"{name}{plural}"
    for name in (
        *("va", "various", "variousartist", "unknown", "unknownartist", "untitled"),
        *("compilation", "sampler", "soundtrack", "ost", "single", "mixed", "misc"),
        *("miscellaneous", "other", "playlist", "noartist", "track", "song", "album"),
    )
    for plural in ("", "s")
)

#: Folder names for parts of an album, such as "CD1", "Disc 2" and "Vol. 3".
_PART = re.compile(rf"(?:{DISC}|part)([0-9]+|[a-d]|one|two|three|four)?")


def check_min_tracks(min_tracks: Any) -> None:
    """Validate `min_tracks`.

    Raises
    ------
    ValueError
        If it is not a positive integer.
    """
    check_number("min_tracks", min_tracks, AT_LEAST_1)


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
    target = np.asarray(target, dtype=str)
    by_name = groups_by_name(names, target.tolist())
    groups = one_spelling(
        own or other for own, other in zip(groups or by_name, by_name, strict=True)
    )
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


def count_known_artists(paths: Sequence, groups) -> int:
    """Return the number of tracks whose groups are artists.

    Parameters
    ----------
    paths : sequence of str, path-like or file objects, length n_tracks
        Paths or track ids.
    groups : array-like of shape (n_tracks,)
        Groups, such as artists.

    Returns
    -------
    n_known : int
        Number of tracks in groups that contain two tracks or more, except for groups whose name
        denotes no artist, such as ``"rock/cd1"``. Files that are pieces, copies or other formats of
        a track according to their names count as one.
    """
    groups = np.asarray(groups).tolist()
    names = [name_of(path) for path in paths]
    tracks: defaultdict[Any, set[str]] = defaultdict(set)
    for group, name, track, worded in zip(
        groups, names, tracks_of(names), worded_tracks_of(names), strict=True
    ):
        # Numbers in the folder of an artist may be those of tracks, as in "One/Top100-01".
        folders = {normal(part) for part in re.split(r"[/\\]", name)[:-1]}
        in_folder = normal(str(group)) in folders - {normal(split_folder(track)[1])}
        tracks[group].add(worded if in_folder else track)
    return sum(
        len(tracks[group]) > 1 and not is_no_artist(split_folder(normal(str(group)))[1])
        for group in groups
    )


def is_no_artist(name: str) -> bool:
    """Return whether a normalized name does not denote an artist."""
    letters = "".join(filter(str.isalnum, name))
    return not letters or letters in _NO_ARTIST or _PART.fullmatch(letters) is not None
