"""Metadata of the tracks of GTZAN, read from the data files of the package.

The sources are listed in ``skgenre/data/README.md``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np

from ._names import GTZAN_GENRES as GTZAN_GENRES, GtzanName, parse_gtzan, tracks_of


@cache
def _table(name: str) -> Mapping[str, str]:
    """Read a two-column table with a header as a read-only mapping."""
    lines = files("skgenre").joinpath("data", name).read_text("utf-8").splitlines()[1:]
    return MappingProxyType(dict(line.split("\t") for line in lines))


def gtzan_artists() -> Mapping[str, str]:
    """Return the artists of the identified tracks, 919 of 1,000.

    Returns
    -------
    artists : mapping of str to str
        Artist by track id, such as ``"blues.00000"``.
    """
    return _table("gtzan_artists.tsv")


def gtzan_filtered_split() -> Mapping[str, str]:
    """Return the fault-filtered partition of 930 tracks.

    Returns
    -------
    parts : mapping of str to str
        ``"train"``, ``"valid"`` or ``"test"`` by track id.
    """
    return _table("gtzan_filtered_split.tsv")


def gtzan_faults() -> Mapping[str, str]:
    """Return the tracks that cannot be used in their distributed form.

    Returns
    -------
    faults : mapping of str to str
        Description of the fault by track id.
    """
    return _table("gtzan_faults.tsv")


def parse_names(names) -> list[GtzanName]:
    """Parse file names of tracks of GTZAN or of pieces of them.

    Returns
    -------
    parsed : list of GtzanName
        Track and piece of each name.

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
            f"{unknown[:5]}; expected names like blues.00000.wav, or blues.00000.0.wav for a piece"
        )
    return known


def track_groups(names) -> np.ndarray:
    """Return the track of each file name of GTZAN.

    Parameters
    ----------
    names : sequence of str or path-like
        File names or paths of tracks of GTZAN or of pieces of them, in any case and with or without
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
    artists = gtzan_artists()
    return np.array([artists.get(track, track) for track in track_groups(names)], dtype=str)


def groups_by_name(names, genres) -> list[str]:
    """Return the group of each path by its name alone.

    Parameters
    ----------
    names : sequence of str
        Paths.
    genres : sequence of str
        Genre of each path.

    Returns
    -------
    groups : list of str
        The artist for tracks of GTZAN, otherwise the track.
    """
    artists = gtzan_artists()
    return [artists.get(track, track) for track in tracks_of(names, genres)]


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
