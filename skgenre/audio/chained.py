"""Files that consist of several, one after the other, such as recordings of Ogg radio stations.

libsndfile reads the first of them only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import numpy as np

from .readers import BLOCK_FRAMES, BlockReader, DecodingError, FileView, SndfileReader, find_all

#: First page of a stream in an Ogg file: it has the flag 2, and does not continue a packet (1).
_FIRST_PAGE = re.compile(rb"OggS\0[\2\6]")


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

    def close(self) -> None:
        self._part.close()


def ogg_links(file: FileView, n_read: int) -> Iterator[tuple[FileView, int]]:
    """Yield views of an Ogg file from the second link on; see :class:`ChainedReader`."""
    expected = None  # the first page of another stream of the same link
    for at, page in find_all(file, _FIRST_PAGE):
        if expected is not None and at != expected:
            yield file.from_byte(at), 0
        n_segments = page[26] if len(page) > 26 else 0
        expected = at + 27 + n_segments + sum(page[27 : 27 + n_segments])
