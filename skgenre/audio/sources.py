"""Paths and file objects passed by the user, and the bytes in them.

Offsets and sizes are in bytes.
"""

from __future__ import annotations

import inspect
import io
import os
import stat
import tempfile
import threading
import weakref
from typing import BinaryIO

from .._files import expand

#: How to pass what is not in a file.
SAMPLES_REMEDY = (
    "to pass samples y at 22,050 Hz: buffer = io.BytesIO(); "
    'soundfile.write(buffer, y, 22050, format="WAV", subtype="FLOAT"); pass [buffer]'
)

#: File objects are copied one at a time, because they may share a source: reading a member of a tar
#: archive moves the position of all of them, and buffers and decompressors have positions, too.
_ONE_AT_A_TIME = threading.RLock()

#: Size in bytes from which a copy is in a temporary file instead of in memory.
MAX_IN_MEMORY = 64 << 20

#: Number of bytes of a file object that are copied at a time.
_COPIED_AT_A_TIME = 1 << 20


class AudioError(ValueError):
    """Exception raised when an audio file cannot be used.

    Parameters
    ----------
    path : str
        The file, as passed by the user.
    reason : str
        The problem.
    """

    def __init__(self, path: str, reason: str):
        # Passing both to super() lets the exception be pickled by worker processes.
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def name_of(path: str | os.PathLike | BinaryIO, position: int | None = None) -> str:
    """Return the path of a file, or the name of a file object.

    File objects without a name are called by their position in a list, such as
    ``track 3 (BytesIO)``, or by their type alone.
    """
    name = path if isinstance(path, str | os.PathLike) else getattr(path, "name", None)
    if isinstance(name, str | bytes | os.PathLike) and name:  # of a descriptor it is a number
        return os.fsdecode(name)
    kind = type(path).__name__
    return kind if position is None else f"track {position} ({kind})"


