"""Calibration on groups that the classifier has not seen."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold, ShuffleSplit, StratifiedGroupKFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgenre import GroupCalibratedClassifier, SegmentVotingClassifier

from .conftest import make_tensor

ARTISTS, TRACKS = 8, 6


@parametrize_with_checks([GroupCalibratedClassifier(LogisticRegression())])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def albums(seed=0, n_genres=3, n_artists=ARTISTS):
    """Tracks of artists who differ more than genres do."""
    rng = np.random.default_rng(seed)
    genres = rng.normal(scale=0.5, size=(n_genres, 20))
    X, y, artists = [], [], []
    for genre in range(n_genres):
        for artist in range(n_artists):
            centre = genres[genre] + rng.normal(scale=1.0, size=20)
            X.append(centre + rng.normal(scale=0.3, size=(TRACKS, 20)))
            y += [f"genre{genre}"] * TRACKS
            artists += [genre * n_artists + artist] * TRACKS
    return np.concatenate(X), np.array(y), np.array(artists)


def test_the_temperature_is_scikit_learns_on_the_same_folds():
    X, y, artists = albums()
    lda = LinearDiscriminantAnalysis()
    clf = GroupCalibratedClassifier(lda, cv=GroupKFold(4)).fit(X, y, groups=artists)
    folds = list(GroupKFold(4).split(X, y, artists))
    try:
        reference = CalibratedClassifierCV(lda, method="temperature", cv=folds, ensemble=False)
        reference.fit(X, y)
    except ValueError:
        pytest.skip("this scikit-learn has no temperature scaling")
    assert clf.temperature_ > 1.2
    assert_allclose(clf.predict_proba(X), reference.predict_proba(X), atol=1e-3)


def test_unseen_artists_are_predicted_with_a_lower_loss_and_the_same_labels():
    X, y, artists = albums()
    train = artists % ARTISTS < 5
    alone = LinearDiscriminantAnalysis().fit(X[train], y[train])
    clf = GroupCalibratedClassifier(LinearDiscriminantAnalysis())
    clf.fit(X[train], y[train], groups=artists[train])
    assert_array_equal(clf.predict(X[~train]), alone.predict(X[~train]))
    proba = clf.predict_proba(X[~train])
    assert log_loss(y[~train], proba) < log_loss(y[~train], alone.predict_proba(X[~train]))


def test_the_temperature_stays_1_where_none_lowers_the_loss():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], 60)
    X = rng.normal(size=(120, 1)) + y[:, None]
    clf = GroupCalibratedClassifier(LogisticRegression()).fit(X, y)
    assert clf.temperature_ == 1
    assert_array_equal(clf.predict_proba(X), LogisticRegression().fit(X, y).predict_proba(X))


@pytest.mark.parametrize("target", [0.8, 0.9])
def test_the_threshold_is_the_lowest_with_the_target_accuracy_out_of_fold(target):
    X, y, artists = albums(n_artists=10)
    cv = StratifiedGroupKFold(5)
    model = LogisticRegression(C=0.01)
    clf = GroupCalibratedClassifier(model, cv=cv, target_accuracy=target).fit(X, y, groups=artists)
    highest, right = [], []
    for train, test in cv.split(X, y, artists):
        proba = model.fit(X[train], y[train]).predict_proba(X[test])
        proba = softmax(np.log(proba) / clf.temperature_, axis=1)
        highest.append(proba.max(axis=1))
        right.append(model.classes_[proba.argmax(axis=1)] == y[test])
    highest, right = np.concatenate(highest), np.concatenate(right)
    assert right.mean() < target
    assert right[highest >= clf.threshold_ - 1e-12].mean() >= target
    lower = highest[(highest < clf.threshold_ - 1e-12)]
    assert all(right[highest >= t].mean() < target for t in lower)


def test_there_is_no_threshold_with_few_artists_or_without_accuracy():
    X, y, artists = albums(n_artists=4)
    clf = GroupCalibratedClassifier(LinearDiscriminantAnalysis())
    assert clf.fit(X, y, groups=artists).threshold_ is None
    X, y, artists = albums()
    noise = np.random.default_rng(0).normal(size=X.shape)
    assert clf.fit(noise, y, groups=artists).threshold_ is None


def test_a_genre_of_one_artist_leaves_probabilities_as_they_are():
    X, y, artists = albums()
    artists[y == "genre1"] = 99
    clf = GroupCalibratedClassifier(LinearDiscriminantAnalysis())
    with pytest.warns(
        UserWarning,
        match=r"two groups \(artists\) per class: there is only one group \(artist\) of genre1",
    ):
        clf.fit(X, y, groups=artists)
    assert clf.temperature_ == 1
    assert clf.threshold_ is None


def test_without_groups_there_is_no_threshold():
    X, y, _ = albums()
    assert GroupCalibratedClassifier(LogisticRegression(C=0.01)).fit(X, y).threshold_ is None


def test_folds_that_cannot_be_trained_on_leave_probabilities_as_they_are():
    X, y = np.eye(4), [0, 1, 0, 1]  # a fold has as many tracks as classes, too few for LDA
    with pytest.warns(UserWarning, match="not calibrated because fitting a fold failed"):
        clf = GroupCalibratedClassifier(LinearDiscriminantAnalysis()).fit(X, y)
    assert clf.temperature_ == 1
    with pytest.raises(ValueError, match="yields 1 fold; calibration needs at least 2"):
        GroupCalibratedClassifier(LogisticRegression(), cv=ShuffleSplit(1)).fit(X, y)


def test_groups_reach_an_estimator_that_takes_them():
    seen = []

    class Grouped(LogisticRegression):
        def fit(self, X, y, groups=None):
            seen.append((len(X), groups))
            return super().fit(X, y)

    X, y, artists = albums()
    GroupCalibratedClassifier(Grouped(), cv=2).fit(X, y, groups=artists)
    assert [len(groups) for _, groups in seen] == [n for n, _ in seen]
    assert set(seen[1][1]).isdisjoint(seen[2][1])


def test_tensors_of_tracks_keep_their_segments_and_one_warning():
    X, y = make_tensor(30, seed=0)
    X[4] = np.nan
    inner = SegmentVotingClassifier(LinearDiscriminantAnalysis())
    with pytest.warns(UserWarning, match="1 of 30 tracks") as caught:
        clf = GroupCalibratedClassifier(inner).fit(X, y, groups=np.arange(30) // 2)
    assert len(caught) == 1  # of the last fit alone
    segments = clf.predict_segments_proba(X[5:])
    log_proba = np.log(clf.estimator_.predict_segments_proba(X[5:]))
    assert_allclose(segments, softmax(log_proba / clf.temperature_, axis=-1), atol=1e-6)


def test_lists_go_to_the_estimator_as_lists():
    class FromWords(LogisticRegression):
        def fit(self, X, y):
            assert isinstance(X, list)
            return super().fit([[len(x)] for x in X], y)

        def predict_proba(self, X):
            return super().predict_proba([[len(x)] for x in X])

    words = ["a", "bb", "ccc", "dddd"] * 3
    clf = GroupCalibratedClassifier(FromWords()).fit(words, [0, 0, 1, 1] * 3)
    assert clf.predict_proba(words).shape == (12, 2)


# ---------------------------------------------------------------- outliers


@pytest.mark.parametrize("shape", [(120, 6), (120, 3, 2, 6)])
def test_outliers_are_the_share_of_left_out_tracks_and_what_is_far_away(shape):
    rng = np.random.default_rng(0)
    y = np.arange(120) % 2
    X = rng.normal(size=shape) + y.reshape(-1, *[1] * (len(shape) - 1))
    if len(shape) > 2:
        X[:3, 1:] = np.nan  # missing segments
    X = 1000 * X  # units do not matter
    model = GroupCalibratedClassifier(
        SegmentVotingClassifier(LogisticRegression()), contamination=0.1
    )
    model.fit(X, y, groups=np.arange(120) // 4)
    model.threshold_ = 0.0
    reasons = np.array(model.explain_unsure(X, model.predict_proba(X)))
    assert set(reasons) == {"", "unlike the training tracks"}
    assert 0 < (reasons != "").mean() < 0.15
    X[0] = 1e5
    assert model.explain_unsure(X[:1], model.predict_proba(X[:1])) == ["unlike the training tracks"]


def test_without_contamination_nothing_is_an_outlier():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2)), np.arange(60) % 2
    model = GroupCalibratedClassifier(LogisticRegression()).fit(X, y, groups=np.arange(60) // 3)
    model.threshold_ = 0.9
    proba = np.array([[0.95, 0.05], [0.2, 0.8]])
    assert model.explain_unsure(X[:2] * 1e6, proba) == ["", "low probability"]
