"""Model files that are made to do harm: each is refused, with the name of its part.

``CASES`` is the table of what is changed in a saved file and of the words of the refusal. What may
load is tried by ``make fuzz``, in processes of their own: it must not crash.
"""

import copy
import json
import os
import re
import struct
import sys
import tracemalloc
import zipfile
import zlib

import numpy as np
import pytest

from skgenre import ModelFileError, load
from skgenre.persistence.allowed import ALLOWED
from skgenre.persistence.attributes import (
    ArrayAttribute,
    EstimatorAttribute,
    NoneAttribute,
    NumberAttribute,
    ValueAttribute,
)

from .model_files import npy, pack, read_members, unpack, write_members
from .model_zoo import save_all


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """Manifest and arrays of each model."""
    paths = save_all(tmp_path_factory.mktemp("zoo"))
    return {name: unpack(path) for name, path in paths.items()}


# ---------------------------------------------------------------- taking files apart


def nodes(item):
    """All estimators of a manifest, outermost first."""
    if isinstance(item, dict):
        if "class" in item and "parameters" in item:
            yield item
        item = list(item.values())
    for each in item if isinstance(item, list) else []:
        yield from nodes(each)


class Model:
    """A model file in parts, which a test changes."""

    def __init__(self, manifest, arrays):
        self.manifest, self.arrays = copy.deepcopy(manifest), dict(arrays)

    @property
    def root(self):
        return self.manifest["model"]

    def node(self, cls, *, fitted=True):
        """The first estimator of a class, by the end of its name."""
        for node in nodes(self.root):
            if f".{node['class']}".endswith(f".{cls}") and ("fitted" in node or not fitted):
                return node
        raise LookupError(cls)

    def add(self, array):
        """Add an array, and return what an attribute that has it looks like."""
        name = f"arrays/{len(self.arrays)}.npy"
        self.arrays[name] = array
        return {"array": name}

    def content(self):
        return pack(self.manifest, self.arrays)


# A change is a function of a model that changes it, and returns the content of a file if it is
# not that of the model.


def in_turn(*changes):
    def change(model):
        for each in changes:
            content = each(model)
        return content

    return change


def parameter(cls, **values):
    return lambda model: model.node(cls, fitted=False)["parameters"].update(values)


def fitted(cls, name, value):
    return lambda model: model.node(cls)["fitted"].__setitem__(name, value)


def array(cls, path, change):
    """Change an array, given the keys that lead to it in the fitted attributes."""

    def apply(model):
        item = model.node(cls)["fitted"]
        for key in path.split("."):
            item = item[key]
        name = item["array"]
        model.arrays[name] = np.ascontiguousarray(change(model.arrays[name].copy()))

    return apply


def first(cls, path, value):
    """Set the first value of an array."""

    def change(a):
        a.flat[0] = value
        return a

    return array(cls, path, change)


def node_of_a_tree(cls, name, field, value):
    """Set a field of the first node of the trees."""

    def change(a):
        a[field][0] = value
        return a

    return array(cls, f"{name}.nodes", change)


def root(*build):
    """Replace the model by a node, or by a function of the model that returns one."""

    def change(model):
        [node] = build
        model.manifest["model"] = node(model) if callable(node) else node

    return change


def estimator(cls, fitted=None, **parameters):
    node = {"class": cls, "parameters": parameters}
    return node if fitted is None else {**node, "fitted": fitted}


def pipeline(*steps):
    return estimator("sklearn.pipeline.Pipeline", steps=[[str(i), s] for i, s in enumerate(steps)])


SCALER = "sklearn.preprocessing.StandardScaler"


def nested(depth):
    node = estimator(SCALER)
    for _ in range(depth - 1):
        node = pipeline(node)
    return node


def layers(*described, shape=(8, 4), weights=()):
    """A network of other layers, whose weights are zero and of the shapes given."""

    def change(model):
        state = model.node("ANNClassifier")["fitted"]
        for name in state["weights_"]:
            del model.arrays[name]
        state["architecture_"] = {"input_shape": list(shape), "layers": list(described)}
        state["weights_"] = [model.add(np.zeros(size, "f4"))["array"] for size in weights]

    return change


def layer(kind, **sizes):
    lists = {name: {"tuple": size} for name, size in sizes.items() if isinstance(size, list)}
    return {"layer": kind, **sizes, **lists}


def dense(units, activation="softmax"):
    return layer("Dense", units=units, activation=activation, l2=0.0)


FLAT = [layer("Flatten"), dense(3)]


def weight(index, change):
    """Change an array of the weights of a network."""

    def apply(model):
        name = model.node("CNNClassifier")["fitted"]["weights_"][index]
        model.arrays[name] = change(model.arrays[name])

    return apply


