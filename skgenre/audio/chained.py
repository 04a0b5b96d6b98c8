"""Files that consist of several, one after the other, such as recordings of Ogg radio stations.

libsndfile reads the first of them only.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from .readers import BLOCK_FRAMES, BlockReader, DecodingError, FileView, SndfileReader

#: Header of a page of an Ogg file: its name, version, flags, time, stream, number, checksum, and
#: number of segments, whose lengths follow in a byte each (RFC 3533).
_PAGE = struct.Struct("<4sBBqIIIB")

#: Flags of the first and the last page of a stream.
_FIRST, _LAST = 2, 4

#: Bytes with their bits in reverse order: that of zlib is the other one.
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

#: Number of bytes that are read at a time.
_BUFFERED = 1 << 18


class ChainedReader(BlockReader):
    """Decode a file with libsndfile, and then what follows in it.

    Parameters
    ----------
    first : SndfileReader
        The first part.
    following : callable
        Function of the number of frames of the first part. It yields views of the other parts, and
        the number of their frames that are left out. Parts that libsndfile rejects are skipped. It
        raises DecodingError after the last part if something is missing in the file.
    """

    def __init__(
        self, first: SndfileReader, following: Callable[[int], Iterator[tuple[FileView, int]]]
    ):
        self._part = first
        self._following = following
        self.sample_rate, self.n_channels = first.sample_rate, first.n_channels
        self.n_frames, self.tolerance, self.truncated = (
            first.n_frames,
            first.tolerance,
            first.truncated,
        )
        #: Number of frames read of the first part; None after its end.
        self._n_read: int | None = 0
        super().__init__()

    def read(self, n: int) -> np.ndarray:
        if self._n_read is None:
            return super().read(n)
        # Not more than is stated, or libsndfile would read bytes behind it and drop them.
        stated = n if self.n_frames is None else min(n, self.n_frames - self._n_read)
        block = self._part.read(stated)
        self._n_read += len(block)
        return block if len(block) == n else np.concatenate([block, super().read(n - len(block))])

    def _decode(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the blocks of what follows the first part."""
        following, self._n_read = self._following(self._n_read or 0), None
        self.damage, self.is_unread = self._part.damage, self._part.is_unread
        try:
            for view, n_skipped in following:
                self._part.close()
                try:
                    self._part = SndfileReader(view)
                except DecodingError:
                    continue
                while len(block := self._part.read(BLOCK_FRAMES)):
                    yield self._part.sample_rate, block[n_skipped:]
                    n_skipped = max(0, n_skipped - len(block))
                self.damage, self.is_unread = self._part.damage, self._part.is_unread
        except DecodingError:
            self.truncated = True

    def close(self) -> None:
        self._part.close()


class _Page(NamedTuple):
    """Page of an Ogg file, from `start` to `end`."""

    start: int
    end: int
    flags: int
    time: int
    stream: int
    number: int


def ogg_links(file: FileView, n_read: int) -> Iterator[tuple[FileView, int]]:
    """Yield views of an Ogg file from the second link on; see :class:`ChainedReader`.

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
                yield file.from_byte(page.start), 0
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
    data, at = io.BufferedReader(file.from_byte(0), _BUFFERED), 0
    while True:
        data.seek(at)
        head = data.read(_PAGE.size)
        if len(head) < _PAGE.size:
            return
        name, _, flags, time, stream, number, checksum, n_segments = _PAGE.unpack(head)
        if name == b"OggS":
            lengths = data.read(n_segments)
            body = data.read(sum(lengths))
            if _checksum(head[:22] + bytes(4) + head[26:] + lengths + body) == checksum:
                end = at + len(head) + len(lengths) + len(body)
                yield _Page(at, end, flags, time, stream, number)
                at = end
                continue
        data.seek(at + 1)
        found = data.read(_BUFFERED).find(b"OggS")
        # The name may be cut in two.
        at += 1 + found if found >= 0 else _BUFFERED - 3


def _checksum(page: bytes) -> int:
    """Compute the checksum of a page, which is that of zlib but for the bits' order and signs."""
    checksum = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{checksum:032b}"[::-1], 2)
