from pathlib import Path

import librosa
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skgenre import MFCCSegmenter, SegmentScaler, UnreadableTracksError

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
        sample_rate=16000,
        n_mfcc=20,
        n_fft=512,
        hop_length=160,
        n_mels=40,
        fmin=100.0,
        fmax=6000.0,
        segment_duration=0.5,
    )
    y, _ = librosa.load(sounds[1], sr=16000)
    expected = librosa_mfcc(
        y[8000:16000],
        sample_rate=16000,
        n_mfcc=20,
        n_fft=512,
        hop_length=160,
        n_mels=40,
        fmin=100.0,
        fmax=6000.0,
    )
    np.testing.assert_allclose(segmenter.transform(sounds)[1, 1], expected, atol=1e-3)


@pytest.mark.parametrize("placement", ["start", "spread"])
def test_the_number_of_jobs_changes_nothing(sounds, placement):
    expected = MFCCSegmenter(placement=placement).transform(sounds)
    for n_jobs in (2, -1):
        X = MFCCSegmenter(placement=placement, n_jobs=n_jobs).transform(sounds)
        np.testing.assert_array_equal(X, expected)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_segments": 0}, "'n_segments' parameter of MFCCSegmenter must be.* Got 0"),
        ({"segment_duration": 0}, "'segment_duration' parameter"),
        ({"segment_duration": 1e-6}, "hop_length=512 is more than the 0 samples of a segment"),
        ({"n_mfcc": 200}, "n_mfcc=200 must be at most n_mels=128"),
        ({"placement": "middle"}, "'placement' parameter"),
        ({"on_error": "ignore"}, "'on_error' parameter"),
        ({"hop_length": 0}, "'hop_length' parameter"),
        ({"fmax": 12000}, r"<= 11025 Hz, half of sample_rate=22050; got .* fmax=12000"),
        ({"fmin": -1.0}, "'fmin' parameter"),
    ],
)
def test_bad_parameters(sounds, parameters, message):
    segmenter = MFCCSegmenter(**parameters)
    with pytest.raises(ValueError, match=message):
        segmenter.fit(sounds)
    with pytest.raises(ValueError, match=message):
        segmenter.transform(sounds)


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


def test_tracks_that_are_too_short_for_a_segment(sounds, tmp_path):
    short = write_sound(tmp_path / "short.wav", make_sound(1.25))
    message = r"short\.wav: 1\.25 s of audio is too short for one segment of 3 s"
    with pytest.raises(UnreadableTracksError, match=message):
        MFCCSegmenter().transform([sounds[0], short])
    with pytest.warns(UserWarning, match=message):
        X = MFCCSegmenter(on_error="warn").transform([sounds[0], short])
    assert np.isnan(X).all(axis=(1, 2, 3)).tolist() == [False, True]


def test_lenient_policy_on_nothing_but_bad_files(tmp_path):
    with pytest.warns(UserWarning, match="2 of 2 tracks"):
        X = MFCCSegmenter(on_error="warn", n_segments=None).transform([tmp_path, "missing.wav"])
    assert X.shape == (2, 1, 130, 13)
    assert np.isnan(X).all()


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
