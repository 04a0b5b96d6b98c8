"""Features that were computed before: one entry of a joblib.Memory for each file."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import joblib
from sklearn.base import clone
from sklearn.utils.validation import check_memory

if TYPE_CHECKING:
    from .extractor import TrackExtractor


def cached(extractor: TrackExtractor) -> Callable:
    """Make a function of a path that looks the file up in ``extractor.memory`` first.

    Entries are found by the class and parameters of the extractor, the versions of the
    libraries, and the path, size and modification time of the file.
    """
    memory = extractor.memory
    memory = os.fspath(memory) if isinstance(memory, os.PathLike) else memory
    # What changes the result: neither how errors are reported nor who computes where.
    plain = clone(extractor).set_params(on_error="raise", memory=None, n_jobs=None, verbose=0)
    key = joblib.hash((type(extractor).__name__, plain.get_params(), versions()))
    compute = check_memory(memory).cache(_compute, ignore=["extractor"])
    return partial(_recall, compute, plain, key)


def _recall(compute: Callable, extractor: TrackExtractor, key: str, path):
    if not isinstance(path, str | os.PathLike):
        return extractor._extract(path)  # file objects are not cached
    path = os.path.abspath(os.fspath(path))
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return extractor._extract(path)  # which gives the reason
    return compute(extractor, key, path, status.st_size, status.st_mtime_ns)


def _compute(extractor: TrackExtractor, key: str, path: str, size: int, mtime_ns: int):
    """Compute a file; cached by joblib.Memory, whose key is all arguments but `extractor`."""
    return extractor._extract(path)


@cache
def versions() -> tuple[str, ...]:
    """Versions of the libraries that compute features; with others they are computed anew."""
    return tuple(version(name) for name in ("skgenre", "librosa", "soundfile", "soxr", "scipy"))
