"""Extraction of MFCCs of segments of tracks."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone

from .._sklearn import Interval, StrOptions
from ..audio import AudioError, AudioFile, at_length, has_signal
from .bands import MelExtractor
from .front_end import FrontEnd
from .segments import check_hop, compute_rows, n_segment_frames, segment_starts
from .spectra import compute_mfccs

#: Number of seconds of a track that are read at a time.
_BLOCK_SECONDS = 30.0


class MFCCSegmenter(MelExtractor, auto_wrap_output_keys=None):
    """Extract mel-frequency cepstral coefficients (MFCCs) of segments of tracks.

    Each track is split into segments of equal length, and the MFCCs of each segment are computed
    separately. The defaults are those of the published GTZAN system: ten 3-second segments of a
    30-second track, each with 130 frames of 13 coefficients.

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
        Whether segments are consecutive from the start of the track, or spaced evenly over the
        whole track.
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

    See Also
    --------
    MelSegmenter : Log-mel spectrograms of longer windows.
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
        **MelExtractor._parameter_constraints,
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        "segment_duration": [Interval(Real, 0, None, closed="neither")],
        "n_segments": [Interval(Integral, 1, None, closed="left"), None],
        "placement": [StrOptions({"start", "spread"})],
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
    ):
        self.n_mfcc = n_mfcc
        self.segment_duration = segment_duration
        self.n_segments = n_segments
        self.placement = placement
        super().__init__(
            sample_rate=sample_rate,
            n_fft=n_fft,
            hop_length=hop_length,
            n_mels=n_mels,
            fmin=fmin,
            fmax=fmax,
            on_error=on_error,
            memory=memory,
            n_jobs=n_jobs,
            verbose=verbose,
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
        blocks = [
            compute_rows(
                (y if has_signal(y, self.sample_rate) else y[:0] for y in block),
                self._compute,
                self.track_shape[1:],
            )
            for block in self._read_segments(audio)
        ]
        if not blocks:
            duration = audio.n_samples / self.sample_rate
            raise AudioError(
                audio.name,
                f"{duration:.2f} s of audio is too short for one segment of "
                f"{self.segment_duration:g} s",
            )
        return np.concatenate(blocks)

    def _compute(self, signals: Iterator[np.ndarray]) -> np.ndarray:
        sizes = {"hop_length": self.hop_length, "n_mfcc": self.n_mfcc}
        return compute_mfccs(list(signals), **sizes, **self._bands)

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
        return np.array([f"mfcc{i}" for i in range(self.n_mfcc)], dtype=object)

    def consecutive(self) -> tuple[FrontEnd, float]:
        """Return a copy that extracts all segments in order, and their length in seconds.

        Returns
        -------
        extractor : FrontEnd
            The modified copy.
        seconds : float
            Time between the starts of successive segments.
        """
        whole = clone(self).set_params(n_segments=None, placement="start")
        return whole, self.segment_duration

    def _read_segments(self, audio: AudioFile) -> Iterator[list[np.ndarray]]:
        """Yield the segments of a track in lists of about 30 seconds."""
        length = self._segment_length
        if self.placement == "start":
            n = max(1, round(_BLOCK_SECONDS / self.segment_duration))
            for first in itertools.count(0, n):
                stop = first + n if self.n_segments is None else min(first + n, self.n_segments)
                y = audio.read(first * length, stop * length)
                if starts := self._starts(len(y)):
                    yield [y[start : start + length] for start in starts]
                if len(y) < n * length or stop == self.n_segments:
                    return
        if segments := at_length(
            audio, lambda n: [audio.read(start, start + length) for start in self._starts(n)]
        ):
            yield segments

    def _starts(self, n_samples: int) -> list[int]:
        return segment_starts(
            n_samples,
            segment_length=self._segment_length,
            hop_length=self.hop_length,
            n_segments=self.n_segments,
            placement=self.placement,
        ).tolist()

    @property
    def _segment_length(self) -> int:
        return round(self.segment_duration * self.sample_rate)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc={self.n_mfcc} must be at most n_mels={self.n_mels}, the number of mel "
                "bands"
            )
        if self._segment_length < 1:
            raise ValueError(
                f"segment_duration={self.segment_duration} s is shorter than one sample at "
                f"sample_rate={self.sample_rate} Hz"
            )
        check_hop(self._segment_length, self.hop_length)
