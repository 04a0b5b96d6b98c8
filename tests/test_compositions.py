"""What scikit-learn builds of estimators, on tensors with missing segments and on paths."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.stats import uniform
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    permutation_test_score,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skgenre import GTZANFeatures, SegmentScaler, SegmentSummary
from skgenre.datasets import make_tracks

from .conftest import make_tensor
from .registry import NETWORKS, SEGMENTER

ANN = clone(NETWORKS["ann"]).set_params(batch_size=8, epochs=4, learning_rate=0.03)
CLASSICAL = make_pipeline(SegmentSummary(), StandardScaler(), SVC())


@pytest.fixture
def tensor():
    """A model, tracks, labels and groups."""
    X, y = make_tensor(30)
    X[1, 2:] = X[4, 1:] = np.nan
    return Pipeline([("scale", SegmentScaler()), ("clf", clone(ANN))]), X, y, np.arange(30) // 2


@pytest.fixture(params=["tensor", "paths"])
def problem(request, tensor, tracks):
    """The same, and of a list of paths, which scikit-learn indexes by other means."""
    if request.param == "tensor":
        return tensor
    model = Pipeline([("mfcc", SEGMENTER), ("scale", SegmentScaler()), ("clf", clone(ANN))])
    return model, tracks.data, tracks.target, tracks.groups


@pytest.fixture(scope="module")
def unseen_tracks(tmp_path_factory):
    """Tracks by other artists than those of `tracks`."""
    return make_tracks(
        4,
        genres=["classical", "disco", "metal"],
        duration=4.2,
        random_state=1,
        folder=tmp_path_factory.mktemp("unseen"),
    )


@pytest.fixture
def unseen(problem, unseen_tracks):
    """Tracks that were not in `problem`, and their labels."""
    if isinstance(problem[1], list):
        return unseen_tracks.data, unseen_tracks.target
    return make_tensor(30, seed=1)


CHANCE = 1 / 3
pytestmark = pytest.mark.slow


def test_grid_search_over_kinds_of_models(tensor):
    model, X, y, _ = tensor
    candidates = [*(clone(clf).set_params(epochs=2) for clf in NETWORKS.values()), CLASSICAL]
    search = GridSearchCV(
        model,
        [{"clf": candidates}, {"clf__hidden_units": [(4,), (8, 4)]}],
        cv=2,
        error_score="raise",
    ).fit(X, y)
    assert len(search.cv_results_["params"]) == len(candidates) + 2
    assert search.best_score_ > 1.5 * CHANCE


def test_parallel_searches_give_the_same_scores():
    """Over architectures and dropout. Workers have as many TensorFlow threads: see conftest."""
    X, y = make_tensor(30)
    search = GridSearchCV(
        clone(NETWORKS["cnn"]).set_params(epochs=2),
        {"filters": [(4,), (8, 8)], "dropout": [0.1, 0.4]},
        scoring="neg_log_loss",  # unlike accuracy, different wherever weights are
        cv=2,
        error_score="raise",
    )
    alone = clone(search).fit(X, y)
    together = clone(search).set_params(n_jobs=2).fit(X, y)
    for split in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(alone.cv_results_[split], together.cv_results_[split])


def test_randomized_search(tensor):
    model, X, y, _ = tensor
    search = RandomizedSearchCV(
        model,
        {"clf__dropout": uniform(0, 0.5)},
        n_iter=2,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(X, y)
    assert search.best_score_ > 1.5 * CHANCE


def test_halving_search(tensor):
    model, X, y, _ = tensor
    search = HalvingGridSearchCV(
        model,
        {"clf__dropout": [0.0, 0.5], "clf__learning_rate": [1e-6, 1e-2]},
        resource="clf__epochs",
        min_resources=2,
        max_resources=8,
        cv=2,
        random_state=0,
        error_score="raise",
    ).fit(X, y)
    assert search.best_params_["clf__learning_rate"] == 1e-2
    assert search.n_iterations_ > 1


def test_cross_validation_with_several_scorers(problem):
    model, X, y, groups = problem
    result = cross_validate(
        model,
        X,
        y,
        groups=groups,
        cv=StratifiedGroupKFold(2),
        scoring=["accuracy", "f1_macro", "neg_log_loss", "roc_auc_ovr"],
        error_score="raise",
        return_estimator=True,
    )
    assert result["test_roc_auc_ovr"].mean() > 0.6
    assert all(is_classifier(estimator) for estimator in result["estimator"])
    proba = cross_val_predict(model, X, y, cv=2, method="predict_proba")
    np.testing.assert_allclose(proba.sum(axis=1), 1)


def test_sorted_labels_still_give_stratified_folds(problem):
    model, X, y, _ = problem
    order = np.argsort(y, kind="stable")
    X = [X[i] for i in order] if isinstance(X, list) else X[order]
    assert is_classifier(model)
    assert cross_val_score(model, X, y[order], cv=5, error_score="raise").mean() > 1.5 * CHANCE


def test_curves(tensor):
    model, X, y, _ = tensor
    sizes, _, scores = learning_curve(
        model, X, y, cv=2, train_sizes=[0.5, 1.0], shuffle=True, random_state=0, error_score="raise"
    )
    assert len(sizes) == 2
    assert scores[-1].mean() > 1.5 * CHANCE
    _, held_out = validation_curve(
        model,
        X,
        y,
        param_name="clf__learning_rate",
        param_range=[1e-6, 1e-2],
        cv=2,
        error_score="raise",
    )
    assert held_out[1].mean() > held_out[0].mean()


def test_permutation_test(tensor):
    model, X, y, _ = tensor
    score, permuted, _ = permutation_test_score(model, X, y, cv=2, n_permutations=2, random_state=0)
    assert score > permuted.mean()


@pytest.mark.parametrize(
    "compose",
    [
        lambda model: CalibratedClassifierCV(model, cv=2, ensemble=False),
        lambda model: CalibratedClassifierCV(model, cv=2, method="isotonic"),
        lambda model: VotingClassifier([("a", model), ("b", clone(model))], voting="soft"),
        lambda model: StackingClassifier(
            [("a", model), ("b", clone(model))], LogisticRegression(), cv=2
        ),
        lambda model: OneVsRestClassifier(model),
    ],
)
def test_meta_estimators(problem, unseen, compose):
    model, X, y, _ = problem
    X_new, y_new = unseen
    fitted = compose(model).fit(X, y)
    np.testing.assert_allclose(fitted.predict_proba(X_new).sum(axis=1), 1)
    assert fitted.score(X_new, y_new) > 1.5 * CHANCE


def test_frozen_estimators(tensor):
    model, X, y, _ = tensor
    model.fit(X, y)
    frozen = CalibratedClassifierCV(FrozenEstimator(model)).fit(X, y)
    assert frozen.score(*make_tensor(30, seed=1)) > 1.5 * CHANCE
    weights = model[-1].weights_
    FrozenEstimator(model).fit(X, y[::-1])
    assert model[-1].weights_ is weights


def test_tuned_threshold_on_two_genres(tensor):
    model, X, y, _ = tensor
    is_first = np.where(y == y[0], "yes", "no")
    tuned = TunedThresholdClassifierCV(
        model, scoring="balanced_accuracy", cv=2, response_method="predict_proba"
    ).fit(X, is_first)
    assert 0 <= tuned.best_threshold_ <= 1
    assert set(tuned.predict(X)) <= {"yes", "no"}


def test_metadata_is_routed_through_a_pipeline_into_a_search(tensor):
    model, X, y, _ = tensor
    groups = np.arange(len(y))  # artists are too few to be held out of a fold of a fold
    weight = np.ones(len(y))
    weight[:6] = 0
    with sklearn.config_context(enable_metadata_routing=True):
        clf = clone(ANN).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        clf.set_params(early_stopping=True, validation_fraction=0.3, epochs=2)
        inner = GridSearchCV(
            clf, {"dropout": [0.1]}, cv=StratifiedGroupKFold(2), error_score="raise"
        )
        outer = clone(model).set_params(clf=inner)
        outer.fit(X, y, sample_weight=weight, groups=groups)
        result = cross_validate(
            outer,
            X,
            y,
            params={"groups": groups, "sample_weight": weight},
            cv=StratifiedGroupKFold(2),
            scoring=get_scorer("accuracy").set_score_request(sample_weight=True),
            error_score="raise",
        )
    found = outer[-1].best_estimator_
    assert "val_loss" in found.history_
    expected = np.unique(y[6:], return_counts=True)[1] / (len(y) - 6)
    np.testing.assert_allclose(found.class_prior_, expected)
    assert len(result["test_score"]) == 2


def test_reprs(tensor):
    model, X, y, _ = tensor
    model.set_params(clf__epochs=1).fit(X, y)
    assert "ANNClassifier(batch_size=8" in repr(model)
    assert "ANNClassifier" in model._repr_html_()


def test_tables_have_names_throughout():
    X, y = make_tensor(30, n_segments=1, n_frames=1)
    table = pd.DataFrame(X[:, 0, 0], columns=["a", "b", "c", "d"])
    model = make_pipeline(SegmentScaler(), clone(ANN)).set_output(transform="pandas")
    model.fit(table, y)
    assert model[-1].feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert model[0].get_feature_names_out().tolist() == ["a", "b", "c", "d"]
    assert model[:-1].transform(table).columns.tolist() == ["a", "b", "c", "d"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(table[["b", "a", "c", "d"]])


def test_summaries_have_names_after_tensors(tracks):
    model = make_pipeline(SEGMENTER, SegmentScaler(), SegmentSummary(statistics=["mean"]))
    table = model.set_output(transform="pandas").fit_transform(tracks.data[:3])
    assert table.columns.tolist() == [f"mfcc{i}_mean" for i in range(1, 14)]


def test_what_cannot_work_says_so():
    """Listed in the user guide with the reasons; when it works, the guide is to be changed."""
    X, y = make_tensor(12)
    with pytest.raises(ValueError, match="Found array with dim 4"):
        BaggingClassifier(ANN, n_estimators=2).fit(X, y)
    with pytest.raises((ValueError, TypeError, IndexError)):
        ColumnTransformer([("scale", SegmentScaler(), [0, 1])]).fit_transform(X)


def test_columns_of_paths_and_names_of_what_becomes_of_them(tracks):
    """Beside a column that is not audio, and through a union."""
    some = slice(0, 6)
    table = pd.DataFrame({"path": tracks.data[some], "year": range(6)})
    summary = make_pipeline(clone(SEGMENTER), SegmentSummary(statistics="mean"))
    columns = ColumnTransformer([("audio", summary, "path"), ("year", "passthrough", ["year"])])
    found = columns.fit_transform(table)
    names = columns.get_feature_names_out().tolist()
    assert names == [
        *(f"audio__mfcc{i}_mean" for i in range(1, 1 + SEGMENTER.n_mfcc)),
        "year__year",
    ]
    with sklearn.config_context(transform_output="pandas"):
        union = make_union(summary, GTZANFeatures(columns=["rms_mean"]))
        again = union.fit_transform(tracks.data[some])
    assert again.columns[-1] == "gtzanfeatures__rms_mean"
    np.testing.assert_allclose(again.to_numpy()[:, :-1], found[:, :-1])
