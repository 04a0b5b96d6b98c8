"""Decoders with a common interface.

:class:`Reader` is the interface, :class:`BlockReader` implements it for decoders of blocks of any
length, and :class:`SndfileReader` decodes with libsndfile. :class:`FileView` gives each reader its
own position.
"""

from __future__ import annotations

import io
import math
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np
import soundfile
import soxr

from .sources import Source

#: libsndfile's log line for a chunk whose header states more bytes than the file contains.
_PROMISED = re.compile(r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.M)

#: Chunk sizes from this value on mean an unknown length, not a truncated file.
_UNKNOWN_SIZE = 0xFFFFFF00

#: Limits of the sample rate in Hz. Music has no lower rates, but 1 Hz in a damaged header would
#: turn 20 kB into hours. The highest rate of converters is 768 kHz.
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1_000, 768_000

#: Stated lengths in frames from this value on mean an unknown length. It is the limit of FLAC, and
#: 18 days at 44,100 Hz. libsndfile returns 2**63 - 1.
_UNKNOWN_LENGTH = 1 << 36

#: Number of frames that are decoded at a time.
BLOCK_FRAMES = 1 << 14

#: Number of bytes that are searched at a time.
_SEARCHED = 1 << 20

#: Size of the start of a FLAC file with its length, and offset of the length.
_FLAC_START, _FLAC_LENGTH = 42, 21

#: Start of a FLAC file: its name, and the header of the block with the length.
_FLAC = re.compile(rb"fLaC[\0\x80]\0\0\x22")

#: Replacements for misleading or uninformative messages of libsndfile.
_WORDS = {
    "Format not recognised": "unknown format",
    "Internal error : SF_INFO struct incomplete": "the header is incomplete",
    "No Error": "no reason given",
    "Supported file format but file is malformed": "the header is malformed",
    "Supported file format but unsupported encoding": "known format, unknown encoding",
    "System error": "the system could not read it",
    "Unspecified internal error": "the header is malformed",
    "": "no reason given",
}


def _reason(error: Exception) -> str:
    """Return libsndfile's reason for rejecting a file."""
    words = getattr(error, "error_string", None)
    words = (str(error) if words is None else words).strip().rstrip(".")
    return _WORDS.get(words, words)


class DecodingError(Exception):
    """Exception raised when a decoder rejects a file; the message is its reason."""


class Reader(ABC):
    """An audio file opened by a decoder.

    Attributes
    ----------
    sample_rate, n_channels : int
        According to the header.
    n_frames : int or None
        Length according to the header, or an estimate; None if it is unknown. It is only a hint:
        what can be decoded counts.
    tolerance : float
        Accepted error of `n_frames`: infinite if it is an estimate.
    exact_seek : bool
        Whether seeking yields the same frames as decoding from the start.
    truncated : bool
        Whether data are missing: the header states more than the file contains, or a part was
        lost. Only the end of the file may show it.
    damage : str or None
        Why decoding stopped early, if it did.
    is_unread : bool
        Whether, at the end, there are bytes left that may contain more frames.
    """

    sample_rate: int
    n_channels: int
    n_frames: int | None
    tolerance: float = 0
    exact_seek: bool = False
    truncated: bool = False
    damage: str | None = None
    is_unread: bool = False

    @abstractmethod
    def read(self, n: int) -> np.ndarray:
        """Decode the next `n` frames.

        Returns
        -------
        block : float32 ndarray of shape (n_frames, n_channels)
            Shorter at the end of the file or before damage.
        """

    def ended_early(self, position: int) -> bool:
        """Return whether more frames are stated than the file contains, which ends at `position`.

        Without a stated length, damage at the end shows that something is missing.
        """
        if self.n_frames is None or math.isinf(self.tolerance):
            return self.damage is not None
        return position < self.n_frames - self.tolerance

    def seek(self, frame: int) -> int:
        """Move to a frame and return the new position. Only supported if `exact_seek` is True.

        Raises
        ------
        DecodingError
            If the file is damaged.
        """
        raise NotImplementedError(f"{type(self).__name__} does not support seeking")

    @abstractmethod
    def close(self) -> None:
        """Close the decoder."""


