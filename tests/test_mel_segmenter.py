"""Log-mel segments against librosa; short, long and bad tracks."""

import io

import librosa
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgenre import (
    MelSegmenter,
    TrackDescriptors,
    UnreadableTracksError,
    extract_store,
    load,
    save,
)

from .conftest import make_sound, write_sound

RATE = 8000
SMALL = {
    "sample_rate": RATE,
    "n_fft": 512,
    "hop_length": 200,
    "n_mels": 20,
    "segment_duration": 10.0,
}
FRAMES = (1 + 80_000 // 200) // 2


def write(path, y, sample_rate=22050):
    return write_sound(path, y, sample_rate, subtype="FLOAT")


def librosa_levels(
    y, *, average=2, top_db=80.0, sample_rate=22050, segment_duration=30.0, **kwargs
):
    """Each segment alone, frames averaged, decibels of the whole track."""
    length = round(segment_duration * sample_rate)
    y = y.astype(np.float32)
    segments = []
    for start in range(0, len(y), length):
        power = librosa.feature.melspectrogram(
            y=y[start : start + length], sr=sample_rate, **{"n_mels": 64, **kwargs}
        ).T
        n = len(power) // average
        segments.append(power[: n * average].reshape(n, average, -1).mean(axis=1))
    levels = librosa.power_to_db(np.concatenate(segments), ref=1.0, amin=1e-10, top_db=top_db)
    return np.split(levels, np.cumsum([len(segment) for segment in segments])[:-1])


def test_a_segment_equals_librosa(tmp_path):
    y = make_sound(30)
    X = MelSegmenter().transform([write(tmp_path / "a.wav", y)])
    assert X.shape == (1, 1, 646, 64)
    assert X.dtype == np.float32
    assert_allclose(X[0, 0], librosa_levels(y)[0], atol=1e-3)


@pytest.mark.parametrize(
    "kwargs",
    [
        {"fmin": 30.0, "fmax": 8000.0},
        {"fmin": 300, "fmax": None, "n_mels": 40},
        {"n_fft": 1024, "hop_length": 300, "n_mels": 32},
    ],
)
def test_other_bands_equal_librosas(tmp_path, kwargs):
    y = make_sound(4)
    path = write(tmp_path / "a.wav", y)
    X = MelSegmenter(segment_duration=4.0, **kwargs).transform([path])
    assert_allclose(X[0, 0], librosa_levels(y, segment_duration=4.0, **kwargs)[0], atol=1e-3)


@pytest.mark.parametrize("average", [1, 3])
def test_frames_of_a_step_and_the_floor(tmp_path, average):
    y = make_sound(4) * np.geomspace(1, 1e-4, 4 * 22050)
    path = write(tmp_path / "a.wav", y)
    X = MelSegmenter(segment_duration=4.0, frames_per_step=average, top_db=30.0).transform([path])
    expected = librosa_levels(y, segment_duration=4.0, average=average, top_db=30.0)[0]
    assert X.shape[2] == 173 // average
    assert np.ptp(X) == pytest.approx(30, abs=1e-3)
    assert_allclose(X[0, 0], expected, atol=1e-3)


# ---------------------------------------------------------------- segments


@pytest.mark.parametrize(("seconds", "n_frames"), [(15.0, 323), (29.9, 644), (3.0, 65)])
def test_a_short_track_repeats_the_frames_that_exist(tmp_path, seconds, n_frames):
    y = make_sound(seconds)
    X = MelSegmenter().transform([write(tmp_path / "a.wav", y)])
    [expected] = librosa_levels(y)
    assert X.shape == (1, 1, 646, 64)
    assert len(expected) == n_frames
    assert_allclose(X[0, 0], np.take(expected, range(646), axis=0, mode="wrap"), atol=1e-3)


@pytest.mark.parametrize(("seconds", "n_segments"), [(30.0, 1), (15.0, 3), (22.0, 2)])
def test_segments_of_a_long_track_are_those_of_descriptors(tmp_path, seconds, n_segments):
    path = write(tmp_path / "a.wav", make_sound(44, RATE), RATE)
    kwargs = {"segment_duration": seconds, "n_segments": None}
    X = MelSegmenter(**{**SMALL, **kwargs}).transform([path])
    assert X.shape[:2] == (1, n_segments)
    assert np.isfinite(X).all()
    assert TrackDescriptors(families="harmony", **kwargs).transform([path]).shape[1] == n_segments


def test_the_floor_is_that_of_the_track_and_the_last_segment_repeats(tmp_path):
    y = make_sound(44, RATE)
    y[: 2 * 15 * RATE] *= 1e-3  # the loudest segment is the last
    kwargs = {**SMALL, "segment_duration": 15.0, "top_db": 40.0}
    X = MelSegmenter(**kwargs).transform([write(tmp_path / "a.wav", y, RATE)])
    expected = librosa_levels(y, **kwargs)
    assert X.shape[1] == len(expected) == 3
    assert_allclose(X[0, 0], expected[0], atol=1e-3)
    assert X[0, 0].min() == X.min() == pytest.approx(X.max() - 40, abs=1e-3)
    n = len(expected[2])
    assert 0 < n < X.shape[2]
    assert_allclose(X[0, 2, :n], expected[2], atol=1e-3)
    assert_array_equal(X[0, 2, n:], X[0, 2, : X.shape[2] - n])


def test_only_the_segments_taken_decide_the_floor(tmp_path):
    y = make_sound(20, RATE)
    y[10 * RATE :] *= 1e3
    both = write(tmp_path / "a.wav", 1e-3 * y, RATE)
    first = write(tmp_path / "b.wav", 1e-3 * y[: 10 * RATE], RATE)
    X = MelSegmenter(**SMALL, n_segments=1).transform([both, first])
    assert_array_equal(X[0], X[1])


def test_missing_segments_are_nan(tmp_path):
    paths = [write(tmp_path / f"{s}.wav", make_sound(s, RATE), RATE) for s in (4, 26)]
    X = MelSegmenter(**SMALL).transform(paths)
    assert X.shape == (2, 3, FRAMES, 20)
    assert np.isnan(X).all(axis=(2, 3)).tolist() == [[False, True, True], [False, False, False]]


def test_a_track_that_ends_before_its_header_says(tmp_path):
    content = write(tmp_path / "whole.wav", make_sound(20, RATE), RATE).read_bytes()
    path = tmp_path / "cut.wav"
    path.write_bytes(content[: len(content) * 7 // 10])  # 14 of 20 seconds: no second segment
    with pytest.warns(UserWarning, match="end early"):
        X = MelSegmenter(**SMALL).transform([path])
    assert X.shape[1] == 1


# ---------------------------------------------------------------- as a front end


@pytest.fixture
def path(tmp_path):
    return write(tmp_path / "a.wav", make_sound(12, RATE), RATE)


@pytest.mark.parametrize("front_end", [MelSegmenter, TrackDescriptors])
def test_a_track_below_three_seconds(tmp_path, path, front_end):
    short = write_sound(tmp_path / "short.wav", make_sound(2.9))
    message = r"short\.wav: 2\.90 s of audio is too short; at least 3 s are needed"
    with pytest.raises(UnreadableTracksError, match=message):
        front_end().transform([path, short])
    with pytest.warns(UserWarning, match=message):
        X = front_end(on_error="warn").transform([path, short])
    assert np.isnan(X).all(axis=(1, 2, 3)).tolist() == [False, True]


def test_file_objects_jobs_and_caches_change_nothing(path, tmp_path):
    segmenter = MelSegmenter(**SMALL)
    expected = segmenter.transform([path])
    assert_array_equal(segmenter.transform([io.BytesIO(path.read_bytes())]), expected)
    segmenter.set_params(memory=str(tmp_path / "cache"), n_jobs=2)
    for _ in range(2):
        assert_array_equal(segmenter.transform([path]), expected)
    segmenter.set_params(fmax=3000.0)
    assert not np.array_equal(segmenter.transform([path]), expected)


def test_a_store_needs_a_number_of_segments(path, tmp_path):
    with pytest.raises(ValueError, match=r"\(None, 200, 20\) has no fixed size .* n_segments=10"):
        extract_store(MelSegmenter(**SMALL), [path], tmp_path / "store")
    segmenter = MelSegmenter(**SMALL, n_segments=2)
    store = extract_store(segmenter, [path], tmp_path / "store")
    assert store.data.shape == (1, 2, FRAMES, 20)
    assert_array_equal(store.data, segmenter.transform([path]))


def test_a_model_file_holds_it(path, tmp_path):
    segmenter = MelSegmenter(**SMALL, fmax=3000.0)
    save(segmenter, tmp_path / "model.skgenre")
    loaded = load(tmp_path / "model.skgenre")
    assert_array_equal(loaded.transform([path]), segmenter.transform([path]))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"segment_duration": 2.9}, "'segment_duration' parameter of MelSegmenter"),
        ({"top_db": 0}, "'top_db' parameter"),
        ({"fmax": 5000.0}, r"<= 4000 Hz, half of sample_rate=8000; got .* fmax=5000\.0"),
        ({"frames_per_step": 122}, "frames_per_step=122 is more than the 121 frames of the short"),
        ({"segment_duration": 3.0, "frames_per_step": 62}, r"more than the 61 frames .*\(1\.5 s\)"),
        ({"hop_length": 80_001}, "hop_length=80001 is more than the 80000 samples"),
    ],
)
def test_bad_parameters(path, parameters, message):
    segmenter = MelSegmenter(**{**SMALL, **parameters})
    for method in (segmenter.fit, segmenter.transform):
        with pytest.raises(ValueError, match=message):
            method([path])


def test_the_most_frames_a_step(tmp_path):
    """The shortest track, and the shortest last segment, give one step."""
    three = write(tmp_path / "3.wav", make_sound(3, RATE), RATE)
    four = write(tmp_path / "4.wav", make_sound(4.5, RATE), RATE)
    assert MelSegmenter(**{**SMALL, "frames_per_step": 121}).transform([three]).shape[2] == 3
    X = MelSegmenter(**{**SMALL, "segment_duration": 3.0, "frames_per_step": 61}).transform([four])
    assert X.shape[1] == 2
    assert np.isfinite(X).all()
