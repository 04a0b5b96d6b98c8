"""Model files that are made to do harm: each is refused, by the name of its part, and at no cost.

All are made of real files, and tried in a process of their own: see ``try_models``. Most are
generated from the entries of the closed list, so that a new class is tried too.
"""

import copy
import inspect
import io
import json
import os
import re
import struct
import sys
import zipfile
from functools import partial

import numpy as np
import pytest

from skgenre import load
from skgenre.persistence.entries import ENTRIES
from skgenre.persistence.values import Array, Labels, Names, Number, Part, Parts, Words

from . import try_models
from .model_files import npy, repack, unpack
from .model_zoo import save_all

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="measures as POSIX does")

#: What refusing a file may take, in seconds of the processor and in megabytes.
MOST_SECONDS, MOST_MB = 1, 200


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
        """The first estimator of a class, by its name or the end of it."""
        for node in nodes(self.root):
            if f".{node['class']}".endswith(f".{cls}") and ("fitted" in node or not fitted):
                return node
        raise LookupError(cls)

    def array(self, cls, name):
        return self.arrays[self.node(cls)["fitted"][name]["array"]]

    def set_array(self, cls, name, array):
        self.arrays[self.node(cls)["fitted"][name]["array"]] = np.array(array, order="C")
        return self

    def set(self, cls, part, name, value):
        self.node(cls, fitted=part == "fitted")[part][name] = value
        return self

    def wrap(self, node):
        """Put another model in the place of this one."""
        self.manifest["model"] = node
        return self

    def add(self, array):
        """Add an array, and return what an attribute that has it looks like."""
        name = f"arrays/{len(self.arrays)}.npy"
        self.arrays[name] = array
        return {"array": name}

    def content(self):
        file = io.BytesIO()
        repack(file, self.manifest, self.arrays)
        return file.getvalue()


def estimator(cls, fitted=None, **parameters):
    node = {"class": cls, "parameters": parameters}
    return node if fitted is None else {**node, "fitted": fitted}


def pipeline(*steps):
    return estimator("sklearn.pipeline.Pipeline", steps=[[str(i), s] for i, s in enumerate(steps)])


# ---------------------------------------------------------------- generated from the entries


def damaged_arrays(kind, shared):
    """Changes of an array of a kind, and whether each has to be refused.

    `shared` are the names of sizes that another attribute has too.
    """
    floats = kind.dtype.startswith("f")
    fixed = kind.shape[0] in shared or not isinstance(kind.shape[0], str)
    yield "of another dtype", True, lambda a: a.astype("i4" if floats else "f8")
    yield "of 16 bits", True, lambda a: a.astype("f2" if floats else "i2")
    yield "lengthened", fixed, lambda a: np.concatenate([a, a[:1]])
    yield "shortened", fixed, lambda a: a[:-1]
    yield "empty", fixed, lambda a: a[:0]
    yield "of another axis", True, lambda a: a[None]
    yield "a single number", True, lambda a: a.ravel()[:1].reshape(())
    yield "of zeros", False, np.zeros_like
    yield "reversed", kind.increasing, lambda a: np.ascontiguousarray(a[::-1])
    largest = 1e300 if floats else np.iinfo(kind.dtype).max
    yield "huge", kind.high is not None, lambda a: set_first(a, largest)
    if kind.dtype != "u1":
        yield "hugely negative", kind.low is not None, lambda a: set_first(a, -largest)
    if floats:
        yield "with NaN", kind.finite, lambda a: set_first(a, np.nan)
        yield "with infinity", kind.finite, lambda a: set_first(a, np.inf)
    if kind.low is not None and kind.dtype != "u1":
        yield "too low", True, lambda a: set_first(a, kind.low - 1)


def set_first(array, value):
    array = array.copy()
    if array.size:
        with np.errstate(over="ignore"):
            array.flat[0] = value
    return array


def damaged_values(kind):
    """Changes of an attribute of a kind, and whether each has to be refused."""
    yield "null", not kind.optional, None
    for name, value in [("true", True), ("text", "x"), ("an object", {}), ("an array", [[]])]:
        yield name, True, value
    yield "an estimator of another list", True, estimator("os.system", command="true")
    yield "an array of the air", True, {"array": "arrays/999.npy"}
    if isinstance(kind, Number):
        yield "too high", True, 2**62
        yield "too low", True, -(2**62)
        yield "infinite", True, {"number": "inf"}
        if kind.integer:
            yield "no integer", True, 1.5
    if isinstance(kind, Labels):
        for name, labels, dtype in [
            ("one", ["a"], "U1"),
            ("none", [], "U1"),
            ("unsorted", ["c", "b", "a"], "U1"),
            ("repeated", ["a", "a", "b"], "U1"),
            ("of two kinds", ["a", 1, 2.5], "O"),
            ("cut off", ["abc", "abd", "b"], "U1"),
            ("wide", ["a", "b", "c"], "U999999"),
            ("wide in all", [f"{i:04}" for i in range(9000)], "U999"),
            ("wider than it seems", ["a", "b", "c"], "U000100000000"),
            ("lists", [["a"], ["b"], ["c"]], "O"),
            ("of a structure", ["a", "b", "c"], "U1,O"),
            ("numbers too large", [0, 1, 2**70], "i8"),
            ("of numbers in other digits", ["a", "b", "c"], "U\u0661"),
            ("with control characters", ["a", "b\x1b[2J", "c"], "U9"),
        ]:
            yield f"labels {name}", True, {"dtype": dtype, "labels": labels}
    if isinstance(kind, Names):
        yield "too many names", kind.size == "n", ["x"] * 1000
        yield "names that are numbers", True, [1]
    if isinstance(kind, Words):
        yield "other words", True, ["__reduce__"]
    if isinstance(kind, Part | Parts):
        grid = estimator("sklearn.model_selection.GridSearchCV", estimator=None)
        scaler = estimator("sklearn.preprocessing.StandardScaler")
        many = isinstance(kind, Parts)
        yield "a search", True, [grid] if many else grid
        needed = kind.same_classes or kind.types not in ((object,), (scaler,))
        yield "no classifier", needed and not kind.optional, [scaler] if many else scaler


#: What no file may set, of a class or of all classes.
SHADOWS = ("predict", "transform", "_doc_link_template", "__class__", "_repr_html_", "__dict__")


