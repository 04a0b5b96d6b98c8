"""Stores of features that do not fit in memory.

A store is a folder with

- ``tensor.npy``, the array, whose rows are in the order of the tracks, followed by the rows of
  tracks that were in earlier lists;
- ``index``, a list of records of two hashes: of the content of a track, and of its row. A record is
  appended after each row. A row belongs to a track if its hash is that in the record of the track,
  wherever the row is, so no interruption can assign a row to another track;
- ``manifest.json``, which describes the front end and the list of files;
- ``verified``, the states of the array and the index in which all rows were last verified.

If extraction is interrupted at any point, or the list of files has changed, the next call keeps all
rows and computes those that are missing. Rows are written with ordinary file operations, because a
memory map would kill the process when the disk is full (SIGBUS).
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import itertools
import json
import os
import sys
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
from .errors import Report
from .front_end import FrontEnd, check_paths

_FORMAT = 4
#: Entries of the manifest that must be the same in all calls.
_FIXED = ("class", "parameters", "versions")
_MANIFEST, _TENSOR, _INDEX, _LOCK = "manifest.json", "tensor.npy", "index", "lock"
_VERIFIED = "verified"

#: Size of a hash of the content of a track, or of its row, in bytes.
_HASH = 16

#: Error codes for a full disk, an exceeded quota and the maximum file size.
_FULL = {getattr(errno, name, None) for name in ("ENOSPC", "EDQUOT", "EFBIG")}


def extract_store(extractor: FrontEnd, X, folder: str | os.PathLike) -> Bunch:
    """Extract the features of tracks into a folder, keeping those that it contains.

    Parameters
    ----------
    extractor : FrontEnd
        Front end, such as :class:`MFCCSegmenter`. Its `n_segments` must not be
        None, since the array has a fixed size.
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
    case a later list contains them; extract into a new folder to save their space. Only the row of
    a file whose content was replaced is overwritten. If rows change their place, the array is
    copied, which temporarily requires disk space for both arrays. Damaged rows are computed again.

    Only one process at a time can write to a store; others raise an error. Apart from the paths
    and 32 bytes per track, memory use does not depend on the number of tracks.

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
    _check_compatible(folder, manifest)
    if _is_complete(folder, extractor, manifest):
        with contextlib.suppress(ValueError):  # damaged rows are computed again
            return load_store(folder)
    with _locked(folder), _explain_full_disk(folder):
        _check_compatible(folder, manifest)  # another process may have begun a store
        _extract_into(folder, extractor, paths, manifest)
    return _open(folder)  # all rows were just written or verified


def _check_compatible(folder: Path, manifest: dict) -> None:
    """Check that a store, if there is one, may be changed to `manifest`."""
    found = _read_manifest(folder)
    if found is None:
        return
    differing = [key for key in _FIXED if found[key] != manifest[key]]
    if not differing and not (_known(found) | _read_index(folder).keys()) & _known(manifest):
        differing = ["all tracks"]
    if not differing:
        return
    edited = [name for name, text in manifest["texts"].items() if found["texts"].get(name) != text]
    reason = remedy = ""
    if "class" in differing and edited and found["name"] == manifest["name"]:
        files = ", ".join(str(getattr(sys.modules.get(name), "__file__", name)) for name in edited)
        reason = f" (the text of {files} has changed since)"
        remedy = "; keep front ends in a module of their own, which changes less often"
    raise ValueError(
        f"{folder} contains a store that differs in {', '.join(differing)}{reason}; use another "
        f"folder, or delete this one{remedy}"
    )


def _is_complete(folder: Path, extractor: FrontEnd, manifest: dict) -> bool:
    """Check whether a store contains exactly the tracks of `manifest`."""
    found = _read_manifest(folder)
    if found is None or not found["complete"]:
        return False
    if any(found[key] != manifest[key] for key in ("tracks", "files")):
        return False
    # Failed tracks are NaN after a call with on_error="warn".
    return extractor.on_error != "raise" or _read_index(folder).keys() >= set(found["tracks"])


def _replaced(found: dict | None, manifest: dict) -> set[str]:
    """Return the contents of files that have another content now."""

    def contents(manifest: dict) -> list[tuple[str, str]]:
        return [
            (path, track)
            for (path, _), track in zip(manifest["files"], manifest["tracks"], strict=True)
        ]

    before = contents(found) if found else []
    now = dict(contents(manifest))
    # A file that cannot be read may have its old content again.
    others = {track for path, track in before if now.get(path) is None}
    return {track for _, track in before} - others


def _known(manifest: dict) -> set[str]:
    """Return the contents and the paths of all tracks."""
    return {*manifest["tracks"], *(path for path, _ in manifest["files"])} - {None}


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


