"""Accuracy on recordings by unseen artists."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skgenre import (
    ANNClassifier,
    GTZANFeatures,
    MFCCSegmenter,
    SegmentScaler,
    SegmentSummary,
    compare_models,
    make_baseline,
)
from skgenre.datasets import filtered_split, load_gtzan, load_gtzan_features

pytestmark = [pytest.mark.gtzan, pytest.mark.slow]

BY_ARTIST = StratifiedGroupKFold(3, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def tracks(gtzan):
    """A hundred and forty tracks of three genres."""
    return load_gtzan(gtzan / "three_genres")


@pytest.fixture(scope="module")
def tensor(tracks):
    """Three of each track's segments."""
    X = MFCCSegmenter(n_segments=3, placement="spread", n_jobs=2).transform(tracks.data)
    assert X.shape == (140, 3, 130, 13)
    assert not np.isnan(X).any()
    return X


def test_baselines_and_a_network_tell_new_artists_apart(tracks, tensor):
    models = {
        "network": make_pipeline(
            SegmentScaler(), ANNClassifier(hidden_units=(64,), epochs=8, random_state=0)
        ),
        **{
            name: make_pipeline(SegmentSummary(), make_baseline(name, random_state=0))
            for name in ("svm", "lda", "logistic")
        },
    }
    found = compare_models(models, tensor, tracks.target, cv=BY_ARTIST, groups=tracks.groups)
    assert (found.table["accuracy"] > 0.55).all()  # chance is 1/3
    assert (found.table["f1_macro"] > 0.5).all()


def test_a_search_on_the_filtered_split_of_tensors(tracks, tensor):
    """Some of the tracks are in each of the three parts."""
    model = make_pipeline(SegmentSummary(), make_baseline("svm"))
    cv = filtered_split(tracks.data, test=("valid",))
    search = GridSearchCV(model, {"pipeline__svc__C": [0.01, 10]}, cv=cv, error_score="raise").fit(
        tensor, tracks.target
    )
    assert search.n_splits_ == 1
    [(train, valid)] = cv
    by_hand = clone(model).fit(tensor[train], tracks.target[train])
    expected = by_hand.score(tensor[valid], tracks.target[valid])
    assert search.cv_results_["split0_test_score"][1] == expected
    assert not set(tracks.groups[train]) & set(tracks.groups[valid]) - set(tracks.track_ids)


def test_a_tables_model_hears_recordings_it_has_not_seen(gtzan):
    """Trained on the table's rows of other artists, asked about recordings."""
    table = load_gtzan_features(gtzan / "features_30_sec.csv")
    tracks = load_gtzan(gtzan)
    others = ~np.isin(table.groups, tracks.groups)
    model = make_baseline("logistic").fit(table.data[others], table.target[others])
    whole = make_pipeline(GTZANFeatures(n_jobs=2).set_output(transform="pandas"), model)
    assert (whole.predict(tracks.data) == tracks.target).mean() >= 0.4  # of ten genres
