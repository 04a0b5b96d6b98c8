"""Music collections: loading, groups, GTZAN's artists and split, synthetic tracks."""

from ._duplicates import find_duplicates
from ._folder import list_audio, load_folder
from ._groups import (
    artist_groups,
    count_known_artists as count_known_artists,  # not public
    filtered_split,
    track_groups,
)
from ._gtzan import load_gtzan, load_gtzan_features, segments_to_tracks
from ._synthetic import make_tracks
from ._table import load_table

__all__ = [
    "artist_groups",
    "filtered_split",
    "find_duplicates",
    "list_audio",
    "load_folder",
    "load_gtzan",
    "load_gtzan_features",
    "load_table",
    "make_tracks",
    "segments_to_tracks",
    "track_groups",
]
