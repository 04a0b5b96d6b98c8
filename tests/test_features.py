"""The 57 columns, against the librosa calls that made GTZAN's tables."""

import io

import librosa
import numpy as np
import pandas as pd
import pytest
import scipy.ndimage
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skgenre import (
    GTZANFeatures,
    SegmentVotingClassifier,
    UnreadableTracksError,
    gtzan_features,
    load_audio,
    make_baseline,
)
from skgenre.datasets import load_gtzan_features
from skgenre.features import GTZAN_FEATURES
from skgenre.features.columns import estimate_tempo
from skgenre.features.harmonic import overlap_add, running_median
from skgenre.features.spectra import chroma_filters, estimate_tuning, find_peaks, stft_blocks

from .conftest import make_sound, run_python, write_sound

SAMPLE_RATE = 22050


def with_librosa(y):
    """The calls by which the tables came about, as they are found in many notebooks."""
    sr = SAMPLE_RATE
    harmony, perceptr = librosa.effects.hpss(y)
    series = {
        "chroma_stft": librosa.feature.chroma_stft(y=y, sr=sr),
        "rms": librosa.feature.rms(y=y),
        "spectral_centroid": librosa.feature.spectral_centroid(y=y, sr=sr),
        "spectral_bandwidth": librosa.feature.spectral_bandwidth(y=y, sr=sr),
        "rolloff": librosa.feature.spectral_rolloff(y=y, sr=sr),
        "zero_crossing_rate": librosa.feature.zero_crossing_rate(y),
        "harmony": harmony,
        "perceptr": perceptr,
    }
    for i, row in enumerate(librosa.feature.mfcc(y=y, sr=sr, n_mfcc=20), start=1):
        series[f"mfcc{i}"] = row
    found = {"tempo": float(np.squeeze(librosa.beat.beat_track(y=y, sr=sr)[0]))}
    for name, values in series.items():
        found[f"{name}_mean"] = float(np.mean(values))
        found[f"{name}_var"] = float(np.var(values))
    return pd.Series(found)[list(GTZAN_FEATURES)]


def assert_equal_to_librosa(y):
    expected = with_librosa(y)
    found = pd.Series(gtzan_features(y), index=GTZAN_FEATURES)
    # Means of the two signals are near to 0, so they are compared by the signal's size.
    for name in ("harmony_mean", "perceptr_mean"):
        scale = np.abs(y).mean() + 1e-12
        assert abs(found.pop(name) - expected.pop(name)) < 1e-5 * scale, name
    assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("seconds", [0.1, 0.7, 5.0])
def test_noisy_chirps(seconds):
    # 0.1 s is a little longer than one frame.
    assert_equal_to_librosa(make_sound(seconds).astype(np.float32))


def test_synthetic_music(tracks):
    for path in tracks.data[::9]:
        assert_equal_to_librosa(load_audio(path))


@pytest.mark.parametrize(
    "y",
    [
        np.zeros(SAMPLE_RATE),
        np.full(SAMPLE_RATE, 0.5),
        np.sin(2 * np.pi * 440 * np.arange(SAMPLE_RATE) / SAMPLE_RATE),
        np.eye(1, SAMPLE_RATE, 5000)[0],
        np.concatenate([np.zeros(SAMPLE_RATE), make_sound(1.0)]),
        make_sound(1.0) * 1e-6,
        make_sound(1.0) * 16,
    ],
    ids=["silence", "constant", "sine", "click", "silence first", "faint", "loud"],
)
@pytest.mark.filterwarnings("ignore:Trying to estimate tuning")  # librosa's, of silence
def test_extreme_sounds(y):
    assert_equal_to_librosa(y.astype(np.float32))


def test_silence_has_no_tempo_and_no_spectrum():
    found = pd.Series(gtzan_features(np.zeros(SAMPLE_RATE)), index=GTZAN_FEATURES)
    assert found["tempo"] == 0
    assert found["spectral_centroid_mean"] == found["rolloff_mean"] == found["rms_mean"] == 0
    assert_allclose(found["mfcc1_mean"], -100 * np.sqrt(128), rtol=1e-6)  # 1e-10 in each band
    assert found.notna().all()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((2, 4096)), r"y must be mono .* got shape \(2, 4096\)"),
        (np.zeros(2047), r"at least 2048; got shape \(2047,\)"),
        (np.full(4096, np.nan), "NaN or infinite"),
    ],
)
def test_samples_that_cannot_be_used(y, message):
    with pytest.raises(ValueError, match=message):
        gtzan_features(y)


