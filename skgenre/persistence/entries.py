"""Closed list of the classes that are allowed in model files.

An :class:`Entry` lists the fitted attributes of a class that are saved, which are only those
required by its methods. Parameters are validated by the constraints of their class. The narrower
bounds in this module limit the time and memory of predictions with untrusted files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..networks.layers import LAYERS, Architecture, Weight
from .archive import Refused
from .entry import Entry, type_name
from .privates import BaseSearchCV
from .skgenre_entries import EXTRACTOR, NETWORK, SKGENRE
from .sklearn_entries import SKLEARN, SPLITTERS

#: Bounds of numeric parameters of any class, by name.
BOUNDS: dict[str, tuple[float, float]] = {
    "sample_rate": (1000, 192_000),
    "n_fft": (2, 1 << 15),
    "hop_length": (16, 1 << 16),
    "n_mels": (1, 1024),
    "n_mfcc": (1, 1024),
    "segment_duration": (0.01, 3600),
    "n_segments": (1, 1000),
    "max_duration": (0.01, 86_400),
    "frames_per_step": (1, 10_000),
    "leaf_size": (8, 10**6),
    "n_estimators": (1, 10_000),
    "max_iter": (-1, 100_000),
    "cv": (2, 1000),
    "cache_size": (1, 4000),
    "degree": (0, 100),
    "random_state": (0, 2**32 - 1),
}

ENTRIES: dict[str, Entry] = {
    type_name(entry.cls): entry for entry in (*SKLEARN, *SPLITTERS, *SKGENRE)
}

#: Types that must be trusted to load estimators of skgenre from skops files, for example in MLflow.
SKOPS_TYPES = tuple(
    f"{cls.__module__}.{cls.__qualname__}"
    for cls in (*(entry.cls for entry in SKGENRE), Architecture, Weight, *LAYERS.values())
)


def find_entry(name: Any, trusted: Mapping[str, type]) -> Entry:
    """Return the entry of a class, given its name in a model file.

    Raises
    ------
    Refused
        If the class is neither in the list nor trusted.
    """
    if isinstance(name, str) and name in ENTRIES:
        return ENTRIES[name]
    if isinstance(name, str) and name in trusted:
        return own_entry(trusted[name])
    raise Refused(
        f"{name!r:.100} is not a supported class of a model file. Pass custom networks and front "
        "ends to load(trusted=[...])"
    )


def own_entry(cls: type) -> Entry:
    """Return the entry of a custom network or front end.

    Raises
    ------
    Refused
        If the class is not derived from NetworkClassifier or FrontEnd.
    """
    for entry in (NETWORK, EXTRACTOR):
        if issubclass(cls, entry.cls):
            return replace(entry, cls=cls)
    if issubclass(cls, BaseSearchCV):
        raise Refused(f"a {cls.__name__} cannot be saved; save its best_estimator_")
    raise Refused(
        f'{type_name(cls)} is not a supported class of a model file. See the page "Security and '
        'trust model" for the list of classes, or use joblib.dump for files that are not shared'
    )
