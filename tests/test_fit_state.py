"""What a fit leaves behind: all of it or nothing, callbacks and history included."""

import copy
import pickle
import threading
import warnings

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

import skgenre
from skgenre import SegmentScaler
from skgenre.tensor import AGGREGATIONS, aggregate

from .conftest import make_tensor
from .registry import NETWORKS


def ann(**parameters):
    return clone(NETWORKS["ann"]).set_params(epochs=2, **parameters)


class Raise(keras.callbacks.Callback):
    def __init__(self, error):
        super().__init__()
        self.error = error

    def on_epoch_end(self, epoch, logs=None):
        raise self.error


class CountEpochs(keras.callbacks.Callback):
    n = 0

    def on_epoch_end(self, epoch, logs=None):
        self.n += 1


def state(clf):
    return {name: value for name, value in vars(clf).items() if name not in clf.get_params()}


def assert_same_state(found, expected):
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] is value, name


# ---------------------------------------------------------------- all at once, or not at all


@pytest.mark.parametrize(
    ("method", "error"), [("fit", RuntimeError("stopped")), ("partial_fit", KeyboardInterrupt())]
)
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_an_interrupted_refit_leaves_the_earlier_fit(method, error):
    X, y = make_tensor(12)
    clf = ann().fit(pd.DataFrame(X[:, 0, 0], columns=list("abcd")), y)
    if method == "partial_fit":
        other_X, other_y = X[:, 0, 0] + 1, y
    else:  # of another shape, with other labels, without names
        other_X, other_y = X[..., :3], np.char.add("other ", y)
    before = copy.deepcopy(state(clf))
    clf.set_params(callbacks=[Raise(error)])
    kept = state(clf)
    with pytest.raises(type(error)):
        getattr(clf, method)(other_X, other_y)
    assert_same_state(state(clf), kept)
    for name in ("classes_", "class_prior_", "_class_weights_seen", "feature_names_in_"):
        np.testing.assert_array_equal(kept[name], before[name])
    assert kept["n_features_in_"] == 4
    assert kept["history_"] == before["history_"]
    assert set(clf.predict(pd.DataFrame(X[:, 0, 0], columns=list("abcd")))) <= set(y)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_first_fit_that_fails_leaves_no_fit(method):
    X, y = make_tensor(12)
    clf = ann(callbacks=[Raise(RuntimeError("stopped"))])
    arguments = {"classes": np.unique(y)} if method == "partial_fit" else {}
    with pytest.raises(RuntimeError, match="stopped"):
        getattr(clf, method)(X, y, **arguments)
    assert state(clf) == {}
    with pytest.raises(NotFittedError):
        clf.predict(X)


def test_data_that_are_refused_leave_the_earlier_fit():
    X, y = make_tensor(12)
    clf = ann(warm_start=True).fit(X, y)
    kept = state(clf)
    partly = X.copy()
    partly[3, 0, 1] = np.nan
    for bad in (partly, np.full_like(X, np.nan), X[..., :3], X[:, :, :5]):
        with pytest.raises(ValueError, match=r"NaN|no tracks to train|features|shape of X"):
            clf.fit(bad, y)
        assert_same_state(state(clf), kept)


def test_weights_that_are_not_finite_raise():
    X, y = make_tensor(12)
    clf = ann().fit(X, y)
    kept = state(clf)
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        clf.fit(X * np.float32(1e30), y)
    assert_same_state(state(clf), kept)


def test_a_refit_without_names_forgets_them():
    X, y = make_tensor(12)
    clf = ann().fit(pd.DataFrame(X[:, 0, 0], columns=list("abcd")), y)
    assert not hasattr(clf.fit(X[:, 0, 0], y), "feature_names_in_")


# ---------------------------------------------------------------- weights of classes and tracks


def test_balanced_is_over_the_tracks_that_are_used():
    X, y = make_tensor(18)
    weight = np.ones(18)
    X[[0, 3, 6]] = np.nan  # half of the first class
    weight[[1, 4, 7]] = 0  # and of the second
    with pytest.warns(UserWarning, match="3 of 18 tracks have no segment"):
        clf = ann(class_weight="balanced").fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(clf.class_prior_, 1 / 3)
    used = weight.astype(bool) & ~np.isnan(X[:, 0, 0, 0])
    expected = ann(class_weight="balanced").fit(X[used], y[used])
    np.testing.assert_array_equal(clf.predict_proba(X[used]), expected.predict_proba(X[used]))


def test_balanced_where_a_class_has_no_segment():
    X, y = make_tensor(18)
    X[y == "genre1"] = np.nan
    with pytest.warns(UserWarning, match="6 of 18 tracks have no segment"):
        clf = ann(class_weight="balanced").fit(X, y)
    np.testing.assert_allclose(clf.class_prior_, [0.5, 0, 0.5])


