"""The 57 columns of the GTZAN feature tables.

The tables contain means and variances of features computed with librosa's defaults. Only the
features needed for the requested columns are computed, from a single STFT that is processed in
blocks. The values equal those of librosa 0.11.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from typing import ClassVar

import numpy as np
import scipy.fft
from numpy.lib.stride_tricks import sliding_window_view

from .harmonic import Separation
from .spectra import (
    check_samples,
    chromagram,
    dct_basis,
    estimate_tuning,
    find_peaks,
    mel_bank,
    stft_blocks,
    sum_bands,
    to_decibels,
)

#: Columns of the published GTZAN feature tables, in the order of the 30-second table.
GTZAN_FEATURES = (
    *(
        f"{name}_{statistic}"
        for name in (
            "chroma_stft",
            "rms",
            "spectral_centroid",
            "spectral_bandwidth",
            "rolloff",
            "zero_crossing_rate",
            "harmony",
            "perceptr",
        )
        for statistic in ("mean", "var")
    ),
    "tempo",
    *(f"mfcc{i}_{statistic}" for i in range(1, 21) for statistic in ("mean", "var")),
)

#: Parameters with which the tables were computed.
SAMPLE_RATE = 22050
N_FFT = 2048
HOP_LENGTH = 512
N_MFCC = 20
N_MELS = 128

#: Number of frames whose samples are processed at a time.
_BLOCK_FRAMES = 256

#: Length of the autocorrelation window in seconds.
_TEMPO_SECONDS = 8

#: Center of the prior on the tempo, and maximum tempo, in beats per minute.
_TEMPO_CENTER, _MAX_TEMPO = 120.0, 320.0

#: Proportion of the magnitude of a frame below its roll-off frequency.
_ROLLOFF = 0.85


def gtzan_features(y: np.ndarray, columns: Iterable[str] | None = None) -> np.ndarray:
    """Compute the 57 features of the GTZAN tables for one track.

    Parameters
    ----------
    y : float ndarray of shape (n_samples,)
        Mono samples at 22,050 Hz, where full scale is 1.
    columns : iterable of str, default=None
        Names of the features to compute, from :data:`skgenre.features.GTZAN_FEATURES`. If None,
        all are computed.

    Returns
    -------
    features : float64 ndarray of shape (n_columns,)
        Features in the order of `columns`. By default, these are the mean and variance over time
        of chroma, RMS level, spectral centroid, spectral bandwidth and spectral roll-off (in Hz),
        zero-crossing rate, and the harmonic and percussive components of the signal; the tempo in
        beats per minute; and the mean and variance of 20 MFCCs.

    Raises
    ------
    TypeError
        If `y` is an array of integers, or `columns` is a set.
    ValueError
        If `y` is not one-dimensional, is shorter than a frame of 2,048 samples, or contains values
        that are not finite or larger than 16, where full scale is 1, or if `columns` is empty or
        contains unknown or repeated names.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import gtzan_features
    >>> y = np.sin(2 * np.pi * 440 * np.arange(66150) / 22050)
    >>> gtzan_features(y).shape
    (57,)
    >>> gtzan_features(y, ["spectral_centroid_mean"]).round(-1)
    array([440.])
    """
    names = check_columns(columns)
    return compute_columns(check_samples(y, min_length=N_FFT), names)


def check_columns(columns: Iterable[str] | None) -> list[str]:
    """Validate column names; None stands for all columns.

    Raises
    ------
    TypeError
        If the names are in a set.
    ValueError
        If there are unknown or repeated names, or none.
    """
    if columns is None:
        return list(GTZAN_FEATURES)
    if isinstance(columns, set | frozenset):
        # Its order differs between processes.
        raise TypeError(
            f"columns={columns!r} is a {type(columns).__name__}, which has no order; pass a list"
        )
    names = [columns] if isinstance(columns, str) else list(columns)
    for i, name in enumerate(names):
        if name not in GTZAN_FEATURES:
            near = get_close_matches(str(name), GTZAN_FEATURES, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"columns contains the unknown name {name!r}{hint}")
        if name in names[:i]:
            raise ValueError(f"columns contains {name!r} more than once")
    if not names:
        raise ValueError("columns is empty; name at least one column, or use None for all")
    return names


def tensor_order(names: Iterable[str]) -> list[str]:
    """Return column names in the order in which they stand in a track tensor.

    A tensor has no column names that could be compared between training and prediction. Columns of
    GTZAN therefore always stand in the order of :data:`GTZAN_FEATURES`, and any others as they are.
    """
    names = list(names)
    if set(names) <= set(GTZAN_FEATURES):
        return sorted(names, key=GTZAN_FEATURES.index)
    return names


def compute_columns(y: np.ndarray, columns: Sequence[str]) -> np.ndarray:
    """Compute columns like :func:`gtzan_features`, from validated arguments."""
    series = {_series(name) for name in columns}
    values: dict[str, float] = {}
    for name, compute in (("rms", _rms), ("zero_crossing_rate", _zero_crossing_rate)):
        if name in series:
            values |= _statistics(name, compute(y))
    summaries = [kind(y, series & kind.series) for kind in _SUMMARIES if series & kind.series]
    if summaries:
        for rows, spectrum in stft_blocks(y, n_fft=N_FFT, hop_length=HOP_LENGTH):
            for summary in summaries:
                summary.add(rows, spectrum)
    for summary in summaries:
        values |= summary.values()
    return np.array([values[name] for name in columns])


def _series(column: str) -> str:
    """Return the time series that a column summarizes."""
    if column.startswith("mfcc"):
        return "mfcc"
    return column.removesuffix("_mean").removesuffix("_var")


def _statistics(name: str, x: np.ndarray) -> dict[str, float]:
    return {f"{name}_mean": x.mean(dtype=float), f"{name}_var": x.var(dtype=float)}


# ---------------------------------------------------------------- features of the samples


def _rms(y: np.ndarray) -> np.ndarray:
    def squares(first: int, last: int) -> np.ndarray:
        return np.square(y[first:last], dtype=float)

    return np.sqrt(_frame_sums(squares, len(y)) / N_FFT)


def _zero_crossing_rate(y: np.ndarray) -> np.ndarray:
    def crossings(first: int, last: int) -> np.ndarray:
        # Like librosa, treat values close to 0 as positive. The first sample is no crossing.
        negative = y[max(0, first - 1) : last] < -1e-10
        found = negative[1:] != negative[:-1]
        return found if first else np.concatenate([[False], found])

    # Crossings are counted between the samples of a frame, so its first sample is skipped.
    return _frame_sums(crossings, len(y), skip=1) / N_FFT


def _frame_sums(values: Callable[[int, int], np.ndarray], n: int, skip: int = 0) -> np.ndarray:
    """Sum per-sample values over each centered frame, leaving out its first `skip` samples."""
    sums = []
    n_frames = 1 + n // HOP_LENGTH
    for first in range(0, n_frames, _BLOCK_FRAMES):
        last = min(n_frames, first + _BLOCK_FRAMES)
        start = np.arange(first, last) * HOP_LENGTH - N_FFT // 2
        begin, end = max(0, start[0]), min(n, start[-1] + N_FFT)
        cumulative = np.concatenate([[0], np.cumsum(values(begin, end))])
        last_of = np.minimum(start + N_FFT, end) - begin
        sums.append(cumulative[last_of] - cumulative[np.clip(start + skip, begin, end) - begin])
    return np.concatenate(sums)


# ---------------------------------------------------------------- features of the spectra


class _Summary(ABC):
    """Base class for columns that are computed together from blocks of spectra.

    Parameters
    ----------
    y : float32 ndarray of shape (n_samples,)
        Samples.
    wanted : set of str
        Names of the time series to summarize.
    """

    #: Names of the time series.
    series: ClassVar[frozenset[str]]

    def __init__(self, y: np.ndarray, wanted: set[str]):
        self.y, self.wanted = y, wanted
        self.n_frames = 1 + len(y) // HOP_LENGTH

    @abstractmethod
    def add(self, rows: slice, spectrum: np.ndarray) -> None:
        """Add the spectra of some frames, which must not be modified."""

    @abstractmethod
    def values(self) -> dict[str, float]:
        """Compute the columns after all frames have been added."""


class _Chroma(_Summary):
    series = frozenset({"chroma_stft"})

    def __init__(self, y, wanted):
        super().__init__(y, wanted)
        # All frames are kept, since the tuning is known only after the last one.
        self._power = np.empty((self.n_frames, N_FFT // 2 + 1), np.float32)
        self._peaks: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, rows, spectrum):
        self._power[rows] = np.square(np.abs(spectrum))
        self._peaks.append(find_peaks(self._power[rows], SAMPLE_RATE, N_FFT))

    def values(self):
        tuning = estimate_tuning(*map(np.concatenate, zip(*self._peaks, strict=True)))
        chroma = chromagram(self._power, SAMPLE_RATE, N_FFT, tuning)
        return _statistics("chroma_stft", chroma)


class _Shape(_Summary):
    """Spectral centroid, bandwidth and roll-off in Hz; 0 in silent frames."""

    series = frozenset({"spectral_centroid", "spectral_bandwidth", "rolloff"})

    def __init__(self, y, wanted):
        super().__init__(y, wanted)
        self._over_time = {name: np.empty(self.n_frames) for name in self.series}
        self._frequency = np.arange(N_FFT // 2 + 1) * (SAMPLE_RATE / N_FFT)
        self._powers = self._frequency[:, None] ** np.arange(3)

    def add(self, rows, spectrum):
        magnitude = np.abs(spectrum)
        if self.wanted & {"spectral_centroid", "spectral_bandwidth"}:
            moments = magnitude @ self._powers
            total = np.where(moments[:, 0] < np.finfo(np.float32).tiny, 1, moments[:, 0])
            centroid = moments[:, 1] / total
            variance = moments[:, 2] / total - centroid**2
            self._over_time["spectral_centroid"][rows] = centroid
            self._over_time["spectral_bandwidth"][rows] = np.sqrt(np.maximum(variance, 0))
        if "rolloff" in self.wanted:
            cumulative = np.cumsum(magnitude, axis=1)
            below = cumulative < _ROLLOFF * cumulative[:, -1:]
            self._over_time["rolloff"][rows] = self._frequency[below.sum(axis=1)]

    def values(self):
        values = {}
        for name in self.wanted:
            values |= _statistics(name, self._over_time[name])
        return values


class _Levels(_Summary):
    """Features computed from the mel spectrogram in decibels."""

    series = frozenset({"mfcc", "tempo"})

    def __init__(self, y, wanted):
        super().__init__(y, wanted)
        self._bank = mel_bank(SAMPLE_RATE, N_FFT, N_MELS)
        self._levels = np.empty((self.n_frames, N_MELS), np.float32)

    def add(self, rows, spectrum):
        squares = np.square(spectrum.view(np.float32))
        sum_bands(squares, self._bank, self._levels[rows])

    def values(self):
        values = {}
        levels = to_decibels(self._levels)
        if "mfcc" in self.wanted:
            coefficients = levels @ dct_basis(N_MFCC, N_MELS)
            for i, column in enumerate(coefficients.T, start=1):
                values |= _statistics(f"mfcc{i}", column)
        if "tempo" in self.wanted:
            onset = np.median(np.maximum(np.diff(levels, axis=0), 0), axis=1)
            # Pad the frame lost by np.diff and, like librosa, shift onsets by half a frame.
            onset = np.pad(onset, (1 + N_FFT // (2 * HOP_LENGTH), 0))[: len(levels)]
            values["tempo"] = estimate_tempo(onset, SAMPLE_RATE, HOP_LENGTH)
        return values


class _Separated(_Summary):
    series = frozenset({"harmony", "perceptr"})

    def __init__(self, y, wanted):
        super().__init__(y, wanted)
        self._separation = Separation(y, N_FFT, HOP_LENGTH)

    def add(self, rows, spectrum):
        self._separation.add(spectrum)

    def values(self):
        found = {"harmony": self._separation.harmonic, "perceptr": self._separation.percussive}
        values = {}
        for name, moments in found.items():
            values |= {f"{name}_mean": moments.mean, f"{name}_var": moments.variance}
        return values


_SUMMARIES: tuple[type[_Summary], ...] = (_Chroma, _Shape, _Levels, _Separated)


# ---------------------------------------------------------------- tempo


def estimate_tempo(onset: np.ndarray, sample_rate: int, hop_length: int) -> float:
    """Estimate the tempo in beats per minute, like ``librosa.beat.beat_track``.

    The tempo maximizes the autocorrelation of the onset strength, averaged over the track, weighted
    by a prior centered on 120 beats per minute. Beats are not tracked.

    Parameters
    ----------
    onset : ndarray of shape (n_frames,)
        Onset strength of each frame.
    sample_rate, hop_length : int
        Sample rate in Hz and hop in samples.

    Returns
    -------
    tempo : float
        Tempo in beats per minute; 0 if there are no onsets.

    References
    ----------
    D. P. W. Ellis, "Beat tracking by dynamic programming", Journal of New Music Research 36(1),
    2007.
    """
    if not onset.any():
        return 0.0
    length = _TEMPO_SECONDS * sample_rate // hop_length
    correlation = np.log1p(1e6 * _autocorrelation(onset, length)[1:])
    beats = 60.0 * sample_rate / (hop_length * np.arange(1, length))
    preference = np.where(beats < _MAX_TEMPO, -0.5 * np.log2(beats / _TEMPO_CENTER) ** 2, -np.inf)
    return float(beats[np.argmax(correlation + preference)])


def _autocorrelation(onset: np.ndarray, length: int) -> np.ndarray:
    """Average the autocorrelations of windows around all frames, each scaled to a maximum of 1."""
    padded = np.pad(onset.astype(float), length // 2, mode="linear_ramp", end_values=0)
    window = np.hanning(length + 1)[:-1]
    n = scipy.fft.next_fast_len(2 * length - 1, real=True)  # pad for a linear autocorrelation
    total = np.zeros(length)
    for first in range(0, len(onset), _BLOCK_FRAMES):
        last = min(len(onset), first + _BLOCK_FRAMES)
        parts = sliding_window_view(padded[first : last - 1 + length], length) * window
        power = np.abs(scipy.fft.rfft(parts, n)) ** 2
        correlation = scipy.fft.irfft(power, n)[:, :length]
        highest = np.abs(correlation).max(axis=1, keepdims=True)
        highest[highest < np.finfo(float).tiny] = 1
        total += (correlation / highest).sum(axis=0)
    return total / len(onset)
