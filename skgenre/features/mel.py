"""Front ends of mel bands: their base class, and the extraction of log-mel spectrograms."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from .._sklearn import Interval
from ..audio import AudioFile
from .errors import Report
from .front_end import FrontEnd, numbered
from .segments import (
    LONG_DURATION,
    MIN_DURATION,
    N_SEGMENTS,
    PLACEMENT,
    long_segment_rows,
    n_segment_frames,
)
from .spectra import (
    band_powers,
    check_band_limits,
    mel_bank,
    to_decibels,
    warn_of_empty_bands,
)


class MelFrontEnd(FrontEnd):
    """Base class of front ends that use mel bands.

    It validates their parameters, which are those of ``librosa.feature.melspectrogram`` and
    `segment_duration`. A subclass stores them.
    """

    _parameter_constraints: ClassVar[dict] = {
        **FrontEnd._parameter_constraints,
        "sample_rate": [Interval(Integral, 1, None, closed="left")],
        "n_fft": [Interval(Integral, 2, None, closed="left")],
        "hop_length": [Interval(Integral, 1, None, closed="left")],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, None, closed="neither"), None],
    }

    n_fft: int
    hop_length: int
    n_mels: int
    fmin: float
    fmax: float | None
    segment_duration: float

    @property
    def _bands(self) -> dict[str, Any]:
        names = ("sample_rate", "n_fft", "n_mels", "fmin", "fmax")
        return {name: getattr(self, name) for name in names}

    def _extract_all(self, paths: list, report: Report, *copy: Any) -> Iterator[np.ndarray | None]:
        if not copy:  # once per call instead of once per track
            warn_of_empty_bands(**self._bands)
        return super()._extract_all(paths, report, *copy)

    @property
    def _segment_length(self) -> int:
        """Length of a segment in samples."""
        return round(self.segment_duration * self.sample_rate)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_band_limits(self.sample_rate, self.fmin, self.fmax)
        if self.hop_length > self._segment_length:
            raise ValueError(
                f"hop_length={self.hop_length} is more than the {self._segment_length} samples of "
                "a segment; use a shorter hop or longer segments"
            )


class MelSegmenter(MelFrontEnd, auto_wrap_output_keys=None):
    """Extract log-mel spectrograms of long segments, for networks.

    Each track is split into segments. A mel power spectrogram is computed for each segment
    separately, averaged over groups of frames, and converted to decibels. By default, a segment is
    30 seconds long and has 646 frames of 64 mel bands.

    Read more in the :ref:`User Guide <mel_spectrograms>`.

    Parameters
    ----------
    sample_rate : int, default=22050
        Sample rate in Hz to which all audio is resampled.
    n_fft : int, default=2048
        Length of a frame of the spectrogram in samples.
    hop_length : int, default=512
        Number of samples between successive frames of the spectrogram.
    n_mels : int, default=64
        Number of mel bands.
    fmin : float, default=0.0
        Lowest frequency of the mel bands in Hz.
    fmax : float, default=None
        Highest frequency of the mel bands in Hz. If None, half of `sample_rate`.
    frames_per_step : int, default=2
        Number of consecutive frames of the spectrogram whose powers are averaged into one frame of
        the output. An incomplete group at the end of a segment is dropped.
    top_db : float, default=80.0
        Levels are clipped `top_db` decibels below the maximum over all segments of the track.
    segment_duration : float, default=30.0
        Length of a segment in seconds. Shorter tracks are a single segment, and the last segment
        is used if it is at least half as long. Tracks shorter than 3 s cannot be used.
    n_segments : int, default=None
        Maximum number of segments per track. If None, all segments are used, and the output is
        padded to the longest track.
    placement : {"start", "spread"}, default="start"
        Whether segments are consecutive from the start of the track, or spaced evenly over it:
        centered in `n_segments` equal parts. With ``"spread"``, only whole segments are used.
    on_error : {"raise", "warn"}, default="raise"
        How to handle tracks that cannot be read, are too short or contain no signal; see
        :class:`skgenre.FrontEnd`.
    memory : str, path-like or joblib.Memory, default=None
        Used to cache the spectrograms; see :class:`skgenre.FrontEnd`.
    n_jobs : int, default=None
        Number of threads; see :class:`skgenre.FrontEnd`.
    verbose : int, default=0
        If nonzero, show a progress bar.
    augment : None, change, or sequence of changes, default=None
        Changed copies of each track in training, such as ``"robust"``; see
        :class:`skgenre.FrontEnd`.

    See Also
    --------
    MFCCSegmenter : MFCCs of short segments.
    TrackDescriptors : Descriptors of long segments for classical models.

    Notes
    -----
    This transformer is stateless. Segments that are not full, such as those of tracks of 29.9 s or
    15 s, are filled by repeating their frames from the beginning. The number of frames is thus
    fixed without adding silence, which would change the average over time. For the same reason,
    parts of about 3 s without a signal are left out; segments without any signal are NaN.

    The levels equal ``librosa.power_to_db`` with ``ref=1.0`` of
    ``librosa.feature.melspectrogram`` (librosa 0.11) to 1e-3 dB. Only the spectra of one segment
    are in memory at a time.

    Examples
    --------
    >>> from skgenre import MelSegmenter
    >>> from skgenre.datasets import make_tracks
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=2, duration=7, random_state=0, folder=folder)
    ...     MelSegmenter().transform(tracks.data).shape
    (2, 1, 646, 64)
    """

    _parameter_constraints: ClassVar[dict] = {
        **MelFrontEnd._parameter_constraints,
        "frames_per_step": [Interval(Integral, 1, None, closed="left")],
        "top_db": [Interval(Real, 0, None, closed="neither")],
        "segment_duration": [LONG_DURATION],
        "n_segments": N_SEGMENTS,
        "placement": PLACEMENT,
    }

    def __init__(
        self,
        *,
        sample_rate: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        n_mels: int = 64,
        fmin: float = 0.0,
        fmax: float | None = None,
        frames_per_step: int = 2,
        top_db: float = 80.0,
        segment_duration: float = 30.0,
        n_segments: int | None = None,
        placement: str = "start",
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        augment: Any = None,
    ):
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.hop_length = hop_length
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.frames_per_step = frames_per_step
        self.top_db = top_db
        self.segment_duration = segment_duration
        self.n_segments = n_segments
        self.placement = placement
        super().__init__(
            on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose, augment=augment
        )

    @property
    def track_shape(self) -> tuple[int | None, ...]:
        """Shape of the array of a track, ``(n_segments, n_frames, n_mels)``."""
        return self.n_segments, self._n_frames, self.n_mels

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Get output feature names, along the last axis.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            Names of the mel bands.
        """
        return numbered("mel", self.n_mels)

    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the log-mel spectrograms of one track, one segment at a time.

        Parameters
        ----------
        audio : AudioFile
            The open file.

        Returns
        -------
        segments : float32 ndarray of shape (n_segments_found, n_frames, n_mels)
            Levels in dB; NaN for segments without a signal.

        Raises
        ------
        AudioError
            If the track is shorter than 3 s.
        """
        levels = long_segment_rows(self, audio, self._compute_powers)
        exists = ~np.isnan(levels[:, 0, 0])
        if exists.any():
            # Repeated frames do not change the maximum, to which the levels are clipped.
            levels[exists] = to_decibels(levels[exists], self.top_db)
        return levels

    def _compute_powers(self, y: np.ndarray) -> np.ndarray:
        """Average the powers of groups of frames, and repeat them until the segment is full."""
        bank = mel_bank(**self._bands)
        [power] = band_powers(y, bank, n_fft=self.n_fft, hop_length=self.hop_length)
        n = len(power) // self.frames_per_step
        means = power[: n * self.frames_per_step].reshape(n, -1, self.n_mels).mean(axis=1)
        return np.resize(means, (self._n_frames, self.n_mels))

    @property
    def _n_frames(self) -> int:
        return n_segment_frames(self._segment_length, self.hop_length) // self.frames_per_step

    def _check_parameters(self) -> None:
        super()._check_parameters()
        # The shortest segment is that of a 3 s track, or half of a last segment.
        shortest = min(round(MIN_DURATION * self.sample_rate), self._segment_length // 2)
        n = n_segment_frames(shortest, self.hop_length)
        if self.frames_per_step > n:
            raise ValueError(
                f"frames_per_step={self.frames_per_step} is more than the {n} frames of the "
                f"shortest segment ({shortest / self.sample_rate:.3g} s) with "
                f"hop_length={self.hop_length}; use a smaller value or a shorter hop"
            )
