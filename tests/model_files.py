"""Model files taken apart and put together again, for files that `save` would not write."""

import io
import json
import zipfile

import numpy as np


def read_members(content):
    """The members of a model file by name."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(members, method=zipfile.ZIP_DEFLATED):
    """The content of a zip archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def unpack(path):
    """The manifest of a model file, and its arrays by name."""
    members = read_members(path.read_bytes())
    manifest = json.loads(members.pop("manifest.json"))
    return manifest, {name: np.load(io.BytesIO(content)) for name, content in members.items()}


def pack(manifest, arrays):
    """The content of a model file, with arrays or the bytes of ``.npy`` files."""
    contents = {
        name: array if isinstance(array, bytes) else npy(array) for name, array in arrays.items()
    }
    return write_members({"manifest.json": json.dumps(manifest).encode(), **contents})
