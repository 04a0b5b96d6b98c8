"""Extraction of log-mel spectrograms."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from .._sklearn import Interval
from ..audio import AudioFile
from .bands import MelExtractor
from .segments import SHORTEST, check_hop, compute_rows, n_segment_frames, read_windows
from .spectra import band_powers, mel_bands, to_decibels


class MelSegmenter(MelExtractor, auto_wrap_output_keys=None):
    """Extract windows of log-mel spectrograms, for networks on long windows.

    Each track is split into windows. A mel power spectrogram is computed for each window
    separately, averaged over groups of frames, and converted to decibels. By default, a window is
    30 seconds long and has 646 frames of 64 mel bands.

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
        the output. An incomplete group at the end of a window is dropped.
    top_db : float, default=80.0
        Levels are clipped `top_db` decibels below the maximum over all windows of the track.
    window : float, default=30.0
        Length of a window in seconds. Shorter tracks are a single window, and the last window is
        used if it is at least half as long. Tracks shorter than 3 s cannot be used.
    n_windows : int, default=None
        Maximum number of windows, taken from the start of the track. If None, all windows are
        used, and the output is padded to the longest track.
    on_error : {"raise", "warn"}, default="raise"
        How to handle tracks that cannot be read, are too short or contain no signal; see
        :class:`skgenre.FrontEnd`.
    memory : str, path-like or joblib.Memory, default=None
        Used to cache the spectrograms; see :class:`skgenre.FrontEnd`.
    n_jobs : int, default=None
        Number of threads; see :class:`skgenre.FrontEnd`.
    verbose : int, default=0
        If nonzero, show a progress bar.

    See Also
    --------
    MFCCSegmenter : MFCCs of short segments.
    TrackDescriptors : Descriptors of windows for classical models.

    Notes
    -----
    This transformer is stateless. Windows that are not full, such as those of tracks of 29.9 s or
    15 s, are filled by repeating their frames from the beginning. The number of frames is thus
    fixed without adding silence, which would change the average over time. For the same reason,
    parts of about 3 s without a signal are left out; windows without any signal are NaN.

    The levels equal ``librosa.power_to_db`` with ``ref=1.0`` of
    ``librosa.feature.melspectrogram`` (librosa 0.11) to 1e-3 dB. Only the spectra of one window
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
        **MelExtractor._parameter_constraints,
        "frames_per_step": [Interval(Integral, 1, None, closed="left")],
        "top_db": [Interval(Real, 0, None, closed="neither")],
        "window": [Interval(Real, SHORTEST, None, closed="left")],
        "n_windows": [Interval(Integral, 1, None, closed="left"), None],
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
        window: float = 30.0,
        n_windows: int | None = None,
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.frames_per_step = frames_per_step
        self.top_db = top_db
        self.window = window
        self.n_windows = n_windows
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
        """Shape of the array of a track, ``(n_windows, n_frames, n_mels)``."""
        return self.n_windows, self._n_frames, self.n_mels

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
        return np.array([f"mel{i}" for i in range(self.n_mels)], dtype=object)

    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the log-mel spectrograms of one track, one window at a time.

        Parameters
        ----------
        audio : AudioFile
            The open file.

        Returns
        -------
        windows : float32 ndarray of shape (n_windows_found, n_frames, n_mels)
            Levels in dB; NaN for windows without a signal.

        Raises
        ------
        AudioError
            If the track is shorter than 3 s.
        """
        windows = read_windows(audio, self.window, self.n_windows)
        levels = compute_rows(windows, self._powers, self.track_shape[1:])
        exists = ~np.isnan(levels[:, 0, 0])
        if exists.any():
            # Repeated frames do not change the maximum, to which the levels are clipped.
            levels[exists] = to_decibels(levels[exists], self.top_db)
        return levels

    def _powers(self, signals: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        bands = mel_bands(**self._bands)
        powers = band_powers(signals, [bands], n_fft=self.n_fft, hop_length=self.hop_length)
        return (self._fill(power) for [power] in powers)

    def _fill(self, power: np.ndarray) -> np.ndarray:
        """Average groups of frames, and repeat them until the window is full."""
        n = len(power) // self.frames_per_step
        means = power[: n * self.frames_per_step].reshape(n, -1, self.n_mels).mean(axis=1)
        return np.resize(means, (self._n_frames, self.n_mels))

    @property
    def _n_frames(self) -> int:
        return n_segment_frames(self._window_length, self.hop_length) // self.frames_per_step

    @property
    def _window_length(self) -> int:
        return round(self.window * self.sample_rate)

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_hop(self._window_length, self.hop_length)
        # The shortest window is that of a 3 s track, or half of a last window.
        shortest = min(round(SHORTEST * self.sample_rate), self._window_length // 2)
        n = n_segment_frames(shortest, self.hop_length)
        if self.frames_per_step > n:
            raise ValueError(
                f"frames_per_step={self.frames_per_step} is more than the {n} frames of the "
                f"shortest window ({shortest / self.sample_rate:.3g} s) with "
                f"hop_length={self.hop_length}; use a smaller value or a shorter hop"
            )
