"""Files whose stated length cannot be trusted: WAV and AU, FLAC, and Ogg; see ``mp3`` for MP3.

libsndfile stops where a header says. It is presented with a header that states no length instead,
or with what follows as a file of its own. Offsets are in bytes.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from .decoders import DecodingError
from .sources import FileView

#: Number of bytes that are searched at a time.
_SEARCHED = 1 << 20

#: Maximum number of chunks before the samples of a WAV file.
_MAX_CHUNKS = 1000

#: The length in a WAV or AU file that libsndfile takes for an unknown one.
_UNKNOWN = b"\xff\xff\xff\xff"

#: Start of a FLAC file: its name, and the header of the block with its length, in 36 bits. 0 means
#: an unknown length.
_FLAC = re.compile(rb"fLaC[\0\x80]\0\0\x22")
_FLAC_START, _FLAC_LENGTH = 42, 21

#: Header of a page of an Ogg file: its name, version, flags, time, stream, number, checksum, and
#: number of segments, whose lengths follow in a byte each (RFC 3533).
_PAGE = struct.Struct("<4sBBqIIIB")

#: Flags of the first and the last page of a stream.
_FIRST, _LAST = 2, 4

#: Bytes with their bits in reverse order: that of zlib is the other one.
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def without_length(file: FileView) -> FileView | None:
    """View a WAV or AU file as one of unknown length.

    Programs that write to a pipe set the length to 0 or to the largest number. libsndfile handles
    the largest number, but takes 0 literally, and any length of an AU file that is too small.

    Parameters
    ----------
    file : FileView
        The file: AU, or one that libsndfile rejects or finds empty.

    Returns
    -------
    view : FileView or None
        None if a missing length is not the problem.
    """
    start = file.at(0, 12)
    if start[:4] == b".snd":
        offset, size = int.from_bytes(start[4:8], "big"), int.from_bytes(start[8:], "big")
        # Nothing follows the samples.
        return file.part(12, head=start[:8] + _UNKNOWN) if offset + size < file.size else None
    if start[:4] not in (b"RIFF", b"RF64") or start[8:] != b"WAVE":
        return None
    i = 12
    for _ in range(_MAX_CHUNKS):
        name, size = file.at(i, 4), int.from_bytes(file.at(i + 4, 4), "little")
        i += 8
        if name == b"data":
            # RIFF, unlike RF64, has no other length.
            head = b"RIFF" + file.at(4, i - 8) + _UNKNOWN
            return file.part(i, head=head) if size in (0, 0xFFFFFFFF) else None
        i += size + size % 2
    return None


def flac_parts(file: FileView, n_read: int) -> Iterator[tuple[FileView, int]]:
    """Yield views of a FLAC file behind the stated length, and of others that follow it.

    Parameters
    ----------
    file : FileView
        The file.
    n_read : int
        Number of frames of the first part that were read.

    Yields
    ------
    view : FileView
        A part, with an unknown length.
    n_read : int
        Number of its frames that were read.
    """
    for start, stop in pairwise([*_flac_starts(file), file.size]):
        head = file.at(start, _FLAC_START)
        at = _FLAC_LENGTH
        head = head[:at] + bytes([head[at] & 0xF0]) + bytes(4) + head[at + 5 :]
        yield file.part(start + _FLAC_START, stop, head), n_read
        n_read = 0


def _flac_starts(file: FileView) -> Iterator[int]:
    for start in range(0, file.size, _SEARCHED):
        for found in _FLAC.finditer(file.at(start, _SEARCHED + 7)):
            yield start + found.start()


class _Page(NamedTuple):
    """Page of an Ogg file, from `start` to `end`."""

    start: int
    end: int
    flags: int
    time: int
    stream: int
    number: int


def ogg_links(file: FileView, n_read: int) -> Iterator[tuple[FileView, int]]:
    """Yield views of a chained Ogg file from the second link on, as of a radio station.

    Parameters and results are those of :func:`flac_parts`.

    Raises
    ------
    DecodingError
        After the last link, if pages are missing or damaged.
    """
    unfinished: dict[int, _Page] = {}  # the previous page of each stream
    is_complete, previous = True, None
    for page in _pages(file):
        before = unfinished.pop(page.stream, None)
        if page.flags & _FIRST:
            is_complete &= before is None
            # The streams of a link start together.
            if previous is not None and not previous.flags & _FIRST:
                is_complete &= not unfinished
                unfinished.clear()
                yield file.part(page.start), 0
        elif before is None:
            is_complete = False
        elif page.number != (before.number + 1) % (1 << 32):
            # A recording of a station has the headers, and then starts anywhere.
            is_complete &= before.time == 0 and page.start == before.end
        if not page.flags & _LAST:
            unfinished[page.stream] = page
        previous = page
    if unfinished or not is_complete:
        raise DecodingError("pages are missing or damaged")


def _pages(file: FileView) -> Iterator[_Page]:
    """Yield the undamaged pages of an Ogg file."""
    at = 0
    while len(head := file.at(at, _PAGE.size)) == _PAGE.size:
        name, _, flags, time, stream, number, checksum, n_segments = _PAGE.unpack(head)
        if name == b"OggS":
            sizes = file.at(at + _PAGE.size, n_segments)
            body = file.at(at + _PAGE.size + n_segments, sum(sizes))
            if _checksum(head[:22] + bytes(4) + head[26:] + sizes + body) == checksum:
                end = at + len(head) + len(sizes) + len(body)
                yield _Page(at, end, flags, time, stream, number)
                at = end
                continue
        found = file.at(at + 1, _SEARCHED).find(b"OggS")
        # The name may be cut in two.
        at += 1 + found if found >= 0 else _SEARCHED - 3


def _checksum(page: bytes) -> int:
    """Compute the checksum of a page, which is that of zlib but for the bits' order and signs."""
    checksum = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{checksum:032b}"[::-1], 2)
