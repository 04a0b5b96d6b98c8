"""Stores of features that do not fit in memory.

A store is a folder with

- ``tensor.npy``, the array, whose rows are in the order of the tracks, followed by the rows of
  tracks that were in earlier lists;
- ``index``, a list of records of two hashes: of the content of a track, and of its row, its
  checksum. A record is appended after each row;
- ``manifest.json``, which describes the front end, the list of files and, when the store is
  complete, the array.

A row belongs to a track if its checksum is that in the record of the track, wherever the row is. So
no interruption can assign a row to another track: the next call keeps all rows that have a record,
and computes the others. Rows are written with ordinary file operations, because a memory map would
kill the process when the disk is full (SIGBUS).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock, Timeout
from joblib import Parallel, delayed
from sklearn.utils import Bunch

from .._files import expand, replace_file
from .cache import content_hash, stamp, versions
from .class_key import class_key
from .errors import Report
from .front_end import FrontEnd, check_paths

_FORMAT = 6

#: Entries of the manifest that must be the same in all calls.
_FIXED = ("class", "parameters", "versions")

_MANIFEST, _TENSOR, _INDEX, _LOCK = "manifest.json", "tensor.npy", "index", "lock"
_NEW_TENSOR = "tensor.new"

#: Size of a hash of the content of a track, or of its row, in bytes.
_HASH = 16

#: Error codes for a full disk, an exceeded quota and the maximum file size.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def extract_store(extractor: FrontEnd, X, folder: str | os.PathLike) -> Bunch:
    """Extract the features of tracks into a folder, keeping those that it contains.

    Read more in the :ref:`User Guide <large_collections>`.

    Parameters
    ----------
    extractor : FrontEnd
        Front end, such as :class:`MFCCSegmenter`. Its `n_segments` must not be None, since the
        array has a fixed size.
    X : list, array or Series of paths, or DataFrame with one column
        Paths of the tracks. File objects are not supported.
    folder : str or pathlib.Path
        Folder of the store, which is created if needed. A store is specific to its front end,
        parameters and library versions.

    Returns
    -------
    store : Bunch
        See :func:`load_store`.

    Raises
    ------
    ValueError
        If the folder contains a store of another front end, other parameters or library versions;
        if another process is writing to it; if `n_segments` is None; or if the code of the front
        end cannot be recorded.
    OSError
        If the disk is full. Finished rows are kept, and the next call resumes there.
    UnreadableTracksError
        If ``on_error="raise"`` and some tracks cannot be used. The rows of the other tracks are
        kept, and the next call only retries the failed ones.

    Notes
    -----
    A store follows the list of tracks. If tracks were added, removed, reordered, moved or replaced
    since the last call, the rows of tracks with the same content are kept, and the others are
    computed. Rows of tracks that are not in the list are kept as well, behind those of the list, in
    case a later list contains them; extract into a new folder to save their space. If rows change
    their place, the array is copied, which temporarily requires disk space for both arrays. Damaged
    rows are computed again.

    The rows are those of `transform`: a store does not contain the changed copies of tracks that
    `augment` adds in training.

    Only one process at a time can write to a store; others raise an error. Apart from the paths
    and 100 bytes per track, memory use does not depend on the number of tracks.

    Examples
    --------
    >>> from skgenre import CNNClassifier, MFCCSegmenter, extract_store
    >>> store = extract_store(MFCCSegmenter(n_jobs=2), paths, "features")  # doctest: +SKIP
    >>> CNNClassifier().fit(store.data, genres)  # doctest: +SKIP
    """
    extractor.fit(X)
    paths = check_paths(X)
    if None in extractor.track_shape:
        raise ValueError(
            f"a track_shape of {extractor.track_shape} has no fixed size to store; set the number "
            "of segments, for example n_segments=10"
        )
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(
                f"extract_store requires paths, which identify the tracks; got {path!r}"
            )
    folder = Path(expand(folder))
    folder.mkdir(parents=True, exist_ok=True)
    found = _read_manifest(folder)
    manifest = _describe(extractor, paths, found)
    # Finished stores are not locked, so that they can be on a read-only file system.
    if _is_complete(folder, found, manifest, extractor.on_error):
        with contextlib.suppress(ValueError):  # damaged rows are computed again
            return load_store(folder)
    try:
        with FileLock(folder / _LOCK, timeout=0):  # released even if the process is killed
            _extract_into(folder, extractor, paths, manifest)
    except Timeout:
        raise ValueError(
            f"another process is extracting into {folder}; wait for it, or use another folder"
        ) from None
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OSError(
            error.errno,
            f"{error.strerror} while writing the store {folder}; free some space and call "
            "extract_store again to resume, or use another folder",
        ) from error
    return load_store(folder)


def _check_same(folder: Path, found: dict, manifest: dict) -> None:
    """Raise ValueError if a store is that of another front end."""
    differing = [key for key in _FIXED if found[key] != manifest[key]]
    if differing:
        is_edited = "class" in differing and found["name"] == manifest["name"]
        reason = f" (the code of {found['name']} has changed since)" if is_edited else ""
        raise ValueError(
            f"{folder} contains a store that differs in {', '.join(differing)}{reason}; use "
            "another folder, or delete this one"
        )


def _is_complete(folder: Path, found: dict | None, manifest: dict, on_error: str) -> bool:
    """Check whether a store with the manifest `found` contains exactly the tracks of `manifest`."""
    if found is None:
        return False
    _check_same(folder, found, manifest)
    if found["array"] is None or found["files"] != manifest["files"]:
        return False
    # Failed tracks are NaN after a call with on_error="warn".
    return on_error != "raise" or _read_index(folder).keys() >= set(_tracks(found))


def _extract_into(folder: Path, extractor: FrontEnd, paths: list, manifest: dict) -> None:
    found = _read_manifest(folder)  # again, since another process may have begun a store
    index: dict[str, bytes] = {}
    old: Any = ()
    if found is not None:  # files without a manifest are those of another store
        _check_same(folder, found, manifest)
        index = _read_index(folder)
        with contextlib.suppress(ValueError):
            old = _open_array(folder)
    (folder / _NEW_TENSOR).unlink(missing_ok=True)  # of an interrupted call
    checksums = [_checksum(row) for row in old]
    places = {row: i for i, row in enumerate(checksums)}
    # Remove records of damaged rows, and what an interrupted write left.
    index = {track: row for track, row in index.items() if row in places}
    records = [bytes.fromhex(track) + row for track, row in index.items()]
    replace_file(folder / _INDEX, b"".join(records))
    _write_manifest(folder, manifest)  # not complete

    # Rows of tracks that are not in the list are kept behind the others.
    listed: Any = dict.fromkeys(_tracks(manifest))
    tracks = [*_tracks(manifest), *(track for track in index if track not in listed)]
    rows = [None if track is None else index.get(track) for track in tracks]
    # The header of an .npy file must contain Python integers.
    shape = (len(tracks), *(int(n or 0) for n in extractor.track_shape))
    dtype = np.dtype(extractor.dtype)
    in_place = (np.shape(old), getattr(old, "dtype", None)) == (shape, dtype) and all(
        row in (None, there) for row, there in zip(rows, checksums, strict=True)
    )
    if not in_place:
        kept = ((i, old[places[row]]) for i, row in enumerate(rows) if row is not None)
        _create_array(folder, dtype, shape, kept)

    missing = [i for i, row in enumerate(rows) if row is None]
    report = Report(len(missing))
    extracted = extractor._extract_all([paths[i] for i in missing], report)
    offset = _open_array(folder).offset
    with open(folder / _TENSOR, "r+b") as tensor, open(folder / _INDEX, "ab") as log:
        for i, track in zip(missing, extracted, strict=True):
            row = np.full(shape[1:], np.nan, dtype)
            if track is not None:
                row[: len(track)] = track
            _write_row(tensor, offset, i, row)
            content = tracks[i]
            if track is not None and content is not None:
                _write(log, bytes.fromhex(content) + _checksum(row))
        os.fsync(tensor.fileno())
        os.fsync(log.fileno())
    report.conclude(extractor.on_error)
    _write_manifest(folder, {**manifest, "array": _state(folder)})


def _open_array(folder: Path) -> np.memmap:
    """Open the array for reading.

    Raises
    ------
    ValueError
        If it is missing or damaged.
    """
    try:
        return np.lib.format.open_memmap(folder / _TENSOR, mode="r")
    except Exception as error:  # NumPy, ast and mmap raise various errors for damaged headers
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(reason) from error


def _create_array(
    folder: Path, dtype: np.dtype, shape: tuple[int, ...], rows: Iterable[tuple[int, np.ndarray]]
) -> None:
    """Replace the array by one with some of its rows. The others are not written."""
    new = folder / _NEW_TENSOR
    try:
        offset = np.lib.format.open_memmap(new, "w+", dtype, shape).offset
        with open(new, "r+b") as file:
            for i, row in rows:
                _write_row(file, offset, i, row)
            os.fsync(file.fileno())
    except OSError:
        new.unlink(missing_ok=True)
        raise
    os.replace(new, folder / _TENSOR)


def _write_row(file: BinaryIO, offset: int, i: int, row: np.ndarray) -> None:
    file.seek(offset + i * row.nbytes)
    _write(file, row.tobytes())


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()


def _checksum(row: np.ndarray) -> bytes:
    kind = f"{row.dtype.str} {row.shape} ".encode()
    return _digest(kind + row.tobytes())


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_HASH).digest()


def _read_index(folder: Path) -> dict[str, bytes]:
    """Return the checksums of rows by the hashes of the content of their tracks."""
    content = (folder / _INDEX).read_bytes()
    places = range(0, len(content) - 2 * _HASH + 1, 2 * _HASH)
    return {content[i : i + _HASH].hex(): content[i + _HASH : i + 2 * _HASH] for i in places}


def _state(folder: Path) -> list[int]:
    """Return the size and the modification time of the array."""
    status = os.stat(folder / _TENSOR)
    return [status.st_size, status.st_mtime_ns]


def load_store(folder: str | os.PathLike) -> Bunch:
    """Load a store created by :func:`extract_store`.

    Parameters
    ----------
    folder : str or pathlib.Path
        Folder of the store.

    Returns
    -------
    store : Bunch
        Dictionary-like object, with the following attributes.

        data : memmap of shape (n_tracks, n_segments, n_frames, n_coefficients)
            The features, memory-mapped and read-only. The networks read them in batches.
        filenames : list of str
            Path of each track.

    Raises
    ------
    ValueError
        If the folder contains no store, or the store is unfinished or damaged.

    Notes
    -----
    If the size or the modification time of the array is not that which :func:`extract_store` left,
    for example in a copy of the folder, the checksums of all rows are compared, which takes about a
    second per gigabyte.
    """
    folder = Path(expand(folder))
    manifest = _read_manifest(folder)
    if manifest is None:
        raise ValueError(f"{folder} contains no store: {_MANIFEST} is missing")
    if manifest["array"] is None:
        raise ValueError(f"{folder} is not finished; call extract_store again to resume")
    try:
        data = _open_array(folder)
        if manifest["array"] != _state(folder):
            _verify(folder, data, manifest)
    except ValueError as error:
        raise ValueError(
            f"{folder} contains a store that is damaged ({error}); delete it and extract it "
            "again, or call extract_store again to compute only the damaged rows"
        ) from error
    filenames = [path for path, *_ in manifest["files"]]
    return Bunch(data=data[: len(filenames)], filenames=filenames)


def _verify(folder: Path, data: np.ndarray, manifest: dict) -> None:
    """Compare the checksums of the rows of all tracks."""
    files = manifest["files"]
    if len(data) < len(files):
        raise ValueError(f"{len(files)} tracks, but an array of shape {data.shape}")
    index = _read_index(folder)
    for row, (path, _, content) in zip(data, files, strict=False):
        # Tracks that cannot be used have rows of NaN, and no record.
        if _checksum(row) != index[content] if content in index else not np.isnan(row).all():
            raise ValueError(f"the row of {path} has changed")


# ---------------------------------------------------------------- the manifest


def _describe(extractor: FrontEnd, paths: list, found: dict | None) -> dict:
    """Create a manifest that describes everything that the array depends on.

    Its entry ``"files"`` has the path, the stamp and the hash of the content of each track, and
    ``"array"`` is the state of the array, None until all rows are written. Files that are unchanged
    since the manifest `found` are not hashed again.
    """
    files = [] if found is None else found["files"]
    known = {(path, *state): content for path, state, content in files if state}
    manifest = {
        "format": _FORMAT,
        "array": None,
        "class": class_key(type(extractor)),
        "name": f"{type(extractor).__module__}.{type(extractor).__qualname__}",
        "parameters": extractor._own_parameters(),
        "versions": versions(),
        "files": Parallel(n_jobs=extractor.n_jobs, prefer="threads")(
            delayed(_identify)(expand(path), known) for path in paths
        ),
    }
    # Convert to JSON types, since parameters set by a search may be NumPy numbers.
    return json.loads(json.dumps(manifest, default=_to_python))


def _identify(path: str, known: dict) -> tuple[str, tuple | None, str | None]:
    try:
        state = stamp(path)
    except (OSError, ValueError):  # extraction will report the reason
        return path, None, None
    return path, state, known.get((path, *(state or ()))) or content_hash(path)


def _to_python(value):
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise ValueError(
        f"a store cannot record the parameter value {value!r}; use numbers and strings"
    )


def _tracks(manifest: dict) -> list[str | None]:
    """Return the hash of the content of each track; None if it cannot be read."""
    return [content for *_, content in manifest["files"]]


def _read_manifest(folder: Path) -> dict | None:
    path = folder / _MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        version = manifest.get("format")
        is_intact = manifest.pop("checksum", None) == _sum(manifest)
    except FileNotFoundError:
        return None
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}); delete {folder}") from error
    if version != _FORMAT:
        raise ValueError(f"{path} is not the manifest of a store of this version of skgenre")
    if not is_intact:
        raise ValueError(f"{path} is damaged (its checksum differs); delete {folder}")
    return manifest


def _write_manifest(folder: Path, manifest: dict) -> None:
    content = json.dumps({**manifest, "checksum": _sum(manifest)})
    replace_file(folder / _MANIFEST, content.encode())


def _sum(manifest: dict) -> str:
    return _digest(json.dumps(manifest, sort_keys=True).encode()).hex()
