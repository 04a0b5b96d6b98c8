"""The closed list of classes that a model file may hold, and the state of each that it keeps.

An :class:`Entry` lists what is stored of a fitted estimator: what its methods need, and no more.
Parameters are checked by the constraints of their class; here are the narrower bounds, so that no
parameter of a file can make a prediction take hours or gigabytes.
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

#: Bounds of numbers, in whichever class the parameter is.
BOUNDS: dict[str, tuple[float, float]] = {
    "sample_rate": (1000, 192_000),
    "n_fft": (2, 1 << 15),
    "hop_length": (16, 1 << 16),
    "n_mels": (1, 1024),
    "n_mfcc": (1, 1024),
    "segment_duration": (0.01, 3600),
    "n_segments": (1, 1000),
    "window": (0.01, 600),
    "n_windows": (1, 1000),
    "max_duration": (0.01, 86_400),
    "patches": (1, 1000),
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

#: Types that readers of skops files, such as mlflow's, have to trust to load estimators of skgenre.
SKOPS_TYPES = tuple(
    f"{cls.__module__}.{cls.__qualname__}"
    for cls in (*(entry.cls for entry in SKGENRE), Architecture, Weight, *LAYERS.values())
)


def find_entry(name: Any, trusted: Mapping[str, type]) -> Entry:
    """Entry of a class by its name in a file.

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
        f"{name!r:.100} is not a class that a model file may hold; load(trusted=[...]) allows for "
        "networks and front ends of your own"
    )


def own_entry(cls: type) -> Entry:
    """Entry of a network or front end that a user has written.

    Raises
    ------
    Refused
        If it is a subclass of neither.
    """
    for entry in (NETWORK, EXTRACTOR):
        if issubclass(cls, entry.cls):
            return replace(entry, cls=cls)
    if issubclass(cls, BaseSearchCV):
        raise Refused(f"a {cls.__name__} cannot be saved; save its best_estimator_")
    raise Refused(
        f'{type_name(cls)} is not a class that a model file may hold. The page "Security and '
        'trust model" lists them; use joblib.dump for files that stay on your machines'
    )
