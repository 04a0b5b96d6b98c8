"""One meaning of `cv` with groups, and groups and weights that reach every part of a model."""

import numpy as np
import pytest
import sklearn
from click.testing import CliRunner
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import AdaBoostClassifier, VotingClassifier
from sklearn.feature_selection import RFECV
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgenre import (
    GroupCalibratedClassifier,
    MFCCSegmenter,
    SegmentScaler,
    SegmentSummary,
    SegmentVotingClassifier,
    compare_models,
    evaluation_report,
    genre_pipeline,
    make_baseline,
)
from skgenre.cli import main
from skgenre.datasets import load_folder
from skgenre.evaluation import read_splits, write_splits
from skgenre.folds import check_folds
from skgenre.networks import base
from skgenre.networks.holdout import hold_out

from .conftest import make_tensor, slow_but
from .registry import NETWORKS

#: Folds of three groups a class, drawn with the fixed seed.
GROUPED = StratifiedGroupKFold(3, shuffle=True, random_state=0)


class Noting(ClassifierMixin, BaseEstimator):
    """Notes the tracks, weights and groups of each fit in a list of the class."""

    seen = []

    def fit(self, X, y, sample_weight=None, groups=None):
        assert groups is None or len(groups) == len(X) == len(y)
        self.classes_ = np.unique(y)
        self.seen.append((np.asarray(X).reshape(len(X), -1)[:, 0], sample_weight, groups))
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


@pytest.fixture(autouse=True)
def nothing_seen():
    Noting.seen.clear()


@pytest.fixture
def table():
    """Three classes of four groups of three tracks; the first column is the track."""
    group = np.repeat(np.arange(12), 3)
    X = np.column_stack([np.arange(36.0), np.random.default_rng(0).normal(size=36)])
    return X, np.array(["blues", "jazz", "rock"])[group % 3], group


# ---------------------------------------------------------------- one meaning of cv


def by_comparison(cv, X, y, groups, folder):
    compare_models({"noting": Noting()}, X, y, cv=cv, groups=groups, scoring="accuracy")
    return [set(rows.astype(int)) for rows, _, _ in Noting.seen]


def by_named_comparison(cv, X, y, groups, folder):
    compare_models({"noting": Noting()}, X, y, cv={"it": cv}, groups=groups, scoring="accuracy")
    return [set(rows.astype(int)) for rows, _, _ in Noting.seen]


def by_split_file(cv, X, y, groups, folder):
    names = [f"track {i:02d}" for i in range(len(X))]
    write_splits(folder / "splits.json", cv, names, y=y, groups=groups)
    return [set(train) for train, _ in read_splits(folder / "splits.json", names)]


def by_calibration(cv, X, y, groups, folder):
    GroupCalibratedClassifier(Noting(), cv=cv).fit(X, y, groups=groups)
    return [set(rows.astype(int)) for rows, _, _ in Noting.seen[1:]]


DRAWN_BY = [by_comparison, by_named_comparison, by_split_file, by_calibration]


@pytest.mark.parametrize("drawn_by", DRAWN_BY)
@pytest.mark.parametrize("cv", [3, np.int64(3), None])
def test_an_int_and_groups_mean_grouped_folds_everywhere(drawn_by, cv, table, tmp_path):
    X, y, groups = table
    n_folds = 4 if cv is None else cv  # there are four groups a class, and None means five
    expected = StratifiedGroupKFold(n_folds, shuffle=True, random_state=0).split(X, y, groups)
    assert drawn_by(cv, X, y, groups, tmp_path) == [set(train) for train, _ in expected]


@pytest.mark.parametrize("drawn_by", DRAWN_BY)
def test_an_int_without_groups_means_scikit_learns_folds(drawn_by, table, tmp_path):
    X, y, _ = table
    expected = StratifiedKFold(3).split(X, y)
    assert drawn_by(3, X, y, None, tmp_path) == [set(train) for train, _ in expected]