class Source:
    """The bytes of a track, which several readers can read.

    There is no position that readers or threads could share: files are read at an offset. File
    objects other than files on disk and ``io.BytesIO`` are copied first.

    Parameters
    ----------
    path : str, path-like, or file object
        As passed by the user. A file object is left open.
    name : str
        Name used in error messages.

    Attributes
    ----------
    size : int
        Number of bytes.
    failure : str or None
        Message of an exception raised while reading, if any. The bytes end at that point, because
        decoders in C cannot propagate exceptions.

    Raises
    ------
    TypeError
        If `path` is neither a path nor a file object.
    AudioError
        If the file cannot be read.
    """

    failure: str | None = None
    _empty = "is empty (0 bytes)"

    def __init__(self, path: str | os.PathLike | BinaryIO, name: str):
        self.is_path = isinstance(path, str | os.PathLike)
        if isinstance(path, str | os.PathLike):
            file = expand(path)
            _check_regular(file, name)
            self._content: bytes | int = os.open(file, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        elif hasattr(path, "read"):
            self._content = self._content_of(path, name)
        else:
            raise TypeError(
                f"Expected a path (str or pathlib.Path) or a binary file object, got "
                f"{path!r:.100}, of type {type(path).__name__}; pass bytes as io.BytesIO(data); "
                f"{SAMPLES_REMEDY}"
            )
        if isinstance(self._content, int):
            self.size = os.fstat(self._content).st_size
            self._close = weakref.finalize(self, os.close, self._content)
        else:
            self.size = len(self._content)
        if not self.size:
            self.close()
            raise AudioError(
                name, self._empty if self.failure is None else f"cannot be read ({self.failure})"
            )

    def read_at(self, n: int, offset: int) -> bytes:
        """Return up to `n` bytes from an offset."""
        if isinstance(self._content, bytes):
            return self._content[offset : offset + n]
        try:
            return os.pread(self._content, n, offset)
        except OSError as error:
            self.failure = error.strerror or str(error)
            return b""

    def descriptor(self) -> int | None:
        """Return a descriptor at the first byte for decoders that read files themselves.

        None for file objects, because the copy of a descriptor shares its position.
        """
        if not self.is_path or not isinstance(self._content, int):
            return None
        os.lseek(self._content, 0, os.SEEK_SET)
        return os.dup(self._content)

    def close(self) -> None:
        """Close the files that were opened here."""
        if isinstance(self._content, int):
            self._close()

    def _content_of(self, file: BinaryIO, name: str) -> bytes | int:
        """Return the bytes of a file object, or a descriptor of a file that contains them."""
        if inspect.iscoroutinefunction(file.read):
            raise AudioError(
                name,
                "its read() is a coroutine, which has to be awaited; pass "
                "io.BytesIO(await file.read()), or the file inside it: upload.file of FastAPI's "
                "UploadFile",
            )
        if isinstance(file, io.TextIOBase):
            raise AudioError(name, 'is open as text; open it as bytes: open(path, "rb")')
        try:
            if type(file) is io.BytesIO:
                content: bytes | int = file.getvalue()
            elif _is_file_on_disk(file):
                content = os.dup(file.fileno())
            else:
                with _ONE_AT_A_TIME:
                    if not _rewind(file):
                        self._empty += "; a stream can be read only once"
                    content = self._copy(file)
        except Exception as error:  # file objects of users may raise anything
            reason = str(error) or type(error).__name__
            raise AudioError(name, f"cannot be read ({reason})") from error
        return content

    def _copy(self, file: BinaryIO) -> bytes | int:
        """Copy a file object from its position."""
        with tempfile.SpooledTemporaryFile(MAX_IN_MEMORY) as copy:
            try:
                while part := file.read(_COPIED_AT_A_TIME):
                    copy.write(part)
            except Exception as error:  # keep what came before
                self.failure = str(error) or type(error).__name__
            size = copy.tell()
            copy.seek(0)  # also writes what is buffered
            return copy.read() if size <= MAX_IN_MEMORY else os.dup(copy.fileno())


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


def _is_file_on_disk(file: BinaryIO) -> bool:
    """Check for what ``open(path, "rb")`` returns.

    The descriptor of other objects may be that of a compressed file or of an archive.
    """
    raw = file.raw if type(file) is io.BufferedReader else file
    return (
        type(raw) is io.FileIO and raw.readable() and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
    )


def _rewind(file: BinaryIO) -> bool:
    """Move to the first byte, if the file object supports that."""
    if not hasattr(file, "seek") or not getattr(file, "seekable", lambda: True)():
        return False
    try:
        # The end first: a buffer believes to be where it was although its file has been moved.
        file.seek(0, io.SEEK_END)
    except (OSError, NotImplementedError):  # despite seekable() returning True
        return False
    file.seek(0)
    return True


class FileView(io.RawIOBase):
    """Read-only view of the bytes of a track, with a position of its own.

    Parameters
    ----------
    source : Source
        The bytes.
    start, stop : int, default=0, None
        First and last (exclusive) offset of the view. None is the end.
    head : bytes, default=b""
        Bytes that precede those of `source` in the view.
    """

    def __init__(self, source: Source, start: int = 0, stop: int | None = None, head: bytes = b""):
        self._source = source
        self._start = start
        self._stop = source.size if stop is None else stop
        self._head = head
        self._position = 0
        self.size = max(0, len(head) + self._stop - start)

    def part(self, start: int, stop: int | None = None, head: bytes = b"") -> FileView:
        """View a part of this view, behind other bytes."""
        shift = self._start - len(self._head)
        stop = self._stop if stop is None else stop + shift
        return FileView(self._source, start + shift, stop, head)

    def at(self, start: int, n: int) -> bytes:
        """Return up to `n` bytes from an offset, without moving."""
        head = self._head[start : start + n]
        offset = self._start + max(0, start - len(self._head))
        n = min(n - len(head), max(0, self._stop - offset))
        return head + self._source.read_at(n, offset)

    def descriptor(self) -> int | None:
        """Return a descriptor for decoders that read files themselves, if that is possible."""
        is_whole = self.size == self._source.size and not self._start and not self._head
        return self._source.descriptor() if is_whole else None

    def readable(self) -> bool:
        """As in :class:`io.RawIOBase`."""
        return True

    def seekable(self) -> bool:
        """As in :class:`io.RawIOBase`."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As in :class:`io.RawIOBase`."""
        self._position = max(0, offset + (0, self._position, self.size)[whence])
        return self._position

    def readinto(self, buffer) -> int:
        """As in :class:`io.RawIOBase`, but fill the buffer: decoders take less for the end."""
        target = memoryview(buffer).cast("B")
        data = self.at(self._position, len(target))
        target[: len(data)] = data
        self._position += len(data)
        return len(data)
