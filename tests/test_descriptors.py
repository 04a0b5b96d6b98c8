"""Descriptors of windows, each group against librosa, SciPy or NumPy."""

import itertools

import librosa
import numpy as np
import pytest
import scipy.linalg
import scipy.signal
from numpy.testing import assert_allclose, assert_array_equal

from skgenre import TrackDescriptors
from skgenre.features import descriptors

from .conftest import make_sound, write_sound

SECONDS = 12.0
GROUPS = ("timbre", "covariance", "fluctuation", "rhythm", "harmony", "texture")


@pytest.fixture(scope="module")
def y():
    """Chords and beats: harmony and rhythm to describe."""
    t = np.arange(round(SECONDS * 22050)) / 22050
    chord = np.where(t % 4 < 2, 220.0, 293.66)
    tones = sum(np.sin(2 * np.pi * chord * r * t) for r in (1, 1.26, 1.5))
    beats = np.random.default_rng(0).normal(size=len(t)) * np.exp(-20 * (t % 0.5))
    return (0.1 * tones + 0.3 * beats).astype(np.float32)


@pytest.fixture(scope="module")
def path(y, tmp_path_factory):
    return write_sound(tmp_path_factory.mktemp("d") / "a.wav", y, subtype="FLOAT")


@pytest.fixture(scope="module")
def power(y):
    return np.abs(librosa.stft(y, n_fft=2048, hop_length=512)) ** 2


