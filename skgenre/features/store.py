"""Stores of features that do not fit in memory.

A store is a folder with

- ``tensor.npy``, the array, whose rows are in the order of the tracks, followed by the rows of
  tracks that were in earlier lists;
- ``index``, a list of records of two hashes: of the content of a track, and of its row, its
  checksum. A record is appended after each row;
- ``manifest.json``, which describes the front end and the list of files;
- ``verified``, the states of the array and the index in which all rows were last verified.

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
from collections.abc import Iterable, Iterator
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

_FORMAT = 5

#: Entries of the manifest that must be the same in all calls.
_FIXED = ("class", "parameters", "versions")

_MANIFEST, _TENSOR, _INDEX, _LOCK = "manifest.json", "tensor.npy", "index", "lock"
_NEW_TENSOR, _VERIFIED = "tensor.new", "verified"

#: Size of a hash of the content of a track, or of its row, in bytes.
_HASH = 16

#: Error codes for a full disk, an exceeded quota and the maximum file size.
_FULL = {getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EFBIG")}


def extract_store(extractor: FrontEnd, X, folder: str | os.PathLike) -> Bunch:
    """Extract the features of tracks into a folder, keeping those that it contains.

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
        If the folder contains a store of another front end, other parameters or library versions,
        or one that has no track in common with `X`; if another process is writing to it; if
        `n_segments` is None; or if the code of the front end cannot be recorded.
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
    manifest = _describe(extractor, paths, _read_manifest(folder))
    # Finished stores are not locked, so that they can be on a read-only file system.
    if _is_complete(folder, extractor, manifest):
        with contextlib.suppress(ValueError):  # damaged rows are computed again
            return load_store(folder)
    with _locked(folder), _explain_full_disk(folder):
        _extract_into(folder, extractor, paths, manifest)
    return _open(folder)  # all rows were just written or verified


def _find(folder: Path, manifest: dict) -> dict | None:
    """Return the manifest of a store, if there is one, which may be changed to `manifest`."""
    found = _read_manifest(folder)
    if found is None:
        return None
    differing = [key for key in _FIXED if found[key] != manifest[key]]
    if not differing and not (_known(found) | _read_index(folder).keys()) & _known(manifest):
        differing = ["all tracks"]
    if differing:
        is_edited = "class" in differing and found["name"] == manifest["name"]
        reason = f" (the code of {found['name']} has changed since)" if is_edited else ""
        raise ValueError(
            f"{folder} contains a store that differs in {', '.join(differing)}{reason}; use "
            "another folder, or delete this one"
        )
    return found


def _known(manifest: dict) -> set[str]:
    """Return the paths and the contents of all tracks."""
    return {part for path, _, content in manifest["files"] for part in (path, content)} - {None}


