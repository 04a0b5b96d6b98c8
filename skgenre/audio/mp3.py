"""MP3 files of which libsndfile would read a part, or nothing.

Without a Xing header libsndfile takes the first frame's bit rate for that of all frames, and
stops where the file would end then. It does not recognise a file that begins with anything but a
frame or a tag. A view of the file that begins with such a header mends both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .readers import FileView

#: Layer III, kbit/s: MPEG-1 and the later ones with lower rates (ISO 11172-3, 13818-3).
_BIT_RATES = (
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_SAMPLE_RATES = {
    0b11: (44100, 48000, 32000),
    0b10: (22050, 24000, 16000),
    0b00: (11025, 12000, 8000),
}

#: Samples by which libsndfile's length may be wrong and is still used: two frames.
TOLERANCE = 2 * 1152

#: How a frame of Layer III begins.
_SYNC = re.compile(rb"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]")

#: How far into a file a first frame is looked for, such as behind a picture without a tag.
_MOST_JUNK = 1 << 20

#: How far a next frame is looked for where there should be one.
_MOST_DAMAGE = 1 << 16

#: As many frames in a row are no accident.
_IN_A_ROW = 4


@dataclass(frozen=True)
class _Frame:
    """What the four bytes at the start of a frame say."""

    length: int
    mpeg1: bool
    mono: bool

    @classmethod
    def at(cls, data, i: int) -> _Frame | None:
        """Read the frame at a place; None if there is none of Layer III."""
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
        """Bytes before a Xing header in a frame: its own four and the side information."""
        if self.mpeg1:
            return 4 + (17 if self.mono else 32)
        return 4 + (9 if self.mono else 17)


def complete(file: FileView, believed: int | None = None) -> FileView | None:
    """View an MP3 file so that libsndfile reads all of it.

    Parameters
    ----------
    file : FileView
        The file from its start.
    believed : int, default=None
        Number of frames of sound that libsndfile finds; None if it does not know the format.

    Returns
    -------
    view : FileView or None
        None if the file is no MP3, or is read in full as it is. With a header of ours, the
        529 samples before the decoder has settled are left out, as with an encoder's.
    """
    begin = behind_tags(file)
    for most in (_MOST_DAMAGE, _MOST_JUNK):  # nearly always there is none
        file.seek(begin)
        data = file.read(most + _MOST_DAMAGE)
        start = _first_frame(data, 0, most)
        if start is not None:
            break
    first = None if start is None else _Frame.at(data, start)
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
    """Walk from frame to frame, over what is none, in windows of the file."""
    n_frames, i, data = 0, 0, b""
    while True:
        if len(data) - i < 2 * _MOST_DAMAGE and (i or not data):
            start += i
            file.seek(start)
            data, i = file.read(16 * _MOST_DAMAGE), 0
        if i >= len(data):
            return n_frames
        frame = _Frame.at(data, i)
        if frame is not None:
            n_frames += 1
            i += frame.length
        elif (found := _first_frame(data, i + 1)) is not None:
            i = found
        else:
            return n_frames


def behind_tags(file: FileView) -> int:
    """Find the byte behind the ID3 tags that a file begins with."""
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
    """Find where the next frames in a row begin, from `i` on and `most` bytes further."""
    for found in _SYNC.finditer(data, i, i + most):
        at, n = found.start(), 0
        while n < _IN_A_ROW and (frame := _Frame.at(data, at)) is not None:
            at, n = at + frame.length, n + 1
        if n == _IN_A_ROW or (n and at == len(data)):
            return found.start()
    return None


def _xing(header: bytes, first: _Frame, n_frames: int) -> bytes:
    """Make a frame of silence that says how many follow, such as encoders put first."""
    # No checksum; 128 or 64 kbit/s, long enough at every rate; no padding.
    header = bytes([header[0], header[1] | 1, (9 if first.mpeg1 else 8) << 4 | header[2] & 0x0C])
    mode = bytes([0xC0 if first.mono else 0])
    frame = _Frame.at(header + mode, 0)
    assert frame is not None  # made of a frame's header
    body = b"Xing" + (1).to_bytes(4, "big") + n_frames.to_bytes(4, "big")
    side = bytes(first.header_length - 4)
    start = header + mode + side + body
    return start + bytes(frame.length - len(start))
