"""Keras models of users as classifiers of tracks.

What they have in common with the other networks is tested with those, as "own" in `NETWORKS`.
"""

import contextlib
import pickle
import random
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skgenre import ANNClassifier, CNNClassifier, NetworkClassifier, SegmentScaler, load, save
from skgenre.networks.training import takes_one_hot
from skgenre.persistence import ModelFileError

from .conftest import make_tensor, run_python, slow_but
from .registry import NETWORKS, OwnNetwork

X, Y = make_tensor(12)
SHAPE, N_CLASSES = X.shape[2:], 3


def dense(input_shape, n_classes, units=4, end="softmax"):
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(units, "relu"),
            keras.layers.Dense(n_classes, end),
        ]
    )


def attention(input_shape, n_classes):
    """A functional model that takes any number of frames."""
    x = keras.Input((None, input_shape[1]))
    states = keras.layers.Bidirectional(keras.layers.GRU(3, return_sequences=True))(x)
    weights = keras.ops.softmax(keras.layers.Dense(1)(states), axis=1)
    pooled = keras.ops.sum(weights * states, axis=1)
    return keras.Model(x, keras.layers.Dense(n_classes, "softmax")(pooled))


class Subclassed(keras.Model):
    def __init__(self, n_classes):
        super().__init__()
        self.hidden = keras.layers.Conv1D(3, 2, activation="gelu")
        self.pool = keras.layers.GlobalMaxPooling1D()
        self.end = keras.layers.Dense(n_classes, "softmax")

    def call(self, x):
        return self.end(self.pool(self.hidden(x)))


KINDS = {
    "sequential": dense,
    "functional": attention,
    "subclassed": lambda input_shape, n_classes: Subclassed(n_classes),
}


def quick(build, **params):
    return NetworkClassifier(build=build, **{"epochs": 2, "random_state": 0, **params})


@pytest.mark.parametrize("kind", KINDS)
def test_predictions_are_those_of_keras(kind):
    clf = quick(KINDS[kind]).fit(X, Y)
    model = clf.to_keras()
    expected = model.predict(X.reshape(-1, *SHAPE).astype("float32"), verbose=0)
    found = clf.predict_segments_proba(X).reshape(-1, N_CLASSES)
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("kind", slow_but("sequential", KINDS))
def test_a_fit_depends_on_its_random_state_alone(kind):
    state = random.getstate()
    first = quick(KINDS[kind]).fit(X, Y)
    random.seed(1)
    again = quick(KINDS[kind]).fit(X, Y)
    other = quick(KINDS[kind], random_state=1).fit(X, Y)
    random.setstate(state)
    for a, b in zip(first.weights_, again.weights_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first.weights_[0] != other.weights_[0]).any()


def test_a_fit_and_a_prediction_keep_the_state_of_random():
    state = random.getstate()
    quick(dense).fit(X, Y).predict(X)
    assert random.getstate() == state


def test_a_model_without_fixed_frames_takes_any_number():
    clf = quick(attention).fit(X, Y)
    longer = np.concatenate([X, X], axis=2)
    assert clf.predict(longer).shape == (12,)
    with pytest.raises(ValueError, match=r"X has segments of 16 frames, .* expecting 8"):
        quick(dense).fit(X, Y).predict(longer)


# ---------------------------------------------------------------- compiled models


def compiled(loss, rate=0.1, kind="sequential"):
    def build(input_shape, n_classes):
        model = KINDS[kind](input_shape, n_classes)
        model.compile(keras.optimizers.SGD(rate), loss, metrics=["accuracy"])
        return model

    return build


def test_the_optimizer_of_a_compiled_model_is_used():
    still, moving = (
        quick(compiled("sparse_categorical_crossentropy", rate), learning_rate=1.0).fit(X, Y)
        for rate in (0.0, 0.1)
    )
    assert still.history_["loss"][0] == pytest.approx(still.history_["loss"][1])
    assert moving.history_["loss"][1] < moving.history_["loss"][0]


class Derived(keras.losses.CategoricalCrossentropy):
    pass


def of_indices(y_true, y_pred):
    """A function of a user gets class indices."""
    labels = keras.ops.one_hot(keras.ops.cast(y_true, "int32"), N_CLASSES)
    return keras.losses.categorical_crossentropy(labels, y_pred)