def test_reports_and_the_command_line_draw_the_same_folds(tracks):
    model = make_pipeline(
        MFCCSegmenter(segment_duration=1.0), SegmentSummary(), make_baseline("knn")
    )
    report = evaluation_report(
        model, tracks.data, tracks.target, groups=tracks.groups, cv=3, leakage=False,
        robustness=None, n_mistakes=0, n_resamples=100,
    )  # fmt: skip
    folds = GROUPED.split(tracks.data, tracks.target, tracks.groups)
    for i, (_, test) in enumerate(folds):
        assert_array_equal(np.flatnonzero(report.tracks["fold"] == i), test)
    assert report.about["folds"] == "3 folds by artist (StratifiedGroupKFold)"


def test_folds_without_labels_keep_groups_together(table):
    groups = table[-1]
    assert isinstance(check_folds(3, groups=groups), GroupKFold)
    assert isinstance(check_folds(3), KFold)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (np.array([0, 1, 0, 1, 2, 2]), r"only one group \(artist\) of rock\. Add tracks of other"),
        (None, "only one track of rock. Add tracks, or leave out"),
    ],
)
def test_a_class_that_cannot_be_split_is_named(groups, message):
    y = ["jazz"] * 4 + ["rock"] * (2 if groups is not None else 1)
    with pytest.raises(ValueError, match=message):
        check_folds(3, y, groups)


# ---------------------------------------------------------------- groups reach every part

SEARCH = GridSearchCV(Noting(), {}, cv=GroupKFold(2))
HOLDERS = {
    "alone": Noting(),
    "in a pipeline": make_pipeline(StandardScaler(), Noting()),
    "in a search": SEARCH,
    "in a pipeline in a search": GridSearchCV(
        make_pipeline(StandardScaler(), Noting()), {}, cv=GroupKFold(2)
    ),
    "in a search in a pipeline": make_pipeline(StandardScaler(), SEARCH),
    "in a search with a scorer": GridSearchCV(
        make_pipeline(StandardScaler(), Noting()), {}, scoring="accuracy", cv=GroupKFold(2)
    ),
    "in a vote": VotingClassifier([("one", Noting()), ("two", Noting())], voting="soft"),
}


def calibrate(model, X, y, groups):
    GroupCalibratedClassifier(model, cv=2).fit(X, y, groups=groups)


def calibrate_a_pipeline(model, X, y, groups):
    pipe = make_pipeline(StandardScaler(), GroupCalibratedClassifier(model, cv=2))
    pipe.fit(X, y, groupcalibratedclassifier__groups=groups)


def compare(model, X, y, groups):
    compare_models({"it": model}, X, y, groups=groups, cv=2, scoring="accuracy")


def calibrate_with_routing(model, X, y, groups):
    with sklearn.config_context(enable_metadata_routing=True):
        for part in [model, *model.get_params().values()]:
            if isinstance(part, Noting):
                part.set_fit_request(groups=True)
        calibrate(model, X, y, groups)


@pytest.mark.filterwarnings("ignore:Number of groups:UserWarning")
@pytest.mark.parametrize(
    "through", [calibrate, calibrate_a_pipeline, calibrate_with_routing, compare]
)
@pytest.mark.parametrize("holder", HOLDERS)
def test_groups_reach_what_accepts_them(holder, through, table):
    X, y, groups = table
    through(clone(HOLDERS[holder]), X, y, groups)
    assert len(Noting.seen) >= 2
    assert all(found is not None for _, _, found in Noting.seen)


def test_groups_are_those_of_the_rows(table):
    X, y, groups = table
    calibrate(Noting(), X, y, groups)
    for rows, _, found in Noting.seen:
        assert_array_equal(found, groups[rows.astype(int)])


@pytest.mark.parametrize("backend", ["sequential", "threading", "loky"])
def test_groups_reach_models_in_every_backend(backend, table):
    X, y, groups = table
    model = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=GroupKFold(2))
    with parallel_config(backend, n_jobs=2):  # without groups, GroupKFold raises an error
        found = compare_models({"it": model}, X, y, groups=groups, cv=2, n_jobs=2)
    assert len(found.table) == 1


