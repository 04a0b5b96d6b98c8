"""The tracks that are held out of a fit: how many, by which groups, stopped by or watched."""

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    cross_validate,
)
from sklearn.pipeline import make_pipeline

from skgenre import SegmentScaler
from skgenre.networks import base
from skgenre.networks.holdout import hold_out
from skgenre.plotting import HistoryDisplay

from .conftest import make_tensor, slow_but
from .registry import NETWORKS


def ann(**parameters):
    return clone(NETWORKS["ann"]).set_params(epochs=2, **parameters)


def split(labels, groups, fraction, seed=0):
    tracks = np.arange(len(labels)) + 100
    parts = hold_out(tracks, labels, groups, fraction=fraction, seed=seed)
    assert sorted(np.concatenate(parts)) == tracks.tolist()
    return [part - 100 for part in parts]


# ---------------------------------------------------------------- drawing it


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9])
def test_groups_make_up_the_share_that_is_asked_for(fraction):
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 40)
    for n_artists in (8, 20) if fraction < 0.9 else (20,):  # one of each class stays
        groups = labels * 100 + rng.integers(n_artists, size=200)
        for seed in range(5):
            training, validation = split(labels, groups, fraction, seed)
            assert not set(groups[training]) & set(groups[validation])
            assert abs(len(validation) / 200 - fraction) < 0.02
            shares = np.bincount(labels[validation], minlength=5) / 40
            assert (abs(shares - fraction) < 0.2).all()  # stratified, as far as groups go
            assert (np.bincount(labels[training], minlength=5) > 0).all()


def test_groups_are_drawn_by_the_seed():
    labels = np.repeat(np.arange(3), 20)
    groups = np.arange(60) // 4
    drawn = [tuple(split(labels, groups, 0.2, seed)[1]) for seed in [0, 0, *range(1, 9)]]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 5


