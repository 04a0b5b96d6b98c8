"""Model files: what goes in comes out, and hostile ones are refused by name."""

import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

import skgenre
from skgenre import (
    ANNClassifier,
    FrontEnd,
    GroupCalibratedClassifier,
    GTZANFeatures,
    MelSegmenter,
    MFCCSegmenter,
    ModelFileError,
    MusicnnEmbedder,
    SegmentScaler,
    SegmentSummary,
    TrackDescriptors,
    describe,
    genre_pipeline,
    load,
    make_baseline,
    save,
)

from .conftest import make_tensor, run_python
from .model_files import pack, unpack
from .model_zoo import TABLE as ZOO_TABLE, tables, tensors, untrained
from .registry import BASELINES, NETWORKS, OwnNetwork

X, Y = make_tensor(30)
TABLE = X.reshape(30, -1)
GROUPS = np.arange(30) // 3


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skgenre"


@pytest.fixture(scope="module")
def network():
    return make_pipeline(
        SegmentScaler().fit(X), untrained(ANNClassifier(hidden_units=(4,)), X.shape[2:])
    )


# ---------------------------------------------------------------- what goes in comes out


def parameters(model):
    """All parameters, also of nested parts, of which the type is compared, with their types."""
    return {
        name: type(value) if hasattr(value, "get_params") else repr(value)
        for name, value in model.get_params().items()
        # Lists of names and estimators, whose members are parameters themselves.
        if not (isinstance(value, list) and value and isinstance(value[0], tuple))
    }


def every_model():
    """Presets, baselines, networks, front ends and compositions, by name."""
    models = {name: genre_pipeline(name) for name in skgenre.pipelines.PRESETS}
    models |= {f"baseline {name}": make_baseline(name) for name in BASELINES}
    models |= {type(m).__name__: type(m)() for m in NETWORKS.values()}
    models |= {cls.__name__: cls(on_error="warn") for cls in FRONT_ENDS}
    models["steps"] = make_pipeline("passthrough", KNeighborsClassifier(metric="cosine"))
    models["vote"] = VotingClassifier([("lda", make_baseline("lda")), ("none", "drop")])
    models["groups"] = GroupCalibratedClassifier(make_baseline("lda"), cv=2)
    return models


FRONT_ENDS = [MFCCSegmenter, MelSegmenter, MusicnnEmbedder, TrackDescriptors, GTZANFeatures]


@pytest.mark.parametrize("name", [*every_model()])
def test_parameters_are_the_same_after_loading(name, path):
    model = every_model()[name]
    save(model, path)
    assert parameters(load(path, trusted=[OwnNetwork])) == parameters(model)


def test_a_preset_skips_an_unreadable_file_after_loading(tracks, tmp_path, path):
    (tmp_path / "bad.wav").write_bytes(b"no sound")
    pipe = make_pipeline(genre_pipeline("logistic")[0], SegmentSummary(), make_baseline("lda"))
    pipe.set_params(mfccsegmenter__segment_duration=1.0)
    save(pipe.fit(tracks.data[:12], tracks.target[:12]), path)
    X = [tracks.data[0], tmp_path / "bad.wav"]
    with pytest.warns(UserWarning, match=r"1 of 2 tracks"):
        expected = pipe.predict(X)
    with pytest.warns(UserWarning, match=r"1 of 2 tracks"):
        assert load(path).predict(X).tolist() == expected.tolist()


@pytest.mark.parametrize(
    "value",
    [
        (1, (2.5, "a"), []),
        {1: "a", "b": (None, True), 2.5: {}},
        np.nan,
        -np.inf,
        -0.0,
        [[1, (2,)], {"x": [()]}],
        "nan",
        "warn",
        "deprecated",
        None,
    ],
    ids=repr,
)
def test_a_value_of_a_parameter_is_the_same_after_loading(value, path):
    save(OwnFrontEnd(value), path)
    assert repr(load(path, trusted=[OwnFrontEnd]).level) == repr(value)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, path):
    model = untrained(NETWORKS[name], X.shape[2:]).set_params(early_stopping=True)
    save(model, path)
    again = load(path, trusted=[OwnNetwork])
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.get_params() == model.get_params()
    assert again.history_ == model.history_
    assert again.architecture_ == model.architecture_


@pytest.mark.parametrize(("models", "data"), [(tables, ZOO_TABLE), (tensors, X)])
def test_models_predict_the_same_after_loading(models, data, path):
    for name, model in models():
        save(model, path)
        again = load(path)
        for method in ("predict", "predict_proba", "decision_function"):
            if hasattr(model, method):
                expected = getattr(model, method)(data)
                assert_array_equal(getattr(again, method)(data), expected, err_msg=name)


