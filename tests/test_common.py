"""scikit-learn's own checks, and one contract for what they cannot reach: tracks."""

import pickle

import joblib
import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import estimator_checks_generator

from skgenre import NetworkClassifier, SegmentSummary

from .conftest import make_tensor, slow_but
from .registry import CHECKED, EXPECTED_FAILURES, NETWORKS, TRANSFORMERS


def checks():
    """Checks of each estimator, as parameters."""
    for estimator in CHECKED:
        name = type(estimator).__name__
        for _, check in estimator_checks_generator(estimator):
            check_name = check.func.__name__
            # Those of array-API input need libraries that are no dependencies.
            if "array_api" in check_name:
                continue
            reason = EXPECTED_FAILURES.get(name, {}).get(check_name)
            marks = [pytest.mark.xfail(reason=reason)] if reason else []
            yield pytest.param(estimator, check, marks=marks, id=f"{name}-{check_name}")


CHECKS = list(checks())


def at_least(compare, **tolerances):
    """Compare with these tolerances, or larger ones that a check asks for."""

    def comparing(*args, **kwargs):
        asked = {name: max(kwargs.get(name, 0), least) for name, least in tolerances.items()}
        return compare(*args, **{**kwargs, **asked})

    return comparing


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.* is usually less accurate if coefficients are not centered")
@pytest.mark.parametrize(("estimator", "check"), CHECKS)
def test_scikit_learn_checks(estimator, check, monkeypatch):
    if isinstance(estimator, NetworkClassifier):
        # The last digits of a float32 product depend on the row's place in the batch, by processor.
        for name in ("assert_allclose", "assert_allclose_dense_sparse"):
            compare = getattr(estimator_checks, name)
            monkeypatch.setattr(estimator_checks, name, at_least(compare, rtol=1e-5, atol=1e-6))
    check(clone(estimator))


@pytest.mark.parametrize("estimator", CHECKED, ids=lambda estimator: type(estimator).__name__)
def test_the_checks_are_there(estimator):
    """A wrong tag would yield none, with no more than a warning."""
    n_checks = sum(param.values[0] is estimator for param in CHECKS)
    assert n_checks > (50 if is_classifier(estimator) else 40)


# ---------------------------------------------------------------- the contract

ESTIMATORS = {**NETWORKS, **TRANSFORMERS}


@pytest.fixture(params=[*slow_but("ann", NETWORKS), *TRANSFORMERS])
def estimator(request):
    """Of networks two epochs: what is asked of them here does not depend on how much they learn."""
    estimator = clone(ESTIMATORS[request.param])
    return estimator.set_params(epochs=2) if is_classifier(estimator) else estimator


def answer(estimator, X):
    """What the estimator says of each track."""
    if is_classifier(estimator):
        return estimator.predict_proba(X)
    return estimator.transform(X)


def test_clone_and_parameters(estimator, data):
    fitted = clone(estimator).fit(*data)
    for name, value in estimator.get_params().items():
        assert clone(fitted).get_params()[name] == value
    assert fitted.set_params(**fitted.get_params()) is fitted
    with pytest.raises(ValueError, match="Invalid parameter 'tempo'"):
        estimator.set_params(tempo=120)
    with pytest.raises(NotFittedError):
        answer(clone(fitted), data[0])


def test_refit_forgets_the_earlier_fit(estimator, data):
    X, y = data
    other_X, other_y = make_tensor(20, n_frames=5, n_coefficients=3, n_classes=2, seed=3)
    refitted = clone(estimator).fit(other_X, other_y).fit(X, y)
    np.testing.assert_array_equal(answer(refitted, X), answer(estimator.fit(X, y), X))
    assert refitted.n_features_in_ == 4


def test_fit_returns_the_estimator_and_pickles_answer_alike(estimator, data, tmp_path):
    X, y = data
    assert estimator.fit(X, y) is estimator
    expected = answer(estimator, X)
    joblib.dump(estimator, tmp_path / "model")
    for copy in (pickle.loads(pickle.dumps(estimator)), joblib.load(tmp_path / "model")):
        np.testing.assert_array_equal(answer(copy, X), expected)


