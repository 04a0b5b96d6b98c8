"""Workarounds for MP3 files that libsndfile reads incompletely or not at all.

For files without a Xing header, libsndfile assumes that all frames have the bit rate of the first.
It stops at the length computed from it or stated in the header. It also does not recognize files
that start with anything but a frame or a tag. All of this is solved by presenting the file to
libsndfile from its first frame on, with a Xing header that states its true length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from .decoders import DecodingError
from .sources import FileView

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
_MAX_JUNK = 1 << 20

#: Bytes searched at a time for the next frame if it is not where it is expected.
_MAX_DAMAGE = 1 << 16

#: Bytes without a frame after which libmpg123, the decoder of libsndfile, gives up (1024), less a
#: header.
_GIVEN_UP = 1020

#: Number of consecutive frames that identify MP3 data.
_IN_A_ROW = 4

#: Beginnings of containers, in which frames that look like MP3 may be cut in pieces or be chance.
#: In order: mp4 and mov, asf and wma, mkv and webm, mpg, flv, swf, rm, avi, wtv, mxf, nut, Ogg,
#: Monkey's Audio, WavPack, and ts with packets of 188, 192 and 204 bytes.
_CONTAINER = re.compile(
    rb"....(ftyp|moov|mdat|free|skip|wide|pnot)|\x30\x26\xb2\x75\x8e\x66|\x1a\x45\xdf\xa3|"
    rb"\x00\x00\x01[\xb3\xba]|FLV|[CFZ]WS|\.RMF|RIFF....AVI |\xb7\xd8\x00\x20|\x06\x0e\x2b\x34|"
    rb"nut/multimedia|OggS|MAC |wvpk|(G.{187}){3}|(....G.{187}){3}|(G.{203}){3}",
    re.DOTALL,
)


class _Frame(NamedTuple):
    """Header of a frame, its first four bytes."""

    length: int
    samples: int
    sample_rate: int
    mono: bool

    @property
    def kind(self) -> tuple[int, bool]:
        """Frames of another kind belong to another song."""
        return self.sample_rate, self.mono

    @property
    def header_length(self) -> int:
        """Number of bytes before a Xing header: the frame header and the side information."""
        if self.samples == 1152:  # MPEG-1
            return 4 + (17 if self.mono else 32)
        return 4 + (9 if self.mono else 17)


@lru_cache(maxsize=1 << 12)
def _parse(header: bytes) -> _Frame | None:
    """Parse the header of a frame; return None if it is not one of Layer III."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE6 != 0xE2:
        return None
    version, bits = header[1] >> 3 & 3, header[2]
    rate = bits >> 2 & 3
    if version == 0b01 or not 0 < bits >> 4 < 15 or rate == 3:
        return None
    mpeg1 = version == 0b11
    bit_rate = _BIT_RATES[not mpeg1][(bits >> 4) - 1]
    samples, sample_rate = 1152 if mpeg1 else 576, _SAMPLE_RATES[version][rate]
    length = samples * 125 * bit_rate // sample_rate + (bits >> 1 & 1)
    return _Frame(length, samples, sample_rate, header[3] >> 6 == 3)