@pytest.mark.parametrize("n", [1, 2, 15, 31, 200])
def test_running_median_of_lines_is_that_of_an_array(n):
    rng = np.random.default_rng(n)
    for lines in (rng.normal(size=(n, 40)), rng.integers(0, 3, (n, 40))):  # with and without ties
        lines = lines.astype(np.float32)
        padded = np.pad(lines, ((15, 15), (0, 0)), mode="symmetric")
        expected = scipy.ndimage.median_filter(padded, (31, 1))[15:-15]
        assert_array_equal(running_median(lines.T).T, expected)


@pytest.mark.parametrize("n", [2048, 40_000])
def test_transform_and_its_inverse_are_librosas(n):
    y = make_sound(n / SAMPLE_RATE).astype(np.float32)
    found = np.concatenate([block for _, block in stft_blocks(y, n_fft=2048, hop_length=512)])
    assert_allclose(found, librosa.stft(y).T, rtol=1e-5, atol=1e-6)
    assert_allclose(overlap_add(found, 2048, 512)[:n], y, atol=1e-6)


@pytest.mark.parametrize("offset", [-0.5, 0.0, 0.13, 0.49])
def test_chroma_filters_are_librosas(offset):
    expected = librosa.filters.chroma(sr=SAMPLE_RATE, n_fft=2048, tuning=offset)
    assert_allclose(chroma_filters(SAMPLE_RATE, 2048, offset), expected, atol=1e-6)


@pytest.mark.parametrize("semitones", [-0.4, 0.0, 0.23])
def test_tuning_is_librosas(semitones):
    t = np.arange(2 * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(
        np.sin(2 * np.pi * 440 * 2 ** ((k + semitones) / 12) * t) for k in (-5, 0, 4, 7, 16)
    )
    power = np.square(np.abs(librosa.stft(chord.astype(np.float32))))
    found = estimate_tuning(*find_peaks(power.T, SAMPLE_RATE, 2048))
    assert found == pytest.approx(librosa.estimate_tuning(S=power, sr=SAMPLE_RATE))
    assert found == pytest.approx(semitones, abs=0.03)


@pytest.mark.parametrize("seconds", [1, 20])
@pytest.mark.parametrize("beats", [70, 120, 150])
def test_tempo_is_librosas(seconds, beats):
    t = np.arange(seconds * SAMPLE_RATE // 512) * 512 / SAMPLE_RATE
    onset = np.exp(-20 * (t % (60 / beats))) + 0.3 * np.random.default_rng(0).random(len(t))
    [expected] = librosa.feature.tempo(onset_envelope=onset, sr=SAMPLE_RATE)
    assert estimate_tempo(onset, SAMPLE_RATE, 512) == pytest.approx(expected)


# ---------------------------------------------------------------- some of the columns

#: The rest needs neither the harmonic-percussive separation nor the tempo.
COSTLY = ("harmony_mean", "harmony_var", "perceptr_mean", "perceptr_var", "tempo")


@pytest.mark.parametrize(
    "columns",
    [
        *([name] for name in COSTLY),
        *([name] for name in ("chroma_stft_var", "rms_mean", "zero_crossing_rate_var")),
        ["mfcc20_var", "rolloff_mean", "mfcc1_mean"],
        ["spectral_bandwidth_mean", "spectral_centroid_var"],
        [name for name in GTZAN_FEATURES if name not in COSTLY],
        GTZAN_FEATURES[::-1],
    ],
    ids=lambda columns: f"{columns[0]} of {len(columns)}",
)
def test_columns_do_not_depend_on_the_others(columns):
    y = make_sound(4.0)
    every = dict(zip(GTZAN_FEATURES, gtzan_features(y), strict=True))
    assert dict(zip(columns, gtzan_features(y, columns), strict=True)) == {
        name: every[name] for name in columns
    }


def test_columns_come_in_the_order_given(tracks):
    columns = np.array(["mfcc2_mean", "rms_var", "chroma_stft_mean"])
    features = GTZANFeatures(columns=columns).set_output(transform="pandas")
    assert features.get_feature_names_out().tolist() == columns.tolist()
    table = features.transform(tracks.data[:2])
    assert table.columns.tolist() == columns.tolist()
    assert_array_equal(table, track_table(tracks.data[:2])[columns])


def track_table(paths):
    return GTZANFeatures().set_output(transform="pandas").transform(paths)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["tempo", "mfcc_1_mean"], r"unknown name 'mfcc_1_mean'; did you mean 'mfcc1_mean'"),
        (["mfcc1_mean", "tempo", "mfcc1_mean"], r"'mfcc1_mean' more than once"),
        ([], "is empty"),
        ([3], "unknown name 3"),
    ],
)
def test_columns_that_do_not_exist(columns, message):
    with pytest.raises(ValueError, match=message):
        GTZANFeatures(columns=columns).fit(["a.wav"])
    with pytest.raises(ValueError, match=message):
        gtzan_features(make_sound(1.0), columns)


