"""Changes of samples against SciPy and libsndfile, and what a model makes of them."""

import io

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose, assert_array_equal
from scipy import signal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import make_pipeline

from skgenre import FrontEnd, MFCCSegmenter, SegmentSummary, load_audio, make_baseline
from skgenre.audio import transforms
from skgenre.evaluation import robustness, robustness_report
from skgenre.evaluation.robustness import CONDITIONS, changed_predictions

from .conftest import make_sound, write_sound

RATE = 22050


def tone(frequency, seconds=2.0):
    return np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE)


def level(y):
    return 10 * np.log10(np.mean(np.square(y)))


@pytest.mark.parametrize("decibels", [-12, -6, 6, 12])
def test_gain_changes_the_level_and_clips(decibels):
    quiet = 0.1 * tone(440)
    assert level(transforms.gain(quiet, decibels)) - level(quiet) == pytest.approx(decibels)
    loud = transforms.gain(0.9 * tone(440), decibels)
    assert_allclose(loud, np.clip(0.9 * tone(440) * 10 ** (decibels / 20), -1, 1))
    assert np.abs(loud).max() <= 1


def test_low_pass_equals_scipys_transfer_function():
    y = make_sound(1.0)
    b, a = signal.butter(8, 4000, fs=RATE)
    assert_allclose(transforms.low_pass(y, RATE), signal.lfilter(b, a, y), atol=1e-8)


@pytest.mark.parametrize("snr", [10, 20])
def test_room_noise_is_pink_and_so_far_below(snr):
    y = make_sound(20.0)
    noise = transforms.room_noise(y, RATE, snr, 0) - y
    assert level(y) - level(noise) == pytest.approx(snr)
    frequency, power = signal.welch(noise, RATE, nperseg=8192)
    band = (frequency > 50) & (frequency < 8000)
    slope, _ = np.polyfit(np.log2(frequency[band]), 10 * np.log10(power[band]), 1)
    assert slope == pytest.approx(-10 * np.log10(2), abs=0.1)  # 3.01 dB an octave
    below = power[(frequency > 0) & (frequency < 12)]
    assert below.max() < 0.01 * power[frequency > 20].max()
    assert_array_equal(transforms.room_noise(np.zeros(100), RATE, snr, 0), np.zeros(100))


def test_faster_is_shorter_and_higher_as_scipy_resamples():
    y = 0.5 * tone(1000, 3.0)
    faster = transforms.speed(y, 1.03)
    assert len(faster) == round(len(y) / 1.03)
    middle = slice(2000, -2000)
    expected = signal.resample_poly(y, 100, 103)[: len(faster)]
    assert_allclose(faster[middle], expected[middle], atol=2e-3)
    spectrum = np.abs(np.fft.rfft(faster * np.hanning(len(faster))))
    assert np.argmax(spectrum) * RATE / len(faster) == pytest.approx(1030, abs=0.5)


def test_a_shift_loses_no_sample():
    assert_array_equal(transforms.shift(np.arange(10), 3), [3, 4, 5, 6, 7, 8, 9, 0, 1, 2])


@pytest.mark.parametrize("rate", [16000, 22050, 44100])
def test_mp3_is_libsndfiles_at_64_kbit(tmp_path, rate, monkeypatch):
    y = make_sound(4.0, rate).astype(np.float32)
    files = []
    monkeypatch.setattr(io, "BytesIO", lambda new=io.BytesIO: files.append(new()) or files[-1])
    decoded = transforms.mp3(y, rate, 64)
    monkeypatch.undo()
    path = tmp_path / "a.mp3"
    path.write_bytes(files[0].getvalue())
    expected, _ = soundfile.read(path, dtype="float32")
    assert_array_equal(decoded, expected)
    # The bit rate by what the frames' headers say: 12 bits of sync, then version, layer, index.
    content = path.read_bytes()
    start = content.index(b"\xff\xf3" if rate < 32000 else b"\xff\xfb")
    table = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160]
    if rate >= 32000:
        table = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320]
    assert table[content[start + 2] >> 4] == 64
    assert 8 * len(content) / 4.0 == pytest.approx(64_000, rel=0.06)
    assert len(decoded) == pytest.approx(len(y), abs=3000)
    noise = decoded[: len(y)] - y
    assert 10 < level(y[2000:-2000]) - level(noise[2000:-2000]) < 60  # changed, and still it


def test_a_bit_rate_that_mp3_does_not_have_is_an_error():
    with pytest.raises(ValueError, match="from 8 to 160 kbit/s at 22050 Hz"):
        transforms.mp3(np.zeros(RATE), RATE, 320)


@pytest.fixture(scope="module")
def model(tracks):
    front = MFCCSegmenter(segment_duration=1.0, on_error="warn")
    model = make_pipeline(front, SegmentSummary(), make_baseline("knn"))
    return model.fit(tracks.data, tracks.target)