def first_song(file: FileView, believed: int | None = None) -> FileView | None:
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
        None if the file is not MP3 or libsndfile reads it without help. With an added header, the
        decoder discards its first 529 samples, as for files with an encoder's header.
    """
    start = _find(file)
    if start is None:
        return None
    if _stated(file, start):
        return file.part(start) if believed is None else None
    n_frames, _ = _count_frames(file, start)
    samples = n_frames * _frame_at(file, start).samples
    if believed is not None and abs(samples - believed) <= TOLERANCE:
        return None
    return _with_length(file, start, n_frames)


def songs(file: FileView, n_read: int) -> Iterator[tuple[FileView, int]]:
    """Yield what follows the samples that libsndfile has read of an MP3 file.

    Its header may state too few frames, and other songs may follow the first. What follows damage
    at which libsndfile stops is a song of its own.

    Parameters
    ----------
    file : FileView
        The file, viewed from its first byte.
    n_read : int
        Number of samples per channel that were read, of the first song.

    Yields
    ------
    view : FileView
        A song, with its true length.
    n_read : int
        Number of its samples that were read.

    Raises
    ------
    DecodingError
        After the last song, if one is damaged.
    """
    start, is_damaged = _find(file), False
    while start is not None:
        n_frames, end = _count_frames(file, start)
        stated = _stated(file, start)
        # Some encoders count the frame that contains the header.
        if stated >= n_frames - 2:
            if n_read == 0:
                yield file.part(start), 0
        elif stated or n_read == 0:
            yield _with_length(file, start, n_frames), n_read
        if end is not None and _frame_at(file, end).kind == _frame_at(file, start).kind:
            # With a header it is another song, behind a tag.
            is_damaged |= _stated(file, end) == 0
        start, n_read = end, 0
    if is_damaged:
        raise DecodingError("it is damaged")


def _find(file: FileView) -> int | None:
    """Return the offset of the first frame, or None if the file is not MP3."""
    begin = skip_tags(file)
    if _CONTAINER.match(file.at(begin, 612)):
        return None
    start = _first_frame(file.at(begin, _MAX_JUNK + _MAX_DAMAGE), 0, _MAX_JUNK)
    return None if start is None else begin + start


def _frame_at(file: FileView, start: int) -> _Frame:
    frame = _parse(file.at(start, 4))
    assert frame is not None  # found before
    return frame


def _count_frames(file: FileView, start: int) -> tuple[int, int | None]:
    """Count the frames of a song, skipping other data, reading the file piece by piece.

    Returns
    -------
    n_frames : int
        Number of frames.
    end : int or None
        Offset of frames behind damage or of another kind, None if there are none.
    """
    kind = _frame_at(file, start).kind
    n_frames, n_skipped, i, data = 0, 0, 0, b""
    while True:
        if len(data) - i < 2 * _MAX_DAMAGE and (i or not data):
            start += i
            data, i = file.at(start, 16 * _MAX_DAMAGE), 0
        if i >= len(data):
            return n_frames, None
        frame = _parse(data[i : i + 4])
        if frame is not None and frame.kind == kind:
            if n_skipped > _GIVEN_UP:
                return n_frames, start + i
            n_frames, n_skipped, i = n_frames + 1, 0, i + frame.length
        elif frame is not None and _first_frame(data, i, 1) == i:
            return n_frames, start + i
        elif data[i : i + 3] == b"ID3":  # of the next song; may contain a picture
            start, i, data = skip_tags(file, start + i), 0, b""
        else:  # damage
            found = _first_frame(data, i + 1)
            step = _MAX_DAMAGE if found is None else found - i
            n_skipped, i = n_skipped + step, i + step


def skip_tags(file: FileView, i: int = 0) -> int:
    """Return the offset of the first byte after the ID3 tags at offset `i`."""
    while True:
        head = file.at(i, 10)
        if len(head) < 10 or head[:3] != b"ID3":
            return i
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte & 0x7F
        i += 10 + size


def _first_frame(data: bytes, i: int, n: int = _MAX_DAMAGE) -> int | None:
    """Find `_IN_A_ROW` consecutive frames starting within `n` bytes from `i`."""
    for found in _SYNC.finditer(data, i, i + n + 1):
        at, n_found = found.start(), 0
        while n_found < _IN_A_ROW and (frame := _parse(data[at : at + 4])) is not None:
            at, n_found = at + frame.length, n_found + 1
        if n_found == _IN_A_ROW or (n_found and at == len(data)):
            return found.start()
    return None


def _stated(file: FileView, start: int) -> int:
    """Return the number of frames that the Xing header in a frame states, or 0."""
    frame = _frame_at(file, start)
    header = file.at(start + frame.header_length, 12)
    if header[:4] not in (b"Xing", b"Info") or len(header) < 12 or not header[7] & 1:
        return 0
    return int.from_bytes(header[8:], "big")


def _with_length(file: FileView, start: int, n_frames: int) -> FileView:
    """View a song with a Xing header that states its number of frames."""
    first = _frame_at(file, start)
    at = first.header_length
    frame = file.at(start, first.length)
    if _stated(file, start):
        # The rest of the header says how many samples an encoder added.
        count = (n_frames - 1).to_bytes(4, "big")  # itself is not counted
        return file.part(start + first.length, head=frame[: at + 8] + count + frame[at + 12 :])
    # A silent frame without checksum and padding, of a bit rate that is enough for the header.
    bit_rate = 9 if first.samples == 1152 else 8
    header = bytes([0xFF, frame[1] | 1, bit_rate << 4 | frame[2] & 0x0C, 0xC0 * first.mono])
    silent = _parse(header)
    assert silent is not None  # built from the header of a valid frame
    body = b"Xing" + (1).to_bytes(4, "big") + n_frames.to_bytes(4, "big")
    head = header + bytes(at - len(header)) + body
    return file.part(start, head=head + bytes(silent.length - len(head)))
