"""Reading and writing of model files: zip archives of a JSON manifest and plain arrays."""

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

#: Version of the format, which is increased by every change that earlier versions cannot read.
FORMAT = 2

MANIFEST = "manifest.json"

#: Maximum size of the manifest in bytes.
_MOST_MANIFEST = 2 << 20

#: Limits of the total unpacked size in bytes: for all files, for small files, and as a multiple of
#: the size of the file.
_MOST_BYTES, _MOST_SMALL, _MOST_TIMES = 1 << 30, 64 << 20, 20

#: Maximum size of the central directory of the zip archive in bytes, about 10,000 members.
_MOST_DIRECTORY = 1 << 20

#: Sizes of the end record of a zip archive, and of the locator before it in a ZIP64 archive.
_END, _LOCATOR = 22, 20

#: Number of bytes that are unpacked at once.
_PIECE = 1 << 20

#: Maximum nesting depth of the manifest.
_MOST_DEPTH = 60

_DTYPES = {name: np.dtype(f"<{name}") for name in ("f4", "f8", "i4", "i8", "u1")}

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

#: Control characters except for line breaks and tabs, surrogates, and bidirectional controls.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


class ModelFileError(ValueError):
    """Error if a model cannot be saved or a model file cannot be loaded.

    Parameters
    ----------
    path : str
        Path of the file.
    reason : str
        Reason for the error.

    Attributes
    ----------
    path : str
        Path of the file.
    reason : str
        Reason for the error.
    """

    def __init__(self, path: str, reason: str):
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class Refused(ValueError):
    """Error if a part of a model or of a model file is not allowed.

    Parameters
    ----------
    reason : str
        Reason for the error, which follows the name of the part in the message.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason
        #: Names of the nested parts of the model that contain the error, outermost first.
        self.where: list[str] = []

    def __str__(self) -> str:
        return f"{'.'.join(self.where)} {self.reason}".strip()


_ORDERS: tuple[Literal["C", "F"], ...] = ("C", "F")


class ArrayWriter:
    """Collects the arrays of a model file."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {}
        self.listed: dict[str, dict] = {}

    def add(self, array: np.ndarray) -> str:
        """Add an array and return the name of its member in the zip archive."""
        array = np.asarray(array, array.dtype.newbyteorder("<"))
        name = f"arrays/{len(self.members)}.npy"
        # Keep the memory order, since rounding errors of matrix products depend on it.
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
    """Reads the arrays of an open model file. Each array can be read only once."""

    def __init__(self, archive: zipfile.ZipFile, listed: dict):
        self._archive = archive
        self._listed = listed
        self._left = set(listed)

    def take(self, name: Any, dtypes: Sequence[str]) -> np.ndarray:
        """Read an array of one of the given dtypes.

        Raises
        ------
        Refused
            If the array does not exist, has another dtype or a wrong checksum, or was read before.
        """
        if not isinstance(name, str) or name not in self._left:
            raise Refused(f"{name!r:.100} is not an array of the file, or is used twice")
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
            raise Refused(f"contains {name} with a wrong checksum")
        order = next((order for order in _ORDERS if content.startswith(headers[order])), None)
        if order is None:
            raise Refused(f"{name} is not an array of dtype {dtype} and shape {entry['shape']}")
        # `content` is a bytearray, so the array is writable, as scikit-learn requires.
        values = np.frombuffer(content, _DTYPES[dtype], offset=len(headers[order]))
        return values.reshape(shape, order=order)

    def check_all_taken(self) -> None:
        """Raise Refused if the file contains arrays that were not read."""
        if self._left:
            raise Refused(f"contains arrays that are not used: {sorted(self._left)[:5]}")


