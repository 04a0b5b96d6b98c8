import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import bootstrap
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import (
    GridSearchCV,
    LeaveOneGroupOut,
    RepeatedStratifiedKFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.fixes import parse_version

from skgenre import SegmentScaler, compare_models, make_baseline
from skgenre.datasets import artist_groups, filtered_split, load_gtzan_features
from skgenre.datasets._groups import gtzan_table
from skgenre.datasets._names import GTZAN_GENRES
from skgenre.evaluation import leakage_report

from .conftest import make_pieces
from .registry import NETWORKS

ALL_TRACKS = [f"{genre}.{i:05d}" for genre in GTZAN_GENRES for i in range(100)]

# ---------------------------------------------------------------- the filtered split


def sides(track_ids, **kwargs):
    [split] = filtered_split(track_ids, **kwargs)
    return split


def test_sizes_are_the_published_ones():
    """Kereliuk, Sturm and Larsen, 2015."""
    assert [len(side) for side in sides(ALL_TRACKS)] == [443, 290]
    assert [len(side) for side in sides(ALL_TRACKS, test=("valid",))] == [443, 197]
    assert [len(side) for side in sides(ALL_TRACKS, train=("train", "valid"))] == [640, 290]
    # The track whose file is corrupt in the common download.
    with_audio = [track for track in ALL_TRACKS if track != "jazz.00054"]
    assert [len(side) for side in sides(with_audio)] == [442, 290]


def test_no_named_artist_is_on_two_sides():
    artists, parts = gtzan_table("artists"), gtzan_table("filtered_split")
    named = pd.DataFrame(
        [(artists[track], part) for track, part in parts.items() if track in artists],
        columns=["artist", "part"],
    )
    assert (named.groupby("artist")["part"].nunique() == 1).all()


def test_samples_may_come_in_any_order_and_in_parts():
    names = ["rock.00011.2.wav", "blues.00029.0.wav", "blues.00029.1.wav", "blues.00012.0.wav"]
    parts = gtzan_table("filtered_split")
    assert "rock.00011" not in parts or parts["rock.00011"] != "train"
    train, test = sides(names)
    assert train.tolist() == [1, 2]
    assert 3 in test


def test_a_search_takes_it():
    track_ids = np.array(ALL_TRACKS)
    y = np.char.partition(track_ids, ".")[:, 0]
    X = np.random.default_rng(0).normal(size=(1000, 3))
    cv = filtered_split(track_ids, test=("valid",))
    search = clone(GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 5]}, cv=cv)).fit(X, y)
    assert search.n_splits_ == 1
    train, test = sides(track_ids, test=("valid",))
    expected = KNeighborsClassifier(1).fit(X[train], y[train]).score(X[test], y[test])
    assert search.cv_results_["split0_test_score"][0] == expected


def test_it_splits_lists_of_paths():
    paths = [f"/music/{track.partition('.')[0]}/{track}.au" for track in ALL_TRACKS[:60]]
    scores = cross_val_score(
        make_pipeline(Lengths(), DummyClassifier()),
        paths,
        ["a", "b"] * 30,
        cv=filtered_split(paths),
        error_score="raise",
    )
    assert len(scores) == 1