@pytest.mark.parametrize("name", slow_but("ann", NETWORKS))
def test_a_calibrated_network_holds_out_other_artists(name, monkeypatch):
    X, y = make_tensor(36)
    groups = np.arange(36) // 3
    shared = []

    def noting(tracks, labels, of_tracks, **kwargs):
        training, validation = hold_out(tracks, labels, of_tracks, **kwargs)
        known = np.zeros(len(tracks), bool)
        known[np.searchsorted(tracks, training)] = True
        shared.append(set(of_tracks[known]) & set(of_tracks[~known]))
        return training, validation

    monkeypatch.setattr(base, "hold_out", noting)
    network = clone(NETWORKS[name]).set_params(
        epochs=1, early_stopping=True, validation_fraction=0.4
    )
    inner = make_pipeline(SegmentScaler(), network)
    GroupCalibratedClassifier(inner, cv=2).fit(X, y, groups=groups)
    assert shared == [set()] * 3


# ---------------------------------------------------------------- weights


@pytest.mark.parametrize("holder", HOLDERS)
def test_weights_reach_the_classifiers(holder, table):
    X, y, groups = table
    weight = np.arange(36) % 4 + 1.0
    model = GroupCalibratedClassifier(clone(HOLDERS[holder]), cv=2)
    model.fit(X, y, sample_weight=weight, groups=groups)
    assert all(found is not None for _, found, _ in Noting.seen)
    if holder == "alone":
        for rows, found, _ in Noting.seen:
            assert_array_equal(found, weight[rows.astype(int)])


def test_weights_count_in_the_temperature_and_the_threshold():
    """A weight of 3 is three copies in the same group, and of 0 is none."""
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    X = rng.normal(size=(120, 10)) + 0.6 * y[:, None]
    groups = np.arange(120) // 2 % 20 + 20 * y
    weight = rng.choice([0, 1, 3], 120)
    cv = GroupKFold(4)
    weighted = GroupCalibratedClassifier(LogisticRegression(C=10), cv=cv)
    weighted.fit(X, y, sample_weight=weight, groups=groups)
    repeated = np.repeat(np.arange(120), weight)
    # The folds of the copies are those of the tracks.
    fold = np.empty(120, int)
    for i, (_, test) in enumerate(cv.split(X, y, groups)):
        fold[test] = i
    pairs = [(np.flatnonzero(fold[repeated] != i), np.flatnonzero(fold[repeated] == i))
             for i in range(4)]  # fmt: skip
    copied = clone(weighted).set_params(cv=pairs)
    copied.fit(X[repeated], y[repeated], groups=groups[repeated])
    assert copied.temperature_ != 1
    assert_allclose(weighted.temperature_, copied.temperature_, rtol=1e-3)
    assert_allclose(weighted.threshold_, copied.threshold_, rtol=1e-3)


@pytest.mark.parametrize("grouped", [True, False], ids=["groups", "no groups"])
@pytest.mark.parametrize(
    "estimator",
    [
        None,
        SegmentVotingClassifier(),
        SegmentVotingClassifier(make_pipeline(StandardScaler(), LogisticRegression())),
        GridSearchCV(SegmentVotingClassifier(), {"aggregation": ["mean"]}, cv=2),
    ],
    ids=["default", "voting", "voting of a pipeline", "search"],
)
def test_tracks_of_zero_weight_are_left_out_of_tensors(estimator, grouped):
    X, y = make_tensor(36)
    X[5, 1:] = np.nan
    groups = np.arange(36) // 3
    weight = np.where(np.arange(36) % 9 == 4, 0.0, 1.0)
    kept = weight > 0
    of_all, of_kept = ({"groups": groups}, {"groups": groups[kept]}) if grouped else ({}, {})
    pairs = list(KFold(2).split(X[kept]))
    expected = GroupCalibratedClassifier(estimator, cv=pairs).fit(X[kept], y[kept], **of_kept)
    where = np.flatnonzero(kept)
    pairs = [(where[train], where[test]) for train, test in pairs]
    found = GroupCalibratedClassifier(estimator, cv=pairs)
    found.fit(X, y, sample_weight=weight, **of_all)
    assert_allclose(found.predict_proba(X), expected.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    "model",
    [
        AdaBoostClassifier(n_estimators=2),
        make_pipeline(StandardScaler(), AdaBoostClassifier(n_estimators=2)),
        make_pipeline(RFECV(LogisticRegression(), cv=2), LogisticRegression()),
        VotingClassifier([("a", AdaBoostClassifier(n_estimators=2)), ("b", LogisticRegression())]),
    ],
    ids=["alone", "in a pipeline", "selection", "in a vote"],
)
def test_models_that_cannot_be_routed_are_compared_all_the_same(model, table):
    X, y, groups = table
    found = compare_models({"it": model}, X, y, groups=groups, cv=GROUPED, scoring="accuracy")
    expected = cross_val_score(model, X, y, groups=groups, cv=GROUPED)
    assert found.fold_scores["accuracy"].tolist() == pytest.approx(expected)


