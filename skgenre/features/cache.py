"""Caching of the features of files.

The key of an entry consists of the class of the front end (:func:`.class_key.class_key`), its
parameters, the versions of the code (:func:`versions`), and a hash of the content of the file, but
not of its name. An entry is a plain array with a checksum. If it cannot be read or written, the
features are computed.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
from collections.abc import Callable
from functools import cache, lru_cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import soundfile

from .._files import expand, replace_file
from .class_key import class_key

#: Libraries whose version may affect features. Some are optional.
_LIBRARIES = ("numpy", "scipy", "soundfile", "soxr", "librosa", "av", "onnxruntime")

#: Files of skgenre whose code computes features.
_CODE = ("onnx_graph.py", "audio/*.py", "features/*.py")

#: Resolution of file times in nanoseconds; some file systems store only even seconds.
_TICK = 2_000_000_000


def cached(extract: Callable, memory: Any, cls: type, parameters: dict[str, Any]) -> Callable:
    """Wrap the extraction of a file so that results are cached in a folder.

    Parameters
    ----------
    extract : callable
        Function of a path or file object, which returns an array and a list of notes.
    memory : str, path-like or joblib.Memory
        Location of the cache.
    cls : type
        Class of the front end.
    parameters : dict of str to object
        Parameters of the front end that affect the result.

    Returns
    -------
    extract : callable
        Returns the result of `extract`, followed by the reason if the cache could not be used.
    """
    try:
        folder = _folder(memory)
        if folder is None:
            return extract
        key = joblib.hash((class_key(cls, parameters), versions()))
    except (OSError, ValueError) as error:
        return partial(_extract_uncached, extract, str(error))
    return partial(_extract_cached, extract, folder, key)


def _folder(memory: str | os.PathLike | joblib.Memory) -> str | None:
    """Return the folder of a cache, which is that of joblib's functions to clear and reduce it."""
    if isinstance(memory, str | os.PathLike):
        return os.path.join(os.path.abspath(expand(memory)), "joblib")
    if memory.store_backend is None:
        return None
    if memory.backend != "local":
        raise ValueError(f"memory has the backend {memory.backend!r}; use a folder")
    return os.path.abspath(memory.store_backend.location)


def _extract_uncached(extract: Callable, problem: str, path):
    return *extract(path), problem


def _extract_cached(extract: Callable, folder: str, key: str, path):
    # File objects are not cached; files that cannot be read raise the appropriate error.
    content = content_hash(path) if isinstance(path, str | os.PathLike) else None
    if content is None:
        return extract(path)
    entry = os.path.join(folder, "skgenre", joblib.hash((key, content)), "features")
    problems = []
    try:
        return _read_entry(entry)
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:
        problems.append(_explain(error, folder))
    track, notes = extract(path)
    try:
        os.makedirs(os.path.dirname(entry), exist_ok=True)
        replace_file(entry, _to_bytes(track, notes))
    except (OSError, ValueError) as error:
        problems.append(_explain(error, folder))
    return track, notes, *problems[:1]


def _explain(error: OSError | ValueError, folder: str) -> str:
    reason = getattr(error, "strerror", None)
    return f"{folder}: {reason}" if reason else str(error)


def _read_entry(entry: str) -> tuple[np.ndarray, list[str]]:
    with open(entry, "rb") as file:
        content = file.read()
    size = _blake2b().digest_size
    if _blake2b(content[size:]).digest() != content[:size]:
        raise ValueError(f"{entry} was damaged, and is computed again")
    head, _, values = content[size:].partition(b"\n")
    about = json.loads(head)
    track = np.frombuffer(bytearray(values), about["dtype"]).reshape(about["shape"])
    return track, about["notes"]


def _to_bytes(track: np.ndarray, notes: list[str]) -> bytes:
    """Convert a result to the content of an entry, which begins with its checksum."""
    if track.dtype.hasobject:
        raise ValueError(f"an array of type {track.dtype} cannot be cached; return numbers")
    # Not the header of an .npy file, whose parsing in several threads can fail in Python 3.11.
    about = {"dtype": track.dtype.str, "shape": track.shape, "notes": notes}
    content = json.dumps(about).encode() + b"\n" + track.tobytes()
    return _blake2b(content).digest() + content


# ---------------------------------------------------------------- files


def content_hash(path: str | os.PathLike) -> str | None:
    """Hash the content of a file, reusing the hash of a file that has not changed.

    Hashing 5 MB takes 5 ms, compared to at least 40 ms for decoding; a cached result is found in
    0.2 ms.

    Returns
    -------
    content : str or None
        None if the file cannot be read.
    """
    path = os.path.abspath(expand(path))
    try:
        found = stamp(path)
        return _hash(path) if found is None else _cached_hash(path, found)
    except (OSError, ValueError):
        return None


def stamp(path: str | os.PathLike) -> tuple[int, ...] | None:
    """Return file system metadata that change whenever the content of a file changes.

    They include the time of the last status change (ctime), which, unlike the modification time,
    cannot be reset by a program that replaces the file.

    Returns
    -------
    stamp : tuple of int or None
        None if the file changed so recently that another change might not change its times.

    Raises
    ------
    OSError
        If `path` is not a regular file.
    """
    status = os.stat(expand(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file")  # reading a pipe could block forever
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _TICK:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


@lru_cache(maxsize=100_000)
def _cached_hash(path: str, stamp: tuple[int, ...]) -> str:
    return _hash(path)


def _hash(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, _blake2b).hexdigest()


def _blake2b(content: bytes = b""):
    return hashlib.blake2b(content, digest_size=16)


# ---------------------------------------------------------------- versions


@cache
def versions() -> tuple[str, ...]:
    """Return the versions of all libraries that affect features.

    The version of skgenre includes a hash of its code, which changes between releases.
    """
    code = _blake2b()
    root = Path(__file__).parents[1]
    for file in sorted(file for pattern in _CODE for file in root.glob(pattern)):
        code.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return (
        f"skgenre {metadata.version('skgenre')} {code.hexdigest()}",
        f"libsndfile {soundfile.__libsndfile_version__}",
        *(f"{name} {_version(name)}" for name in _LIBRARIES),
    )


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "is missing"
