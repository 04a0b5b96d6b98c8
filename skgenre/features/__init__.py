"""Audio files -> arrays: front ends on one base, and stores."""

from .columns import GTZAN_FEATURES, track_features
from .descriptors import TrackDescriptors
from .extractor import TrackExtractor, UnreadableTracksError
from .gtzan import TrackFeatures
from .mfcc import MFCCSegmenter
from .store import extract_store, load_store

__all__ = [
    "GTZAN_FEATURES",
    "MFCCSegmenter",
    "TrackDescriptors",
    "TrackExtractor",
    "TrackFeatures",
    "UnreadableTracksError",
    "extract_store",
    "load_store",
    "track_features",
]
