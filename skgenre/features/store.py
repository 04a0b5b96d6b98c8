"""Tensors of more tracks than memory holds: a folder with an array in a file.

A row is written, then its checksum; whatever ends the process between two tracks or within one,
the next call trusts the rows whose checksums are right and computes the others. Rows are written
as to any file, not into a memory map, which would end the process on a full disk (SIGBUS).
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
from .cache import class_key, content_hash, stamp, versions
from .extractor import TrackExtractor, check_paths
from .report import Report

_FORMAT = 2
#: What of a manifest the array depends on; the rest is where files lie, and how far it is.
_WHAT = ("class", "parameters", "versions", "tracks")
_MANIFEST, _TENSOR, _CHECKSUMS = "manifest.json", "tensor.npy", "checksums.npy"
_LOCK = "lock"

#: Errors of a disk, a quota or a largest file that is full.
_FULL = {getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EFBIG")}


def extract_store(extractor: TrackExtractor, X, folder: str | os.PathLike) -> Bunch:
    """Compute the segments of tracks into a folder, going on where an earlier call ended.

    Parameters
    ----------
    extractor : TrackExtractor
        What to compute, such as a :class:`MFCCSegmenter`. Its `n_segments` or `n_windows` must be
        a number, since the size of the store is fixed.
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
        libraries; if another process is writing it; or if `n_segments` or `n_windows` is None.
    OSError
        If the disk is full. What was written is kept, and the next call goes on there.
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
        raise ValueError(
            f"a track_shape of {extractor.track_shape} has no fixed size to store; set a number of "
            "segments, as n_segments=10, or of windows, as n_windows=1"
        )
    for path in paths:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"Expected paths, got {path!r}, which cannot be found again by a name")
    folder = Path(expand(folder))
    folder.mkdir(parents=True, exist_ok=True)
    manifest = _describe(extractor, paths, _read_manifest(folder))
    # A finished store is only read, so that it may lie where nothing can be written.
    if not _is_finished(folder, manifest):
        with _alone(folder):
            if not _is_finished(folder, manifest):
                _extract_into(folder, extractor, paths, manifest)
    return load_store(folder)


def _is_finished(folder: Path, manifest: dict) -> bool:
    """Whether a store is complete, and its files lie where `manifest` has them."""
    found = _read_manifest(folder)
    if found is None:
        return False
    differing = [key for key in _WHAT if found[key] != manifest[key]]
    if differing:
        raise ValueError(
            f"{folder} holds a store that differs in {', '.join(differing)}; use another folder, "
            "or delete this one"
        )
    return found["complete"] and found["files"] == manifest["files"]


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from writing; the lock goes when the process does."""
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ValueError(f"another process is extracting into {folder} at the moment") from None
    try:
        yield
    finally:
        lock.release()


def _extract_into(folder: Path, extractor: TrackExtractor, paths: list, manifest: dict) -> None:
    # A header can be read back only of Python's own integers.
    shape = tuple(int(n) for n in (len(paths), *extractor.track_shape) if n is not None)
    tensor = _Rows(folder / _TENSOR, np.dtype(extractor.dtype), shape)
    checksums = _Rows(folder / _CHECKSUMS, np.dtype(np.uint32), (len(paths),))
    begun = _read_manifest(folder) is not None
    if not begun:  # rows that are there are of another store
        for rows in (tensor, checksums):
            rows.path.unlink(missing_ok=True)
    with _explaining_a_full_disk(folder), tensor, checksums:
        if not begun:
            _write_manifest(folder, manifest)
        # A row is there if its checksum is; 0 stands for a row that is not.
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
        Opened by ``with``. A file that is no such array is begun anew.
    dtype : numpy dtype
    shape : tuple of int
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
        # No buffer, so that each write says whether it could be done.
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
        while left:  # a nearly full disk takes a part first
            left = left[self._file.write(left) :]

    def read_all(self) -> np.ndarray:
        """Read all rows; 0 where the file ends before."""
        return self._get(0, self.shape)

    def read(self, i: int) -> np.ndarray:
        """Read a row; 0 where the file ends before."""
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
        """Have it all on the disk."""
        os.fsync(self._file.fileno())


@contextlib.contextmanager
def _explaining_a_full_disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise OSError(
            error.errno,
            f"{error.strerror} while writing the store {folder}; free some space and call "
            "extract_store again, which then continues, or use another folder",
        ) from error


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
        If the folder holds no store, one that is not finished, or one that is damaged.
    """
    folder = Path(expand(folder))
    manifest = _read_manifest(folder)
    if manifest is None:
        raise ValueError(f"{folder} holds no store: there is no {_MANIFEST}")
    if not manifest["complete"]:
        raise ValueError(f"{folder} is not finished; call extract_store again to go on")
    try:
        filenames = [str(file[0]) for file in manifest["files"]]
        data = np.lib.format.open_memmap(folder / _TENSOR, mode="r")
        if len(data) != len(filenames) or data.dtype.kind != "f":
            raise ValueError(f"{len(filenames)} tracks, and an array {data.shape} of {data.dtype}")
    except Exception as error:  # a damaged header has NumPy, ast and mmap raise their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{folder} holds a store that is damaged ({reason}); delete it and extract it again"
        ) from error
    return Bunch(data=data, filenames=filenames)


def _describe(extractor: TrackExtractor, paths: list, found: dict | None) -> dict:
    """Describe all that the content depends on, and where it came from.

    Files that lie as an earlier manifest has `found` them are not hashed again.
    """
    parameters = extractor.get_params()
    for name in ("on_error", "memory", "n_jobs", "verbose"):  # how, not what
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
    # As it is read back: NumPy's numbers, which a search may have set, are Python's then.
    return json.loads(json.dumps(manifest, default=_plain))


def _plain(value):
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise ValueError(f"a store cannot describe the parameter {value!r}; use numbers and words")


def _identity(path: str) -> list:
    try:
        return [path, stamp(path)]
    except (OSError, ValueError):  # extraction gives the reason
        return [path, None]


def _content(path: str, known: str | None) -> str | None:
    return content_hash(path) if known is None else known


def _checksum(row: np.ndarray) -> int:
    """CRC-32 of a row; never 0, which stands for a row that is not there."""
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
        or not manifest.keys() >= {"complete", "files", *_WHAT}
    ):
        raise ValueError(f"{folder / _MANIFEST} is not of a store of this version")
    return manifest


def _write_manifest(folder: Path, manifest: dict) -> None:
    replace_file(folder / _MANIFEST, json.dumps(manifest).encode())