def test_the_number_of_segments_is_free(estimator, data):
    X, y = data
    estimator.fit(X, y)
    assert len(answer(estimator, X[:, :1])) == 30
    # Missing segments before the others make no difference.
    padded = np.concatenate([np.full_like(X, np.nan), X], axis=1)
    found = answer(estimator, padded)
    if found.ndim == 4:
        found = found[:, 3:]
    np.testing.assert_allclose(found, answer(estimator, X), atol=1e-5)


def test_one_track_alone_gets_the_answer_it_gets_among_others(estimator, data):
    X, y = data
    estimator.fit(X, y)
    expected = answer(estimator, X)
    for i in (0, 4, 29):
        np.testing.assert_allclose(answer(estimator, X[i : i + 1])[0], expected[i], atol=1e-5)
    order = np.random.default_rng(0).permutation(30)
    np.testing.assert_allclose(answer(estimator, X[order]), expected[order], atol=1e-5)


def test_inputs_are_not_modified_and_may_be_read_only(estimator, data, tmp_path):
    X, y = data
    X_before, y_before = X.copy(), y.copy()
    expected = answer(estimator.fit(X, y), X)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    again = clone(estimator).fit(mapped, y)
    np.testing.assert_array_equal(answer(again, mapped), expected)


def test_float64_is_float32_to_its_precision(estimator, data):
    X, y = data
    expected = answer(clone(estimator).fit(X, y), X)
    found = answer(estimator.fit(X.astype(np.float64), y), X.astype(np.float64))
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_lists_and_integers(estimator, data):
    X, y = data
    X = np.nan_to_num(X * 10).astype(int)
    expected = answer(clone(estimator).fit(X, y), X)
    np.testing.assert_array_equal(answer(estimator.fit(X.tolist(), y.tolist()), X), expected)


def test_wrong_shapes(estimator, data):
    X, y = data
    for bad in (X[:, 0, 0, 0], X[None]):
        with pytest.raises(ValueError, match=r"Expected 2D array|Found array with dim 5"):
            estimator.fit(bad, y[: len(bad)])
    estimator.fit(X, y)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4"):
        answer(estimator, X[..., :3])
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        answer(estimator, X[:0])


def test_partly_missing_segments(estimator, data):
    X, y = data
    bad = X.copy()
    bad[11, 0, 2, 1] = np.nan
    message = "NaN in part of segment 0 of track 11"
    if not isinstance(estimator, SegmentSummary):  # which learns nothing from X
        with pytest.raises(ValueError, match=message):
            estimator.fit(bad, y)
    estimator.fit(X, y)
    with pytest.raises(ValueError, match=message):
        answer(estimator, bad)


def test_three_axes_are_one_segment_each(estimator, data):
    X, y = data
    X = X[:, :1]
    expected = answer(clone(estimator).fit(X, y), X)
    found = answer(estimator.fit(X[:, 0], y), X[:, 0])
    np.testing.assert_array_equal(found, expected[:, 0] if expected.ndim == 4 else expected)


# ---------------------------------------------------------------- in place of expected failures


@pytest.mark.parametrize("name", slow_but("ann", ["lstm"]))
def test_weights_count_as_repetitions_in_one_batch(name):
    """What sample-weight equivalence can mean for minibatches: all segments in one.

    Not for the CNN: a batch's mean, by which it normalises, is over segments, whatever they
    weigh.
    """
    X, y = make_tensor(24)
    repeats = np.arange(24) // 3 % 3
    clf = clone(NETWORKS[name]).set_params(dropout=0, batch_size=1000, epochs=5)
    weighted = clone(clf).fit(X, y, sample_weight=repeats)
    repeated = clone(clf).fit(np.repeat(X, repeats, axis=0), np.repeat(y, repeats))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-4)
