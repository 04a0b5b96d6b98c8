"""Entries of the classes of skgenre."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from ..calibration import GroupCalibratedClassifier
from ..features import (
    FrontEnd,
    GTZANFeatures,
    MelSegmenter,
    MFCCSegmenter,
    MusicnnEmbedder,
    TrackDescriptors,
)
from ..features.mel import MelFrontEnd
from ..networks import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    MelCNNClassifier,
    NetworkClassifier,
)
from ..preprocessing import PERCENTILES, SegmentScaler, SegmentSummary
from ..voting import SegmentVotingClassifier
from .archive import Refused
from .entry import Entry, attributes
from .networks import History, Network
from .sklearn_entries import MOMENTS, XY, X
from .values import FEATURES, Array, Kind, Labels, Names, Number, Part

#: Limits of front ends: values per second of audio, per segment and per track, and frames per
#: second.
_MOST_A_SECOND, _MOST_A_SEGMENT, _MOST_A_TRACK, _MOST_FRAMES = 1 << 20, 1 << 19, 1 << 22, 1000

#: Maximum size of the mel filter bank matrix.
_MOST_OF_BANDS = 1 << 22

#: Cost of a front end and of a column of a summary, see :meth:`.values.Loading.spend`.
_EXTRACTION, _COLUMN = 1 << 28, 1 << 13

#: Maximum number of columns of a summary.
_MOST_COLUMNS = 1 << 16


def _check_cost(extractor: FrontEnd) -> None:
    """Check the computational cost of a track, which depends on several parameters."""
    if isinstance(extractor, MelFrontEnd):
        frames = extractor.sample_rate / extractor.hop_length
        if frames > _MOST_FRAMES:
            raise Refused(
                f"has hop_length={extractor.hop_length}, which results in {frames:.0f} frames per "
                f"second, more than {_MOST_FRAMES}"
            )
        if frames * max(extractor.n_fft, extractor.n_mels) > _MOST_A_SECOND:
            raise Refused(
                f"has n_fft={extractor.n_fft}, n_mels={extractor.n_mels} and hop_length="
                f"{extractor.hop_length}, which require more than {_MOST_A_SECOND} values a second"
            )
        if extractor.n_fft * extractor.n_mels > _MOST_OF_BANDS:
            raise Refused(
                f"has n_fft={extractor.n_fft} and n_mels={extractor.n_mels}, which require a "
                f"matrix of more than {_MOST_OF_BANDS} values"
            )
    families = getattr(extractor, "families", "")
    if not isinstance(families, str) and len(set(families)) < len(families):
        raise Refused("has duplicate names in families")
    sizes = [1 if size is None else size for size in extractor.track_shape]
    for name, shape, most in (
        ("segment", sizes[1:], _MOST_A_SEGMENT),
        ("track", sizes, _MOST_A_TRACK),
    ):
        if np.prod(shape, dtype=float) > most:
            raise Refused(f"requires {shape} values per {name}, more than {most} in total")


def _count_columns(summary: SegmentSummary) -> float:
    """Check the number of columns of a summary and return its computational cost."""
    if not hasattr(summary, "n_features_in_"):
        return 0
    n: int = summary.n_features_in_
    sizes = {"percentiles": len(PERCENTILES) * n, "covariance": n * (n - 1) // 2}
    given: Any = summary.statistics
    columns = sum(sizes.get(name, n) for name in ([given] if isinstance(given, str) else given))
    if columns > _MOST_COLUMNS:
        raise Refused(f"has {columns} output columns, more than {_MOST_COLUMNS}")
    return columns * _COLUMN


def _collect_network(model: NetworkClassifier) -> dict:
    return {
        **attributes(model, _NETWORK),
        "network": (model.architecture_, model.weights_),
    }


def _restore_network(model: NetworkClassifier, state: dict) -> None:
    architecture, weights = state.pop("network")
    model.__dict__.update(state, architecture_=architecture, weights_=weights)
    model.n_iter_ = len(model.history_["loss"])
    model._state = None


_NETWORK: dict[str, Kind] = {
    **XY,
    "class_prior_": Array(("k",), "f8", low=0, high=1),
    "_class_weights_seen": Array(("k",), "f8", low=0),
    "history_": History(),
    "network": Network(),
}

#: Entries of the base classes of custom classes, see ``trusted`` in :func:`skgenre.load`.
EXTRACTOR = Entry(FrontEnd, check=_check_cost, work=lambda extractor: _EXTRACTION)
NETWORK = Entry(
    NetworkClassifier, fitted=_NETWORK, collect=_collect_network, restore=_restore_network
)

SKGENRE = [
    *(
        replace(EXTRACTOR, cls=cls)
        for cls in (MFCCSegmenter, MelSegmenter, MusicnnEmbedder, TrackDescriptors, GTZANFeatures)
    ),
    *(
        replace(NETWORK, cls=cls)
        for cls in (ANNClassifier, CNNClassifier, LSTMClassifier, MelCNNClassifier)
    ),
    Entry(SegmentScaler, fitted=MOMENTS),
    Entry(SegmentSummary, fitted=X, work=_count_columns),
    Entry(
        SegmentVotingClassifier,
        ("estimator",),
        fitted={
            **XY,
            "class_prior_": Array(("k",), "f8", low=0, high=1),
            "estimator_": Part(same_classes=True),
        },
    ),
    Entry(
        GroupCalibratedClassifier,
        ("estimator", "cv"),
        fitted={
            "n_features_in_": replace(FEATURES, optional=True),
            "feature_names_in_": Names(optional=True),
            "classes_": Labels(),
            "estimator_": Part(same_classes=True),
            "temperature_": Number(1e-3, 1e3),
            "threshold_": Number(0, 1, optional=True),
        },
    ),
]