@pytest.mark.parametrize("kind", slow_but("sequential", ["sequential", "subclassed"]))
@pytest.mark.parametrize(
    "loss",
    [
        "categorical_crossentropy",
        "kl_divergence",  # the same for one-hot labels
        ["categorical_crossentropy"],
        Derived(),
        partial(keras.losses.categorical_crossentropy, label_smoothing=0.0),
        keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=0.0),
        of_indices,
    ],
    ids=["name", "divergence", "list", "derived", "partial", "focal", "own"],
)
def test_losses_get_the_labels_that_they_take(loss, kind):
    options = {"batch_size": N_CLASSES, "epochs": 1}  # sizes that a loss could mistake for labels
    sparse = compiled("sparse_categorical_crossentropy", kind=kind)
    expected = quick(sparse, **options).fit(X, Y).history_
    found = quick(compiled(loss, kind=kind), **options).fit(X, Y).history_
    np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-4)


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mse", True),
        ("binary_crossentropy", True),
        (keras.losses.Poisson(), True),
        ("sparse_categorical_crossentropy", False),
        (keras.losses.SparseCategoricalCrossentropy(), False),
    ],
)
def test_losses_of_keras_that_are_not_sparse_take_one_hot_labels(loss, expected):
    assert takes_one_hot(loss) is expected


@pytest.mark.parametrize("name", slow_but("mel", [name for name in NETWORKS if name != "own"]))
def test_known_networks_keep_their_layers_with_another_optimizer(name):
    network = NETWORKS[name]

    class WithNadam(type(network)):
        def compile_model(self, model):
            # Nadam has a state that does not begin with zero.
            model.compile(keras.optimizers.Nadam(0.03), "categorical_crossentropy")

    params = network.get_params()
    clf = WithNadam(**{**params, "epochs": 3}).fit(X, Y)
    assert clf.history_["loss"][2] < clf.history_["loss"][0]
    assert clf.architecture_.layers == network.fit(X, Y).architecture_.layers
    assert clf.to_onnx()


# ---------------------------------------------------------------- continued training


def test_partial_fit_continues_with_the_state_of_the_optimizer():
    """In one batch per epoch, two calls equal two epochs."""
    params = {"batch_size": 100, "learning_rate": 0.05}
    whole = quick(dense, epochs=2, **params).fit(X, Y)
    parts = quick(dense, **params)
    for _ in range(2):
        parts.partial_fit(X, Y, classes=np.unique(Y))
        parts = pickle.loads(pickle.dumps(parts))
    np.testing.assert_allclose(parts.history_["loss"], whole.history_["loss"], rtol=1e-4)


def test_models_of_other_parameters_are_not_continued():
    """NumPy shortens the text of long arrays, in which these differ."""

    def weighted(input_shape, n_classes, factors):
        x = keras.Input(input_shape)
        y = keras.layers.Dense(n_classes, "softmax")(keras.layers.Flatten()(x) * factors[-32:])
        return keras.Model(x, y)

    factors = np.ones(3000)
    clf = quick(weighted, build_params={"factors": factors}).partial_fit(X, Y, np.unique(Y))
    changed = np.concatenate([factors[:-32], np.full(32, 50.0)])
    clf.set_params(build_params={"factors": changed}).partial_fit(X, Y)
    assert clf.history_["loss"][1] > 2 * clf.history_["loss"][0]


def test_training_does_not_go_on_with_other_sizes():
    clf = quick(dense, build_params={"units": 4}).partial_fit(X, Y, classes=np.unique(Y))
    clf.set_params(build_params={"units": 5})
    with pytest.raises(ValueError, match="build_model now returns a model with"):
        clf.partial_fit(X, Y)


# ---------------------------------------------------------------- searches and pretrained models


@pytest.mark.parametrize("n_jobs", slow_but(None, [None, 2]))
def test_a_grid_searches_parameters_of_the_function(n_jobs):
    pipeline = make_pipeline(SegmentScaler(), quick(dense, epochs=1))
    grid = {"networkclassifier__build_params": [{"units": 2}, {"units": 3}]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).fit(X, Y)
    best = search.best_estimator_[-1]
    assert best.weights_[0].shape[1] == best.build_params["units"]


