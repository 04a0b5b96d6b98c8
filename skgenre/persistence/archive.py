"""The container of model files: a zip archive of a JSON manifest and plain arrays.

The sizes that the archive declares are checked before anything is unpacked, and no more than them
is unpacked. All sizes are in bytes.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import stat
import struct
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Any

import numpy as np

#: Version of the format, which is increased by every change that earlier versions cannot read.
FORMAT = 3

MANIFEST = "manifest.json"
MAX_MANIFEST = 2 << 20

#: Maximum unpacked size: of any file, as a multiple of the size of the file, and the size up to
#: which the multiple does not matter.
MAX_UNPACKED, MAX_RATIO, MAX_UNPACKED_SMALL = 1 << 30, 20, 64 << 20

#: Maximum size of the central directory of the zip archive, about 10,000 members.
MAX_DIRECTORY = 1 << 20

#: Sizes of the end record of a zip archive, of the locator before it in a ZIP64 archive, and of
#: the header before each member without its name.
_END, _LOCATOR, _MEMBER_HEADER = 22, 20, 30

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
        Reason for the error, which follows the names of the part in the message.
    """

    def __init__(self, reason: str):
        super().__init__(reason)
        #: Names of the nested parts of the model that contain the error, outermost first.
        self.where: list[str] = []

    def __str__(self) -> str:
        return f"{'.'.join(self.where)} {self.args[0]}".strip()


class ArrayWriter:
    """Collects the arrays of a model file."""

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {}

    def add(self, array: np.ndarray) -> str:
        """Add an array and return the name of its member in the zip archive."""
        file = io.BytesIO()
        # Keeps the memory order, since rounding errors of matrix products depend on it.
        np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
        name = f"arrays/{len(self.members)}.npy"
        self.members[name] = file.getvalue()
        return name


class ArrayReader:
    """Reads the arrays of an open model file. Each array can be read only once.

    Parameters
    ----------
    archive : ZipFile
        Open archive.
    size : int
        Size of the file.
    """

    def __init__(self, archive: zipfile.ZipFile, size: int):
        self._archive = archive
        self._remaining = set(archive.namelist()) - {MANIFEST}
        self._max_unpacked = min(MAX_UNPACKED, max(MAX_UNPACKED_SMALL, MAX_RATIO * size))
        self._n_unpacked = 0
        self.count(sum(member.file_size for member in archive.infolist()))

    def count(self, n_bytes: int) -> None:
        """Add to the unpacked size, also what takes more memory than in the file, such as labels.

        Raises
        ------
        Refused
            If the file is too large when unpacked.
        """
        self._n_unpacked += n_bytes
        if self._n_unpacked > self._max_unpacked:
            raise Refused(f"unpacks to {self._n_unpacked} bytes, more than {self._max_unpacked}")

    def take(self, name: Any, dtypes: Sequence[str | np.dtype]) -> np.ndarray:
        """Read an array of one of the given dtypes.

        Raises
        ------
        Refused
            If the array does not exist, is damaged, has another dtype, or was read before.
        """
        if not isinstance(name, str) or name not in self._remaining:
            raise Refused(f"{name!r:.100} is not an array of the file, or is used twice")
        self._remaining.discard(name)
        with self._archive.open(name) as member:
            np.lib.format.read_magic(member)
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(member)
            if dtype not in [np.dtype(each) for each in dtypes]:
                raise Refused(f"has dtype {dtype}, expected {' or '.join(map(str, dtypes))}")
            content = _read(member, self._archive.getinfo(name).file_size)
        # NumPy's `read_array` would first allocate the size that the header of the array states.
        return np.frombuffer(content, dtype).reshape(shape, order="F" if is_fortran else "C")

    def check_all_taken(self) -> None:
        """Raise Refused if the file contains members that were not read."""
        if self._remaining:
            raise Refused(f"contains members that are not used: {sorted(self._remaining)[:5]}")


def to_bytes(manifest: dict, arrays: ArrayWriter) -> memoryview:
    """Return the content of a model file."""
    text = json.dumps(manifest, indent=1, allow_nan=False)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {MANIFEST: text.encode(), **arrays.members}.items():
            archive.writestr(name, content)
    return file.getbuffer()


