"""NumPy's answers against Keras', on architectures and weights drawn at random."""

import numpy as np
import pytest

from skgenre import layers as L
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
    from skgenre.networks.keras_models import build_keras

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
    for _ in range(8):
        architecture = random_architecture(rng)
        X = rng.normal(size=(3, *architecture.input_shape)).astype(np.float32)
        X.flags.writeable = False
        weights = random_weights(architecture, rng)
        before = [w.copy() for w in weights]
        inference.predict_proba(architecture, weights, X)
        for old, new in zip(before, weights, strict=True):
            np.testing.assert_array_equal(old, new)