class Lengths(SegmentScaler):
    """Stands for a transformer of paths."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.array([[len(path)] for path in X])

    def fit_transform(self, X, y=None):
        return self.transform(X)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"test": ("validation",)}, r"must be different parts .* test=\('validation',\)"),
        ({"train": ("train", "test")}, r"train=\('train', 'test'\) and test=\('test',\)"),
        ({"track_ids": ["blues.00012"]}, "None of the 1 samples is in part train"),
        ({"track_ids": ["song.mp3", *ALL_TRACKS]}, r"1 of 1001 names are not.*'song\.mp3'"),
    ],
)
def test_splits_that_cannot_be(kwargs, message):
    kwargs = {"track_ids": ALL_TRACKS, **kwargs}
    with pytest.raises(ValueError, match=message):
        filtered_split(kwargs.pop("track_ids"), **kwargs)


# ---------------------------------------------------------------- comparing models


def test_a_table_of_models_and_schemes():
    table = make_pieces()
    X, y, groups = table["data"], table["target"], table["groups"]
    models = {"nn": KNeighborsClassifier(1), "dummy": DummyClassifier()}
    schemes = {"by artist": StratifiedGroupKFold(3), "pieces": StratifiedKFold(3)}
    found = compare_models(models, X, y, cv=schemes, groups={"by artist": groups}).table
    assert found.columns.tolist() == [
        "model",
        "splitting",
        "accuracy",
        "accuracy_std",
        "f1_macro",
        "f1_macro_std",
        "fit_seconds",
    ]
    assert found[["model", "splitting"]].values.tolist() == [
        ["nn", "by artist"],
        ["nn", "pieces"],
        ["dummy", "by artist"],
        ["dummy", "pieces"],
    ]
    # Against scores computed fold by fold.
    accuracy, f1 = [], []
    for train, test in StratifiedGroupKFold(3).split(X, y, groups):
        predicted = KNeighborsClassifier(1).fit(X[train], y[train]).predict(X[test])
        accuracy.append(accuracy_score(y[test], predicted))
        f1.append(f1_score(y[test], predicted, average="macro"))
    first = found.iloc[0]
    expected = [np.mean(accuracy), np.std(accuracy), np.mean(f1), np.std(f1)]
    columns = ["accuracy", "accuracy_std", "f1_macro", "f1_macro_std"]
    assert_allclose(first[columns].astype(float), expected)
    assert (found["fit_seconds"] > 0).all()


def test_models_are_not_fitted_and_one_scorer_will_do():
    table = make_pieces()
    model = KNeighborsClassifier(1)
    found = compare_models(
        {"nn": model}, table["data"], table["target"], scoring="roc_auc_ovr"
    ).table
    assert found.columns.tolist() == [
        "model",
        "splitting",
        "roc_auc_ovr",
        "roc_auc_ovr_std",
        "fit_seconds",
    ]
    assert found["splitting"].tolist() == ["StratifiedKFold"]
    assert not hasattr(model, "classes_")


def test_ready_splits_and_splitters_that_use_groups():
    table = make_pieces(n_artists=3)
    ready = [(np.arange(0, 36), np.arange(1, 36, 2))]
    model = {"nn": KNeighborsClassifier(1)}
    found = compare_models(model, table["data"], table["target"], cv=ready).table
    assert found["accuracy"][0] == 1
    by_artist = compare_models(
        model, table["data"], table["target"], cv=LeaveOneGroupOut(), groups=table["groups"]
    ).table
    assert 0 < by_artist["accuracy"][0] < 1
    with pytest.raises(ValueError, match="groups"):
        compare_models(model, table["data"], table["target"], cv=LeaveOneGroupOut())


@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
@pytest.mark.parametrize("groups", [None, "groups"])
@pytest.mark.parametrize("repeats", [1, 2])
def test_scores_and_predictions_of_each_fold_are_scikit_learns(groups, repeats):
    table = make_pieces(n_artists=4, n_tracks=2)
    X, y, groups = table["data"], table["target"], groups and table[groups]
    cv = RepeatedStratifiedKFold(n_splits=3, n_repeats=repeats, random_state=0)
    scoring = ["accuracy", "neg_log_loss"]
    model = make_baseline("logistic")
    found = compare_models({"it": model}, X, y, cv=cv, groups=groups, scoring=scoring)
    expected = cross_validate(model, X, y, cv=cv, scoring=scoring, return_estimator=True)
    assert found.fold_scores["fold"].tolist() == list(range(3 * repeats))
    for name in scoring:
        assert_allclose(found.fold_scores[name], expected[f"test_{name}"], rtol=1e-12)
    for fold, (_, test) in enumerate(cv.split(X, y)):
        rows = found.predictions[found.predictions["fold"] == fold]
        assert_array_equal(rows["sample"], test)
        assert_array_equal(rows["genre"], y[test])
        assert_array_equal(rows["predicted"], expected["estimator"][fold].predict(X[test]))
        assert_array_equal(rows["group"], test if groups is None else groups[test])


@pytest.mark.parametrize("by_name", [False, True])
@pytest.mark.parametrize("groups", [None, "groups"])
def test_differences_are_paired_with_intervals_over_groups(groups, by_name):
    table = make_pieces(n_artists=6, n_tracks=2)
    X, y, groups = table["data"], table["target"], groups and table[groups]
    models = {"nn": KNeighborsClassifier(1), "nn5": KNeighborsClassifier(5)}
    cv, of = (3, groups) if not by_name else ({"it": 3}, {} if groups is None else {"it": groups})
    options = {"cv": cv, "groups": of, "scoring": "accuracy", "reference": "nn5"}
    found = compare_models(models, X, y, **options)
    right = {
        name: (rows["predicted"] == rows["genre"]).to_numpy().astype(int)
        for name, rows in found.predictions.groupby("model")
    }
    ahead = right["nn"] - right["nn5"]
    row, itself = found.table.to_dict("records")
    assert row["accuracy_difference"] == pytest.approx(ahead.mean())
    rows = found.predictions.query("model == 'nn'")
    _, group = np.unique(rows["group"], return_inverse=True)
    expected = bootstrap(
        (np.bincount(group, ahead), np.bincount(group)),
        lambda ahead, n, axis: ahead.sum(axis) / n.sum(axis),
        paired=True,
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    interval = row["accuracy_difference_low"], row["accuracy_difference_high"]
    assert interval == pytest.approx(expected, abs=0.015)
    assert [itself[f"accuracy_difference{end}"] for end in ("", "_low", "_high")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("reference", "scoring", "message"),
    [
        ("svm", "accuracy", r"reference must be one of the models \['nn'\]; got 'svm'"),
        ("nn", ["accuracy", "roc_auc_ovr"], r"confidence intervals; got \['roc_auc_ovr'\]"),
    ],
)
def test_differences_that_cannot_be_computed_are_errors_before_a_fit(reference, scoring, message):
    models = {"nn": KNeighborsClassifier("never fitted")}
    with pytest.raises(ValueError, match=message):
        compare_models(models, np.eye(4), list("abab"), reference=reference, scoring=scoring)


def test_test_sets_are_predicted_once():
    table = make_pieces(n_artists=4, n_tracks=2)
    seen = []

    class Noting(KNeighborsClassifier):
        def predict(self, X):
            seen.append(len(X))
            return super().predict(X)

    compare_models({"it": Noting(1)}, table["data"], table["target"], cv=2, reference="it")
    assert sum(seen) == len(table["target"])


@pytest.mark.slow
def test_networks_beside_baselines(data):
    models = {"ann": NETWORKS["ann"], "knn": make_summary_baseline("knn")}
    with joblib.parallel_config(backend="threading"):
        found = compare_models(models, *data, cv=2, groups=None, n_jobs=2).table
    assert (found["accuracy"] > 0.5).all()  # chance is 1/3


def make_summary_baseline(name):
    from skgenre import SegmentSummary

    return make_pipeline(SegmentSummary(), make_baseline(name))


@pytest.mark.parametrize("models", [{}, [KNeighborsClassifier()], KNeighborsClassifier()])
def test_models_need_names(models):
    table = make_pieces()
    with pytest.raises(ValueError, match="must be a non-empty mapping of names to estimators"):
        compare_models(models, table["data"], table["target"])


def test_errors_of_models_are_not_hidden():
    table = make_pieces()
    with pytest.raises(ValueError, match="n_neighbors <= n_samples_fit"):
        compare_models({"nn": KNeighborsClassifier(10_000)}, table["data"], table["target"])


# ---------------------------------------------------------------- leakage


def test_leakage_shows():
    found = leakage_report(KNeighborsClassifier(1), make_pieces(), n_splits=3)
    assert found["model"].unique().tolist() == ["KNeighborsClassifier"]
    scores = found.set_index("splitting")["accuracy"]
    assert scores.index.tolist() == ["random pieces", "by track", "by artist"]
    assert scores["random pieces"] > scores["by track"] + 0.1 > scores["by artist"] + 0.2


def test_leakage_of_several_models_and_pipelines():
    models = {"nn": make_baseline("knn"), "dummy": DummyClassifier()}
    found = leakage_report(models, make_pieces(), n_splits=3, scoring="accuracy")
    assert found["model"].tolist() == ["nn"] * 3 + ["dummy"] * 3
    assert "f1_macro" not in found
    [name] = leakage_report(make_baseline("knn"), make_pieces(), n_splits=2)["model"].unique()
    assert name == "KNeighborsClassifier"


def test_no_leakage_where_there_is_nothing_to_recognize():
    found = leakage_report(DummyClassifier(strategy="prior"), make_pieces(), n_splits=3)
    assert found["accuracy"].max() - found["accuracy"].min() < 0.1


@pytest.mark.slow
@pytest.mark.gtzan
@pytest.mark.skipif(
    parse_version(sklearn.__version__) < parse_version("1.9"),
    reason="measured with scikit-learn 1.9; 1.6 shuffles groups into other folds",
)
def test_the_published_leakage_is_reproduced(gtzan):
    """Accuracies of 5 folds of the 10-second table, as others measured them."""
    table = load_gtzan_features(gtzan / "features_10_sec.csv")
    found = leakage_report({name: make_baseline(name) for name in ("knn", "svm")}, table)
    found = found.pivot(index="model", columns="splitting", values="accuracy")
    columns = ["random pieces", "by track", "by artist"]
    assert_allclose(found.loc["knn", columns], [0.897, 0.657, 0.461], atol=0.02)
    assert_allclose(found.loc["svm", columns], [0.905, 0.735, 0.551], atol=0.02)


@pytest.mark.gtzan
def test_groups_of_the_table_are_the_artists(gtzan):
    table = load_gtzan_features(gtzan / "features_30_sec.csv")
    assert_array_equal(table.groups, artist_groups(table.filenames))
    assert len(set(table.groups)) == 323
