"""Baselines by name, on tables, on summaries of tensors and on files."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from skgenre import GTZANFeatures, MFCCSegmenter, SegmentSummary, make_baseline

from .conftest import make_tensor
from .registry import BASELINES, SEGMENTER


def make_table(seed):
    """Skewed features on very different scales, as in GTZAN's tables."""
    rng = np.random.default_rng(seed)
    y = np.arange(90) % 3
    X = rng.normal(size=(90, 12)) + 2 * np.eye(3, 12)[y]
    return np.exp(X / 2) * 10.0 ** np.arange(-6, 6), np.array(["jazz", "metal", "pop"])[y]


@pytest.fixture(scope="module")
def table():
    return make_table(0)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_learn_skewed_tables(table, name):
    model = clone(BASELINES[name])
    assert is_classifier(model)
    assert cross_val_score(model, *table, cv=3, error_score="raise").mean() > 0.6  # chance 1/3


@pytest.mark.parametrize("name", BASELINES)
def test_equal_seeds_give_equal_models_whatever_the_units(table, name):
    X, y = table
    first, second = (clone(BASELINES[name]).fit(X, y) for _ in range(2))
    assert_array_equal(first.predict(X), second.predict(X))
    assert_array_equal(pickle.loads(pickle.dumps(first)).predict(X), second.predict(X))
    if name != "svm":
        assert_allclose(first.predict_proba(X).sum(axis=1), 1)
    # Hz or kHz: scaling takes care, or trees do not mind.
    units = 2.0 ** np.arange(12)
    agreement = first.predict(X) == second.fit(X * units, y).predict(X * units)
    assert agreement.mean() > 0.95  # the power transform finds its exponents by iteration


@pytest.mark.parametrize("name", BASELINES)
def test_rows_of_unreadable_files_are_answered(table, name):
    X, y = table
    X = X.copy()
    X[[3, 50]] = np.nan
    model = clone(BASELINES[name]).fit(X, y)
    assert set(model.predict(X[[3, 50]])) <= set(y)
    assert model.score(*make_table(1)) > 0.6


@pytest.mark.parametrize("name", BASELINES)
def test_behind_summaries_of_tensors_with_missing_segments(name):
    X, y = make_tensor(60)
    X[1, 1:] = np.nan
    X[7] = np.nan  # no segment at all
    model = make_pipeline(SegmentSummary(), clone(BASELINES[name])).fit(X, y)
    assert model.score(*make_tensor(60, seed=1)) > 0.6


@pytest.mark.slow
def test_messy_folders(tracks, tmp_path):
    (tmp_path / "empty.wav").touch()
    paths = [*tracks.data[::2], tmp_path / "empty.wav"]
    labels = [*tracks.target[::2], "metal"]
    for features in (
        make_pipeline(MFCCSegmenter(on_error="warn"), SegmentSummary()),
        GTZANFeatures(on_error="warn"),
    ):
        model = make_pipeline(features, make_baseline("logistic"))
        with pytest.warns(UserWarning, match="1 of 13 tracks"):
            model.fit(paths, labels)
        with pytest.warns(UserWarning, match="1 of 13 tracks"):
            assert model.predict(paths).shape == (13,)


def test_parameters_can_be_searched(table):
    search = GridSearchCV(
        make_baseline("svm"), {"svc__gamma": [100.0, 0.05]}, cv=3, error_score="raise"
    )
    assert search.fit(*table).best_params_ == {"svc__gamma": 0.05}


@pytest.mark.slow
def test_a_search_over_features_and_models_from_files(tracks, tmp_path):
    """Two ways from a file to a row, and two models behind each, by artist."""
    features = GTZANFeatures(memory=tmp_path)
    model = Pipeline([("features", features), ("model", make_baseline("knn"))])
    search = GridSearchCV(
        model,
        {
            "features": [features, make_pipeline(SEGMENTER, SegmentSummary())],
            "model": [make_baseline("knn"), make_baseline("lda")],
        },
        cv=StratifiedGroupKFold(2),
        error_score="raise",
        n_jobs=2,
    ).fit(tracks.data, tracks.target, groups=tracks.groups)
    assert len(search.cv_results_["params"]) == 4
    assert (search.cv_results_["mean_test_score"] > 0.5).all()  # chance is 1/3
    assert search.predict(tracks.data[:3]).shape == (3,)


@pytest.mark.slow
def test_what_scikit_learn_builds_on_baselines(table):
    X, y = table
    for compose in (
        lambda model: CalibratedClassifierCV(model, cv=2),
        lambda model: BaggingClassifier(model, n_estimators=3, random_state=0),
        lambda model: VotingClassifier([("a", model), ("b", make_baseline("lda"))], voting="soft"),
        OneVsRestClassifier,
    ):
        composed = compose(make_baseline("logistic")).fit(X, y)
        assert_allclose(composed.predict_proba(X).sum(axis=1), 1)
        assert composed.score(*make_table(1)) > 0.7


def test_random_state_reaches_the_models():
    for name in ("svm", "forest", "boosting"):
        assert make_baseline(name, random_state=3)[-1].random_state == 3


def test_unknown_names():
    with pytest.raises(
        ValueError, match=r"Unknown baseline 'xgboost'; expected one of \['knn', 'svm'"
    ):
        make_baseline("xgboost")