class Plain:
    """A classifier without scikit-learn's base class."""

    seen = []

    def get_params(self, deep=True):
        return {}

    def set_params(self):
        return self

    def __sklearn_tags__(self):
        return Noting().__sklearn_tags__()

    def fit(self, X, y, groups=None, sample_weight=None):
        self.seen.append((groups is not None, sample_weight is not None))
        self.classes_ = np.unique(y)
        return self

    predict, predict_proba = Noting.predict, Noting.predict_proba


def test_a_classifier_without_the_base_class_gets_groups_and_weights(table):
    X, y, groups = table
    Plain.seen.clear()
    GroupCalibratedClassifier(Plain(), cv=2).fit(X, y, sample_weight=np.ones(36), groups=groups)
    assert Plain.seen == [(True, True)] * 3


@pytest.mark.parametrize("wrap", [lambda c: c, lambda c: make_pipeline(StandardScaler(), c)])
def test_segments_are_weighted_with_groups_as_without(wrap, data):
    X, y = data[0].copy(), data[1]
    X[::3, 2:] = np.nan  # tracks of different lengths, in every fold
    voting = SegmentVotingClassifier(wrap(Noting()))
    GroupCalibratedClassifier(voting, cv=2).fit(X, y)
    without = [weight for _, weight, _ in Noting.seen]
    Noting.seen.clear()
    GroupCalibratedClassifier(voting, cv=2).fit(X, y, groups=np.arange(len(X)))
    assert_allclose(Noting.seen[0][1], without[0])
    assert all(weight is not None and found is not None for _, weight, found in Noting.seen)


def test_names_of_groups_are_names_of_strategies(table):
    X, y, groups = table
    for cv in (3, {"by artist": 3}):
        with pytest.raises(ValueError, match=r"groups has the keys \['artist'\], which are no"):
            compare_models({"it": Noting()}, X, y, cv=cv, groups={"artist": groups})


def test_folds_without_labels_are_at_most_the_groups(tmp_path):
    names = [f"track {i}" for i in range(8)]
    write_splits(tmp_path / "splits.json", 5, names, groups=[0, 0, 1, 1, 2, 2, 2, 0])
    assert len(read_splits(tmp_path / "splits.json", names)) == 3


@pytest.mark.parametrize("preset", ["descriptors", "musicnn"])
def test_calibrated_presets_take_weights(preset):
    X, y = make_tensor(30, n_frames=1, n_coefficients=6)
    model = genre_pipeline(preset, random_state=0)[-1]
    weight = np.arange(30) % 3 + 1.0
    if preset == "descriptors":
        with pytest.warns(UserWarning, match="LinearDiscriminantAnalysis does not accept"):
            model.fit(X, y, sample_weight=weight)
    else:
        plain = clone(model).fit(X, y)
        model.fit(X, y, sample_weight=weight)
        assert not np.allclose(model.predict_proba(X), plain.predict_proba(X))


def test_weights_for_a_classifier_without_them_are_warned_about(table):
    from sklearn.neighbors import KNeighborsClassifier

    X, y, _ = table
    with pytest.warns(UserWarning, match="KNeighborsClassifier does not accept sample_weight"):
        GroupCalibratedClassifier(KNeighborsClassifier(3)).fit(X, y, sample_weight=np.ones(36))


# ---------------------------------------------------------------- tracks without segments


