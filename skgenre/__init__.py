"""skgenre: scikit-learn estimators that tell the genre of music."""

from __future__ import annotations

import importlib
from importlib.metadata import version

__version__ = version("skgenre")

#: Public names by the module that holds them. They are imported on first use, so that
#: importing skgenre is cheap and imports neither librosa nor TensorFlow.
_MODULES = {
    "tracks": ["artist_groups", "track_groups"],
    "audio": ["AudioError", "load_audio"],
    "extraction": ["UnreadableTracksError"],
    "features": ["TrackFeatures", "track_features"],
    "segmenter": ["MFCCSegmenter"],
    "store": ["extract_store", "load_store"],
    "tensors": ["SegmentScaler", "SegmentSummary"],
    "classifiers": ["ANNClassifier", "CNNClassifier", "LSTMClassifier", "SegmentClassifier"],
    "pipelines": ["genre_pipeline", "make_baseline", "param_grid"],
    "persistence": ["ModelFileError", "describe", "load", "save", "starter_model"],
    "timeline": ["genre_timeline"],
    "model_selection": ["compare_models", "filtered_split", "leakage_report"],
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [*_MODULE_OF, "datasets", "layers", "mfcc", "plotting"]


def __getattr__(name: str):
    if name in _MODULE_OF:
        return getattr(importlib.import_module(f"skgenre.{_MODULE_OF[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"skgenre.{name}")
    raise AttributeError(f"module 'skgenre' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
