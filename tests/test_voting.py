"""Any classifier on segments: track in, track out."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from skgenre import SegmentVotingClassifier, TrackDescriptors, load, save
from skgenre.datasets import segments_to_tracks

from .conftest import make_pieces, make_tensor


@parametrize_with_checks([SegmentVotingClassifier(), SegmentVotingClassifier(SVC())])
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def rows_of(X):
    mask = ~np.isnan(X[:, :, 0, 0])
    return X[mask].reshape(mask.sum(), -1), np.nonzero(mask)[0]


def test_it_is_the_classifier_on_rows_whose_predictions_are_averaged(data):
    X, y = data
    rows, track = rows_of(X)
    counts = np.bincount(track)[track]
    weight = 1 / counts * len(rows) / len(X)
    expected = LogisticRegression(max_iter=1000).fit(rows, y[track], sample_weight=weight)
    clf = SegmentVotingClassifier(LogisticRegression(max_iter=1000)).fit(X, y)
    X_new, y_new = make_tensor(60, seed=1)
    proba = expected.predict_proba(X_new.reshape(180, -1)).reshape(60, 3, 3)
    assert_allclose(clf.predict_segments_proba(X_new), proba, atol=1e-6)
    assert_allclose(clf.predict_proba(X_new), proba.mean(axis=1), atol=1e-6)
    assert clf.score(X_new, y_new) > 0.8


def test_classifiers_without_probabilities_vote(data):
    X, y = data
    clf = SegmentVotingClassifier(SVC()).fit(X, y)
    segments = clf.predict_segments_proba(X)
    assert set(np.unique(segments[~np.isnan(segments)])) == {0, 1}
    assert_allclose(clf.predict_proba(X), np.nanmean(segments, axis=1))


def test_missing_tracks_are_left_out_and_get_the_prior(data):
    X, y = data
    X = X.copy()
    X[[3, 7]] = np.nan
    with pytest.warns(UserWarning, match="2 of 30 tracks have no segment.*: tracks 3, 7"):
        clf = SegmentVotingClassifier(LinearDiscriminantAnalysis()).fit(X, y)
    with pytest.warns(UserWarning, match="get the class prior"):
        proba = clf.predict_proba(X)
    assert_allclose(proba[[3, 7]], [clf.class_prior_] * 2)


def test_weights_reach_the_last_step_of_a_pipeline():
    X, y = make_tensor(30)
    weight = np.arange(30) % 3 + 1.0
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    clf = SegmentVotingClassifier(pipeline).fit(X, y, sample_weight=weight)
    repeated = clone(clf).fit(
        np.repeat(X, weight.astype(int), axis=0), np.repeat(y, weight.astype(int))
    )
    assert_allclose(clf.class_prior_, repeated.class_prior_)
    with pytest.warns(UserWarning, match="LinearDiscriminantAnalysis does not accept"):
        SegmentVotingClassifier(LinearDiscriminantAnalysis()).fit(X, y, sample_weight=weight)


def test_groups_are_routed_to_a_search_inside_a_value_a_row():
    X, y = make_tensor(30)
    groups = np.arange(30) // 2
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1]}, cv=GroupKFold(3))
        clf = SegmentVotingClassifier(search).fit(X, y, groups=groups)
        scores = cross_val_score(
            clone(clf), X, y, cv=GroupKFold(2), params={"groups": groups}, error_score="raise"
        )
    rows, track = rows_of(X)
    expected = clone(search).fit(rows, y[track], groups=groups[track])
    assert_array_equal(
        clf.estimator_.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"]
    )
    assert len(scores) == 2
    with pytest.raises(TypeError, match="enable_metadata_routing=True"):
        SegmentVotingClassifier().fit(X, y, groups=groups)


# ---------------------------------------------------------------- tables of pieces


def test_pieces_become_tracks_in_the_order_of_their_first():
    table = make_pieces()
    order = np.random.default_rng(0).permutation(len(table["data"]))
    X, track_ids = table["data"][order], table["track_ids"][order]
    tensor, first = segments_to_tracks(X, track_ids)
    assert first.tolist() == sorted(first.tolist())
    assert len(set(track_ids[first])) == len(first) == len(set(track_ids))
    for row, i in zip(tensor, first, strict=True):
        expected = X[track_ids == track_ids[i]].astype(np.float32)
        assert_array_equal(row[: len(expected), 0], expected)
        assert np.isnan(row[len(expected) :]).all()


def test_a_table_and_its_tensor_train_alike():
    """As many pieces a track: rows and weights are the same."""
    table = make_pieces()
    tensor, first = segments_to_tracks(table["data"], table["track_ids"])
    clf = SegmentVotingClassifier(LogisticRegression(max_iter=1000)).fit(
        tensor, table["target"][first]
    )
    rows = LogisticRegression(max_iter=1000).fit(table["data"].astype(np.float32), table["target"])
    assert_allclose(clf.estimator_.coef_, rows.coef_, atol=1e-3)


def test_pieces_of_other_lengths():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        segments_to_tracks([[1.0], [2.0]], ["a"])
    with pytest.raises(ValueError, match="contains NaN"):
        segments_to_tracks([[np.nan]], ["a"])


def test_a_pipeline_of_descriptors_goes_through_a_model_file(tracks, tmp_path):
    model = make_pipeline(
        TrackDescriptors(families=("timbre", "rhythm")),
        SegmentVotingClassifier(
            make_pipeline(
                QuantileTransformer(n_quantiles=5),
                LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
            )
        ),
    ).fit(tracks.data, tracks.target)
    save(model, tmp_path / "model.skgenre")
    loaded = load(tmp_path / "model.skgenre")
    assert_array_equal(loaded.predict_proba(tracks.data), model.predict_proba(tracks.data))


def test_a_track_s_weight_is_shared_with_and_without_routing(data):
    X, y = data  # of tracks of different lengths
    clf = SegmentVotingClassifier(make_pipeline(StandardScaler(), LogisticRegression()))
    expected = clone(clf).fit(X, y).predict_proba(X)
    with sklearn.config_context(enable_metadata_routing=True):
        assert_array_equal(clf.fit(X, y).predict_proba(X), expected)
