"""Reading TensorFlow checkpoints without TensorFlow, which takes seconds to import."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

#: The last eight bytes of an index, and the length of its footer.
_MAGIC, _FOOTER = 0xDB4775248B80FB57, 48

#: TensorFlow's number of the type float32.
_FLOAT32 = 1


def read_checkpoint(prefix: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read the float32 arrays of a TensorFlow checkpoint whose data are one file.

    The index is an uncompressed table of LevelDB. Its entries are protocol buffers of TensorFlow,
    ``BundleEntryProto``: the type and shape of an array, and where it lies in the data.

    Parameters
    ----------
    prefix : str or path-like
        What both names begin with: ``folder/model`` for ``folder/model.index``.

    Returns
    -------
    arrays : dict of str to float32 ndarray
        By the names of the variables; without those of other types.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If the files are no such checkpoint.
    """
    prefix = os.fspath(prefix)
    index = Path(f"{prefix}.index").read_bytes()
    data = Path(f"{prefix}.data-00000-of-00001").read_bytes()
    try:
        return dict(_arrays(index, data))
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise ValueError(f"{prefix}.index is no index of a TensorFlow checkpoint") from error


def _arrays(index: bytes, data: bytes) -> Iterator[tuple[str, np.ndarray]]:
    footer = index[-_FOOTER:]
    if footer[-8:] != struct.pack("<Q", _MAGIC):
        raise ValueError("other last bytes")
    # Places and sizes of two blocks; the second lists those with the entries.
    _, _, *place = _varints(footer, 4)
    for _, value in _entries(_block(index, place)):
        for name, entry in _entries(_block(index, _varints(value, 2))):
            # The first entry, of an empty name, describes the checkpoint.
            found = dict(_fields(entry))
            if name and found[1] == _FLOAT32:
                # Zeros are left out.
                sizes = [dict(_fields(size)).get(1, 0) for _, size in _fields(found[2])]
                start, n_bytes = found.get(4, 0), found.get(5, 0)
                values = np.frombuffer(data[start : start + n_bytes], "<f4")
                yield name.decode(), values.reshape(sizes)


def _block(index: bytes, place: list[int]) -> bytes:
    return index[place[0] : sum(place)]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values; of a key only what differs from the key before is written."""
    [n_restarts] = struct.unpack("<I", block[-4:])
    at, key = 0, b""
    while at < len(block) - 4 * (n_restarts + 1):
        shared, at = _varint(block, at)
        n_key, at = _varint(block, at)
        n_value, at = _varint(block, at)
        key = key[:shared] + block[at : at + n_key]
        at += n_key
        yield key, block[at : at + n_value]
        at += n_value


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield numbers and values of the fields of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value: Any
        if tag & 7 == 5:  # four bytes, of a checksum
            value, at = message[at : at + 4], at + 4
        else:
            value, at = _varint(message, at)
            if tag & 7 == 2:  # as many bytes
                value, at = message[at : at + value], at + value
        yield tag >> 3, value


def _varints(buffer: bytes, n: int) -> list[int]:
    values, at = [], 0
    for _ in range(n):
        value, at = _varint(buffer, at)
        values.append(value)
    return values


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """Read an integer, seven bits a byte and the lowest first; it, and where it ends."""
    value = shift = 0
    while buffer[at] > 127:
        value |= (buffer[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return value | buffer[at] << shift, at + 1
