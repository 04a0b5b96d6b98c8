import pickle
import warnings
from pathlib import Path

import joblib
import librosa
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skgenre import AudioError, MFCCSegmenter, SegmentScaler, UnreadableTracksError

from .conftest import make_sound, write_sound
from .test_mfcc import librosa_mfcc


def librosa_segments(path, starts, length=66150):
    y, _ = librosa.load(path, sr=22050)
    return np.stack([librosa_mfcc(y[s : s + length], n_mfcc=13) for s in starts])


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    """Files of 10, 4 and 31 seconds at different rates."""
    folder = tmp_path_factory.mktemp("sounds")
    return [
        str(write_sound(folder / "a.wav", make_sound(10, 22050, seed=1), 22050)),
        str(write_sound(folder / "b.flac", make_sound(4, 44100, 2, seed=2), 44100)),
        str(write_sound(folder / "c.mp3", make_sound(31, 48000, seed=3), 48000)),
    ]


def test_equals_librosa_per_segment(sounds):
    X = MFCCSegmenter().transform(sounds)
    assert X.shape == (3, 10, 130, 13)
    assert X.dtype == np.float32
    for track, path, n in zip(X, sounds, [3, 1, 10], strict=True):
        expected = librosa_segments(path, np.arange(n) * 66150)
        np.testing.assert_allclose(track[:n], expected, atol=1e-3)
        assert np.isnan(track[n:]).all()


def test_equals_librosa_on_all_readable_recordings(gtzan):
    paths = sorted(gtzan.glob("genres_original/*/*.wav"))
    assert len(paths) == 15
    paths.remove(gtzan / "genres_original" / "jazz" / "jazz.00054.wav")
    X = MFCCSegmenter(n_jobs=2).transform(paths)
    for track, path in zip(X, paths, strict=True):
        expected = librosa_segments(path, np.arange(10) * 66150)
        np.testing.assert_allclose(track, expected, atol=1e-3)


def test_spread_placement_covers_the_track(sounds):
    X = MFCCSegmenter(n_segments=2, placement="spread").transform(sounds)
    y, _ = librosa.load(sounds[2], sr=22050)
    starts = [int(len(y) * part - 66150 / 2) for part in (0.25, 0.75)]
    np.testing.assert_allclose(X[2], librosa_segments(sounds[2], starts), atol=1e-3)


def test_all_segments_are_padded_to_the_longest_track(sounds):
    X = MFCCSegmenter(n_segments=None).transform(sounds)
    assert X.shape == (3, 10, 130, 13)
    assert (~np.isnan(X[:, :, 0, 0])).sum(axis=1).tolist() == [3, 1, 10]
    assert MFCCSegmenter(n_segments=None).transform(sounds[:1]).shape[1] == 3


def test_other_sizes(sounds):
    segmenter = MFCCSegmenter(
        sample_rate=16000, n_mfcc=20, n_fft=512, hop_length=160, n_mels=40, segment_duration=0.5
    )
    y, _ = librosa.load(sounds[1], sr=16000)
    expected = librosa_mfcc(
        y[8000:16000], sample_rate=16000, n_mfcc=20, n_fft=512, hop_length=160, n_mels=40
    )
    np.testing.assert_allclose(segmenter.transform(sounds)[1, 1], expected, atol=1e-3)


@pytest.mark.parametrize("placement", ["start", "spread"])
def test_the_number_of_jobs_changes_nothing(sounds, placement):
    expected = MFCCSegmenter(placement=placement).transform(sounds)
    for n_jobs in (2, -1):
        X = MFCCSegmenter(placement=placement, n_jobs=n_jobs).transform(sounds)
        np.testing.assert_array_equal(X, expected)


def test_processes_give_the_same_and_carry_errors_home(sounds, tmp_path):
    expected = MFCCSegmenter().transform(sounds)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        # Not to the bit: joblib limits the threads of BLAS in its workers.
        np.testing.assert_allclose(MFCCSegmenter().transform(sounds), expected, atol=1e-4)
        with pytest.raises(UnreadableTracksError, match="no such file"):
            MFCCSegmenter().transform([*sounds, tmp_path / "missing.wav"])


def test_takes_paths_however_they_come(sounds):
    expected = MFCCSegmenter().transform(sounds)
    for X in (
        tuple(sounds),
        np.array(sounds),
        np.array(sounds, dtype=object)[:, None],
        pd.Series(sounds, index=[5, 6, 7]),
        pd.DataFrame({"path": sounds}),
    ):
        np.testing.assert_array_equal(MFCCSegmenter().fit_transform(X), expected)
    with open(sounds[0], "rb") as file:
        np.testing.assert_array_equal(MFCCSegmenter().transform([file]), expected[:1])


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([], ValueError, "Found no tracks"),
        (np.array([], dtype=object), ValueError, "Found no tracks"),
        ("song.wav", TypeError, "got the single path 'song.wav'"),
        (np.zeros((2, 3)), ValueError, r"shape \(2, 3\).*leave the first step out"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), ValueError, "one column"),
        (["a.wav", None], TypeError, "Track 1 is None"),
        ([1.5], TypeError, "Track 0 is 1.5, of type float"),
    ],
)
def test_bad_collections(X, error, message):
    with pytest.raises(error, match=message):
        MFCCSegmenter().fit(X)
    with pytest.raises(error, match=message):
        MFCCSegmenter().transform(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_segments": 0}, "'n_segments' parameter of MFCCSegmenter must be.* Got 0"),
        ({"segment_duration": 0}, "'segment_duration' parameter"),
        ({"segment_duration": 1e-6}, "less than a sample at sample_rate=22050"),
        ({"n_mfcc": 200}, "n_mfcc=200 is more than n_mels=128"),
        ({"placement": "middle"}, "'placement' parameter"),
        ({"on_error": "ignore"}, "'on_error' parameter"),
        ({"hop_length": 0}, "'hop_length' parameter"),
    ],
)
def test_bad_parameters(sounds, parameters, message):
    segmenter = MFCCSegmenter(**parameters)
    with pytest.raises(ValueError, match=message):
        segmenter.fit(sounds)
    with pytest.raises(ValueError, match=message):
        segmenter.transform(sounds)