def _is_complete(folder: Path, extractor: FrontEnd, manifest: dict) -> bool:
    """Check whether a store contains exactly the tracks of `manifest`."""
    found = _find(folder, manifest)
    if found is None or not found["complete"] or found["files"] != manifest["files"]:
        return False
    # Failed tracks are NaN after a call with on_error="warn".
    return extractor.on_error != "raise" or _read_index(folder).keys() >= set(_tracks(found))


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a store for writing. The lock is released even if the process is killed."""
    try:
        with FileLock(folder / _LOCK, timeout=0):
            yield
    except Timeout:
        raise ValueError(
            f"another process is extracting into {folder}; wait for it, or use another folder"
        ) from None


def _extract_into(folder: Path, extractor: FrontEnd, paths: list, manifest: dict) -> None:
    # Another process may have begun a store. Files without a manifest are those of another store.
    index = {} if _find(folder, manifest) is None else _read_index(folder)
    (folder / _NEW_TENSOR).unlink(missing_ok=True)  # of an interrupted call
    old: Any = ()
    if index:
        with contextlib.suppress(ValueError):
            old = _open_array(folder)
    found = [_checksum(row) for row in old]
    places = {row: i for i, row in enumerate(found)}
    # Remove records of damaged rows, and what an interrupted write left.
    index = {track: row for track, row in index.items() if row in places}
    replace_file(folder / _INDEX, b"".join(_to_record(*item) for item in index.items()))
    _write_manifest(folder, manifest)  # not complete

    # Rows of tracks that are not in the list are kept behind the others.
    listed: Any = dict.fromkeys(_tracks(manifest))
    tracks = [*_tracks(manifest), *(track for track in index if track not in listed)]
    rows = [None if track is None else index.get(track) for track in tracks]
    # The header of an .npy file must contain Python integers.
    shape = (len(tracks), *(int(n or 0) for n in extractor.track_shape))
    in_place = np.shape(old) == shape and all(
        row in (None, there) for row, there in zip(rows, found, strict=True)
    )
    if not in_place:
        kept = ((i, old[places[row]]) for i, row in enumerate(rows) if row is not None)
        _create_array(folder, np.dtype(extractor.dtype), shape, kept)

    missing = [i for i, row in enumerate(rows) if row is None]
    report = Report(len(missing))
    extracted = extractor._extract_all([paths[i] for i in missing], report)
    array = _open_array(folder)
    with open(folder / _TENSOR, "r+b") as tensor, open(folder / _INDEX, "ab") as log:
        for i, track in zip(missing, extracted, strict=True):
            row = np.full(shape[1:], np.nan, array.dtype)
            if track is not None:
                row[: len(track)] = track
            _write_row(tensor, array, i, row)
            content = tracks[i]
            if track is not None and content is not None:
                _write(log, _to_record(content, _checksum(row)))
        os.fsync(tensor.fileno())
        os.fsync(log.fileno())
    report.conclude(extractor.on_error)
    _write_manifest(folder, {**manifest, "complete": True})


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
        array = np.lib.format.open_memmap(new, "w+", dtype, shape)
        with open(new, "r+b") as file:
            for i, row in rows:
                _write_row(file, array, i, row)
            os.fsync(file.fileno())
    except OSError:
        new.unlink(missing_ok=True)
        raise
    os.replace(new, folder / _TENSOR)


def _write_row(file: BinaryIO, array: np.memmap, i: int, row: np.ndarray) -> None:
    file.seek(array.offset + i * row.nbytes)
    _write(file, row.tobytes())


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()


def _checksum(row: np.ndarray) -> bytes:
    kind = f"{row.dtype.str} {row.shape} ".encode()
    return _digest(kind + row.tobytes())


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_HASH).digest()


def _to_record(track: str, row: bytes) -> bytes:
    return bytes.fromhex(track) + row


def _read_index(folder: Path) -> dict[str, bytes]:
    """Return the checksums of rows by the hashes of the content of their tracks."""
    content = (folder / _INDEX).read_bytes()
    places = range(0, len(content) - 2 * _HASH + 1, 2 * _HASH)
    return {content[i : i + _HASH].hex(): content[i + _HASH : i + 2 * _HASH] for i in places}


@contextlib.contextmanager
def _explain_full_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OSError(
            error.errno,
            f"{error.strerror} while writing the store {folder}; free some space and call "
            "extract_store again to resume, or use another folder",
        ) from error


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
    When a store is loaded for the first time, the array is read once, row by row, to compare the
    checksum of each row, which takes about a second per gigabyte. It is read again if its files
    have changed since, according to the file system, or if the folder is not writable.
    """
    folder = Path(expand(folder))
    return _open(folder, verify=True)


def _open(folder: Path, *, verify: bool = False) -> Bunch:
    manifest = _read_manifest(folder)
    if manifest is None:
        raise ValueError(f"{folder} contains no store: {_MANIFEST} is missing")
    if not manifest["complete"]:
        raise ValueError(f"{folder} is not finished; call extract_store again to resume")
    filenames = [path for path, *_ in manifest["files"]]
    try:
        data = _open_array(folder)
        if len(data) < len(filenames):
            raise ValueError(f"{len(filenames)} tracks, but an array of shape {data.shape}")
        if verify:
            _verify(folder, data, manifest)
    except ValueError as error:
        raise ValueError(
            f"{folder} contains a store that is damaged ({error}); delete it and extract it "
            "again, or call extract_store again to compute only the damaged rows"
        ) from error
    return Bunch(data=data[: len(filenames)], filenames=filenames)


def _verify(folder: Path, data: np.ndarray, manifest: dict) -> None:
    """Compare the checksums of all rows, unless this was done for the files as they are."""
    # No stamp is trusted within two seconds of a change.
    stamps = [stamp(folder / name) for name in (_TENSOR, _INDEX)]
    state = _digest(json.dumps([manifest["files"], *stamps]).encode())
    with contextlib.suppress(OSError):
        if None not in stamps and (folder / _VERIFIED).read_bytes() == state:
            return
    index = _read_index(folder)
    # Tracks that cannot be used have rows of NaN, and no record.
    unusable = _checksum(np.full(data.shape[1:], np.nan, data.dtype))
    for row, (path, _, content) in zip(data, manifest["files"], strict=False):
        if _checksum(row) != index.get(content, unusable):
            raise ValueError(f"the row of {path} has changed")
    if None not in stamps:
        with contextlib.suppress(OSError):  # a read-only folder is verified each time
            replace_file(folder / _VERIFIED, state)


# ---------------------------------------------------------------- the manifest


def _describe(extractor: FrontEnd, paths: list, found: dict | None) -> dict:
    """Create a manifest that describes everything that the array depends on.

    Its entry ``"files"`` has the path, the stamp and the hash of the content of each track. Files
    that are unchanged since the manifest `found` are not hashed again.
    """
    files = [] if found is None else found["files"]
    known = {(path, *state): content for path, state, content in files if state}
    manifest = {
        "format": _FORMAT,
        "complete": False,
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
