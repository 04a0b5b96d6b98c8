"""Decoders with a common interface, and decoding with libsndfile.

Lengths and positions are in frames, at the sample rate of the file. Samples are float32 with full
scale at 1, as arrays of shape (n_frames, n_channels).
"""

from __future__ import annotations

import math
import os
import re
from abc import ABC, abstractmethod

import numpy as np
import soundfile

from .sources import FileView

#: libsndfile's log line for a chunk whose header states more bytes than the file contains.
_PROMISED = re.compile(r"^\s*(?:data|SSND|Data Size|riff)\s*:\s*(\d+) \(should be (\d+)\)", re.M)

#: Chunk sizes from this value on mean an unknown length, not a truncated file.
_UNKNOWN_SIZE = 0xFFFFFF00

#: Stated lengths from this value on mean an unknown length. It is the limit of FLAC, and 18 days at
#: 44,100 Hz. libsndfile returns 2**63 - 1.
_UNKNOWN_LENGTH = 1 << 36

#: Limits of the sample rate in Hz. Music has no lower rates, but 1 Hz in a damaged header would
#: turn 20 kB into hours. The highest rate of converters is 768 kHz.
MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 1_000, 768_000

#: Number of frames that are decoded at a time where they are skipped.
BLOCK_FRAMES = 1 << 14

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


class DecodingError(Exception):
    """Exception raised when a decoder rejects a file; the message is its reason."""


class Decoder(ABC):
    """A file opened by a decoder.

    Attributes
    ----------
    sample_rate, n_channels : int
        Of the frames that were read last; at first according to the header.
    n_frames : int or None
        Length according to the header, or an estimate; None if it is unknown. It is only a hint:
        what can be decoded counts.
    tolerance : float
        Accepted error of `n_frames`: infinite if it is an estimate.
    exact_seek : bool
        Whether seeking yields the same frames as decoding from the start.
    truncated : bool
        Whether the header states more than the file contains. Only the end of the file may show it.
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
        """Decode the next frames: at most `n`, and none at the end or behind damage."""

    def seek(self, frame: int) -> int:
        """Move to a frame and return the new position; from the start, unless `exact_seek`.

        Raises
        ------
        DecodingError
            If the file is damaged.
        """
        position = 0
        while n := len(self.read(min(frame - position, BLOCK_FRAMES))):
            position += n
        return position

    @abstractmethod
    def close(self) -> None:
        """Close the decoder."""


def check_rate(sample_rate: int) -> None:
    """Raise DecodingError for implausible sample rates."""
    if not MIN_SAMPLE_RATE <= sample_rate <= MAX_SAMPLE_RATE:
        raise DecodingError(
            f"the sample rate of {sample_rate} Hz in its header is not between {MIN_SAMPLE_RATE} "
            f"and {MAX_SAMPLE_RATE} Hz; correct the header, or convert the file"
        )


class _SoundFile(soundfile.SoundFile):
    """A SoundFile that does not seek when reading.

    python-soundfile seeks to the current position after each read, which changes the samples that
    libsndfile's MP3 decoder returns afterwards.
    """

    def seekable(self) -> bool:
        return False


class SndfileDecoder(Decoder):
    """Decode a file with libsndfile.

    Parameters
    ----------
    view : FileView
        The file.

    Attributes
    ----------
    format : str
        libsndfile's name of the format. MP3 in a WAV file is MP3, too.

    Raises
    ------
    DecodingError
        If libsndfile rejects the file.
    """

    def __init__(self, view: FileView):
        self._view = view
        self._descriptor = view.descriptor()
        try:
            # libsndfile reads a descriptor faster, and knows of no name whose ending could mislead.
            self._file = _SoundFile(view if self._descriptor is None else self._descriptor)
        except (soundfile.LibsndfileError, TypeError, ValueError) as error:
            raise DecodingError(_reason(error)) from error
        self.sample_rate, self.n_channels = self._file.samplerate, self._file.channels
        self.n_frames = self._file.frames if self._file.frames < _UNKNOWN_LENGTH else None
        self.format = "MP3" if self._file.subtype == "MPEG_LAYER_III" else self._file.format
        self.exact_seek = self.format not in ("MP3", "OGG")
        if self.format == "OGG":
            self.tolerance = math.inf  # the time of the last page, which need not start at 0
        self.truncated = any(
            int(found) < int(promised) < _UNKNOWN_SIZE
            for promised, found in _PROMISED.findall(self._file.extra_info)
        )
        # Scaling 16-bit samples here is several times as fast as in libsndfile. Its FLAC decoder
        # is excluded because damaged frames are detected by NaN.
        self._integers = self._file.subtype == "PCM_16" and self.format != "FLAC"
        self._position, self._is_over = 0, False

    def read(self, n: int) -> np.ndarray:
        if self.n_frames is not None:
            # Of more than is stated, libsndfile would decode bytes behind the frames and drop them.
            n = min(n, self.n_frames - self._position)
        if self._is_over or n == 0:
            return np.empty((0, self.n_channels), np.float32)
        shape = n, self.n_channels
        # Frames that cannot be decoded stay NaN. Uncompressed samples end instead.
        block = np.empty(shape, np.int16) if self._integers else np.full(shape, np.nan, np.float32)
        try:
            block = self._file.read(out=block)
        except soundfile.LibsndfileError as error:
            # Keep what was decoded before the damage; libsndfile does not report how much.
            block = block[: np.isnan(block[:, 0]).argmax()]
            self.damage = _reason(error)
        self._position += len(block)
        self._is_over = len(block) < n
        return block * np.float32(1 / 32768) if self._integers else block

    @property
    def is_unread(self) -> bool:  # type: ignore[override]
        if self.format != "OGG":  # others may end with tags
            return False
        here = self._descriptor
        position = self._view.tell() if here is None else os.lseek(here, 0, os.SEEK_CUR)
        return position < self._view.size

    def seek(self, frame: int) -> int:
        if not self.exact_seek:
            return super().seek(frame)
        try:
            frame = min(frame, self.n_frames or _UNKNOWN_LENGTH)
            self._position, self._is_over = self._file.seek(frame), False
        except soundfile.LibsndfileError as error:  # for example after damage in a FLAC file
            raise DecodingError(_reason(error)) from error
        return self._position

    def close(self) -> None:
        self._file.close()


def _reason(error: Exception) -> str:
    """Return libsndfile's reason for rejecting a file."""
    words = getattr(error, "error_string", None)
    words = (str(error) if words is None else words).strip().rstrip(".")
    return _WORDS.get(words, words)
