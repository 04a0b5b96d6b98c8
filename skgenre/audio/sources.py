"""Validation of paths and file objects passed by the user."""

from __future__ import annotations

import inspect
import io
import os
import stat
import threading
import weakref
from typing import BinaryIO

from .._paths import expand
from .errors import AudioError

#: Locks of the file objects in use by id, because threads may share a file object.
_LOCKS: weakref.WeakValueDictionary[int, threading.Lock] = weakref.WeakValueDictionary()
_LOCKS_LOCK = threading.Lock()


def lock_of(file: BinaryIO) -> threading.Lock:
    """Return the lock that protects the position of a file object."""
    with _LOCKS_LOCK:
        return _LOCKS.setdefault(id(file), threading.Lock())


def name_of(path: str | os.PathLike | BinaryIO) -> str:
    """Return the path of a file, or the name of a file object."""
    if isinstance(path, str | os.PathLike):
        return os.fsdecode(path)
    return str(getattr(path, "name", None) or repr(path))


def prepare(path: str | os.PathLike | BinaryIO, name: str) -> str | BinaryIO:
    """Check that a file can be read, before it is passed to a decoder.

    Parameters
    ----------
    path : str, path-like, or file object
        As passed by the user.
    name : str
        Name used in error messages.

    Returns
    -------
    source : str or binary file object
        Path of a regular file, or a seekable file object.

    Raises
    ------
    TypeError
        If `path` is neither a path nor a file object.
    AudioError
        If the file cannot be read.
    """
    if isinstance(path, str | os.PathLike):
        source = expand(path)
        _check_regular(source, name)
        return source
    if not hasattr(path, "read"):
        raise TypeError(
            f"Expected a path (str or pathlib.Path) or a binary file object, got {path!r:.100}, of "
            f"type {type(path).__name__}; pass bytes as io.BytesIO(data)"
        )
    return _seekable(path, name)


def _check_regular(path: str, name: str) -> None:
    """Raise AudioError for unusable paths, with clearer messages than those of libsndfile."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        raise AudioError(name, "no such file") from None
    except (OSError, ValueError) as error:
        raise AudioError(name, getattr(error, "strerror", None) or str(error)) from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(name, "is a folder, not a file")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(name, "is not a regular file")
    if status.st_size == 0:
        raise AudioError(name, "is empty (0 bytes)")
    if not os.access(path, os.R_OK):
        raise AudioError(name, "permission denied")


def _seekable(file: BinaryIO, name: str) -> BinaryIO:
    """Check a file object; read it into memory if it does not support seeking."""
    if inspect.iscoroutinefunction(file.read):
        raise AudioError(
            name,
            "its read() is a coroutine, which has to be awaited; pass "
            "io.BytesIO(await file.read()), or the file inside it: upload.file of FastAPI's "
            "UploadFile",
        )
    try:
        with lock_of(file):
            seekable = _can_seek(file)
            content = file.read(0) if seekable else file.read()
        if isinstance(content, str):
            raise AudioError(name, 'is open as text; open it as bytes: open(path, "rb")')
        if not isinstance(content, bytes | bytearray | memoryview):
            raise AudioError(name, f"its read() returns {type(content).__name__}, not bytes")
        if not seekable:
            file = io.BytesIO(content)
        with lock_of(file):
            empty = end_of(file) == 0
    except AudioError:
        raise
    except Exception as error:  # file objects of users may raise anything
        raise AudioError(name, f"cannot be read ({str(error) or type(error).__name__})") from error
    if empty:
        again = "" if seekable else "; a stream can be read only once"
        raise AudioError(name, f"is empty (0 bytes){again}")
    return file


def _can_seek(file: BinaryIO) -> bool:
    if not hasattr(file, "seek") or not getattr(file, "seekable", lambda: True)():
        return False
    try:
        file.seek(0, io.SEEK_END)
    except (OSError, NotImplementedError):  # despite seekable() returning True
        return False
    return True


def end_of(file: BinaryIO) -> int:
    """Return the length of a file object; changes its position."""
    end = file.seek(0, io.SEEK_END)
    return file.tell() if end is None else end  # some file objects return None