def fitted_cases(name):
    """Changes of what is stored of a class: label, whether it is refused, and how to make it."""
    kinds = ENTRIES[name].fitted
    for attribute, kind in kinds.items():
        others = [k for k in kinds.values() if k is not kind and isinstance(k, Array)]
        shared = {"n", "k", "rows", "pairs", "k - 1"} | {s for k in others for s in k.shape}
        for label, refused, value in damaged_values(kind):
            yield f"{attribute} {label}", refused, partial(put, name, "fitted", attribute, value)
        if not kind.optional:
            yield f"{attribute} missing", True, partial(remove, name, attribute)
        if isinstance(kind, Array):
            for label, refused, change in damaged_arrays(kind, shared):
                yield f"{attribute} {label}", refused, partial(alter, name, attribute, change)
            for other, kind_of_other in kinds.items():
                if other > attribute and isinstance(kind_of_other, Array):
                    fits = kind.shape == kind_of_other.shape and kind.dtype == kind_of_other.dtype
                    yield (
                        f"{attribute} that is {other} too",
                        True,
                        partial(share, name, attribute, other),
                    )
                    if not fits and len(kind.shape) != len(kind_of_other.shape):
                        yield (
                            f"{attribute} for {other}",
                            True,
                            partial(swap, name, attribute, other),
                        )
    for shadow in (*SHADOWS, "unknown_"):
        yield f"{shadow} as fitted", True, partial(put, name, "fitted", shadow, "<b>x</b>")


def parameter_cases(name):
    """Changes of the parameters of a class, and of what is beside them."""
    entry = ENTRIES[name]
    for shadow in (*SHADOWS, "unknown", "n_jobs", "memory", "verbose", "callbacks", "self"):
        yield f"{shadow} as parameter", True, partial(put, name, "parameters", shadow, "x")
    for shadow in (*SHADOWS, "__reduce__"):
        yield f"{shadow} beside", True, partial(beside, name, shadow, "x")
    yield "requests of another kind", True, partial(beside, name, "requests", [1])
    yield "requests of another method", True, partial(beside, name, "requests", {"__init__": {}})
    yield (
        "requests of code",
        True,
        partial(beside, name, "requests", {"fit": {"sample_weight": "a b()"}}),
    )
    yield "output of another kind", True, partial(beside, name, "output", "html")
    parameters = inspect.signature(entry.cls.__init__).parameters.values()
    deep = 1
    for _ in range(100):
        deep = [deep]
    for n, parameter in enumerate(parameters, sum(map(ord, name))):
        left_out = ("self", "n_jobs", "memory", "verbose", "callbacks")
        if parameter.name in left_out or parameter.kind is parameter.VAR_KEYWORD:
            continue
        always, others = (
            [("huge", True, 10**18), ("an object", True, {"a": 1})],
            [
                ("hugely negative", True, -(10**18)),
                ("huge in a list", not entry.nested, [1, {"dict": [["a", 10**18]]}]),
                ("an estimator of another list", True, estimator("os.system", command="true")),
                ("a list as key", True, {"dict": [[[], 1]]}),
                ("no pair", True, {"dict": [[1, 2, 3]]}),
                ("text with control characters", True, "\x1b]0;x\x07"),
                ("nested deeply", True, deep),
                ("not a number", False, {"number": "nan"}),
                ("infinite", False, {"number": "inf"}),
                ("text", False, "[^(\\d+)*]+$"),
                ("a path", False, "/etc/passwd"),
                ("nested", False, [[[[1]]]]),
                ("true", False, True),
                ("null", False, None),
                ("zero", False, 0),
                ("a million", False, 10**6),
                ("tiny", False, 5e-324),
            ],
        )
        # Each parameter in some of the ways: in all they would be thousands.
        start = 3 * n % len(others)
        for label, refused, value in [*always, *(others * 2)[start : start + 3]]:
            yield (
                f"{parameter.name} {label}",
                refused,
                partial(put, name, "parameters", parameter.name, value),
            )


def put(name, part, attribute, value, model):
    return model.set(name, part, attribute, value)


def beside(name, key, value, model):
    model.node(name, fitted=False)[key] = value
    return model


def remove(name, attribute, model):
    del model.node(name)["fitted"][attribute]
    return model


def alter(name, attribute, change, model):
    state = model.node(name)["fitted"]
    if not isinstance(state.get(attribute), dict):
        raise LookupError(attribute)
    if not model.array(name, attribute).size:
        raise LookupError(attribute)
    return model.set_array(name, attribute, change(model.array(name, attribute)))


def share(name, attribute, other, model):
    state = model.node(name)["fitted"]
    if not (isinstance(state.get(attribute), dict) and isinstance(state.get(other), dict)):
        raise LookupError(attribute)
    state[other] = state[attribute]
    return model


def swap(name, attribute, other, model):
    state = model.node(name)["fitted"]
    if not (isinstance(state.get(attribute), dict) and isinstance(state.get(other), dict)):
        raise LookupError(attribute)
    state[other], state[attribute] = state[attribute], state[other]
    return model


#: One in twelve of those that are certainly refused, since there are thousands.
GENERATED = {
    (name, group, label): (refused, make)
    for name in ENTRIES
    for group, cases in (("fitted", fitted_cases), ("parameters", parameter_cases))
    for i, (label, refused, make) in enumerate(cases(name))
    if not refused or i % 12 == 0
}

# ---------------------------------------------------------------- thought of

#: Name -> model that is changed, pattern of the message, and how: a Model, or bytes, comes out.
ROWS = {}


def row(label, base, message, change):
    assert label not in ROWS
    ROWS[label] = base, message, change


def fitted(label, base, cls, name, value, message):
    row(label, base, message, partial(put, cls, "fitted", name, value))


def parameter(label, base, cls, name, value, message):
    row(label, base, message, lambda m: put_parameter(m, cls, name, value))


def put_parameter(model, cls, name, value):
    model.node(cls, fitted=False)["parameters"][name] = value
    return model


def array(label, base, cls, name, change, message):
    row(label, base, message, partial(alter, cls, name, change))


# Attributes that scikit-learn or Python would use.
for name in ("_doc_link_template", "_doc_link_module", "_doc_link_url_param_generator"):
    fitted(f"HTML by {name}", "scaled", "LogisticRegression", name, "<script>", f"unknown.*{name}")
