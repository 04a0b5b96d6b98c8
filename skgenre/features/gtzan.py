"""Extraction of the columns of the GTZAN feature tables."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils.metaestimators import available_if

from .._sklearn import Interval
from ..audio import AudioError, AudioFile, at_length
from .columns import N_FFT, SAMPLE_RATE, check_columns, compute_columns, tensor_order
from .front_end import FrontEnd
from .segments import LONG_DURATION, N_SEGMENTS, PLACEMENT, long_segment_rows, without_silence


class GTZANFeatures(FrontEnd):
    """Extract the columns of the GTZAN feature tables from audio files.

    A model trained on such a table can then predict the genres of audio files::

        table = load_gtzan_features("features_30_sec.csv")
        model = make_baseline("svm").fit(table.data, table.target)
        features = GTZANFeatures().set_output(transform="pandas")
        make_pipeline(features, model).predict(["song.mp3"])

    Read more in the :ref:`User Guide <gtzan_features>`.

    Parameters
    ----------
    columns : sequence of str, default=None
        Columns to compute, from :data:`skgenre.features.GTZAN_FEATURES`. If None, all 57 are
        computed. A table has the columns in this order, with their names. A tensor has no names;
        its columns are always in the order of :data:`skgenre.features.GTZAN_FEATURES`, as in
        :func:`skgenre.datasets.segments_to_tracks`. Only the features needed for
        these columns are computed.
        ``harmony`` and ``perceptr`` take most of the time.
    segment_duration : float, default=None
        Length of a segment in seconds, at least 3. If None, the output is a table with one row per
        track. Otherwise the output is a track tensor in which each segment has a single frame, for
        a :class:`skgenre.SegmentVotingClassifier`. Shorter tracks are a single segment of their
        own length, and the last segment is used if it is at least half as long. Tracks shorter
        than 3 s cannot be split into segments.
    n_segments : int, default=None
        Maximum number of segments per track. If None, all segments are used, and the output is
        padded to the longest track.
    placement : {"start", "spread"}, default="start"
        Whether segments are consecutive from the start of the track, or spaced evenly over it:
        centered in `n_segments` equal parts. With ``"spread"``, only whole segments are used.
    max_duration : float or None, default=120.0
        Only the central `max_duration` seconds of longer tracks are used, which limits the memory
        to about 0.5 MB per second. If None, whole tracks are used. Ignored if `segment_duration`
        is set, since segments are processed one at a time.
    on_error : {"raise", "warn"}, default="raise"
        How to handle tracks that cannot be read, contain no signal or are shorter than 0.1 s (3 s
        with segments).
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
    skgenre.datasets.load_gtzan_features : Load a GTZAN feature table.
    skgenre.datasets.segments_to_tracks : Convert a table of segments to a track tensor.
    MFCCSegmenter : MFCCs for the networks.
    TrackDescriptors : A larger set of descriptors of segments.

    Notes
    -----
    This transformer is stateless: `transform` does not require `fit`. See :func:`gtzan_features`
    for the columns. Their values equal those of librosa 0.11 with its defaults, and librosa is not
    needed. Audio is resampled to 22,050 Hz, the rate of the tables. Tables are float64, tensors
    float32. Parts of about 3 s without a signal are left out of tracks and segments; segments
    without any signal are NaN.

    Examples
    --------
    >>> from skgenre import GTZANFeatures
    >>> from skgenre.datasets import make_tracks
    >>> import tempfile
    >>> columns = ["spectral_centroid_mean", "mfcc1_mean", "mfcc2_mean"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=2, duration=7, random_state=0, folder=folder)
    ...     features = GTZANFeatures(columns=columns).set_output(transform="pandas")
    ...     table = features.transform(tracks.data)
    ...     tensor = GTZANFeatures(columns=columns, segment_duration=3).transform(tracks.data)
    >>> table.columns.tolist() == columns
    True
    >>> table.shape, tensor.shape
    ((2, 3), (2, 2, 1, 3))
    """

    _parameter_constraints: ClassVar[dict] = {
        **FrontEnd._parameter_constraints,
        "columns": ["array-like", None],
        "segment_duration": [LONG_DURATION, None],
        "n_segments": N_SEGMENTS,
        "placement": PLACEMENT,
        "max_duration": [Interval(Real, 0, None, closed="neither"), None],
    }

    sample_rate = SAMPLE_RATE

    def __init__(
        self,
        *,
        columns: Sequence[str] | None = None,
        segment_duration: float | None = None,
        n_segments: int | None = None,
        placement: str = "start",
        max_duration: float | None = 120.0,
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        augment: Any = None,
    ):
        self.columns = columns
        self.segment_duration = segment_duration
        self.n_segments = n_segments
        self.placement = placement
        self.max_duration = max_duration
        super().__init__(
            on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose, augment=augment
        )

    @property
    def dtype(self) -> type[np.floating]:
        """Data type of the output: float64 for tables, float32 for tensors."""
        return np.float64 if self.segment_duration is None else np.float32

    @property
    def track_shape(self) -> tuple[int | None, ...]:
        """Shape of the array of a track: ``(n_columns,)`` or ``(n_segments, 1, n_columns)``."""
        n_columns = len(check_columns(self.columns))
        return (n_columns,) if self.segment_duration is None else (self.n_segments, 1, n_columns)

    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the columns of one track, or of its segments.

        Parameters
        ----------
        audio : AudioFile
            The open file.

        Returns
        -------
        features : ndarray of shape (n_columns,) or (n_segments_found, 1, n_columns)
            Features of the track or of its segments; NaN for segments without a signal.

        Raises
        ------
        AudioError
            If the track is shorter than a frame, or shorter than 3 s if it is split into segments.
        """
        columns = check_columns(self.columns)
        if self.segment_duration is not None:
            columns = tensor_order(columns)
            return long_segment_rows(self, audio, lambda y: compute_columns(y, columns)[None])
        y = self._read(audio)
        if len(y) < N_FFT:
            raise AudioError(
                audio.name,
                f"{len(y) / SAMPLE_RATE:.2f} s of audio is too short for a frame of "
                f"{N_FFT / SAMPLE_RATE:.2f} s",
            )
        y = without_silence(y, SAMPLE_RATE)
        return compute_columns(y, columns) if len(y) else np.full(len(columns), np.nan)

    def _read(self, audio: AudioFile) -> np.ndarray:
        if self.max_duration is None:
            return audio.read()
        most = round(self.max_duration * SAMPLE_RATE)

        def read_center(n_samples: int) -> np.ndarray:
            start = max(0, (n_samples - most) // 2)
            return audio.read(start, start + most)

        return at_length(audio, read_center)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_columns(self.columns)
        if self.n_segments is not None and self.segment_duration is None:
            raise ValueError(
                f"n_segments={self.n_segments} requires segment_duration, for example "
                "segment_duration=30"
            )

    @available_if(lambda self: self.segment_duration is None)
    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Get output feature names of a table.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        names : ndarray of str objects
            Names of the columns.
        """
        return np.array(check_columns(self.columns), dtype=object)
