"""Predictions with ONNX Runtime: their values, the sessions, and exported models."""

import copy
import pickle
import sys
import threading

import joblib
import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skgenre import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    MelCNNClassifier,
    NetworkClassifier,
    layers as L,
)
from skgenre.networks import prediction
from skgenre.onnx_graph import n_threads

from .conftest import run_python


def untrained(architecture, seed=0):
    """A classifier with random weights."""
    rng = np.random.default_rng(seed)
    [n_classes] = architecture.shapes[-1]
    clf = NetworkClassifier()
    vars(clf).update(
        n_features_in_=architecture.input_shape[-1],
        classes_=np.arange(n_classes),
        class_prior_=np.full(n_classes, 1 / n_classes),
        _class_weights_seen=np.ones(n_classes),
        history_={"loss": [1.0]},
        n_iter_=1,
        architecture_=architecture,
        weights_=[
            (
                rng.uniform(0.5, 2, weight.shape)
                if weight.name == "moving_variance"
                else rng.normal(0, 1 / np.sqrt(np.prod(weight.shape[:-1])), weight.shape)
            ).astype(np.float32)
            for weights in architecture.weights
            for weight in weights
        ],
    )
    return clf


def segments(architecture, n=20, seed=1):
    shape = (n, *architecture.input_shape)
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


SMALL = L.Architecture((5, 3), (L.Flatten(), L.Dense(4, "relu"), L.Dense(2, "softmax")))


# ---------------------------------------------------------------- values


def network(input_shape, *hidden):
    return L.Architecture(input_shape, (*hidden, L.Dense(3, "softmax")))


CNN = CNNClassifier(filters=(4, 5, 6), dense_units=8)
LSTM = LSTMClassifier(units=(5, 4, 3), dense_units=8)
MEL = MelCNNClassifier(filters=(4, 5, 6), dense_units=8)
IMAGE = L.Reshape((12, 6, 1))
ACTIVATIONS = [layer for name in L.ACTIVATIONS for layer in (L.Dense(5, name), L.Activation(name))]
CONV = L.Conv2D(4, "relu", (2, 3))
NETWORKS = {
    "dense": network((4, 3), L.Flatten(), L.Dense(8, "relu", l2=0.1), L.Dropout(0.5)),
    "frames": network((4, 3), L.Dense(5, "softmax"), L.BatchNormalization(), L.Flatten()),
    "activations": network(
        (12, 6), IMAGE, L.Activation("relu"), L.Conv2D(3, "softmax"), L.Dense(2), L.Flatten()
    ),
    "published": network((12, 6), *CNN.hidden_layers((12, 6))),
    "tiny": network((1, 2), *CNN.hidden_layers((1, 2))),
    "every activation": network((4, 3), *ACTIVATIONS, L.Flatten()),
    "gated": network((9, 3), L.GRU(4, return_sequences=True), L.Dropout(0.1), L.GRU(5)),
    "recurrent": network((9, 3), *LSTM.hidden_layers((9, 3))),
    "recurrent image": network(
        (12, 6),
        IMAGE,
        CONV,
        L.Reshape((11, 16)),
        L.LSTM(4, True),
        L.BatchNormalization(),
        L.LSTM(3),
    ),
    "any frames": network((12, 6), *MEL.hidden_layers((12, 6))),
}
# Even and odd kernels and sizes, strides that do not divide sizes, strides larger than kernels.
for size, kernel, strides in ((9, 3, 2), (8, 5, 2), (7, 4, 3), (8, 1, 2), (7, 2, 3)):
    for padding in ("valid", "same"):
        NETWORKS[f"{padding} {size} {kernel} {strides}"] = network(
            (size, 5),
            L.Reshape((size, 5, 1)),
            L.Conv2D(3, "linear", (kernel, 2), strides, padding, use_bias=False),
            L.BatchNormalization(),
            L.MaxPooling2D((strides, 3), strides),
            L.Flatten(),
        )


