"""The file around a model: a zip of a manifest in JSON and plain arrays, checked before use."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Literal

import numpy as np

#: Raised with every change that an earlier version could not read.
FORMAT = 2

MANIFEST = "manifest.json"

#: Largest manifest, in bytes.
_MOST_MANIFEST = 2 << 20

#: Largest sum of the unpacked members, in bytes: in any file, and as a multiple of its size.
_MOST_BYTES, _MOST_SMALL, _MOST_TIMES = 1 << 30, 64 << 20, 20

#: Largest directory of the zip, in bytes: some 10,000 members.
_MOST_DIRECTORY = 1 << 20

#: Sizes of the record that ends a zip, and of the one before it in a zip of more than 4 GB.
_END, _LOCATOR = 22, 20

#: Bytes that are unpacked at once.
_PIECE = 1 << 20

#: How deep lists and objects may nest in the manifest.
_MOST_DEPTH = 60

_DTYPES = {name: np.dtype(f"<{name}") for name in ("f4", "f8", "i4", "i8", "u1")}

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

#: Control characters but for line breaks and tabs, surrogates, and changes of direction.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


class ModelFileError(ValueError):
    """A model that cannot be saved, or a model file that is refused.

    Parameters
    ----------
    path : str
        The file.
    reason : str
        What is wrong with it.
    """

    def __init__(self, path: str, reason: str):
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Refused(ValueError):
    """A reason to refuse a model file, or to save a model.

    Parameters
    ----------
    reason : str
        What is wrong.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason
        #: The part of the model that it is wrong with, outermost first.
        self.where: list[str] = []

    def __str__(self) -> str:
        return f"{'.'.join(self.where)} {self.reason}".strip()


_ORDERS: tuple[Literal["C", "F"], ...] = ("C", "F")


