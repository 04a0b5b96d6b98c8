"""Stores of features that do not fit in memory.

A store is a folder with an array that is written row by row, each row followed by its checksum. If
extraction is interrupted at any point, the next call keeps the rows with valid checksums and
computes the others. Rows are written with ordinary file operations, because a memory map would
kill the process when the disk is full (SIGBUS).
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from joblib import Parallel, delayed
from sklearn.utils import Bunch

from .._files import replace_file
from .._paths import expand
from .cache import content_hash, stamp, versions
from .code import class_key
from .extractor import TrackExtractor, check_paths
from .report import Report

_FORMAT = 2
#: Entries of the manifest that determine the array. The others are its state and the file paths.
_CONTENT_KEYS = ("class", "parameters", "versions", "tracks")
_MANIFEST, _TENSOR, _CHECKSUMS = "manifest.json", "tensor.npy", "checksums.npy"
_LOCK = "lock"

#: Error codes for a full disk, an exceeded quota and the maximum file size.
_FULL = {getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EFBIG")}


def extract_store(extractor: TrackExtractor, X, folder: str | os.PathLike) -> Bunch:
    """Extract the features of tracks into a folder, resuming an interrupted extraction.

    Parameters
    ----------
    extractor : TrackExtractor
        Front end, such as :class:`MFCCSegmenter`. Its `n_segments` or `n_windows` must not be
        None, since the array has a fixed size.
    X : list, array or Series of paths, or DataFrame with one column
        Paths of the tracks. File objects are not supported.
    folder : str or pathlib.Path
        Folder of the store, which is created if needed. A store is specific to its tracks,
        parameters and library versions.

    Returns
    -------
    store : Bunch
        See :func:`load_store`.

    Raises
    ------
    ValueError
        If the folder contains a store of other tracks, parameters or library versions; if another
        process is writing to it; or if `n_segments` or `n_windows` is None.
    OSError
        If the disk is full. Finished rows are kept, and the next call resumes there.
    UnreadableTracksError
        If ``on_error="raise"`` and some tracks cannot be used. The rows of the other tracks are
        kept, and the next call only retries the failed ones.

    Notes
    -----
    Only one process at a time can write to a store; others raise an error. Apart from the paths,
    memory use does not depend on the number of tracks.

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
            "of segments or windows, for example n_segments=10 or n_windows=1"
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
    if not _is_finished(folder, manifest):
        with _locked(folder):
            if not _is_finished(folder, manifest):
                _extract_into(folder, extractor, paths, manifest)
    return load_store(folder)


