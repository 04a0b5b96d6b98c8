"""Descriptors of timbre, rhythm and harmony for windows of a track."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from .._sklearn import Interval, StrOptions
from ..audio import AudioFile
from .filters import band_blocks, chroma_filters
from .front_end import FrontEnd
from .segments import SHORTEST, compute_rows, read_windows
from .spectra import band_powers, constants, to_decibels

SAMPLE_RATE = 22050
N_FFT = 2048
HOP_LENGTH = 512
N_MELS = 128
N_MFCC = 20

#: Length and hop of the windows of the fluctuation pattern in frames; 256 frames are 5.9 s.
_MODULATION_FRAMES, _MODULATION_HOP = 256, 128

#: Number of bands of the fluctuation pattern and of the onset curve, which merge mel bands.
_N_MODULATED, _N_ONSET = 16, 32

#: Length of a texture window in frames: one second.
_TEXTURE_FRAMES = 43

#: Lags of the onset autocorrelation in frames (0.1 to 4 s), and how many of them are averaged.
_LAGS, _LAGS_AVERAGED = slice(4, 172), 6

_PERCENTILES = (5, 25, 50, 75, 95)

#: Added to magnitudes before taking the logarithm.
_MODULATION_FLOOR = 1e-2


class _Window:
    """Intermediate results for one window, computed from a single STFT."""

    def __init__(self, y: np.ndarray):
        _, mel, dct = constants(SAMPLE_RATE, N_MFCC, N_FFT, N_MELS)
        banks = [mel, _chroma_bank()]
        [(power, chroma)] = band_powers([y], banks, n_fft=N_FFT, hop_length=HOP_LENGTH)
        self.modulated = _merged_decibels(power, _N_MODULATED)
        self.onset = np.maximum(np.diff(_merged_decibels(power, _N_ONSET), axis=0), 0)
        self.chroma = chroma / np.maximum(chroma.max(axis=1, keepdims=True), np.float32(1e-30))
        self.mfcc = to_decibels(power) @ dct


@lru_cache(maxsize=1)
def _chroma_bank() -> tuple:
    return band_blocks(chroma_filters(SAMPLE_RATE, N_FFT), size=12)


def _merged_decibels(power: np.ndarray, n_bands: int) -> np.ndarray:
    # Five times as fast as a sum over the last axis, which is short.
    return to_decibels(np.einsum("nbk->nb", power.reshape(len(power), n_bands, -1)))


def _timbre(window: _Window) -> list[np.ndarray]:
    x = window.mfcc
    return [
        x.mean(axis=0),
        x.std(axis=0),
        *np.percentile(x, _PERCENTILES, axis=0),
        np.diff(x, axis=0).std(axis=0),
    ]


def _covariance(window: _Window) -> list[np.ndarray]:
    covariance = np.cov(window.mfcc.T)
    # Shrink the covariance and keep it positive definite for silence, so that the logarithm exists.
    shrinkage = 0.01 * np.trace(covariance) / N_MFCC + 1e-6
    values, vectors = np.linalg.eigh(covariance + shrinkage * np.eye(N_MFCC))
    logarithm = (vectors * np.log(values)) @ vectors.T
    rows, columns = np.triu_indices(N_MFCC)
    return [logarithm[rows, columns] * np.where(rows == columns, 1, np.sqrt(2))]


def _fluctuation(window: _Window) -> list[np.ndarray]:
    levels = window.modulated
    spectra = []
    for start in range(0, max(1, len(levels) - _MODULATION_FRAMES + 1), _MODULATION_HOP):
        part = levels[start : start + _MODULATION_FRAMES]
        part = (part - part.mean(axis=0)) * np.hanning(len(part))[:, None]
        spectra.append(np.abs(np.fft.rfft(part, _MODULATION_FRAMES, axis=0)))
    magnitude = np.median(spectra, axis=0)
    binned = [magnitude[a:b].mean(axis=0) for a, b in _modulation_bins()]
    return [np.log(np.stack(binned) + _MODULATION_FLOOR).ravel()]


@lru_cache(maxsize=1)
def _modulation_bins() -> list[tuple[int, int]]:
    """Return logarithmically spaced ranges of bins of the modulation spectrum, 0.25 to 10 Hz."""
    frequency = np.fft.rfftfreq(_MODULATION_FRAMES, HOP_LENGTH / SAMPLE_RATE)
    [used] = np.nonzero((frequency > 0.25) & (frequency <= 10))
    edges = np.unique(np.round(np.geomspace(1, len(used) + 1, 11)).astype(int)) - 1
    return [
        (int(a), int(b)) for a, b in np.lib.stride_tricks.sliding_window_view(edges, 2) + used[0]
    ]


def _rhythm(window: _Window) -> list[np.ndarray]:
    curve = window.onset.mean(axis=1)
    curve = (curve - curve.mean()) / (curve.std() + 1e-9)
    n = 1 << (2 * len(curve) - 1).bit_length()  # pad for a linear autocorrelation
    correlation = np.fft.irfft(np.abs(np.fft.rfft(curve, n)) ** 2)
    correlation = np.pad(correlation[: len(curve)], (0, max(0, _LAGS.stop - len(curve))))
    correlation /= correlation[0] + 1e-9
    quarters = window.onset.reshape(len(window.onset), 4, -1).mean(axis=2)
    return [
        correlation[_LAGS].reshape(-1, _LAGS_AVERAGED).mean(axis=1),
        np.array([correlation[8:200].max(), window.onset.mean(), window.onset.std()]),
        np.array([np.mean(curve**3)]),
        quarters.mean(axis=0),
        quarters.std(axis=0),
        np.percentile(quarters, 90, axis=0),
    ]


def _harmony(window: _Window) -> list[np.ndarray]:
    chroma = window.chroma
    share = chroma / (chroma.sum(axis=1, keepdims=True) + 1e-9)
    entropy = -(share * np.log(share + 1e-9)).sum(axis=1)
    # Strength of each interval among simultaneous notes, independent of the key.
    intervals = np.stack([(chroma * np.roll(chroma, k, axis=1)).mean(axis=1) for k in range(7)])
    return [
        np.sort(chroma.mean(axis=0)),
        np.sort(chroma, axis=1).mean(axis=0),
        np.array([entropy.mean(), entropy.std()]),
        intervals.mean(axis=1),
        intervals.std(axis=1),
        np.array([np.abs(np.diff(chroma, axis=0)).mean()]),
    ]


def _texture(window: _Window) -> list[np.ndarray]:
    n = len(window.mfcc) // _TEXTURE_FRAMES
    seconds = window.mfcc[: n * _TEXTURE_FRAMES].reshape(n, _TEXTURE_FRAMES, -1)
    mean, deviation = seconds.mean(axis=1), seconds.std(axis=1)
    return [mean.std(axis=0), deviation.mean(axis=0), deviation.std(axis=0)]


def _names() -> dict[str, list[str]]:
    """Return the names of the descriptors of each group, in the order of the values."""
    mfccs = [f"mfcc{i}" for i in range(1, N_MFCC + 1)]
    rows, columns = np.triu_indices(N_MFCC)
    n_lags = (_LAGS.stop - _LAGS.start) // _LAGS_AVERAGED
    quarters = range(1, 5)
    intervals = ("unison", "minor2", "major2", "minor3", "major3", "fourth", "tritone")
    return {
        "timbre": [
            f"{mfcc}_{statistic}"
            for statistic in ("mean", "std", *(f"p{p}" for p in _PERCENTILES), "delta_std")
            for mfcc in mfccs
        ],
        "covariance": [f"{mfccs[i]}_{mfccs[j]}_logcov" for i, j in zip(rows, columns, strict=True)],
        "fluctuation": [
            f"fluctuation_band{band}_bin{i}"
            for i in range(1, len(_modulation_bins()) + 1)
            for band in range(1, _N_MODULATED + 1)
        ],
        "rhythm": [
            *(f"onset_lag{i}" for i in range(1, n_lags + 1)),
            *("onset_peak", "onset_mean", "onset_std", "onset_skewness"),
            *(f"onset_quarter{i}_{s}" for s in ("mean", "std", "p90") for i in quarters),
        ],
        "harmony": [
            *(f"chroma_mean_rank{i}" for i in range(1, 13)),
            *(f"chroma_rank{i}_mean" for i in range(1, 13)),
            *("chroma_entropy_mean", "chroma_entropy_std"),
            *(f"{interval}_{s}" for s in ("mean", "std") for interval in intervals),
            "chroma_delta",
        ],
        "texture": [
            f"{mfcc}_{statistic}"
            for statistic in ("second_mean_std", "second_std_mean", "second_std_std")
            for mfcc in mfccs
        ],
    }


_GROUPS: dict[str, Callable[[_Window], list[np.ndarray]]] = {
    "timbre": _timbre,
    "covariance": _covariance,
    "fluctuation": _fluctuation,
    "rhythm": _rhythm,
    "harmony": _harmony,
    "texture": _texture,
}


class TrackDescriptors(FrontEnd, auto_wrap_output_keys=None):
    """Extract descriptors of timbre, rhythm and harmony, for classical models.

    Each track is split into windows, and each window yields one row of descriptors. In the track
    tensor, a window is a segment with a single frame. Use a
    :class:`skgenre.SegmentVotingClassifier` to classify the tracks.

    Parameters
    ----------
    groups : str or sequence of str, \