def test_pairs_of_indices_are_of_all_tracks():
    X, y = make_tensor(30)
    X[[0, 7, 8]] = np.nan
    pairs = list(KFold(3).split(X))
    calibrated = GroupCalibratedClassifier(SegmentVotingClassifier(Noting()), cv=pairs)
    with pytest.warns(UserWarning, match="3 of 30 tracks have no segment"):
        calibrated.fit(X, y)
    first = X[:, 0, 0, 0]
    for (train, _), (rows, _, _) in zip(pairs, Noting.seen[1:], strict=True):
        assert set(rows) & set(first[~np.isnan(first)]) == set(
            first[np.setdiff1d(train, [0, 7, 8])]
        )


# ---------------------------------------------------------------- quoted numbers


def test_the_command_prints_the_pooled_accuracy_first_and_names_the_mean_of_folds(tracks):
    folder = tracks.data[0].rsplit("/", 3)[0]
    collection = load_folder(folder)
    model = genre_pipeline("knn", random_state=0)
    report = evaluation_report(
        {"knn": model}, collection.data, collection.target, groups=collection.groups, cv=3,
        leakage=False, robustness=None, n_mistakes=0,
    )  # fmt: skip
    row, means = report.scores.iloc[0], report.fold_accuracy["knn"]
    done = CliRunner().invoke(main, ["evaluate", folder, "--preset", "knn", "--folds", "3"])
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        f"knn: {row.score:.1%} accuracy on unseen artists (24 tracks, 95% confidence interval "
        f"{row.low:.1%} to {row.high:.1%} by artist); mean of 3 folds {means.mean():.1%}, "
        f"standard deviation {means.std(ddof=0):.1%}\n"
    )
    expected = sklearn.model_selection.cross_val_score(
        clone(model), collection.data, collection.target, groups=collection.groups, cv=GROUPED
    )
    assert_allclose(means, expected)


def test_chance_is_the_share_of_the_most_frequent_genre(tracks):
    uneven = np.flatnonzero(np.arange(24) != 3)
    y, groups = tracks.target[uneven], tracks.groups[uneven]
    model = make_pipeline(
        MFCCSegmenter(segment_duration=1.0), SegmentSummary(), make_baseline("knn")
    )
    report = evaluation_report(
        model, [tracks.data[i] for i in uneven], y, groups=groups, leakage=False, robustness=None,
        n_mistakes=0, n_resamples=100,
    )  # fmt: skip
    chance = report.scores.set_index(["model", "metric"]).loc[("chance", "accuracy"), "score"]
    assert chance == pytest.approx(np.unique(y, return_counts=True)[1].max() / len(y))
    page = report.to_html()
    assert f"<b>{100 * chance:.1f}\u00a0%</b><span>chance level: the share of the most" in page


@pytest.mark.parametrize("n_known", [24, 16, 0], ids=["all artists", "some artists", "no artists"])
def test_every_first_line_says_whether_artists_are_known(n_known, tracks, tmp_path):
    import os
    import re

    which = tracks.data, tracks.target, tracks.groups
    for i, (path, genre, artist) in enumerate(zip(*which, strict=True)):
        name = os.path.basename(path).replace(".", f"-{artist}-", 1)
        target = tmp_path / genre / (f"{artist}/{name}" if i < n_known else name)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
    done = CliRunner().invoke(main, ["evaluate", str(tmp_path), "--preset", "knn"])
    assert done.exit_code == 0, done.output
    first = done.stdout.splitlines()[0]
    collection = load_folder(tmp_path)
    report = evaluation_report(
        genre_pipeline("knn"), collection.data, collection.target, groups=collection.groups,
        robustness=None, n_resamples=100,
    )  # fmt: skip
    page = report.to_html()
    lead = re.search(r'<p class="lead">(.*?)</p>', page)[1]
    some = f" (artists known for {n_known} of 24 tracks)"
    assert [some in text for text in (first, lead, repr(report))] == [n_known == 16] * 3
    if n_known:
        assert "unseen artists" in first
        assert all("by artist" in text for text in (first, lead, repr(report)))
        assert "artists are unknown" not in done.stdout + page
    else:
        assert "unseen files" in first
        assert all("by file" in text for text in (first, lead, repr(report)))
        for text in (done.stdout, page):
            assert "artists are unknown" in text
            assert "rock/Artist/song.mp3" in text
