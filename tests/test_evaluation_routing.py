"""Comparisons with metadata routing on, of splits that can be drawn once, and their picture."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GroupKFold, KFold, LeaveOneGroupOut, StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from skgenre import SegmentScaler, compare_models
from skgenre.evaluation import leakage_report
from skgenre.networks import base
from skgenre.networks.holdout import hold_out

from .conftest import make_pieces, make_tensor
from .registry import NETWORKS

MODELS = {"nn": KNeighborsClassifier(1), "dummy": DummyClassifier()}


class NoteFolds(ClassifierMixin, BaseEstimator):
    """Keeps what it was fitted on in a list of the class."""

    seen = []

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.seen.append(X[:, 0].tolist())
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.fixture
def pieces():
    table = make_pieces(n_artists=4, n_tracks=2)
    return table["data"], table["target"], table["groups"]


def scores(comparison):
    return comparison.table.drop(columns="fit_seconds")


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
@pytest.mark.parametrize("cv", [GroupKFold(2), LeaveOneGroupOut(), 3], ids=repr)
def test_comparisons_are_the_same_with_metadata_routing(pieces, cv):
    X, y, groups = pieces
    expected = compare_models(MODELS, X, y, cv=cv, groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        found = compare_models(MODELS, X, y, cv=cv, groups=groups)
    assert scores(found).equals(scores(expected))


@pytest.mark.parametrize("routing", [False, True])
def test_groups_reach_the_networks(monkeypatch, routing):
    X, y = make_tensor(36)
    groups = np.arange(36) // 3
    seen = []

    def noting(tracks, labels, groups, **kwargs):
        seen.append(groups)
        return hold_out(tracks, labels, groups, **kwargs)

    monkeypatch.setattr(base, "hold_out", noting)
    network = clone(NETWORKS["ann"]).set_params(epochs=1, validation_fraction=0.4)
    models = {"ann": make_pipeline(SegmentScaler(), network)}
    with sklearn.config_context(enable_metadata_routing=routing):
        compare_models(models, X, y, cv=GroupKFold(2), groups=groups)
    assert len(seen) == 2
    assert not set(seen[0]) & set(seen[1])


def test_a_generator_of_splits_serves_all_models(pieces):
    X, y, _ = pieces
    splits = list(StratifiedKFold(3).split(X, y))
    expected = compare_models(MODELS, X, y, cv=splits)
    found = compare_models(MODELS, X, y, cv=(split for split in splits))
    columns = ["model", "accuracy", "accuracy_std"]
    assert found.table[columns].equals(expected.table[columns])
    by_name = compare_models(MODELS, X, y, cv={"once": iter(splits), "again": iter(splits)})
    by_name = by_name.table
    assert by_name["splitting"].tolist() == ["once", "again"] * 2
    assert by_name["accuracy"].tolist() == np.repeat(expected.table["accuracy"], 2).tolist()


def test_all_models_get_the_same_folds_of_a_splitter_without_a_seed(pieces):
    X, y, _ = pieces
    NoteFolds.seen.clear()
    cv = KFold(2, shuffle=True)
    compare_models({"a": NoteFolds(), "b": NoteFolds()}, X, y, cv=cv, scoring="accuracy")
    assert NoteFolds.seen[:2] == NoteFolds.seen[2:]


def test_the_picture_is_of_the_scorer_that_was_computed():
    pytest.importorskip("matplotlib")
    from skgenre.plotting import LeakageDisplay

    table = make_pieces(n_artists=4, n_tracks=2)
    display = LeakageDisplay.from_estimator(
        KNeighborsClassifier(1), table, n_splits=2, scoring="f1_macro"
    )
    assert display.ax_.get_ylabel() == "f1 macro"
    heights = [bar.get_height() for bar in display.ax_.patches]
    assert_array_equal(heights, display.report["f1_macro"])
    both = LeakageDisplay(leakage_report(KNeighborsClassifier(1), table, n_splits=2))
    assert both.plot().ax_.get_ylabel() == "accuracy"
    assert LeakageDisplay(both.report, "f1_macro").plot().ax_.get_ylabel() == "f1 macro"