default=("timbre", "covariance", "fluctuation", "rhythm", "harmony", "texture")
        Groups of descriptors to compute. The output is in the order of this list, in whatever order
        they are passed.

        - ``"timbre"``: mean, standard deviation and five percentiles of 20 MFCCs, and standard
          deviation of their differences between consecutive frames;
        - ``"covariance"``: matrix logarithm of the covariance of the MFCCs [1]_, with 1 %
          shrinkage towards the mean variance;
        - ``"fluctuation"``: strength of fluctuations at 0.25 to 10 Hz in 16 frequency bands,
          following [2]_ and [3]_;
        - ``"rhythm"``: autocorrelation of the onset curve at lags of 0.1 to 4 s, moments of the
          onset curve, and statistics of the spectral flux in four ranges of mel bands;
        - ``"harmony"``: key-independent chroma statistics: sorted means, entropy, and strength of
          each interval;
        - ``"texture"``: variation of the means and standard deviations of the MFCCs over
          one-second windows [4]_.
    window : float, default=30.0
        Length of a window in seconds. Shorter tracks are a single window of their own length. The
        last window is used if it is at least half as long. Tracks shorter than 3 s cannot be used.
    n_windows : int, default=None
        Maximum number of windows, taken from the start of the track. If None, all windows are
        used, and the output is padded to the longest track.
    on_error : {"raise", "warn"}, default="raise"
        How to handle tracks that cannot be read, are too short or contain no signal; see
        :class:`skgenre.FrontEnd`.
    memory : str, path-like or joblib.Memory, default=None
        Used to cache the descriptors; see :class:`skgenre.FrontEnd`.
    n_jobs : int, default=None
        Number of threads; see :class:`skgenre.FrontEnd`.
    verbose : int, default=0
        If nonzero, show a progress bar.

    See Also
    --------
    GTZANFeatures : Columns of the GTZAN feature tables.
    SegmentVotingClassifier : Classify tracks by their windows.

    Notes
    -----
    This transformer is stateless. Audio is resampled to 22,050 Hz. All descriptors are computed
    from one STFT with 2,048 samples per frame and a hop of 512; librosa is not needed. Levels are
    clipped 80 dB below the maximum of the window. Parts of about 3 s without a signal are left out;
    windows without any signal are NaN.

    References
    ----------
    .. [1] V. Arsigny, P. Fillard, X. Pennec and N. Ayache, "Log-Euclidean metrics for fast and
       simple calculus on diffusion tensors", Magnetic Resonance in Medicine 56(2), 2006.
    .. [2] E. Pampalk, "Islands of Music", Master's thesis, Vienna University of Technology,
       2001.
    .. [3] K. Seyerlehner, M. Schedl, T. Pohle and P. Knees, "Using block-level features for
       genre classification, tag classification and music similarity estimation", MIREX 2010.
    .. [4] G. Tzanetakis and P. Cook, "Musical genre classification of audio signals", IEEE
       Transactions on Speech and Audio Processing 10(5), 2002.

    Examples
    --------
    >>> from skgenre import TrackDescriptors
    >>> from skgenre.datasets import make_tracks
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=2, duration=7, random_state=0, folder=folder)
    ...     TrackDescriptors(groups=("timbre", "rhythm")).transform(tracks.data).shape
    (2, 1, 1, 204)
    """

    sample_rate = SAMPLE_RATE

    _parameter_constraints: ClassVar[dict] = {
        **FrontEnd._parameter_constraints,
        "groups": ["array-like", StrOptions(set(_GROUPS))],
        "window": [Interval(Real, SHORTEST, None, closed="left")],
        "n_windows": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        groups: str | Sequence[str] = tuple(_GROUPS),
        window: float = 30.0,
        n_windows: int | None = None,
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.groups = groups
        self.window = window
        self.n_windows = n_windows
        super().__init__(on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose)

    @property
    def track_shape(self) -> tuple[int | None, ...]:
        """Shape of a track's array, ``(n_windows, 1, n_descriptors)``."""
        return self.n_windows, 1, len(self.get_feature_names_out())

    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the descriptors of one track, one window at a time.

        Parameters
        ----------
        audio : AudioFile
            The open file.

        Returns
        -------
        rows : float32 ndarray of shape (n_windows_found, 1, n_descriptors)
            Descriptors of each window; NaN for windows without a signal.

        Raises
        ------
        AudioError
            If the track is shorter than 3 s.
        """
        windows = read_windows(audio, self.window, self.n_windows)
        return compute_rows(
            windows, lambda signals: map(self._describe, signals), self.track_shape[1:]
        )

    def _describe(self, y: np.ndarray) -> np.ndarray:
        window = _Window(y)
        parts = [part for name in self._groups() for part in _GROUPS[name](window)]
        return np.concatenate(parts, dtype=np.float32)[None]

    def _groups(self) -> list[str]:
        # A tensor has no column names, so the order must not depend on the order of the parameter.
        groups = {self.groups} if isinstance(self.groups, str) else set(self.groups)
        return [name for name in _GROUPS if name in groups]

    def _check_parameters(self) -> None:
        super()._check_parameters()
        groups = [self.groups] if isinstance(self.groups, str) else list(self.groups)
        unknown = [name for name in groups if name not in _GROUPS]
        if unknown or not groups:
            raise ValueError(
                f"groups={self.groups!r} must name at least one of {list(_GROUPS)}"
                + (f"; unknown: {unknown}" if unknown else "")
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
            Names of the descriptors.
        """
        names = _names()
        return np.array([name for group in self._groups() for name in names[group]], dtype=object)
