"""Model files: what goes in comes out, and hostile ones are refused by name."""

import io
import json
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import skgenre
from skgenre import (
    ANNClassifier,
    MFCCSegmenter,
    ModelFileError,
    SegmentScaler,
    SegmentSummary,
    TrackFeatures,
    describe,
    load,
    make_baseline,
    save,
)
from skgenre.persistence import archive as model_archive

from .conftest import make_tensor, run_python
from .registry import BASELINES, NETWORKS

X, Y = make_tensor(30)
TABLE = X.reshape(30, -1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skgenre"


@pytest.fixture(scope="module")
def network():
    return make_pipeline(
        SegmentScaler(), ANNClassifier(hidden_units=(4,), epochs=2, random_state=0)
    ).fit(X, Y)


# ---------------------------------------------------------------- what goes in comes out


def composed():
    net = ANNClassifier(hidden_units=(4,), epochs=1, random_state=0)
    baseline = make_pipeline(SegmentSummary(), make_baseline("lda"))
    pair = [("network", net), ("baseline", baseline)]
    yield VotingClassifier(pair, voting="soft")
    yield StackingClassifier(pair, cv=2)
    yield CalibratedClassifierCV(net, cv=2)
    yield CalibratedClassifierCV(baseline, method="isotonic", cv=2)
    yield GridSearchCV(net, {"dropout": [0.1, 0.2]}, cv=2, scoring="accuracy")


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name, path):
    model = clone(NETWORKS[name]).set_params(early_stopping=True, epochs=2).fit(X, Y)
    save(model, path)
    again = load(path)
    assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert again.get_params() == model.get_params()
    assert again.history_ == model.history_
    assert again.architecture_ == model.architecture_


@pytest.mark.parametrize("name", BASELINES)
def test_baselines(name, path):
    model = make_pipeline(SegmentSummary(), clone(BASELINES[name])).fit(X, Y)
    save(model, path)
    assert_array_equal(load(path).predict(X), model.predict(X))


@pytest.mark.parametrize("model", [*composed()], ids=lambda model: type(model).__name__)
def test_compositions(model, path):
    model.fit(X, Y)
    save(model, path)
    assert_array_equal(load(path).predict_proba(X), model.predict_proba(X))


def test_training_goes_on_where_it_was(path):
    model = clone(NETWORKS["ann"]).partial_fit(X, Y, classes=np.unique(Y))
    save(model, path)
    again = load(path)
    for each in (model, again):
        each.partial_fit(X, Y)
    for ours, theirs in zip(again.weights_, model.weights_, strict=True):
        assert_array_equal(ours, theirs)


def test_unfitted_pipelines_and_their_parameters(path):
    segmenter = MFCCSegmenter(n_segments=None, sample_rate=np.int64(8000), memory="cache")
    save(
        make_pipeline(
            segmenter, SegmentScaler(with_mean=False), ANNClassifier(hidden_units=(3, 2))
        ),
        path,
    )
    again = load(path)
    assert again[0].get_params() == {**segmenter.get_params(), "memory": None}
    assert segmenter.memory == "cache"
    assert again[2].hidden_units == (3, 2)


def test_numbers_of_numpy_are_numbers(path):
    """A randomised search draws such."""
    sizes = {"dense_units": np.int64(8), "dropout": np.float32(0.25), "epochs": np.int64(2)}
    model = clone(NETWORKS["lstm"]).set_params(**sizes, batch_size=np.int64(8))
    save(model.fit(X, Y), path)
    assert_array_equal(load(path).predict_proba(X), model.predict_proba(X))


def test_a_grouped_search_from_files(tracks, path):
    pipe = make_pipeline(TrackFeatures().set_output(transform="pandas"), make_baseline("logistic"))
    search = GridSearchCV(pipe, {"pipeline__simpleimputer__strategy": ["mean", "median"]})
    search.set_params(cv=StratifiedGroupKFold(2))
    some = slice(0, 12, 2)
    search.fit(tracks.data[some], tracks.target[some], groups=tracks.groups[some])
    save(search, path)
    assert load(path).predict(tracks.data[:3]).tolist() == search.predict(tracks.data[:3]).tolist()


