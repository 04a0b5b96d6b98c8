"""Inputs that were taken for something else: hops, integers, huge numbers, collections, ``~``."""

import warnings
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler

from skgenre import (
    CNNClassifier,
    GroupCalibratedClassifier,
    GTZANFeatures,
    MFCCSegmenter,
    SegmentScaler,
    SegmentSummary,
    SegmentVotingClassifier,
    describe,
    extract_store,
    gtzan_features,
    load,
    load_store,
    save,
)
from skgenre.cli import main
from skgenre.datasets import (
    list_audio,
    load_folder,
    load_gtzan,
    load_gtzan_features,
    make_tracks,
)
from skgenre.evaluation import read_splits, write_splits
from skgenre.features import GTZAN_FEATURES, mfcc, segment_mfcc

from .conftest import make_sound, make_tensor, write_sound
from .model_zoo import untrained
from .registry import NETWORKS

assert_array_equal = np.testing.assert_array_equal


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    return [str(write_sound(folder / f"{i}.wav", make_sound(0.5, seed=i))) for i in range(3)]


@pytest.fixture(scope="module")
def segmenter():
    return MFCCSegmenter(segment_duration=0.2, n_segments=2)


# ---------------------------------------------------------------- sizes


def test_a_hop_over_a_whole_segment(paths):
    segmenter = MFCCSegmenter(segment_duration=0.1, hop_length=2206)
    for method in (segmenter.fit, segmenter.transform):
        with pytest.raises(ValueError, match=r"hop_length=2206 is more than the 2205 samples of a"):
            method(paths)
    segmenter.set_params(hop_length=2205)
    assert segmenter.transform(paths).shape == (3, 10, 2, 13)


# ---------------------------------------------------------------- samples


