"""GTZAN's feature tables, fabricated: the layouts that circulate, and what can be wrong."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skgenre import (
    GTZANFeatures,
    SegmentScaler,
    SegmentSummary,
    SegmentVotingClassifier,
    TrackDescriptors,
    extract_store,
    genre_timeline,
    gtzan_features,
    make_baseline,
)
from skgenre.datasets import load_gtzan_features, segments_to_tracks
from skgenre.features import GTZAN_FEATURES

from .conftest import make_sound, slow_but, write_sound
from .registry import NETWORKS

NAMES = ["blues.00000", "blues.00002", "jazz.00054", "rock.00001"]


def make_table(filenames):
    """Random numbers under the columns of the 30-second table."""
    table = pd.DataFrame({"filename": filenames, "length": 661794})
    values = np.random.default_rng(0).normal(size=(len(filenames), 57)) * 1000
    table[list(GTZAN_FEATURES)] = values
    return table.assign(label=[name.partition(".")[0] for name in filenames])


@pytest.fixture
def load(tmp_path):
    """Write a table and load it."""

    def write_and_load(table, **kwargs):
        table.to_csv(tmp_path / "features.csv", index=False)
        return load_gtzan_features(tmp_path / "features.csv", **kwargs)

    return write_and_load


def test_whole_tracks(load):
    written = make_table([f"{name}.wav" for name in NAMES])
    table = load(written)
    assert_frame_equal(table.data, written[list(GTZAN_FEATURES)])
    assert table.target.tolist() == ["blues", "blues", "jazz", "rock"]
    assert table.target_names == ["blues", "jazz", "rock"]
    assert table.feature_names == list(GTZAN_FEATURES)
    assert table.filenames.tolist() == written["filename"].tolist()
    assert table.track_ids.tolist() == NAMES
    assert table.groups[:3].tolist() == ["John Lee Hooker", "John Lee Hooker", "jazz.00054"]
    assert table.segment.tolist() == [0, 0, 0, 0]
    assert_frame_equal(table.frame.drop(columns="label"), table.data)
    assert table.frame["label"].tolist() == table.target.tolist()
    assert "features.csv: 4 rows of 57 features, of 4 tracks" in table.DESCR


def test_pieces(load):
    written = make_table([f"{name}.{i}.wav" for name in NAMES for i in range(3)])
    table = load(written)
    assert table.data.shape == (12, 57)
    assert table.track_ids.tolist() == np.repeat(NAMES, 3).tolist()
    assert table.segment.tolist() == [0, 1, 2] * 4
    assert table.filenames[4] == "blues.00002.1.wav"


@pytest.mark.parametrize("ending", ["", ".wav", ".au", ".0.wav"])
def test_endings(load, ending):
    assert load(make_table([name + ending for name in NAMES])).track_ids.tolist() == NAMES


@pytest.mark.parametrize("form", ["{}_{}.wav", "{}.part{}.png", "{} - segment {}.au.wav", "{}-{}"])
def test_pieces_in_other_forms_of_names(load, form):
    table = load(make_table([form.format(name, i) for name in NAMES for i in range(3)]))
    assert table.track_ids.tolist() == np.repeat(NAMES, 3).tolist()
    assert table.segment.tolist() == [0, 1, 2] * 4


def test_any_order_of_columns_and_other_columns(load):
    written = make_table(NAMES)
    expected = load(written).data
    shuffled = written.sample(frac=1, axis=1, random_state=0)
    assert list(shuffled) != list(written)
    shuffled.insert(0, "Unnamed: 0", range(4))
    shuffled["comment"] = "good"
    assert_frame_equal(load(shuffled).data, expected)
    assert_frame_equal(load(written.drop(columns="length")).data, expected)


def test_an_index_column_is_ignored(tmp_path):
    make_table(NAMES).to_csv(tmp_path / "indexed.csv")
    assert load_gtzan_features(tmp_path / "indexed.csv").data.shape == (4, 57)


def test_pieces_folded_to_tracks(load):
    written = make_table([f"{name}.{i}.wav" for i in range(3) for name in NAMES])
    table = load(written, per_track=True)
    assert table.track_ids.tolist() == table.filenames.tolist() == NAMES
    assert table.target.tolist() == ["blues", "blues", "jazz", "rock"]
    assert table.groups.shape == table.segment.shape == (4,)
    for i in range(4):  # the pieces of a track are four rows apart
        assert_allclose(table.data.iloc[i], written.iloc[i::4][list(GTZAN_FEATURES)].mean())
    assert table.data.index.tolist() == [0, 1, 2, 3]
    assert table.frame.shape == (4, 58)


def test_tracks_with_pieces_missing_are_folded_too(load):
    written = make_table(["rock.00001.0.wav", "rock.00001.9.wav", "blues.00002.5.wav"])
    table = load(written, per_track=True)
    assert table.track_ids.tolist() == ["rock.00001", "blues.00002"]  # as they come
    assert_allclose(table.data.iloc[1], written.iloc[2][list(GTZAN_FEATURES)].astype(float))


def test_columns_that_are_missing_are_listed(load):
    with pytest.raises(ValueError, match=r"lacks 2 of the 59 columns.*\['label', 'tempo'\]"):
        load(make_table(NAMES).drop(columns=["tempo", "label"]))
    with pytest.raises(ValueError, match=r"lacks 59 of the 59 columns.*It has: \['a', 'b'\]"):
        load(pd.DataFrame({"a": [1], "b": [2]}))


def test_names_that_are_not_gtzans_are_listed(load):
    with pytest.raises(ValueError, match=r"2 of 2 names are not.*\['song1\.mp3', 'song2\.mp3'\]"):
        load(make_table(["song1.mp3", "song2.mp3"]))


@pytest.mark.parametrize("value", [np.nan, np.inf, "n/a", "fast", ""])
def test_rows_without_numbers_are_named(load, value):
    table = make_table(NAMES).astype({"tempo": object})
    table.loc[[1, 3], "tempo"] = value
    with pytest.raises(ValueError, match=r"2 of 4 rows .*\['blues.00002', 'rock.00001'\].*tempo="):
        load(table)


def test_rows_without_labels_are_named(load):
    table = make_table(NAMES)
    table.loc[2, "label"] = np.nan
    with pytest.raises(ValueError, match=r"1 of 4 rows .*\['jazz.00054'\].*label=nan"):
        load(table)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_gtzan_features(tmp_path / "missing.csv")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(ValueError, match="No columns"):
        load_gtzan_features(tmp_path / "empty.csv")
    (tmp_path / "sound.csv").write_bytes(b"RIFF\x00\xff\xfe\x80WAVE" * 50)
    with pytest.raises(ValueError, match=r"codec can't decode|lacks 59"):
        load_gtzan_features(tmp_path / "sound.csv")
    make_table(NAMES).iloc[:0].to_csv(tmp_path / "headed.csv", index=False)
    with pytest.raises(ValueError, match=r"headed\.csv has no rows"):
        load_gtzan_features(tmp_path / "headed.csv")


# ---------------------------------------------------------------- the order of columns

#: In the order of the tables, and in another.
ORDERED = ["rms_mean", "spectral_centroid_mean", "mfcc1_mean", "mfcc2_mean", "mfcc10_mean"]
SORTED = sorted(ORDERED)


@pytest.fixture(scope="module")
def paths(tracks):
    return tracks.data[:6]


@pytest.mark.parametrize("cached", [False, True], ids=["computed", "cached"])
def test_tensors_have_the_order_of_gtzan_whatever_the_columns(paths, cached, tmp_path):
    memory = tmp_path if cached else None
    tensors = [
        GTZANFeatures(columns=columns, segment_duration=3, memory=memory).transform(paths)
        for columns in (ORDERED, SORTED)
    ]
    assert SORTED != ORDERED
    assert_array_equal(*tensors)


def test_stores_have_the_order_of_gtzan_whatever_the_columns(paths, tmp_path):
    features = GTZANFeatures(columns=SORTED, segment_duration=3, n_segments=1)
    store = extract_store(features, paths, tmp_path)
    assert_array_equal(store.data, features.set_params(columns=ORDERED).transform(paths))


def test_tables_have_the_order_of_the_columns(paths):
    table = GTZANFeatures(columns=SORTED).set_output(transform="pandas").transform(paths)
    assert table.columns.tolist() == SORTED


CONTAINERS = {
    "pandas": lambda table: table,
    "polars": lambda table: pytest.importorskip("polars").from_pandas(table),
    "pyarrow": lambda table: pytest.importorskip("pyarrow").Table.from_pandas(table),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_pieces_have_the_order_of_gtzan_whatever_the_columns(container):
    table = make_table(NAMES)[ORDERED]
    tensor, _ = segments_to_tracks(CONTAINERS[container](table[SORTED]), NAMES)
    assert_array_equal(tensor[:, 0, 0], table.astype(np.float32))


@pytest.mark.parametrize("columns", [["b", "a"], ["mfcc2_mean", "mfcc1_mean", "length"], [1, 0]])
def test_pieces_of_other_columns_keep_their_order(columns):
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(4, len(columns))), columns=columns)
    tensor, _ = segments_to_tracks(table, NAMES)
    assert_array_equal(tensor[:, 0, 0], table.astype(np.float32))


def test_a_model_of_pieces_predicts_files_whatever_the_order_of_columns(tracks):
    table = GTZANFeatures().set_output(transform="pandas")
    table = table.set_params(columns=ORDERED).transform(tracks.data)
    X, first = segments_to_tracks(table[SORTED[::-1]], tracks.data)
    model = SegmentVotingClassifier(make_baseline("logistic")).fit(X, tracks.target[first])
    expected = model.predict_proba(segments_to_tracks(table, tracks.data)[0])
    front = GTZANFeatures(columns=SORTED, segment_duration=30)
    assert_allclose(make_pipeline(front, model).predict_proba(tracks.data), expected, atol=1e-6)


FITTED_ON_TABLES = {
    **NETWORKS,
    "scaler": SegmentScaler(),
    "summary": SegmentSummary(statistics="mean"),
    "voting": SegmentVotingClassifier(),
}


#: Networks share what is tested here.
ON_TABLES = [
    *slow_but("ann", NETWORKS),
    *(name for name in FITTED_ON_TABLES if name not in NETWORKS),
]


def fit_table(name, columns):
    estimator = clone(FITTED_ON_TABLES[name])
    if name in NETWORKS:
        estimator.set_params(epochs=1)
    rows = np.random.default_rng(0).normal(size=(8, len(columns)))
    return estimator.fit(pd.DataFrame(rows, columns=columns), np.arange(8) % 2)


def use(estimator, X):
    return getattr(estimator, "transform", getattr(estimator, "predict", None))(X)


@pytest.mark.parametrize("ndim", [3, 4])
@pytest.mark.parametrize("name", ON_TABLES)
def test_models_of_tables_in_another_order_refuse_tensors(name, ndim):
    estimator = fit_table(name, SORTED)
    with pytest.raises(ValueError, match=r"GTZAN's columns are in the order .*'mfcc10_mean'"):
        use(estimator, np.ones((2, 1, 1, 5)[-ndim:]))


@pytest.mark.parametrize("name", ON_TABLES)
def test_models_of_tables_in_the_order_of_gtzan_take_tensors(name):
    assert len(use(fit_table(name, ORDERED), np.ones((2, 1, 1, 5)))) == 2


@pytest.mark.parametrize("name", ON_TABLES)
def test_models_of_other_tables_warn_of_tensors_as_scikit_learn_does_of_arrays(name):
    estimator = fit_table(name, ["b", "a"])
    for X in (np.ones((2, 2)), np.ones((2, 1, 1, 2))):
        with pytest.warns(UserWarning, match="X does not have valid feature names, but"):
            use(estimator, X)


@pytest.mark.parametrize(("seconds", "n_segments"), [(4, 1), (20, 2)])
def test_the_timeline_of_a_table_does_not_depend_on_the_order_of_columns(
    tmp_path, seconds, n_segments
):
    rng = np.random.default_rng(0)
    paths = [write_sound(tmp_path / f"{i}.wav", make_sound(4, seed=i)) for i in range(4)]
    song = write_sound(tmp_path / "song.wav", make_sound(seconds) * rng.uniform(0.1, 1))
    probas = []
    for columns in (ORDERED, SORTED):
        front = GTZANFeatures(columns=columns).set_output(transform="pandas")
        model = make_pipeline(front, make_baseline("logistic")).fit(paths, [0, 1, 0, 1])
        probas.append(genre_timeline(model, song).proba)
    assert len(probas[0]) == n_segments
    assert_allclose(*probas, rtol=1e-4)


@pytest.mark.parametrize("kind", [set, frozenset])
def test_columns_in_a_set_have_no_order(kind):
    message = f"is a {kind.__name__}, which has no order; pass a list"
    with pytest.raises(TypeError, match=message):
        GTZANFeatures(columns=kind(ORDERED)).fit(["a.wav"])
    with pytest.raises(TypeError, match=message):
        gtzan_features(make_sound(0.5), kind(ORDERED))
    with pytest.raises(ValueError, match="must be an instance of 'list'"):
        SegmentSummary(statistics=kind(["mean", "std"])).fit(np.ones((2, 3)))


def test_descriptors_do_not_depend_on_the_order_of_the_families(paths):
    families = ("rhythm", "timbre", "harmony")
    one, other = TrackDescriptors(families=families), TrackDescriptors(families=families[::-1])
    assert_array_equal(one.get_feature_names_out(), other.get_feature_names_out())
    assert_array_equal(one.transform(paths[:1]), other.transform(paths[:1]))


# ---------------------------------------------------------------- the real tables


@pytest.mark.gtzan
@pytest.mark.parametrize(
    ("name", "n_rows", "n_tracks"),
    [
        ("features_3_sec_three_genres", 2996, 300),
        ("features_10_sec", 2991, 1000),
        ("features_30_sec", 1000, 1000),
    ],
)
def test_real_tables(gtzan, name, n_rows, n_tracks):
    table = load_gtzan_features(gtzan / f"{name}.csv")
    assert table.data.shape == (n_rows, 57)
    assert len(set(table.track_ids)) == n_tracks
    raw = pd.read_csv(gtzan / f"{name}.csv")
    assert_array_equal(table.data["mfcc7_var"], raw["mfcc7_var"])
    folded = load_gtzan_features(gtzan / f"{name}.csv", per_track=True)
    assert folded.data.shape == (n_tracks, 57)
    assert set(folded.target) == set(table.target)
