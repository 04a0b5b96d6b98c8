"""What is known of GTZAN's tracks, read from the data files of the package.

``skgenre/data/README.md`` names the sources.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

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


def gtzan_faults() -> Mapping[str, str]:
    """Tracks that cannot be used as they are distributed.

    Returns
    -------
    faults : mapping of track id to what is wrong
    """
    return _table("gtzan_faults.tsv")
