"""Data of the kind that breaks arithmetic: no NaN, rows that sum to 1, no warning."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skgenre import GTZANFeatures, MFCCSegmenter, SegmentScaler, SegmentSummary

from .conftest import make_tensor, write_sound
from .registry import BASELINES, NETWORKS

RNG = np.random.default_rng(0)


def silent(seconds):
    return np.zeros(round(22050 * seconds))


def constant_tensor():
    """Silent tracks: all frames are equal."""
    X = np.tile(np.float32([-600, 0, 0, 0]), (12, 3, 8, 1))
    return X, np.arange(12) % 3


def one_track_a_class():
    X, _ = make_tensor(5)
    return X, np.arange(5)


def many_classes():
    X, _ = make_tensor(2002, n_segments=1, n_frames=4)
    return X, np.arange(2002) % 1000


def unequal_lengths():
    """From one segment to 500, for one of the classes alone."""
    X = RNG.normal(size=(6, 500, 8, 4)).astype(np.float32)
    for i in range(1, 6):
        X[i, i:] = np.nan
    return X, np.arange(6) % 2


def huge_and_tiny():
    X, y = make_tensor(12)
    X[..., 0] *= 1e18
    X[..., 1] *= 1e-30
    return X, y


DATA = [
    *(constant_tensor, one_track_a_class, unequal_lengths, huge_and_tiny),
]


def check(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        proba = model.fit(X, y).predict_proba(X)
    assert proba.shape == (len(X), len(np.unique(y)))
    assert np.isfinite(proba).all()
    assert (proba >= 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)


#: What reaches the layers as other than ordinary numbers, for all networks; the rest for one.
@pytest.mark.parametrize(
    ("name", "data"),
    [
        *(pytest.param("ann", data, id=f"ann-{data.__name__}") for data in DATA),
        pytest.param("ann", many_classes, id="ann-many_classes", marks=pytest.mark.slow),
        *(
            pytest.param(name, data, id=f"{name}-{data.__name__}", marks=pytest.mark.slow)
            for name in ("cnn", "lstm")
            for data in (constant_tensor, huge_and_tiny)
        ),
    ],
)
def test_networks(name, data):
    model = clone(NETWORKS[name]).set_params(epochs=2)
    check(make_pipeline(SegmentScaler(), model), *data())


def test_a_class_of_missing_tracks_only():
    X, y = make_tensor(15)
    X[y == "genre1"] = np.nan
    model = clone(NETWORKS["ann"]).set_params(epochs=2)
    with pytest.warns(UserWarning, match="5 of 15 tracks have no segment and are ignored"):
        model.fit(X, y)
    with pytest.warns(UserWarning, match="get the class prior"):
        proba = model.predict_proba(X)
    assert proba.shape == (15, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    assert np.isfinite(proba).all()
    assert model.class_prior_[1] == 0


@pytest.mark.parametrize(
    "data", [constant_tensor, unequal_lengths, huge_and_tiny], ids=lambda data: data.__name__
)
@pytest.mark.parametrize("name", ["logistic", "lda", "forest"])
def test_baselines(name, data):
    if data is constant_tensor and name == "lda":
        pytest.skip("scikit-learn's has nothing to discriminate by, and says so")
    X, y = data()
    if data is huge_and_tiny and name != "forest":
        X = X / np.float32([1e12, 1, 1, 1])  # squares of more overflow float32
    X, y = np.concatenate([X] * 3), np.concatenate([y] * 3)
    check(make_pipeline(SegmentSummary(), clone(BASELINES[name])), X, y)


@pytest.mark.parametrize("kind", ["clipping", "click"])
def test_sounds_without_music(tmp_path, kind):
    y = {
        "clipping": np.sign(np.sin(np.arange(22050 * 4) / 20)) * 0.99,
        "click": np.r_[silent(0.5), 0.9, silent(0.5)],
    }[kind]
    path = write_sound(tmp_path / "a.wav", y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tensor = MFCCSegmenter(segment_duration=1, n_segments=1).transform([path])
        features = GTZANFeatures().transform([path])
    assert np.isfinite(tensor).all()
    assert np.isfinite(features).all()
