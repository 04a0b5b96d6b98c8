"""Model files taken apart and put together again, for files that `save` would not write."""

import hashlib
import io
import json
import zipfile

import numpy as np


def unpack(path):
    """The manifest of a model file, and its arrays by name."""
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        arrays = {name: np.load(archive.open(name)) for name in manifest["arrays"]}
    return manifest, arrays


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def repack(path, manifest, arrays, *, listed=True, more=()):
    """Write a model file; `listed` describes its arrays rightly, `more` are further members."""
    contents = {
        name: array if isinstance(array, bytes) else npy(array) for name, array in arrays.items()
    }
    if listed:
        manifest["arrays"] = {
            name: {
                "dtype": array.dtype.str.lstrip("<|"),
                "shape": list(array.shape),
                "sha256": hashlib.sha256(contents[name]).hexdigest(),
            }
            for name, array in arrays.items()
        }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", json.dumps(manifest))
        for name, content in [*contents.items(), *more]:
            archive.writestr(name, content)
