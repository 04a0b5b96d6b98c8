"""Descriptors of timbre, rhythm and harmony for long segments of a track.

In all arrays, frames are the first axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from .._sklearn import StrOptions
from ..audio import AudioFile
from .front_end import FrontEnd
from .segments import LONG_DURATION, N_SEGMENTS, PLACEMENT, long_segment_rows
from .spectra import (
    FilterBank,
    band_powers,
    chroma_filters,
    dct_basis,
    filter_bank,
    mel_bank,
    to_decibels,
)

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
_LAGS, _LAGS_PER_VALUE = slice(4, 172), 6

_PERCENTILES = (5, 25, 50, 75, 95)

#: Added to magnitudes before taking the logarithm.
_MODULATION_FLOOR = 1e-2


class _Segment:
    """Intermediate results for one segment, computed from a single STFT.

    Attributes
    ----------
    modulated, onset : float32 ndarray of shape (n_frames, n_bands)
        Levels of merged mel bands in dB, and their increases between frames.
    chroma : float32 ndarray of shape (n_frames, 12)
        Normalized to a maximum of 1 in each frame.
    mfcc : float64 ndarray of shape (n_frames, 20)
        MFCCs.
    """

    def __init__(self, y: np.ndarray):
        banks = mel_bank(SAMPLE_RATE, N_FFT, N_MELS), _chroma_bank()
        power, chroma = band_powers(y, *banks, n_fft=N_FFT, hop_length=HOP_LENGTH)
        self.modulated = _merged_decibels(power, _N_MODULATED)
        self.onset = np.maximum(np.diff(_merged_decibels(power, _N_ONSET), axis=0), 0)
        self.chroma = chroma / np.maximum(chroma.max(axis=1, keepdims=True), np.float32(1e-30))
        self.mfcc = to_decibels(power) @ dct_basis(N_MFCC, N_MELS)


@lru_cache(maxsize=1)
def _chroma_bank() -> FilterBank:
    return filter_bank(chroma_filters(SAMPLE_RATE, N_FFT), block_size=12)


def _merged_decibels(power: np.ndarray, n_bands: int) -> np.ndarray:
    # Five times as fast as a sum over the last axis, which is short.
    return to_decibels(np.einsum("nbk->nb", power.reshape(len(power), n_bands, -1)))


def _timbre(segment: _Segment) -> list[np.ndarray]:
    x = segment.mfcc
    return [
        x.mean(axis=0),
        x.std(axis=0),
        *np.percentile(x, _PERCENTILES, axis=0),
        np.diff(x, axis=0).std(axis=0),
    ]


def _covariance(segment: _Segment) -> list[np.ndarray]:
    covariance = np.cov(segment.mfcc.T)
    # Shrink the covariance and keep it positive definite for silence, so that the logarithm exists.
    shrinkage = 0.01 * np.trace(covariance) / N_MFCC + 1e-6
    values, vectors = np.linalg.eigh(covariance + shrinkage * np.eye(N_MFCC))
    logarithm = (vectors * np.log(values)) @ vectors.T
    rows, columns = np.triu_indices(N_MFCC)
    return [logarithm[rows, columns] * np.where(rows == columns, 1, np.sqrt(2))]


def _fluctuation(segment: _Segment) -> list[np.ndarray]:
    levels = segment.modulated
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


def _rhythm(segment: _Segment) -> list[np.ndarray]:
    curve = segment.onset.mean(axis=1)
    curve = (curve - curve.mean()) / (curve.std() + 1e-9)
    n = 1 << (2 * len(curve) - 1).bit_length()  # pad for a linear autocorrelation
    correlation = np.fft.irfft(np.abs(np.fft.rfft(curve, n)) ** 2)
    correlation = np.pad(correlation[: len(curve)], (0, max(0, _LAGS.stop - len(curve))))
    correlation /= correlation[0] + 1e-9
    quarters = segment.onset.reshape(len(segment.onset), 4, -1).mean(axis=2)
    return [
        correlation[_LAGS].reshape(-1, _LAGS_PER_VALUE).mean(axis=1),
        np.array([correlation[8:200].max(), segment.onset.mean(), segment.onset.std()]),
        np.array([np.mean(curve**3)]),
        quarters.mean(axis=0),
        quarters.std(axis=0),
        np.percentile(quarters, 90, axis=0),
    ]


def _harmony(segment: _Segment) -> list[np.ndarray]:
    chroma = segment.chroma
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


def _texture(segment: _Segment) -> list[np.ndarray]:
    n = len(segment.mfcc) // _TEXTURE_FRAMES
    seconds = segment.mfcc[: n * _TEXTURE_FRAMES].reshape(n, _TEXTURE_FRAMES, -1)
    mean, deviation = seconds.mean(axis=1), seconds.std(axis=1)
    return [mean.std(axis=0), deviation.mean(axis=0), deviation.std(axis=0)]


def _names() -> dict[str, list[str]]:
    """Return the names of the descriptors of each family, in the order of the values."""
    mfccs = [f"mfcc{i}" for i in range(1, N_MFCC + 1)]
    rows, columns = np.triu_indices(N_MFCC)
    n_lags = (_LAGS.stop - _LAGS.start) // _LAGS_PER_VALUE
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


_FAMILIES: dict[str, Callable[[_Segment], list[np.ndarray]]] = {
    "timbre": _timbre,
    "covariance": _covariance,
    "fluctuation": _fluctuation,
    "rhythm": _rhythm,
    "harmony": _harmony,
    "texture": _texture,
}


class TrackDescriptors(FrontEnd, auto_wrap_output_keys=None):
    """Extract descriptors of timbre, rhythm and harmony, for classical models.

    Each track is split into segments, and each segment yields one row of descriptors, a segment
    with a single frame in the track tensor. Use a :class:`skgenre.SegmentVotingClassifier` to
    classify the tracks.

    Read more in the :ref:`User Guide <descriptors>`.

    Parameters
    ----------
    families : str or sequence of str, \
