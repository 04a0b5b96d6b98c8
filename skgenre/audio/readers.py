"""Decoders behind one interface, each with its own position in the file.

:class:`Reader` is the interface, :class:`SndfileReader` decodes with libsndfile, and
:class:`FileView` lets several readers use one file object without moving each other.
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

#: How libsndfile logs a chunk whose header promises more bytes than the file has.
_PROMISED = re.compile(r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.M)

#: Sizes from here on mark a stream of unknown length, not a truncated file.
_UNKNOWN_SIZE = 0xFFFFFF00

#: libsndfile's words that mislead, and what they mean of a file that exists and can be opened.
_WORDS = {
    # Of a name that ends in .mp3.
    "File does not exist or is not a regular file (possibly a pipe?)": "no MPEG audio found in it",
    "Format not recognised": "unknown format",
    "Internal error : SF_INFO struct incomplete": "its header is incomplete",
    "No Error": "no reason given",
    "Supported file format but file is malformed": "its header is malformed",
    "Supported file format but unsupported encoding": "known format, unknown encoding",
    "System error": "the system could not read it",
    "Unspecified internal error": "its header is malformed",
    "": "no reason given",
}


def _reason(error: Exception) -> str:
    """Say why libsndfile refuses a file."""
    words = getattr(error, "error_string", None)
    words = (str(error) if words is None else words).strip().rstrip(".")
    return _WORDS.get(words, words)


class DecodingError(Exception):
    """A decoder refuses a file; the message is the decoder's reason."""


class Reader(ABC):
    """One open file in one decoder.

    Attributes
    ----------
    sample_rate, n_channels, n_frames : int
        As the header states them; the file may end earlier.
    tolerance : int
        Number of frames by which `n_frames` may be off.
    exact_seek : bool
        Whether frames after a seek equal those of plain decoding.
    truncated : bool
        Whether the header promises more than the file holds.
    damage : str or None
        Why decoding stopped before the end, once it has.
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
        """Decode the next `n` frames, mixed to mono.

        Returns
        -------
        y : float32 ndarray of shape (n_frames,)
            Shorter at the end of the file and before damage.
        """

    def seek(self, frame: int) -> int:
        """Move to a frame and return the position reached, if `exact_seek`.

        Raises
        ------
        DecodingError
            If damage prevents it.
        """
        raise NotImplementedError(f"{type(self).__name__} reads from start to end")

    @abstractmethod
    def close(self) -> None:
        """Close the decoder and whatever it opened."""


class FileView(io.RawIOBase):
    """Read-only view of a file object from `start` on, with a position of its own.

    Parameters
    ----------
    file : binary file object
        Seekable. Left open unless `owned`.
    start : int, default=0
        First byte of `file` to show.
    head : bytes, default=b""
        Bytes to show before it.
    owned : bool, default=False
        Close `file` with the view.

    Attributes
    ----------
    failure : str or None
        What `file` raised, once it has; the view ends there. Decoders in C cannot pass it on.
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
    def of(cls, source: str | BinaryIO) -> FileView:
        """View a path, opened for this view alone, or a file object."""
        if isinstance(source, str):
            return cls(open(source, "rb"), owned=True)
        return cls(source)

    def from_byte(self, start: int, head: bytes = b"") -> FileView:
        """View the same file from another byte on; takes over the file."""
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
        # A file object may return less than it is asked for before its end; decoders take that
        # for the end.
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
        except Exception as error:  # whatever the user's file object raises
            self.failure = str(error) or type(error).__name__
            return b""

    def close(self) -> None:
        if self._owned and not self.closed:
            self._file.close()
        super().close()


class _SoundFile(soundfile.SoundFile):
    """A sound file whose reads do not seek.

    python-soundfile seeks a seekable file to its current position after each read, which
    disturbs libsndfile's MP3 decoder: later samples differ.
    """

    def seekable(self) -> bool:
        return False


class SndfileReader(Reader):
    """Decode with libsndfile.

    Parameters
    ----------
    source : str or binary file object
        A path, or a file object that the reader closes if it is a :class:`FileView`.

    Raises
    ------
    DecodingError
        If libsndfile does not know the format.
    """

    def __init__(self, source: str | FileView):
        self._view = source if isinstance(source, FileView) else None
        file: str | FileView | int = source
        if isinstance(source, str) and source.lower().endswith(".raw"):
            # By that ending python-soundfile expects a format instead of detecting it.
            file = os.open(source, os.O_RDONLY)
        try:
            self._file = _SoundFile(file)
        except (soundfile.LibsndfileError, TypeError, ValueError) as error:
            raise DecodingError(self._failure or _reason(error)) from error
        self.sample_rate = self._file.samplerate
        self.n_channels = self._file.channels
        self.n_frames = self._file.frames
        # Also within a WAV file, where libsndfile guesses the length as it does elsewhere.
        self.is_mp3 = self._file.format == "MP3" or self._file.subtype == "MPEG_LAYER_III"
        self.exact_seek = not self.is_mp3 and self._file.format != "OGG"
        self.truncated = any(
            int(found) < int(promised) < _UNKNOWN_SIZE
            for promised, found in _PROMISED.findall(self._file.extra_info)
        )
        # 16-bit samples are read as they are and scaled here, several times as fast as
        # libsndfile does it.
        self._integers = self._file.subtype == "PCM_16" and self._file.format != "FLAC"

    def read(self, n: int) -> np.ndarray:
        shape = n, self.n_channels
        # Frames that damage keeps from being decoded stay NaN; plain samples simply end.
        block = np.empty(shape, np.int16) if self._integers else np.full(shape, np.nan, np.float32)
        try:
            block = self._file.read(out=block)
        except soundfile.LibsndfileError as error:
            # What was decoded before the damage counts; libsndfile does not say how much.
            block = block[: np.isnan(block[:, 0]).argmax()]
            self.damage = _reason(error)
        self.damage = self._failure or self.damage
        if self._integers:
            block = block * np.float32(1 / 32768)
        return to_mono(block)

    def seek(self, frame: int) -> int:
        try:
            return self._file.seek(min(frame, self.n_frames))
        except soundfile.LibsndfileError as error:  # as after damage in a FLAC file
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