@pytest.mark.parametrize("labels", [["a", "b", "c"], [0, 1, 2]])
def test_class_weights_in_parts_that_lack_a_class(labels):
    X, _ = make_tensor(18)
    y = np.repeat(labels, 6)
    clf = ann(class_weight={labels[0]: 2.0, labels[2]: 3.0})  # the second counts once
    for part in (slice(0, 12), slice(6, 18), slice(0, 6)):
        clf.partial_fit(X[part], y[part], classes=labels)
    np.testing.assert_allclose(clf.class_prior_, np.array([24, 12, 18]) / 54)


def test_class_weights_of_unknown_classes_are_scikit_learns_error():
    X, y = make_tensor(12)
    for method in ("fit", "partial_fit"):
        clf = ann(class_weight={"opera": 2.0})
        arguments = {"classes": np.unique(y)} if method == "partial_fit" else {}
        with pytest.raises(ValueError, match=r"The classes, .*, are not in class_weight"):
            getattr(clf, method)(X, y, **arguments)


def test_there_is_always_a_reason_for_having_nothing_to_train_on():
    X, y = make_tensor(12)
    X[:6] = np.nan
    weight = np.repeat([1.0, 0.0], 6)
    with pytest.raises(ValueError, match="all tracks with segments have zero weight"):
        ann().fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="zero weight due to sample_weight or class_weight"):
        ann(class_weight=dict.fromkeys(np.unique(y), 0)).fit(X, y)


def test_one_class_is_too_few_for_partial_fit():
    X, y = make_tensor(12)
    clf = ann()
    with pytest.raises(ValueError, match="classes contains only one class, 'a'"):
        clf.partial_fit(X, ["a"] * 12, classes=["a"])
    clf.partial_fit(X, y, classes=np.unique(y))  # still the first call


# ---------------------------------------------------------------- parameters set later


def test_an_unknown_aggregation_raises_where_it_is_used():
    X, y = make_tensor(12)
    clf = ann().fit(X, y).set_params(aggregation="median")
    for method in (clf.predict, clf.predict_proba):
        with pytest.raises(ValueError, match="aggregation='median' must be one of mean, vote"):
            method(X)
    proba, mask = np.full((1, 2, 2), 0.5), np.ones((1, 2), bool)
    with pytest.raises(ValueError, match="aggregation='sum'"):
        aggregate(proba, mask, "sum")
    for aggregation in AGGREGATIONS:
        assert clf.set_params(aggregation=aggregation).predict_proba(X).shape == (12, 3)


# ---------------------------------------------------------------- history


def test_curves_stay_aligned_over_warm_starts():
    X, y = make_tensor(18)
    clf = ann(warm_start=True).fit(X, y)
    clf.set_params(validation_fraction=0.3).fit(X, y)
    clf.set_params(validation_fraction=None).fit(X, y)
    clf.partial_fit(X, y)
    assert set(clf.history_) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert {len(curve) for curve in clf.history_.values()} == {clf.n_iter_} == {7}
    for name in ("val_loss", "val_accuracy"):
        measured = [0, 0, 1, 1, 0, 0, 0]
        np.testing.assert_array_equal(np.isfinite(clf.history_[name]), measured)
    assert np.isfinite(clf.history_["loss"]).all()


# ---------------------------------------------------------------- callbacks


def test_callbacks_are_cloned_but_neither_pickled_nor_copied():
    X, y = make_tensor(12)
    clf = ann(callbacks=[CountEpochs()]).fit(X, y)
    assert copy.copy(clf).callbacks is None
    deep = copy.deepcopy(clf)
    assert deep.callbacks is None
    np.testing.assert_array_equal(deep.predict_proba(X), clf.predict_proba(X))
    assert deep.weights_[0] is not clf.weights_[0]
    pickled = pickle.loads(pickle.dumps(clf))
    assert pickled.callbacks is None
    assert not hasattr(pickled, "callbacks_")
    assert clf.callbacks_[0].n == 2
    unfitted = clone(clf)
    assert unfitted.callbacks[0].n == 0
    assert pickle.loads(pickle.dumps(unfitted)).callbacks  # as for a worker that will fit it
    assert b"keras" not in pickle.dumps(clf)


def test_a_model_file_is_without_callbacks(tmp_path):
    X, y = make_tensor(12)
    model = make_pipeline(SegmentScaler(), ann(callbacks=[CountEpochs()])).fit(X, y)
    skgenre.save(model, tmp_path / "model.skgenre")
    loaded = skgenre.load(tmp_path / "model.skgenre")
    assert loaded[-1].callbacks is None
    assert not hasattr(loaded[-1], "callbacks_")
    assert len(model[-1].callbacks) == len(model[-1].callbacks_) == 1


def test_callbacks_of_the_fit_are_kept_without_the_network():
    X, y = make_tensor(12)
    given = CountEpochs()
    clf = ann(callbacks=[given]).fit(X, y)
    [used] = clf.callbacks_
    assert (given.n, used.n) == (0, 2)
    assert used.model is None
    assert clf.set_params(callbacks=None).fit(X, y).callbacks_ == []


