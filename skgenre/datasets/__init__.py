"""Music collections: loading, groups, GTZAN's facts and split, and synthetic tracks."""

from ._collections import count_known_artists as count_known_artists  # not public
from ._duplicates import find_duplicates
from ._folder import load_folder
from ._gtzan import load_gtzan
from ._gtzan_features import load_gtzan_features, segments_to_tracks
from ._listing import list_audio
from ._synthetic import make_tracks
from ._table import load_table
from .facts import artist_groups, filtered_split, track_groups

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
