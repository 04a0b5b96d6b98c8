"""Intervals, calibration error and coverage, against SciPy and scikit-learn."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from skgenre.evaluation import bootstrap_score, calibration_error, coverage_curve, scores


def predictions(n=200, n_groups=30, accuracy=0.6, seed=0):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, n_groups, n)
    y_true = np.array(["classical", "jazz", "rock"])[rng.integers(0, 3, n)]
    y_pred = np.where(rng.random(n) < accuracy, y_true, rng.choice(y_true, n))
    return y_true, y_pred, groups


def pairs(y_true, y_pred, groups):
    """Right predictions and tracks of each group."""
    _, group = np.unique(groups, return_inverse=True)
    return np.bincount(group, y_true == y_pred), np.bincount(group)


def scipy_interval(data, statistic, n_resamples=2500, level=0.95):
    # The same generator at the same state draws the same groups.
    return stats.bootstrap(
        data,
        statistic,
        paired=True,
        method="percentile",
        vectorized=True,
        axis=-1,
        n_resamples=n_resamples,
        confidence_level=level,
        random_state=np.random.RandomState(0),
    )


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_the_interval_is_scipys_bootstrap_of_pairs_per_artist(level):
    y_true, y_pred, groups = predictions()
    result = bootstrap_score(
        y_true, y_pred, groups=groups, n_resamples=2500, confidence_level=level
    )
    expected = scipy_interval(
        pairs(y_true, y_pred, groups), lambda c, n, axis: c.sum(axis) / n.sum(axis), level=level
    )
    assert_allclose([result.low, result.high], expected.confidence_interval, rtol=1e-12)
    assert_allclose(result.distribution, expected.bootstrap_distribution, rtol=1e-12)
    assert result.score == accuracy_score(y_true, y_pred)
    assert result.n_groups == 30


def test_the_difference_is_scipys_paired_bootstrap():
    y_true, first, groups = predictions()
    _, second, _ = predictions(accuracy=0.4)
    result = bootstrap_score(y_true, first, groups=groups, reference=second, n_resamples=2500)
    right, n = pairs(y_true, first, groups)
    expected = scipy_interval(
        (right, pairs(y_true, second, groups)[0], n),
        lambda a, b, n, axis: a.sum(axis) / n.sum(axis) - b.sum(axis) / n.sum(axis),
    )
    assert_allclose([result.low, result.high], expected.confidence_interval, atol=1e-12)
    difference = accuracy_score(y_true, first) - accuracy_score(y_true, second)
    assert result.score == pytest.approx(difference)


@pytest.mark.parametrize(
    ("scoring", "function"),
    [
        ("accuracy", accuracy_score),
        ("balanced_accuracy", balanced_accuracy_score),
        ("f1_macro", lambda t, p: f1_score(t, p, average="macro")),
    ],
)
@pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true")
@pytest.mark.filterwarnings("ignore:A single label was found")
def test_scores_of_draws_are_scikit_learns(scoring, function):
    # So few groups that draws lack genres.
    y_true, y_pred, _ = predictions(12, seed=3)
    groups = np.unique(y_true, return_inverse=True)[1] * 2 + np.arange(12) % 2
    options = {"groups": groups, "n_resamples": 300}
    fast = bootstrap_score(y_true, y_pred, scoring=scoring, **options)
    n = len(np.unique(groups))
    expected = []
    for draw in np.random.RandomState(0).randint(0, n, (300, n)):
        tracks = np.concatenate([np.flatnonzero(np.unique(groups)[i] == groups) for i in draw])
        expected.append(function(y_true[tracks], y_pred[tracks]))
    assert_allclose(fast.distribution, expected)
    assert fast.score == pytest.approx(function(y_true, y_pred))


def test_artists_make_a_wider_interval_than_tracks():
    # An artist's tracks are right or wrong together.
    groups = np.repeat(np.arange(20), 10)
    y_true = np.full(200, "jazz")
    y_pred = np.where(groups % 2, "jazz", "rock")
    by_artist = bootstrap_score(y_true, y_pred, groups=groups)
    by_track = bootstrap_score(y_true, y_pred)
    assert by_artist.high - by_artist.low > 2 * (by_track.high - by_track.low)
    assert by_track.n_groups == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scoring": "acuracy"}, "acuracy"),
        ({"confidence_level": 95}, "confidence_level=95 must be a float in"),
        ({"n_resamples": 0}, "n_resamples=0 must be an int in"),
        ({"groups": [1]}, "inconsistent"),
        ({"reference": ["a"]}, "inconsistent"),
    ],
)
def test_what_cannot_be_scored_is_an_error(options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_score(["a", "b"], ["a", "b"], **options)


def probabilities(n=300, seed=0):
    rng = np.random.default_rng(seed)
    # Of full tenths some, which are edges of bins.
    proba = rng.dirichlet([1, 1, 1], n).round(1)
    proba[:, 2] = 1 - proba[:, 0] - proba[:, 1]
    classes = np.array(["classical", "jazz", "rock"])
    return classes[rng.integers(0, 3, n)], proba, classes


@pytest.mark.parametrize("n_bins", [5, 10])
def test_the_calibration_error_is_that_of_scikit_learns_curve(n_bins):
    y_true, proba, classes = probabilities()
    confidence, correct = proba.max(axis=1), classes[proba.argmax(axis=1)] == y_true
    share, mean = calibration_curve(correct, confidence, n_bins=n_bins)
    counts = np.bincount(np.searchsorted(np.linspace(0, 1, n_bins + 1)[1:-1], confidence))
    expected = np.sum(counts[counts > 0] * np.abs(share - mean)) / len(y_true)
    assert calibration_error(y_true, proba, classes, n_bins=n_bins) == pytest.approx(expected)


def test_the_coverage_curve_is_the_accuracy_above_each_threshold():
    y_true, proba, classes = probabilities()
    curve = coverage_curve(y_true, proba, classes)
    confidence, predicted = proba.max(axis=1), classes[proba.argmax(axis=1)]
    assert sorted(set(confidence), reverse=True) == curve["threshold"].tolist()
    for threshold, coverage, accuracy in curve.itertuples(index=False):
        left = confidence >= threshold
        assert coverage == pytest.approx(left.mean())
        assert accuracy == pytest.approx(accuracy_score(y_true[left], predicted[left]))


def test_probabilities_of_other_classes_are_an_error():
    with pytest.raises(ValueError, match=r"\(1, 2\)"):
        calibration_error(["a"], [[0.5, 0.5]], ["a", "b", "c"])


@pytest.mark.parametrize("block", [1, 1000, 1 << 19])
def test_resamples_do_not_depend_on_how_many_are_drawn_at_once(block, monkeypatch):
    y_true, y_pred, groups = predictions()
    options = {"groups": groups, "n_resamples": 300, "scoring": "f1_macro"}
    expected = bootstrap_score(y_true, y_pred, **options)
    monkeypatch.setattr(scores, "_BLOCK_VALUES", block)
    found = bootstrap_score(y_true, y_pred, **options)
    assert_array_equal(found.distribution, expected.distribution)
    assert (found.low, found.high, found.score) == (expected.low, expected.high, expected.score)


@pytest.mark.parametrize("n_genres", [3, 200])
def test_a_large_collection_takes_little_memory(n_genres):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, n_genres, (2, 20_000))
    tracemalloc.start()
    bootstrap_score(y_true, y_pred, n_resamples=500)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6