@contextlib.contextmanager
def open_archive(path: str) -> Iterator[tuple[zipfile.ZipFile, int]]:
    """Open a model file as a zip archive.

    Errors that are raised in the ``with`` block are converted to ModelFileError.

    Yields
    ------
    archive : ZipFile
        Open archive.
    size : int
        Size of the file.

    Raises
    ------
    OSError
        If the file cannot be opened.
    ModelFileError
        If the file is not a valid model file.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):  # opening a named pipe would block
        raise ModelFileError(path, "cannot be loaded: it is not a regular file")
    with open(path, "rb") as file:
        try:
            _check_directory(file, status.st_size)
            with zipfile.ZipFile(file) as archive:
                yield archive, status.st_size
        except Refused as error:
            raise ModelFileError(path, f"cannot be loaded: {error}") from error
        except Exception as error:  # zipfile and others may raise anything for malicious files
            raise ModelFileError(
                path, f"is not a model file, or damaged: {message_of(error)}"
            ) from error


def _check_directory(file: IO[bytes], size: int) -> None:
    file.seek(max(0, size - _END - _LOCATOR))
    tail = file.read()
    end = tail[-_END:]
    if len(end) < _END or not end.startswith(b"PK\5\6"):
        raise Refused(
            "is not a model file, or damaged: it has no end record of a zip archive. Files that "
            "joblib.dump has written are read by joblib.load, in Python"
        )
    # zipfile creates an object for each entry of the directory, so limit the size of the directory.
    if struct.unpack_from("<I", end, 12)[0] > MAX_DIRECTORY or tail.startswith(b"PK\6\7"):
        raise Refused("has too many members")


def read_manifest(archive: zipfile.ZipFile) -> dict:
    """Read and validate the manifest without reading any arrays.

    Raises
    ------
    Refused
        If the file is damaged or was written by another version.
    """
    _check_members(archive)
    with archive.open(MANIFEST) as member:
        manifest = json.loads(_read(member, MAX_MANIFEST))
    if not isinstance(manifest, dict):
        raise Refused("has a manifest that is not a JSON object")
    found = manifest.get("format")
    if type(found) is not int or found != FORMAT:
        raise Refused(
            f"has format {found!r:.100}, but this version of skgenre reads format {FORMAT}; save "
            "the model again, or load it with the version that wrote it"
        )
    expected = {"format", "description", "versions", "model"}
    if manifest.keys() != expected:
        differing = sorted(manifest.keys() ^ expected)[:5]
        raise Refused(f"has a manifest with missing or unknown keys: {differing}")
    description, versions = manifest["description"], manifest["versions"]
    if not isinstance(description, str) or not isinstance(versions, dict):
        raise Refused("has a manifest with a description or versions of the wrong type")
    if not all(isinstance(version, str) for version in versions.values()):
        raise Refused("has versions that are not strings")
    check_text(description, allow_lines=True)
    _check_texts([versions, manifest["model"]])
    return manifest


def _check_members(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    stop = 0
    for member in sorted(members, key=lambda member: member.header_offset):
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Refused("has members with another compression method than deflate")
        if member.header_offset < stop:
            raise Refused(f"has a member {member.filename!r:.100} that overlaps with another")
        stop = member.header_offset + _MEMBER_HEADER + member.compress_size
    if MANIFEST not in archive.namelist():
        raise Refused(f"is not a model file: it has no {MANIFEST}")
    if (size := archive.getinfo(MANIFEST).file_size) > MAX_MANIFEST:
        raise Refused(f"has a manifest of {size} bytes, more than {MAX_MANIFEST}")


def _read(member: IO[bytes], size: int) -> bytearray:
    """Read up to `size` bytes of a member; ``read`` without a size would unpack all of it.

    Arrays of a bytearray are writable, as scikit-learn requires.
    """
    return bytearray(member.read(size))


def _check_texts(value: Any) -> None:
    """Check all strings of the manifest."""
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, dict):
        _check_texts([*value.keys(), *value.values()])
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)


def check_text(text: str, *, allow_lines: bool = False) -> None:
    """Raise Refused for control characters, which could manipulate the output on a terminal."""
    found = _CONTROL.search(text) or (None if allow_lines else re.search("[\n\t]", text))
    if found:
        raise Refused(f"contains the control character {found[0]!r} in the text {text[:50]!r}")


def message_of(error: Exception) -> str:
    """Return the message of an error in one line, or its type if the message is empty."""
    return " ".join(str(error).split()) or type(error).__name__