@pytest.mark.parametrize(
    "labels", [[3, -1], [2.0, 0.0], [True, False], np.array(["b", "a"], object), ["\u00fcber", "x"]]
)
def test_labels_of_every_kind(labels, path):
    model = LogisticRegression().fit([[0.0], [1.0]], labels)
    save(model, path)
    assert_array_equal(load(path).classes_, model.classes_)
    assert load(path).predict([[0.0]]).tolist() == model.predict([[0.0]]).tolist()


def test_a_forest_of_missing_values(path):
    table = np.where(np.arange(TABLE.size).reshape(TABLE.shape) % 7 == 0, np.nan, TABLE)
    model = RandomForestClassifier(5, random_state=0).fit(table, Y)
    save(model, path)
    assert_array_equal(load(path).predict_proba(table), model.predict_proba(table))


def test_importances_of_a_forest_are_kept(path):
    model = RandomForestClassifier(5, random_state=0).fit(TABLE, Y)
    save(model, path)
    assert_array_equal(load(path).feature_importances_, model.feature_importances_)


def test_a_network_can_be_trained_further(network, path):
    """From its weights, with a new optimizer."""
    save(network[-1], path)
    again = load(path)
    again.partial_fit(X, Y)
    assert again.n_iter_ == 3


@pytest.mark.parametrize("scaler", [SegmentScaler(), StandardScaler()], ids=["segments", "rows"])
@pytest.mark.parametrize("missing", [False, True])
def test_a_scaler_can_be_fitted_further(scaler, missing, path):
    table = np.where((np.arange(TABLE.size) % 7 == 0).reshape(TABLE.shape) & missing, np.nan, TABLE)
    scaler.fit(table[:20])
    save(scaler, path)
    again = load(path).partial_fit(table[20:])
    assert_array_equal(again.scale_, scaler.partial_fit(table[20:]).scale_)


def test_unfitted_pipelines_and_their_parameters(path):
    segmenter = MFCCSegmenter(
        n_segments=None, sample_rate=np.int64(8000), memory="cache", n_jobs=2, verbose=1
    )
    network = ANNClassifier(
        hidden_units=(3, 2),
        class_weight={"rock": 2},
        callbacks=[print],
        random_state=np.random.RandomState(0),
    )
    save(make_pipeline(segmenter, SegmentScaler(with_mean=False), network), path)
    again = load(path)
    left_out = {"memory": None, "n_jobs": None, "verbose": 0}
    assert again[0].get_params() == {**segmenter.get_params(), **left_out}
    assert segmenter.memory == "cache"
    assert again[2].get_params() == {
        **network.get_params(),
        "callbacks": None,
        "random_state": None,
    }


def test_columns_of_pandas(path):
    save(GTZANFeatures(columns=pd.Index(["rms_mean", "rms_var"])), path)
    assert load(path).columns == ["rms_mean", "rms_var"]


def test_output_of_transformers(path):
    steps = make_pipeline(StandardScaler(), StandardScaler().set_output(transform="default"))
    save(steps.fit(TABLE)[:1].set_output(transform="pandas"), path)
    assert isinstance(load(path).transform(TABLE), pd.DataFrame)
    steps[0].set_output(transform="default")
    save(steps, path)
    assert isinstance(load(path).transform(TABLE), np.ndarray)


def test_numbers_of_numpy_are_numbers(path):
    """A randomised search draws such."""
    sizes = {"dense_units": np.int64(8), "dropout": np.float32(0.25), "epochs": np.int64(2)}
    model = untrained(NETWORKS["lstm"].set_params(**sizes, batch_size=np.int64(8)), X.shape[2:])
    save(model, path)
    assert_array_equal(load(path).predict_proba(X), model.predict_proba(X))


def test_tables_with_named_columns_from_files(tracks, path):
    pipe = make_pipeline(GTZANFeatures().set_output(transform="pandas"), make_baseline("logistic"))
    some = slice(0, 12, 2)
    pipe.fit(tracks.data[some], tracks.target[some])
    save(pipe, path)
    assert load(path).predict(tracks.data[:3]).tolist() == pipe.predict(tracks.data[:3]).tolist()


@pytest.mark.parametrize("model", [KNeighborsClassifier(), HistGradientBoostingClassifier()])
def test_names_of_columns(model, path):
    table = pd.DataFrame(TABLE[:, :3], columns=["a", "b", "c"])
    save(model.fit(table, Y), path)
    assert_array_equal(load(path).predict(table), model.predict(table))
    with pytest.raises(ValueError, match="feature names"):
        load(path).predict(table[["b", "a", "c"]])


