from . import datasets, layers, mfcc, plotting
from .audio import AudioError, AudioFile, load_audio
from .datasets.facts import artist_groups, track_groups
from .evaluation import compare_models, filtered_split, leakage_report
from .features import (
    MFCCSegmenter,
    TrackExtractor,
    TrackFeatures,
    UnreadableTracksError,
    extract_store,
    load_store,
    track_features,
)
from .networks import ANNClassifier, CNNClassifier, LSTMClassifier, SegmentClassifier
from .persistence import ModelFileError, describe, load, save
from .pipelines import genre_pipeline, make_baseline, param_grid, starter_model
from .preprocessing import SegmentScaler, SegmentSummary
from .timeline import genre_timeline

__version__: str

__all__ = [
    "ANNClassifier",
    "AudioError",
    "AudioFile",
    "CNNClassifier",
    "LSTMClassifier",
    "MFCCSegmenter",
    "ModelFileError",
    "SegmentClassifier",
    "SegmentScaler",
    "SegmentSummary",
    "TrackExtractor",
    "TrackFeatures",
    "UnreadableTracksError",
    "artist_groups",
    "compare_models",
    "datasets",
    "describe",
    "extract_store",
    "filtered_split",
    "genre_pipeline",
    "genre_timeline",
    "layers",
    "leakage_report",
    "load",
    "load_audio",
    "load_store",
    "make_baseline",
    "mfcc",
    "param_grid",
    "plotting",
    "save",
    "starter_model",
    "track_features",
    "track_groups",
]