def on_top(input_shape, n_classes, base, trainable):
    base.trainable = trainable
    x = keras.Input(input_shape)
    return keras.Model(x, keras.layers.Dense(n_classes, "softmax")(base(x)))


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("trainable", [True, False])
def test_a_pretrained_model_is_the_same_at_the_start_of_each_fit(trainable, tmp_path):
    dense(SHAPE, 5).save(tmp_path / "base.keras")
    base = keras.models.load_model(tmp_path / "base.keras")
    before = base.get_weights()
    clf = quick(on_top, build_params={"base": base, "trainable": trainable}, learning_rate=0.1)
    first = clone(clf).fit(X, Y).weights_
    np.testing.assert_array_equal(first[0], clf.fit(X, Y).weights_[0])
    np.testing.assert_array_equal(clf.fit(X, Y).weights_[-1], first[-1])
    np.testing.assert_array_equal(base.get_weights()[0], before[0])
    assert (first[0] == before[0]).all() != trainable
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))


SHARED = dense(SHAPE, N_CLASSES)


@pytest.mark.parametrize(
    "build",
    [
        lambda input_shape, n_classes: SHARED,
        lambda input_shape, n_classes: on_top(input_shape, n_classes, SHARED, True),
        partial(on_top, base=SHARED, trainable=False),
    ],
    ids=["model", "closure", "partial"],
)
def test_a_model_that_an_earlier_fit_has_used_is_refused(build):
    with contextlib.suppress(ValueError):  # the model was used before
        quick(build).fit(X, Y)
    with pytest.raises(ValueError, match="or a part of one, that an earlier fit has used"):
        quick(build).fit(X, Y)


# ---------------------------------------------------------------- fitted classifiers


def test_parameters_have_no_effect_before_the_next_fit():
    clf = quick(dense, build_params={"units": 4}).fit(X, Y)
    expected = pickle.loads(pickle.dumps(clf)).predict_proba(X)
    clf.set_params(build_params={"units": 5})
    for same in clf, pickle.loads(pickle.dumps(clf)):
        np.testing.assert_array_equal(same.predict_proba(X), expected)
    assert clf.fit(X, Y).weights_[0].shape[1] == 5


def test_a_model_with_random_constants_is_refused():
    def build(input_shape, n_classes):
        x = keras.Input(input_shape)
        noise = np.random.default_rng().normal(size=(32, 8)).astype("float32")
        hidden = keras.ops.matmul(keras.layers.Flatten()(x), noise)
        return keras.Model(x, keras.layers.Dense(n_classes, "softmax")(hidden))

    with pytest.raises(ValueError, match="computes other probabilities than in the fit"):
        quick(build).fit(X, Y).predict(X)


class Normalized(NetworkClassifier):
    def build_model(self, input_shape, n_classes):
        normalization = keras.layers.Normalization()
        normalization.adapt(X[:, 0])
        x = keras.Input(input_shape)
        y = keras.layers.Flatten()(normalization(x))
        return keras.Model(x, keras.layers.Dense(n_classes, "softmax")(y))


def test_weights_may_be_scalars_and_integers(tmp_path):
    clf = Normalized(epochs=1, random_state=0).fit(X, Y)
    assert any(weight.ndim == 0 for weight in clf.weights_)
    expected = clf.predict_proba(X)
    save(clf, tmp_path / "model.skgenre")
    for again in (
        pickle.loads(pickle.dumps(clf)),
        load(tmp_path / "model.skgenre", trusted=[Normalized]),
    ):
        np.testing.assert_array_equal(again.predict_proba(X), expected)


# ---------------------------------------------------------------- errors


class Doubled(keras.layers.Layer):
    """A layer that is not registered."""

    def call(self, x):
        return 2 * x


class WithoutLoss(keras.Model):
    def train_step(self, data):
        return {"my_loss": keras.ops.mean(self(data[0]))}


def without_loss(input_shape, n_classes):
    x = keras.Input(input_shape)
    y = keras.layers.Dense(n_classes, "softmax")(keras.layers.Flatten()(x))
    model = WithoutLoss(x, y)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


def test_a_layer_that_cannot_be_copied_must_be_registered():
    base = keras.Sequential([keras.Input(SHAPE), Doubled(), keras.layers.Flatten()])
    clf = quick(on_top, build_params={"base": base, "trainable": True})
    with pytest.raises(TypeError, match=r"must be registered with keras\.saving\.register"):
        clf.fit(X, Y)


