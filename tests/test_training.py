"""Fits share compiled networks, and nothing of one fit is seen in the next.

The first test is the one that the design stands on: fits on shared networks equal, to the
last bit, fits on networks built for them alone.
"""

import contextlib
import json
import random
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import joblib
import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone
from sklearn.utils import Bunch

from skgenre import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    NetworkClassifier,
    layers as L,
)
from skgenre.networks import training
from skgenre.networks.training import (
    FusedBatchNormalization,
    FusedLSTM,
    Segments,
    checked,
    initial_weights,
)
from skgenre.tensor import segment_mask

from .conftest import make_tensor, run_python, slow_but
from .registry import NETWORKS


def ann(dropout=0.3, l2=0.01):
    return ANNClassifier(hidden_units=(12, 6), dropout=dropout, l2=l2).hidden_layers((8, 4))


def cnn(dropout=0.3):
    return CNNClassifier(filters=(4, 4), dense_units=6, dropout=dropout).hidden_layers((8, 4))


def lstm(dropout=0.3):
    return LSTMClassifier(units=(5, 4), dense_units=6, dropout=dropout).hidden_layers((8, 4))


class EveryLayer(NetworkClassifier):
    """A network with a layer of each type."""

    def hidden_layers(self, input_shape):
        return [
            *(L.Flatten(), L.Reshape((8, 4, 1)), L.Conv2D(3, padding="same"), L.MaxPooling2D()),
            *(L.BatchNormalization(0.9), L.Activation("relu"), L.Reshape((4, 6))),
            *(L.LSTM(5, return_sequences=True), L.GRU(5, return_sequences=True)),
            *(L.Reshape((4, 5, 1)), L.TimePooling()),
            *(L.Dense(4, "relu", l2=0.01), L.Dropout(0.2)),
        ]


def architecture_of(hidden, n_classes=3):
    return L.Architecture((8, 4), (*hidden, L.Dense(n_classes, "softmax")))


def fit(hidden, n_classes=3, weighted=False, validation=False, n_tracks=24, **options):
    """Train one small network; its weights, state and history."""
    X, _ = make_tensor(n_tracks, n_classes=n_classes)
    X[1, 1:] = np.nan
    y = np.arange(n_tracks) % n_classes
    weight = np.linspace(0.1, 2, n_tracks) if weighted else np.ones(n_tracks)
    mask = segment_mask(X)
    n_validation = 6 if validation else 0
    tracks = np.arange(n_tracks)
    return training.train(
        architecture_of(hidden, n_classes),
        Segments(X, mask, tracks[n_validation:], y, weight),
        Segments(X, mask, tracks[:n_validation], y, weight) if n_validation else None,
        **{"seed": [1], "epochs": 3, "batch_size": 16, "learning_rate": 0.01, **options},
    )


def assert_same(found, expected):
    assert found.history == expected.history
    for name in ("weights", "state"):
        for a, b in zip(getattr(found, name), getattr(expected, name), strict=True):
            np.testing.assert_array_equal(a, b)