def text(change):
    """Change the text of the manifest."""

    def apply(model):
        members = read_members(model.content())
        changed = change(members["manifest.json"].decode())
        return write_members({**members, "manifest.json": changed.encode("utf-8", "surrogatepass")})

    return apply


def described_as(value):
    return text(lambda old: old.replace('"description": ""', f'"description": {value}', 1))


def members(change):
    """Write the members of the archive in another way."""
    return lambda model: change(read_members(model.content()))


def file_of(change):
    """Replace the file of the first array."""

    def apply(model):
        name = next(iter(model.arrays))
        model.arrays[name] = change(model.arrays[name])

    return apply


def raw_zip(contents, *, flags=0, n_members=None, offsets=None):
    """A zip of (name, content, size) that may lie; the content is deflated if there is a size."""
    body, directory = b"", b""
    for i, (name, content, size) in enumerate(contents):
        method = zipfile.ZIP_STORED if size is None else zipfile.ZIP_DEFLATED
        crc = zlib.crc32(content) if size is None else 0
        n = len(content) if size is None else size
        fields = struct.pack("<HHHHIII", flags, method, 0, 33, crc, len(content), n)
        fields += struct.pack("<HH", len(name.encode()), 0)
        offset = len(body) if offsets is None else offsets[i]
        directory += b"PK\1\2\x14\0\x14\0" + fields + struct.pack("<HHHII", 0, 0, 0, 0, offset)
        directory += name.encode()
        body += b"PK\3\4\x14\0" + fields + name.encode() + content
    n = len(contents) if n_members is None else n_members
    end = struct.pack("<HHHHIIH", 0, 0, n, n, len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


def stored(contents, **options):
    return raw_zip([(name, content, None) for name, content in contents.items()], **options)


def deflated_zeros(n):
    """Zeros as deflate packs them, without having them: a flush of a million, again and again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    million = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return million * (n // (1 << 20) + 1) + packer.flush()


def zip64(content):
    return content[:-22] + b"PK\6\7" + struct.pack("<IQI", 0, len(content) - 22, 1) + content[-22:]


def many_trees(model):
    """Of a leaf each: little in a file, and much in memory."""
    n = 200_000
    for name, value in model.node("RandomForestClassifier")["fitted"]["estimators_"].items():
        old = model.arrays[value["array"]]
        fill = -1 if name.endswith("child") else 1 if name == "n_nodes" else 0
        model.arrays[value["array"]] = np.full((n, *old.shape[1:]), fill, old.dtype)


def many_labels(model):
    """Estimators with labels that are padded to many characters."""
    labels = [*[f"{i:04}" for i in range(7999)], "a" * 200]
    state = {"n_features_in_": 1, "classes_": labels}

    def linear():
        coef, intercept = model.add(np.zeros((8000, 1))), model.add(np.zeros(8000))
        fitted = {**state, "coef_": coef, "intercept_": intercept}
        return estimator("sklearn.linear_model.LogisticRegression", fitted)

    return pipeline(*[linear() for _ in range(15)])


def neighbors(n):
    def change(model):
        array("KNeighborsClassifier", "_fit_X", lambda a: np.resize(a, (n, 4)))(model)
        array("KNeighborsClassifier", "_y", lambda a: np.arange(n) % 3)(model)

    return change


def front_end(cls="GTZANFeatures"):
    return estimator(f"skgenre.{cls}")


def front_end_behind(wrap):
    """Put what contains a front end behind the first step."""
    return root(lambda model: pipeline(estimator(SCALER), wrap(model)))


# ---------------------------------------------------------------- the table

FOREST, BOOSTING = "RandomForestClassifier", "HistGradientBoostingClassifier"
KNN, NET = "KNeighborsClassifier", "ANNClassifier"
NO_CHILD, NO_FEATURE = "a child that does not follow its parent", "feature index outside of the 4"

#: Label -> model that is changed, change, pattern of the message.
CASES = {
    # Attributes that scikit-learn or Python would use.
    **{
        f"HTML by {name}": (
            *("scaled", fitted("LogisticRegression", name, "<script>")),
            f"LogisticRegression has unknown fitted attributes .*'{name}'",
        )
        for name in ("_doc_link_template", "_repr_html_", "__class__", "__dict__", "predict")
    },
    "a preprocessor of boosting": (
        *("boosting", fitted(BOOSTING, "_preprocessor", front_end())),
        "unknown fitted attributes .*'_preprocessor'",
    ),
    "a depth of trees": ("forest", fitted(FOREST, "max_depth", 1), "unknown .*'max_depth'"),
    **{
        f"the parameter {name}": (
            *("forest", parameter(FOREST, **{name: 1})),
            f"RandomForestClassifier has unknown parameters .*'{name}'",
        )
        for name in ("n_jobs", "verbose", "predict", "__class__")
    },
    "a folder of a pipeline": ("scaled", parameter("Pipeline", memory="/tmp"), "unknown.*memory"),
    "a folder of a front end": (
        *("files of mfcc", parameter("MFCCSegmenter", memory="/tmp")),
        "MFCCSegmenter has unknown parameters .*memory",
    ),
    "another key": ("scaled", lambda m: m.root.update(state="x"), "is not an estimator"),
    "another output": ("scaled", lambda m: m.root.update(output="html"), "output setting 'html'"),
    # Other classes, and what looks like one.
    **{
        f"the class {cls!r}": (
            *("scaled", lambda m, cls=cls: m.node("StandardScaler").update({"class": cls})),
            "Pipeline.steps.standardscaler .* is not a supported class of a model file",
        )
        for cls in (
            *("sklearn.feature_extraction.text.CountVectorizer", "sklearn.decomposition.PCA"),
            *("sklearn.model_selection.GridSearchCV", "sklearn.ensemble.StackingClassifier"),
            *("sklearn.calibration.CalibratedClassifierCV", "sklearn.model_selection.KFold"),
            *("sklearn.ensemble._forest.RandomForestClassifier", "numpy.random.RandomState"),
            *("builtins.eval", "os.system", "joblib.Memory", "skgenre.load", "", None, 1, True),
            *(["sklearn.pipeline.Pipeline"], {"class": "sklearn.svm.SVC"}),
        )
    },
    "no estimator": ("scaled", root("x"), "x is not an estimator"),
    "steps without names": ("scaled", parameter("Pipeline", steps=[1]), "not a name and an est"),
    "no list of steps": ("scaled", parameter("Pipeline", steps=None), "'steps' parameter"),
    "a list as an estimator": (
        *("segments", parameter("SegmentVotingClassifier", estimator=[["a", "drop"]])),
        "SegmentVotingClassifier.*'estimator' parameter",
    ),
    "a splitter": (
        *("calibrated", parameter("GroupCalibratedClassifier", cv=estimator("x"))),
        "GroupCalibratedClassifier.cv .* is not a value of a parameter",
    ),
    **{
        f"random by {value!r:.20}": (
            *("forest", parameter(FOREST, random_state=value)),
            "RandomForestClassifier.*random_state",
        )
        for value in (-1, 2**32, 1.5, "0", {"tuple": ["MT19937", [0] * 624]})
    },
    # Other files: labels that are paths reach a front end, which reads them.
    "a front end of labels": (
        *("hard", root(lambda m: pipeline(m.root, front_end()))),
        "Pipeline.steps.1.GTZANFeatures must be the first step",
    ),
    "a front end in a later pipeline": (
        *("scaled", front_end_behind(lambda m: pipeline(front_end("MFCCSegmenter")))),
        "MFCCSegmenter must be the first step",
    ),
    "a front end in a fitted classifier": (
        "calibrated",
        front_end_behind(
            lambda m: (
                fitted("GroupCalibratedClassifier", "estimator_", pipeline(front_end()))(m)
                or m.root
            )
        ),
        "estimator_.Pipeline.steps.0.GTZANFeatures must be the first step",
    ),
    "a front end as a scaler": (
        *("power", fitted("PowerTransformer", "_scaler", front_end())),
        "PowerTransformer has a _scaler that is not a StandardScaler",
    ),
    # Compiled code would read outside of arrays, or never end.
    **{
        f"neighbors by {metric}": (
            *("cosines", parameter(KNN, metric=metric)),
            "KNeighborsClassifier.metric must be one of",
        )
        for metric in ("precomputed", "pyfunc", "mahalanobis", "haversine", ["minkowski"])
    },
    "weights of a metric": ("cosines", parameter(KNN, metric_params={"dict": []}), "metric_params"),
    **{
        f"neighbors of the label {value}": ("cosines", first(KNN, "_y", value), "KNeighbors")
        for value in (3, -1, 2**62)
    },
    "more neighbors than rows": (
        *("cosines", parameter(KNN, n_neighbors=31)),
        "has 30 training samples, expected n_neighbors=31 to 200000",
    ),
    "many rows": ("cosines", neighbors(1_000_000), "has 1000000 training samples"),
    "rows of no class": ("cosines", array(KNN, "_y", lambda a: a * 0), "class without samples"),
    "cosines in a tree": ("cosines", parameter(KNN, algorithm="kd_tree"), "KNeighbors.*cosine"),
    "a kernel of indices": ("two", parameter("SVC", kernel="precomputed"), "SVC.kernel must be"),
    "a support vector": ("two", first("SVC", "support_", -1), "SVC.support_ has values below 0"),
    "counts that lie": (
        *("two", array("SVC", "_n_support", lambda a: a + 1)),
        "SVC has an _n_support that does not sum up",
    ),
    "counts that overflow": (
        *("quantiles", array("SVC", "_n_support", lambda a: np.full_like(a, 2**31 - 1))),
        "SVC has an _n_support that does not sum up",
    ),
    "negative counts": ("two", first("SVC", "_n_support", -1), "_n_support has values below 0"),
    "no support vectors": (
        "two",
        in_turn(
            *(array("SVC", n, lambda a: a[:0]) for n in ("support_", "support_vectors_")),
            array("SVC", "_dual_coef_", lambda a: a[:, :0]),
            array("SVC", "_n_support", lambda a: a * 0),
        ),
        "SVC has an _n_support that does not sum up",
    ),
    "one probability of machines": (
        *("quantiles", in_turn(*(array("SVC", f"_prob{x}", lambda a: np.ones(1)) for x in "AB"))),
        "one value of _probA for each pair",
    ),
    **{
        f"a tree whose {name} is {value}": (
            *("forest", node_of_a_tree(FOREST, "estimators_", name, value)),
            f"RandomForestClassifier.estimators_ .*{message}",
        )
        for name, value, message in (
            *(("left_child", 0, NO_CHILD), ("left_child", 10**6, NO_CHILD)),
            *(("right_child", 0, NO_CHILD), ("right_child", -5, NO_CHILD)),
            *(("feature", 4, NO_FEATURE), ("feature", -2, NO_FEATURE)),
        )
    },
    **{
        f"a boosted tree whose {name} is {value}": (
            *("boosting", node_of_a_tree(BOOSTING, "_predictors", name, value)),
            f"HistGradientBoostingClassifier._predictors.* {message}",
        )
        for name, value, message in (
            *(("left", 0, NO_CHILD), ("right", 2**31, NO_CHILD), ("feature_idx", 4, NO_FEATURE)),
        )
    },
    **{
        f"{how} in {base}": (
            *(base, array(cls, f"{name}.n_nodes", change)),
            f"{cls}.{name} .*(does not sum up|has size|below 1)",
        )
        for base, cls, name in (
            ("forest", FOREST, "estimators_"),
            ("boosting", BOOSTING, "_predictors"),
        )
        for how, change in {
            "trees of more nodes": lambda a: a + 1,
            "trees whose sizes overflow": lambda a: a * 0 + 2**62,
            "trees of no nodes": lambda a: a * 0,
            "no trees": lambda a: a[:0],
        }.items()
    },
    "trees of other classes": (
        *("boosting", array(BOOSTING, "_predictors.n_nodes", lambda a: a.reshape(-1, 1))),
        "HistGradientBoostingClassifier._predictors has size 1, expected 3",
    ),
    "nodes of another kind": (
        *("forest", array(FOREST, "estimators_.nodes", lambda a: np.zeros(len(a), "f8,f8"))),
        "RandomForestClassifier.estimators_ has dtype .*, expected ",
    ),
    "trees without values": (
        *("forest", lambda m: m.node(FOREST)["fitted"]["estimators_"].pop("values")),
        "RandomForestClassifier.estimators_ must consist of",
    ),
    "fewer trees": ("forest", parameter(FOREST, n_estimators=2), "3 trees, expected n_est"),
    "categories": ("boosting", fitted(BOOSTING, "is_categorical_", [1]), "must be None"),
    "an indicator": ("neighbors", fitted("SimpleImputer", "indicator_", 1), "unknown fitted attr"),
    "indicators": (
        *("neighbors", parameter("SimpleImputer", add_indicator=True)),
        "SimpleImputer.add_indicator must be one of",
    ),
    "votes for large labels": (
        "hard",
        lambda m: next(
            n
            for n in nodes(m.node("VotingClassifier")["fitted"])
            if "fitted" in n and "classes_" in n["fitted"]
        )["fitted"].update(classes_=[0, 1, 2**40]),
        "VotingClassifier has a member in estimators_ with other classes",
    ),
    "fewer voters": (
        *("soft", lambda m: m.node("VotingClassifier")["fitted"]["estimators_"].pop()),
        "has 1 estimators_, expected 2",
    ),
    "voters of another kind": (
        *("soft", fitted("VotingClassifier", "estimators_", {"a": 1})),
        "is not a list of estimators",
    ),
    **{
        f"other classes of {cls}": (
            *(base, fitted(cls, "classes_", ["a", "b", "c"])),
            f"{cls} has an estimator_ that is not fitted to the same classes",
        )
        for base, cls in (
            ("segments", "SegmentVotingClassifier"),
            ("calibrated", "GroupCalibratedClassifier"),
        )
    },
    # Outputs of transformers.
    **{
        f"{label} of powers": (
            *("power", change),
            "PowerTransformer has a _scaler that is not a StandardScaler fitted to 4 features",
        )
        for label, change in (
            ("no scaler", lambda m: m.node("PowerTransformer")["fitted"].pop("_scaler")),
            (
                "an unfitted scaler",
                lambda m: m.node("PowerTransformer")["fitted"]["_scaler"].pop("fitted"),
            ),
        )
    },
    "references above 1": (
        *("quantiles", array("QuantileTransformer", "references_", lambda a: a * 2)),
        "QuantileTransformer.references_ has values above 1",
    ),
    "another distribution": (
        *("quantiles", parameter("QuantileTransformer", output_distribution="cauchy")),
        "QuantileTransformer.*output_distribution",
    ),
    "a scale of zero": ("scaled", first("StandardScaler", "scale_", 0), "scale_ has values below"),
    "a negative variance": ("scaled", first("StandardScaler", "var_", -1), "var_ has values below"),
    # Ranges of parameters.
    **{
        f"{name}={value} of {cls}": (base, parameter(cls, **{name: value}), f"{cls}.*{name}")
        for base, cls, values in (
            (
                "files of mfcc",
                "MFCCSegmenter",
                {
                    "n_fft": 1 << 28,
                    "n_mels": 10**9,
                    "sample_rate": 0,
                    "hop_length": 1,
                    "n_mfcc": 10**7,
                    "segment_duration": 1e12,
                    "fmin": 1e300,
                    "n_segments": 2 * 10**6,
                    "placement": "everywhere",
                },
            ),
            ("files of mfcc", "MFCCSegmenter", {"sample_rate": 2 * 10**9, "n_fft": 1}),
            ("files of mfcc", "MFCCSegmenter", {"segment_duration": {"number": "nan"}}),
            ("files of levels", "MelSegmenter", {"top_db": 1e300, "frames_per_step": 10**9}),
            ("polynomial", "SVC", {"degree": 10**6 + 1, "cache_size": 0}),
        )
        for name, value in values.items()
    },
    **{
        f"the value {value!r}": (
            *("scaled", parameter("LogisticRegression", C=value)),
            f"LogisticRegression.C .*{message}",
        )
        for value, message in (
            ({"a": 1}, "is not a value of a parameter"),
            ({"dict": [[[], 1]]}, "is not a value of a parameter"),
            ({"number": "1"}, "is not a value of a parameter"),
            ({"tuple": 3}, "is not a value of a parameter"),
            (10**18, "is not between"),
            (1e300, "is not between"),
        )
    },
    # Sizes of the model.
    "101 estimators": (
        *("scaled", root(pipeline(*[estimator(SCALER)] * 100))),
        "has more than 100 estimators",
    ),
    "estimators nine deep": ("scaled", root(nested(9)), "more than 8 nested"),
    "a million neighbors": ("cosines", neighbors(3_000_000), "unpacks to|training samples"),
    "many trees": ("forest", many_trees, "RandomForestClassifier.estimators_ unpacks to .* more"),
    "labels of 96 MB": ("scaled", root(many_labels), "LogisticRegression.classes_ unpacks to"),
    **{
        f"labels {label}": (
            *("scaled", fitted("LogisticRegression", "classes_", labels)),
            "LogisticRegression.classes_",
        )
        for label, labels in (
            *(("one", ["a"]), ("none", []), ("unsorted", ["c", "b", "a"])),
            *(("repeated", ["a", "a", "b"]), ("of two kinds", ["a", 1, 2.5])),
            *(("long", ["a" * 201, "b", "c"]), ("lists", [["a"], ["b"], ["c"]])),
            *(("NaN", [0.0, 1.0, float("nan")]), ("too many", list(range(10_001)))),
            ("of an object", {"dtype": "O", "labels": ["a", "b", "c"]}),
        )
    },
    # Networks.
    **{
        f"a network of {label}": ("ann", change, f"ANNClassifier.*{message}")
        for label, change, message in (
            ("no layers", layers(), "must have a list of 1 to 200 layers"),
            ("201 layers", layers(*[layer("Flatten")] * 201), "must have a list of 1 to 200"),
            ("no architecture", fitted(NET, "architecture_", 1), "is not an architecture"),
            ("an unknown layer", layers(layer("Lambda", function="x")), "unknown layer 'Lambda'"),
            ("no layer", layers(1), "has invalid layers"),
            ("other sizes", layers(layer("Flatten", rate=1)), "has invalid layers"),
            ("another activation", layers(dense(3, "exp")), "has invalid layers"),
            ("no units", layers(dense(0)), "has invalid layers"),
            ("huge units", layers(dense(10**9)), "1000000000 is not between"),
            ("text as units", layers(dense("3")), "has invalid layers"),
            ("other frames", layers(layer("Reshape", target_shape=[5, 5])), "has invalid layers"),
            ("a negative shape", layers(layer("Reshape", target_shape=[-2, 16])), "not between"),
            ("half a frame", layers(layer("Reshape", target_shape=[2.0, 16])), "shape .2.0, 16"),
            ("a wide input", layers(*FLAT, shape=(1 << 20, 1 << 20)), "too large shape"),
            ("no input", layers(*FLAT, shape=(0, 4)), "invalid or too large shape"),
            ("an input of text", layers(*FLAT, shape="ab"), "has invalid layers|shape"),
            ("no vector at the end", layers(dense(3)), "has size 2, expected 1"),
            (
                "a large output",
                layers(layer("Reshape", target_shape=[32, 1]), dense(1 << 20), *FLAT),
                "too large shape",
            ),
            (
                "another number of classes",
                layers(layer("Flatten"), dense(4), weights=[(32, 4), (4,)]),
                "has size 4, expected 3",
            ),
            ("weights of another shape", layers(*FLAT, weights=[(3, 32), (3,)]), "of shape"),
            ("missing weights", layers(*FLAT, weights=[(32, 3)]), "must have 2 weight arrays"),
            ("no weights", fitted(NET, "weights_", None), "weights_ is missing"),
            ("a word as weights", fitted(NET, "weights_", "x"), "is not a list of arrays"),
            (
                "weights used twice",
                lambda m: m.node(NET)["fitted"]["weights_"].append("arrays/0.npy"),
                "is not an array of the file, or is used twice",
            ),
            ("no loss", fitted(NET, "history_", {"dict": []}), "without a list of losses"),
            ("no history", fitted(NET, "history_", "loss"), "without a list of losses"),
        )
    },
    "weights that are not finite": (
        *("cnn", weight(0, lambda a: a * np.float32("inf"))),
        "CNNClassifier has weights that are not finite",
    ),
    "a negative variance of a batch": (
        *("cnn", weight(5, lambda a: -a)),
        "CNNClassifier has negative variances",
    ),
    # Manifests.
    **{
        f"a manifest of {label}": ("scaled", change, message)
        for label, change, message in (
            ("deep lists", described_as("[" * 100_000 + "]" * 100_000), "damaged|nested"),
            (
                "lists 600 deep",
                parameter("LogisticRegression", C=json.loads("[" * 600 + "]" * 600)),
                "recursion",
            ),
            ("deep objects", described_as('{"a":' * 999 + "1" + "}" * 999), "nested|recursion"),
            ("a huge integer", described_as("9" * 5000), "damaged|digits"),
            ("many lists", described_as("[" + "[]," * 100_000 + "[]]"), "of the wrong type"),
            ("5 MB", described_as('"' + "x" * 5_000_000 + '"'), "a manifest of .* bytes, more"),
            ("control characters", described_as('"\\u001b[2J"'), "control character"),
            (
                "control characters in a key",
                lambda m: m.manifest["versions"].update({"\x9b2J": "1"}),
                "control character",
            ),
            ("text that runs backwards", described_as('"\\u202egnp.exe"'), "control character"),
            ("half a character", described_as('"\\ud800"'), "control character"),
            ("other bytes than UTF-8", described_as('"\ud800"'), "damaged|control"),
            ("lines in a name", parameter("LogisticRegression", solver="a\nb"), "control charac"),
            ("no text", text(lambda old: ""), "damaged"),
            ("another value", text(lambda old: "[]"), "not a JSON object"),
            ("format 2", lambda m: m.manifest.update(format=2), "has format 2, but this version"),
            ("format true", lambda m: m.manifest.update(format=True), "has format True, but"),
            ("another key", lambda m: m.manifest.update(pickle="x"), "unknown keys: .'pickle'"),
            ("versions of numbers", lambda m: m.manifest["versions"].update(numpy=2), "not stri"),
            ("no versions", lambda m: m.manifest.update(versions=[]), "versions of the wrong type"),
        )
    },
    # Files of arrays.
    **{
        f"an array file of {label}": ("scaled", file_of(change), f"StandardScaler.*{message}")
        for label, change, message in (
            ("objects", lambda a: npy(a).replace(b"'<f8'", b"'|O' "), "dtype object, expected f8"),
            ("integers", lambda a: npy(a).replace(b"<f8", b"<i8"), "has dtype int64, expected f8"),
            ("parts", lambda a: npy(np.zeros(4, "f8,f8")), "has dtype .*, expected f8"),
            ("another shape", lambda a: npy(a).replace(b"(4,)", b"(5,)"), "reshape"),
            (
                "a huge shape",
                lambda a: npy(a).replace(b"(4,), }" + b" " * 18, b"(1000000000000000000,), }"),
                "reshape|too large",
            ),
            ("code", lambda a: npy(a)[:10] + b"__import__('os')".ljust(118) + npy(a)[128:], "."),
            ("a long header", lambda a: npy(a)[:8] + b"\xff\xff" + npy(a)[10:] * 99, "."),
            ("no header", lambda a: b"\0" * 160, "magic string"),
            ("fewer bytes", lambda a: npy(a)[:-1], "buffer size"),
            ("nothing", lambda a: b"", "."),
        )
    },
    "an array of the air": (
        *("scaled", fitted("StandardScaler", "mean_", {"array": "arrays/999.npy"})),
        "StandardScaler.mean_ 'arrays/999.npy' is not an array of the file",
    ),
    "an array used twice": (
        *(
            "scaled",
            lambda m: m.node("StandardScaler")["fitted"].update(
                mean_=m.node("StandardScaler")["fitted"]["var_"]
            ),
        ),
        "StandardScaler.var_ .* is used twice",
    ),
    **{
        f"a member {name!r}": (
            *("scaled", lambda m, name=name: m.arrays.__setitem__(name, np.zeros(3))),
            "contains members that are not used",
        )
        for name in ("/etc/a.npy", "../../a.npy", "C:\\a.npy", "a\x1b.npy", "arrays/99.npy")
    },
    # Zips.
    **{
        f"a zip of {label}": ("scaled", change, message)
        for label, change, message in (
            ("BZIP2", members(lambda c: write_members(c, zipfile.ZIP_BZIP2)), "than deflate"),
            ("LZMA", members(lambda c: write_members(c, zipfile.ZIP_LZMA)), "than deflate"),
            ("encrypted members", members(lambda c: stored(c, flags=1)), "encrypted"),
            (
                "members that overlap",
                members(lambda c: stored(c, offsets=[0] * len(c))),
                "has a member .* that overlaps with another",
            ),
            (
                "1.4 GB of zeros",
                members(
                    lambda c: raw_zip(
                        [(name, content, None) for name, content in c.items()]
                        + [("a.npy", deflated_zeros(1_400_000_000), 1_400_000_000)]
                    )
                ),
                "unpacks to 14.* bytes, more than",
            ),
            (
                "a manifest that is larger than it says",
                lambda m: raw_zip([("manifest.json", deflated_zeros(10**9), 1000)]),
                "Bad CRC|JSON|Expecting",
            ),
            (
                "an array that is larger than it says",
                members(
                    lambda c: raw_zip(
                        [
                            (
                                n,
                                *(
                                    (b, None)
                                    if "manifest" in n
                                    else (deflated_zeros(10**9), len(b))
                                ),
                            )
                            for n, b in c.items()
                        ]
                    )
                ),
                "Bad CRC",
            ),
            (
                "a member that is smaller than it says",
                lambda m: raw_zip([("manifest.json", deflated_zeros(1)[:5], 1000)]),
                "ends early|damaged",
            ),
            ("21,000 members", lambda m: stored({f"{i:06}": b"" for i in range(21_000)}), "many"),
            ("5,000 members", lambda m: stored({f"{i:04}": b"" for i in range(5_000)}), "no man"),
            ("a false count", lambda m: stored({"a": b""}, n_members=65535), "damaged|no manif"),
            ("64 bits", lambda m: zip64(m.content()), "has too many members"),
            ("a comment", lambda m: m.content()[:-2] + b"\5\0PK\5\6 ", "no end record of a zip"),
            ("too few bytes", lambda m: m.content()[:-1], "no end record of a zip"),
            ("junk", lambda m: b"\x7fELF" * 100 + m.content()[50:], "damaged"),
            ("nothing", lambda m: b"", "no end record of a zip"),
        )
    },
    "a pickle": (
        *("scaled", lambda m: b"\x80\x04cos\nsystem\nX\4\0\0\0trueR."),
        "is not a model file, or damaged: it has no end record of a zip",
    ),
}


@pytest.mark.parametrize("label", CASES)
def test_a_file_is_refused_by_the_name_of_its_part(label, zoo, tmp_path):
    base, change, message = CASES[label]
    model = Model(*zoo[base])
    content = change(model)
    path = tmp_path / "model.skgenre"
    path.write_bytes(content if isinstance(content, bytes) else model.content())
    del content
    tracemalloc.start()
    try:
        with pytest.raises(ModelFileError) as caught:
            load(path)
        mb = tracemalloc.get_traced_memory()[1] / 1e6
    finally:
        tracemalloc.stop()
    assert re.search(message, caught.value.reason, re.DOTALL)
    assert len(caught.value.reason) < 1000
    assert len(caught.value.reason.splitlines()) == 1
    assert mb < 200


# ---------------------------------------------------------------- generated from the list


def damaged(attribute):
    """Values of which none is allowed for a kind of attribute."""
    yield from (True, "x", {}, [[]], estimator("os.system"))
    if not attribute.optional:
        yield None
    if isinstance(attribute, NumberAttribute):
        yield from (2**62, -(2**62), {"number": "nan"}, *([1.5] if attribute.integer else []))
    if isinstance(attribute, EstimatorAttribute):
        yield estimator(SCALER)


def damaged_arrays(attribute, array):
    """Changes of an array of which none is allowed."""
    yield array.astype("i4" if attribute.dtype.startswith("f") else "f8")
    yield array[None]
    yield array.ravel()[:1].reshape(())
    if attribute.shape[0] in ("n", "k", "rows", "k - 1", "pairs"):
        yield from (array[:-1], np.concatenate([array, array[:1]]))
    numbers = [np.nan, np.inf] if attribute.dtype.startswith("f") and attribute.finite else []
    if attribute.low is not None:
        numbers.append(-1)
    for number in numbers:
        changed = array.copy()
        changed.flat[:1] = number
        yield changed


@pytest.mark.parametrize("name", ALLOWED)
def test_each_class_refuses_what_its_attributes_do_not_allow(name, zoo, tmp_path):
    path = tmp_path / "model.skgenre"
    cls = name.rpartition(".")[2]
    manifest, arrays = next(
        each for each in zoo.values() if any(n["class"] == name for n in nodes(each[0]["model"]))
    )
    state = next((n for n in nodes(manifest["model"]) if n["class"] == name and "fitted" in n), {})
    for attribute, kind in ALLOWED[name].fitted.items():
        if isinstance(kind, NoneAttribute | ValueAttribute):
            continue
        models = []
        for value in damaged(kind):
            models.append(Model(manifest, arrays))
            models[-1].node(cls)["fitted"][attribute] = value
        if not kind.optional:
            models.append(Model(manifest, arrays))
            del models[-1].node(cls)["fitted"][attribute]
        stored = state["fitted"].get(attribute)
        if isinstance(kind, ArrayAttribute) and stored and arrays[stored["array"]].size:
            member = stored["array"]
            models += [
                Model(manifest, {**arrays, member: changed})
                for changed in damaged_arrays(kind, arrays[member])
            ]
        for model in models:
            path.write_bytes(model.content())
            with pytest.raises(ModelFileError, match=rf"{cls}(\.|.*has|.*not an )"):
                load(path)


# ---------------------------------------------------------------- what may load


def test_a_notebook_shows_text_of_a_file_as_text(zoo, tmp_path):
    """What is HTML in names, labels and parameters is not HTML in the diagram."""
    path = tmp_path / "model.skgenre"
    for base in ("scaled", "hard", "neighbors", "ann"):
        model = Model(*zoo[base])
        for node in nodes(model.root):
            for name in ("steps", "estimators"):
                for pair in node["parameters"].get(name, []):
                    pair[0] = f"<script>{pair[0]}"
            if "class_weight" in node["parameters"]:
                node["parameters"]["class_weight"] = {"dict": [["<script>", 1.0]]}
            if "classes_" in node.get("fitted", {}) and base != "hard":
                node["fitted"]["classes_"] = [f"<script>{i}" for i in range(3)]
            if node["class"] == SCALER:
                node["fitted"]["feature_names_in_"] = [f"<script>{i}" for i in range(4)]
        path.write_bytes(model.content())
        shown = load(path)._repr_html_()
        assert "<script>" not in re.sub("<script>[^<]*function ", "", shown), base


def test_the_text_of_nested_estimators_is_short(zoo, tmp_path):
    path = tmp_path / "model.skgenre"
    model = Model(*zoo["scaled"])
    model.manifest["model"], model.arrays = nested(8), {}
    path.write_bytes(model.content())
    assert len(repr(load(path))) < 10_000


@pytest.mark.skipif(sys.platform == "win32", reason="has no such files")
@pytest.mark.parametrize("kind", ["pipe", "directory", "device", "link to a device"])
def test_what_is_no_regular_file_is_not_opened(kind, tmp_path):
    path = tmp_path / "model.skgenre"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "device":
        path = "/dev/zero"
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(ModelFileError, match="cannot be loaded: it is not a regular file"):
        load(path)