def test_describe(network, path):
    save(network, path, description="Of no use.")
    manifest = describe(path)
    assert manifest["description"] == "Of no use."
    assert manifest["model"]["class"] == "sklearn.pipeline.Pipeline"
    [_, described] = manifest["model"]["parameters"]["steps"][1]
    assert described["class"] == "skgenre.ANNClassifier"
    assert described["parameters"]["hidden_units"] == {"tuple": [4]}
    assert [layer["layer"] for layer in described["fitted"]["architecture_"]["layers"]] == [
        *("Flatten", "Dense", "Dropout", "Dense")
    ]
    assert manifest["versions"]["skgenre"] == skgenre.__version__


def test_loading_and_answering_need_no_tensorflow(network, path):
    save(network, path)
    out = run_python(
        "import sys, numpy as np\n"
        "for name in ('tensorflow', 'keras', 'scikeras'): sys.modules[name] = None\n"
        "import skgenre\n"
        "model = skgenre.load(sys.argv[1])\n"
        "print(model.predict(np.zeros((1, 3, 8, 4), np.float32))[0])",
        path,
    )
    assert out.strip() in Y


# ---------------------------------------------------------------- saving


def test_what_cannot_be_saved_is_refused_and_the_old_file_stays(network, path):
    save(network, path)
    before = path.read_bytes()
    model = make_pipeline(FunctionTransformer(lambda X: X), network)
    with pytest.raises(ModelFileError, match="cannot be written"):
        save(model, path)
    assert path.read_bytes() == before
    with pytest.raises(TypeError, match="model must be an estimator"):
        save({"no": "model"}, path)


def test_a_disk_that_is_full_leaves_the_old_file_and_no_other(network, path, monkeypatch):
    save(network, path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skgenre._files.os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(network, path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_best_estimator_of_a_search_is_saved_and_the_search_refused(path):
    search = GridSearchCV(LogisticRegression(), {"C": [1, 2]}, cv=2).fit(TABLE, Y)
    with pytest.raises(ModelFileError, match="a GridSearchCV cannot be saved; save its best_est"):
        save(search, path)
    save(search.best_estimator_, path)
    assert_array_equal(load(path).predict(TABLE), search.predict(TABLE))


def with_nan():
    model = untrained(ANNClassifier(hidden_units=(4,)), X.shape[2:])
    model.weights_ = [np.full_like(weight, np.nan) for weight in model.weights_]
    return model


def with_categories():
    table = pd.DataFrame({"a": pd.Categorical(Y), "b": 0.0})
    return HistGradientBoostingClassifier(max_iter=1).fit(table, Y)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (SVC(kernel="precomputed"), r"SVC.kernel must be one of \['linear'.*got 'precomputed'"),
        (KNeighborsClassifier(metric=abs), "KNeighborsClassifier.metric is a builtin_function"),
        (
            make_pipeline(SegmentScaler(), FunctionTransformer()),
            "Pipeline.steps.functiontransformer sklearn.preprocessing.FunctionTransformer is not a",
        ),
        (StackingClassifier([]), "sklearn.ensemble.StackingClassifier is not a supported class"),
        (
            GroupCalibratedClassifier(cv=GroupKFold(3)),
            r"GroupCalibratedClassifier.cv is GroupKFold\(.* and cannot be saved; set an .* cv=3",
        ),
        (GroupCalibratedClassifier(cv=LeaveOneGroupOut()), "set an integer such as cv=5"),
        (GroupCalibratedClassifier(cv=[([0], [1])]), "set an integer such as cv=5"),
        (MFCCSegmenter(n_fft=1 << 28), "MFCCSegmenter.n_fft 268435456 is not between"),
        (with_nan(), "ANNClassifier has weights that are not finite"),
        (LogisticRegression().fit([[0], [1]], ["a", "b\x1b[2J"]), "control character"),
        (LogisticRegression().fit([[0], [1]], ["a", "b" * 201]), "at most 200 are allowed"),
        (
            SVC().fit(csr_array(TABLE), Y),
            "SVC.support_vectors_ is sparse; fit the model to a dense",
        ),
        (with_categories(), "HistGradientBoostingClassifier.is_categorical_ must be None"),
    ],
    ids=[
        *("kernel", "metric", "class", "stack"),
        *("cv", "groups", "pairs"),
        *("range", "values", "text", "length", "sparse", "categories"),
    ],
)
def test_what_would_be_refused_later_is_refused_now(model, reason, path):
    with pytest.raises(ModelFileError, match=reason):
        save(model, path)
    assert not path.exists()


class Own(ANNClassifier):
    pass


class OwnFrontEnd(FrontEnd):
    def __init__(self, level=1.0, on_error="raise"):
        self.level = level
        self.on_error = on_error

    track_shape = (1, 1, 1)

    def extract_track(self, audio):
        return np.full((1, 1, 1), self.level)


