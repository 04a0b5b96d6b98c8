"""`MelSegmenter`: paths of audio files -> track tensor of log-mel spectra."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from .._sklearn import Interval
from ..audio import AudioFile
from .bands import MelExtractor
from .segments import SHORTEST, check_hop, n_segment_frames, read_windows
from .spectra import band_powers, mel_bands, to_decibels


class MelSegmenter(MelExtractor, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Turn audio files into windows of log-mel spectra, for networks over long windows.

    Each track is cut into windows, and the power in mel bands is computed of each window on
    its own, averaged over a few frames, and turned into decibels. With the defaults a window
    is 30 seconds: 646 frames of 64 bands.

    Parameters
    ----------
    sample_rate : int, default=22050
        Rate in Hz to which all audio is resampled.
    n_fft : int, default=2048
        Length of a frame of the spectrum in samples.
    hop_length : int, default=512
        Samples from one frame of the spectrum to the next.
    n_mels : int, default=64
        Number of mel bands.
    fmin : float, default=0.0
        Where the lowest mel band begins, in Hz.
    fmax : float or None, default=None
        Where the highest mel band ends, in Hz; None is half of `sample_rate`.
    frames_per_step : int, default=2
        Consecutive frames of the spectrum whose powers are averaged into one frame of the
        tensor. Fewer frames left over at the end of a window are dropped.
    top_db : float, default=80.0
        Levels are cut off so many decibels below the loudest of the track, over all of its
        windows that are taken.
    window : float, default=30.0
        Length of a window in seconds. A shorter track is one window, and a last window counts
        if at least half of it is there. Tracks below 3 s cannot be used.
    n_windows : int or None, default=None
        The most windows to take of a track, from its start. None takes all and pads to the
        longest track of the call.
    on_error : {"raise", "warn"}, default="raise"
        What becomes of tracks that cannot be read or are too short; see
        :class:`skgenre.TrackExtractor`.
    memory : str, path-like or joblib.Memory, default=None
        Where to cache spectra.
    n_jobs : int, default=None
        Threads to use.
    verbose : int, default=0
        Show a progress bar if not 0.

    Notes
    -----
    Stateless. A window that is not full, of a track of 29.9 s or 15 s, is filled by repeating
    its own frames from its beginning: the frames have a fixed number, and their mean over time
    is of frames that exist, without silence that the recording does not have.

    The levels equal ``librosa.power_to_db`` of librosa 0.11, with ``ref=1.0``, of
    ``librosa.feature.melspectrogram`` to 1e-3 dB. One window's spectrum is in memory at a time.

    See Also
    --------
    MFCCSegmenter : Mel-frequency cepstral coefficients of short segments.
    TrackDescriptors : Descriptors of such windows, for classical models.

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
        """Shape of a track's array, ``(n_windows, n_frames, n_mels)``."""
        return self.n_windows, self._n_frames, self.n_mels

    def get_feature_names_out(self, input_features=None) -> np.ndarray:
        """Names of the mel bands, along the last axis.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str objects
        """
        return np.array([f"mel{i}" for i in range(self.n_mels)], dtype=object)

    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the log-mel spectra of one track, a window at a time.

        Parameters
        ----------
        audio : AudioFile

        Returns
        -------
        windows : float32 ndarray of shape (n_windows_found, n_frames, n_mels)
            In dB.

        Raises
        ------
        AudioError
            If the track is shorter than 3 s.
        """
        signals = read_windows(audio, self.window, self.n_windows)
        bands = mel_bands(**self._bands)
        powers = band_powers(signals, [bands], n_fft=self.n_fft, hop_length=self.hop_length)
        # Decibels of all windows at once: repeated frames change nothing of the maximum.
        return to_decibels(np.stack([self._fill(power) for [power] in powers]), self.top_db)

    def _fill(self, power: np.ndarray) -> np.ndarray:
        """Average frames, and repeat them until the window is full."""
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
        # Of a track of 3 s, or half a last window.
        shortest = min(round(SHORTEST * self.sample_rate), self._window_length // 2)
        n = n_segment_frames(shortest, self.hop_length)
        if self.frames_per_step > n:
            raise ValueError(
                f"frames_per_step={self.frames_per_step} is more than the {n} frames of the "
                f"shortest window, {shortest / self.sample_rate:.3g} s, at "
                f"hop_length={self.hop_length}; use fewer, or a shorter hop"
            )
