"""Collections of tracks: GTZAN from a local folder, and synthetic ones made on the spot."""

from ._gtzan import load_gtzan
from ._synthetic import make_tracks

__all__ = ["load_gtzan", "make_tracks"]