def _is_finished(folder: Path, manifest: dict) -> bool:
    """Check whether a store is complete and `manifest` has the same paths."""
    found = _read_manifest(folder)
    if found is None:
        return False
    differing = [key for key in _CONTENT_KEYS if found[key] != manifest[key]]
    if differing:
        raise ValueError(
            f"{folder} contains a store that differs in {', '.join(differing)}; use another "
            "folder, or delete this one"
        )
    return found["complete"] and found["files"] == manifest["files"]


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock a store for writing. The lock is released even if the process is killed."""
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(
            f"another process is extracting into {folder}; wait for it, or use another folder"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _extract_into(folder: Path, extractor: TrackExtractor, paths: list, manifest: dict) -> None:
    # The header of an .npy file must contain Python integers.
    shape = tuple(int(n) for n in (len(paths), *extractor.track_shape) if n is not None)
    tensor = _Rows(folder / _TENSOR, np.dtype(extractor.dtype), shape)
    checksums = _Rows(folder / _CHECKSUMS, np.dtype(np.uint32), (len(paths),))
    begun = _read_manifest(folder) is not None
    if not begun:  # existing rows belong to another store
        for rows in (tensor, checksums):
            rows.path.unlink(missing_ok=True)
    with _explain_full_disk(folder), tensor, checksums:
        if not begun:
            _write_manifest(folder, manifest)
        # A row is finished if its checksum is valid; 0 marks a missing row.
        missing = [
            i
            for i, found in enumerate(checksums.read_all())
            if not found or found != _checksum(tensor.read(i))
        ]
        report = Report(len(missing))
        tracks = extractor._extract_all([paths[i] for i in missing], report)
        for i, track in zip(missing, tracks, strict=True):
            row = np.full(tensor.shape[1:], np.nan, tensor.dtype)
            if track is not None:
                row[: len(track)] = track
            tensor.write(i, row)
            checksums.write(i, _checksum(row) if track is not None else 0)
        for rows in (tensor, checksums):
            rows.sync()
    report.conclude(extractor.on_error)
    _write_manifest(folder, {**manifest, "complete": True})


class _Rows:
    """An ``.npy`` file whose rows are read and written one at a time.

    Parameters
    ----------
    path : Path
        The file, opened on entering the context. A file with another header is overwritten.
    dtype : numpy dtype
        Data type of the array.
    shape : tuple of int
        Shape of the array.
    """

    def __init__(self, path: Path, dtype: np.dtype, shape: tuple[int, ...]):
        self.path, self.dtype, self.shape = path, dtype, shape
        header = io.BytesIO()
        description = np.lib.format.dtype_to_descr(dtype)
        np.lib.format.write_array_header_1_0(
            header, {"descr": description, "fortran_order": False, "shape": shape}
        )
        self._header = header.getvalue()
        self._row_size = int(np.prod(shape[1:], dtype=int)) * dtype.itemsize

    def __enter__(self) -> _Rows:
        self.path.touch()
        # Unbuffered, so that each write reports its errors.
        self._file = open(self.path, "r+b", buffering=0)
        try:
            if self._file.read(len(self._header)) != self._header:
                self._file.truncate(0)
                self._put(0, self._header)
        except OSError:
            self._file.close()
            raise
        return self

    def __exit__(self, *exc) -> None:
        self._file.close()

    def _put(self, place: int, content) -> None:
        self._file.seek(place)
        left = memoryview(content)
        while left:  # a write to a nearly full disk may be partial
            left = left[self._file.write(left) :]

    def read_all(self) -> np.ndarray:
        """Read all rows. Missing rows at the end of the file are 0."""
        return self._get(0, self.shape)

    def read(self, i: int) -> np.ndarray:
        """Read a row; 0 if it is beyond the end of the file."""
        return self._get(i * self._row_size, self.shape[1:])

    def _get(self, place: int, shape: tuple[int, ...]) -> np.ndarray:
        out = np.zeros(shape, self.dtype)
        self._file.seek(len(self._header) + place)
        content = self._file.read(out.nbytes)
        out.reshape(-1).view(np.uint8)[: len(content)] = np.frombuffer(content, np.uint8)
        return out

    def write(self, i: int, row) -> None:
        """Write a row."""
        content = np.ascontiguousarray(row, self.dtype).tobytes()
        self._put(len(self._header) + i * self._row_size, content)

    def sync(self) -> None:
        """Flush the file to disk."""
        os.fsync(self._file.fileno())


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
    """
    folder = Path(expand(folder))
    manifest = _read_manifest(folder)
    if manifest is None:
        raise ValueError(f"{folder} contains no store: {_MANIFEST} is missing")
    if not manifest["complete"]:
        raise ValueError(f"{folder} is not finished; call extract_store again to resume")
    try:
        filenames = [str(file[0]) for file in manifest["files"]]
        data = np.lib.format.open_memmap(folder / _TENSOR, mode="r")
        if len(data) != len(filenames) or data.dtype.kind != "f":
            raise ValueError(
                f"{len(filenames)} tracks, but an array of shape {data.shape} and type {data.dtype}"
            )
    except Exception as error:  # NumPy, ast and mmap raise various errors for damaged headers
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{folder} contains a store that is damaged ({reason}); delete it and extract it again"
        ) from error
    return Bunch(data=data, filenames=filenames)


def _describe(extractor: TrackExtractor, paths: list, found: dict | None) -> dict:
    """Create a manifest that describes everything that the array depends on.

    Files that are unchanged since the manifest `found` are not hashed again.
    """
    parameters = extractor.get_params()
    for name in ("on_error", "memory", "n_jobs", "verbose"):  # these do not affect the result
        parameters.pop(name, None)
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
    # Convert to JSON types, since parameters set by a search may be NumPy numbers.
    return json.loads(json.dumps(manifest, default=_to_python))


def _to_python(value):
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise ValueError(
        f"a store cannot record the parameter value {value!r}; use numbers and strings"
    )


def _identity(path: str) -> list:
    try:
        return [path, stamp(path)]
    except (OSError, ValueError):  # extraction will report the reason
        return [path, None]


def _content(path: str, known: str | None) -> str | None:
    return content_hash(path) if known is None else known


def _checksum(row: np.ndarray) -> int:
    """Compute the CRC-32 of a row. It is never 0, which marks a missing row."""
    return zlib.crc32(np.ascontiguousarray(row).data) or 1


def _read_manifest(folder: Path) -> dict | None:
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{folder / _MANIFEST} is damaged ({error}); delete {folder}") from error
    if (
        not isinstance(manifest, dict)
        or manifest.get("format") != _FORMAT
        or not manifest.keys() >= {"complete", "files", *_CONTENT_KEYS}
    ):
        raise ValueError(
            f"{folder / _MANIFEST} is not the manifest of a store of this version of skgenre"
        )
    return manifest


def _write_manifest(folder: Path, manifest: dict) -> None:
    replace_file(folder / _MANIFEST, json.dumps(manifest).encode())
