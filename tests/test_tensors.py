import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skgenre import (
    GroupCalibratedClassifier,
    SegmentScaler,
    SegmentSummary,
    SegmentVotingClassifier,
)
from skgenre.networks.training import Segments
from skgenre.tensor import aggregate, segment_mask

from .conftest import make_tensor
from .model_zoo import untrained
from .registry import NETWORKS


@pytest.fixture
def X():
    """Tracks of which some lack segments, and one lacks all."""
    X, _ = make_tensor()
    X = X * [1, 10, 100, 0.1] + [0, 5, -300, 2]
    X[1, 2:] = X[4, 1:] = X[6] = np.nan
    return X.astype(np.float32)


def existing_frames(X):
    frames = X.reshape(-1, X.shape[-1])
    return frames[~np.isnan(frames[:, 0])].astype(np.float64)


# ---------------------------------------------------------------- the tensor's rules


def test_segment_mask(X):
    expected = np.ones((24, 3), bool)
    expected[1, 2] = expected[4, 1:] = expected[6] = False
    np.testing.assert_array_equal(segment_mask(X), expected)


@pytest.mark.parametrize(("value", "kind"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_a_partly_missing_segment_names_the_track(X, value, kind, monkeypatch):
    X[17, 1, 3, 2] = value
    for n_values in (1 << 22, 100):  # in one block, and in many
        monkeypatch.setattr("skgenre.tensor.BLOCK_VALUES", n_values)
        with pytest.raises(ValueError, match=f"{kind} in part of segment 1 of track 17"):
            segment_mask(X)


def test_infinite_segments_do_not_count_as_missing(X):
    X[3, 0] = np.inf
    with pytest.raises(ValueError, match="infinity in part of segment 0 of track 3"):
        segment_mask(X)


def test_a_track_counts_once_whatever_its_length(X):
    mask = segment_mask(X)
    tracks = np.flatnonzero(mask.any(axis=1))
    y = np.arange(len(X)) % 3
    weight = np.ones(len(X))
    weight[2] = 3
    segments = Segments(X, mask, tracks, y, weight)
    assert len(segments) == mask.sum()
    assert segments.weight.mean() == pytest.approx(1)
    per_track = np.bincount(segments.track, segments.weight)[tracks]
    np.testing.assert_allclose(per_track / per_track[0], weight[tracks], rtol=1e-6)
    np.testing.assert_array_equal(segments.y, y[segments.track])


def test_equal_lengths_have_weight_one():
    X, _ = make_tensor()
    segments = Segments(X, segment_mask(X), np.arange(24), np.arange(24) % 3, np.ones(24))
    np.testing.assert_array_equal(segments.weight, 1)


def test_batches_are_the_segments_once_each(X):
    mask = segment_mask(X)
    tracks = np.flatnonzero(mask.any(axis=1))
    segments = Segments(X, mask, tracks, np.arange(24), np.ones(24))
    batches = list(segments.batches(10, np.random.default_rng(0)))
    assert [len(x) for x, _, _ in batches[:-1]] == [10] * (len(batches) - 1)
    x, y, weight = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    order = np.lexsort((x[:, 0, 0], y))
    plain = next(segments.batches(10**6, None))
    expected = np.lexsort((plain[0][:, 0, 0], plain[1]))
    np.testing.assert_array_equal(x[order], plain[0][expected])
    np.testing.assert_array_equal(weight[order], plain[2][expected])
    assert not np.array_equal(y, plain[1])  # permuted


PROBA = np.array([[[0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.5, 0.4, 0.1]], [[0.0, 1.0, 0.0]] * 3])
PROBA[1, 1:] = np.nan


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("mean", [1.3 / 3, 1.4 / 3, 0.3 / 3]),
        ("vote", [2 / 3, 1 / 3, 0]),
        ("max", [0.6 / 1.4, 0.7 / 1.4, 0.1 / 1.4]),
        ("geometric", np.cbrt([0.06, 0.084, 0.001]) / np.cbrt([0.06, 0.084, 0.001]).sum()),
    ],
)
def test_fold(aggregation, expected):
    folded = aggregate(PROBA, ~np.isnan(PROBA[:, :, 0]), aggregation)
    np.testing.assert_allclose(folded[0], expected)
    np.testing.assert_allclose(folded[1], [0, 1, 0], atol=1e-200)
    np.testing.assert_allclose(folded.sum(axis=1), 1)


