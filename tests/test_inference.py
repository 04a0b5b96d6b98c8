"""NumPy's answers against Keras', on architectures and weights drawn at random."""

import numpy as np
import pytest

from skgenre import MelCNNClassifier, layers as L
from skgenre.networks import inference


def random_architecture(rng):
    """A network of the known layers in an order that fits."""
    frames, coefficients = rng.integers(1, 30), rng.integers(1, 14)
    layers = []
    shape = (frames, coefficients)
    kind = rng.choice(["dense", "conv", "recurrent", "conv-recurrent"])
    if kind.startswith("conv"):
        shape = (*shape, 1)
        layers.append(L.Reshape(shape))
        for _ in range(rng.integers(1, 4)):
            kernel = tuple(int(rng.integers(1, min(n, 4) + 1)) for n in shape[:2])
            layers.append(L.Conv2D(int(rng.integers(1, 9)), rng.choice(["relu", "linear"]), kernel))
            pool = (int(rng.integers(1, 5)), int(rng.integers(1, 5)))
            layers += [L.MaxPooling2D(pool, int(rng.integers(1, 4))), L.BatchNormalization()]
            shape = L.Architecture((frames, coefficients), tuple(layers)).shapes[-1]
        if kind == "conv-recurrent":
            layers.append(L.Reshape((shape[0], shape[1] * shape[2])))
    if "recurrent" in kind:
        layers += [L.LSTM(int(n), True) for n in rng.integers(1, 9, size=rng.integers(0, 3))]
        layers += [L.Dense(5, "relu"), L.LSTM(int(rng.integers(1, 9)))]
    else:
        layers.append(L.Flatten())
    layers += [L.Dense(int(rng.integers(1, 20)), "relu", l2=0.1), L.Dropout(0.5)]
    return L.Architecture(
        (int(frames), int(coefficients)),
        (*layers, L.BatchNormalization(), L.Dense(int(rng.integers(2, 6)), "softmax")),
    )


def random_pooling_architecture(rng):
    """A network for any number of frames: padded and strided kernels, pooling over time."""
    frames, coefficients = (int(n) for n in rng.integers(1, 30, 2))
    layers = [L.Reshape((-1, coefficients, 1))]
    if rng.integers(2):
        layers.append(L.Activation("relu"))
    for _ in range(rng.integers(1, 4)):
        units, strides, *kernel = (int(n) for n in rng.integers(1, 6, 4))
        layers.append(
            L.Conv2D(
                units,
                rng.choice(["relu", "linear"]),
                tuple(kernel),
                strides,
                "same",
                rng.random() < 0.5,
            )
        )
        middle = [L.BatchNormalization(0.9), L.Activation("relu"), L.MaxPooling2D(), L.Dropout(0.5)]
        layers += [middle[i] for i in rng.permutation(4)[: rng.integers(5)]]
    layers += [L.TimePooling(), L.BatchNormalization(), L.Dense(4, "relu")]
    return L.Architecture((frames, coefficients), (*layers, L.Dense(3, "softmax")))


def random_weights(architecture, rng):
    return [
        (
            rng.uniform(0.5, 2, w.shape)
            if w.name == "moving_variance"
            else rng.normal(0, 0.7, w.shape)
        ).astype(np.float32)
        for weights in architecture.weights
        for w in weights
    ]


def keras_proba(architecture, weights, X):
    from skgenre.networks.training import build_keras

    return build_keras(architecture, weights).predict(X, verbose=0, batch_size=256)


@pytest.mark.parametrize("seed", range(14))
def test_equals_keras(seed):
    rng = np.random.default_rng(seed)
    architecture = random_architecture(rng)
    weights = random_weights(architecture, rng)
    X = rng.normal(0, 3, (150, *architecture.input_shape)).astype(np.float32)
    proba = inference.predict_proba(architecture, weights, X)
    np.testing.assert_allclose(proba, keras_proba(architecture, weights, X), atol=1e-5)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize(
    "seed", [*range(14), 20, 32, 40, 45, 47]
)  # the last: padding behind a norm
def test_equals_keras_on_any_number_of_frames(seed):
    rng = np.random.default_rng(seed)
    architecture = random_pooling_architecture(rng)
    assert architecture.takes_any_frames
    weights = random_weights(architecture, rng)
    X = rng.normal(0, 3, (20, rng.integers(1, 60), architecture.input_shape[1])).astype(np.float32)
    proba = inference.predict_proba(architecture.with_frames(X.shape[1]), weights, X)
    np.testing.assert_allclose(proba, keras_proba(architecture, weights, X), atol=1e-5)


@pytest.mark.parametrize(
    ("size", "kernel", "strides"), [(9, 3, 2), (8, 5, 2), (4, 4, 3), (7, 2, 2)]
)
def test_strides_without_padding(size, kernel, strides):
    conv = L.Conv2D(3, "relu", (kernel, 1), strides)
    architecture = L.Architecture(
        (size, 5), (L.Reshape((size, 5, 1)), conv, L.Flatten(), L.Dense(2, "softmax"))
    )
    weights = random_weights(architecture, np.random.default_rng(0))
    X = np.random.default_rng(1).normal(size=(6, size, 5)).astype(np.float32)
    proba = inference.predict_proba(architecture, weights, X)
    np.testing.assert_allclose(proba, keras_proba(architecture, weights, X), atol=1e-5)


def test_a_normalisation_between_kernel_and_relu_costs_nothing():
    architecture = L.Architecture(
        (12, 8),
        (
            *MelCNNClassifier(filters=(4, 4), dense_units=3).hidden_layers((12, 8)),
            L.Dense(2, "softmax"),
        ),
    )
    operations = inference._fuse(
        architecture, random_weights(architecture, np.random.default_rng(0))
    )
    assert [operation.kind for operation in operations] == [
        *("Reshape", "Conv2D", "MaxPooling2D", "bias", "relu", "Conv2D", "bias", "relu"),
        *("TimePooling", "Dense", "bias", "relu", "Dense", "bias", "softmax"),
    ]


def test_extreme_inputs_neither_overflow_nor_warn():
    architecture = L.Architecture((5, 3), (L.LSTM(4), L.Dense(3, "softmax")))
    weights = random_weights(architecture, np.random.default_rng(0))
    X = np.full((2, 5, 3), 1e4, np.float32) * [[[1]], [[-1]]]
    proba = inference.predict_proba(architecture, weights, X.astype(np.float32))
    np.testing.assert_allclose(proba, keras_proba(architecture, weights, X), atol=1e-5)


def test_no_segments():
    architecture = L.Architecture((5, 3), (L.Flatten(), L.Dense(2, "softmax")))
    weights = random_weights(architecture, np.random.default_rng(0))
    assert inference.predict_proba(architecture, weights, np.empty((0, 5, 3), "f4")).shape == (0, 2)


def test_input_is_not_modified():
    rng = np.random.default_rng(5)
    for i in range(16):
        architecture = (random_architecture, random_pooling_architecture)[i % 2](rng)
        X = rng.normal(size=(3, *architecture.input_shape)).astype(np.float32)
        X.flags.writeable = False
        weights = random_weights(architecture, rng)
        before = [w.copy() for w in weights]
        inference.predict_proba(architecture, weights, X)
        for old, new in zip(before, weights, strict=True):
            np.testing.assert_array_equal(old, new)