fitted(
    "a preprocessor in a boosting",
    *("boosting", "HistGradientBoostingClassifier", "_preprocessor"),
    estimator("skgenre.GTZANFeatures"),
    "HistGradientBoostingClassifier has unknown fitted attributes .'_preprocessor'",
)
fitted("a depth", "forest", "RandomForestClassifier", "max_depth", 1, "unknown.*'max_depth'")

# Memory that compiled code would leave.
for metric in ("precomputed", "pyfunc", "mahalanobis", "haversine"):
    parameter(
        *(f"neighbours by {metric}", "cosines", "KNeighborsClassifier", "metric", metric),
        "KNeighborsClassifier.metric must be one of",
    )
for value in (3, -1, 2**62):
    array(
        *(f"neighbours of the label {value}", "cosines", "KNeighborsClassifier", "_y"),
        lambda a, value=value: set_first(a, value),
        "KNeighborsClassifier._y has values that are not between 0 and 2",
    )
parameter("a kernel of indices", "two", "SVC", "kernel", "precomputed", "SVC.kernel")
for value in (-1, 20, 2**31 - 1):
    array(
        *(f"the support vector {value}", "two", "SVC", "support_"),
        lambda a, value=value: set_first(a, value),
        "SVC.support_ has values that are not between",
    )
array(
    "counts that lie",
    "two",
    "SVC",
    "_n_support",
    lambda a: a + 1,
    "SVC has an _n_support that does not",
)
array(
    *("counts that overflow", "quantiles", "SVC", "_n_support"),
    lambda a: np.array([2**31 - 1] * 3, "i4"),
    "SVC has an _n_support that does not",
)
for name, value, message in [
    ("left_child", 0, "a child that does not follow its parent"),
    ("right_child", 0, "a child that does not follow its parent"),
    ("left_child", 10**6, "a child that does not follow its parent"),
    ("right_child", -5, "a child that does not follow its parent"),
    ("feature", 4, "a feature index outside of the 4 features"),
    ("feature", -2, "a feature index outside of the 4 features"),
]:
    array(
        *(f"a tree whose {name} is {value}", "forest", "RandomForestClassifier", name),
        lambda a, value=value: set_first(a, value),
        f"RandomForestClassifier has a tree with {message}",
    )
for name, value, message in [
    ("left", 0, "a child that does not follow its parent"),
    ("right", 2**40, "a child that does not follow its parent"),
    ("feature_idx", 4, "a feature index outside of the 4 features"),
]:
    array(
        *(f"a boosted tree whose {name} is {value}", "boosting"),
        *("HistGradientBoostingClassifier", name),
        lambda a, value=value: set_first(a, value),
        f"HistGradientBoostingClassifier has a tree with {message}",
    )
for base, cls in [
    ("forest", "RandomForestClassifier"),
    ("boosting", "HistGradientBoostingClassifier"),
]:
    array(
        *(f"trees of more nodes in {base}", base, cls, "n_nodes", lambda a: a + 1),
        f"{cls} has an n_nodes that does not sum up",
    )
    array(
        *(f"trees whose sizes overflow in {base}", base, cls, "n_nodes"),
        lambda a: np.full_like(a, 2**62),
        f"{cls} has an n_nodes that does not sum up",
    )
for name, value in [("n_estimators", 2), ("n_estimators", 4)]:
    parameter(
        *(f"{value} trees of 3", "forest", "RandomForestClassifier", name, value),
        "has 3 trees, expected n_estimators",
    )


def many_trees(model):
    """Of a leaf each: little in a file, and much in memory."""
    state = model.node("RandomForestClassifier")["fitted"]
    n = 200_000
    for name, value in state.items():
        if isinstance(value, dict) and "array" in value:
            old = model.arrays[value["array"]]
            new = np.zeros((n, *old.shape[1:]), "u1" if old.dtype == "u1" else old.dtype)
            new[...] = -1 if name.endswith("child") else 1 if name == "n_nodes" else 0
            model.arrays[value["array"]] = new
    return model


row("trees of a leaf each", "forest", "has 200000 trees", many_trees)

# Other classes, and what looks like one.
for cls in [
    *("sklearn.preprocessing.OneHotEncoder", "sklearn.preprocessing.KBinsDiscretizer"),
    *("sklearn.feature_extraction.text.CountVectorizer", "sklearn.model_selection.GridSearchCV"),
    *("sklearn.neighbors.KNeighborsRegressor", "sklearn.ensemble._forest.RandomForestClassifier"),
    *("numpy.random.RandomState", "builtins.eval", "os.system", "skgenre.load", "skgenre.Model"),
    *("sklearn.pipeline.make_pipeline", "", "sklearn.pipeline.Pipeline.fit", "joblib.Memory"),
]:
    row(
        f"the class {cls!r}",
        *("scaled", "Pipeline.steps .* is not a supported class of a model file"),
        lambda m, cls=cls: m.node("StandardScaler").update({"class": cls}) or m,
    )
for value in (None, 1, ["sklearn.pipeline.Pipeline"], {"class": "sklearn.svm.SVC"}, True):
    row(
        f"the class {value!r} of another kind",
        *("scaled", "is not a supported class of a model file"),
        lambda m, value=value: m.root.update({"class": value}) or m,
    )
parameter(
    *("a vectoriser of file names", "scaled", "Pipeline", "steps"),
    [["v", estimator("sklearn.feature_extraction.text.CountVectorizer", input="filename")]],
    "Pipeline.steps .*CountVectorizer' is not a supported class",
)
for value in [
    {"class": "numpy.random.RandomState", "state": ["MT19937", [0] * 624, 10**9]},
    {"tuple": ["MT19937", [0] * 624, 10**9, 0, 0.0]},
    -1,
    2**32,
    1.5,
    "0",
]:
    parameter(
        *(f"random by {str(value)[:20]}", "forest", "RandomForestClassifier", "random_state"),
        *(value, "RandomForestClassifier.*random_state"),
    )
row(
    "a splitter as the model",
    "scaled",
    "does not contain an estimator",
    lambda m: Model({**m.manifest, "model": estimator("sklearn.model_selection.KFold")}, {}),
)


# Other files.
def reader(cls="skgenre.GTZANFeatures"):
    return estimator(cls)


def voters_of_names(model):
    """Labels that are names of files, handed on to a front end."""
    state = model.node("VotingClassifier")["fitted"]
    state["classes_"] = {"dtype": "O", "labels": ["/etc/a.wav", "/etc/b.wav", "/etc/c.wav"]}
    return model.wrap(pipeline(model.root, reader()))