def to_bytes(manifest: dict, arrays: ArrayWriter) -> memoryview:
    """Return the content of a model file."""
    text = json.dumps({**manifest, "arrays": arrays.listed}, indent=1, allow_nan=False)
    members = {MANIFEST: text.encode(), **arrays.members}
    unpacked = sum(map(len, members.values()))
    # Loading rejects very high compression ratios. If necessary, do not compress.
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        if unpacked <= _most_unpacked(file.tell()):
            break
    return file.getbuffer()


def _most_unpacked(size: int) -> int:
    """Return the maximum unpacked size of a file of the given size, in bytes."""
    return min(_MOST_BYTES, max(_MOST_SMALL, _MOST_TIMES * size))


@contextlib.contextmanager
def open_archive(path: str) -> Iterator[tuple[zipfile.ZipFile, int]]:
    """Open a model file as a zip archive.

    Errors that are raised in the ``with`` block are converted to ModelFileError.

    Yields
    ------
    archive : ZipFile
        Open archive.
    size : int
        Size of the file in bytes.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ModelFileError
        If the file is not a valid model file.
    """
    # Without O_NONBLOCK, opening a named pipe would block.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise ModelFileError(path, "cannot be loaded: it is not a regular file")
    size = status.st_size
    with os.fdopen(descriptor, "rb") as file:
        try:
            _check_directory(file, size)
            with zipfile.ZipFile(file) as archive:
                yield archive, size
        except Refused as error:
            raise ModelFileError(path, f"cannot be loaded: {error}") from error
        except Exception as error:  # zipfile and others may raise anything for malicious files
            raise ModelFileError(
                path, f"is not a model file, or damaged: {one_line(error)}"
            ) from error


def _check_directory(file: BinaryIO, size: int) -> None:
    file.seek(max(0, size - _END - _LOCATOR))
    tail = file.read()
    end = tail[-_END:]
    if len(end) < _END or not end.startswith(b"PK\5\6"):
        raise Refused("is not a model file, or damaged: it has no end record of a zip archive")
    # zipfile creates an object for each entry of the directory, so limit the size of the directory.
    if struct.unpack_from("<I", end, 12)[0] > _MOST_DIRECTORY or tail.startswith(b"PK\6\7"):
        raise Refused("has too many members")


def read_manifest(archive: zipfile.ZipFile, size: int) -> dict:
    """Read and validate the manifest without reading any arrays.

    Parameters
    ----------
    archive : ZipFile
        Open archive.
    size : int
        Size of the file in bytes.

    Returns
    -------
    manifest : dict

    Raises
    ------
    Refused
        If the file is damaged, was written by a later version, is too large when unpacked, or
        contains members that are not in the manifest.
    """
    members = archive.infolist()
    sizes = {member.filename: member.file_size for member in members}
    if len(sizes) < len(members):
        raise Refused("has two members with the same name")
    if any(member.compress_type not in _METHODS for member in members):
        raise Refused("has members with another compression method than deflate")
    if MANIFEST not in sizes:
        raise Refused(f"is not a model file: it has no {MANIFEST}")
    unpacked = sum(sizes.values())
    if unpacked > _most_unpacked(size):
        raise Refused(f"unpacks from {size} to {unpacked} bytes, which is too large")
    if sizes[MANIFEST] > _MOST_MANIFEST:
        raise Refused(
            f"has a manifest of {sizes[MANIFEST]} bytes, more than the maximum {_MOST_MANIFEST}"
        )
    manifest = json.loads(
        _read(archive, archive.getinfo(MANIFEST)),
        object_pairs_hook=_unique,
        parse_constant=_no_constant,
        parse_float=_finite,
    )
    if not isinstance(manifest, dict):
        raise Refused("has a manifest that is not a JSON object")
    found = manifest.get("format")
    if type(found) is not int or found < 1:
        raise Refused(f"has an invalid format {found!r:.100}")
    if found > FORMAT:
        raise Refused(
            f"has format {found}, from a later version of skgenre; this version reads {FORMAT}"
        )
    if found < FORMAT:
        raise Refused(f"has format {found}, which is no longer supported; save the model again")
    _check_text(manifest)
    expected = {"format", "description", "versions", "model", "arrays"}
    if manifest.keys() != expected:
        differing = sorted(manifest.keys() ^ expected)[:5]
        raise Refused(f"has a manifest with missing or unknown keys: {differing}")
    versions = manifest["versions"]
    if not isinstance(manifest["description"], str) or not isinstance(versions, dict):
        raise Refused("has a manifest with a description or versions of the wrong type")
    if not all(isinstance(version, str) for version in versions.values()):
        raise Refused("has versions that are not strings")
    _check_arrays(manifest["arrays"], sizes)
    return manifest


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytearray:
    """Read a member up to its declared size. ``ZipFile.read`` would unpack all of it first."""
    content = bytearray(info.file_size)
    view = memoryview(content)
    done = 0
    with archive.open(info) as member:
        while n := member.readinto(view[done : done + _PIECE]):  # type: ignore[attr-defined]
            done += n
    if done < len(content):
        raise Refused(f"contains {info.filename}, which ends early")
    return content