def _extract_into(folder: Path, extractor: FrontEnd, paths: list, manifest: dict) -> None:
    found = _read_manifest(folder)
    if found is not None:
        _write_manifest(folder, manifest)
    else:  # existing rows belong to another store
        for name in (_TENSOR, _INDEX):
            (folder / name).unlink(missing_ok=True)
    tracks = manifest["tracks"]
    index = _read_index(folder)
    # Rows of other tracks are kept behind the others, except those of files that were replaced.
    listed = {*tracks, *_replaced(found, manifest)}
    tracks = [*tracks, *(track for track in index if track not in listed)]
    # The header of an .npy file must contain Python integers.
    shape = tuple(int(n) for n in (len(tracks), *extractor.track_shape) if n is not None)
    rows = _Rows(folder / _TENSOR, np.dtype(extractor.dtype), shape)
    missing = _arrange(rows, [index.get(track) for track in tracks])
    # Remove records of missing rows and replaced files, and what an interrupted write left.
    lost = {tracks[i] for i in missing}
    kept = [track for track in dict.fromkeys(tracks) if track not in lost]
    replace_file(folder / _INDEX, b"".join(_to_record(track, index[track]) for track in kept))
    if found is None:
        _write_manifest(folder, manifest)
    needed = [paths[i] for i in missing if i < len(paths)]
    report = Report(len(needed))
    with rows, open(folder / _INDEX, "ab", buffering=0) as file:
        # Damaged rows of tracks that are not in the list become NaN.
        extracted = itertools.chain(extractor._extract_all(needed, report), itertools.repeat(None))
        for i, track in zip(missing, extracted, strict=False):
            row = np.full(shape[1:], np.nan, rows.dtype)
            if track is not None:
                row[: len(track)] = track
            rows.write(i, row)
            if track is not None and tracks[i] is not None:
                _write(file, _to_record(tracks[i], _hash(row)))
        rows.sync()
        os.fsync(file.fileno())
    report.conclude(extractor.on_error)
    _write_manifest(folder, {**manifest, "complete": True})


def _arrange(rows: _Rows, hashes: list[bytes | None]) -> list[int]:
    """Bring the rows with the given hashes into this order, and return the missing ones."""
    new = _Rows(rows.path.with_suffix(".new"), rows.dtype, rows.shape)
    new.path.unlink(missing_ok=True)
    with rows.existing() as old:
        found = [_hash(old.read(i)) for i in range(old.n_written())]
        places = {row: i for i, row in enumerate(found)}
        kept = [(i, row) for i, row in enumerate(hashes) if row is not None and row in places]
        missing = [i for i, row in enumerate(hashes) if row not in places]
        if old.shape == rows.shape and all(found[i : i + 1] == [row] for i, row in kept):
            return missing
        try:
            with new:
                for i, row in kept:
                    new.write(i, old.read(places[row]))
                new.sync()
        except OSError:
            new.path.unlink()
            raise
    os.replace(new.path, rows.path)
    return missing


