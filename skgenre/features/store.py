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
from sklearn.utils import Bunch

from .cache import versions
from .extractor import Report, TrackExtractor, check_paths

_FORMAT = 1
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
    folder = Path(folder)
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
    manifest = _describe(extractor, paths)
    found = _read_manifest(folder)
    if found is None:
        _allocate(folder, extractor, len(paths))
        _write_manifest(folder, manifest)
    elif {**found, "complete": False} != manifest:
        differing = [key for key in manifest if key != "complete" and found[key] != manifest[key]]
        raise ValueError(
            f"{folder} holds a store that differs in {', '.join(differing)}; use another folder, "
            "or delete this one"
        )
    elif found["complete"]:
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
    folder = Path(folder)
    manifest = _read_manifest(folder)
    if manifest is None:
        raise ValueError(f"{folder} holds no store: there is no {_MANIFEST}")
    if not manifest["complete"]:
        raise ValueError(f"{folder} is not finished; call extract_store again to go on")
    return Bunch(
        data=np.load(folder / _TENSOR, mmap_mode="r"),
        filenames=[name for name, _, _ in manifest["tracks"]],
    )


def _describe(extractor: TrackExtractor, paths: list) -> dict:
    """Say all that the content depends on."""
    parameters = extractor.get_params()
    for name in ("on_error", "memory", "n_jobs", "verbose"):  # how, not what
        del parameters[name]
    manifest = {
        "format": _FORMAT,
        "complete": False,
        "parameters": parameters,
        "versions": list(versions()),
        "tracks": [_identity(os.fspath(path)) for path in paths],
    }
    # As it is read back: NumPy's numbers, which a search may have set, are Python's then.
    return json.loads(json.dumps(manifest, default=lambda number: number.item()))


def _identity(path: str) -> list:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # extraction says what is wrong with it
        return [path, None, None]
    return [path, status.st_size, status.st_mtime_ns]


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
        or not manifest.keys() >= {"complete", "parameters", "versions", "tracks"}
    ):
        raise ValueError(f"{folder / _MANIFEST} is not of a store of this version")
    return manifest


def _write_manifest(folder: Path, manifest: dict) -> None:
    """Replace the manifest whole, so that none is ever seen half written."""
    new = folder / f"{_MANIFEST}.new"
    new.write_text(json.dumps(manifest))
    os.replace(new, folder / _MANIFEST)
