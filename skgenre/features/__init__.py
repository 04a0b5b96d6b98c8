"""Extraction of features from audio files."""

from .columns import GTZAN_FEATURES, track_features
from .descriptors import TrackDescriptors
from .extractor import TrackExtractor
from .gtzan import TrackFeatures
from .mel import MelSegmenter
from .mfcc import MFCCSegmenter
from .musicnn import MusicnnEmbedder
from .report import UnreadableTracksError
from .store import extract_store, load_store

__all__ = [
    "GTZAN_FEATURES",
    "MFCCSegmenter",
    "MelSegmenter",
    "MusicnnEmbedder",
    "TrackDescriptors",
    "TrackExtractor",
    "TrackFeatures",
    "UnreadableTracksError",
    "extract_store",
    "load_store",
    "track_features",
]