def test_predictions_are_those_of_the_changed_files(tracks, model, tmp_path):
    paths = tracks.data[:4]
    changes = {"noise at 10 dB", "6 dB louder, clipped", "last 30 s"}
    [found] = changed_predictions([[model]] * 4, paths, conditions=sorted(changes), random_state=0)
    assert_array_equal(found["unchanged"].tolist(), model.predict(paths))
    for i, path in enumerate(paths):
        y = load_audio(path)
        seed = np.random.RandomState(0).randint(2**31 - 1, size=4)[i]
        noisy = transforms.room_noise(y, RATE, 10, np.random.RandomState(seed))
        louder = np.clip(10 ** (6 / 20) * y, -1, 1)
        for name, samples in [
            ("noise at 10 dB", noisy),
            ("6 dB louder, clipped", louder),
            ("last 30 s", y[-(len(y) // 2) :]),
        ]:
            file = write_sound(tmp_path / "changed.wav", samples, subtype="FLOAT")
            assert found[name][i] == model.predict([str(file)])[0], name


class Level(FrontEnd):
    """The level of a track in dB."""

    track_shape = (1,)

    def extract_track(self, audio):
        return np.array([level(audio.read())])


class Loud(ClassifierMixin, BaseEstimator):
    """A model by the level of a track, so that it is known what changes its predictions."""

    classes_ = np.array(["loud", "quiet"])

    def fit(self, X, y=None):
        return self

    def predict(self, X):
        return np.where(X[:, 0] > -20, "loud", "quiet")

    def __sklearn_is_fitted__(self):
        return True


def level_model():
    return make_pipeline(Level(), Loud())


def test_shares_are_of_what_is_kept_and_right(tmp_path):
    # Levels in dB, and which of them 6 and 12 dB less bring below -20.
    paths = [
        str(write_sound(tmp_path / f"{i}.wav", 10 ** (decibels / 20) * np.sqrt(2) * tone(440)))
        for i, decibels in enumerate([-10, -17, -25, -30])
    ]
    y = ["loud", "loud", "quiet", "loud"]
    report = robustness_report(
        level_model(), paths, y, conditions=["6 dB quieter", "12 dB quieter"]
    ).set_index("condition")
    assert report["kept"].tolist() == [1, 0.75, 0.5]
    assert report["accuracy"].tolist() == [0.75, 0.5, 0.25]
    assert report["accuracy_before"].tolist() == [0.75] * 3
    assert list(robustness_report(level_model(), paths, conditions=[]).columns) == [
        "condition",
        "n_tracks",
        "kept",
        "in_training",
    ]


def test_all_conditions_in_any_number_of_threads(tracks, model):
    paths, y = tracks.data[::12], tracks.target[::12]
    first = robustness_report(model, paths, y)
    assert first["condition"].tolist() == ["unchanged", *CONDITIONS]
    assert (first["n_tracks"] == len(paths)).all()
    assert first.equals(robustness_report(model, paths, y, n_jobs=2))
    assert model[0].on_error == "warn"  # the model stays as it is


def test_a_vote_of_pipelines_is_a_model_too(tracks, model):
    vote = VotingClassifier([("a", model), ("b", model)], voting="soft")
    vote.fit(tracks.data, tracks.target)
    options = {"conditions": ["low-pass at 4 kHz", "shifted by half a segment"]}
    report = robustness_report(vote, tracks.data[::4], tracks.target[::4], **options)
    assert report.equals(robustness_report(model, tracks.data[::4], tracks.target[::4], **options))
    assert [member[0].on_error for member in vote.estimators_] == ["warn", "warn"]


def test_what_cannot_be_used_is_not_counted(tracks, model, tmp_path):
    (tmp_path / "junk.wav").write_bytes(b"junk" * 100)
    # Whole it has a segment, its halves have none.
    short = write_sound(tmp_path / "short.wav", make_sound(1.5))
    paths = [tracks.data[0], str(tmp_path / "junk.wav"), str(short)]
    report = robustness_report(
        model,
        paths,
        conditions=["12 dB quieter", "first 30 s", "last 30 s"],
    )
    assert report["n_tracks"].tolist() == [2, 2, 1, 1]
    [_, first] = robustness_report(model, paths[1:], conditions=["first 30 s"])["kept"]
    assert np.isnan(first)


def test_first_and_last_parts_are_the_ends_of_a_long_track(tmp_path, monkeypatch):
    monkeypatch.setattr(robustness, "_END_SECONDS", 1.0)
    monkeypatch.setattr("skgenre.audio.changes.MAX_SECONDS", 2.0)
    # Quiet at the start, loud at the end, quiet in the middle.
    y = np.concatenate([0.001 * tone(440, 6.0), tone(440, 1.0)])
    path = str(write_sound(tmp_path / "a.wav", y))
    [found] = changed_predictions([[level_model()]], [path], conditions=["first 30 s", "last 30 s"])
    assert found.loc[0].tolist() == ["quiet", "quiet", "loud"]


def test_an_unknown_condition_is_an_error(model, tracks):
    with pytest.raises(ValueError, match="conditions must be among"):
        robustness_report(model, tracks.data, conditions=["underwater"])
    with pytest.raises(ValueError, match="inconsistent"):
        robustness_report(model, tracks.data, ["jazz"])


def test_functions_of_ones_own_that_work_in_place_do_not_change_what_others_get(tmp_path):
    path = str(write_sound(tmp_path / "a.wav", 0.5 * tone(440)))
    seen = []

    def silence(y, rate):
        seen.append(np.abs(y).max())
        y *= 1e-3
        return y

    conditions = {"first": silence, "second": silence, "same": lambda y, rate: y}
    report = robustness_report(level_model(), [path], conditions=conditions)
    assert seen == pytest.approx([0.5, 0.5], rel=1e-3)
    assert report["kept"].tolist() == [1, 0, 0, 1]


def test_genres_that_the_model_does_not_know_are_refused_before_it_reads(model, monkeypatch):
    monkeypatch.setattr("skgenre.evaluation.robustness.AudioFile", None)
    with pytest.raises(ValueError, match=r"\['nosuch'\], which are not among the classes"):
        robustness_report(model, ["a.wav"], ["nosuch"])


def test_one_condition_may_be_given_by_its_name(model, tracks):
    report = robustness_report(model, tracks.data[:1], conditions="12 dB quieter")
    assert report["condition"].tolist() == ["unchanged", "12 dB quieter"]