row(
    *("a front end of labels", "hard"),
    "Pipeline.steps.GTZANFeatures must be the first step, since other steps could pass paths to it",
    voters_of_names,
)
for cls in ("MFCCSegmenter", "MelSegmenter", "MusicnnEmbedder", "TrackDescriptors"):
    row(
        *(f"{cls} behind a scaler", "scaled", f"{cls} must be the first step"),
        lambda m, cls=cls: m.wrap(
            pipeline(m.root["parameters"]["steps"][0][1], reader(f"skgenre.{cls}"))
        ),
    )
row(
    *("a front end in a union behind a scaler", "scaled", "GTZANFeatures must be the first step"),
    lambda m: m.wrap(
        pipeline(
            m.root["parameters"]["steps"][0][1],
            estimator("sklearn.pipeline.FeatureUnion", transformer_list=[["a", reader()]]),
        )
    ),
)
row(
    *("a front end as the last of a stack", "labels", "must be the first step"),
    lambda m: m.set(
        "StackingClassifier", "fitted", "final_estimator_", pipeline(reader(), m.node("SVC"))
    ),
)
fitted(
    *("a front end as a calibrator", "isotonic", "CalibratedClassifierCV", "calibrators"),
    *([reader()] * 6, "CalibratedClassifierCV.calibrators GTZANFeatures is not allowed here"),
)
fitted(
    *("a front end as a scaler", "power", "PowerTransformer", "_scaler", reader()),
    "PowerTransformer._scaler GTZANFeatures is not allowed here",
)
search = estimator(
    "sklearn.model_selection.GridSearchCV",
    estimator=estimator("sklearn.pipeline.Pipeline", steps=[]),
    param_grid={"dict": [["memory", ["/tmp/a"]]]},
)
row(
    "a search over folders",
    "scaled",
    "GridSearchCV' is not a supported class",
    lambda m: m.wrap(search),
)
for base, cls in [
    *(("scaled", "Pipeline"), ("files of mfcc", "MFCCSegmenter"), ("files of levels", "Pipeline")),
    *(("files of features", "GTZANFeatures"), ("files of descriptors", "TrackDescriptors")),
]:
    parameter(f"a folder of {cls} of {base}", base, cls, "memory", "/tmp/a", f"{cls} has unknown")
for base, cls in [("scaled", "Pipeline"), ("forest", "RandomForestClassifier")]:
    for name in ("n_jobs", "verbose"):
        if cls != "Pipeline" or name == "verbose":
            parameter(f"{name} of {cls}", base, cls, name, 30000, f"{cls} has unknown.*{name}")

# Long computations.
for name, value in [
    *(("n_fft", 1 << 28), ("n_fft", 1), ("n_mels", 10**9), ("sample_rate", 2 * 10**9)),
    *(("sample_rate", 0), ("hop_length", 1), ("n_mfcc", 10**7), ("n_segments", 2 * 10**6)),
    *(("segment_duration", 1e-9), ("segment_duration", 1e12), ("fmin", 1e300)),
    *(("sample_rate", 22050.5), ("n_fft", {"number": "inf"}), ("placement", "everywhere")),
    *(("segment_duration", {"number": "nan"}), ("segment_duration", {"number": "inf"})),
]:
    parameter(
        *(f"MFCCs of {name}={value}", "files of mfcc", "MFCCSegmenter", name, value),
        f"MFCCSegmenter.*{name}",
    )
for name, value in [
    *(
        ("segment_duration", 1e9),
        ("n_segments", 10**9),
        ("frames_per_step", 10**9),
        ("n_fft", 1 << 28),
    ),
    *(("top_db", -1), ("top_db", 1e300), ("hop_length", 16)),
]:
    parameter(
        *(f"levels of {name}={value}", "files of levels", "MelSegmenter", name, value),
        f"MelSegmenter.*{name}",
    )
for label, values in {
    "long frames at every sample": {"n_fft": 1 << 15, "hop_length": 23},
    "many frames": {"n_fft": 16, "n_mels": 1, "n_mfcc": 1, "hop_length": 16},
    "many bands": {"n_mels": 1024, "hop_length": 16, "sample_rate": 22050},
    "a long segment": {"segment_duration": 3600, "hop_length": 64},
    "many segments": {"n_segments": 10_000, "hop_length": 23, "segment_duration": 30},
}.items():
    row(
        *(f"MFCCs of {label}", "files of mfcc", "MFCCSegmenter"),
        lambda m, values=values: (
            m.node("MFCCSegmenter", fitted=False)["parameters"].update(values) or m
        ),
    )
parameter(
    *("repeated descriptors", "files of descriptors", "TrackDescriptors", "families"),
    *(["timbre", "timbre"], "TrackDescriptors has duplicate names in families"),
)
for base, cls, name, item in [
    ("files of descriptors", "TrackDescriptors", "families", "timbre"),
    ("files of features", "GTZANFeatures", "columns", "rms_mean"),
    ("lda of it", "SegmentSummary", "statistics", "mean"),
    ("ann", "ANNClassifier", "hidden_units", 1),
    ("soft", "VotingClassifier", "weights", 1),
    ("scaled", "LogisticRegression", "class_weight", {"dict": [[f"c{i}", 1] for i in range(2000)]}),
]:
    value = item if isinstance(item, dict) else [item] * 100_000
    base = "soft" if base == "lda of it" else base
    parameter(
        *(f"a long list of {name}", base, cls, name, value), f"{cls}.{name} has .* items, more"
    )


def wide_summary(model):
    node = model.node("SegmentSummary")
    node["fitted"]["n_features_in_"] = 1000
    return model


row(
    "covariances of 1000",
    "soft",
    "SegmentSummary has 500500 output columns",
    lambda m: wide_summary(m),
)
fitted(
    *("covariances of 10 million", "soft", "SegmentSummary", "n_features_in_", 10**7),
    "SegmentSummary.n_features_in_",
)


def union(n, member="passthrough"):
    members = [[str(i), member] for i in range(n)]
    return estimator("sklearn.pipeline.FeatureUnion", transformer_list=members)


for label, steps in {
    "a union of 33": [union(33)],
    "unions behind unions": [union(10)] * 9,
    "unions in unions": [union(6, union(6))],
    "unions in pipelines in unions": [union(3, pipeline(union(3), union(4)))],
}.items():
    row(label, "scaled", "more than 32 columns from each", lambda m, s=steps: m.wrap(pipeline(*s)))
