"""Files whose stated length cannot be trusted: WAV and AU, FLAC, and Ogg; see ``mp3`` for MP3.

libsndfile stops where a header says. It is presented with a header that states no length instead,
or with what follows as a file of its own. Offsets are in bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, pairwise

from .decoders import DecodingError
from .sources import FileView

#: Number of bytes that are searched at a time, and of those behind them that a match may take.
_SEARCHED, _OVERLAP = 1 << 20, 1 << 10

#: Maximum number of chunks before the samples of a WAV file.
_MAX_CHUNKS = 1000

#: The length in a WAV or AU file that libsndfile takes for an unknown one.
_UNKNOWN = b"\xff\xff\xff\xff"

#: Start of a FLAC file: its name, and the header of the block with its length, in 36 bits. 0 means
#: an unknown length.
_FLAC = re.compile(rb"fLaC[\0\x80]\0\0\x22")
_FLAC_START, _FLAC_LENGTH = 42, 21

#: First pages of the streams of a link of an Ogg file, and the name, version and flags of a page
#: (RFC 3533).
_OGG_START = re.compile(rb"(?:OggS\0[\2\3].{20,300}?(?=OggS))+", re.DOTALL)
_OGG_PAGE = re.compile(rb"OggS\0([\0-\7])")

#: Flag of the last page of a stream, and the longest page.
_LAST, _MAX_PAGE = 4, 65_307


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
    for start, stop in pairwise([*_starts(file, _FLAC), file.size]):
        head = file.at(start, _FLAC_START)
        at = _FLAC_LENGTH
        head = head[:at] + bytes([head[at] & 0xF0]) + bytes(4) + head[at + 5 :]
        yield file.part(start + _FLAC_START, stop, head), n_read
        n_read = 0


def ogg_links(file: FileView, n_read: int) -> Iterator[tuple[FileView, int]]:
    """Yield views of a chained Ogg file from the second link on, as of a radio station.

    Parameters and results are those of :func:`flac_parts`.

    Raises
    ------
    DecodingError
        After the last link, if the file does not end with the last page of a stream.
    """
    for start in islice(_starts(file, _OGG_START), 1, None):
        yield file.part(start), 0
    pages = _OGG_PAGE.findall(file.at(max(0, file.size - _MAX_PAGE), _MAX_PAGE))
    if pages and not pages[-1][0] & _LAST:
        raise DecodingError("the last page is missing")


def _starts(file: FileView, pattern: re.Pattern) -> Iterator[int]:
    """Yield the offsets at which a pattern matches."""
    end = 0
    for start in range(0, file.size, _SEARCHED):
        for found in pattern.finditer(file.at(start, _SEARCHED + _OVERLAP)):
            if start + found.start() >= end:
                end = start + found.end()
                yield start + found.start()
