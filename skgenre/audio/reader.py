"""Reading of a file to its true end.

A file is a sequence of parts: the first decoder stops where a header says or where there is damage,
and others continue. Lengths and positions are in frames, at the sample rate of the first part.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator

import numpy as np
import soxr

from . import lengths, mp3
from .decoders import BLOCK_FRAMES, Decoder, DecodingError, SndfileDecoder, check_rate
from .ffmpeg import FFmpegDecoder
from .sources import FileView, Source

#: FLAC in Ogg, of which libsndfile reads only what it writes itself.
_OGG_FLAC = re.compile(rb"OggS.{22,}?\x7fFLAC", re.DOTALL)

#: For each format that libsndfile may read only in part, a generator of views of further parts and
#: of the number of their frames that were read before. Its arguments are the view of the file and
#: the number of frames that were read. It raises DecodingError at the end if a part is missing.
_FOLLOWING = {"FLAC": lengths.flac_parts, "MP3": mp3.songs, "OGG": lengths.ogg_links}


class Reader:
    """Frames of a file, at the sample rate and with the number of channels of its first part.

    Parameters
    ----------
    source : Source
        The bytes of the file.

    Attributes
    ----------
    sample_rate, n_channels : int
        Of the frames.
    n_frames : int or None
        Length according to the header, or an estimate; None if it is unknown.
    position : int
        Position of the next frame.
    length : int or None
        Number of frames, once the end has been reached.
    ended_early : bool
        Whether the file is known to be shorter than its header states, or to lack a part.

    Raises
    ------
    DecodingError
        If no decoder accepts the file. The message contains the reasons.
    """

    def __init__(self, source: Source):
        self._source = source
        self.length: int | None = None
        self.ended_early = False
        #: Whether jumps lead to the right frame. Behind damage they may not.
        self._may_jump = True
        self._open()

    def _open(self) -> None:
        """Move to the first frame."""
        view = FileView(self._source)
        self._view = view.part(mp3.skip_tags(view))
        self._part = part = _open_first(self._view)
        try:
            check_rate(part.sample_rate)
            if part.n_frames == 0:
                raise DecodingError("contains no samples")
        except DecodingError:
            part.close()
            raise
        self.sample_rate, self.n_channels = part.sample_rate, part.n_channels
        self.n_frames, self._tolerance = part.n_frames, part.tolerance
        self.ended_early |= part.truncated
        self._start(0)

    def _start(self, position: int) -> None:
        """Continue from a position of the current part."""
        self.position = position
        self._blocks, self._left = self._decode(), np.empty((0, self.n_channels), np.float32)

    def read(self, n: int) -> np.ndarray:
        """Return the next `n` frames; fewer at the end of the file.

        Raises
        ------
        DecodingError
            If there are none at all.
        """
        self._wanted, blocks = n, []
        while self._wanted > 0:
            if not len(self._left):
                found = next(self._blocks, None)
                if found is None:
                    self._end()
                    break
                self._left = found
            blocks.append(self._left[: self._wanted])
            self._left = self._left[self._wanted :]
            self._wanted -= len(blocks[-1])
            self.position += len(blocks[-1])
        return blocks[0] if len(blocks) == 1 else np.concatenate([self._left[:0], *blocks])

    def seek(self, frame: int) -> None:
        """Move to a frame, or to the end of a shorter file."""
        if frame == self.position:
            return
        if self._may_jump and self._part.exact_seek:
            try:
                self._start(self._part.seek(frame))
            except DecodingError:  # there is damage, or nothing
                self._may_jump = False
                self._reopen()
        elif frame < self.position:
            self._reopen()
        while self.position < frame and len(self.read(min(BLOCK_FRAMES, frame - self.position))):
            pass

    def find_end(self) -> int:
        """Move to the end of the file and return its length."""
        if self.n_frames is not None and self._part.exact_seek and self.position < self.n_frames:
            self.seek(self.n_frames - 1)  # the last frame shows whether the header is right
        while self.length is None:
            self.read(BLOCK_FRAMES)
        return self.length

    def close(self) -> None:
        """Close the decoder."""
        self._part.close()

    def _reopen(self) -> None:
        self._part.close()
        self._open()

    def _end(self) -> None:
        """Note that the position is the end of the file."""
        if self.position == 0:
            damage = self._part.damage
            raise DecodingError(
                "contains no samples" if damage is None else f"cannot be decoded ({damage})"
            )
        # After damage, reading from the start and jumping may find different ends.
        self.length = min(self.position, self.length or self.position)
        self.ended_early |= self._is_short() or self._source.failure is not None

    def _is_short(self) -> bool:
        """Return whether the header states more frames than there are before the position.

        Where it states no length, or too short a length, damage at the end shows that.
        """
        n, tolerance = self.n_frames, self._tolerance
        if n is None or math.isinf(tolerance) or self.position > n + tolerance:
            return self._part.damage is not None
        return self.position < n - tolerance

    def _decode(self) -> Iterator[np.ndarray]:
        """Yield the frames from the current part on, in blocks of any length."""
        nothing = self._left[:0]
        stream, rate = None, self.sample_rate
        for part in self._parts():
            while len(block := part.read(self._wanted)):
                if part is not self._part:
                    self._part.close()
                    self._part = part
                if block.shape[1] != self.n_channels:
                    block = np.repeat(block.mean(axis=1, keepdims=True), self.n_channels, axis=1)
                if part.sample_rate != rate:
                    if stream is not None:
                        yield stream.resample_chunk(nothing, last=True)
                    rate = part.sample_rate
                    stream = self._resampler(rate)
                yield block if stream is None else stream.resample_chunk(block)
            if part is not self._part:
                part.close()
        if stream is not None:
            yield stream.resample_chunk(nothing, last=True)

    def _resampler(self, rate: int) -> soxr.ResampleStream | None:
        if rate == self.sample_rate:
            return None
        check_rate(rate)
        return soxr.ResampleStream(rate, self.sample_rate, self.n_channels, dtype="float32")

    def _parts(self) -> Iterator[Decoder]:
        """Yield the decoders of the current part and of the following ones.

        Each is opened when the one before has reached its end. If it decodes any frames, it
        becomes the current one.
        """
        first = self._part
        yield first
        if not isinstance(first, SndfileDecoder):
            return
        following = _FOLLOWING.get(first.format)
        if following is not None and (first.format != "FLAC" or first.damage is None):
            try:
                for view, n_read in following(self._view, self.position):
                    if (part := _open_behind(SndfileDecoder, view, n_read)) is not None:
                        yield part
            except DecodingError:
                self.ended_early = True
        if self._part.damage is not None or self._part.is_unread or self._is_short():
            self._may_jump = False
            with contextlib.suppress(ImportError):
                part = _open_behind(FFmpegDecoder, self._view.part(0), self.position)
                if part is not None and part.sample_rate == self.sample_rate:
                    yield part


def _open_behind(decoder: type, view: FileView, n_read: int) -> Decoder | None:
    """Open a decoder behind the frames of a part that were read before; None if that fails."""
    try:
        part = decoder(view)
        check_rate(part.sample_rate)
        if n_read > 0 and part.seek(n_read) < n_read:
            return None
    except DecodingError:
        return None
    part.exact_seek = False  # of the whole file
    return part


def _open_first(view: FileView) -> Decoder:
    """Open a file with the decoder that its content requires.

    Raises
    ------
    DecodingError
        If none can decode it. The message contains the reasons of libsndfile and ffmpeg.
    """
    if _OGG_FLAC.match(view.at(0, 64)):
        with contextlib.suppress(DecodingError, ImportError):
            return FFmpegDecoder(view.part(0))
    part: SndfileDecoder | None = None
    try:
        part = SndfileDecoder(view.part(0))
    except DecodingError as error:
        reason = str(error)
    if part is not None and part.format == "MP3":
        return _open_mp3(view, part)
    if part is None or part.n_frames == 0 or part.format == "AU":
        repaired = lengths.without_length(view)
        if repaired is not None:
            with contextlib.suppress(DecodingError):
                return SndfileDecoder(repaired)
    if part is not None:
        return part
    try:
        return FFmpegDecoder(view.part(0))
    except ImportError:
        reason = (
            f"not audio that libsndfile can read ({reason}); for m4a, aac, wma and more, "
            "pip install skgenre[av]"
        )
    except DecodingError as error:
        reason = (
            f"not audio that libsndfile or ffmpeg can read (libsndfile: {reason}; ffmpeg: {error})"
        )
    # Last, because what looks like MP3 may be a part of another format.
    return _open_mp3(view, None, reason)


def _open_mp3(view: FileView, part: SndfileDecoder | None, reason: str = "") -> Decoder:
    """Open an MP3 file with its true length, if libsndfile does not know it."""
    song = mp3.first_song(view, None if part is None else part.n_frames)
    if song is not None:
        if part is not None:
            part.close()
        part = SndfileDecoder(song)
    elif part is None:
        raise DecodingError(reason)
    part.tolerance = mp3.TOLERANCE
    return part