row(
    *("300 unions", "scaled", "multiplications for all of its parts"),
    lambda m: m.wrap(pipeline(*[union(1)] * 300)),
)
row(
    *("100 front ends", "files of mfcc", "multiplications for all of its parts"),
    lambda m: (
        m.wrap(union(1, m.root["parameters"]["steps"][0][1]))
        and m.wrap(
            estimator(
                "sklearn.pipeline.FeatureUnion",
                transformer_list=[[str(i), reader()] for i in range(100)],
            )
        )
    ),
)


def wide(n_columns, steps):
    """Transformers that call a function for each column."""

    def change(model):
        values = [model.add(np.ones(n_columns)) for _ in range(steps)]
        return model.wrap(
            pipeline(
                *(
                    estimator(
                        "sklearn.preprocessing.PowerTransformer",
                        {"n_features_in_": n_columns, "lambdas_": each},
                        standardize=False,
                    )
                    for each in values
                )
            )
        )

    return change


row(
    *("powers of many columns", "scaled", "multiplications for all of its parts"),
    wide(60_000, 5),
)


def many_classes(model):
    """A machine of one support vector, and a pair of classes for every two labels."""
    k = 400
    pairs = k * (k - 1) // 2
    one = np.zeros(1, "i4")
    fitted = {
        "n_features_in_": 1,
        "classes_": {"dtype": "i8", "labels": list(range(k))},
        "n_samples": 1,
        "_gamma": 1.0,
        "support_": model.add(one),
        "support_vectors_": model.add(np.zeros((1, 1))),
        "_n_support": model.add(np.eye(1, k, dtype="i4")[0]),
        "_dual_coef_": model.add(np.zeros((k - 1, 1))),
        "_intercept_": model.add(np.zeros(pairs)),
        "_probA": model.add(np.zeros(0)),
        "_probB": model.add(np.zeros(0)),
        "class_weight_": model.add(np.ones(k)),
    }
    return model.wrap(estimator("sklearn.svm.SVC", fitted, break_ties=True))


row(
    *(
        "a support vector machine of many classes",
        "scaled",
        "multiplications for all of its parts",
    ),
    many_classes,
)
row(
    *("too many estimators", "scaled", "is not an estimator, or there are too many"),
    lambda m: m.wrap(pipeline(*[estimator("sklearn.preprocessing.StandardScaler")] * 11_000)),
)


def long_labels(model):
    labels = [f"{i:05}" for i in range(9000)]
    return model.set(
        "LogisticRegression", "fitted", "classes_", {"dtype": "U9999", "labels": labels}
    )


row("labels of 360 MB", "scaled", "LogisticRegression.classes_ has dtype 'U9999'", long_labels)


def large_votes(model):
    """Votes are counted in an array as long as the largest label."""
    for node in nodes(model.node("VotingClassifier")["fitted"]["estimators_"]):
        if "classes_" in node.get("fitted", {}):
            labels = {"dtype": "i8", "labels": [0, 1, 2**40]}
            node["fitted"]["classes_"] = labels
    return model


for base in ("soft", "hard"):
    row(
        f"{base} votes for large labels",
        base,
        "VotingClassifier has a member in estimators_",
        large_votes,
    )


def neighbours(model):
    n = 1_000_000
    model.set_array("KNeighborsClassifier", "_fit_X", np.zeros((n, 4), "f4"))
    return model.set_array("KNeighborsClassifier", "_y", np.arange(n) % 3)


row("a million neighbours", "cosines", "has 1000000 training rows, more than", neighbours)
parameter(
    *("neighbours in leaves of one", "cosines", "KNeighborsClassifier", "leaf_size", 1),
    "KNeighborsClassifier.leaf_size 1 is not between",
)


# ---------------------------------------------------------------- networks


def layers(*described, shape=(8, 4), weights=None):
    """A network of other layers, whose weights are zero and of the sizes given."""

    def change(model):
        network = model.node("ANNClassifier")["fitted"]["network"]
        for name in network["weights"]:
            del model.arrays[name]
        network["input_shape"] = list(shape)
        network["layers"] = list(described)
        made = [model.add(np.zeros(size, "f4"))["array"] for size in weights or []]
        network["weights"] = made
        return model

    return change


def layer(kind, **sizes):
    return {"layer": kind, **sizes}


def conv(units, kernel, strides=1, padding="valid"):
    return layer(
        *["Conv2D"],
        **{"units": units, "activation": "linear", "kernel_size": list(kernel)},
        **{"strides": strides, "padding": padding, "use_bias": False},
    )


def dense(units):
    return layer("Dense", units=units, activation="softmax", l2=0.0)


FLAT = [layer("Flatten"), dense(3)]
for label, message, change in [
    ("no layers", "must have a list of 1 to 200 layers", layers()),
    ("too many layers", "must have a list of 1 to 200 layers", layers(*[layer("Flatten")] * 201)),
    ("an unknown layer", "an unknown layer 'Lambda'", layers(layer("Lambda", function="x"))),
    ("a layer of other sizes", "Flatten layer with keys", layers(layer("Flatten", rate=1))),
    ("another activation", "has invalid layers", layers(dense(3) | {"activation": "exp"})),
    ("units below 1", "Dense layer with invalid units=0", layers(dense(0))),
    ("units without end", "Dense layer with invalid units=1000000000", layers(dense(10**9))),
    ("units that are text", "Dense layer with invalid units='3'", layers(dense("3"))),
    ("other frames than there are", "has invalid layers",
     layers(layer("Reshape", target_shape=[5, 5]))),
    ("a shape of sizes below 1", "must be positive integers",
     layers(layer("Reshape", target_shape=[-2, 16]))),
    ("a shape of many axes", "is not a shape", layers(layer("Reshape", target_shape=[1] * 40))),
    ("a wide input", "has an invalid input shape", layers(*FLAT, shape=(1 << 20, 1 << 20))),
    ("another number of classes", "has size 4, expected 3",
     layers(layer("Flatten"), dense(4), weights=[(32, 4), (4,)])),
    ("weights of another shape", "has weights of shape",
     layers(*FLAT, weights=[(3, 32), (3,)])),
    ("weights that are missing", "must have 2 weight arrays", layers(*FLAT, weights=[(32, 3)])),
    ("a normalisation of a momentum of 1", "has invalid layers",
     layers(layer("BatchNormalization", momentum=1.0))),
    ("values under a kernel", "a Conv2D layer that requires",
     layers(layer("Reshape", target_shape=[2048, 1024, 1]), conv(1, (32, 32)),
            *FLAT, shape=(2048, 1024))),
    ("a padding without end", "a Conv2D layer that requires",
     layers(layer("Reshape", target_shape=[1, 4096, 1]), conv(1, (1 << 20, 1), 1, "same"), *FLAT,
            shape=(1024, 4))),
    ("a padding of few places", "a Conv2D layer that requires",
     layers(layer("Reshape", target_shape=[1, 1 << 20, 1]), conv(1, (1 << 12, 1), 1024, "same"),
            *FLAT, shape=(1 << 18, 4))),
    ("a pool without end", "strides=2 must not exceed pool_size",
     layers(layer("Reshape", target_shape=[8, 4, 1]),
            layer("MaxPooling2D", pool_size=[1 << 20, 1], strides=2), *FLAT)),
    ("frames one by one without end", "multiplications",
     layers(*[layer("LSTM", units=1, return_sequences=True)] * 20, *FLAT, shape=(1 << 18, 4))),
    ("a recurrence of many units", "multiplications",
     layers(layer("LSTM", units=1 << 14, return_sequences=False), *FLAT)),
    ("units that multiply", "Dense layer with an invalid or too large output",
     layers(*[dense(1 << 20)] * 3)),
]:  # fmt: skip
    row(f"a network of {label}", "ann", f"ANNClassifier.network.*{message}", change)