def test_a_callable_makes_the_callbacks_of_each_fit():
    X, y = make_tensor(12)
    made = []

    def make():
        made.append(CountEpochs())
        return [made[-1]]

    clf = ann(callbacks=make)
    assert clone(clf).callbacks is make
    clf.fit(X, y)
    assert clf.callbacks_ == made
    assert [callback.n for callback in made] == [2]
    clone(clf).fit(X, y)
    assert [callback.n for callback in made] == [2, 2]


@pytest.mark.parametrize("bad", [lambda: CountEpochs(), lambda: None])
def test_a_callable_that_makes_no_list(bad):
    X, y = make_tensor(12)
    with pytest.raises(TypeError, match="must return a list of Keras callbacks; it returned"):
        ann(callbacks=bad).fit(X, y)
    with pytest.raises(ValueError, match="'callbacks' parameter of ANNClassifier must be"):
        ann(callbacks=CountEpochs()).fit(X, y)


def test_optuna_prunes():
    optuna = pytest.importorskip("optuna")
    X, y = make_tensor(12)

    class Prune(keras.callbacks.Callback):
        """As Optuna's own, which is in a package of its own."""

        def __init__(self, trial):
            super().__init__()
            self.trial = trial

        def on_epoch_end(self, epoch, logs=None):
            self.trial.report(logs["loss"], epoch)
            if self.trial.should_prune():
                raise optuna.TrialPruned

    def objective(trial):
        rate = trial.suggest_categorical("learning_rate", [0.01, 1e-6])
        clf = ann(learning_rate=rate, callbacks=lambda: [Prune(trial)])
        return clf.set_params(epochs=6).fit(X, y).history_["loss"][-1]

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        sampler=optuna.samplers.GridSampler({"learning_rate": [0.01, 1e-6]}, seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=1),
    )
    study.enqueue_trial({"learning_rate": 0.01})
    study.enqueue_trial({"learning_rate": 1e-6})
    study.optimize(objective, n_trials=2)
    good, bad = study.trials
    assert len(good.intermediate_values) == 6
    assert bad.state == optuna.trial.TrialState.PRUNED
    assert len(bad.intermediate_values) < 6


# ---------------------------------------------------------------- random numbers and warnings


def test_only_a_fit_without_a_seed_draws_from_the_global_generator():
    X, y = make_tensor(12)
    np.random.seed(3)
    ann(validation_fraction=0.3, random_state=0).fit(X, y)
    assert np.random.rand() == np.random.RandomState(3).rand()
    weights = []
    for _ in range(2):
        np.random.seed(3)
        weights.append(ann(random_state=None).fit(X, y).weights_[0])
    np.testing.assert_array_equal(*weights)  # as of any scikit-learn estimator


def test_warnings_point_at_the_users_line():
    X, y = make_tensor(12)
    X[3] = np.nan
    pipe = make_pipeline(SegmentScaler(), ann())
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        clf = ann().fit(X, y)
        clf.partial_fit(X, y)
        clf.predict(X)
        clf.score(X, y)
        pipe.fit(X, y).predict(X)
    assert len(found) == 6
    assert {warning.filename for warning in found} == {__file__}
    lines = [warning.lineno for warning in found]
    assert [line - lines[0] for line in lines] == [0, 1, 2, 3, 4, 4]


def test_warnings_as_errors_leave_the_earlier_fit():
    X, y = make_tensor(12)
    clf = ann().fit(X, y)
    kept = state(clf)
    X = X.copy()
    X[3] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for method in (clf.fit, clf.partial_fit):
            with pytest.raises(UserWarning, match="have no segment and are ignored"):
                method(X, y)
    assert_same_state(state(clf), kept)


class SetRate(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_callbacks_set_the_rate_unless_it_is_scheduled():
    X, y = make_tensor(12)
    setters = [keras.callbacks.ReduceLROnPlateau("loss", patience=50), SetRate()]
    ann(callbacks=setters).fit(X, y)
    with pytest.raises(TypeError, match="its learning rate is not settable"):
        clone(NETWORKS["mel"]).set_params(epochs=2, callbacks=setters).fit(X, y)


class Progress(keras.callbacks.Callback):
    """As progress bars do, it holds a lock, which cannot be copied."""

    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


@pytest.mark.parametrize(
    "use",
    [
        clone,
        lambda clf: clf.fit(*make_tensor(12)),
        lambda clf: clf.partial_fit(*make_tensor(12), classes=["genre0", "genre1", "genre2"]),
        lambda clf: cross_val_score(make_pipeline(SegmentScaler(), clf), *make_tensor(12), cv=2),
    ],
)
def test_callbacks_that_cannot_be_copied_name_the_function_form(use):
    clf = ann().__class__(callbacks=[Progress()])
    with pytest.raises(TypeError, match=r"cannot be copied .*lock.*callbacks=lambda: \[\.\.\.\]"):
        use(clf)


def test_the_function_form_takes_callbacks_that_cannot_be_copied():
    X, y = make_tensor(12)
    clf = clone(ann(callbacks=lambda: [Progress()])).fit(X, y)
    assert isinstance(clf.callbacks_[0], Progress)