def test_geometric_fold_of_contradictions_is_finite():
    proba = np.array([[[1.0, 0.0], [0.0, 1.0]]])
    np.testing.assert_allclose(aggregate(proba, np.ones((1, 2), bool), "geometric"), [[0.5, 0.5]])


# ---------------------------------------------------------------- SegmentScaler


class NotFinite(LogisticRegression):
    def predict_proba(self, X):
        return np.full((len(X), 3), self.C)


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
@pytest.mark.parametrize("method", ["predict", "predict_proba", "predict_segments_proba"])
def test_probabilities_that_are_not_finite_are_an_error_of_voting(value, method):
    X, y = make_tensor()
    model = SegmentVotingClassifier(NotFinite(), aggregation="vote").fit(X, y)
    model.estimator_.C = value
    with pytest.raises(ValueError, match="SegmentVotingClassifier predicts probabilities that are"):
        getattr(model, method)(X)


def test_probabilities_that_are_not_finite_are_an_error_of_calibration():
    X, y = make_tensor()
    table = X.mean(axis=(1, 2))
    model = GroupCalibratedClassifier(LogisticRegression(), cv=2).fit(table, y)
    model.estimator_ = NotFinite(C=np.nan)
    with pytest.raises(ValueError, match="GroupCalibratedClassifier predicts probabilities that"):
        model.predict_proba(table)


@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning", "ignore:invalid:RuntimeWarning")
@pytest.mark.parametrize("name", NETWORKS)
def test_probabilities_that_are_not_finite_are_an_error_of_networks(name):
    X, _ = make_tensor(4)
    model = untrained(NETWORKS[name], X.shape[2:])
    # The same sign everywhere, so that sums overflow.
    model.weights_ = [np.full_like(weight, 3e38) for weight in model.weights_]
    message = f"{type(model).__name__} is not finite for segment 0 of track 0: .* or the weights"
    with pytest.raises(ValueError, match=message):
        model.predict(abs(X))


def test_scaler_equals_standard_scaler_over_existing_frames(X, monkeypatch):
    monkeypatch.setattr("skgenre.tensor.BLOCK_VALUES", 300)  # several blocks
    reference = StandardScaler().fit(existing_frames(X))
    scaler = SegmentScaler().fit(X)
    np.testing.assert_allclose(scaler.mean_, reference.mean_, rtol=1e-6)
    np.testing.assert_allclose(scaler.scale_, reference.scale_, rtol=1e-6)
    scaled = scaler.transform(X)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(
        existing_frames(scaled), reference.transform(existing_frames(X)), atol=1e-5
    )
    np.testing.assert_array_equal(np.isnan(scaled), np.isnan(X))
    np.testing.assert_allclose(scaler.inverse_transform(scaled), X, rtol=1e-4, atol=1e-3)


def test_scaler_equals_standard_scaler_on_tables():
    X = np.random.default_rng(0).normal(5, 3, (50, 4))
    X[3, 1] = np.nan
    X[:, 2] = 7
    reference = StandardScaler().fit(X)
    scaler = SegmentScaler().fit(X)
    np.testing.assert_allclose(scaler.transform(X), reference.transform(X))
    np.testing.assert_allclose(scaler.scale_, reference.scale_)


@pytest.mark.parametrize("halves", [(slice(0, 12), slice(12, 24)), (slice(0, 2), slice(2, 24))])
def test_scaler_of_parts_equals_standard_scaler_of_all(X, halves):
    reference = StandardScaler().fit(existing_frames(X))
    scaler = SegmentScaler()
    for half in halves:
        assert scaler.partial_fit(X[half]) is scaler
    for name in ("mean_", "var_", "scale_"):
        np.testing.assert_allclose(getattr(scaler, name), getattr(reference, name), rtol=1e-6)
    assert scaler.n_samples_seen_ == reference.n_samples_seen_
    # A fit begins anew.
    np.testing.assert_array_equal(scaler.fit(X[:6]).mean_, SegmentScaler().fit(X[:6]).mean_)


@pytest.mark.parametrize("options", [{"with_mean": False}, {"with_std": False}])
def test_scaler_options(options):
    X = np.random.default_rng(0).normal(5, 3, (50, 4))
    expected = StandardScaler(**options).fit_transform(X)
    np.testing.assert_allclose(SegmentScaler(**options).fit_transform(X), expected)


def test_scaler_of_far_off_values_loses_no_precision():
    X = np.random.default_rng(0).normal(1e6, 1, (5, 3, 20, 2))
    scaler = SegmentScaler().fit(X)
    np.testing.assert_allclose(scaler.scale_, X.reshape(-1, 2).std(axis=0), rtol=1e-9)


