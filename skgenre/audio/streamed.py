"""Workaround for WAV and AU files whose header does not contain their length.

Programs that write to a pipe set the length to 0 or to the largest number. libsndfile handles the
largest number, but takes 0 literally, and any length of an AU file that is too small. The file is
therefore presented to it with the largest number instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .readers import FileView

#: Header of a chunk: a name in printable ASCII and a size.
_CHUNK = re.compile(rb"[ -~]{4}.{4}", re.DOTALL)

#: Maximum number of chunks to look at.
_MOST_CHUNKS = 1000

_UNKNOWN = b"\xff\xff\xff\xff"


def complete(file: FileView) -> FileView | None:
    """Create a view of a file without a length that libsndfile reads to its end.

    Parameters
    ----------
    file : FileView
        The file, viewed from its first byte: AU, or one that libsndfile rejects or finds empty.

    Returns
    -------
    view : FileView or None
        None if a missing length is not the problem.
    """
    start = _bytes(file, 0, 12)
    if start[:4] == b".snd":
        offset, size = int.from_bytes(start[4:8], "big"), int.from_bytes(start[8:], "big")
        # Nothing follows the samples.
        return file.from_byte(12, start[:8] + _UNKNOWN) if offset + size < file.size else None
    if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        return None
    for i, name, size in _chunks(file, 12):
        if name == b"data":
            if size not in (0, 0xFFFFFFFF) or _ends_with_chunks(file, i + 8):
                return None
            # RIFF, unlike RF64, has no other length.
            return file.from_byte(i + 8, b"RIFF" + _bytes(file, 4, i - 4) + b"data" + _UNKNOWN)
    return None


def _ends_with_chunks(file: FileView, i: int) -> bool:
    """Check whether other chunks, such as tags, follow instead of samples."""
    for start, _, size in _chunks(file, i):
        i = start + 8 + size + size % 2
    return not _bytes(file, i, 1) and bool(_bytes(file, i - 2, 1))


def _chunks(file: FileView, i: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield offset, name and size of each chunk from offset `i` on, up to invalid data."""
    for _ in range(_MOST_CHUNKS):
        chunk = _bytes(file, i, 8)
        if not _CHUNK.fullmatch(chunk):
            return
        size = int.from_bytes(chunk[4:], "little")
        yield i, chunk[:4], size
        i += 8 + size + size % 2


def _bytes(file: FileView, i: int, n: int) -> bytes:
    file.seek(i)
    return file.read(n)
