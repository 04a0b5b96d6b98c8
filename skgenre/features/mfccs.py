"""MFCCs of samples in memory, and the front end that extracts those of segments of tracks.

The MFCCs equal those of ``librosa.feature.mfcc`` (librosa 0.11) on each segment separately,
regardless of the installed version of librosa: a mel power spectrogram, levels in decibels clipped
80 dB below the maximum of the segment, and an orthonormal DCT-II.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from .._checks import AT_LEAST_1, check_number
from .._sklearn import Interval
from ..audio import AudioError, AudioFile, at_length, has_signal
from .front_end import numbered
from .mel import MelFrontEnd
from .segments import N_SEGMENTS, PLACEMENT, n_segment_frames, read_at, segment_starts
from .spectra import (
    band_powers,
    check_band_limits,
    check_samples,
    dct_basis,
    mel_bank,
    to_decibels,
    warn_of_empty_bands,
)

#: Duration in seconds of what is read of a track at a time.
_BLOCK_DURATION = 30.0


def mfcc(
    y: np.ndarray,
    *,
    sample_rate: int = 22050,
    n_mfcc: int = 13,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> np.ndarray:
    """Compute the mel-frequency cepstral coefficients (MFCCs) of one segment.

    Parameters
    ----------
    y : float ndarray of shape (n_samples,)
        Mono samples, where full scale is 1.
    sample_rate : int, default=22050
        Sample rate in Hz.
    n_mfcc : int, default=13
        Number of coefficients. The first is proportional to the mean level.
    n_fft : int, default=2048
        Length of a frame in samples.
    hop_length : int, default=512
        Number of samples between successive frames.
    n_mels : int, default=128
        Number of mel bands.
    fmin : float, default=0.0
        Lowest frequency of the mel bands in Hz.
    fmax : float, default=None
        Highest frequency of the mel bands in Hz. If None, half of `sample_rate`.

    Returns
    -------
    coefficients : float32 ndarray of shape (1 + n_samples // hop_length, n_mfcc)
        MFCCs of each frame. They equal ``librosa.feature.mfcc(...).T`` to 1e-3.

    Raises
    ------
    TypeError
        If `y` is an array of integers.
    ValueError
        If `y` is not one-dimensional, is empty, or contains values that are not finite or larger
        than 16, where full scale is 1; if a size is below 1; or if the limits of the mel bands are
        invalid.

    Warns
    -----
    UserWarning
        If mel bands are narrower than a frequency bin.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre.features import mfcc
    >>> y = np.sin(2 * np.pi * 440 * np.arange(66150) / 22050)
    >>> mfcc(y).shape
    (130, 13)
    """
    return segment_mfcc(
        [check_samples(y)],
        sample_rate=sample_rate,
        n_mfcc=n_mfcc,
        n_fft=n_fft,
        hop_length=hop_length,
        n_mels=n_mels,
        fmin=fmin,
        fmax=fmax,
    )[0]


def segment_mfcc(
    segments,
    *,
    sample_rate: int = 22050,
    n_mfcc: int = 13,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    fmin: float = 0.0,
    fmax: float | None = None,
) -> np.ndarray:
    """Compute the MFCCs of several segments, each separately.

    Parameters
    ----------
    segments : sequence of float ndarray of shape (n_samples,)
        Mono samples, where full scale is 1. All segments must have the same number of frames.
    sample_rate, n_mfcc, n_fft, hop_length, n_mels, fmin, fmax
        See :func:`mfcc`.

    Returns
    -------
    coefficients : float32 ndarray of shape (n_segments, n_frames, n_mfcc)
        MFCCs of each segment.

    Raises
    ------
    TypeError
        If a segment is an array of integers.
    ValueError
        If `n_mfcc` is larger than `n_mels`, segments have different numbers of frames, or an
        argument is invalid as in :func:`mfcc`.

    Warns
    -----
    UserWarning
        If mel bands are narrower than a frequency bin.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre.features import segment_mfcc
    >>> y = np.sin(2 * np.pi * 440 * np.arange(132300) / 22050)
    >>> segment_mfcc([y[:66150], y[66150:]]).shape
    (2, 130, 13)
    """
    check_number("sample_rate", sample_rate, AT_LEAST_1)
    check_number("n_fft", n_fft, AT_LEAST_1)
    check_number("hop_length", hop_length, AT_LEAST_1)
    check_number("n_mels", n_mels, AT_LEAST_1)
    check_number("n_mfcc", n_mfcc, AT_LEAST_1)
    _check_n_mfcc(n_mfcc, n_mels)
    check_band_limits(sample_rate, fmin, fmax)
    segments = [check_samples(y, f"segment {i}") for i, y in enumerate(segments)]
    frames = sorted({n_segment_frames(len(y), hop_length) for y in segments})
    if len(frames) > 1:
        raise ValueError(f"The segments have different numbers of frames: {frames}")
    bands = (sample_rate, n_fft, n_mels, fmin, fmax)
    warn_of_empty_bands(*bands)
    rows = [_compute_mfcc(y, n_mfcc, hop_length, *bands) for y in segments]
    return np.stack(rows) if rows else np.empty((0, 0, n_mfcc), np.float32)


def _check_n_mfcc(n_mfcc: int, n_mels: int) -> None:
    if n_mfcc > n_mels:
        raise ValueError(
            f"n_mfcc={n_mfcc} must be at most n_mels={n_mels}, the number of mel bands"
        )


def _compute_mfcc(
    y: np.ndarray, n_mfcc: int, hop_length: int, sample_rate, n_fft, n_mels, fmin, fmax
) -> np.ndarray:
    """Compute the MFCCs of a segment from valid arguments."""
    bank = mel_bank(sample_rate, n_fft, n_mels, fmin, fmax)
    [power] = band_powers(y, bank, n_fft=n_fft, hop_length=hop_length)
    return (to_decibels(power) @ dct_basis(n_mfcc, n_mels)).astype(np.float32)


class MFCCSegmenter(MelFrontEnd, auto_wrap_output_keys=None):
    """Extract mel-frequency cepstral coefficients (MFCCs) of segments of tracks.

    Each track is split into segments of equal length, and the MFCCs of each segment are computed
    separately. The defaults are those of the published GTZAN system: ten 3-second segments of a
    30-second track, each with 130 frames of 13 coefficients.

    Read more in the :ref:`User Guide <mfccs>`.

    Parameters
    ----------
    sample_rate : int, default=22050
        Sample rate in Hz to which all audio is resampled.
    n_mfcc : int, default=13
        Number of coefficients per frame.
    n_fft : int, default=2048
        Length of a frame in samples.
    hop_length : int, default=512
        Number of samples between successive frames.
    n_mels : int, default=128
        Number of mel bands.
    fmin : float, default=0.0
        Lowest frequency of the mel bands in Hz.
    fmax : float, default=None
        Highest frequency of the mel bands in Hz. If None, half of `sample_rate`.
    segment_duration : float, default=3.0
        Length of a segment in seconds. A last segment that is slightly shorter is used if it has
        the same number of frames.
    n_segments : int or None, default=10
        Maximum number of segments per track. The missing segments of shorter tracks, and segments
        without a signal, are all NaN. If None, all segments are used, and the output is padded to
        the longest track.
    placement : {"start", "spread"}, default="start"
        Whether segments are consecutive from the start of the track, or spaced evenly over it:
        centered in `n_segments` equal parts.
    on_error : {"raise", "warn"}, default="raise"
        How to handle tracks that cannot be read, are shorter than a segment or contain no signal.
        ``"raise"`` processes all tracks, then raises a single :class:`UnreadableTracksError` that
        lists the failures. ``"warn"`` sets their rows to NaN and issues a single warning.
    memory : str, path-like or joblib.Memory, default=None
        Used to cache the features, one entry per file content. An entry is recomputed if the
        content of the file, a parameter or the version of a library changes. The cache can be
        shared by the folds and candidates of a search and by several processes. File objects are
        not cached.
    n_jobs : int, default=None
        Number of threads, or of workers of the backend selected with
        :func:`joblib.parallel_config`. None means 1 unless in such a context. The result does not
        depend on it.
    verbose : int, default=0
        If nonzero, show a progress bar.
    augment : None, change, or sequence of changes, default=None
        Changed copies of each track in training, such as ``"robust"``; see
        :class:`skgenre.FrontEnd`.

    See Also
    --------
    MelSegmenter : Log-mel spectrograms of longer segments.
    SegmentScaler : Scale the coefficients before a network.
    SegmentSummary : Summarize each track in one row for a classical model.

    Notes
    -----
    This transformer is stateless: `transform` does not require `fit`. The coefficients equal those
    of ``librosa.feature.mfcc`` (librosa 0.11) on each segment to 1e-3.

    Examples
    --------
    >>> from skgenre import MFCCSegmenter
    >>> from skgenre.datasets import make_tracks
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=2, duration=7, random_state=0, folder=folder)
    ...     MFCCSegmenter(n_segments=3).transform(tracks.data).shape
    (2, 3, 130, 13)
    """

    _parameter_constraints: ClassVar[dict] = {
        **MelFrontEnd._parameter_constraints,
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "segment_duration": [Interval(Real, 0, None, closed="neither")],
        "n_segments": N_SEGMENTS,
        "placement": PLACEMENT,
    }

    def __init__(
        self,
        *,
        sample_rate: int = 22050,
        n_mfcc: int = 13,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 128,
        fmin: float = 0.0,
        fmax: float | None = None,
        segment_duration: float = 3.0,
        n_segments: int | None = 10,
        placement: str = "start",
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        augment: Any = None,
    ):
        self.sample_rate = sample_rate
        self.n_mfcc = n_mfcc
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.segment_duration = segment_duration
        self.n_segments = n_segments
        self.placement = placement
        super().__init__(
            on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose, augment=augment
        )

    @property
    def track_shape(self) -> tuple[int | None, ...]:
        """Shape of the array of a track, ``(n_segments, n_frames, n_mfcc)``."""
        n_frames = n_segment_frames(self._segment_length, self.hop_length)
        return self.n_segments, n_frames, self.n_mfcc

    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the MFCCs of the segments of one track.

        Parameters
        ----------
        audio : AudioFile
            The open file.

        Returns
        -------
        segments : float32 ndarray of shape (n_segments_found, n_frames, n_mfcc)
            MFCCs of each segment; NaN for segments without a signal.

        Raises
        ------
        AudioError
            If the track is shorter than a segment.
        """
        if self.placement == "spread":
            length = self._segment_length
            segments = at_length(
                audio, lambda n: self._compute(read_at(audio, self._starts(n), length, n))
            )
        else:
            segments = self._compute(self._read_consecutive(audio))
        if not len(segments):
            duration = audio.n_samples / self.sample_rate
            raise AudioError(
                audio.name,
                f"{duration:.2f} s of audio is too short for one segment of "
                f"{self.segment_duration:g} s",
            )
        return segments

    def _compute(self, segments: Iterable[np.ndarray]) -> np.ndarray:
        shape: Any = self.track_shape[1:]
        silent = np.full(shape, np.nan, np.float32)
        rows = [
            _compute_mfcc(y, self.n_mfcc, self.hop_length, **self._bands)
            if has_signal(y, self.sample_rate)
            else silent
            for y in segments
        ]
        return np.stack(rows) if rows else np.empty((0, *shape), np.float32)

    def _read_consecutive(self, audio: AudioFile) -> Iterator[np.ndarray]:
        """Read the segments from the start of a track, in blocks of about 30 seconds."""
        length = self._segment_length
        n = max(1, round(_BLOCK_DURATION / self.segment_duration))
        for first in itertools.count(0, n):
            stop = first + n if self.n_segments is None else min(first + n, self.n_segments)
            y = audio.read(first * length, stop * length)
            yield from (y[start : start + length] for start in self._starts(len(y)))
            if len(y) < n * length or stop == self.n_segments:
                return

    def _starts(self, n_samples: int) -> list[int]:
        return segment_starts(
            n_samples,
            segment_length=self._segment_length,
            hop_length=self.hop_length,
            n_segments=self.n_segments,
            placement=self.placement,
        )

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Get output feature names, along the last axis.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            Names of the coefficients.
        """
        return numbered("mfcc", self.n_mfcc)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        _check_n_mfcc(self.n_mfcc, self.n_mels)