def test_a_large_group_is_not_drawn_for_a_small_share():
    labels = np.tile([0, 1], 50)
    groups = np.r_[np.zeros(60), np.arange(1, 41)]
    for seed in range(10):
        _, validation = split(labels, groups, 0.2, seed)
        assert len(validation) == 20
        assert 0 not in groups[validation]
    # Where all are too large, the smallest will do.
    assert len(split(labels, np.arange(100) // 60, 0.1)[1]) == 40


def test_each_class_stays_in_training():
    labels = np.array([0] * 10 + [1] * 10 + [2])
    groups = np.r_[np.arange(10), np.repeat([20, 21], 5), 30]
    for seed in range(10):
        training, validation = split(labels, groups, 0.9, seed)
        assert set(labels[training]) == {0, 1, 2}
        assert len(validation) == 14  # all but one group of each class
    with pytest.raises(ValueError, match=r"each group .*: 0 \(all of 0\), 1 \(all of 1"):
        split(labels[:20], labels[:20], 0.3)
    with pytest.raises(ValueError, match="No track of 1 would remain"):
        split(np.array([0] * 18 + [1] * 2), None, 0.9)


def test_groups_of_a_wrong_length_are_refused_whether_used_or_not():
    X, y = make_tensor(12)
    for parameters in ({}, {"early_stopping": True}):
        with pytest.raises(ValueError, match=r"inconsistent numbers of samples: 11 groups for 12"):
            ann(**parameters).fit(X, y, groups=np.zeros(11))


@pytest.mark.parametrize(
    ("n_tracks", "artists", "message"),
    [
        ({"jazz": 9, "rock": 1}, None, "only one track of rock"),
        ({"jazz": 18, "rock": 2}, None, "No track of rock would remain"),
        ({"jazz": 5, "rock": 5}, ["Can"] * 10, r"Can \(all of jazz, rock\)\. Add tracks"),
        (
            {"jazz": 5, "rock": 5},
            ["Monk"] * 5 + ["Can"] * 5,
            r"Can \(all of rock\), Monk \(all of jazz\)",
        ),
    ],
)
def test_messages_name_genres_and_artists(n_tracks, artists, message):
    X, _ = make_tensor(sum(n_tracks.values()))
    y = np.repeat(list(n_tracks), list(n_tracks.values()))
    clf = ann(validation_fraction=0.9 if n_tracks["rock"] == 2 else 0.2)
    with pytest.raises(ValueError, match=message):
        clf.fit(X, y, groups=artists)


def test_groups_reach_the_held_out_part_by_way_of_fit(monkeypatch):
    X, y = make_tensor(30)
    seen = []

    def noting(*args, **kwargs):
        seen.append(hold_out(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(base, "hold_out", noting)
    groups = np.arange(30) // 3
    ann(early_stopping=True, validation_fraction=0.4).fit(X, y, groups=groups)
    [(training, validation)] = seen
    assert not set(groups[training]) & set(groups[validation])
    assert len(validation) == 12


# ---------------------------------------------------------------- watching it


def test_held_out_tracks_may_be_watched_without_stopping():
    X, y = make_tensor(30)
    parameters = {"learning_rate": 0.3, "n_iter_no_change": 1, "epochs": 12}
    watched = ann(validation_fraction=0.3).set_params(**parameters).fit(X, y)
    assert watched.n_iter_ == 12
    assert set(watched.history_) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert {len(curve) for curve in watched.history_.values()} == {12}
    assert np.argmin(watched.history_["val_loss"]) < 10  # early stopping would have stopped
    stopped = ann(validation_fraction=0.3, early_stopping=True).set_params(**parameters).fit(X, y)
    assert stopped.n_iter_ < 12
    n = stopped.n_iter_
    assert stopped.history_["val_loss"] == watched.history_["val_loss"][:n]
    HistoryDisplay.from_estimator(watched)


def test_watched_tracks_are_not_trained_on():
    X, y = make_tensor(30)
    watched = ann(validation_fraction=0.3, random_state=1).fit(X, y)
    rng = np.random.RandomState(1)
    _, classes = np.unique(y, return_inverse=True)
    training, validation = hold_out(
        np.arange(30), classes, None, fraction=0.3, seed=rng.randint(2**31 - 1)
    )
    assert len(validation) == 9
    alone = ann(random_state=rng).fit(X[training], y[training])
    for found, expected in zip(watched.weights_, alone.weights_, strict=True):
        assert_array_equal(found, expected)


def test_nothing_is_held_out_unless_asked_for():
    X, y = make_tensor(30)
    assert set(ann().fit(X, y).history_) == {"loss", "accuracy"}
    assert "val_loss" in ann(early_stopping=True).fit(X, y).history_  # a tenth
    with pytest.raises(ValueError, match=r"Cannot hold out validation_fraction=0\.1 of 6 tracks"):
        ann(early_stopping=True).fit(X[:6], y[:6])
    with pytest.raises(ValueError, match="nor validation_fraction nor"):
        ann(validation_fraction=0.2).partial_fit(X, y, classes=np.unique(y))


# ---------------------------------------------------------------- groups in searches


@pytest.mark.parametrize("backend", slow_but("sequential", ["threading"]))
def test_with_routing_a_search_passes_its_groups(backend, monkeypatch):
    X, y = make_tensor(36)
    groups = np.arange(36) // 3
    seen = []

    def noting(tracks, labels, groups, **kwargs):
        training, validation = hold_out(tracks, labels, groups, **kwargs)
        seen.append(
            set(groups[np.isin(tracks, training)]) & set(groups[np.isin(tracks, validation)])
        )
        return training, validation

    monkeypatch.setattr(base, "hold_out", noting)
    model = make_pipeline(SegmentScaler(), ann(early_stopping=True, validation_fraction=0.4))
    search = GridSearchCV(model, {}, cv=GroupKFold(2), refit=False, error_score="raise", n_jobs=2)
    with joblib.parallel_config(backend):
        with sklearn.config_context(enable_metadata_routing=True):
            search.fit(X, y, groups=groups)
            cross_validate(model, X, y, params={"groups": groups}, cv=GroupKFold(2))
        # Without routing a pipeline takes them by the name of the step.
        search.fit(X, y, groups=groups, annclassifier__groups=groups)
    assert seen == [set()] * 6
