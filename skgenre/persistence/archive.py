"""The file around a model: a zip of a manifest, arrays and a schema, checked before use."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path, PurePosixPath

import numpy as np

from .._files import replace_file

#: Raised with every change that an earlier release could not read.
FORMAT = 1

MANIFEST, SCHEMA = "manifest.json", "model/schema.json"

#: What a file may hold unpacked: so many bytes, or so many times its own size.
_MOST_BYTES, _MOST_TIMES = 1 << 26, 100


class ModelFileError(ValueError):
    """A model file that cannot be written, or that is refused.

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


class _Refused(ValueError):
    """Why an archive is not unpacked, although it could be."""


def write(path: Path, manifest: dict, members: dict[str, bytes]) -> None:
    """Write a model file, replacing an earlier one whole.

    Parameters
    ----------
    path : Path
    manifest : dict
        What it says of itself; the checksums of the members are added.
    members : dict of str to bytes
    """
    manifest["members"] = {name: checksum(content) for name, content in members.items()}
    # NumPy's numbers, which a search may have set, are written as Python's.
    text = json.dumps(manifest, indent=1, default=lambda number: number.item())
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {MANIFEST: text.encode(), **members}.items():
            archive.writestr(name, content)
    replace_file(path, file.getbuffer())


def to_bytes(value: np.ndarray) -> bytes:
    """Content of an ``.npy`` file."""
    file = io.BytesIO()
    np.save(file, value, allow_pickle=False)
    return file.getvalue()


def read(path: str) -> tuple[dict, dict[str, bytes]]:
    """Unpack a file and check it as far as that goes without making anything of it."""
    content = Path(path).read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _unpack(archive, len(content))
    except _Refused as error:
        raise ModelFileError(path, f"is refused: {error}") from error
    except Exception as error:  # zipfile and zlib have many
        raise ModelFileError(
            path, f"is not a model file, or damaged ({one_line(error)})"
        ) from error
    try:
        manifest = json.loads(members.pop(MANIFEST, b""))
        found = manifest["format"]
        if isinstance(found, int) and found > FORMAT:
            raise ModelFileError(
                path, f"is of format {found}, of a later skgenre; this one knows {FORMAT}"
            )
        _check_manifest(manifest, members)
    except ModelFileError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(
            path, f"is not a model file, or damaged ({one_line(error)})"
        ) from error
    return manifest, members


def _unpack(archive: zipfile.ZipFile, size: int) -> dict[str, bytes]:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    for name in names:
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts or "\\" in name or ":" in name:
            raise _Refused(f"the member {name!r} lies outside the archive")
    if len(set(names)) < len(names):
        raise _Refused("two members have the same name")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > max(_MOST_BYTES, _MOST_TIMES * size):
        raise _Refused(f"{size} bytes would unpack to {unpacked}: a zip bomb")
    return {entry.filename: archive.read(entry) for entry in entries}


def _check_manifest(manifest: dict, members: dict[str, bytes]) -> None:
    if manifest["format"] != FORMAT:
        raise ValueError(f"format {manifest['format']!r} is not known")
    listed = manifest["members"]
    if listed.keys() != members.keys():
        differing = sorted(listed.keys() ^ members.keys())
        raise ValueError(f"the manifest and the members differ in {differing[:5]}")
    if SCHEMA not in members:
        raise ValueError(f"there is no {SCHEMA}")
    for name, content in members.items():
        if checksum(content) != listed[name]:
            raise ValueError(f"the checksum of {name} is wrong")
        if name.endswith(".npy"):
            _check_array(name, content)
        elif name != SCHEMA:
            raise ValueError(f"{name} is neither an array nor the schema")
    if not all(
        isinstance(v, str) for v in [manifest["description"], *manifest["versions"].values()]
    ):
        raise TypeError("the description and the versions must be text")
    if not isinstance(manifest["networks"], list):
        raise TypeError("networks must be a list")


def _check_array(name: str, content: bytes) -> None:
    """Check that a header promises what follows it, before memory is allocated for it."""
    file = io.BytesIO(content)
    try:
        major = np.lib.format.read_magic(file)[0]
        read_header = getattr(np.lib.format, f"read_array_header_{major}_0")
        shape, _, dtype = read_header(file)
    except Exception as error:  # ast and tokenize have their own
        raise ValueError(f"{name} is no array ({one_line(error)})") from error
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which would be pickled")
    n_values = 1
    for n in shape:
        n_values *= int(n)
    if min(shape, default=0) < 0 or n_values * dtype.itemsize != len(content) - file.tell():
        raise ValueError(f"{name} promises {shape} of {dtype} and is of another size")


def checksum(content: bytes) -> str:
    """SHA-256 of a member."""
    return hashlib.sha256(content).hexdigest()


def one_line(error: Exception) -> str:
    """Put an error in one line; some say nothing."""
    return " ".join(str(error).split()) or type(error).__name__
