"""Tensors of more tracks than memory holds: a folder with a memory-mapped array.

A row is written, then its checksum; whatever ends the process between two tracks or within one,
the next call trusts the rows whose checksums are right and computes the others.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import Bunch

from .._paths import expand
from .cache import class_key, content_hash, stamp, versions
from .extractor import Report, TrackExtractor, check_paths

_FORMAT = 2
#: What of a manifest the array depends on; the rest is where files lie, and how far it is.
_WHAT = ("class", "parameters", "versions", "tracks")
_MANIFEST, _TENSOR, _CHECKSUMS = "manifest.json", "tensor.npy", "checksums.npy"


def extract_store(extractor: TrackExtractor, X, folder: str | os.PathLike) -> Bunch:
    """Compute the segments of tracks into a folder, going on where an earlier call ended.

    Parameters
    ----------
    extractor : TrackExtractor
        What to compute, such as a :class:`MFCCSegmenter`. Its `n_segments` must be a number,
        since the size of the store is fixed.
    X : list, array or Series of paths, or a DataFrame of one column
        The tracks. File objects have no name by which to find them again.
    folder : str or pathlib.Path
        Where to keep them; made if missing. It belongs to these tracks and parameters.

    Returns
    -------
    store : Bunch
        As :func:`load_store` gives.

    Raises
    ------
    ValueError
        If the folder holds other tracks, or was made with other parameters, files or versions of
        libraries; if another process is writing it; or if `n_segments` is None.
    UnreadableTracksError
        If ``on_error="raise"`` and tracks cannot be used. The others are kept, and the next call
        tries only these again.

    Notes
    -----
    One process at a time; another one is refused meanwhile. Memory does not grow with the number of
    tracks, but for their names.

    Examples
    --------
    >>> from skgenre import CNNClassifier, MFCCSegmenter, extract_store
    >>> store = extract_store(MFCCSegmenter(n_jobs=2), paths, "features")  # doctest: +SKIP
    >>> CNNClassifier().fit(store.data, genres)  # doctest: +SKIP
    """
    extractor.fit(X)
    paths = check_paths(X)
    if None in extractor.track_shape:
        raise ValueError("n_segments=None has no fixed size to store; set a number of segments")
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"Expected paths, got {path!r}, which cannot be found again by a name")
    folder = Path(expand(folder))
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        _extract_into(folder, extractor, paths)
    return load_store(folder)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from writing; the lock goes when the process does."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"another process is extracting into {folder} at the moment") from None
        yield
    finally:
        os.close(descriptor)


def _extract_into(folder: Path, extractor: TrackExtractor, paths: list) -> None:
    found = _read_manifest(folder)
    manifest = _describe(extractor, paths, found)
    if found is None:
        _allocate(folder, extractor, len(paths))
        _write_manifest(folder, manifest)
    else:
        differing = [key for key in _WHAT if found[key] != manifest[key]]
        if differing:
            raise ValueError(
                f"{folder} holds a store that differs in {', '.join(differing)}; use another "
                "folder, or delete this one"
            )
        manifest["complete"] = found["complete"]
        if found != manifest:  # files that were moved
            _write_manifest(folder, manifest)
        if found["complete"]:
            return
    tensor, checksums = (np.load(folder / name, "r+") for name in (_TENSOR, _CHECKSUMS))
    # Rows that were never written are not read: a new store is all of them.
    missing = [i for i, found in enumerate(checksums) if not found or found != _checksum(tensor[i])]
    report = Report(len(missing))
    tracks = extractor._extract_all([paths[i] for i in missing], report)
    for i, track in zip(missing, tracks, strict=True):
        row = np.full(tensor.shape[1:], np.nan, tensor.dtype)
        if track is not None:
            row[: len(track)] = track
        tensor[i] = row
        if track is not None:
            checksums[i] = _checksum(row)
    for array in (tensor, checksums):
        array.flush()
    report.conclude(extractor.on_error)
    _write_manifest(folder, {**manifest, "complete": True})


def load_store(folder: str | os.PathLike) -> Bunch:
    """Open what :func:`extract_store` has finished.

    Parameters
    ----------
    folder : str or pathlib.Path
        The store.

    Returns
    -------
    store : Bunch
        With ``data``, the memory-mapped tensor (n_tracks, n_segments, n_frames, n_mfcc),
        read-only, and ``filenames``, the path of each track. The networks read it batch by batch.

    Raises
    ------
    ValueError
        If the folder holds no store, or one that is not finished.
    """
    folder = Path(expand(folder))
    manifest = _read_manifest(folder)
    if manifest is None:
        raise ValueError(f"{folder} holds no store: there is no {_MANIFEST}")
    if not manifest["complete"]:
        raise ValueError(f"{folder} is not finished; call extract_store again to go on")
    return Bunch(
        data=np.load(folder / _TENSOR, mmap_mode="r"),
        filenames=[name for name, _ in manifest["files"]],
    )


def _describe(extractor: TrackExtractor, paths: list, found: dict | None) -> dict:
    """Say all that the content depends on, and where it came from.

    Files that lie as an earlier manifest has `found` them are not hashed again.
    """
    parameters = extractor.get_params()
    for name in ("on_error", "memory", "n_jobs", "verbose"):  # how, not what
        del parameters[name]
    files = [_identity(expand(path)) for path in paths]
    known = {}
    if found is not None:
        pairs = zip(found["files"], found["tracks"], strict=False)
        known = {(name, *place): content for (name, place), content in pairs if place}
    contents = Parallel(n_jobs=extractor.n_jobs, prefer="threads")(
        delayed(_content)(name, known.get((name, *(place or ())))) for name, place in files
    )
    manifest = {
        "format": _FORMAT,
        "complete": False,
        "class": class_key(type(extractor)),
        "parameters": parameters,
        "versions": list(versions()),
        "tracks": contents,
        "files": files,
    }
    # As it is read back: NumPy's numbers, which a search may have set, are Python's then.
    return json.loads(json.dumps(manifest, default=lambda number: number.item()))


def _identity(path: str) -> list:
    try:
        return [path, stamp(path)]
    except (OSError, ValueError):  # extraction says what is wrong with it
        return [path, None]


def _content(path: str, known: str | None) -> str | None:
    return content_hash(path) if known is None else known


def _allocate(folder: Path, extractor: TrackExtractor, n_tracks: int) -> None:
    # A header can be read back only of Python's own integers.
    shape = tuple(int(n) for n in (n_tracks, *extractor.track_shape) if n is not None)
    # Sparse files of zeros, whose checksums are not zero.
    np.lib.format.open_memmap(folder / _TENSOR, "w+", extractor.dtype, shape)
    np.lib.format.open_memmap(folder / _CHECKSUMS, "w+", np.uint32, (n_tracks,))


def _checksum(row: np.ndarray) -> int:
    """CRC-32 of a row; never 0, which stands for a row that is not there."""
    return zlib.crc32(np.ascontiguousarray(row).data) or 1


def _read_manifest(folder: Path) -> dict | None:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{folder / _MANIFEST} is damaged ({error}); delete {folder}") from error
    if (
        not isinstance(manifest, dict)
        or manifest.get("format") != _FORMAT
        or not manifest.keys() >= {"complete", "files", *_WHAT}
    ):
        raise ValueError(f"{folder / _MANIFEST} is not of a store of this version")
    return manifest


def _write_manifest(folder: Path, manifest: dict) -> None:
    """Replace the manifest whole, so that none is ever seen half written."""
    new = folder / f"{_MANIFEST}.new"
    new.write_text(json.dumps(manifest))
    os.replace(new, folder / _MANIFEST)