for label, value in [
    *(("no loss", {}), ("another loss", {"loss": "x"}), ("words", {"loss": ["x"]})),
    *(("unequal losses", {"loss": [1.0, 2.0], "accuracy": [1.0]}), ("a list", [1.0])),
]:
    fitted(f"a history of {label}", "ann", "ANNClassifier", "history_", value, "history_")
row(
    *("weights used twice", "ann", "is not an array of the file, or is used twice"),
    lambda m: (
        ((w := m.node("ANNClassifier")["fitted"]["network"]["weights"]) and w.__setitem__(1, w[0]))
        or m
    ),
)


# ---------------------------------------------------------------- manifests and zips


def manifest_text(change):
    """A file whose manifest is other text."""

    def make(model):
        members = read_members(model.content())
        text = change(members["manifest.json"].decode())
        return write_members({**members, "manifest.json": text.encode("utf-8", "surrogatepass")})

    return make


def read_members(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(members, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items() if isinstance(members, dict) else members:
            archive.writestr(name, content)
    return file.getvalue()


def describe_as(text):
    return manifest_text(lambda old: old.replace('"description": ""', f'"description": {text}', 1))


for label, message, change in [
    ("lists 100,000 deep", "damaged|nested", describe_as("[" * 100_000 + "]" * 100_000)),
    ("lists 61 deep", "more than 60 nested levels", describe_as("[" * 61 + "]" * 61)),
    ("objects 999 deep", "nested|recursion|damaged", describe_as('{"a":' * 999 + "1" + "}" * 999)),
    ("a huge integer", "damaged|digits", describe_as("9" * 5000)),
    ("a number that is infinite", "the number 1e999, which is too large", describe_as("1e999")),
    ("a NaN", "NaN, which is not valid JSON", describe_as("NaN")),
    ("an infinity", "-Infinity, which is not valid JSON", describe_as("-Infinity")),
    ("a key twice", "a duplicate key", describe_as('"", "description": ""')),
    ("a key twice further down", "a duplicate key", describe_as('{"a": 1, "a": 2}')),
    ("a million lists", "", describe_as("[" + "[]," * 1_300_000 + "[]]")),
    ("a million objects", "", describe_as("[" + "{}," * 1_300_000 + "{}]")),
    ("a million texts", "", describe_as("[" + '"",' * 1_300_000 + '""]')),
    ("a million numbers", "", describe_as("[" + "1," * 2_000_000 + "1]")),
    ("objects of many keys", "", describe_as(
        "{" + ",".join(f'"{i}":0' for i in range(350_000)) + "}")),
    ("text of 5 MB", "a manifest of .* bytes, more than", describe_as('"' + "x" * 5_000_000 + '"')),
    ("control characters", "control character", describe_as('"\\u001b[2J"')),
    ("control characters in a key", "control character", describe_as('{"\\u009b2J": 1}')),
    ("text that runs backwards", "control character", describe_as('"\\u202egnp.exe"')),
    ("half a character", "control character", describe_as('"\\ud800"')),
    ("other bytes than UTF-8", "damaged|control", describe_as('"\ud800"')),
    ("no text", "damaged", manifest_text(lambda text: "")),
    ("another value", "not a JSON object", manifest_text(lambda text: "[]")),
    ("a comment", "damaged", manifest_text(lambda text: text + "//")),
    ("another format", "an invalid format True", manifest_text(
        lambda text: text.replace('"format": 2', '"format": true'))),
    ("a later format", "from a later version", manifest_text(
        lambda text: text.replace('"format": 2', '"format": 3'))),
    ("another key", "missing or unknown keys: .'pickle'", describe_as('"", "pickle": "x"')),
]:  # fmt: skip
    row(f"a manifest of {label}", "scaled", message, change)


def listed(**changes):
    """A file that describes its first array in another way."""

    def make(model):
        members = read_members(model.content())
        manifest = json.loads(members["manifest.json"])
        first = next(iter(manifest["arrays"]))
        for key, value in changes.items():
            manifest["arrays"][first][key] = value
        return write_members({**members, "manifest.json": json.dumps(manifest)})

    return make


for label, message, changes in [
    ("another shape", "with .* bytes, but it has", {"shape": [5]}),
    ("a shape of as many", "is not an array of dtype f8 and shape|expected 1", {"shape": [2, 2]}),
    ("a shape of objects", "an invalid shape", {"shape": [{}]}),
    ("a shape below 0", "an invalid shape", {"shape": [-4]}),
    ("a shape without end", "an invalid shape", {"shape": [1 << 62] * 6}),
    ("a shape of many axes", "an invalid shape", {"shape": [1] * 33}),
    ("a shape of 0 and 2**39", "with .* bytes, but it has", {"shape": [0, 1 << 39]}),
    ("objects", "an invalid dtype 'O'", {"dtype": "O"}),
    ("a structure", "an invalid dtype", {"dtype": [["a", "f8"]]}),
    ("another type as wide", "is not an array of dtype i8|expected f8", {"dtype": "i8"}),
    ("another checksum", "arrays/.* with a wrong checksum", {"sha256": "0" * 64}),
    ("no checksum", "arrays/.* with a wrong checksum", {"sha256": None}),
    ("another key", "with other keys than dtype", {"pickle": True}),
]:
    row(f"an array described as {label}", "scaled", message, listed(**changes))


def replace_array(content):
    """A file with another first array, described as the first one was, with its own checksum."""

    def make(model):
        first = next(iter(model.arrays))
        old = model.arrays[first]
        new = content(old)
        model.arrays[first] = new
        file = io.BytesIO()
        import hashlib

        model.manifest["arrays"] = {
            name: {
                "dtype": (old if name == first else array).dtype.str.lstrip("<|"),
                "shape": list((old if name == first else array).shape),
                "sha256": hashlib.sha256(new if name == first else npy(array)).hexdigest(),
            }
            for name, array in model.arrays.items()
        }
        repack(file, model.manifest, model.arrays, listed=False)
        return file.getvalue()

    return make


def pickled(array):
    file = io.BytesIO()
    np.save(file, np.array([array, None], object), allow_pickle=True)
    return file.getvalue()


for label, content in {
    "a pickle": pickled,
    "a pickle of the same size": lambda a: pickled(a)[: len(npy(a))].ljust(len(npy(a)), b"."),
    "Fortran's order": lambda a: npy(a).replace(b"False", b"True "),
    "another header as long": lambda a: npy(a).replace(b"<f8", b"<i8"),
    "objects in the header": lambda a: npy(a).replace(b"'<f8'", b"'|O' "),
    "a header of another version": lambda a: npy(a)[:6] + b"\2" + npy(a)[7:],
    "code in the header": lambda a: npy(a)[:10] + b"__import__('os')".ljust(118) + npy(a)[128:],
    "no header": lambda a: b"\0" * len(npy(a)),
    "fewer bytes": lambda a: npy(a)[:-1],
    "nothing": lambda a: b"",
    "an archive": lambda a: write_members({"a.npy": npy(a)}),
}.items():
    row(
        *(f"an array of {label}", "scaled"),
        "is not an array of dtype|with .* bytes, but it has",
        replace_array(content),
    )
row(
    "an array that is not used",
    "scaled",
    "contains arrays that are not used",
    lambda m: m.add(np.zeros(3)) and m,
)
row(
    "an array that is not listed",
    "scaled",
    "a manifest that differs from the members",
    lambda m: write_members([*read_members(m.content()).items(), ("a.npy", b"")]),
)
for name in ("/etc/a.npy", "../../a.npy", "C:\\a.npy", "arrays/", "a\0b", "\u202e.npy"):
    row(
        *(f"a member {name!r}", "scaled", "a manifest that differs from the members|same name"),
        lambda m, name=name: write_members([*read_members(m.content()).items(), (name, b"")]),
    )
for name in ("/etc/a.npy", "../../a.npy", "a\x1b.npy"):
    row(
        *(f"an array {name!r}", "scaled", "arrays that are not used|control character"),
        lambda m, name=name: m.arrays.__setitem__(name, np.zeros(3)) or m,
    )


def twice(model):
    members = read_members(model.content())
    with pytest.warns(UserWarning, match="Duplicate name"):
        return write_members([*members.items(), ("manifest.json", members["manifest.json"])])


row("a member twice", "scaled", "two members with the same name", twice)
for label, method in (("BZIP2", zipfile.ZIP_BZIP2), ("LZMA", zipfile.ZIP_LZMA)):
    row(
        *(f"members in {label}", "scaled", "with another compression method than deflate"),
        lambda m, method=method: write_members(read_members(m.content()), method),
    )


def bomb(model):
    model.add(np.zeros(80_000_000, "u1"))
    return model.content()


def larger_bomb(model):
    members = read_members(model.content())
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
        archive.writestr("arrays/999.npy", b"")
    zeros = deflated_zeros(1_400_000_000)
    return write_raw(
        [(name, content, None) for name, content in members.items()]
        + [("arrays/999.npy", zeros, 1_400_000_000)]
    )


def deflated_zeros(n):
    """Zeros as deflate packs them, without having them: a flush of a million, again and again."""
    import zlib

    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first * (n // (1 << 20) + 1) + packer.flush()


def write_raw(members, *, flags=0, claim=None):
    """A zip of deflated or stored contents as given, with sizes that may lie."""
    import zlib

    body, directory = b"", b""
    for name, content, size in members:
        packed = content
        method = zipfile.ZIP_DEFLATED if size is not None else zipfile.ZIP_STORED
        crc = zlib.crc32(content) if size is None else 0
        n = len(content) if size is None else size
        fields = struct.pack(
            "<HHHHIIIH", flags, method, 0, 33, crc, len(packed), n, len(name.encode())
        )
        head = b"PK\3\4" + struct.pack("<H", 20) + fields + b"\0\0" + name.encode()
        directory += (
            b"PK\1\2\x14\0" + struct.pack("<H", 20) + fields
            + struct.pack("<HHHHII", 0, 0, 0, 0, 0, len(body)) + name.encode()
        )  # fmt: skip
        body += head + packed
    n = len(members) if claim is None else claim
    end = struct.pack("<HHHHIIH", 0, 0, n, n, len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


row("1.4 GB of zeros", "scaled", "unpacks from .* to 14.* bytes, which is too large", larger_bomb)
row("80 MB of zeros", "scaled", "unpacks from .* bytes, which is too large", lambda m: bomb(m))
row(
    *("a manifest that is larger than it says", "scaled", "Bad CRC|ends early|JSON|Expecting"),
    lambda m: write_raw([("manifest.json", deflated_zeros(1_400_000_000), 1000)]),
)
row(
    *("an array that is larger than it says", "scaled", "Bad CRC|checksum"),
    lambda m: write_raw(
        [
            (
                name,
                *((content, None) if "manifest" in name else (deflated_zeros(10**9), len(content))),
            )
            for name, content in read_members(m.content()).items()
        ]
    ),
)
row(
    *("a member that is smaller than it says", "scaled", "ends early|damaged"),
    lambda m: write_raw([("manifest.json", deflated_zeros(1)[:5], 1000)]),
)
row(
    *("members that are encrypted", "scaled", "encrypted"),
    lambda m: write_raw(
        [(name, content, None) for name, content in read_members(m.content()).items()], flags=1
    ),
)
row(
    "a directory of a million members",
    "scaled",
    "has too many members",
    lambda m: write_raw([(f"{i:06}", b"", None) for i in range(25_000)]),
)
row(
    "many members",
    "scaled",
    "is not a model file: it has no manifest.json",
    lambda m: write_raw([(f"{i:04}", b"", None) for i in range(15_000)]),
)
row(
    "a directory that lies of its members",
    "scaled",
    "",
    lambda m: write_raw([("a", b"", None)], claim=65535),
)


def overlapping(model):
    """Two members in the same place."""
    content = bytearray(
        write_raw(
            [(name, content, None) for name, content in read_members(model.content()).items()]
        )
    )
    last = content.rindex(b"PK\1\2")
    content[last + 42 : last + 46] = struct.pack("<I", 0)
    return bytes(content)


row("members that overlap", "scaled", "differ|damaged", overlapping)


def zip64(model):
    content = model.content()
    end, rest = content[-22:], content[:-22]
    locator = b"PK\6\7" + struct.pack("<IQI", 0, len(rest), 1)
    return rest + locator + end


row("a zip of 64 bits", "scaled", "has too many members", zip64)
row(
    "a zip with a comment",
    "scaled",
    "no end record of a zip",
    lambda m: m.content()[:-2] + (b"\5\0PK\5\6 "),
)
row("a zip cut off", "scaled", "no end record of a zip", lambda m: m.content()[:-1])
row("a zip in junk", "scaled", "", lambda m: b"\x7fELF" * 100 + m.content()[50:])
row("nothing", "scaled", "no end record of a zip", lambda m: b"")
row(
    "a pickle",
    "scaled",
    "no end record of a zip",
    lambda m: b"\x80\x04cos\nsystem\nX\4\0\0\0trueR.",
)
row("HTML", "scaled", "no end record of a zip", lambda m: b"<!DOCTYPE html>" * 10)


# ---------------------------------------------------------------- trying all of them


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """What became of every file: all are written, then tried in one other process."""
    folder = tmp_path_factory.mktemp("hostile")
    models = save_all(folder)
    parts = {name: unpack(path) for name, path in models.items()}
    paths = {}

    def write(key, base, change):
        made = change(Model(*parts[base]))
        # Its name says what it predicts on.
        path = folder / f"{'files' if base.startswith('files') else 'x'} {len(paths)}.skgenre"
        path.write_bytes(made if isinstance(made, bytes) else made.content())
        paths[key] = path

    for label, (base, _, change) in ROWS.items():
        write(label, base, change)
    for key, (_, change) in GENERATED.items():
        for base in parts:
            try:
                write(key, base, change)
            except LookupError:
                continue
            break
    found = try_models.run(list(paths.values()), list(models.values()), folder)
    return {key: found[path] for key, path in paths.items()}


def refusal_faults(found, message=""):
    """Why a file is not refused as it should be."""
    if found.unexpected or found.refused is None:
        return found.unexpected or "it was loaded"
    reason = found.refused.partition(".skgenre: ")[2]
    if not re.search(message, reason, re.DOTALL):
        return f"the message is {reason!r}"
    if len(reason) > 1000 or len(reason.splitlines()) > 1:
        return f"the message is long: {reason!r}"
    if found.load_seconds > MOST_SECONDS or found.load_mb > MOST_MB:
        return f"it took {found.load_seconds:.2f} s and {found.load_mb:.0f} MB"
    return None


@pytest.mark.parametrize("label", ROWS)
def test_a_file_is_refused_by_the_name_of_its_part(label, tried):
    assert refusal_faults(tried[label], ROWS[label][1]) is None


#: What is refused before there is a part to name: dtypes, control characters, nesting.
_OF_THE_FILE = "arrays/.* an invalid dtype|control character|nested|unknown|not an estimator"


@pytest.mark.parametrize("group", ["fitted", "parameters"])
@pytest.mark.parametrize("name", ENTRIES)
def test_each_class_refuses_what_its_entry_does_not_allow(name, group, tried):
    cls = name.rpartition(".")[2]
    faults = {
        label: refusal_faults(tried[key], f"{cls}|{_OF_THE_FILE}")
        for key, (refused, _) in GENERATED.items()
        if key[:2] == (name, group) and refused and key in tried
        for label in key[2:]
    }
    assert {label: fault for label, fault in faults.items() if fault} == {}


@pytest.mark.parametrize("name", ENTRIES)
def test_what_each_class_may_hold_does_no_harm(name, tried):
    """Loaded or refused: it predicts, or not, in time and memory, and does not crash."""
    faults = {
        key[1:]: tried[key].fault()
        for key, (refused, _) in GENERATED.items()
        if key[0] == name and not refused and key in tried
    }
    assert {label: fault for label, fault in faults.items() if fault} == {}


def test_of_the_files_that_may_load_many_do(tried):
    """Or the test before would say little."""
    loaded = [key for key, found in tried.items() if found.refused is None]
    assert len(loaded) > 100


def test_a_notebook_shows_text_of_a_file_as_text(tmp_path):
    """What is HTML in names, labels and parameters is not HTML in the diagram."""
    models = save_all(tmp_path)
    for base in ("scaled", "union", "hard", "neighbours", "ann"):
        model = Model(*unpack(models[base]))
        for node in nodes(model.root):
            for name in ("steps", "transformer_list", "estimators"):
                for pair in node["parameters"].get(name, []):
                    pair[0] = f"<script>{pair[0]}"
            if "class_weight" in node["parameters"]:
                node["parameters"]["class_weight"] = {"dict": [["<script>", 1.0]]}
            if "classes_" in node.get("fitted", {}) and base != "hard":
                labels = [f"<script>{i}" for i in range(3)]
                node["fitted"]["classes_"] = {"dtype": "O", "labels": labels}
            if node["class"].endswith("StandardScaler"):
                node["fitted"]["feature_names_in_"] = [f"<script>{i}" for i in range(4)]
        models[base].write_bytes(model.content())
        shown = load(models[base])._repr_html_()
        assert "<script>" not in re.sub("<script>[^<]*function ", "", shown), base


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
    with pytest.raises(ValueError, match="cannot be loaded: it is not a regular file"):
        load(path)