IMPORTS = """
import sys
from skgenre import GTZANFeatures, MelSegmenter, MFCCSegmenter, TrackDescriptors
for front in (GTZANFeatures(), MelSegmenter(), MFCCSegmenter(), TrackDescriptors()):
    front.transform([sys.argv[1]])
print({"librosa", "numba"} & set(sys.modules))
"""


def test_librosa_is_not_imported(tracks):
    assert run_python(IMPORTS, tracks.data[0]) == "set()\n"


# ---------------------------------------------------------------- segments

SOME = ("spectral_centroid_mean", "tempo", "mfcc1_mean")  # in the order of the tables


def test_segments_are_rows_of_a_tensor(tmp_path):
    y = make_sound(10.0).astype(np.float32)
    long = write_sound(tmp_path / "long.wav", y, subtype="FLOAT")
    short = write_sound(tmp_path / "short.wav", y[: 5 * SAMPLE_RATE], subtype="FLOAT")
    X = GTZANFeatures(columns=SOME, segment_duration=4).transform([long, short])
    assert X.shape == (2, 3, 1, 3)
    assert X.dtype == np.float32
    ends = [(0, 4), (4, 8), (8, 10)]  # the last is half a segment
    expected = [gtzan_features(y[a * SAMPLE_RATE : b * SAMPLE_RATE], SOME) for a, b in ends]
    assert_array_equal(X[0, :, 0], np.float32(expected))
    assert_array_equal(X[1, 0], X[0, 0])
    assert np.isnan(X[1, 1:]).all()
    first = GTZANFeatures(columns=SOME, segment_duration=4, n_segments=1, max_duration=1)
    assert_array_equal(first.transform([long]), X[:1, :1])


def test_tracks_too_short_for_segments(tmp_path):
    path = write_sound(tmp_path / "a.wav", make_sound(2.9))
    with pytest.raises(UnreadableTracksError, match=r"2\.90 s of audio is too short; at least 3 s"):
        GTZANFeatures(segment_duration=30).transform([path])
    with pytest.warns(UserWarning, match="cannot be used"):
        assert np.isnan(GTZANFeatures(segment_duration=30, on_error="warn").transform([path])).all()


def test_segments_stay_arrays_where_tables_are_asked_for(tracks):
    model = make_pipeline(
        GTZANFeatures(columns=SOME, segment_duration=3), SegmentVotingClassifier()
    )
    with sklearn.config_context(transform_output="pandas"):
        model.fit(tracks.data[::3], tracks.target[::3])
        assert model.score(tracks.data[::3], tracks.target[::3]) > 0.5
    assert GTZANFeatures(columns=SOME).set_output(transform="pandas").set_params(
        segment_duration=3
    ).transform(tracks.data[:1]).shape[2:] == (1, 3)


def test_segments_that_are_counted_have_a_duration():
    with pytest.raises(ValueError, match="n_segments=2 requires segment_duration, for example "):
        GTZANFeatures(n_segments=2).fit(["a.wav"])


# ---------------------------------------------------------------- the transformer


def test_rows_are_those_of_the_tracks_samples(tracks):
    table = GTZANFeatures(n_jobs=2).transform(tracks.data[:5])
    assert table.shape == (5, 57)
    for row, path in zip(table, tracks.data, strict=False):
        assert_array_equal(row, gtzan_features(load_audio(path)))


def test_tables_have_the_names_of_gtzans(tracks):
    features = GTZANFeatures()
    assert features.get_feature_names_out().tolist() == list(GTZAN_FEATURES)
    paths = pd.DataFrame({"path": tracks.data[:2]}, index=["a", "b"])
    table = clone(features).set_output(transform="pandas").fit_transform(paths)
    assert table.columns.tolist() == list(GTZAN_FEATURES)
    assert table.index.tolist() == ["a", "b"]
    assert_array_equal(table.to_numpy(), features.transform(tracks.data[:2]))


def test_long_tracks_are_heard_in_the_middle(tmp_path):
    y = make_sound(5.0)
    path = write_sound(tmp_path / "long.wav", y, subtype="FLOAT")
    middle = y[round(1.5 * SAMPLE_RATE) : round(3.5 * SAMPLE_RATE)].astype(np.float32)
    [row] = GTZANFeatures(max_duration=2).transform([path])
    assert_array_equal(row, gtzan_features(middle))
    [whole] = GTZANFeatures(max_duration=None).transform([path])
    assert_array_equal(whole, gtzan_features(y.astype(np.float32)))
    assert_array_equal(GTZANFeatures().transform([path])[0], whole)  # two minutes at most