SAMPLE_FUNCTIONS = {
    "mfcc": mfcc,
    "segment_mfcc": lambda y: segment_mfcc([y[: len(y) // 2], y[len(y) // 2 :]]),
    "gtzan_features": gtzan_features,
}


@pytest.fixture(params=SAMPLE_FUNCTIONS)
def compute(request):
    return SAMPLE_FUNCTIONS[request.param]


@pytest.mark.parametrize("dtype", ["int16", "int32", "uint8", "bool", "complex64", "object"])
def test_samples_are_floats_as_librosa_demands(compute, dtype):
    y = (make_sound(0.5) * 100).astype(dtype)
    with pytest.raises(TypeError, match=rf"has dtype {dtype}.* must be floats.* y / 32768"):
        compute(y)
    with pytest.raises(librosa.ParameterError):
        librosa.feature.mfcc(y=y, sr=22050)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "longdouble", ">f4"])
def test_floats_of_any_size(dtype):
    y = make_sound(0.5).astype(np.float16)
    assert_array_equal(mfcc(y.astype(dtype)), mfcc(y.astype(np.float32)))


def test_lists_of_integers():
    with pytest.raises(TypeError, match="y has dtype int64"):
        mfcc([1, 2, 3])
    with pytest.raises(TypeError, match="segment 1 has dtype int16"):
        segment_mfcc([np.ones(100), np.ones(100, np.int16)])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite(compute, value):
    y = make_sound(0.5)
    y[3000] = value
    with pytest.raises(ValueError, match="contains NaN or infinite samples"):
        compute(y)


# ---------------------------------------------------------------- tensors


@pytest.fixture(scope="module")
def fitted():
    return untrained(NETWORKS["cnn"], make_tensor(2)[0].shape[2:])


@pytest.mark.parametrize("value", [1e39, -1e300])
def test_tensors_beyond_float32(fitted, value):
    X, y = (np.float64(make_tensor(12)[0]), make_tensor(12)[1])
    X[5, 1, 2, 3] = value
    X[2, 1:] = np.nan
    message = r"value too large for dtype\('float32'\): .*e\+.* in sample 5\."
    for use in (fitted.predict_proba, fitted.predict_segments_proba):
        with pytest.raises(ValueError, match=message):
            use(X)
    with pytest.raises(ValueError, match=message):
        clone(fitted).fit(X, y)
    with pytest.raises(ValueError, match=message):
        fitted.predict_proba(X[:, 1])  # a segment each
    # What is computed in float64 takes them.
    assert np.isfinite(SegmentSummary(statistics=["mean"]).fit_transform(X)).all()


def test_tables_beyond_float32(fitted):
    X, y = make_tensor(12)
    table = np.float64(X[:, 0, 0])
    model = CNNClassifier(epochs=1)
    table[7, 1] = 1e39
    with pytest.raises(ValueError, match=r"too large for dtype\('float32'\).* in sample 7"):
        model.fit(table, y)
    assert np.isfinite(StandardScaler().fit_transform(table)).all()


def test_large_values_within_float32_are_taken(fitted):
    X = np.float64(make_tensor(12)[0])
    X[0] = 1e30
    assert_array_equal(fitted.predict_proba(X)[1:], fitted.predict_proba(np.float32(X))[1:])


TAKE_TENSORS = {
    **NETWORKS,
    "scaler": SegmentScaler(),
    "summary": SegmentSummary(),
    "voting": SegmentVotingClassifier(),
    "calibrated": GroupCalibratedClassifier(SegmentVotingClassifier()),
}
IMAGES = r"X of shape \(12, 8, 4, 1\) is read as 12 tracks of 8 segments .*X\[\.\.\., 0\]"


@pytest.mark.parametrize("name", TAKE_TENSORS)
def test_single_channel_images_are_warned_of(name):
    X, y = make_tensor(12, n_segments=1)
    images = X.transpose(0, 2, 3, 1)
    # Warnings are errors, so that nothing is trained.
    with pytest.raises(UserWarning, match=IMAGES + r", of shape \(12, 8, 4\)"):
        clone(TAKE_TENSORS[name]).fit(images, y)


def test_the_warning_of_images_points_at_the_call_of_fit():
    images = np.zeros((12, 8, 4, 1))
    with pytest.warns(UserWarning, match=IMAGES) as caught:
        SegmentScaler().fit(images)
    assert [w.filename for w in caught] == [__file__]


@pytest.mark.parametrize("shape", [(12, 8, 4), (12, 8, 1), (12, 8, 1, 1), (12, 1, 8, 4), (12, 1)])
def test_other_shapes_are_not_warned_of(shape):
    scaler = SegmentScaler().fit(np.ones(shape))
    assert scaler.n_features_in_ == shape[-1]


def test_images_are_warned_of_in_fit_only():
    images = np.ones((12, 8, 4, 1))
    with pytest.warns(UserWarning, match=IMAGES):
        scaler = SegmentScaler().fit(images)
    assert scaler.transform(images).shape == images.shape


def test_infinity_and_nan_keep_their_own_errors(fitted):
    X = np.float64(make_tensor(12)[0])
    for value, words in ((np.inf, "infinity in part of segment"), (np.nan, "NaN in part of")):
        X[4, 1, 2, 3] = value
        with pytest.raises(ValueError, match=f"Input X contains {words}"):
            fitted.predict(X)
    assert np.isfinite(SegmentScaler().fit_transform(X[:4])).all()


# ---------------------------------------------------------------- warnings


def test_silent_bands_are_warned_of_once_a_call_and_at_each(paths):
    segmenter = MFCCSegmenter(segment_duration=0.1, n_fft=256, n_segments=2)
    for use in (segmenter.transform, segmenter.transform, segmenter.fit_transform):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            use(paths)
        assert [str(w.message)[:40] for w in caught] == [str(caught[0].message)[:40]]
        assert "bands are narrower than a bin" in str(caught[0].message)
    for _ in range(2):
        with pytest.warns(UserWarning, match="narrower") as caught:
            mfcc(make_sound(0.2), n_fft=256)
        assert len(caught) == 1


def test_silent_bands_are_warned_of_whoever_computes(paths, tmp_path):
    segmenter = MFCCSegmenter(segment_duration=0.1, n_fft=256, n_segments=2)
    segmenter.set_params(n_jobs=2, memory=str(tmp_path / "cache"))
    for _ in range(2):  # the second time nothing is computed
        with pytest.warns(UserWarning, match="narrower") as caught:
            segmenter.transform(paths)
        assert len(caught) == 1
    with pytest.warns(UserWarning, match="narrower") as caught:
        extract_store(segmenter, paths, tmp_path / "store")
    assert len(caught) == 1


# ---------------------------------------------------------------- home


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home with two songs in genre folders, and a working directory elsewhere."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for genre in ("blues", "rock"):
        folder = tmp_path / "home" / "music" / genre
        folder.mkdir(parents=True)
        write_sound(folder / f"{genre}.00000.wav", make_sound(0.5))
    yield tmp_path / "home"
    assert not list(Path().iterdir())  # no folder called ~ either


def test_home_is_expanded_everywhere(home, segmenter):
    where = [Path(f"~/music/{g}/{g}.00000.wav") for g in ("blues", "rock")]
    names = [str(home / "music" / g / f"{g}.00000.wav") for g in ("blues", "rock")]
    expected = segmenter.transform(names)
    assert_array_equal(segmenter.transform(where), expected)
    cached = clone(segmenter).set_params(memory=Path("~/cache"))
    assert_array_equal(cached.transform(where), expected)
    assert list((home / "cache").rglob("features"))
    assert list_audio(Path("~/music")) == names
    assert load_folder(Path("~/music")).data == names
    assert load_gtzan(Path("~/music")).data == names
    made = make_tracks(1, genres=1, duration=0.1, folder=Path("~/made"))
    assert made.data[0].startswith(str(home / "made"))
    store = extract_store(segmenter, where, Path("~/store"))
    assert_array_equal(store.data, expected)
    assert load_store(Path("~/store")).filenames == names
    scaler = SegmentScaler().fit(expected)
    save(scaler, Path("~/scaler.skgenre"))
    assert describe(Path("~/scaler.skgenre"))["format"]
    assert_array_equal(
        load(Path("~/scaler.skgenre")).transform(expected), scaler.transform(expected)
    )


def test_home_of_splits(home):
    tracks = [f"{i}.wav" for i in range(4)]
    write_splits("~/splits.json", 2, tracks)
    assert (home / "splits.json").exists()
    assert len(read_splits("~/splits.json", tracks)) == 2


@pytest.mark.slow
def test_home_is_expanded_in_every_command(home):
    runner = CliRunner()
    for genre in ("blues", "rock"):  # long enough for a segment
        for i in range(2):
            write_sound(home / "music" / genre / f"{genre}.{i:05d}.wav", make_sound(3, seed=i))
    for args in [
        ("train", "~/music", "--preset", "knn", "-o", "~/m.skgenre", "--cache", "~/cache"),
        ("evaluate", "~/music", "--model", "~/m.skgenre", "--report=~/r.html", "--robustness=0"),
        ("predict", "~/music", "~/music/rock/rock.00000.wav", "--model=~/m.skgenre"),
        ("extract", "~/music", "--output=~/store"),
        ("timeline", "~/music/rock/rock.00000.wav", "--model=~/m.skgenre", "--output=~/t.png"),
    ]:
        result = runner.invoke(main, list(args))
        assert result.exit_code == 0, result.output
    made = {"music", "m.skgenre", "cache", "r.html", "store", "t.png"}
    # Matplotlib may write .cache and .config.
    assert {path.name for path in home.iterdir() if not path.name.startswith(".")} == made


def test_home_of_tables(home):
    table = pd.DataFrame(np.zeros((2, 57)), columns=list(GTZAN_FEATURES))
    table.insert(0, "filename", ["blues.00000.wav", "rock.00000.wav"])
    table["label"] = ["blues", "rock"]
    table.to_csv(home / "table.csv", index=False)
    assert load_gtzan_features("~/table.csv").target.tolist() == ["blues", "rock"]


# ---------------------------------------------------------------- collections


@pytest.fixture(params=["segmenter", "table"])
def extractor(request, segmenter):
    return segmenter if request.param == "segmenter" else GTZANFeatures(on_error="warn")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda paths: (path for path in paths), r"got a generator, .* only once.*pass list\(X\)"),
        (iter, r"got a list_iterator, .*pass list\(X\)"),
        (lambda paths: map(str, paths), r"got a map, .*pass list\(X\)"),
        (lambda paths: Path(paths[0]).parent.glob("*"), r"pass list\(X\)"),
        (set, r"got a set, which has no order; pass sorted\(X\)"),
        (frozenset, r"got a frozenset, .*pass sorted\(X\)"),
        (lambda paths: dict.fromkeys("abc", paths[0]), r"dict,.*list\(X\.values\(\)\)"),
        (lambda paths: make_bunch(paths), r"Bunch, .*X\.data"),
        (lambda paths: None, "got an object of type NoneType"),
        (lambda paths: 5, "got an object of type int"),
    ],
)
def test_collections_that_are_no_lists(extractor, paths, make, message):
    for method in (extractor.fit, extractor.transform):
        with pytest.raises(TypeError, match=message):
            method(make(paths))