default=("timbre", "covariance", "fluctuation", "rhythm", "harmony", "texture")
        Families of descriptors to compute. The output is in the order of this list, in whatever
        order they are passed.

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
    segment_duration : float, default=30.0
        Length of a segment in seconds. Shorter tracks are a single segment of their own length.
        The last segment is used if it is at least half as long. Tracks shorter than 3 s cannot be
        used.
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
        Used to cache the descriptors; see :class:`skgenre.FrontEnd`.
    n_jobs : int, default=None
        Number of threads; see :class:`skgenre.FrontEnd`.
    verbose : int, default=0
        If nonzero, show a progress bar.
    augment : None, change, or sequence of changes, default=None
        Changed copies of each track in training, such as ``"robust"``; see
        :class:`skgenre.FrontEnd`.

    See Also
    --------
    GTZANFeatures : Columns of the GTZAN feature tables.
    SegmentVotingClassifier : Classify tracks by their segments.

    Notes
    -----
    This transformer is stateless. Audio is resampled to 22,050 Hz. All descriptors are computed
    from one STFT with 2,048 samples per frame and a hop of 512; librosa is not needed. Levels are
    clipped 80 dB below the maximum of the segment. Parts of about 3 s without a signal are left
    out; segments without any signal are NaN.

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
    ...     TrackDescriptors(families=("timbre", "rhythm")).transform(tracks.data).shape
    (2, 1, 1, 204)
    """

    sample_rate = SAMPLE_RATE

    _parameter_constraints: ClassVar[dict] = {
        **FrontEnd._parameter_constraints,
        "families": ["array-like", StrOptions(set(_FAMILIES))],
        "segment_duration": [LONG_DURATION],
        "n_segments": N_SEGMENTS,
        "placement": PLACEMENT,
    }

    def __init__(
        self,
        *,
        families: str | Sequence[str] = tuple(_FAMILIES),
        segment_duration: float = 30.0,
        n_segments: int | None = None,
        placement: str = "start",
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
        augment: Any = None,
    ):
        self.families = families
        self.segment_duration = segment_duration
        self.n_segments = n_segments
        self.placement = placement
        super().__init__(
            on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose, augment=augment
        )

    @property
    def track_shape(self) -> tuple[int | None, ...]:
        """Shape of a track's array, ``(n_segments, 1, n_descriptors)``."""
        return self.n_segments, 1, len(self.get_feature_names_out())

    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the descriptors of one track, one segment at a time.

        Parameters
        ----------
        audio : AudioFile
            The open file.

        Returns
        -------
        rows : float32 ndarray of shape (n_segments_found, 1, n_descriptors)
            Descriptors of each segment; NaN for segments without a signal.

        Raises
        ------
        AudioError
            If the track is shorter than 3 s.
        """
        return long_segment_rows(self, audio, self._describe)

    def _describe(self, y: np.ndarray) -> np.ndarray:
        segment = _Segment(y)
        parts = [part for name in self._families() for part in _FAMILIES[name](segment)]
        return np.concatenate(parts, dtype=np.float32)[None]

    def _families(self) -> list[str]:
        # A tensor has no column names, so the order must not depend on the order of the parameter.
        families = {self.families} if isinstance(self.families, str) else set(self.families)
        return [name for name in _FAMILIES if name in families]

    def _check_parameters(self) -> None:
        super()._check_parameters()
        families = [self.families] if isinstance(self.families, str) else list(self.families)
        unknown = [name for name in families if name not in _FAMILIES]
        if unknown or not families:
            raise ValueError(
                f"families={self.families!r} must name at least one of {list(_FAMILIES)}"
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
        return np.array([n for family in self._families() for n in names[family]], dtype=object)