def test_a_data_class_must_not_compare_by_value():
    @dataclass
    class Compared(OwnNetwork):
        width: int = 3

    with pytest.raises(TypeError, match=r"Use @dataclass\(kw_only=True, eq=False, repr=False\)"):
        Compared().fit(X, Y)


def test_a_function_beside_a_method_is_refused():
    with pytest.raises(TypeError, match="has no effect, since OwnNetwork overrides build_model"):
        OwnNetwork(build=dense).fit(X, Y)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda s, n: 3, TypeError, "must return a keras.Model; got 3"),
        (lambda s, n: dense(s, n, end=None), ValueError, "must return probabilities, which sum"),
        (lambda s, n: dense(s, n, end="sigmoid"), ValueError, "probabilities, which sum to 1"),
        (lambda s, n: dense(s, n + 1), ValueError, r"classes, \(2, 3\); it returned .*\(2, 4\)"),
        (
            lambda s, n: keras.Sequential([keras.Input(s), keras.layers.Dense(n, "softmax")]),
            ValueError,
            r"returned an output of shape \(2, 8, 3\)",
        ),
        (lambda s, n: dense((5, 5), n), ValueError, "cannot process segments of shape"),
        (None, TypeError, "does not define a network: pass a function .* as build"),
        (dense(SHAPE, 3), TypeError, "build must be a function that returns a new model"),
        (without_loss, ValueError, r"has no 'loss', .*; it has \['my_loss'\]"),
    ],
)
def test_models_that_do_not_fit(build, error, message):
    with pytest.raises(error, match=message):
        quick(build).fit(X, Y)


def test_layers_of_keras_in_hidden_layers_name_build_model():
    class Wrong(NetworkClassifier):
        def hidden_layers(self, input_shape):
            return [keras.layers.GRU(3)]

    with pytest.raises(TypeError, match=r"got <GRU name=.*override build_model"):
        Wrong().fit(X, Y)


@pytest.mark.parametrize("cls", [ANNClassifier, CNNClassifier])
def test_known_networks_have_no_parameter_build(cls):
    assert not {"build", "build_params"} & cls().get_params().keys()


# ---------------------------------------------------------------- files and processes


def test_a_model_predicts_in_a_new_process(tmp_path):
    clf = OwnNetwork(epochs=1, random_state=0).fit(X, Y)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(clf))
    np.save(tmp_path / "expected.npy", clf.predict_proba(X))
    run_python(
        f"""
import pickle
import numpy as np
import skgenre.networks.training  # leaves out what TensorFlow writes at the start
from tests.test_own_models import X

with open({str(tmp_path / "model.pickle")!r}, "rb") as file:
    clf = pickle.load(file)
np.testing.assert_allclose(
    clf.predict_proba(X), np.load({str(tmp_path / "expected.npy")!r}), atol=1e-6
)
"""
    )


def test_a_pickle_holds_arrays_and_no_keras_objects():
    clf = OwnNetwork(epochs=1, random_state=0).fit(X, Y)
    clf.predict(X)
    assert b"keras" not in pickle.dumps(clf)
    assert len(pickle.dumps(clf)) < 10_000


@dataclass(kw_only=True, eq=False, repr=False)
class Grown(OwnNetwork):
    """A class whose code has changed since the fit."""

    def build_model(self, input_shape, n_classes):
        return dense(input_shape, n_classes, self.units)


def test_a_model_file_needs_the_same_class(tmp_path):
    path = tmp_path / "model.skgenre"
    clf = OwnNetwork(epochs=1, random_state=0).fit(X, Y)
    save(clf, path)
    with pytest.raises(ModelFileError, match=r"OwnNetwork.* pass custom networks"):
        load(path)
    np.testing.assert_array_equal(
        load(path, trusted=[OwnNetwork]).predict_proba(X), clf.predict_proba(X)
    )
    clf.__class__ = Grown
    with pytest.raises(ValueError, match="It must return the same model for the same parameters"):
        pickle.loads(pickle.dumps(clf)).predict(X)


def test_a_function_cannot_be_saved_in_a_model_file(tmp_path):
    with pytest.raises(ModelFileError, match="Override build_model in a subclass"):
        save(quick(dense), tmp_path / "model.skgenre")


def test_onnx_is_refused_with_the_way_through_keras():
    with pytest.raises(TypeError, match=r"to_keras\(\).export"):
        OwnNetwork(epochs=1).fit(X, Y).to_onnx()
