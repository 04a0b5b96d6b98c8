"""Reading of TensorFlow checkpoints without importing TensorFlow."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

#: Magic number at the end of an index, and length of its footer in bytes.
_MAGIC, _FOOTER = 0xDB4775248B80FB57, 48

#: TensorFlow's type code for float32.
_FLOAT32 = 1


def read_checkpoint(prefix: str | os.PathLike) -> dict[str, np.ndarray]:
    """Read the float32 arrays of a TensorFlow checkpoint with a single data file.

    The index is an uncompressed LevelDB table. Its values are ``BundleEntryProto`` protocol
    buffers, which contain the type, shape and position of each array in the data file.

    Parameters
    ----------
    prefix : str or path-like
        Common prefix of the file names: ``folder/model`` for ``folder/model.index``.

    Returns
    -------
    arrays : dict of str to float32 ndarray
        Arrays by variable name. Variables of other types are ignored.

    Raises
    ------
    OSError
        If a file cannot be read.
    ValueError
        If the files are not a valid checkpoint.
    """
    prefix = os.fspath(prefix)
    index = Path(f"{prefix}.index").read_bytes()
    data = Path(f"{prefix}.data-00000-of-00001").read_bytes()
    try:
        return dict(_arrays(index, data))
    except (IndexError, KeyError, TypeError, ValueError, struct.error) as error:
        raise ValueError(f"{prefix}.index is not the index of a TensorFlow checkpoint") from error


def _arrays(index: bytes, data: bytes) -> Iterator[tuple[str, np.ndarray]]:
    footer = index[-_FOOTER:]
    if footer[-8:] != struct.pack("<Q", _MAGIC):
        raise ValueError("wrong magic number")
    # Offsets and sizes of two blocks; the second lists the blocks that contain the entries.
    _, _, *place = _varints(footer, 4)
    for _, value in _entries(_block(index, place)):
        for name, entry in _entries(_block(index, _varints(value, 2))):
            # The first entry, with an empty name, is the header of the checkpoint.
            found = dict(_fields(entry))
            if name and found[1] == _FLOAT32:
                # Fields that are zero are omitted.
                sizes = [dict(_fields(size)).get(1, 0) for _, size in _fields(found[2])]
                start, n_bytes = found.get(4, 0), found.get(5, 0)
                values = np.frombuffer(data[start : start + n_bytes], "<f4")
                yield name.decode(), values.reshape(sizes)


def _block(index: bytes, place: list[int]) -> bytes:
    return index[place[0] : sum(place)]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values of a block, in which keys omit the prefix shared with the last key."""
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
    """Yield the numbers and values of the fields of a protocol buffer."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value: Any
        if tag & 7 == 5:  # fixed-size field of four bytes: a checksum
            value, at = message[at : at + 4], at + 4
        else:
            value, at = _varint(message, at)
            if tag & 7 == 2:  # field of variable length
                value, at = message[at : at + value], at + value
        yield tag >> 3, value


def _varints(buffer: bytes, n: int) -> list[int]:
    values, at = [], 0
    for _ in range(n):
        value, at = _varint(buffer, at)
        values.append(value)
    return values


def _varint(buffer: bytes, at: int) -> tuple[int, int]:
    """Read an integer in base 128, least significant digit first; return it and its end."""
    value = shift = 0
    while buffer[at] > 127:
        value |= (buffer[at] & 127) << shift
        at, shift = at + 1, shift + 7
    return value | buffer[at] << shift, at + 1
