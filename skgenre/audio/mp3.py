"""Workarounds for MP3 files that libsndfile reads incompletely or not at all.

For files without a Xing header, libsndfile assumes that all frames have the bit rate of the first,
and stops at the length computed from it. It also does not recognize files that start with
anything but a frame or a tag. Both problems are solved by presenting the file to libsndfile with a
Xing header in front of its first frame.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .readers import FileView

#: Bit rates of Layer III in kbit/s: MPEG-1, and MPEG-2/2.5 (ISO 11172-3, 13818-3).
_BIT_RATES = (
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_SAMPLE_RATES = {
    0b11: (44100, 48000, 32000),
    0b10: (22050, 24000, 16000),
    0b00: (11025, 12000, 8000),
}

#: Accepted error of libsndfile's length in samples: two frames.
TOLERANCE = 2 * 1152

#: Start of a frame of Layer III.
_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")

#: Bytes searched for the first frame, which may follow other data such as a picture.
_MOST_JUNK = 1 << 20

#: Bytes searched for the next frame if it is not where it is expected.
_MOST_DAMAGE = 1 << 16

#: Number of consecutive frames that identify MP3 data.
_IN_A_ROW = 4


@dataclass(frozen=True)
class _Frame:
    """Header of a frame, its first four bytes."""

    length: int
    mpeg1: bool
    mono: bool

    @classmethod
    def parse(cls, data, i: int) -> _Frame | None:
        """Parse the frame header at offset `i`; return None if it is not one of Layer III."""
        if i + 4 > len(data) or data[i] != 0xFF or data[i + 1] & 0xE6 != 0xE2:
            return None
        version, bits = data[i + 1] >> 3 & 3, data[i + 2]
        rate = bits >> 2 & 3
        if version == 0b01 or not 0 < bits >> 4 < 15 or rate == 3:
            return None
        mpeg1 = version == 0b11
        bit_rate = _BIT_RATES[not mpeg1][(bits >> 4) - 1]
        samples = 144_000 if mpeg1 else 72_000
        length = samples * bit_rate // _SAMPLE_RATES[version][rate] + (bits >> 1 & 1)
        return cls(length, mpeg1, data[i + 3] >> 6 == 3)

    @property
    def header_length(self) -> int:
        """Number of bytes before a Xing header: the frame header and the side information."""
        if self.mpeg1:
            return 4 + (17 if self.mono else 32)
        return 4 + (9 if self.mono else 17)


def complete(file: FileView, believed: int | None = None) -> FileView | None:
    """Create a view of an MP3 file that libsndfile reads completely.

    Parameters
    ----------
    file : FileView
        The file, viewed from its first byte.
    believed : int, default=None
        Number of samples per channel that libsndfile reports; None if it does not recognize the
        format.

    Returns
    -------
    view : FileView or None
        None if the file is not MP3 or libsndfile reads it completely without help. With the added
        header, the decoder discards its first 529 samples, as for files with an encoder's header.
    """
    begin = skip_tags(file)
    for most in (_MOST_DAMAGE, _MOST_JUNK):  # the first is nearly always enough
        file.seek(begin)
        data = file.read(most + _MOST_DAMAGE)
        start = _first_frame(data, 0, most)
        if start is not None:
            break
    first = None if start is None else _Frame.parse(data, start)
    if start is None or first is None:
        return None
    has_length = data[start + first.header_length :][:4] in (b"Xing", b"Info")
    if has_length and believed is not None:
        return None
    if has_length:
        return file.from_byte(begin + start)
    n_frames = _count_frames(file, begin + start)
    samples = 1152 if first.mpeg1 else 576
    if believed is not None and abs(n_frames * samples - believed) <= TOLERANCE:
        return None
    return file.from_byte(begin + start, _xing(data[start : start + 4], first, n_frames))


def _count_frames(file: FileView, start: int) -> int:
    """Count the frames, skipping data in between, reading the file piece by piece."""
    n_frames, i, data = 0, 0, b""
    while True:
        if len(data) - i < 2 * _MOST_DAMAGE and (i or not data):
            start += i
            file.seek(start)
            data, i = file.read(16 * _MOST_DAMAGE), 0
        if i >= len(data):
            return n_frames
        frame = _Frame.parse(data, i)
        if frame is not None:
            n_frames += 1
            i += frame.length
        elif (found := _first_frame(data, i + 1)) is not None:
            i = found
        else:
            return n_frames


def skip_tags(file: FileView) -> int:
    """Return the offset of the first byte after the leading ID3 tags."""
    i = 0
    while True:
        file.seek(i)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3":
            return i
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte & 0x7F
        i += 10 + size


def _first_frame(data: bytes, i: int, most: int = _MOST_DAMAGE) -> int | None:
    """Find `_IN_A_ROW` consecutive frames starting within `most` bytes from `i`."""
    for found in _SYNC.finditer(data, i, i + most):
        at, n = found.start(), 0
        while n < _IN_A_ROW and (frame := _Frame.parse(data, at)) is not None:
            at, n = at + frame.length, n + 1
        if n == _IN_A_ROW or (n and at == len(data)):
            return found.start()
    return None


def _xing(header: bytes, first: _Frame, n_frames: int) -> bytes:
    """Create a silent frame with a Xing header that contains the number of frames."""
    # No checksum or padding; 128 or 64 kbit/s is long enough at every sample rate.
    header = bytes([header[0], header[1] | 1, (9 if first.mpeg1 else 8) << 4 | header[2] & 0x0C])
    mode = bytes([0xC0 if first.mono else 0])
    frame = _Frame.parse(header + mode, 0)
    assert frame is not None  # built from the header of a valid frame
    body = b"Xing" + (1).to_bytes(4, "big") + n_frames.to_bytes(4, "big")
    side = bytes(first.header_length - 4)
    start = header + mode + side + body
    return start + bytes(frame.length - len(start))