def test_describe(network, path):
    save(network, path, description="Of no use.")
    manifest = describe(path)
    assert manifest["description"] == "Of no use."
    assert manifest["model"]["class"] == "sklearn.pipeline.Pipeline"
    assert manifest["model"]["parameters"]["annclassifier__hidden_units"] == "(4,)"
    assert [layer["layer"] for layer in manifest["networks"][0]["layers"]] == [
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
    model = make_pipeline(FunctionTransformer(lambda X: X), network).fit(X, Y)
    with pytest.raises(ModelFileError, match="cannot be written"):
        save(model, path)
    assert path.read_bytes() == before
    with pytest.raises(TypeError, match="Expected an estimator"):
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


def test_a_subclass_of_ones_own_has_to_be_trusted(path):
    class Own(ANNClassifier):
        pass

    Own.__qualname__ = "Own"
    save(Own(hidden_units=(4,), epochs=1).fit(X, Y), path)
    with pytest.raises(ModelFileError, match=r"not trusted: \['tests.test_persistence.Own'\]"):
        load(path)
    globals()["Own"] = Own
    again = load(path, trusted=["tests.test_persistence.Own"])
    assert type(again) is Own
    assert again.predict(X).shape == Y.shape


def test_another_scikit_learn_is_told(network, path):
    save(network, path)
    rewrite(path, manifest=lambda m: m["versions"].update({"scikit-learn": "0.99.1"}))
    with pytest.warns(UserWarning, match="was made with scikit-learn 0.99.1, and this is"):
        load(path)


# ---------------------------------------------------------------- hostile files


def rewrite(path, manifest=None, schema=None, members=None, honest=True):
    """Change a model file; an honest one has right checksums then."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    head = json.loads(contents.pop("manifest.json"))
    if schema:
        tree = json.loads(contents["model/schema.json"])
        contents["model/schema.json"] = json.dumps(schema(tree) or tree).encode()
    contents.update(members or {})
    if honest:
        head["members"] = {name: model_archive.checksum(c) for name, c in contents.items()}
    if manifest:
        manifest(head)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {"manifest.json": json.dumps(head), **contents}.items():
            archive.writestr(name, content)


def npy(value, **kwargs):
    file = io.BytesIO()
    np.save(file, value, **kwargs)
    return file.getvalue()


def node(module, name, loader, **rest):
    return {"__module__": module, "__class__": name, "__loader__": loader, **rest}


def with_step(step):
    """Put something in the place of the scaler."""

    def schema(tree):
        first = tree["content"]["content"]["steps"]["content"][0]
        first["content"][1] = step

    return {"schema": schema}


def with_layer(**layer):
    return {"manifest": lambda m: m["networks"][0]["layers"].insert(0, layer)}


class Bomb:
    """Something that leaves a trace if it is ever unpickled."""

    def __reduce__(self):
        return (print, ("unpickled",))


SYSTEM = node("os", "system", "FunctionNode", content={"module_path": "os", "function": "system"})
WEIGHT = "networks/0/weights/0.npy"
LYING = npy(np.zeros(3, np.float32)).replace(
    b"(3,), ", b"(3000000000,), ".replace(b"000, ", b"000,")
)
HOSTILE = {
    "a function": (with_step(SYSTEM), "os.system as a FunctionNode"),
    "a type that is not trusted": (
        with_step(
            node(
                "subprocess",
                "Popen",
                "ObjectNode",
                content=node(
                    "builtins",
                    "dict",
                    "DictNode",
                    key_types=node("builtins", "list", "ListNode", content=[]),
                    content={},
                ),
            )
        ),
        r"not trusted: \['subprocess.Popen'\]",
    ),
    "a type under another way of making it": (
        with_step(node("builtins", "eval", "TypeNode")),
        "not trusted",
    ),
    "a way of making that there is not": (
        with_step(node("builtins", "str", "PickleNode", content="x")),
        "PickleNode",
    ),
    "a method": (with_step(node("builtins", "eval", "MethodNode", content={})), "MethodNode"),
    "a path outside the archive": ({"members": {"../evil.npy": b""}}, "outside the archive"),
    "an absolute path": ({"members": {"/tmp/evil.npy": b""}}, "outside the archive"),
    "a wrong checksum": (
        {"members": {WEIGHT: npy(np.zeros((32, 4), np.float32))}, "honest": False},
        "checksum of networks/0/weights/0.npy is wrong",
    ),
    "a member that is not listed": (
        {"members": {"model/more.npy": npy(np.zeros(1))}, "honest": False},
        "differ in .*more.npy",
    ),
    "something else than arrays": ({"members": {"run.py": b"print(1)"}}, "run.py is neither"),
    "an unknown layer": (
        with_layer(layer="Lambda", function="os.system"),
        "unknown layer 'Lambda'",
    ),
    "a layer with other words": (with_layer(layer="Dropout", rate={"a": 1}), "neither number"),
    "a layer of negative size": (
        with_layer(layer="Reshape", target_shape=[-1, -1]),
        "integers above 0",
    ),
    "an object array": (
        {"members": {WEIGHT: npy(np.array([Bomb()]), allow_pickle=True)}},
        "holds Python objects",
    ),
    "an array that promises more than it has": ({"members": {WEIGHT: LYING}}, "another size"),
    "a pickle for an array": ({"members": {WEIGHT: b"\x80\x04."}}, "is no array"),
    "weights of another shape": (
        {"members": {WEIGHT: npy(np.zeros((3, 3), np.float32))}},
        "do not fit its layers",
    ),
    "weights that are not finite": (
        {"members": {WEIGHT: npy(np.full((32, 4), np.nan, np.float32))}},
        "do not fit its layers",
    ),
    "a zip bomb": ({"members": {"model/zeros.npy": bytes(1 << 27)}}, "a zip bomb"),
    "a later format": ({"manifest": lambda m: m.update(format=2)}, "format 2, of a later skgenre"),
    "no format": ({"manifest": lambda m: m.pop("format")}, "format"),
    "a schema without end": (
        {"members": {"model/schema.json": b'{"content":' * 100_000}},
        "is refused",
    ),
    "a manifest without networks": ({"manifest": lambda m: m.pop("networks")}, "networks"),
    "a network of another class": (
        {
            "manifest": lambda m: m["networks"][0].update(
                {"class": "skgenre.networks.classifiers.LSTM"}
            )
        },
        "of another classifier",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused_with_the_reason(kind, network, path, capsys, monkeypatch):
    save(network, path)
    changes, reason = HOSTILE[kind]
    rewrite(path, **changes)
    monkeypatch.setattr("os.system", lambda command: pytest.fail("something ran"))
    with pytest.raises(ModelFileError, match=reason) as caught:
        load(path)
    assert caught.value.path == str(path)
    assert not capsys.readouterr().out
    assert list(path.parent.rglob("*")) == [path]


def test_memory_of_the_file_is_refused(network, path):
    """Its folder may hold pickles."""
    save(make_pipeline(MFCCSegmenter(), network), path)
    text = json.dumps("/tmp/elsewhere")

    def schema(tree):
        segmenter = tree["content"]["content"]["steps"]["content"][0]["content"][1]
        memory = segmenter["content"]["content"]["memory"]
        memory.update(content=text, __id__=1)  # no longer the None of other parameters

    rewrite(path, schema=schema)
    with pytest.raises(ModelFileError, match="a folder of its own as memory"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + bytes(18), b"RIFF", b"\x80\x04."])
def test_other_files_are_no_models(content, path):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="is not a model file, or damaged"):
        load(path)


def test_two_members_of_one_name(network, path):
    save(network, path)
    with zipfile.ZipFile(path, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr(WEIGHT, b"")
    with pytest.raises(ModelFileError, match="two members have the same name"):
        load(path)


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")


def change_array(path, matches, change):
    """Change the first array of the file for which something holds."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith(".npy"):
                value = np.load(io.BytesIO(archive.read(name)))
                if matches(value):
                    value = value.copy()
                    change(value)
                    break
        else:
            pytest.fail("no such array")
    rewrite(path, members={name: npy(value)})


def astray(nodes):
    nodes["left_child"][0] = 1 << 40


def in_a_circle(nodes):
    nodes["left_child"][0] = nodes["right_child"][0] = 0


def of_no_feature(nodes):
    nodes["feature"][0] = 1 << 30


@pytest.mark.parametrize("change", [astray, in_a_circle, of_no_feature])
def test_trees_that_would_lead_out_of_memory(change, path):
    save(clone(BASELINES["forest"]).fit(TABLE, Y), path)
    change_array(path, lambda a: a.dtype.names and len(a) > 1, change)
    with pytest.raises(ModelFileError, match="a tree"):
        load(path)


def test_boosted_trees_that_would_lead_out_of_memory(path):
    model = clone(BASELINES["boosting"]).fit(np.repeat(TABLE, 3, 0), np.repeat(Y, 3))
    save(model, path)

    def change(nodes):
        nodes["left"][0] = 4_000_000_000

    change_array(path, lambda a: a.dtype.names and "left" in a.dtype.names, change)
    with pytest.raises(ModelFileError, match="a child that is not behind it"):
        load(path)


def test_support_vectors_that_are_not_there(path):
    save(make_baseline("svm").fit(TABLE, Y), path)

    def change(counts):
        counts += 1000

    change_array(path, lambda a: a.dtype == np.int32 and a.shape == (3,), change)
    with pytest.raises(ModelFileError, match="counts that do not add up"):
        load(path)


def test_the_library_neither_unpickles_nor_evaluates():
    """Nor does it start a shell; joblib's cache is the user's own folder."""
    import re

    words = re.compile(r"pickle\.load|joblib\.load|\beval\(|\bexec\(|shell=True|allow_pickle=True")
    source = Path(skgenre.__file__).parent
    found = {
        (path.name, match[0])
        for path in source.rglob("*.py")
        for match in words.finditer(path.read_text())
    }
    assert found == set()


# ---------------------------------------------------------------- files of earlier releases

SAVED = Path(__file__).parent / "data" / "format_1.skgenre"


def model_to_keep():
    """What was saved in the file that is kept: a network and a classical model."""
    network = clone(NETWORKS["cnn"]).set_params(epochs=2)
    baseline = make_pipeline(SegmentSummary(), make_baseline("svm", random_state=0))
    pair = [("network", make_pipeline(SegmentScaler(), network)), ("baseline", baseline)]
    return StackingClassifier(pair, cv=2).fit(X, Y)


def test_a_file_of_an_earlier_release_loads():
    """Made by ``save(model_to_keep(), SAVED)``; never to be made again."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of another scikit-learn
        model = load(SAVED)
    expected = json.loads(SAVED.with_suffix(".json").read_text())
    np.testing.assert_allclose(model.predict_proba(X[:5]), expected, atol=1e-4)
