"""`TrackFeatures`: paths of audio files -> the columns of GTZAN's feature tables."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import clone
from sklearn.utils.metaestimators import available_if

from .._sklearn import Interval
from ..audio import AudioError, AudioFile
from .columns import N_FFT, SAMPLE_RATE, check_columns, compute_columns
from .extractor import TrackExtractor
from .segments import SHORTEST, read_windows


class TrackFeatures(TrackExtractor):
    """Turn audio files into the columns of GTZAN's feature tables.

    A model trained on a table predicts songs from disk::

        table = load_gtzan_features("features_30_sec.csv")
        model = make_baseline("svm").fit(table.data, table.target)
        features = TrackFeatures().set_output(transform="pandas")
        make_pipeline(features, model).predict(["song.mp3"])

    Parameters
    ----------
    columns : sequence of str, default=None
        Some of :data:`skgenre.features.GTZAN_FEATURES`, in the order of the result. None gives
        all 57, in the tables' order. Only what these columns need is computed: most of the time
        goes to ``harmony`` and ``perceptr``, which alone need Numba. Values do not depend on the
        other columns.
    window : float, default=None
        None gives a table of one row a track. Otherwise each track is cut into windows of so many
        seconds, at least 3, and the result is a track tensor, each window a segment of one frame;
        put a :class:`skgenre.SegmentVotingClassifier` behind it. A shorter track is one window of
        its own length, and a last window counts if at least half of it is there. Tracks below 3 s
        cannot be used then.
    n_windows : int, default=None
        The most windows to take of a track, from its start. None takes all and pads to the
        longest track of the call.
    max_duration : float or None, default=120.0
        Without windows, only the central `max_duration` seconds of longer tracks are used, which
        bounds the memory: about 0.5 MB a second. None uses all of every track. With windows the
        memory is that of one, and this has no effect.
    on_error : {"raise", "warn"}, default="raise"
        What becomes of tracks that cannot be read or are shorter than 0.1 s. ``"raise"`` tries
        all tracks, then raises one error that lists them; ``"warn"`` gives them rows of NaN and
        warns once, naming them.
    memory : str, path-like or joblib.Memory, default=None
        Where to keep what was computed, one entry per file: a file is computed anew if it, a
        parameter or the version of a library has changed. Folds, candidates of a search and
        processes share it. File objects are not kept.
    n_jobs : int, default=None
        Threads to use, or workers of the backend chosen with
        :func:`joblib.parallel_config`. The result does not depend on it.
    verbose : int, default=0
        Show a progress bar if not 0.

    Notes
    -----
    Stateless: `transform` works without `fit`. See :func:`track_features` for the columns; they
    equal those of plain librosa 0.11 calls, without librosa. Audio is resampled to 22,050 Hz, the
    tables' rate. Tables are float64, tensors float32.

    See Also
    --------
    skgenre.datasets.load_gtzan_features : Load such a table.
    skgenre.pieces_to_tracks : Turn a table of pieces of tracks into a tensor.
    MFCCSegmenter : Features for the networks.
    TrackDescriptors : More descriptors of windows.

    Examples
    --------
    >>> from skgenre import TrackFeatures
    >>> from skgenre.datasets import make_tracks
    >>> import tempfile
    >>> columns = ["spectral_centroid_mean", "mfcc1_mean", "mfcc2_mean"]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=2, duration=7, random_state=0, folder=folder)
    ...     features = TrackFeatures(columns=columns).set_output(transform="pandas")
    ...     table = features.transform(tracks.data)
    ...     tensor = TrackFeatures(columns=columns, window=3).transform(tracks.data)
    >>> table.columns.tolist() == columns
    True
    >>> table.shape, tensor.shape
    ((2, 3), (2, 2, 1, 3))
    """

    _parameter_constraints: ClassVar[dict] = {
        **TrackExtractor._parameter_constraints,
        "columns": ["array-like", None],
        "window": [Interval(Real, SHORTEST, None, closed="left"), None],
        "n_windows": [Interval(Integral, 1, None, closed="left"), None],
        "max_duration": [Interval(Real, 0, None, closed="neither"), None],
    }

    sample_rate = SAMPLE_RATE

    def __init__(
        self,
        *,
        columns: Sequence[str] | None = None,
        window: float | None = None,
        n_windows: int | None = None,
        max_duration: float | None = 120.0,
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.columns = columns
        self.window = window
        self.n_windows = n_windows
        self.max_duration = max_duration
        super().__init__(on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose)

    @property
    def dtype(self) -> type[np.floating]:
        """Type of the result: float64 of tables, float32 of tensors."""
        return np.float64 if self.window is None else np.float32

    @property
    def track_shape(self) -> tuple[int | None, ...]:
        """Shape of a track's array, ``(n_columns,)`` or ``(n_windows, 1, n_columns)``."""
        n_columns = len(check_columns(self.columns))
        return (n_columns,) if self.window is None else (self.n_windows, 1, n_columns)

    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the columns of one track, or of its windows.

        Parameters
        ----------
        audio : AudioFile

        Returns
        -------
        features : ndarray of shape (n_columns,), or (n_windows_found, 1, n_columns)

        Raises
        ------
        AudioError
            If the track is shorter than a frame, or than 3 s where there are windows.
        """
        columns = check_columns(self.columns)
        if self.window is not None:
            windows = read_windows(audio, self.window, self.n_windows)
            rows = [compute_columns(y, columns) for y in windows]
            return np.stack(rows)[:, None].astype(self.dtype)
        y = self._read(audio)
        if len(y) < N_FFT:
            raise AudioError(
                audio.name,
                f"{len(y) / SAMPLE_RATE:.2f} s of audio is too short for a frame of "
                f"{N_FFT / SAMPLE_RATE:.2f} s",
            )
        return compute_columns(y, columns)

    def consecutive(self) -> tuple[TrackExtractor, float]:
        """Return a copy of windows, 30 seconds where there are none, and their length.

        Returns
        -------
        extractor : TrackExtractor
        seconds : float
        """
        window = self.window or 30.0
        return clone(self).set_params(window=window, n_windows=None), window

    def _read(self, audio: AudioFile) -> np.ndarray:
        if self.max_duration is None:
            return audio.read()
        most = round(self.max_duration * SAMPLE_RATE)
        start = max(0, (audio.n_samples - most) // 2)
        y = audio.read(start, start + most)
        if start and audio.ended_early:
            # The header promised more than there is: take the middle of what there is.
            y = audio.read()
            start = max(0, (len(y) - most) // 2)
            y = y[start : start + most]
        return y

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_columns(self.columns)
        if self.n_windows is not None and self.window is None:
            raise ValueError(
                f"n_windows={self.n_windows} has no windows to count; set their length, as "
                "window=30"
            )

    @available_if(lambda self: self.window is None)
    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Names of the columns of a table; those of a tensor's last axis are the same.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str objects
        """
        return np.array(check_columns(self.columns), dtype=object)
