"""WAV and AU files whose headers were written before their length was known.

Programs that write to a pipe put 0 or the highest number there. libsndfile understands the
highest one in WAV and AU, and takes 0 at its word; a view of the file with the one in place of the
other mends that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from .readers import FileView

#: A name in printable ASCII, and a size.
_CHUNK = re.compile(rb"[ -~]{4}.{4}", re.DOTALL)

#: No file has as many.
_MOST_CHUNKS = 1000

_UNKNOWN = b"\xff\xff\xff\xff"


def complete(file: FileView) -> FileView | None:
    """View a file without a length so that libsndfile reads it to its end.

    Parameters
    ----------
    file : FileView
        The file from its start, in which libsndfile finds no samples.

    Returns
    -------
    view : FileView or None
        None if that is not what is wrong with it.
    """
    start = _bytes(file, 0, 12)
    if start[:4] == b".snd" and start[8:] == bytes(4):
        return file.from_byte(12, start[:8] + _UNKNOWN)
    if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        return None
    for i, name, size in _chunks(file, 12):
        if name == b"data":
            if size not in (0, 0xFFFFFFFF) or _ends_with_chunks(file, i + 8):
                return None
            # As RIFF, of which no other length counts.
            return file.from_byte(i + 8, b"RIFF" + _bytes(file, 4, i - 4) + b"data" + _UNKNOWN)
    return None


def _ends_with_chunks(file: FileView, i: int) -> bool:
    """Whether there are other chunks, such as tags, instead of samples."""
    for start, _, size in _chunks(file, i):
        i = start + 8 + size + size % 2
    return not _bytes(file, i, 1) and bool(_bytes(file, i - 2, 1))


def _chunks(file: FileView, i: int) -> Iterator[tuple[int, bytes, int]]:
    """Yield the place, name and size of each chunk from a place on, to what is none."""
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