@pytest.mark.parametrize("cls", [Own, OwnFrontEnd])
def test_classes_of_ones_own_have_to_be_trusted(cls, path):
    model = OwnFrontEnd(level=2.5)
    if cls is Own:
        model = untrained(Own(hidden_units=(4,)), X.shape[2:])
    save(model, path)
    name = f"tests.test_persistence.{cls.__name__}"
    with pytest.raises(ModelFileError, match=f"'{name}' is not a supported class of a model file"):
        load(path)
    again = load(path, trusted=[cls])
    assert type(again) is cls
    assert again.get_params() == model.get_params()
    if cls is Own:
        assert_array_equal(again.predict(X), model.predict(X))


@pytest.mark.parametrize("trusted", ["Own", ["tests.Own"], [SVC], [print]])
def test_only_networks_and_front_ends_can_be_trusted(trusted, path):
    with pytest.raises(TypeError, match="trusted"):
        load(path, trusted=trusted)


def test_another_scikit_learn_is_told(network, path):
    save(network, path)
    manifest, arrays = unpack(path)
    manifest["versions"]["scikit-learn"] = "0.99.1"
    path.write_bytes(pack(manifest, arrays))
    with pytest.warns(UserWarning, match="was written with scikit-learn 0.99.1, but version"):
        load(path)


# ---------------------------------------------------------------- other files


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")


def test_the_library_neither_unpickles_nor_evaluates():
    """Nor does it start a shell; joblib's cache is the user's own folder."""
    import re

    words = re.compile(
        r"pickle\.load\(|joblib\.load\(|\beval\(|\bexec\(|shell=True|allow_pickle=True"
    )
    source = Path(skgenre.__file__).parent
    found = {
        (path.name, match[0])
        for path in source.rglob("*.py")
        for match in words.finditer(path.read_text())
    }
    assert found == set()


# ---------------------------------------------------------------- files of earlier versions

SAVED = Path(__file__).parent / "data" / "format_3.skgenre"


def model_to_keep():
    """What was saved in the file that is kept: a network and classical models."""
    rows = SegmentSummary()
    members = {
        "network": make_pipeline(SegmentScaler(), clone(NETWORKS["cnn"]).set_params(epochs=2)),
        "forest": make_pipeline(rows, RandomForestClassifier(3, random_state=0)),
        "boosting": make_pipeline(rows, HistGradientBoostingClassifier(max_iter=2)),
        "discriminants": make_pipeline(rows, make_baseline("lda")),
    }
    return VotingClassifier([*members.items()], voting="soft").fit(X, Y)


def test_a_file_of_an_earlier_version_loads():
    """Made by ``save(model_to_keep(), SAVED)``; never to be made again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of another scikit-learn
        model = load(SAVED)
    expected = json.loads(SAVED.with_suffix(".json").read_text())
    np.testing.assert_allclose(model.predict_proba(X[:5]), expected, atol=1e-4)


@pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning")
def test_probabilities_of_a_support_vector_machine(path):
    model = SVC(probability=True, random_state=0).fit(TABLE, Y)
    save(model, path)
    assert_array_equal(load(path).predict_proba(TABLE), model.predict_proba(TABLE))


# ---------------------------------------------------------------- skops and mlflow


def skops_types(model):
    """As in the documentation, page "Security and trust model"."""
    skops = pytest.importorskip("skops.io")
    found = skops.get_untrusted_types(data=skops.dumps(model))
    return [name for name in found if name.startswith(("skgenre.", "tests."))]


@pytest.mark.parametrize("name", [*NETWORKS, "descriptors"])
def test_types_for_skops_are_all_that_there_are(name):
    skops = pytest.importorskip("skops.io")
    model = genre_pipeline(name) if name == "descriptors" else untrained(NETWORKS[name], (8, 4))
    again = skops.loads(skops.dumps(model), trusted=skops_types(model))
    if name != "descriptors":
        assert_array_equal(again.predict_proba(X), model.predict_proba(X))


@pytest.mark.filterwarnings("ignore")  # mlflow has many
def test_mlflow_saves_and_loads_with_these_types(tmp_path):
    sklearn_flavor = pytest.importorskip("mlflow.sklearn")
    model = make_pipeline(SegmentScaler().fit(X), untrained(NETWORKS["ann"], X.shape[2:]))
    sklearn_flavor.save_model(
        model,
        tmp_path / "model",
        serialization_format="skops",
        skops_trusted_types=skops_types(model),
        pip_requirements=["skgenre"],
    )
    again = sklearn_flavor.load_model(str(tmp_path / "model"))
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
