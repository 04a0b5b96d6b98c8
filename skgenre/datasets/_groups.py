"""Groups of tracks for cross-validation: where each comes from, and who counts as an artist.

A group is the artist that a loader found (a folder, a tag or a column), else the artist of a track
of GTZAN, else the track that the file is, or is a part of, according to its name (``_names``). The
tables of GTZAN are in ``skgenre/data``, whose README lists the sources.
"""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ..audio import name_of
from ._names import (
    DISC,
    GtzanName,
    normal,
    one_spelling,
    parse_gtzan,
    split_folder,
    tracks_of,
    worded_tracks_of,
)

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
_ALBUM_PART = re.compile(rf"(?:{DISC}|part)([0-9]+|[a-d]|one|two|three|four)?")


@cache
def gtzan_table(name: str) -> Mapping[str, str]:
    """Read a table of the tracks of GTZAN.

    Parameters
    ----------
    name : {"artists", "filtered_split", "faults"}
        The artists of the identified tracks, 919 of 1,000; the parts ``"train"``, ``"valid"`` and
        ``"test"`` of the fault-filtered partition of 930 tracks; or the faults of the tracks that
        cannot be used in their distributed form.

    Returns
    -------
    table : read-only mapping of str to str
        Value by track id, such as ``"blues.00000"``.
    """
    text = files("skgenre").joinpath("data", f"gtzan_{name}.tsv").read_text("utf-8")
    return MappingProxyType(dict(line.split("\t") for line in text.splitlines()[1:]))


def parse_names(names) -> list[GtzanName]:
    """Parse file names of tracks of GTZAN or of parts of them.

    Returns
    -------
    parsed : list of GtzanName
        Track and part of each name.

    Raises
    ------
    TypeError
        If `names` is a single name.
    ValueError
        If some names are not track names of GTZAN. The message lists the first ones.
    """
    if isinstance(names, str | bytes | os.PathLike):
        raise TypeError(f"Expected a collection of names, got the single name {names!r}.")
    names = [os.fspath(name) if isinstance(name, os.PathLike) else str(name) for name in names]
    parsed = [parse_gtzan(name) for name in names]
    known = [found for found in parsed if found]
    unknown = [name for name, found in zip(names, parsed, strict=True) if not found]
    if unknown:
        raise ValueError(
            f"{len(unknown)} of {len(names)} names are not GTZAN track names, such as "
            f"{unknown[:5]}; expected names like blues.00000.wav, or blues.00000.0.wav for a part"
        )
    return known


def track_groups(names) -> np.ndarray:
    """Return the track of each file name of GTZAN.

    Parameters
    ----------
    names : sequence of str or path-like
        File names or paths of tracks of GTZAN or of parts of them, in any case and with or without
        the suffix of an audio file: ``"blues.00000"``, ``"blues/blues_00000.au"``,
        ``"blues.00000.3.wav"``, ``"blues00000_part3.png"``, ``"blues.00000/3.wav"``,
        ``"hip-hop.00000"``. Marks of copies, as in ``"blues.00000 (1).wav"``, are ignored, and so
        are numbers and names of genres before the name, as in ``"0_blues.00000.wav"``.

    Returns
    -------
    groups : ndarray of str, shape (n_names,)
        Track ids, such as ``"blues.00000"``, to be used as groups in cross-validation.

    Raises
    ------
    ValueError
        If some names are not track names of GTZAN.

    Examples
    --------
    >>> from skgenre.datasets import track_groups
    >>> track_groups(["blues.00000.0.wav", "blues.00000.1.wav", "rock.00042.au"]).tolist()
    ['blues.00000', 'blues.00000', 'rock.00042']
    """
    return np.array([name.track for name in parse_names(names)], dtype=str)


def artist_groups(names) -> np.ndarray:
    """Return the artist of each file name of GTZAN.

    Parameters
    ----------
    names : sequence of str or path-like
        File names or paths; see :func:`track_groups`.

    Returns
    -------
    groups : ndarray of str, shape (n_names,)
        Artists, to be used as groups in cross-validation. For the 81 tracks with an unknown
        artist, the track id.

    Raises
    ------
    ValueError
        If some names are not track names of GTZAN.

    Examples
    --------
    >>> from skgenre.datasets import artist_groups
    >>> artist_groups(["blues.00000.0.wav", "jazz.00054.wav"]).tolist()
    ['John Lee Hooker', 'jazz.00054']
    """
    artists = gtzan_table("artists")
    return np.array([artists.get(track, track) for track in track_groups(names)], dtype=str)


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
        the samples are parts of tracks. Tracks that are not in the partition are not used.
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
    >>> from skgenre.datasets import filtered_split
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
    part_of = gtzan_table("filtered_split")
    part = np.array([part_of.get(track, "") for track in track_groups(track_ids)])
    training, testing = (np.flatnonzero(np.isin(part, side)) for side in sides)
    for side, indices in zip(sides, (training, testing), strict=True):
        if not len(indices):
            raise ValueError(
                f"None of the {len(part)} samples is in part {' or '.join(side)} of the "
                "fault-filtered partition. Pass more tracks of GTZAN."
            )
    return [(training, testing)]


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
    artists, tracks = gtzan_table("artists"), tracks_of(names, target.tolist())
    groups = one_spelling(
        group or artists.get(track, track)
        for group, track in zip(groups or [""] * len(tracks), tracks, strict=True)
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
        denotes no artist, such as ``"rock/cd1"``. Files that are parts, copies or other formats of
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
    return not letters or letters in _NO_ARTIST or _ALBUM_PART.fullmatch(letters) is not None