def test_truncated_files_are_heard_as_far_as_they_go(tmp_path):
    path = write_sound(tmp_path / "cut.wav", make_sound(5.0), subtype="FLOAT")
    path.write_bytes(path.read_bytes()[: 44 + 4 * 2 * SAMPLE_RATE])
    with pytest.warns(UserWarning, match=r"1 of 1 files end early.*\n.*cut\.wav"):
        [row] = GTZANFeatures(max_duration=1).transform([path])
    y = load_audio_quietly(path)
    start = (len(y) - SAMPLE_RATE) // 2
    assert_array_equal(row, gtzan_features(y[start : start + SAMPLE_RATE]))


def load_audio_quietly(path):
    with pytest.warns(UserWarning, match="ends early"):
        return load_audio(path)


def test_unreadable_and_short_files(tmp_path, tracks):
    short = write_sound(tmp_path / "short.wav", make_sound(0.05))
    (tmp_path / "empty.mp3").touch()
    paths = [tracks.data[0], short, tmp_path / "empty.mp3"]
    with pytest.raises(UnreadableTracksError) as error:
        GTZANFeatures().transform(paths)
    assert "short.wav: 0.05 s of audio is too short for a frame of 0.09 s" in str(error.value)
    assert "empty.mp3: is empty (0 bytes)" in str(error.value)
    with pytest.warns(UserWarning, match="2 of 3 tracks cannot be used"):
        table = GTZANFeatures(on_error="warn").transform(paths)
    assert np.isnan(table).all(axis=1).tolist() == [False, True, True]


def test_file_objects_and_other_rates(tmp_path):
    y = make_sound(2.0, sample_rate=44100, channels=2)
    path = write_sound(tmp_path / "stereo.flac", y, sample_rate=44100)
    expected = gtzan_features(load_audio(path))
    assert_array_equal(GTZANFeatures().transform([path])[0], expected)
    stream = io.BytesIO(path.read_bytes())
    assert_array_equal(GTZANFeatures().transform([stream])[0], expected)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"max_duration": 0}, "max_duration"),
        ({"on_error": "skip"}, "on_error"),
        ({"segment_duration": 2.9}, "segment_duration"),
        ({"columns": "tempo"}, "columns"),
    ],
)
def test_bad_parameters(kwargs, message):
    with pytest.raises(ValueError, match=f"The '{message}' parameter of GTZANFeatures"):
        GTZANFeatures(**kwargs).fit(["a.wav"])


# ---------------------------------------------------------------- GTZAN's own table


@pytest.fixture(scope="module")
def from_audio_and_table(gtzan):
    """Features of full-length tracks, from audio and from the 30-second table.

    Of the fourteen tracks of all genres, and of every twelfth of three genres.
    """
    paths = sorted((gtzan / "genres_original").glob("*/*.wav"))
    paths = [path for path in paths if path.stem != "jazz.00054"]
    paths += sorted((gtzan / "three_genres").glob("*/*.flac"))[::12]
    table = load_gtzan_features(gtzan / "features_30_sec.csv")
    rows = pd.Index(table.track_ids).get_indexer([path.stem for path in paths])
    found = GTZANFeatures(n_jobs=2).set_output(transform="pandas").transform(paths)
    return found, table, rows


@pytest.mark.slow
@pytest.mark.gtzan
def test_columns_are_those_of_the_table(from_audio_and_table):
    found, table, rows = from_audio_and_table
    assert len(found) == 26
    expected = table.data.iloc[rows].reset_index(drop=True)
    error = (found - expected).abs()
    near = (error <= 0.03 * expected.abs()) | (error <= 0.01 * table.data.std())
    misses = (~near).sum()
    assert misses.sum() <= 2, misses[misses > 0]  # of 26 times 57 numbers


@pytest.mark.slow
@pytest.mark.gtzan
@pytest.mark.parametrize("name", ["logistic", "svm"])
def test_models_of_the_table_answer_for_songs_as_for_rows(from_audio_and_table, name):
    found, table, rows = from_audio_and_table
    others = np.setdiff1d(np.arange(1000), rows)
    model = make_baseline(name, random_state=0).fit(table.data.iloc[others], table.target[others])
    agreement = model.predict(found) == model.predict(table.data.iloc[rows])
    assert agreement.mean() >= 0.99


@pytest.mark.slow
def test_the_whole_way_from_a_table_to_a_song(tracks, tmp_path):
    table = GTZANFeatures().set_output(transform="pandas").transform(tracks.data)
    table.insert(0, "filename", [f"{track}.wav" for track in tracks.track_ids])
    table.assign(label=tracks.target).to_csv(tmp_path / "features.csv", index=False)
    loaded = load_gtzan_features(tmp_path / "features.csv")
    model = make_baseline("logistic").fit(loaded.data, loaded.target)
    from_disk = make_pipeline(GTZANFeatures().set_output(transform="pandas"), model)
    assert_array_equal(from_disk.predict(tracks.data), model.predict(loaded.data))
