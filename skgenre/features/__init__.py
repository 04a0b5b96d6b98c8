"""Extraction of features from audio files."""

from .columns import GTZAN_FEATURES, gtzan_features
from .descriptors import TrackDescriptors
from .errors import UnreadableTracksError
from .front_end import FrontEnd
from .gtzan import GTZANFeatures
from .mel import MelSegmenter
from .mfccs import MFCCSegmenter, mfcc, segment_mfcc
from .musicnn import MusicnnEmbedder
from .store import extract_store, load_store

__all__ = [
    "GTZAN_FEATURES",
    "MFCCSegmenter",
    "MelSegmenter",
    "MusicnnEmbedder",
    "TrackDescriptors",
    "FrontEnd",
    "GTZANFeatures",
    "UnreadableTracksError",
    "extract_store",
    "load_store",
    "gtzan_features",
    "mfcc",
    "segment_mfcc",
]
