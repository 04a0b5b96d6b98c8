"""Facts about GTZAN's tracks, read from the data files of the package.

``skgenre/data/README.md`` names the sources.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import numpy as np

#: The genres of GTZAN, 100 tracks each.
GTZAN_GENRES = (
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
)

_NAME = re.compile(
    rf"(?P<track>(?P<genre>{'|'.join(GTZAN_GENRES)})\.\d{{5}})"
    r"(\.(?P<piece>\d+))?(\.(wav|au|flac|mp3|png))?"
)


@cache
def _table(name: str) -> Mapping[str, str]:
    """Read a two-column table as a read-only mapping, without its header line."""
    lines = files("skgenre").joinpath("data", name).read_text("utf-8").splitlines()[1:]
    return MappingProxyType(dict(line.split("\t") for line in lines))


def gtzan_artists() -> Mapping[str, str]:
    """Artist of each track that has been identified, 919 of 1,000.

    Returns
    -------
    artists : mapping of track id, such as ``"blues.00000"``, to name
    """
    return _table("gtzan_artists.tsv")


def gtzan_filtered_split() -> Mapping[str, str]:
    """Part of each of the 930 tracks of the fault-filtered partition.

    Returns
    -------
    parts : mapping of track id to ``"train"``, ``"valid"`` or ``"test"``
    """
    return _table("gtzan_filtered_split.tsv")


def gtzan_faults() -> Mapping[str, str]:
    """Tracks that cannot be used as they are distributed.

    Returns
    -------
    faults : mapping of track id to what is wrong
    """
    return _table("gtzan_faults.tsv")


def parse_names(names) -> list[re.Match]:
    """Match names of GTZAN's tracks or of pieces of them.

    The matches have the groups ``track``, such as ``"blues.00000"``, ``genre``, and ``piece``,
    a number or None.

    Raises
    ------
    TypeError
        For a single name.
    ValueError
        If some are no names of GTZAN's; lists the first.
    """
    if isinstance(names, str | bytes | os.PathLike):
        raise TypeError(f"Expected a collection of names, got the single name {names!r}.")
    names = [os.fspath(name) if isinstance(name, os.PathLike) else str(name) for name in names]
    matches = [_NAME.fullmatch(re.split(r"[/\\]", name)[-1].lower()) for name in names]
    known = [match for match in matches if match]
    unknown = [name for name, match in zip(names, matches, strict=True) if not match]
    if unknown:
        raise ValueError(
            f"{len(unknown)} of {len(names)} are no names of GTZAN's tracks, such as "
            f"{unknown[:5]}; expected names like blues.00000.wav, or blues.00000.0.wav of a piece"
        )
    return known


def track_groups(names) -> np.ndarray:
    """Track that each file, or each piece of a track, belongs to.

    Parameters
    ----------
    names : sequence of str or path-like
        File names or paths of GTZAN's tracks or of pieces of them, with or without an ending:
        ``"blues.00000"``, ``"blues/blues.00000.au"``, ``"blues.00000.3.wav"``.

    Returns
    -------
    groups : ndarray of str, shape (n_names,)
        Track ids, such as ``"blues.00000"``, for ``groups=`` of a grouped splitter.

    Raises
    ------
    ValueError
        If some are no names of GTZAN's tracks.

    Examples
    --------
    >>> from skgenre import track_groups
    >>> track_groups(["blues.00000.0.wav", "blues.00000.1.wav", "rock.00042.au"]).tolist()
    ['blues.00000', 'blues.00000', 'rock.00042']
    """
    return np.array([match["track"] for match in parse_names(names)], dtype=str)


def artist_groups(names) -> np.ndarray:
    """Artist of each file, or of each piece of a track.

    Parameters
    ----------
    names : sequence of str or path-like
        As :func:`track_groups` takes them.

    Returns
    -------
    groups : ndarray of str, shape (n_names,)
        Artists; the track id of the 81 tracks whose artist nobody has identified.

    Raises
    ------
    ValueError
        If some are no names of GTZAN's tracks.

    Examples
    --------
    >>> from skgenre import artist_groups
    >>> artist_groups(["blues.00000.0.wav", "jazz.00054.wav"]).tolist()
    ['John Lee Hooker', 'jazz.00054']
    """
    artists = gtzan_artists()
    return np.array([artists.get(track, track) for track in track_groups(names)], dtype=str)