def test_scaler_gives_tables_to_pandas_and_tensors_as_they_are(X):
    table = pd.DataFrame({"a": [1.0, 2, 3], "b": [4.0, 6, 5]}, index=[7, 8, 9])
    scaler = SegmentScaler().set_output(transform="pandas")
    scaled = scaler.fit_transform(table)
    assert scaled.columns.tolist() == ["a", "b"]
    assert scaled.index.tolist() == [7, 8, 9]
    assert type(scaler.fit(X).transform(X)) is np.ndarray


def test_scaler_errors(X):
    with pytest.raises(NotFittedError):
        SegmentScaler().transform(X)
    scaler = SegmentScaler().fit(X)
    with pytest.raises(ValueError, match="X has 3 features, but SegmentScaler is expecting 4"):
        scaler.transform(X[..., :3])
    with pytest.raises(ValueError, match="all of X is NaN"):
        SegmentScaler().fit(np.full_like(X, np.nan))
    X[2, 1, 0, 0] = np.nan
    with pytest.raises(ValueError, match="NaN in part of segment 1 of track 2"):
        scaler.transform(X)
    for bad in (X[0, 0, 0], X[None]):
        with pytest.raises(ValueError, match=r"Expected 2D array|Found array with dim 5"):
            scaler.fit(bad)
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        scaler.fit(X[:0])


# ---------------------------------------------------------------- SegmentSummary


def test_summary_equals_numpy(X):
    X = X.astype(np.float64)
    rows = SegmentSummary().fit_transform(X)
    assert np.isnan(rows[6]).all()
    for track in (0, 1, 4):
        segments = X[track, ~np.isnan(X[track, :, 0, 0])]
        frames = segments.reshape(-1, 4)
        expected = np.concatenate(
            [
                frames.mean(axis=0),
                frames.std(axis=0),
                *(np.percentile(frames, p, axis=0) for p in (5, 25, 50, 75, 95)),
                np.concatenate(np.diff(segments, axis=1)).std(axis=0),
                np.cov(frames.T, ddof=0)[np.triu_indices(4, k=1)],
            ]
        )
        np.testing.assert_allclose(rows[track], expected)


def test_summary_names_fit_the_columns(X):
    summary = SegmentSummary().fit(X)
    names = summary.get_feature_names_out().tolist()
    assert len(set(names)) == len(names) == summary.transform(X).shape[1] == 4 * 8 + 6
    row = dict(zip(names, summary.transform(X)[0], strict=True))
    frames = X[0].reshape(-1, 4)
    assert row["mfcc3_mean"] == pytest.approx(frames[:, 2].mean(), rel=1e-5)
    assert row["mfcc2_p75"] == pytest.approx(np.percentile(frames[:, 1], 75), rel=1e-5)
    covariance = np.cov(frames.T, ddof=0)
    assert row["mfcc2_mfcc4_covariance"] == pytest.approx(covariance[1, 3], rel=1e-4)


def test_summary_to_pandas(X):
    pipeline = make_pipeline(SegmentScaler(), SegmentSummary(statistics=["mean", "std"]))
    table = pipeline.set_output(transform="pandas").fit_transform(X)
    assert table.columns.tolist()[:5] == [*(f"mfcc{i}_mean" for i in range(1, 5)), "mfcc1_std"]


def test_summary_of_a_table():
    table = pd.DataFrame({"a": [1.0, 2], "b": [4.0, np.nan]})
    summary = SegmentSummary(statistics=("mean", "std", "delta_std")).fit(table)
    rows = summary.set_output(transform="pandas").transform(table)
    assert rows["a_mean"].tolist() == [1, 2]
    assert rows["b_std"][0] == 0
    assert np.isnan(rows["b_mean"][1])


@pytest.mark.parametrize("statistics", [(), ("mean", "mode"), "median"])
def test_summary_of_unknown_statistics(X, statistics):
    with pytest.raises(ValueError, match=r"must name at least one|'statistics' parameter"):
        SegmentSummary(statistics=statistics).fit(X)


def test_summary_takes_another_number_of_segments_but_not_of_coefficients(X):
    summary = SegmentSummary().fit(X)
    np.testing.assert_array_equal(
        summary.transform(X[:1, :2]), SegmentSummary().fit_transform(X[:1, :2])
    )
    with pytest.raises(ValueError, match="X has 2 features"):
        summary.transform(X[..., :2])
    with pytest.raises(ValueError, match="should have length equal to number of features"):
        summary.get_feature_names_out(["a"])