class ArrayWriter:
    """Arrays on their way into a file, by the names of their members."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {}
        self.listed: dict[str, dict] = {}

    def add(self, array: np.ndarray) -> str:
        """Add an array and return its name."""
        array = np.asarray(array, array.dtype.newbyteorder("<"))
        name = f"arrays/{len(self.members)}.npy"
        # The order is kept, since products differ in their last bits with it.
        order: Literal["C", "F"] = "F" if array.flags.fnc else "C"
        header = _header(array.dtype, array.shape, order)
        self.members[name] = header + array.tobytes(order)
        self.listed[name] = {
            "dtype": array.dtype.str.lstrip("<|"),
            "shape": list(array.shape),
            "sha256": _checksum(self.members[name]),
        }
        return name


class ArrayReader:
    """Arrays of an open file. Each is read once, when it is asked for."""

    def __init__(self, archive: zipfile.ZipFile, listed: dict):
        self._archive = archive
        self._listed = listed
        self._left = set(listed)

    def take(self, name: Any, dtypes: Sequence[str]) -> np.ndarray:
        """Read an array of a known type.

        Raises
        ------
        Refused
            If there is none, it is of another type or used twice, or its checksum is wrong.
        """
        if not isinstance(name, str) or name not in self._left:
            raise Refused(f"{name!r:.100} is no array of the file, or used twice")
        self._left.discard(name)
        entry = self._listed[name]
        dtype = entry["dtype"]
        if dtype not in dtypes:
            raise Refused(f"has dtype {dtype}, expected {' or '.join(dtypes)}")
        shape = tuple(entry["shape"])
        headers = {order: _header(_DTYPES[dtype], shape, order) for order in _ORDERS}
        info = self._archive.getinfo(name)
        content = _read(self._archive, info)
        if _checksum(content) != entry["sha256"]:
            raise Refused(f"the checksum of {name} is wrong")
        order = next((order for order in _ORDERS if content.startswith(headers[order])), None)
        if order is None:
            raise Refused(f"{name} is not an array of dtype {dtype} and shape {entry['shape']}")
        # Writable, as scikit-learn's compiled code wants it.
        values = np.frombuffer(content, _DTYPES[dtype], offset=len(headers[order]))
        return values.reshape(shape, order=order)

    def check_all_taken(self) -> None:
        """Raise Refused if an array is not part of the model."""
        if self._left:
            raise Refused(f"{sorted(self._left)[:5]} are not part of the model")


def to_bytes(manifest: dict, arrays: ArrayWriter) -> memoryview:
    """Content of a model file."""
    text = json.dumps({**manifest, "arrays": arrays.listed}, indent=1, allow_nan=False)
    members = {MANIFEST: text.encode(), **arrays.members}
    unpacked = sum(map(len, members.values()))
    # What compresses too well to be loaded again is stored as it is.
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        if unpacked <= _most_unpacked(file.tell()):
            break
    return file.getbuffer()


def _most_unpacked(size: int) -> int:
    """Bytes that a file of a size may unpack to."""
    return min(_MOST_BYTES, max(_MOST_SMALL, _MOST_TIMES * size))


@contextlib.contextmanager
def open_archive(path: str) -> Iterator[tuple[zipfile.ZipFile, int]]:
    """Open a regular file as a zip.

    Yields
    ------
    archive : ZipFile
    size : int
        Size of the file, in bytes.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ModelFileError
        If it is refused, there or in the block.
    """
    # Opening a pipe would wait.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise ModelFileError(path, "is refused: it is not a regular file")
    size = status.st_size
    with os.fdopen(descriptor, "rb") as file:
        try:
            _check_directory(file, size)
            with zipfile.ZipFile(file) as archive:
                yield archive, size
        except Refused as error:
            raise ModelFileError(path, f"is refused: {error}") from error
        except Exception as error:  # what hostile or damaged files make zipfile and others raise
            raise ModelFileError(
                path, f"is not a model file, or damaged: {one_line(error)}"
            ) from error


def _check_directory(file: BinaryIO, size: int) -> None:
    file.seek(max(0, size - _END - _LOCATOR))
    tail = file.read()
    end = tail[-_END:]
    if len(end) < _END or not end.startswith(b"PK\5\6"):
        raise Refused("is not a model file, or damaged: it does not end as a zip")
    # zipfile makes an object of each entry of the directory, whose size is written here.
    if struct.unpack_from("<I", end, 12)[0] > _MOST_DIRECTORY or tail.startswith(b"PK\6\7"):
        raise Refused("has too many members")


def read_manifest(archive: zipfile.ZipFile, size: int) -> dict:
    """Read the manifest and check the list of arrays against the members, reading none.

    Parameters
    ----------
    archive : ZipFile
    size : int
        Size of the file, in bytes.

    Raises
    ------
    Refused
        For a file that is damaged, of a later version, too large unpacked, or has members that
        are not in its manifest.
    """
    members = archive.infolist()
    sizes = {member.filename: member.file_size for member in members}
    if len(sizes) < len(members):
        raise Refused("two members have the same name")
    if any(member.compress_type not in _METHODS for member in members):
        raise Refused("has members that are compressed by another method than deflate")
    if MANIFEST not in sizes:
        raise Refused(f"is not a model file: it has no {MANIFEST}")
    unpacked = sum(sizes.values())
    if unpacked > _most_unpacked(size):
        raise Refused(f"unpacks from {size} to {unpacked} bytes, which is too much")
    if sizes[MANIFEST] > _MOST_MANIFEST:
        raise Refused(f"has a manifest of {sizes[MANIFEST]} bytes, above {_MOST_MANIFEST}")
    manifest = json.loads(
        _read(archive, archive.getinfo(MANIFEST)),
        object_pairs_hook=_unique,
        parse_constant=_no_constant,
        parse_float=_finite,
    )
    if not isinstance(manifest, dict):
        raise Refused("has a manifest that is no object")
    found = manifest.get("format")
    if type(found) is not int or found < 1:
        raise Refused(f"has a manifest of format {found!r:.100}")
    if found > FORMAT:
        raise Refused(f"is of format {found}, from a later version; this one reads {FORMAT}")
    if found < FORMAT:
        raise Refused(f"is of format {found}, which is no longer read; save the model again")
    _check_text(manifest)
    expected = {"format", "description", "versions", "model", "arrays"}
    if manifest.keys() != expected:
        raise Refused(f"has a manifest of other keys: {sorted(manifest.keys() ^ expected)[:5]}")
    versions = manifest["versions"]
    if not isinstance(manifest["description"], str) or not isinstance(versions, dict):
        raise Refused("has a manifest whose description or versions are of another type")
    if not all(isinstance(version, str) for version in versions.values()):
        raise Refused("has versions that are not text")
    _check_arrays(manifest["arrays"], sizes)
    return manifest


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytearray:
    """Read a member and no more than its size: ``ZipFile.read`` first unpacks all there is."""
    content = bytearray(info.file_size)
    view = memoryview(content)
    done = 0
    with archive.open(info) as member:
        while n := member.readinto(view[done : done + _PIECE]):  # type: ignore[attr-defined]
            done += n
    if done < len(content):
        raise Refused(f"{info.filename} ends early")
    return content


def _check_arrays(listed: Any, sizes: dict[str, int]) -> None:
    if not isinstance(listed, dict) or listed.keys() != sizes.keys() - {MANIFEST}:
        names = listed if isinstance(listed, dict) else ()
        differing = sorted(set(names) ^ (sizes.keys() - {MANIFEST}))
        raise Refused(f"the manifest and the members differ in {differing[:5]}")
    for name, entry in listed.items():
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "sha256"}:
            raise Refused(f"{name} is described by other keys than dtype, shape and sha256")
        shape = entry["shape"]
        plain = isinstance(shape, list) and len(shape) <= 6
        if not plain or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
            raise Refused(f"{name} has the shape {shape!r:.100}")
        if not isinstance(entry["dtype"], str) or entry["dtype"] not in _DTYPES:
            raise Refused(f"{name} has the dtype {entry['dtype']!r:.100}")
        dtype = _DTYPES[entry["dtype"]]
        n_bytes = math.prod(shape) * dtype.itemsize + len(_header(dtype, tuple(shape)))
        if n_bytes != sizes[name]:
            raise Refused(f"{name} takes {n_bytes} bytes as described and has {sizes[name]}")


def _header(dtype: np.dtype, shape: tuple[int, ...], order: str = "C") -> bytes:
    """Header of an ``.npy`` file, so that none has to be parsed."""
    file = io.BytesIO()
    described = {"descr": dtype.str, "fortran_order": order == "F", "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def _unique(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused("has a manifest in which a key occurs twice")
    return found


def _no_constant(name: str):
    raise Refused(f"has a manifest with {name}, which is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Refused(f"has a manifest with the number {text:.50}, which is too large")
    return number


def _check_text(manifest: dict) -> None:
    """Check all text, and how deep the manifest nests."""
    level: list = [manifest]
    for _ in range(_MOST_DEPTH):
        below: list = []
        for item in level:
            for value in (*item, *item.values()) if isinstance(item, dict) else item:
                if isinstance(value, str):
                    check_text(value, several_lines=value is manifest.get("description"))
                elif isinstance(value, dict | list):
                    below.append(value)
        level = below
    if level:
        raise Refused(f"has a manifest that nests deeper than {_MOST_DEPTH} levels")


def check_text(text: str, *, several_lines: bool = False) -> None:
    """Raise Refused for control characters, which could change what a terminal shows."""
    found = _CONTROL.search(text) or (None if several_lines else re.search("[\n\t]", text))
    if found:
        raise Refused(f"the text {text[:50]!r} has the control character {found[0]!r}")


def _checksum(content: bytes | bytearray) -> str:
    """SHA-256 of a member."""
    return hashlib.sha256(content).hexdigest()


def one_line(error: Exception) -> str:
    """Put the message of an error in one line, or its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__
