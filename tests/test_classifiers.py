import pickle
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skgenre import ANNClassifier, NetworkClassifier, layers
from skgenre.tensor import segment_mask

from .conftest import make_tensor, run_python, slow_but
from .registry import NETWORKS


@pytest.fixture(params=slow_but("ann", NETWORKS))
def clf(request):
    """Three epochs: enough where it does not matter how much is learnt."""
    return clone(NETWORKS[request.param]).set_params(epochs=3)


@pytest.fixture(scope="module")
def fitted(data):
    return clone(NETWORKS["ann"]).fit(*data)


# ---------------------------------------------------------------- fitting and answering


@pytest.mark.parametrize("name", slow_but("ann", NETWORKS))
def test_learns_tracks_it_has_not_seen(name, data):
    X, y = data
    clf = clone(NETWORKS[name]).fit(X, y)
    X_new, y_new = make_tensor(60, seed=1)
    assert clf.score(X_new, y_new) > 0.8
    proba = clf.predict_proba(X_new)
    assert proba.shape == (60, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    np.testing.assert_array_equal(clf.classes_, ["genre0", "genre1", "genre2"])
    np.testing.assert_array_equal(clf.predict(X_new), clf.classes_[proba.argmax(axis=1)])
    assert len(clf.history_["loss"]) == clf.n_iter_ == clf.epochs
    assert clf.history_["loss"][-1] < clf.history_["loss"][0]
    assert clf.n_features_in_ == 4


def test_agrees_with_its_keras_model(clf, data):
    X, y = data
    model = clf.fit(X, y).to_keras()
    mask = segment_mask(X)
    expected = model.predict(X[mask], verbose=0)
    found = clf.predict_segments_proba(X)
    np.testing.assert_allclose(found[mask], expected, atol=1e-5)
    assert np.isnan(found[~mask]).all()
    # Stand-alone: changing it changes nothing here.
    before = clf.predict_proba(X)
    model.set_weights([w * 0 for w in model.get_weights()])
    np.testing.assert_array_equal(clf.predict_proba(X), before)


def test_fitted_attributes_refer_to_no_keras(clf, data):
    clf.fit(*data)
    content = pickle.dumps(clf)
    assert b"keras" not in content
    assert b"tensorflow" not in content


@pytest.mark.parametrize("aggregation", ["mean", "vote", "max", "geometric"])
def test_aggregation_folds_the_segments(fitted, data, aggregation):
    X, _ = data
    clf = clone(fitted).set_params(aggregation=aggregation)
    clf.__dict__.update({k: v for k, v in vars(fitted).items() if k.endswith("_")})
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    # A track of one segment is that segment, or its vote.
    [segment] = clf.predict_segments_proba(X[4:5, :1])[0]
    expected = np.eye(3)[segment.argmax()] if aggregation == "vote" else segment
    np.testing.assert_allclose(proba[4], expected, rtol=1e-5)  # rows of float32 products vary


@pytest.mark.parametrize("name", slow_but("ann", NETWORKS))
def test_tables_are_frames(name):
    """One frame has a third of the evidence that eight have."""
    (X, y), (X_new, y_new) = (make_tensor(60, 1, 1, seed=seed) for seed in (0, 1))
    table, new = (pd.DataFrame(x[:, 0, 0], columns=list("abcd")) for x in (X, X_new))
    clf = clone(NETWORKS[name]).set_params(epochs=20, batch_size=8).fit(table, y)
    assert clf.feature_names_in_.tolist() == list("abcd")
    assert clf.score(new, y_new) > 0.5  # chance is 1/3
    assert clf.architecture_.input_shape == (1, 4)


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_other_dtypes(fitted, data, dtype):
    X, y = data
    X = X.astype(dtype)
    again = clone(fitted).fit(X, y)
    X_new, y_new = make_tensor(60, seed=1)
    assert again.score(X_new.astype(dtype), y_new) > 0.8
    assert all(w.dtype == np.float32 for w in again.weights_)
    np.testing.assert_allclose(fitted.predict_proba(X), fitted.predict_proba(data[0]), atol=0.01)


@pytest.mark.parametrize(
    "labels",
    [[2, 0, 1], [True, False, True], np.array(["b", 0.5, "a"], object)[[0, 2, 0]]],
)
def test_labels_of_any_kind(labels, data):
    X, _ = data
    y = np.array([labels[i % 3] for i in range(len(X))])
    clf = clone(NETWORKS["ann"]).fit(X, y)
    np.testing.assert_array_equal(clf.classes_, np.unique(y))
    assert clf.predict(X).dtype == y.dtype
    X_new, _ = make_tensor(60, seed=1)
    assert clf.score(X_new, np.array([labels[i % 3] for i in range(60)])) > 0.6


def test_weights_are_not_modified(data):
    X, y = data
    weight = np.linspace(0, 1, len(y))
    before = weight.copy()
    clone(NETWORKS["ann"]).set_params(class_weight="balanced", epochs=1).fit(
        X, y, sample_weight=weight
    )
    np.testing.assert_array_equal(weight, before)


# ---------------------------------------------------------------- reproducibility


def test_an_int_seed_gives_the_same_model_again(clf, data):
    X, y = data
    first = clf.fit(X, y)
    again = clone(clf).fit(X, y)
    refit = pickle.loads(pickle.dumps(first)).fit(X, y)
    for other in (again, refit):
        for a, b in zip(first.weights_, other.weights_, strict=True):
            np.testing.assert_array_equal(a, b)
    different = clone(clf).set_params(random_state=1).fit(X, y)
    assert (different.weights_[0] != first.weights_[0]).any()
    instance = np.random.RandomState(0)
    two = [clone(clf).set_params(random_state=instance) for _ in range(2)]
    two = [clf.set_params(random_state=instance).fit(X, y) and clf.weights_[0] for clf in two]
    assert (two[0] != two[1]).any()  # scikeras makes seed 0 of every instance


IN_ANOTHER_PROCESS = """
import sys, numpy as np, joblib
clf, X, y = joblib.load(sys.argv[1])
print(clf.fit(X, y).predict_proba(X).tobytes().hex())
"""


@pytest.mark.slow
def test_and_in_another_process(tmp_path, data):
    X, y = data
    clf = clone(NETWORKS["cnn"]).set_params(early_stopping=True, epochs=3)
    joblib.dump((clf, X, y), tmp_path / "data")
    found = bytes.fromhex(run_python(IN_ANOTHER_PROCESS, tmp_path / "data"))
    np.testing.assert_array_equal(
        np.frombuffer(found).reshape(-1, 3), clf.fit(X, y).predict_proba(X)
    )


def test_no_seed_gives_other_models(data):
    clf = clone(NETWORKS["ann"]).set_params(random_state=None, epochs=1)
    weights = [clone(clf).fit(*data).weights_[0] for _ in range(2)]
    assert (weights[0] != weights[1]).any()


# ---------------------------------------------------------------- weights


def test_tracks_of_weight_zero_are_left_out(data):
    X, y = data
    clf = clone(NETWORKS["ann"]).set_params(epochs=3)
    weight = np.ones(len(y))
    weight[::4] = 0
    keep = weight > 0
    with_zeros = clone(clf).fit(X, y, sample_weight=weight)
    without = clone(clf).fit(X[keep], y[keep])
    np.testing.assert_array_equal(with_zeros.predict_proba(X), without.predict_proba(X))
    np.testing.assert_allclose(
        with_zeros.class_prior_, np.unique(y[keep], return_counts=True)[1] / keep.sum()
    )


def test_class_weights_are_sample_weights(data):
    X, y = data
    y = np.where(np.arange(len(y)) < 20, "genre0", y)
    weight = np.linspace(0.5, 1.5, len(y))
    factors = {"genre0": 1.0, "genre1": 5.0, "genre2": 2.0}
    by_class = (
        clone(NETWORKS["ann"]).set_params(class_weight=factors).fit(X, y, sample_weight=weight)
    )
    by_hand = clone(NETWORKS["ann"]).fit(
        X, y, sample_weight=weight * [factors[label] for label in y]
    )
    np.testing.assert_array_equal(by_class.predict_proba(X), by_hand.predict_proba(X))
    balanced = clone(NETWORKS["ann"]).set_params(class_weight="balanced").fit(X, y)
    np.testing.assert_allclose(balanced.class_prior_, 1 / 3)


def test_scaling_all_weights_changes_nothing(data):
    X, y = data
    weight = np.linspace(0.5, 1.5, len(y))
    a, b = (clone(NETWORKS["ann"]).fit(X, y, sample_weight=w) for w in (weight, weight * 64))
    np.testing.assert_allclose(a.predict_proba(X), b.predict_proba(X), atol=1e-5)


# ---------------------------------------------------------------- early stopping


@pytest.mark.slow
def test_early_stopping_holds_out_tracks(data, monkeypatch):
    X, y = data
    seen = []
    train = __import__("skgenre.networks.training", fromlist=["train"]).train
    monkeypatch.setattr(
        "skgenre.networks.training.train",
        lambda a, training, validation, **kw: (
            seen.append((training, validation)) or train(a, training, validation, **kw)
        ),
    )
    clf = clone(NETWORKS["ann"]).set_params(
        early_stopping=True,
        validation_fraction=0.3,
        n_iter_no_change=2,
        epochs=200,
        learning_rate=0.1,
    )
    clf.fit(X, y)
    [(training, validation)] = seen
    assert not set(training.track) & set(validation.track)
    assert set(training.track) | set(validation.track) == set(range(30))
    held_out = np.unique(validation.track)
    assert np.unique(y[held_out], return_counts=True)[1].tolist() == [3, 3, 3]  # stratified
    assert {"loss", "accuracy", "val_loss", "val_accuracy"} == set(clf.history_)
    assert len(clf.history_["val_loss"]) == clf.n_iter_ < 200

    groups = np.arange(30) // 3
    clf.fit(X, y, groups=groups)
    training, validation = seen[1]
    assert not set(groups[training.track]) & set(groups[validation.track])
    assert 0.15 < len(np.unique(validation.track)) / 30 < 0.45


def test_early_stopping_that_cannot_be_had(data):
    X, y = data
    clf = clone(NETWORKS["ann"]).set_params(early_stopping=True)
    with pytest.raises(ValueError, match=r"Cannot hold out validation_fraction=0\.1 of 4 tracks"):
        clf.fit(X[:4], y[:4])
    with pytest.raises(ValueError, match="whole groups: each group"):
        clf.fit(X, y, groups=np.zeros(30))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clf.fit(X, y, groups=np.zeros(29))


# ---------------------------------------------------------------- tracks without segments


@pytest.fixture
def gappy(data):
    """Tracks 3 and 7 have no segment."""
    X, y = data
    X = X.copy()
    X[[3, 7]] = np.nan
    return X, y


def test_tracks_without_segments_are_left_out_of_fit(gappy):
    X, y = gappy
    clf = clone(NETWORKS["ann"]).set_params(epochs=3)
    with pytest.warns(UserWarning, match="2 of 30 tracks have no segment.*: tracks 3, 7"):
        found = clone(clf).fit(X, y)
    keep = ~np.isin(np.arange(30), [3, 7])
    expected = clone(clf).fit(X[keep], y[keep])
    np.testing.assert_array_equal(found.predict_proba(X[keep]), expected.predict_proba(X[keep]))


def test_tracks_without_segments_get_the_prior(fitted, gappy):
    X, _ = gappy
    with pytest.warns(UserWarning, match="2 of 30 tracks have no segment and get the class prior"):
        proba = fitted.predict_proba(X)
    assert proba.shape == (30, 3)
    np.testing.assert_allclose(proba[[3, 7]], [fitted.class_prior_] * 2)
    with pytest.warns(UserWarning, match="no segment"):
        assert fitted.predict(X).shape == (30,)
    with warnings.catch_warnings():
        assert np.isnan(fitted.predict_segments_proba(X)[3]).all()


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"aggregation": "median"}, "'aggregation' parameter of ANNClassifier must be a str among"),
        ({"epochs": 0}, "'epochs' parameter"),
        ({"learning_rate": 0}, "'learning_rate' parameter"),
        ({"dropout": 1.0}, "'dropout' parameter"),
        ({"validation_fraction": 1.5}, "'validation_fraction' parameter"),
        ({"hidden_units": -64}, "'hidden_units' parameter"),
        ({"hidden_units": ()}, r"hidden_units must be a positive integer.*got \(\)"),
        ({"hidden_units": (8, 0)}, r"hidden_units must be a positive integer.*got \(8, 0\)"),
        ({"class_weight": {"opera": 2}}, r"The classes, .*, are not in class_weight"),
    ],
)
def test_bad_parameters(data, parameters, message):
    with pytest.raises(ValueError, match=message):
        clone(NETWORKS["ann"]).set_params(**parameters).fit(*data)


