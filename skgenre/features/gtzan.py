"""The 57 columns of GTZAN's feature tables, from samples and from files.

The tables that circulate hold means and variances of what librosa computes with its defaults.
Here they are computed some frames at a time, and the harmonic-percussive separation, three quarters
of the time otherwise, is done by a faster median filter. The values are those of librosa 0.11.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import cache
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from .._sklearn import Interval
from ..audio import AudioError, AudioFile
from .extractor import TrackExtractor
from .harmonic import HALO, Moments, harmonic_mask
from .spectra import check_samples, constants, sum_bands, to_decibels
from .tempo import tempo

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

#: Frames whose spectra are in memory at once, about 20 MB with all that is computed of them.
_BLOCK_FRAMES = 256

#: Frames before and after those of a block that overlap its samples.
_AROUND = N_FFT // (2 * HOP_LENGTH)

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
    y = check_samples(y, shortest=N_FFT)
    _, bands, dct = constants(SAMPLE_RATE, N_MFCC, N_FFT, N_MELS)
    n_frames = 1 + len(y) // HOP_LENGTH
    levels = np.empty((n_frames, N_MELS), np.float32)
    shapes, peaks = [], []
    harmonic, percussive = Moments(), Moments()
    for first, last in _blocks(n_frames):
        # What the medians and the overlapping frames of the block's samples depend on.
        begin, end = max(0, first - _AROUND - HALO), min(n_frames, last + _AROUND + HALO)
        stft = _stft(y, begin, end)
        mask = harmonic_mask(np.abs(stft))
        part = _harmonic(stft, mask, y, begin, first, last)
        harmonic.add(part)
        # The two parts' masks add up to 1, so the signals add up to the whole.
        percussive.add(y[first * HOP_LENGTH :][: len(part)] - part)
        stft = stft[first - begin : last - begin]
        magnitude = np.abs(stft)
        shapes.append(_spectral_shape(magnitude))
        peaks.append(_peaks(np.square(magnitude)))
        sum_bands(stft.copy(), bands, levels[first:last])
    over_time = [
        _chroma(y, n_frames, _tuning(peaks)),
        _rms(y),
        *map(np.concatenate, zip(*shapes, strict=True)),
        _zero_crossing_rate(y),
    ]
    levels = to_decibels(levels)
    coefficients = levels @ dct
    return np.array(
        [
            *(value for x in over_time for value in (x.mean(dtype=float), x.var(dtype=float))),
            *(value for x in (harmonic, percussive) for value in (x.mean, x.variance)),
            _tempo(levels),
            *np.stack([coefficients.mean(axis=0), coefficients.var(axis=0)], axis=1).ravel(),
        ]
    )


def _blocks(n_frames: int) -> Iterator[tuple[int, int]]:
    for first in range(0, n_frames, _BLOCK_FRAMES):
        yield first, min(n_frames, first + _BLOCK_FRAMES)


def _stft(y: np.ndarray, first: int, last: int) -> np.ndarray:
    """Rows of the centred transform of the whole signal."""
    import librosa

    start = first * HOP_LENGTH - N_FFT // 2
    stop = (last - 1) * HOP_LENGTH + N_FFT // 2
    padding = max(0, -start), max(0, stop - len(y))
    part = np.pad(y[max(0, start) : min(len(y), stop)], padding)
    # Transposed: frames are rows. librosa lays them out so that this is contiguous.
    return librosa.stft(part, n_fft=N_FFT, hop_length=HOP_LENGTH, center=False).T


def _harmonic(stft, mask, y: np.ndarray, begin: int, first: int, last: int) -> np.ndarray:
    """Harmonic signal from the centre of frame `first` to that of frame `last`, or to the end."""
    import librosa

    around = max(0, first - _AROUND)
    rows = slice(around - begin, last + _AROUND - begin)
    stop = min(len(y), last * HOP_LENGTH)
    signal = librosa.istft(
        (stft[rows] * mask[rows]).T,
        hop_length=HOP_LENGTH,
        n_fft=N_FFT,
        length=stop - around * HOP_LENGTH,
    )
    return signal[(first - around) * HOP_LENGTH :]


def _peaks(power: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pitch and magnitude of the peaks of some frames."""
    import librosa

    pitch, magnitude = librosa.piptrack(S=power.T, sr=SAMPLE_RATE)
    found = pitch > 0
    return pitch[found], magnitude[found]


def _tuning(peaks: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """As librosa.estimate_tuning, which warns of silence, where there are no peaks."""
    import librosa

    pitch, magnitude = map(np.concatenate, zip(*peaks, strict=True))
    if not len(pitch):
        return 0.0
    return librosa.pitch_tuning(pitch[magnitude >= np.median(magnitude)], bins_per_octave=12)


def _chroma(y: np.ndarray, n_frames: int, tuning: float) -> np.ndarray:
    """Chroma of each frame; the transform is computed again, rather than kept."""
    import librosa

    return np.concatenate(
        [
            librosa.feature.chroma_stft(
                S=np.square(np.abs(_stft(y, first, last))).T, sr=SAMPLE_RATE, tuning=tuning
            )
            for first, last in _blocks(n_frames)
        ],
        axis=1,
    )


def _rms(y: np.ndarray) -> np.ndarray:
    def squares(first: int, last: int) -> np.ndarray:
        return np.square(y[first:last], dtype=float)

    return np.sqrt(_frame_sums(squares, len(y)) / N_FFT)


def _zero_crossing_rate(y: np.ndarray) -> np.ndarray:
    def crossings(first: int, last: int) -> np.ndarray:
        # As librosa: values this near to 0 count as positive. The first sample has none before it.
        negative = y[max(0, first - 1) : last] < -1e-10
        found = negative[1:] != negative[:-1]
        return found if first else np.concatenate([[False], found])

    # A frame's first sample has none before it: frames are one sample shorter at the start.
    return _frame_sums(crossings, len(y), skip=1) / N_FFT


def _frame_sums(values: Callable[[int, int], np.ndarray], n: int, skip: int = 0) -> np.ndarray:
    """Sum values of samples over each centred frame, of which the first `skip` are left out."""
    sums = []
    for first, last in _blocks(1 + n // HOP_LENGTH):
        start = np.arange(first, last) * HOP_LENGTH - N_FFT // 2
        begin, end = max(0, start[0]), min(n, start[-1] + N_FFT)
        cumulative = np.concatenate([[0], np.cumsum(values(begin, end))])
        last_of = np.minimum(start + N_FFT, end) - begin
        sums.append(cumulative[last_of] - cumulative[np.clip(start + skip, begin, end) - begin])
    return np.concatenate(sums)


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
    onset = np.median(np.maximum(np.diff(levels, axis=0), 0), axis=1)
    # Onsets are heard where a frame begins; the difference is with the frame before.
    onset = np.pad(onset, (1 + N_FFT // (2 * HOP_LENGTH), 0))[: len(levels)]
    return tempo(onset, SAMPLE_RATE, HOP_LENGTH)


#: Two threads that compile at once would get a warning of librosa 1.0.
_COMPILING = threading.Lock()


@cache
def _compile() -> None:
    """Have all compiled that librosa and we compile on first use."""
    track_features(np.sin(np.arange(8 * N_FFT) ** 1.5))


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
        memory: about 0.3 MB a second. None uses all of every track.
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