class FreezeFirstLayer(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        next(layer for layer in self.model.layers if layer.weights).trainable = False


class RaiseInSecondEpoch(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            raise RuntimeError("stopped by the user")


class StopTraining(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = True


#: Fits in an order in which each could leave something to the next.
SHARED = [
    {},
    {"validation": True, "patience": 1, "learning_rate": 0.5, "epochs": 8},
    # With another size of the last batch.
    {"seed": [2], "weighted": True, "n_tracks": 31, "learning_rate": 0.1, "epochs": 2},
    {"callbacks": [FreezeFirstLayer()]},
]
HIDDEN = {
    "ann": [ann(), ann(dropout=0.6), ann(l2=0.5)],
    "cnn": [cnn(), cnn(dropout=0.6)],
    "lstm": [lstm(), lstm(dropout=0.6)],
}


@pytest.mark.slow
@pytest.mark.parametrize("network", HIDDEN)
def test_shared_networks_train_as_new_ones_do(network, monkeypatch):
    built = []
    init = training.Network.__init__

    def counting_init(self, *args, **options):
        built.append(args)
        init(self, *args, **options)

    monkeypatch.setattr(training.Network, "__init__", counting_init)
    training._IDLE.clear()
    # All of them on the network that is made fastest; of the others what differs by the layers.
    fits = SHARED if network == "ann" else SHARED[1:3]
    cases = [(HIDDEN[network][0], options) for options in fits]
    cases += [(hidden, {}) for hidden in HIDDEN[network][1:]]
    shared = []
    for i, (hidden, options) in enumerate(cases):
        shared.append(fit(hidden, **options))
        if i == 1:
            with pytest.raises(RuntimeError, match="stopped by the user"):
                fit(hidden, callbacks=[RaiseInSecondEpoch()])
            keras.backend.clear_session()
    # Or else nothing was shared: one network a key, and one for each fit with callbacks.
    n_with_callbacks = sum("callbacks" in options for _, options in cases) + 1
    assert len(built) <= len(set(built)) + n_with_callbacks
    for (hidden, options), found in zip(cases, shared, strict=True):
        training._IDLE.clear()
        assert_same(found, fit(hidden, **options))


@pytest.mark.slow
def test_fits_differ_where_they_should():
    base = fit(ann())
    assert set(base.history) == {"loss", "accuracy"}
    assert len(base.history["loss"]) == 3
    for options in (
        *({"seed": [2]}, {"seed": [1, 1]}, {"learning_rate": 0.1}, {"epochs": 2}),
        *({"weighted": True}, {"validation": True}, {"batch_size": 5}, {"n_tracks": 31}),
    ):
        other = fit(ann(), **options)
        assert any((a != b).any() for a, b in zip(base.weights, other.weights, strict=True)), (
            options
        )
    frozen = fit(ann(), callbacks=[FreezeFirstLayer()])
    start = fit(ann(), epochs=1, learning_rate=1e-30)
    np.testing.assert_array_equal(frozen.weights[0], start.weights[0])
    assert len(fit(ann(), callbacks=[StopTraining()]).history["loss"]) == 1


def test_early_stopping_goes_back_to_the_best_weights():
    options = {"validation": True, "learning_rate": 0.3, "epochs": 30, "patience": 2}
    stopped = fit(ann(), **options)
    losses = stopped.history["val_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 3 < 30
    until_best = fit(ann(), **{**options, "epochs": best + 1})
    for a, b in zip(stopped.weights, until_best.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_goes_on_from_weights_and_state():
    half = fit(cnn(), epochs=2)
    kept = fit(cnn(), epochs=1, weights=half.weights, state=half.state)
    fresh = fit(cnn(), epochs=1, weights=half.weights)
    assert any((a != b).any() for a, b in zip(kept.weights, fresh.weights, strict=True))
    iterations = kept.state[0]
    assert iterations == 3 * -(-sum([24 * 3 - 2]) // 16)


ADAMW = {"weight_decay": 0.5, "label_smoothing": 0.1}


@pytest.mark.parametrize("recipe", slow_but("published", ["adamw"]))
def test_equals_a_plain_keras_fit(recipe):
    """One batch an epoch and no dropout: the same arithmetic, so the same weights."""
    X, _ = make_tensor(12)
    y = np.arange(12) % 3
    architecture = architecture_of([*EveryLayer().hidden_layers((8, 4))[:-1]])
    weight = np.linspace(0.5, 1.5, 12)
    segments = Segments(X, segment_mask(X), np.arange(12), y, weight)
    ours = training.train(
        architecture,
        segments,
        None,
        **{"seed": [3], "epochs": 3, "batch_size": 100, "learning_rate": 0.01},
        recipe={} if recipe == "published" else ADAMW,
    )
    first = initial_weights(architecture, np.random.default_rng([3]))
    model = training.build_keras(architecture, first)
    labels = np.repeat(y, 3)
    if recipe == "published":
        model.compile(
            keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", run_eagerly=True
        )
    else:
        labels = np.eye(3)[labels]
        model.compile(
            keras.optimizers.AdamW(0.01, weight_decay=0.5),
            keras.losses.CategoricalCrossentropy(label_smoothing=0.1),
            run_eagerly=True,
        )
    history = model.fit(
        X.reshape(-1, 8, 4),
        labels,
        sample_weight=np.repeat(weight / weight.mean(), 3),
        **{"batch_size": 100, "epochs": 3, "shuffle": False, "verbose": 0},
    )
    np.testing.assert_allclose(ours.history["loss"], history.history["loss"], rtol=1e-4)
    for a, b in zip(ours.weights, model.weights, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-3)


@pytest.mark.parametrize("shape", [(5, 4, 3, 2), (5, 3, 2), (5, 2), (1, 2)])
def test_fused_batch_normalization_learns_as_keras_does(shape):
    assert_same_steps(FusedBatchNormalization, {"momentum": 0.9}, shape)


@pytest.mark.parametrize("return_sequences", [True, False])
def test_fused_lstm_learns_as_keras_does(return_sequences):
    options = {"units": 4, "return_sequences": return_sequences}
    assert_same_steps(FusedLSTM, options, (3, 20, 5))


def assert_same_steps(fused, options, shape):
    """The output, the gradients of weights and inputs, and the statistics, far off a start."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(3, 2, shape), tf.float32)
    results = []
    for kind in (*fused.__bases__, fused):
        layer = kind(**options)
        layer.build(x.shape)
        rng = np.random.default_rng(1)
        layer.set_weights([rng.uniform(0.2, 1.5, w.shape) for w in layer.weights])
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_sum(y**3)
        gradients = tape.gradient(loss, [x, *(w.value for w in layer.trainable_weights)])
        results.append([y, *gradients, *layer.get_weights(), layer(x, training=False)])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("fused", [FusedLSTM, FusedBatchNormalization])
@pytest.mark.parametrize("what", ["output", "operation"])
def test_a_fused_layer_that_differs_from_keras_is_not_used(fused, what, monkeypatch):
    [plain] = fused.__bases__

    def wrong(self, inputs, training):
        if what == "output":
            return plain.call(self, inputs, training=training) + 0.01
        raise NotImplementedError("no such operation")

    monkeypatch.setattr(fused, "call", wrong)
    checked.cache_clear()
    reason = {
        "output": "its results differ from those of the Keras layer",
        "operation": "(?s)it failed with NotImplementedError: .*no such operation",
    }[what]
    with pytest.warns(UserWarning, match=reason):
        assert checked(fused) is plain
    checked.cache_clear()


def test_initial_weights_are_distributed_as_keras_draws_them():
    hidden = [L.Reshape((40, 30, 1)), L.Conv2D(50, kernel_size=(5, 4)), L.Reshape((36, 27 * 50))]
    architecture = L.Architecture((40, 30), (*hidden, L.LSTM(40), L.Dense(200, "softmax")))
    ours = initial_weights(architecture, np.random.default_rng(0))
    theirs = keras.Sequential(
        [
            keras.Input((40, 30, 1)),
            keras.layers.Conv2D(50, (5, 4)),
            keras.layers.Reshape((36, 27 * 50)),
            keras.layers.LSTM(40),
            keras.layers.Dense(200),
        ]
    ).get_weights()
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a.std(), b.std(), rtol=0.05)
        np.testing.assert_allclose(np.abs(a).max(), np.abs(b).max(), rtol=0.05, atol=0.3)
    recurrent = ours[3].astype(np.float64)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(40), atol=1e-5)
    np.testing.assert_array_equal(ours[4], theirs[4])  # the forget gate's bias


@pytest.mark.slow
def test_four_threads_at_once_equal_four_fits_in_turn():
    cases = [(ann(), [1]), (ann(), [2]), (ann(), [3]), (cnn(), [4])]
    expected = [fit(hidden, seed=seed) for hidden, seed in cases]
    found = [None] * 4

    def run(i):
        found[i] = fit(cases[i][0], seed=cases[i][1])

    for _ in range(3):
        threads = [threading.Thread(target=run, args=(i,), daemon=True) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
            assert not thread.is_alive()
        for a, b in zip(found, expected, strict=True):
            assert_same(a, b)


@pytest.mark.slow
def test_global_random_state_is_not_touched():
    training._IDLE.clear()  # so that a network is built, too
    keras.utils.set_random_seed(7)
    expected = (random.random(), np.random.rand(), float(tf.random.uniform(())))
    keras.utils.set_random_seed(7)
    for hidden in (ann(), cnn(), lstm()):
        fit(hidden, validation=True, patience=1)
    assert (random.random(), np.random.rand(), float(tf.random.uniform(()))) == expected
    # And the other way: seeding them changes no fit.
    keras.utils.set_random_seed(1)
    first = fit(cnn())
    keras.utils.set_random_seed(2)
    assert_same(fit(cnn()), first)


# ---------------------------------------------------------------- settings of Keras


CLASSIFIERS = {**NETWORKS, "every": EveryLayer(learning_rate=0.01, batch_size=8, random_state=0)}

KERAS = keras.config
SETTINGS = {
    "channels_first": lambda: KERAS.set_image_data_format("channels_first"),
    "float16": lambda: KERAS.set_floatx("float16"),
    "bfloat16": lambda: KERAS.set_floatx("bfloat16"),
    "float64": lambda: KERAS.set_floatx("float64"),
    "policy_mixed_float16": lambda: KERAS.set_dtype_policy("mixed_float16"),
    "policy_mixed_bfloat16": lambda: KERAS.set_dtype_policy("mixed_bfloat16"),
    "policy_float64": lambda: KERAS.set_dtype_policy("float64"),
    "epsilon": lambda: KERAS.set_epsilon(0.1),
    "no_logging": KERAS.disable_interactive_logging,
}
ALL = ("channels_first", "float16", "policy_mixed_float16", "epsilon", "no_logging")


def current_settings():
    return (
        *(KERAS.image_data_format(), KERAS.floatx(), KERAS.dtype_policy().name, KERAS.epsilon()),
        KERAS.is_interactive_logging_enabled(),
    )


@contextlib.contextmanager
def settings(*names):
    """Set what a user may have set, and the defaults afterwards."""
    try:
        for name in names:
            SETTINGS[name]()
        yield
    finally:
        KERAS.set_image_data_format("channels_last")
        KERAS.set_floatx("float32")
        KERAS.set_dtype_policy("float32")
        KERAS.set_epsilon(1e-7)
        KERAS.enable_interactive_logging()


def fit_classifier(name, **params):
    X, y = make_tensor()
    # Far off zero, so that probabilities saturate in float16 and in the loss.
    return clone(CLASSIFIERS[name]).set_params(epochs=2, **params).fit(20 * X, y)


@cache
def fitted_under_the_defaults(name):
    return fit_classifier(name)


@pytest.fixture(
    scope="module",
    params=[
        *slow_but(("every", ALL), [(name, ALL) for name in CLASSIFIERS]),
        *(pytest.param(("every", (name,)), marks=pytest.mark.slow) for name in SETTINGS),
    ],
    ids=lambda param: f"{param[0]}-{'+'.join(param[1])}",
)
def under_settings(request, tmp_path_factory):
    """A network trained under settings, and what Keras predicts there on the training data."""
    name, names = request.param
    segments = tf.data.Dataset.from_tensors(20 * make_tensor()[0].reshape(-1, 8, 4))
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    expected = fitted_under_the_defaults(name)
    training._IDLE.clear()
    with settings(*names):
        before = current_settings()
        clf = fit_classifier(name)
        after = current_settings()
        model = clf.to_keras()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
            model.save(path)
        predicted = [m.predict(segments, verbose=0) for m in (model, keras.models.load_model(path))]
    training._IDLE.clear()
    return Bunch(
        clf=clf,
        expected=expected,
        settings=(before, after),
        predicted=predicted,
    )


def test_a_fit_does_not_depend_on_settings_of_keras(under_settings):
    clf, expected = under_settings.clf, under_settings.expected
    for found, weights in zip(clf.weights_, expected.weights_, strict=True):
        np.testing.assert_array_equal(found, weights)
    assert clf.history_ == expected.history_


def test_keras_predicts_the_same_under_its_settings(under_settings):
    ours = under_settings.clf.predict_segments_proba(20 * make_tensor()[0])
    for theirs in under_settings.predicted:  # before and after saving
        np.testing.assert_allclose(theirs, ours.reshape(-1, 3), atol=1e-5)


def test_settings_of_keras_are_left_as_they_were(under_settings):
    before, after = under_settings.settings
    assert after == before


def test_networks_with_callbacks_do_not_depend_on_settings_and_callbacks_see_them():
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: seen.append(current_settings())
    )
    expected = fit_classifier("ann", callbacks=lambda: [callback])
    with settings(*ALL):
        found = fit_classifier("ann", callbacks=lambda: [callback])
        assert seen[2:] == [current_settings()] * 2
    for a, b in zip(found.weights_, expected.weights_, strict=True):
        np.testing.assert_array_equal(a, b)


def test_settings_are_left_when_a_network_cannot_be_built(monkeypatch):
    def failing(*args, **kwargs):
        raise RuntimeError("no optimizer")

    monkeypatch.setattr(keras.optimizers, "Adam", failing)
    training._IDLE.clear()
    with settings(*ALL):
        before = current_settings()
        with pytest.raises(RuntimeError, match="no optimizer"):
            fit_classifier("ann")
        assert current_settings() == before


@pytest.mark.slow
def test_threads_do_not_depend_on_settings():
    names = list(CLASSIFIERS)
    expected = [fitted_under_the_defaults(name) for name in names]
    training._IDLE.clear()
    with settings("float64", "channels_first"), ThreadPoolExecutor(len(names)) as pool:
        before = current_settings()
        found = list(pool.map(fit_classifier, names))
        assert current_settings() == before
    for a, b in zip(found, expected, strict=True):
        for x, y in zip(a.weights_, b.weights_, strict=True):
            np.testing.assert_array_equal(x, y)


FITS_WITH_A_KERAS_JSON = """
import joblib
from skgenre.networks.training import keras
from tests.test_training import fit_classifier
print(joblib.hash([fit_classifier(name).weights_ for name in ("ann", "cnn")]))
print(keras.config.image_data_format(), keras.config.dtype_policy().name)
"""


@pytest.mark.slow
def test_a_fit_does_not_depend_on_keras_json(tmp_path):
    config = {"floatx": "float16", "epsilon": 0.1, "image_data_format": "channels_first"}
    (tmp_path / "keras.json").write_text(json.dumps({**config, "backend": "tensorflow"}))
    expected = joblib.hash([fitted_under_the_defaults(name).weights_ for name in ("ann", "cnn")])
    out = run_python(FITS_WITH_A_KERAS_JSON, KERAS_HOME=str(tmp_path))
    assert out.splitlines() == [expected, "channels_first float16"]


def one_layer(units):
    return [L.Flatten(), L.Dense(units)]


@pytest.mark.slow
def test_few_idle_networks_are_kept(monkeypatch):
    training._IDLE.clear()
    monkeypatch.setattr(training, "MAX_IDLE_NETWORKS", 3)
    for units in range(1, 6):
        fit(one_layer(units), epochs=1)
    idle = [key[0].layers[1].units for key, _ in training._IDLE]
    assert idle == [3, 4, 5]
    fit(one_layer(3), epochs=1)
    fit(one_layer(9), epochs=1)
    idle = [key[0].layers[1].units for key, _ in training._IDLE]
    assert idle == [5, 3, 9]


def test_networks_hold_no_data_while_idle():
    fit(ann(), validation=True)
    _, network = training._IDLE[-1]
    assert network.training._content == network.validation._content == ()


def test_a_progress_bar_of_the_epochs_changes_nothing(capfd):
    expected, found = (fit_classifier("ann", verbose=verbose).weights_ for verbose in (0, 1))
    for a, b in zip(expected, found, strict=True):
        np.testing.assert_array_equal(a, b)
    out, err = capfd.readouterr()
    assert out == ""
    assert "training: 100%" in err
    assert err.count("\n") == 1


@pytest.mark.slow
def test_nothing_is_written_to_stdout_or_stderr():
    code = """
import numpy as np
from skgenre import ANNClassifier
X = np.random.default_rng(0).normal(size=(8, 3))
for i in range(1, 9):
    ANNClassifier(hidden_units=(i,), epochs=1).fit(X, np.arange(8) % 2)
"""
    assert run_python(code) == ""
