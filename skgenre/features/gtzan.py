"""The 57 columns of GTZAN's feature tables, from samples and from files.

The tables that circulate hold means and variances of what librosa computes with its defaults.
Here one spectrogram serves all of them, and the harmonic-percussive separation, three quarters
of the time otherwise, is done by a faster median filter. The values are those of librosa 0.11.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from .._sklearn import Interval
from ..audio import AudioError, AudioFile
from .extractor import TrackExtractor
from .spectra import check_samples, constants, sum_bands, to_decibels

#: The columns of the feature tables of GTZAN that circulate, in the order of the 30-second one.
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

#: What the tables were computed with; other values would give other columns.
SAMPLE_RATE = 22050
N_FFT = 2048
HOP_LENGTH = 512
N_MFCC = 20
N_MELS = 128

#: Bins or frames that the median filters of the harmonic-percussive separation span.
_HPSS_SIZE = 31

#: Share of a frame's magnitude that lies below its roll-off frequency.
_ROLLOFF = 0.85


def track_features(y: np.ndarray) -> np.ndarray:
    """Compute the 57 features of GTZAN's tables, of one track.

    Parameters
    ----------
    y : float ndarray of shape (n_samples,)
        Mono samples at 22,050 Hz, the rate of the tables, where full scale is 1.

    Returns
    -------
    features : float64 ndarray of shape (57,)
        Named, in this order, by :data:`skgenre.features.GTZAN_FEATURES`: mean and variance over
        time of chroma, RMS level, spectral centroid, bandwidth and roll-off (Hz), zero-crossing
        rate, the harmonic and the percussive signal; the tempo in beats a minute; mean and
        variance of 20 MFCCs.

    Raises
    ------
    TypeError
        If `y` holds integers.
    ValueError
        If `y` is not one-dimensional, shorter than a frame of 2,048 samples, not finite, or
        absurdly large.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import track_features
    >>> y = np.sin(2 * np.pi * 440 * np.arange(66150) / 22050)
    >>> track_features(y).shape
    (57,)
    """
    import librosa  # takes a second to import its parts: only where features are computed

    y = check_samples(y, shortest=N_FFT)
    # Transposed: frames are rows. librosa lays them out so that this is contiguous.
    stft = librosa.stft(y, n_fft=N_FFT, hop_length=HOP_LENGTH).T
    magnitude = np.abs(stft)
    power = np.square(magnitude)
    _, bands, dct = constants(SAMPLE_RATE, N_MFCC, N_FFT, N_MELS)
    levels = to_decibels(sum_bands(stft.copy(), bands, np.empty((len(stft), N_MELS), np.float32)))
    harmonic = _harmonic(stft, magnitude, len(y))
    over_time = [
        _chroma(power),
        _rms(y),
        *_spectral_shape(magnitude),
        _zero_crossing_rate(y),
        harmonic,
        # The two parts' masks add up to 1, so the signals add up to the whole.
        y - harmonic,
    ]
    coefficients = levels @ dct
    return np.array(
        [
            *(value for x in over_time for value in (x.mean(dtype=float), x.var(dtype=float))),
            _tempo(levels),
            *np.stack([coefficients.mean(axis=0), coefficients.var(axis=0)], axis=1).ravel(),
        ]
    )


def _chroma(power: np.ndarray) -> np.ndarray:
    import librosa

    # As librosa.estimate_tuning, which warns of silence, where there are no peaks.
    pitch, magnitude = librosa.piptrack(S=power.T, sr=SAMPLE_RATE)
    peaks = pitch > 0
    tuning = 0.0
    if peaks.any():
        peaks &= magnitude >= np.median(magnitude[peaks])
        tuning = librosa.pitch_tuning(pitch[peaks], bins_per_octave=12)
    return librosa.feature.chroma_stft(S=power.T, sr=SAMPLE_RATE, tuning=tuning)


def _rms(y: np.ndarray) -> np.ndarray:
    squares = np.concatenate([[0.0], np.cumsum(np.square(y, dtype=float))])
    return np.sqrt(_frame_sums(squares, len(y)) / N_FFT)


def _zero_crossing_rate(y: np.ndarray) -> np.ndarray:
    # As librosa: values this near to 0 count as positive.
    negative = y < -1e-10
    crossings = np.concatenate([[0, 0], np.cumsum(negative[1:] != negative[:-1])])
    # A frame's first sample has none before it: frames are one sample shorter at the start.
    return _frame_sums(crossings, len(y), skip=1) / N_FFT


def _frame_sums(cumulative: np.ndarray, n: int, skip: int = 0) -> np.ndarray:
    """Sum over each centred frame, of which the first `skip` samples are left out."""
    start = np.arange(0, n + 1, HOP_LENGTH) - N_FFT // 2
    return cumulative[np.minimum(start + N_FFT, n)] - cumulative[np.clip(start + skip, 0, n)]


def _spectral_shape(magnitude: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centroid, bandwidth and roll-off of each frame, in Hz; 0 of silence."""
    frequency = np.arange(N_FFT // 2 + 1) * (SAMPLE_RATE / N_FFT)
    moments = magnitude @ np.stack([np.ones_like(frequency), frequency, frequency**2], axis=1)
    total = np.where(moments[:, 0] < np.finfo(np.float32).tiny, 1, moments[:, 0])
    centroid = moments[:, 1] / total
    bandwidth = np.sqrt(np.maximum(moments[:, 2] / total - centroid**2, 0))
    cumulative = np.cumsum(magnitude, axis=1)
    below = cumulative < _ROLLOFF * cumulative[:, -1:]
    return centroid, bandwidth, frequency[below.sum(axis=1)]


def _tempo(levels: np.ndarray) -> float:
    """Beats a minute, from the onsets that the levels of the mel bands show."""
    from librosa.beat import beat_track

    onset = np.median(np.maximum(np.diff(levels, axis=0), 0), axis=1)
    # Onsets are heard where a frame begins; the difference is with the frame before.
    onset = np.pad(onset, (1 + N_FFT // (2 * HOP_LENGTH), 0))[: len(levels)]
    tempo, _ = beat_track(onset_envelope=onset, sr=SAMPLE_RATE, hop_length=HOP_LENGTH)
    return float(np.squeeze(tempo))


def _harmonic(stft: np.ndarray, magnitude: np.ndarray, n_samples: int) -> np.ndarray:
    """Harmonic part of the signal, with librosa's soft masks.

    D. Fitzgerald, "Harmonic/percussive separation using median filtering", DAFx 2010.
    """
    import librosa

    median = _running_median()
    harmonic = median(np.ascontiguousarray(magnitude.T), _HPSS_SIZE).T
    percussive = median(magnitude, _HPSS_SIZE)
    # Relative to the larger, so that squares do not underflow.
    larger = np.maximum(harmonic, percussive)
    silent = larger < np.finfo(np.float32).tiny
    larger[silent] = 1
    harmonic = np.square(harmonic / larger)
    harmonic[silent] = 0.5
    percussive = np.square(percussive / larger)
    percussive[silent] = 0.5
    mask = harmonic / (harmonic + percussive)
    return librosa.istft((stft * mask).T, hop_length=HOP_LENGTH, n_fft=N_FFT, length=n_samples)


#: Two threads that compile at once would get a warning of librosa 1.0.
_COMPILING = threading.Lock()


@cache
def _compile() -> None:
    """Have all compiled that librosa and we compile on first use."""
    track_features(np.sin(np.arange(8 * N_FFT) ** 1.5))


@cache
def _running_median() -> Callable:
    """Compile the median filter on first use."""
    import numba

    try:
        return numba.njit(_median_of_lines, cache=True, nogil=True)
    except RuntimeError:  # there is no folder that it may write to
        return numba.njit(_median_of_lines, nogil=True)


def _median_of_lines(lines, size):
    """Median of the `size` values around each, along lines that are mirrored at their ends.

    ``scipy.ndimage.median_filter(lines, (1, size), mode="reflect")`` for odd sizes and finite
    values. The window is kept sorted; one step takes a value out and puts one in, which is a
    minimum and a maximum for each place of the window, without a branch, so that a few
    instructions do it.
    """
    n_lines, n = lines.shape
    half = size // 2
    out = np.empty_like(lines)
    padded = np.empty(n + size - 1, lines.dtype)
    window = np.empty(size + 2, lines.dtype)
    stepped = np.empty(size + 2, lines.dtype)
    for k in range(n_lines):
        for i in range(len(padded)):
            j = (i - half) % (2 * n)
            padded[i] = lines[k, j if j < n else 2 * n - 1 - j]
        window[0] = -np.inf
        window[1:-1] = np.sort(padded[:size])
        window[-1] = np.inf
        out[k, 0] = window[half + 1]
        for i in range(1, n):
            old = padded[i - 1]
            new = padded[i + size - 1]
            if new >= old:
                for j in range(1, size + 1):
                    here = window[j]
                    stepped[j] = here if here < old else min(max(here, new), window[j + 1])
            else:
                for j in range(1, size + 1):
                    here = window[j]
                    stepped[j] = here if here > old else max(min(here, new), window[j - 1])
            window[1:-1] = stepped[1:-1]
            out[k, i] = window[half + 1]
    return out


class TrackFeatures(TrackExtractor):
    """Turn audio files into the 57 columns of GTZAN's feature tables.

    A model trained on a table predicts songs from disk::

        table = load_gtzan_features("features_30_sec.csv")
        model = make_baseline("svm").fit(table.data, table.target)
        features = TrackFeatures().set_output(transform="pandas")
        make_pipeline(features, model).predict(["song.mp3"])

    Parameters
    ----------
    max_duration : float or None, default=120.0
        Only the central `max_duration` seconds of longer tracks are used, which bounds the
        memory: about 2.5 MB a second. None uses all of every track.
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
    equal those of plain librosa 0.11 calls. Audio is resampled to 22,050 Hz, the tables' rate.

    See Also
    --------
    skgenre.datasets.load_gtzan_features : Load such a table.
    MFCCSegmenter : Features for the networks.

    Examples
    --------
    >>> from skgenre import TrackFeatures
    >>> from skgenre.datasets import make_tracks
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=2, duration=3, random_state=0, folder=folder)
    ...     table = TrackFeatures().set_output(transform="pandas").transform(tracks.data)
    >>> table.shape
    (2, 57)
    >>> table.columns[0]
    'chroma_stft_mean'
    """

    _parameter_constraints: ClassVar[dict] = {
        **TrackExtractor._parameter_constraints,
        "max_duration": [Interval(Real, 0, None, closed="neither"), None],
    }

    sample_rate = SAMPLE_RATE
    dtype = np.float64

    def __init__(
        self,
        *,
        max_duration: float | None = 120.0,
        on_error: str = "raise",
        memory: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ):
        self.max_duration = max_duration
        super().__init__(on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose)

    @property
    def track_shape(self) -> tuple[int, ...]:
        """Shape of a track's array, ``(57,)``."""
        return (len(GTZAN_FEATURES),)

    def extract_track(self, audio: AudioFile) -> np.ndarray:
        """Compute the features of one track.

        Parameters
        ----------
        audio : AudioFile

        Returns
        -------
        features : float64 ndarray of shape (57,)

        Raises
        ------
        AudioError
            If the track is shorter than a frame.
        """
        y = self._read(audio)
        if len(y) < N_FFT:
            raise AudioError(
                audio.name,
                f"{len(y) / SAMPLE_RATE:.2f} s of audio is too short for a frame of "
                f"{N_FFT / SAMPLE_RATE:.2f} s",
            )
        with _COMPILING:
            _compile()
        return track_features(y)

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

    def get_feature_names_out(self, input_features=None):
        """Names of the columns, those of GTZAN's tables.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str objects
        """
        return np.array(GTZAN_FEATURES, dtype=object)