def make_bunch(paths):
    from sklearn.utils import Bunch

    return Bunch(data=paths, target=["rock"] * len(paths))


def test_nothing_is_taken_from_a_generator(segmenter, paths):
    generator = (path for path in paths)
    with pytest.raises(TypeError):
        segmenter.fit(generator)
    assert list(generator) == paths


PANDAS = {
    "Series of str": pd.Series,
    "Series of string": lambda paths: pd.Series(paths, dtype="string"),
    "Series of object": lambda paths: pd.Series(paths, dtype=object, index=[7, 7, 7]),
    "Series of categories": lambda paths: pd.Series(paths, dtype="category"),
    "Index": pd.Index,
    "extension array": lambda paths: pd.array(paths, dtype="string"),
    "frame": lambda paths: pd.DataFrame({"path": paths}),
    "frame of string": lambda paths: pd.DataFrame({"path": paths}, dtype="string"),
    "frame of paths": lambda paths: pd.DataFrame({"path": list(map(Path, paths))}),
    "values of a mapping": lambda paths: dict(enumerate(paths)).values(),
    "keys of a mapping": lambda paths: dict.fromkeys(paths).keys(),
}


@pytest.mark.parametrize("kind", PANDAS)
def test_columns_of_pandas(segmenter, paths, kind):
    X = PANDAS[kind](paths)
    assert_array_equal(segmenter.fit_transform(X), segmenter.transform(paths))