def mel_decibels(power, n_bands=128):
    mel = librosa.feature.melspectrogram(S=power, sr=22050).reshape(n_bands, 128 // n_bands, -1)
    return librosa.power_to_db(mel.sum(axis=1), ref=1.0, top_db=80).T


@pytest.fixture(scope="module")
def mfcc(power):
    return librosa.feature.mfcc(S=mel_decibels(power).T, n_mfcc=20).T


def found(path, group):
    extractor = TrackDescriptors(families=group)
    [[[row]]] = extractor.transform([path])
    return dict(zip(extractor.get_feature_names_out(), row, strict=True))


def test_timbre(path, mfcc):
    row = found(path, "timbre")
    assert len(row) == 160
    expected = {
        "mean": mfcc.mean(axis=0),
        "std": mfcc.std(axis=0),
        "p25": np.percentile(mfcc, 25, axis=0),
        "p95": np.percentile(mfcc, 95, axis=0),
        "delta_std": np.diff(mfcc, axis=0).std(axis=0),
    }
    for (name, values), i in itertools.product(expected.items(), range(20)):
        assert row[f"mfcc{i + 1}_{name}"] == pytest.approx(values[i], abs=2e-3), name


def test_covariance_is_scipys_matrix_logarithm(path, mfcc):
    row = found(path, "covariance")
    covariance = np.cov(mfcc.T)
    covariance += np.eye(20) * (0.01 * np.trace(covariance) / 20 + 1e-6)
    expected = scipy.linalg.logm(covariance)
    assert row["mfcc3_mfcc3_logcov"] == pytest.approx(expected[2, 2], abs=1e-3)
    assert row["mfcc2_mfcc5_logcov"] == pytest.approx(np.sqrt(2) * expected[1, 4], abs=1e-3)
    # A distance of rows is the Frobenius distance of the logarithms.
    norm = np.linalg.norm(list(row.values()))
    assert norm == pytest.approx(np.linalg.norm(expected), rel=1e-4)


def test_fluctuation_is_scipys_spectrogram(path, power):
    row = found(path, "fluctuation")
    window = np.hanning(256)
    frequency, _, spectra = scipy.signal.spectrogram(
        mel_decibels(power, 16).T,
        fs=22050 / 512,
        window=window,
        noverlap=128,
        detrend="constant",
        scaling="spectrum",
        mode="complex",
    )
    magnitude = np.median(np.abs(spectra) * window.sum(), axis=-1).T
    low, high = np.flatnonzero((frequency > 0.25) & (frequency <= 10))[[0, -1]]
    n_bins = len(row) // 16
    first = [row[f"fluctuation_band{b}_bin1"] for b in range(1, 17)]
    assert_allclose(first, np.log(magnitude[low] + 1e-2), atol=1e-2)
    # The last bin averages up to 10 Hz.
    last = np.array([row[f"fluctuation_band{b}_bin{n_bins}"] for b in range(1, 17)])
    start = descriptors._modulation_bins()[-1][0]
    assert_allclose(last, np.log(magnitude[start : high + 1].mean(axis=0) + 1e-2), atol=1e-2)


def test_rhythm_is_librosas_autocorrelation(path, power):
    row = found(path, "rhythm")
    onset = np.maximum(np.diff(mel_decibels(power, 32), axis=0), 0)
    curve = onset.mean(axis=1)
    correlation = librosa.autocorrelate((curve - curve.mean()) / curve.std())
    correlation /= correlation[0]
    expected = correlation[4:172].reshape(-1, 6).mean(axis=1)
    assert_allclose([row[f"onset_lag{i}"] for i in range(1, 29)], expected, atol=1e-3)
    assert row["onset_quarter4_mean"] == pytest.approx(onset[:, 24:].mean(), rel=1e-3)
    # Beats of half a second: the peak lies in the lags around 21.5 frames.
    assert max(row["onset_lag3"], row["onset_lag4"]) > row["onset_lag1"]


def test_harmony_is_librosas_chroma(path, power):
    row = found(path, "harmony")
    chroma = librosa.feature.chroma_stft(S=power, sr=22050, tuning=0.0).T
    expected = np.sort(chroma.mean(axis=0))
    assert_allclose([row[f"chroma_mean_rank{i}"] for i in range(1, 13)], expected, atol=1e-3)
    fifth = (chroma * np.roll(chroma, 5, axis=1)).mean(axis=1)
    assert row["fourth_mean"] == pytest.approx(fifth.mean(), abs=1e-3)


def test_harmony_does_not_depend_on_the_key(tmp_path):
    t = np.arange(22050 * 4) / 22050
    rows = []
    for name, root in (("a.wav", 220.0), ("b.wav", 220.0 * 2 ** (3 / 12))):
        tones = sum(np.sin(2 * np.pi * root * r * t) for r in (1, 1.26, 1.5))
        rows.append(found(write_sound(tmp_path / name, 0.2 * tones), "harmony"))
    low, high = (np.array([row[f"chroma_mean_rank{i}"] for i in range(1, 13)]) for row in rows)
    assert_allclose(low, high, atol=0.1)


def test_texture(path, mfcc):
    row = found(path, "texture")
    n = len(mfcc) // 43
    seconds = mfcc[: n * 43].reshape(n, 43, 20)
    expected = seconds.mean(axis=1).std(axis=0)
    assert row["mfcc4_second_mean_std"] == pytest.approx(expected[3], abs=1e-3)
    expected = seconds.std(axis=1).mean(axis=0)
    assert row["mfcc4_second_std_mean"] == pytest.approx(expected[3], abs=1e-3)


# ---------------------------------------------------------------- segments


@pytest.mark.parametrize(
    ("seconds", "n_segments"), [(3.0, 1), (15.0, 1), (29.9, 1), (44.0, 1), (46.0, 2), (75.5, 3)]
)
def test_segments_of_short_and_long_tracks(tmp_path, seconds, n_segments):
    path = write_sound(tmp_path / "a.wav", make_sound(seconds))
    X = TrackDescriptors(families="timbre").transform([path])
    assert X.shape == (1, n_segments, 1, 160)
    assert np.isfinite(X).all()


def test_a_segment_is_described_as_if_it_were_alone(tmp_path):
    y = make_sound(70)
    whole = write_sound(tmp_path / "a.wav", y)
    second = write_sound(tmp_path / "b.wav", y[30 * 22050 : 60 * 22050])
    X = TrackDescriptors().transform([whole, second])
    assert X.shape[1] == 2
    assert_array_equal(X[0, 1], X[1, 0])
    assert np.isnan(X[1, 1]).all()


def test_spread_segments_are_whole_and_centered_in_equal_parts(tmp_path):
    y = make_sound(20)
    whole = write_sound(tmp_path / "a.wav", y)
    parts = [write_sound(tmp_path / f"{s}.wav", y[s * 22050 : (s + 4) * 22050]) for s in (3, 13)]
    front = TrackDescriptors(families="timbre", segment_duration=4, placement="spread")
    X = front.set_params(n_segments=2).transform([whole, *parts])
    assert_array_equal(X[0], X[1:, 0])
    assert np.isnan(X[1:, 1]).all()
    assert front.set_params(n_segments=None, segment_duration=7).transform([whole]).shape[1] == 2


def test_one_tone_and_its_end_are_finite(tmp_path):
    tone = 0.5 * np.sin(np.arange(22050 * 4) / 10)
    paths = [write_sound(tmp_path / "a.wav", tone)]
    tone[22050:] = 0
    paths += [write_sound(tmp_path / "b.wav", tone)]
    assert np.isfinite(TrackDescriptors().transform(paths)).all()


def test_names_are_unique_and_in_the_order_of_the_families(path):
    whole = found(path, GROUPS)
    assert len(whole) == 659
    parts = {name: value for group in GROUPS for name, value in found(path, group).items()}
    assert whole == parts
    with pytest.raises(ValueError, match=r"unknown: \['tempo'\]|'families' parameter"):
        TrackDescriptors(families=("timbre", "tempo")).fit([path])
