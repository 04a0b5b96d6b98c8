"""Loading of music collections, and generation of synthetic ones."""

from ._duplicates import find_duplicates
from ._folder import load_folder
from ._gtzan import load_gtzan
from ._gtzan_features import load_gtzan_features
from ._listing import list_audio
from ._names import artists_known as artists_known  # not public
from ._synthetic import make_tracks
from ._table import load_table

__all__ = [
    "find_duplicates",
    "list_audio",
    "load_folder",
    "load_gtzan",
    "load_gtzan_features",
    "load_table",
    "make_tracks",
]
