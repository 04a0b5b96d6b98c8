"""Files that consist of several, one after the other, such as recordings of Ogg radio stations.

libsndfile reads the first of them only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from .readers import BLOCK_FRAMES, BlockReader, DecodingError, FileView, SndfileReader

#: First page of a stream in an Ogg file: it has the flag 2, and does not continue a packet (1).
_FIRST_PAGE = re.compile(rb"OggS\0[\2\6]")

#: Maximum length of the header of a page, and number of bytes that are searched at a time.
_PAGE_HEADER, _SEARCHED = 27 + 255, 1 << 20


class ChainedReader(BlockReader):
    """Decode a file with libsndfile, and then what follows in it.

    Parameters
    ----------
    first : SndfileReader
        The first part.
    following : callable
        Function of the number of frames of the first part. It yields views of the other parts, and
        the number of their frames that are left out. Parts that libsndfile rejects are skipped.
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
        super().__init__()

    def _decode(self) -> Iterator[tuple[int, np.ndarray]]:
        n_read = 0
        for block in self._read_part(0):
            n_read += len(block)
            yield self.sample_rate, block
        for view, n_skipped in self._following(n_read):
            self._part.close()
            try:
                self._part = SndfileReader(view)
            except DecodingError:
                continue
            for block in self._read_part(n_skipped):
                yield self._part.sample_rate, block

    def _read_part(self, n_skipped: int) -> Iterator[np.ndarray]:
        while len(block := self._part.read(BLOCK_FRAMES)):
            yield block[n_skipped:]
            n_skipped = max(0, n_skipped - len(block))
        self.damage = self._part.damage

    def close(self) -> None:
        self._part.close()


def ogg_links(file: FileView, n_read: int) -> Iterator[tuple[FileView, int]]:
    """Yield views of an Ogg file from the second link on; see :class:`ChainedReader`."""
    expected = None  # the first page of another stream of the same link
    for start in range(0, file.size, _SEARCHED):
        file.seek(start)
        data = file.read(_SEARCHED + _PAGE_HEADER)
        for found in _FIRST_PAGE.finditer(data):
            at = found.start()
            if at >= _SEARCHED:
                break
            if expected is not None and start + at != expected:
                yield file.from_byte(start + at), 0
            n_segments = data[at + 26] if at + 26 < len(data) else 0
            expected = start + at + 27 + n_segments + sum(data[at + 27 : at + 27 + n_segments])