@pytest.mark.parametrize("architecture", NETWORKS.values(), ids=NETWORKS)
def test_probabilities_are_those_of_keras(architecture):
    clf = untrained(architecture)
    X = segments(architecture)
    if architecture.takes_any_frames:
        X = segments(architecture.with_frames(7))
    proba = clf.predict_proba(X)
    assert_allclose(proba, clf.to_keras()(X), atol=1e-6)
    assert_allclose(proba.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("architecture", NETWORKS.values(), ids=NETWORKS)
def test_exported_models_give_the_probabilities(architecture):
    clf = untrained(architecture)
    model = clf.to_onnx()
    onnx.checker.check_model(model, full_check=True)
    X = segments(architecture)
    session = onnxruntime.InferenceSession(model)
    [given], [output] = session.get_inputs(), session.get_outputs()
    n_frames, n_coefficients = architecture.input_shape
    n_frames = "n_frames" if architecture.takes_any_frames else n_frames
    assert (given.name, given.type) == ("segments", "tensor(float)")
    assert given.shape == ["n_segments", n_frames, n_coefficients]
    assert (output.name, output.shape) == ("probabilities", ["n_segments", 3])
    assert_allclose(session.run(None, {"segments": X})[0], clf.predict_proba(X), atol=1e-6)


def test_blocks_and_threads_change_nothing(monkeypatch):
    architecture = NETWORKS["published"]
    clf = untrained(architecture)
    X = segments(architecture, 100).reshape(50, 2, *architecture.input_shape)
    X[3, 1] = X[7] = np.nan
    with pytest.warns(UserWarning, match="1 of 50 tracks have no segment"):
        expected = clf.predict_proba(X)
    monkeypatch.setattr(prediction, "MAX_BLOCK_VALUES", 1)
    for n in "1", "3":
        monkeypatch.setenv("OMP_NUM_THREADS", n)
        with pytest.warns(UserWarning, match="1 of 50 tracks have no segment"):
            assert_allclose(clf.predict_proba(X), expected, atol=1e-7)


def test_extreme_inputs_neither_overflow_nor_warn():
    architecture = L.Architecture((5, 3), (L.LSTM(4), L.Dense(3, "softmax")))
    clf = untrained(architecture)
    X = np.full((2, 5, 3), 1e4, np.float32) * np.float32([[[1]], [[-1]]])
    assert_allclose(clf.predict_proba(X), clf.to_keras()(X), atol=1e-6)


def test_outputs_that_are_not_finite_are_an_error():
    X = segments(SMALL)[:, None]
    X[3] = 3e38
    with pytest.raises(ValueError, match=r"not finite for segment 0 of track 3: .* 3\.0e\+38"):
        untrained(SMALL).predict(X)


def test_input_and_weights_are_not_modified():
    clf = untrained(NETWORKS["activations"])
    X = segments(clf.architecture_)
    X.flags.writeable = False
    weights = [weight.copy() for weight in clf.weights_]
    clf.predict_proba(X)
    for before, after in zip(weights, clf.weights_, strict=True):
        assert_array_equal(before, after)


# ---------------------------------------------------------------- sessions


def dumped(clf, folder):
    joblib.dump(clf, folder / "model.joblib")
    return joblib.load(folder / "model.joblib", mmap_mode="c")


COPIES = {
    "none": lambda clf, folder: clf,
    "pickle": lambda clf, folder: pickle.loads(pickle.dumps(clf)),
    "copy": lambda clf, folder: copy.copy(clf),
    "deepcopy": lambda clf, folder: copy.deepcopy(clf),
    "joblib": dumped,
}


@pytest.mark.parametrize("used", [False, True])
@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_weights_of_copies_are_read_only(copied, used, tmp_path):
    clf = untrained(SMALL)
    X = segments(SMALL)
    if used:
        clf.predict(X)
    again = copied(clf, tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        again.weights_[0][:] = 0
    assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


def test_other_weights_make_another_session():
    clf, other = untrained(SMALL), untrained(SMALL, seed=1)
    X = segments(SMALL)
    session = clf._session()
    assert clf._session() is session
    before = clf.predict_proba(X)
    clf.weights_ = other.weights_
    assert_array_equal(clf.predict_proba(X), other.predict_proba(X))
    clf.weights_ = untrained(SMALL).weights_
    clf.weights_[0] = other.weights_[0]  # in the same list
    assert (clf.predict_proba(X) != before).any()


def test_sessions_end_with_their_classifiers():
    clf = untrained(SMALL)
    n = len(prediction._SESSIONS)
    clf.predict(segments(SMALL))
    assert len(prediction._SESSIONS) == n + 1
    del clf
    assert len(prediction._SESSIONS) == n


def test_threads_share_a_classifier():
    clf = untrained(NETWORKS["published"])
    X = segments(clf.architecture_, 100)
    expected = untrained(clf.architecture_).predict_proba(X)
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(clf.predict_proba(X))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    for proba in found:
        assert_array_equal(proba, expected)


WORKERS = """
import joblib, multiprocessing, sys
clf, X, expected = joblib.load(sys.argv[1])
print("onnx" in sys.modules, "onnxruntime" in sys.modules)
def predict(clf):
    session = clf._session()
    return (clf.predict_proba(X) == expected).all() and session is clf._session()
def in_child(parents, queue):
    queue.put(predict(clf) and clf._session() is not parents)
print(predict(clf))
context = multiprocessing.get_context("fork")
queue = context.SimpleQueue()
child = context.Process(target=in_child, args=(clf._session(), queue))
child.start()
print(queue.get())
child.join()
print(*joblib.Parallel(n_jobs=2)([joblib.delayed(predict)(clf)]))
"""


def test_each_process_makes_its_session_when_it_predicts(tmp_path):
    clf, X = untrained(SMALL), segments(SMALL)
    joblib.dump((clf, X, clf.predict_proba(X)), tmp_path / "model.joblib")
    found = run_python(WORKERS, tmp_path / "model.joblib")
    assert found.split() == ["False", "False", "True", "True", "True"]


def test_fits_do_not_need_onnx(monkeypatch):
    for name in ("onnx", "onnxruntime"):
        monkeypatch.setitem(sys.modules, name, None)
    clf = ANNClassifier(hidden_units=(2,), epochs=1).fit(np.eye(4), [0, 1, 0, 1])
    assert len(clf.weights_) == 4


def test_the_number_of_threads_is_what_workers_are_granted(monkeypatch):
    for told, n in (("3", 3), ("2,1", 2), ("", joblib.cpu_count()), ("0", joblib.cpu_count())):
        monkeypatch.setenv("OMP_NUM_THREADS", told)
        assert n_threads() == n