@pytest.fixture
def messy(sounds, tmp_path):
    """Good tracks, and after each a bad one."""
    short = write_sound(tmp_path / "short.wav", make_sound(1.25))
    empty = tmp_path / "empty.wav"
    empty.touch()
    return [sounds[0], str(short), sounds[1], str(empty), sounds[2], tmp_path / "missing.wav"]


REASONS = ["1.25 s of audio is too short for one segment of 3 s", "is empty", "no such file"]


def test_all_unreadable_tracks_are_reported_in_one_error(messy):
    with pytest.raises(UnreadableTracksError) as caught:
        MFCCSegmenter(n_jobs=2).transform(messy)
    assert [failure.path for failure in caught.value.failures] == [str(p) for p in messy[1::2]]
    for failure, reason in zip(caught.value.failures, REASONS, strict=True):
        assert isinstance(failure, AudioError)
        assert reason in failure.reason
        assert str(failure) in str(caught.value)
    assert "3 of 6 tracks" in str(caught.value)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_lenient_policy_keeps_the_rows_and_warns_once(messy, n_jobs):
    segmenter = clone(MFCCSegmenter(on_error="warn", n_jobs=n_jobs))
    with pytest.warns(UserWarning, match="3 of 6 tracks") as caught:
        X = segmenter.transform(messy)
    assert len(caught) == 1
    assert all(str(path) in str(caught[0].message) for path in messy[1::2])
    assert np.isnan(X[1::2]).all()
    np.testing.assert_array_equal(X[::2], MFCCSegmenter().transform(messy[::2]))


def test_lenient_policy_on_nothing_but_bad_files(tmp_path):
    with pytest.warns(UserWarning, match="2 of 2 tracks"):
        X = MFCCSegmenter(on_error="warn", n_segments=None).transform([tmp_path, "missing.wav"])
    assert X.shape == (2, 1, 130, 13)
    assert np.isnan(X).all()


def test_long_lists_of_failures_are_shortened():
    with pytest.raises(UnreadableTracksError, match=r"30 of 30(.|\n)*and 10 more") as caught:
        MFCCSegmenter().transform([f"missing{i}.wav" for i in range(30)])
    assert len(caught.value.failures) == 30


@pytest.mark.parametrize("placement", ["start", "spread"])
def test_a_truncated_track_is_used_with_a_warning(sounds, tmp_path, placement):
    content = Path(sounds[0]).read_bytes()
    path = tmp_path / "cut.wav"
    path.write_bytes(content[: len(content) * 7 // 10])  # 7 of 10 seconds
    with pytest.warns(UserWarning, match=r"1 of 1 files end early(.|\n)*cut\.wav"):
        X = MFCCSegmenter(n_segments=2, placement=placement).transform([path])
    n = len(librosa.load(path, sr=22050)[0])
    starts = [0, 66150] if placement == "start" else [n // 4 - 33075, 3 * n // 4 - 33075]
    np.testing.assert_allclose(X[0], librosa_segments(path, starts), atol=1e-3)


def test_a_truncated_flac_is_spread_over_what_there_is(tmp_path):
    path = write_sound(tmp_path / "whole.flac", make_sound(30))
    content = path.read_bytes()
    cut = tmp_path / "cut.flac"
    cut.write_bytes(content[: len(content) // 2])
    with pytest.warns(UserWarning, match="end early"):
        X = MFCCSegmenter(placement="spread").transform([cut])
    assert (~np.isnan(X[0, :, 0, 0])).sum() == 4  # in about 15 s, not where 30 s would have them


def test_stateless_and_cloneable(sounds):
    segmenter = MFCCSegmenter(n_segments=2)
    before = segmenter.transform(sounds)
    np.testing.assert_array_equal(clone(segmenter).fit(sounds[:1]).transform(sounds), before)
    assert segmenter.__sklearn_is_fitted__()


def test_set_output_is_accepted_and_has_no_effect(sounds):
    pipeline = make_pipeline(MFCCSegmenter(), SegmentScaler()).set_output(transform="pandas")
    assert type(pipeline.fit_transform(sounds)) is np.ndarray


def test_progress_bar_goes_to_stderr(sounds, capsys):
    MFCCSegmenter(verbose=1).transform(sounds)
    captured = capsys.readouterr()
    assert "3/3" in captured.err
    assert not captured.out
    with warnings.catch_warnings():
        MFCCSegmenter().transform(sounds)
    assert not capsys.readouterr().err