class _Rows:
    """An ``.npy`` file whose rows are read and written one at a time.

    Parameters
    ----------
    path : Path
        The file, opened on entering the context. Another header is replaced.
    dtype : numpy dtype
        Data type of the array.
    shape : tuple of int
        Shape of the array.
    writeable : bool, default=True
        Whether to open the file for writing.
    """

    def __init__(
        self, path: Path, dtype: np.dtype, shape: tuple[int, ...], *, writeable: bool = True
    ):
        self.path, self.dtype, self.shape, self._writeable = path, dtype, shape, writeable
        header = io.BytesIO()
        description = np.lib.format.dtype_to_descr(dtype)
        np.lib.format.write_array_header_1_0(
            header, {"descr": description, "fortran_order": False, "shape": shape}
        )
        self._header = header.getvalue()
        self._row_size = int(np.prod(shape[1:], dtype=int)) * dtype.itemsize

    def existing(self) -> _Rows:
        """Return the array in the file, which may have another number of rows."""
        try:
            with open(self.path, "rb") as file:
                np.lib.format.read_magic(file)
                (n, *_), *_ = np.lib.format.read_array_header_1_0(file)
            return _Rows(self.path, self.dtype, (n, *self.shape[1:]))
        except Exception:  # NumPy and ast raise various errors for damaged headers
            return self

    def __enter__(self) -> _Rows:
        if self._writeable:
            self.path.touch()
        # Unbuffered, so that each write reports its errors.
        self._file = open(self.path, "r+b" if self._writeable else "rb", buffering=0)
        try:
            if self._writeable and self._file.read(len(self._header)) != self._header:
                self._put(0, self._header)
        except BaseException:
            self._file.close()
            raise
        return self

    def __exit__(self, *exc) -> None:
        self._file.close()

    def n_written(self) -> int:
        """Return the number of rows in the file, the last of which may be incomplete."""
        size = os.fstat(self._file.fileno()).st_size - len(self._header)
        return min(self.shape[0], -(-size // self._row_size))

    def _put(self, place: int, content: bytes) -> None:
        self._file.seek(place)
        _write(self._file, content)

    def read(self, i: int) -> np.ndarray:
        """Read a row; 0 if it is beyond the end of the file."""
        out = np.zeros(self.shape[1:], self.dtype)
        self._file.seek(len(self._header) + i * self._row_size)
        content = self._file.read(out.nbytes)
        out.reshape(-1).view(np.uint8)[: len(content)] = np.frombuffer(content, np.uint8)
        return out

    def write(self, i: int, row: np.ndarray) -> None:
        """Write a row."""
        self._put(len(self._header) + i * self._row_size, row.tobytes())

    def sync(self) -> None:
        """Flush the file to disk."""
        os.fsync(self._file.fileno())


def _write(file: io.FileIO, content: bytes) -> None:
    left = memoryview(content)
    while left:  # a write to a nearly full disk may be partial
        left = left[file.write(left) :]


def _hash(row: np.ndarray) -> bytes:
    kind = f"{row.dtype.str} {row.shape} ".encode()
    return _digest(kind + row.tobytes())


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=_HASH).digest()


def _to_record(track: str, row: bytes) -> bytes:
    return bytes.fromhex(track) + row


def _read_index(folder: Path) -> dict[str, bytes]:
    """Return the hashes of rows by the hashes of the content of their tracks."""
    try:
        content = (folder / _INDEX).read_bytes()
    except FileNotFoundError:
        return {}
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
    try:
        filenames = [path for path, _ in manifest["files"]]
        data = np.lib.format.open_memmap(folder / _TENSOR, mode="r")
        if len(data) < len(filenames) or data.dtype.kind != "f" or not data.flags.c_contiguous:
            raise ValueError(
                f"{len(filenames)} tracks, but an array of shape {data.shape} and type {data.dtype}"
            )
        if verify:
            _verify(folder, data, manifest["tracks"], filenames)
    except Exception as error:  # NumPy, ast and mmap raise various errors for damaged headers
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{folder} contains a store that is damaged ({reason}); delete it and extract it "
            "again, or call extract_store again to compute only the damaged rows"
        ) from error
    return Bunch(data=data[: len(filenames)], filenames=filenames)


def _verify(folder: Path, data: np.ndarray, tracks: list, filenames: list[str]) -> None:
    """Compare the checksums of all rows, unless this was done for the files as they are."""
    # No stamp is trusted within two seconds of a change.
    stamps = [stamp(folder / name) for name in (_TENSOR, _INDEX)]
    state = json.dumps([tracks, *stamps]).encode()
    with contextlib.suppress(OSError):
        if None not in stamps and (folder / _VERIFIED).read_bytes() == _digest(state):
            return
    index = _read_index(folder)
    # Tracks that cannot be used have rows of NaN, and no record.
    unusable = _hash(np.full(data.shape[1:], np.nan, data.dtype))
    with _Rows(folder / _TENSOR, data.dtype, data.shape, writeable=False) as rows:
        for i, track in enumerate(tracks):
            if _hash(rows.read(i)) != index.get(track, unusable):
                raise ValueError(f"the row of {filenames[i]} has changed")
    if None not in stamps:
        with contextlib.suppress(OSError):  # a read-only folder is verified each time
            replace_file(folder / _VERIFIED, _digest(state))


def _describe(extractor: FrontEnd, paths: list, found: dict | None) -> dict:
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
        "name": f"{type(extractor).__module__}.{type(extractor).__qualname__}",
        "texts": extractor._texts,
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


def _read_manifest(folder: Path) -> dict | None:
    path = folder / _MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}); delete {folder}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ValueError(f"{path} is not the manifest of a store of this version of skgenre")
    complete = manifest.get("complete")
    if not isinstance(complete, bool) or manifest.pop("checksum", None) != _sum(manifest):
        raise ValueError(f"{path} is damaged (its checksum differs); delete {folder}")
    return manifest


def _write_manifest(folder: Path, manifest: dict) -> None:
    content = json.dumps({**manifest, "checksum": _sum(manifest)})
    replace_file(folder / _MANIFEST, content.encode())


def _sum(manifest: dict) -> str:
    """Return a checksum of everything but the state."""
    text = json.dumps({**manifest, "complete": None}, sort_keys=True)
    return _digest(text.encode()).hex()