def _check_arrays(listed: Any, sizes: dict[str, int]) -> None:
    if not isinstance(listed, dict) or listed.keys() != sizes.keys() - {MANIFEST}:
        names = listed if isinstance(listed, dict) else ()
        differing = sorted(set(names) ^ (sizes.keys() - {MANIFEST}))
        raise Refused(f"has a manifest that differs from the members in {differing[:5]}")
    for name, entry in listed.items():
        if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "sha256"}:
            raise Refused(f"describes {name} with other keys than dtype, shape and sha256")
        shape = entry["shape"]
        plain = isinstance(shape, list) and len(shape) <= 6
        if not plain or not all(type(n) is int and 0 <= n < 2**40 for n in shape):
            raise Refused(f"describes {name} with an invalid shape {shape!r:.100}")
        if not isinstance(entry["dtype"], str) or entry["dtype"] not in _DTYPES:
            raise Refused(f"describes {name} with an invalid dtype {entry['dtype']!r:.100}")
        dtype = _DTYPES[entry["dtype"]]
        n_bytes = math.prod(shape) * dtype.itemsize + len(_header(dtype, tuple(shape)))
        if n_bytes != sizes[name]:
            raise Refused(f"describes {name} with {n_bytes} bytes, but it has {sizes[name]} bytes")


def _header(dtype: np.dtype, shape: tuple[int, ...], order: str = "C") -> bytes:
    """Return the expected header of an ``.npy`` file, so that headers need not be parsed."""
    file = io.BytesIO()
    described = {"descr": dtype.str, "fortran_order": order == "F", "shape": shape}
    np.lib.format.write_array_header_1_0(file, described)
    return file.getvalue()


def _unique(pairs: list[tuple[str, Any]]) -> dict:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise Refused("has a manifest with a duplicate key")
    return found


def _no_constant(name: str):
    raise Refused(f"has a manifest with {name}, which is not valid JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise Refused(f"has a manifest with the number {text:.50}, which is too large")
    return number


def _check_text(manifest: dict) -> None:
    """Check all strings and the nesting depth of the manifest."""
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
        raise Refused(f"has a manifest with more than {_MOST_DEPTH} nested levels")


def check_text(text: str, *, several_lines: bool = False) -> None:
    """Raise Refused for control characters, which could manipulate the output on a terminal."""
    found = _CONTROL.search(text) or (None if several_lines else re.search("[\n\t]", text))
    if found:
        raise Refused(f"contains the control character {found[0]!r} in the text {text[:50]!r}")


def _checksum(content: bytes | bytearray) -> str:
    """Return the SHA-256 checksum of a member."""
    return hashlib.sha256(content).hexdigest()


def one_line(error: Exception) -> str:
    """Return the message of an error in one line, or its type if the message is empty."""
    return " ".join(str(error).split()) or type(error).__name__
