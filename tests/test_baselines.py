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

from skgenre import MFCCSegmenter, SegmentSummary, TrackFeatures, make_baseline

from .conftest import make_tensor
from .registry import BASELINES, SEGMENTER


@pytest.fixture(scope="module")
def table():
    """Skewed features on very different scales, as in GTZAN's tables."""
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    X = rng.normal(size=(90, 12)) + 2 * np.eye(3, 12)[y]
    return np.exp(X / 2) * 10.0 ** np.arange(-6, 6), np.array(["jazz", "metal", "pop"])[y]


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_learn_skewed_tables(table, name):
    model = clone(BASELINES[name])
    assert is_classifier(model)
    assert cross_val_score(model, *table, cv=3, error_score="raise").mean() > 0.6  # chance 1/3


@pytest.mark.parametrize("name", BASELINES)
def test_equal_seeds_give_equal_models(table, name):
    X, y = table
    models = [clone(BASELINES[name]).fit(X, y) for _ in range(2)]
    assert_array_equal(models[0].predict(X), models[1].predict(X))
    assert_array_equal(pickle.loads(pickle.dumps(models[0])).predict(X), models[0].predict(X))


@pytest.mark.parametrize("name", [name for name in BASELINES if name != "svm"])
def test_probabilities(table, name):
    X, y = table
    proba = clone(BASELINES[name]).fit(X, y).predict_proba(X)
    assert_allclose(proba.sum(axis=1), 1)


@pytest.mark.parametrize("name", BASELINES)
def test_units_do_not_matter(table, name):
    """Hz or kHz: scaling takes care, or trees do not mind."""
    X, y = table
    units = 2.0 ** np.arange(12)
    # The power transform finds its exponents by iteration.
    agreement = clone(BASELINES[name]).fit(X, y).predict(X) == clone(BASELINES[name]).fit(
        X * units, y
    ).predict(X * units)
    assert agreement.mean() > 0.95


@pytest.mark.parametrize("name", BASELINES)
def test_rows_of_unreadable_files_are_answered(table, name):
    X, y = table
    X = X.copy()
    X[[3, 50]] = np.nan
    model = clone(BASELINES[name]).fit(X, y)
    assert set(model.predict(X[[3, 50]])) <= set(y)
    assert model.score(X, y) > 0.6


@pytest.mark.parametrize("name", BASELINES)
def test_behind_summaries_of_tensors_with_missing_segments(name):
    X, y = make_tensor(60)
    X[1, 1:] = np.nan
    X[7] = np.nan  # no segment at all
    model = make_pipeline(SegmentSummary(), clone(BASELINES[name])).fit(X, y)
    assert model.score(X, y) > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["knn", "lda"])
@pytest.mark.parametrize(
    "features", [make_pipeline(SEGMENTER, SegmentSummary()), TrackFeatures(n_jobs=2)]
)
def test_from_files(tracks, name, features):
    model = make_pipeline(features, clone(BASELINES[name])).fit(tracks.data, tracks.target)
    assert model.score(tracks.data, tracks.target) > 0.9
    assert model.predict(tracks.data[:1]).shape == (1,)


@pytest.mark.slow
def test_messy_folders(tracks, tmp_path):
    (tmp_path / "empty.wav").touch()
    paths = [*tracks.data, tmp_path / "empty.wav"]
    labels = [*tracks.target, "metal"]
    for features in (
        make_pipeline(MFCCSegmenter(on_error="warn"), SegmentSummary()),
        TrackFeatures(on_error="warn"),
    ):
        model = make_pipeline(features, make_baseline("lda"))
        with pytest.warns(UserWarning, match="1 of 25 tracks"):
            model.fit(paths, labels)
        with pytest.warns(UserWarning, match="1 of 25 tracks"):
            assert model.predict(paths).shape == (25,)


def test_parameters_can_be_searched(table):
    search = GridSearchCV(
        make_baseline("svm"), {"svc__gamma": [100.0, 0.05]}, cv=3, error_score="raise"
    )
    assert search.fit(*table).best_params_ == {"svc__gamma": 0.05}


@pytest.mark.slow
def test_a_search_over_features_and_models_from_files(tracks):
    """Two ways from a file to a row, and two models behind each, by artist."""
    model = Pipeline([("features", TrackFeatures()), ("model", make_baseline("knn"))])
    search = GridSearchCV(
        model,
        {
            "features": [TrackFeatures(), make_pipeline(SEGMENTER, SegmentSummary())],
            "model": [make_baseline("knn"), make_baseline("lda")],
        },
        cv=StratifiedGroupKFold(2),
        error_score="raise",
        n_jobs=2,
    ).fit(tracks.data, tracks.target, groups=tracks.groups)
    assert len(search.cv_results_["params"]) == 4
    assert (search.cv_results_["mean_test_score"] > 1 / 3).all()
    assert search.predict(tracks.data[:3]).tolist() == tracks.target[:3].tolist()


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
        assert composed.score(X, y) > 0.8


def test_random_state_reaches_the_models():
    for name in ("svm", "forest", "boosting"):
        assert make_baseline(name, random_state=3)[-1].random_state == 3


def test_unknown_names():
    with pytest.raises(ValueError, match=r"no baseline 'xgboost'; there are \['knn', 'svm'"):
        make_baseline("xgboost")