def test_a_number_is_one_layer():
    """As libraries that search over numbers alone set it."""
    number, sequence = ANNClassifier(hidden_units=5), ANNClassifier(hidden_units=(5,))
    assert number.hidden_layers((8, 4)) == sequence.hidden_layers((8, 4))


def test_bad_input_to_fit(clf, data):
    X, y = data
    with pytest.raises(ValueError, match="y contains only one class, 'jazz'"):
        clf.fit(X, ["jazz"] * 30)
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples.*\[30, 29\]"):
        clf.fit(X, y[:-1])
    with pytest.raises(ValueError, match="requires y to be passed"):
        clf.fit(X, None)
    with pytest.raises(ValueError, match="no track has a segment"):
        clf.fit(np.full_like(X, np.nan), y)
    with pytest.raises(ValueError, match=r"zero weight due to|at least one non-zero"):
        clf.fit(X, y, sample_weight=np.zeros(30))
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        clf.fit(X, y, sample_weight=np.full(30, -1.0))
    with pytest.raises(ValueError, match="Unknown label type"):
        clf.fit(X, np.linspace(0, 1, 30))
    with pytest.raises(ValueError, match="Found array with dim 5"):
        clf.fit(X[None], y[:1])
    with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
        clf.fit(X[:, 0, 0, 0], y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        clf.fit(X[:, 2, 0], y)
    partly = X.copy()
    partly[11, 0, 2] = np.nan
    with pytest.raises(ValueError, match="NaN in part of segment 0 of track 11"):
        clf.fit(partly, y)
    with pytest.raises(NotFittedError):
        clf.predict(X)


def test_bad_input_to_predict(fitted, data):
    X, _ = data
    with pytest.raises(ValueError, match="X has 3 features, but ANNClassifier is expecting 4"):
        fitted.predict(X[..., :3])
    with pytest.raises(ValueError, match="segments of 7 frames, but ANNClassifier is expecting 8"):
        fitted.predict(X[:, :, :7])
    with pytest.raises(ValueError, match="a minimum of 1 is required"):
        fitted.predict(X[:0])


# ---------------------------------------------------------------- an architecture of one's own


class OneLayer(NetworkClassifier):
    """The layers of the registry, for which there is a network already."""

    def __init__(self, units=4, *, epochs=8, random_state=None):
        super().__init__(epochs=epochs, learning_rate=0.01, random_state=random_state)
        self.units = units

    def hidden_layers(self, input_shape):
        dense = layers.Dense(self.units, "relu", l2=0.001)
        return [layers.Flatten(), dense, layers.Dropout(0.3)]


class NotFlat(NetworkClassifier):
    def hidden_layers(self, input_shape):
        return [layers.Dense(3)]


def test_a_subclass_with_one_method_is_a_network(data):
    X, y = data
    clf = clone(OneLayer(units=16, random_state=0)).fit(X, y)
    assert clf.get_params() == {"units": 16, "epochs": 8, "random_state": 0}
    X_new, y_new = make_tensor(60, seed=1)
    assert clf.score(X_new, y_new) > 0.8
    with pytest.raises(
        ValueError, match=r"NotFlat must be one-dimensional; got shape \(8, 3\)\. Append a Flatten"
    ):
        NotFlat().fit(X, y)


# ---------------------------------------------------------------- callbacks


def test_callbacks_are_copied_and_see_every_batch(data):
    import keras

    class CountBatches(keras.callbacks.Callback):
        n = 0

        def on_train_batch_end(self, batch, logs=None):
            type(self).n += 1

    callback = CountBatches()
    clf = clone(NETWORKS["ann"]).set_params(callbacks=[callback], epochs=2).fit(*data)
    assert CountBatches.n == 2 * 3  # 87 segments in batches of 32
    assert not hasattr(callback, "params") or callback.params is None
    with_none = clone(NETWORKS["ann"]).set_params(epochs=2).fit(*data)
    # With them it is Keras' own operations, which round otherwise than the fused ones.
    np.testing.assert_allclose(
        clf.predict_proba(data[0]), with_none.predict_proba(data[0]), atol=1e-4
    )


# ---------------------------------------------------------------- going on


@pytest.mark.parametrize("name", slow_but("ann", ["cnn"]))
def test_partial_fit_goes_on_epoch_by_epoch(name, data):
    X, y = data
    clf = clone(NETWORKS[name])
    for _ in range(12):
        clf.partial_fit(X, y, classes=np.unique(y))
    assert clf.n_iter_ == len(clf.history_["loss"]) == 12
    assert clf.history_["loss"][-1] < 0.6 * clf.history_["loss"][0]
    X_new, y_new = make_tensor(60, seed=1)
    assert clf.score(X_new, y_new) > 0.8
    np.testing.assert_allclose(clf.class_prior_, 1 / 3)


def test_partial_fit_keeps_the_optimisers_state(data):
    """One batch an epoch and no dropout: three calls are three epochs of one fit."""
    X, y = data
    clf = clone(NETWORKS["ann"]).set_params(dropout=0, batch_size=1000, epochs=3)
    whole = clone(clf).fit(X, y)
    parts = clone(clf).partial_fit(X, y, classes=np.unique(y))
    copied = pickle.loads(pickle.dumps(parts))
    for _ in range(2):
        parts.partial_fit(X, y)
        copied.partial_fit(X, y)
    np.testing.assert_allclose(parts.predict_proba(X), whole.predict_proba(X), atol=1e-4)
    np.testing.assert_array_equal(copied.predict_proba(X), parts.predict_proba(X))
    restarted = clone(clf).set_params(epochs=1, warm_start=True)
    for _ in range(3):
        restarted.fit(X, y)
    np.testing.assert_allclose(restarted.predict_proba(X), whole.predict_proba(X), atol=1e-4)
    assert restarted.n_iter_ == 3


@pytest.mark.slow
def test_partial_fit_of_parts_with_few_classes_each(data):
    X, y = data
    clf = clone(NETWORKS["ann"])
    for part in np.array_split(np.argsort(y, kind="stable"), 5) * 8:
        clf.partial_fit(X[part], y[part], classes=np.unique(y))
    X_new, y_new = make_tensor(60, seed=1)
    assert clf.score(X_new, y_new) > 0.5  # chance is 1/3
    np.testing.assert_array_equal(clf.classes_, np.unique(y))


def test_warm_start_after_early_stopping_has_a_fresh_optimiser(data):
    X, y = data
    clf = clone(NETWORKS["ann"]).set_params(
        early_stopping=True, validation_fraction=0.3, warm_start=True, epochs=3
    )
    n = clf.fit(X, y).n_iter_
    assert clf._state is None
    assert clf.fit(X, y).n_iter_ > n


def test_without_warm_start_no_optimiser_state_is_kept(fitted):
    assert fitted._state is None


def test_what_cannot_be_gone_on_with(data):
    X, y = data
    clf = clone(NETWORKS["ann"])
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        clf.partial_fit(X, y)
    clf.partial_fit(X, y, classes=["genre0", "genre1", "genre2"])
    with pytest.raises(ValueError, match=r"y contains \['opera'\], which are not among the"):
        clf.partial_fit(X[:2], ["genre0", "opera"])
    with pytest.raises(ValueError, match="is not the same as on last call to partial_fit"):
        clf.partial_fit(X, y, classes=["genre0", "genre1"])
    with pytest.raises(ValueError, match="shape of X or a size of the network differs"):
        clf.partial_fit(X[:, :, :5], y)
    with pytest.raises(ValueError, match="X has 3 features"):
        clf.partial_fit(X[..., :3], y)
    for parameters in ({"early_stopping": True}, {"class_weight": "balanced"}):
        with pytest.raises(ValueError, match="supports neither early_stopping=True nor"):
            clone(clf).set_params(**parameters).partial_fit(X, y, classes=np.unique(y))
    warm = clone(clf).set_params(warm_start=True).fit(X, y)
    with pytest.raises(
        ValueError, match="warm_start=True requires the classes of the previous fit"
    ):
        warm.fit(X[:2], ["genre0", "opera"])
    with pytest.raises(ValueError, match="size of the network differs"):
        warm.set_params(hidden_units=(3,)).fit(X, y)


@pytest.mark.parametrize("name", slow_but("ann", [name for name in NETWORKS if name != "own"]))
def test_coefficients_far_from_zero_are_warned_of(name, data):
    X, y = data
    clf = clone(NETWORKS[name]).set_params(epochs=1)
    moved = X + np.eye(4)[2] * 50
    with pytest.warns(UserWarning, match=r"coefficient 2 of X has mean 50.*Put SegmentScaler"):
        clf.fit(moved, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(moved * 0.1, y)  # a mean of 5
        clf.fit(X * 1000, y)
