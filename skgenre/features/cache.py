"""Features that were computed before: one entry of a joblib.Memory for each content of a file.

An entry is found by what is computed (:func:`class_key`, parameters), by what computes it
(:func:`versions`), and by a hash of the file's bytes, whatever the file is called.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import stat
import time
from collections.abc import Callable, Iterator
from functools import cache, lru_cache, partial
from importlib import metadata, resources
from types import CodeType
from typing import TYPE_CHECKING

import joblib
import soundfile
from sklearn.base import clone
from sklearn.utils.validation import check_memory

from .._paths import expand

if TYPE_CHECKING:
    from .extractor import TrackExtractor

#: Libraries whose versions may change features, of which some are extras.
_LIBRARIES = ("numpy", "scipy", "soundfile", "soxr", "librosa", "numba", "av", "ducc0")

#: Packages with the code of features.
_PACKAGES = ("skgenre.audio", "skgenre.features")

#: Attributes of a class that do not change what it computes.
_ASIDE = ("__", "_abc_impl", "_parameter_constraints", "_sklearn")

#: Nanoseconds in which a file may change without another time: some file systems count seconds.
_TICK = 2_000_000_000


def cached(extractor: TrackExtractor) -> Callable:
    """Make a function of a path that looks the file up in ``extractor.memory`` first."""
    memory = extractor.memory
    memory = expand(memory) if isinstance(memory, str | os.PathLike) else memory
    # What changes the result: neither how errors are reported nor who computes where.
    plain = clone(extractor)
    how = {"on_error": "raise", "memory": None, "n_jobs": None, "verbose": 0}
    plain.set_params(**{name: how[name] for name in how.keys() & plain.get_params().keys()})
    key = joblib.hash((class_key(type(extractor)), plain.get_params(), versions()))
    compute = check_memory(memory).cache(_compute, ignore=["extractor", "path"])
    return partial(_recall, compute, plain, key)


def _recall(compute: Callable, extractor: TrackExtractor, key: str, path):
    if not isinstance(path, str | os.PathLike):
        return extractor._extract(path)  # file objects are not cached
    content = content_hash(path)
    if content is None:
        return extractor._extract(path)  # which gives the reason
    return compute(extractor, key, path, content)


def _compute(extractor: TrackExtractor, key: str, path, content: str):
    """Compute a file; cached by joblib.Memory, whose key is `key` and `content`."""
    return extractor._extract(path)


# ---------------------------------------------------------------- files


def content_hash(path: str | os.PathLike) -> str | None:
    """Hash a file's bytes, or remember the hash of a file that has not been touched since.

    5 ms for 5 MB, where decoding takes 40 ms or more and an entry is found in 0.2 ms.

    Returns
    -------
    content : str or None
        None if it cannot be read.
    """
    path = os.path.abspath(expand(path))
    try:
        found = stamp(path)
        return _hash(path) if found is None else _remembered_hash(path, found)
    except (OSError, ValueError):
        return None


def stamp(path: str | os.PathLike) -> tuple[int, ...] | None:
    """Get what the file system says of a file, which is another once its bytes are.

    The time of the last change is among it, which, unlike that of the last modification, a program
    that replaces a file cannot set back.

    Returns
    -------
    stamp : tuple of int or None
        None if the file was changed so lately that another change may go by unseen.

    Raises
    ------
    OSError
        If there is no such regular file.
    """
    status = os.stat(expand(path))
    if not stat.S_ISREG(status.st_mode):
        raise OSError("not a regular file")  # reading a pipe would wait for ever
    if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < _TICK:
        return None
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


@lru_cache(maxsize=100_000)
def _remembered_hash(path: str, stamp: tuple[int, ...]) -> str:
    return _hash(path)


def _hash(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, _blake2b).hexdigest()


def _blake2b():
    return hashlib.blake2b(digest_size=16)


# ---------------------------------------------------------------- code


@cache
def versions() -> tuple[str, ...]:
    """Versions of all that computes features; with others they are computed anew.

    Of our own code it is a hash, since it changes between releases too.
    """
    code = hashlib.blake2b(digest_size=16)
    for package in _PACKAGES:
        for file in sorted(resources.files(package).iterdir(), key=lambda file: file.name):
            if file.name.endswith(".py"):
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


def class_key(cls: type) -> str:
    """Hash a class by its name and, if it is a user's, by its code.

    Two scripts may have a class of the same name, and a notebook several in turn. Functions that a
    class calls are not looked into.
    """
    return joblib.hash([(c.__module__, c.__qualname__, list(_code_of(c))) for c in cls.__mro__])


def _code_of(cls: type) -> Iterator[tuple[str, str]]:
    """Yield the name and a hash of all that a user wrote in a class."""
    if cls.__module__.partition(".")[0] in ("abc", "builtins", "sklearn", "skgenre"):
        return
    for name, value in sorted(vars(cls).items()):
        if name.startswith(_ASIDE):
            continue
        function = getattr(value, "fget", None) or getattr(value, "__func__", value)
        code = getattr(inspect.unwrap(function), "__code__", None)
        try:
            yield name, joblib.hash(value if code is None else _plain(code))
        except Exception:  # what cannot be pickled may be anything, and is not told apart
            yield name, type(value).__qualname__


def _plain(code: CodeType) -> tuple:
    """Put compiled code in terms that are the same in every process."""
    constants = [
        _plain(c)
        if isinstance(c, CodeType)
        else sorted(map(repr, c))
        if isinstance(c, frozenset)
        else repr(c)
        for c in code.co_consts
    ]
    return code.co_code, code.co_names, constants