@pytest.mark.parametrize("kind", ["Series", "Categorical", "DataFrame"])
def test_columns_of_polars(segmenter, paths, kind):
    polars = pytest.importorskip("polars")
    X = polars.DataFrame({"path": paths, "n": [1, 2, 3]})
    X = X.select("path") if kind == "DataFrame" else X["path"]
    X = X.cast(polars.Categorical) if kind == "Categorical" else X
    assert_array_equal(segmenter.fit_transform(X), segmenter.transform(paths))
    with pytest.raises(ValueError, match=r"one column, got shape \(3, 2\)"):
        segmenter.fit(polars.DataFrame({"path": paths, "n": [1, 2, 3]}))
    with pytest.raises(TypeError, match="Track 1 is None"):
        segmenter.fit(polars.Series([paths[0], None]))
    with pytest.raises(TypeError, match="of type LazyFrame"):
        segmenter.fit(polars.LazyFrame({"path": paths}))


@pytest.mark.parametrize("kind", ["array", "large", "chunks", "dictionary", "table", "batch"])
def test_columns_of_pyarrow(segmenter, paths, kind):
    arrow = pytest.importorskip("pyarrow")
    X = {
        "array": lambda: arrow.array(paths),
        "large": lambda: arrow.array(paths, arrow.large_string()),
        "chunks": lambda: arrow.chunked_array([paths[:1], paths[1:]]),
        "dictionary": lambda: arrow.array(paths).dictionary_encode(),
        "table": lambda: arrow.table({"path": paths}),
        "batch": lambda: arrow.record_batch({"path": paths}),
    }[kind]()
    assert_array_equal(segmenter.fit_transform(X), segmenter.transform(paths))


def test_pandas_columns_backed_by_arrow(segmenter, paths):
    arrow = pytest.importorskip("pyarrow")
    for dtype in ("string[pyarrow]", pd.ArrowDtype(arrow.string())):
        X = pd.Series(paths, dtype=dtype)
        assert_array_equal(segmenter.fit_transform(X), segmenter.transform(paths))
        with pytest.raises(TypeError, match="Track 1 is <NA>"):
            segmenter.fit(pd.Series([paths[0], None], dtype=dtype))
