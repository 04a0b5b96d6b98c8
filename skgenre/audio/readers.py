"""Decoders with a common interface.

:class:`Reader` is the interface and :class:`SndfileReader` decodes with libsndfile.
:class:`FileView` gives each reader its own position in a shared file object.
"""

from __future__ import annotations

import io
import os
import re
from abc import ABC, abstractmethod
from typing import BinaryIO

import numpy as np
import soundfile

from .sources import end_of, lock_of

#: libsndfile's log line for a chunk whose header states more bytes than the file contains.
_PROMISED = re.compile(r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.M)

#: Chunk sizes from this value on mean an unknown length, not a truncated file.
_UNKNOWN_SIZE = 0xFFFFFF00

#: Replacements for misleading or uninformative messages of libsndfile.
_WORDS = {
    # Raised for existing files with the suffix .mp3.
    "File does not exist or is not a regular file (possibly a pipe?)": "no MPEG audio found in it",
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
    sample_rate, n_channels, n_frames : int
        According to the header; the file may be shorter.
    tolerance : int
        Accepted error of `n_frames`.
    exact_seek : bool
        Whether seeking yields the same frames as decoding from the start.
    truncated : bool
        Whether the header states more data than the file contains.
    damage : str or None
        Why decoding stopped early, if it did.
    """

    sample_rate: int
    n_channels: int
    n_frames: int
    tolerance: int = 0
    exact_seek: bool = False
    truncated: bool = False
    damage: str | None = None

    @abstractmethod
    def read(self, n: int) -> np.ndarray:
        """Decode the next `n` frames as mono.

        Returns
        -------
        y : float32 ndarray of shape (n_frames,)
            Shorter at the end of the file or before damage.
        """

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
        """Close the decoder and the files that it opened."""


class FileView(io.RawIOBase):
    """Read-only view of a file object, with an independent position.

    Parameters
    ----------
    file : binary file object
        A seekable file, left open unless `owned` is True.
    start : int, default=0
        Offset in `file` at which the view starts.
    head : bytes, default=b""
        Bytes that precede those of `file` in the view.
    owned : bool, default=False
        Whether to close `file` with the view.

    Attributes
    ----------
    failure : str or None
        Message of an exception raised by `file`, if any. The view ends at that point, because
        decoders in C cannot propagate exceptions.
    """

    failure: str | None = None

    def __init__(self, file: BinaryIO, start: int = 0, head: bytes = b"", *, owned: bool = False):
        self._file = file
        self._start = start
        self._head = head
        self._owned = owned
        self._lock = lock_of(file)
        with self._lock:
            self._size = max(0, len(head) + end_of(file) - start)
        self._position = 0

    @classmethod
    def from_source(cls, source: str | BinaryIO) -> FileView:
        """View a path, which is opened and owned by the view, or a file object."""
        if isinstance(source, str):
            return cls(open(source, "rb"), owned=True)
        return cls(source)

    def from_byte(self, start: int, head: bytes = b"") -> FileView:
        """View the same file from another byte on; ownership moves to the new view."""
        view = FileView(self._file, start, head, owned=self._owned)
        self._owned = False
        return view

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._position = max(0, offset + (0, self._position, self._size)[whence])
        return self._position

    def readinto(self, buffer) -> int:
        target = memoryview(buffer).cast("B")
        filled = 0
        # File objects may return fewer bytes than requested before their end, which decoders
        # would take for the end.
        while filled < len(target) and (part := self._read_part(len(target) - filled)):
            target[filled : filled + len(part)] = part
            filled += len(part)
            self._position += len(part)
        return filled

    def _read_part(self, n: int) -> bytes:
        if self._position < len(self._head):
            return self._head[self._position :][:n]
        try:
            with self._lock:
                self._file.seek(self._start + self._position - len(self._head))
                return self._file.read(n)
        except Exception as error:  # file objects of users may raise anything
            self.failure = str(error) or type(error).__name__
            return b""

    def close(self) -> None:
        if self._owned and not self.closed:
            self._file.close()
        super().close()


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
    source : str or FileView
        A path, or a view, which is closed with the reader.

    Raises
    ------
    DecodingError
        If libsndfile rejects the file.
    """

    def __init__(self, source: str | FileView):
        self._view = source if isinstance(source, FileView) else None
        file: str | FileView | int = source
        if isinstance(source, str) and source.lower().endswith(".raw"):
            # For this suffix, python-soundfile requires a format instead of detecting it.
            file = os.open(source, os.O_RDONLY)
        try:
            self._file = _SoundFile(file)
        except (soundfile.LibsndfileError, TypeError, ValueError) as error:
            raise DecodingError(self._failure or _reason(error)) from error
        self.sample_rate = self._file.samplerate
        self.n_channels = self._file.channels
        self.n_frames = self._file.frames
        # MP3 data in a WAV file are included; libsndfile estimates their length in the same way.
        self.is_mp3 = self._file.format == "MP3" or self._file.subtype == "MPEG_LAYER_III"
        self.exact_seek = not self.is_mp3 and self._file.format != "OGG"
        self.truncated = any(
            int(found) < int(promised) < _UNKNOWN_SIZE
            for promised, found in _PROMISED.findall(self._file.extra_info)
        )
        # Scaling 16-bit samples here is several times as fast as in libsndfile. Its FLAC decoder
        # is excluded because damaged frames are detected by NaN.
        self._integers = self._file.subtype == "PCM_16" and self._file.format != "FLAC"

    def read(self, n: int) -> np.ndarray:
        shape = n, self.n_channels
        # Frames that cannot be decoded stay NaN. Uncompressed samples end instead.
        block = np.empty(shape, np.int16) if self._integers else np.full(shape, np.nan, np.float32)
        try:
            block = self._file.read(out=block)
        except soundfile.LibsndfileError as error:
            # Keep what was decoded before the damage; libsndfile does not report how much.
            block = block[: np.isnan(block[:, 0]).argmax()]
            self.damage = _reason(error)
        self.damage = self._failure or self.damage
        if self._integers:
            block = block * np.float32(1 / 32768)
        return to_mono(block)

    def seek(self, frame: int) -> int:
        try:
            return self._file.seek(min(frame, self.n_frames))
        except soundfile.LibsndfileError as error:  # for example after damage in a FLAC file
            raise DecodingError(_reason(error)) from error

    @property
    def _failure(self) -> str | None:
        return None if self._view is None else self._view.failure

    def close(self) -> None:
        self._file.close()
        if self._view is not None:
            self._view.close()


def to_mono(block: np.ndarray) -> np.ndarray:
    """Average the channels of a block of shape (n_frames, n_channels)."""
    return block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