class BlockReader(Reader):
    """A reader of a decoder of blocks of any length, whose rate and channels may change."""

    def __init__(self) -> None:
        self._left = self._nothing = np.empty((0, self.n_channels), np.float32)
        self._resampled = self._resample()

    @abstractmethod
    def _decode(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the sample rate and the frames of each block."""

    def _resample(self) -> Iterator[np.ndarray]:
        """Yield the blocks with the sample rate and the number of channels of the reader."""
        stream, rate, n_channels = None, self.sample_rate, self.n_channels
        for native, block in self._decode():
            if block.shape[1] != n_channels:
                block = np.repeat(block.mean(axis=1, keepdims=True), n_channels, axis=1)
            if native != rate:
                if stream is not None:
                    yield stream.resample_chunk(self._nothing, last=True)
                stream = None
                if native != self.sample_rate:
                    check_rate(native)
                    stream = soxr.ResampleStream(
                        native, self.sample_rate, n_channels, dtype="float32"
                    )
                rate = native
            yield block if stream is None else stream.resample_chunk(block)
        if stream is not None:
            yield stream.resample_chunk(self._nothing, last=True)

    def read(self, n: int) -> np.ndarray:
        parts, missing = [self._nothing], n
        while missing > 0:
            if not len(self._left):
                try:
                    block = next(self._resampled, None)
                except DecodingError as error:
                    self.damage, block = str(error), None
                if block is None:
                    break
                self._left = block
            parts.append(self._left[:missing])
            self._left = self._left[missing:]
            missing -= len(parts[-1])
        return np.concatenate(parts)


def check_rate(sample_rate: int) -> None:
    """Raise DecodingError for implausible sample rates."""
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise DecodingError(
            f"the sample rate of {sample_rate} Hz in its header is not between {MIN_SAMPLE_RATE} "
            f"and {MAX_SAMPLE_RATE} Hz; correct the header, or convert the file"
        )


class FileView(io.RawIOBase):
    """Read-only view of the bytes of a track, with a position of its own.

    Parameters
    ----------
    source : Source
        The bytes.
    start : int, default=0
        Offset at which the view starts.
    head : bytes, default=b""
        Bytes that precede those of `source` in the view.
    """

    def __init__(self, source: Source, start: int = 0, head: bytes = b""):
        self._source = source
        self._start = start
        self._head = head
        self.size = max(0, len(head) + source.size - start)
        self._position = 0

    def from_byte(self, start: int, head: bytes = b"") -> FileView:
        """View the same file from another byte of this view on."""
        return FileView(self._source, self._start + start - len(self._head), head)

    def descriptor(self) -> int | None:
        """Return a descriptor for decoders that read files themselves, if that is possible."""
        return None if self._start or self._head else self._source.descriptor()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = max(0, offset + (0, self._position, self.size)[whence])
        return self._position

    def readinto(self, buffer) -> int:
        target = memoryview(buffer).cast("B")
        filled = 0
        # Decoders would take a part for the end.
        while filled < len(target) and (part := self._read_part(len(target) - filled)):
            target[filled : filled + len(part)] = part
            filled += len(part)
            self._position += len(part)
        return filled

    def _read_part(self, n: int) -> bytes:
        if self._position < len(self._head):
            return self._head[self._position :][:n]
        return self._source.read_at(n, self._start + self._position - len(self._head))


def find_all(view: FileView, pattern: re.Pattern) -> Iterator[tuple[int, bytes]]:
    """Yield the offset of each match of a pattern in a file, and up to 300 bytes from there."""
    for start in range(0, view.size, _SEARCHED):
        view.seek(start)
        data = view.read(_SEARCHED + 300)
        for found in pattern.finditer(data):
            if (at := found.start()) < _SEARCHED:
                yield start + at, data[at : at + 300]


class _SoundFile(soundfile.SoundFile):
    """A SoundFile that does not seek when reading.

    python-soundfile seeks to the current position after each read, which changes the samples that
    libsndfile's MP3 decoder returns afterwards.
    """

    def seekable(self) -> bool:
        return False


class SndfileReader(Reader):
    """Decode a file with libsndfile.

    Parameters
    ----------
    view : FileView
        The file.

    Raises
    ------
    DecodingError
        If libsndfile rejects the file.
    """

    def __init__(self, view: FileView):
        self._view = view
        self._descriptor = view.descriptor()
        # libsndfile reads a descriptor faster, and knows of no name whose ending could mislead it.
        self._file = _open(view if self._descriptor is None else self._descriptor)
        self.sample_rate = self._file.samplerate
        self.n_channels = self._file.channels
        self.n_frames = self._file.frames if self._file.frames < _UNKNOWN_LENGTH else None
        # MP3 data in a WAV file are included; libsndfile estimates their length in the same way.
        self.is_mp3 = self._file.format == "MP3" or self._file.subtype == "MPEG_LAYER_III"
        self.is_ogg = self._file.format == "OGG"
        self.is_au = self._file.format == "AU"
        self.exact_seek = not self.is_mp3 and not self.is_ogg
        if self.is_ogg:
            self.tolerance = math.inf  # the time of the last page, which need not start at 0
        self.truncated = any(
            int(found) < int(promised) < _UNKNOWN_SIZE
            for promised, found in _PROMISED.findall(self._file.extra_info)
        )
        # Scaling 16-bit samples here is several times as fast as in libsndfile. Its FLAC decoder
        # is excluded because damaged frames are detected by NaN.
        self._is_flac = self._file.format == "FLAC"
        self._integers = self._file.subtype == "PCM_16" and not self._is_flac
        self._may_continue = self._is_flac and self.n_frames is not None
        self._has_jumped = False

    def read(self, n: int) -> np.ndarray:
        block = self._read(n)
        if len(block) < n and self.damage is None and self._may_continue and self._continue():
            block = np.concatenate([block, self._read(n - len(block))])
        return block

    def _read(self, n: int) -> np.ndarray:
        shape = n, self.n_channels
        # Frames that cannot be decoded stay NaN. Uncompressed samples end instead.
        block = np.empty(shape, np.int16) if self._integers else np.full(shape, np.nan, np.float32)
        try:
            block = self._file.read(out=block)
        except soundfile.LibsndfileError as error:
            # Keep what was decoded before the damage; libsndfile does not report how much.
            block = block[: np.isnan(block[:, 0]).argmax()]
            self.damage = _reason(error)
        if self._integers:
            block = block * np.float32(1 / 32768)
        return block

    def _continue(self) -> bool:
        """Look for frames of a FLAC file behind the length in its header, where libsndfile stops.

        With 0 as the length, which means an unknown one, it does not stop.
        """
        self._may_continue = False
        start = self._view.from_byte(0).read(_FLAC_START)
        if start[:4] != b"fLaC":
            return False
        # The length has 36 bits.
        at = _FLAC_LENGTH
        start = start[:at] + bytes([start[at] & 0xF0]) + bytes(4) + start[at + 5 :]
        view = self._view.from_byte(_FLAC_START, start)
        try:
            file = _open(view)
        except DecodingError:
            return False
        try:
            file.seek(self.n_frames)
        except soundfile.LibsndfileError:  # there is nothing
            file.close()
            return False
        self._file.close()
        self._file, self._view, self._descriptor = file, view, None
        self.n_frames = None
        return True

    @property
    def is_unread(self) -> bool:  # type: ignore[override]
        if not self.is_ogg and not self._is_flac:  # others may end with tags
            return False
        here = self._descriptor
        position = self._view.tell() if here is None else os.lseek(here, 0, os.SEEK_CUR)
        if self.is_ogg or (position == self._view.size and not self._has_jumped):
            return position < self._view.size
        # Jumping may have led to another file behind the first, and tags may follow.
        return sum(1 for _ in find_all(self._view.from_byte(0), _FLAC)) > 1

    def seek(self, frame: int) -> int:
        self._has_jumped = True
        try:
            return self._file.seek(min(frame, self.n_frames or _UNKNOWN_LENGTH))
        except soundfile.LibsndfileError as error:  # for example after damage in a FLAC file
            raise DecodingError(_reason(error)) from error

    def close(self) -> None:
        self._file.close()


def _open(file: FileView | int) -> _SoundFile:
    try:
        return _SoundFile(file)
    except (soundfile.LibsndfileError, TypeError, ValueError) as error:
        raise DecodingError(_reason(error)) from error
