"""What must hold for whatever comes: examples are drawn by hypothesis, references are others'."""

import re
import warnings

import librosa
import numpy as np
import pytest
from hypothesis import assume, example, given, strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.preprocessing import StandardScaler

from skgenre import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    SegmentScaler,
    SegmentSummary,
    gtzan_features,
)
from skgenre.audio import AudioFile
from skgenre.datasets import filtered_split, track_groups
from skgenre.datasets._groups import gtzan_table
from skgenre.features import GTZAN_FEATURES, mfcc
from skgenre.features.segments import n_segment_frames, segment_starts
from skgenre.layers import Architecture, Dense
from skgenre.networks.training import Segments
from skgenre.tensor import aggregate, segment_mask

from .conftest import make_sound, write_sound
from .test_prediction import segments, untrained

# ---------------------------------------------------------------- segments of a track

lengths = st.integers(1, 3000)


@given(
    n_samples=st.integers(0, 20_000),
    segment_length=lengths,
    hop_length=st.integers(1, 600),
    n_segments=st.none() | st.integers(1, 12),
)
@example(n_samples=661_500, segment_length=66_150, hop_length=512, n_segments=10)
@example(n_samples=660_000, segment_length=66_150, hop_length=512, n_segments=10)
def test_segments_lie_in_the_track_and_do_not_overlap(
    n_samples, segment_length, hop_length, n_segments
):
    hop_length = min(hop_length, segment_length)
    spec = {"segment_length": segment_length, "hop_length": hop_length, "n_segments": n_segments}
    starts = segment_starts(n_samples, **spec)
    assert_array_equal(starts, np.arange(len(starts)) * segment_length)
    # Samples beyond a whole number of hops make no frame, so that the last segment may lack them.
    needed = segment_length - segment_length % hop_length
    for start in starts[-1:]:
        assert start + needed <= n_samples
        found = min(segment_length, n_samples - start)
        n_frames = n_segment_frames(segment_length, hop_length)
        assert n_segment_frames(found, hop_length) == n_frames
    # And there is not enough left for a further one.
    if n_segments is None or len(starts) < n_segments:
        assert len(starts) * segment_length + needed > n_samples


@given(n_samples=st.integers(0, 20_000), segment_length=lengths, n_segments=st.integers(1, 12))
def test_spread_segments_lie_evenly(n_samples, segment_length, n_segments):
    spec = {"segment_length": segment_length, "hop_length": 1, "n_segments": n_segments}
    starts = segment_starts(n_samples, placement="spread", **spec)
    assert len(starts) == min(n_segments, n_samples // segment_length)
    if len(starts):
        assert starts[0] >= 0
        assert starts[-1] + segment_length <= n_samples
        steps = np.diff(starts)
        assert (steps >= segment_length).all()
        assert steps.size == 0 or steps.max() - steps.min() <= 1
        # As much is left out before the first as after the last.
        assert abs(starts[0] - (n_samples - starts[-1] - segment_length)) <= 1


# ---------------------------------------------------------------- tensors


@st.composite
def tensors(draw, dtype=np.float64):
    """Track tensors with missing segments, at least one segment in all."""
    shape = draw(st.tuples(*(st.integers(1, n) for n in (6, 4, 5, 4))))
    values = st.floats(-1e3, 1e3, width=32)
    X = draw(arrays.arrays(dtype, shape, elements=values))
    mask = draw(arrays.arrays(bool, shape[:2]))
    assume(mask.any())
    X[~mask] = np.nan
    return X, mask


#: Drawn tensors may have one coefficient, which is taken for the channel of an image.
one_coefficient = pytest.mark.filterwarnings("ignore:X of shape .* is read as:UserWarning")


@given(tensors())
def test_masks(drawn):
    X, mask = drawn
    assert_array_equal(segment_mask(X), mask)


@given(tensors(), st.randoms(use_true_random=False))
def test_spread_shares_weights_within_tracks(drawn, random):
    X, mask = drawn
    tracks = np.flatnonzero(mask.any(axis=1))
    weight = np.array([random.uniform(0.1, 10) for _ in X])
    segments = Segments(X, mask, tracks, np.arange(len(X)), weight)
    assert len(segments) == mask.sum()
    assert_allclose(segments.weight.mean(), 1, rtol=1e-6)
    sums = np.bincount(segments.track, segments.weight, len(X))[tracks]
    assert_allclose(sums / sums.sum(), weight[tracks] / weight[tracks].sum(), rtol=1e-6)
    found = np.zeros_like(mask)
    found[segments.track, segments.segment] = True
    assert_array_equal(found, mask)


@one_coefficient
@given(tensors())
def test_the_scaler_is_scikit_learns_on_the_frames_that_exist(drawn):
    X, _ = drawn
    frames = X.reshape(-1, X.shape[-1])
    frames = frames[~np.isnan(frames[:, 0])]
    expected = StandardScaler().fit(frames)
    scaler = SegmentScaler().fit(X)
    assert_allclose(scaler.mean_, expected.mean_, atol=1e-9, rtol=1e-9)
    # A variance near to 0 beside large values is rounding error in both.
    near_constant = frames.std(axis=0) < 1e-6 * np.maximum(1, np.abs(frames).max(axis=0))
    assert_allclose(scaler.scale_[~near_constant], expected.scale_[~near_constant], rtol=1e-7)
    scaled = scaler.transform(X)
    assert_array_equal(np.isnan(scaled), np.isnan(X))
    assert_allclose(scaler.inverse_transform(scaled), X, atol=1e-6, rtol=1e-9)


@one_coefficient
@given(tensors())
def test_summaries_are_numpys(drawn):
    X, mask = drawn
    summary = SegmentSummary(statistics=["mean", "std", "percentiles"])
    rows = summary.fit_transform(X)
    assert rows.shape == (len(X), len(summary.get_feature_names_out()))
    assert_array_equal(np.isnan(rows).all(axis=1), ~mask.any(axis=1))
    assert_array_equal(np.isnan(rows).any(axis=1), ~mask.any(axis=1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of tracks that lack all segments
        expected = [
            np.nanmean(X, axis=(1, 2)),
            np.nanstd(X, axis=(1, 2)),
            *np.nanpercentile(X, (5, 25, 50, 75, 95), axis=(1, 2)),
        ]
    assert_allclose(rows, np.concatenate(expected, axis=1), atol=1e-6)


@one_coefficient
@given(tensors(), st.integers(0, 3))
def test_summaries_do_not_know_where_segments_are_missing(drawn, n_more):
    X, _ = drawn
    missing = np.full((len(X), n_more, *X.shape[2:]), np.nan)
    summary = SegmentSummary().fit(X)
    expected = summary.transform(X)
    assert_array_equal(summary.transform(np.concatenate([missing, X], axis=1)), expected)


@given(
    arrays.arrays(
        np.float64, st.tuples(*(st.integers(1, n) for n in (4, 5, 3))), elements=st.floats(0.01, 1)
    ),
    st.sampled_from(["mean", "vote", "max", "geometric"]),
    st.randoms(use_true_random=False),
)
def test_folds_are_probabilities_whatever_the_order_of_segments(proba, aggregation, random):
    proba = proba / proba.sum(axis=2, keepdims=True)
    mask = np.ones(proba.shape[:2], bool)
    folded = aggregate(proba, mask, aggregation)
    assert_allclose(folded.sum(axis=1), 1)
    assert (folded >= 0).all()
    order = random.sample(range(proba.shape[1]), proba.shape[1])
    assert_allclose(aggregate(proba[:, order], mask, aggregation), folded)
    if aggregation != "vote":  # one segment, or several that agree, give what they say
        same = np.repeat(proba[:, :1], 3, axis=1)
        assert_allclose(aggregate(same, np.ones(same.shape[:2], bool), aggregation), proba[:, 0])


@given(
    arrays.arrays(np.float64, (3, 4, 2), elements=st.floats(0, 1)),
    arrays.arrays(bool, (3, 4)),
    st.sampled_from(["mean", "vote", "max", "geometric"]),
)
def test_missing_segments_have_no_say(p, mask, aggregation):
    assume(mask.any(axis=1).all())
    proba = np.stack([p[..., 0], 1 - p[..., 0]], axis=-1)
    hidden = np.where(mask[..., None], proba, np.nan)
    found = aggregate(hidden, mask, aggregation)
    for i in range(3):
        alone = proba[i : i + 1, mask[i]]
        assert_allclose(found[i], aggregate(alone, np.ones(alone.shape[:2], bool), aggregation)[0])


# ---------------------------------------------------------------- features


@given(
    n_samples=st.integers(600, 9000),
    n_fft=st.sampled_from([128, 512, 600, 1024]),
    hop_length=st.integers(50, 700),
    n_mels=st.integers(8, 40),
    n_mfcc=st.integers(1, 8),
    sample_rate=st.sampled_from([8000, 22050, 44100]),
)
@pytest.mark.filterwarnings("ignore:Empty filters detected", "ignore:.*produce empty responses")
def test_mfccs_are_librosas_at_any_size(n_samples, n_fft, hop_length, n_mels, n_mfcc, sample_rate):
    y = make_sound(n_samples / sample_rate, sample_rate, seed=n_samples).astype(np.float32)
    sizes = {"n_fft": n_fft, "hop_length": hop_length, "n_mels": n_mels, "n_mfcc": n_mfcc}
    expected = librosa.feature.mfcc(y=y, sr=sample_rate, **sizes).T
    assert_allclose(mfcc(y, sample_rate=sample_rate, **sizes), expected, atol=1e-3)


@pytest.mark.slow
@given(st.integers(2048, 12_000), st.floats(1e-2, 10))
def test_volume_changes_levels_and_nothing_else(n_samples, gain):
    """The other columns do not know how loud a recording was made."""
    y = make_sound(n_samples / 22050, seed=n_samples).astype(np.float32)
    quiet, loud = (
        dict(zip(GTZAN_FEATURES, gtzan_features(z), strict=True)) for z in (y, np.float32(gain) * y)
    )
    for name, value in quiet.items():
        if name.startswith(("rms", "harmony", "perceptr")):
            expected = value * (gain if name.endswith("mean") else gain**2)
        elif name == "mfcc1_mean":  # the sum of 128 levels, scaled by the transform
            expected = value + 20 * np.log10(gain) * np.sqrt(128)
        else:
            expected = value
        assert_allclose(loud[name], expected, rtol=1e-2, atol=1e-3, err_msg=name)


@pytest.fixture(scope="module")
def sound_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("formats")
    return {
        (suffix, rate): write_sound(folder / f"{rate}.{suffix}", make_sound(1.5, rate, 2), rate)
        for suffix in ("wav", "flac", "ogg", "mp3")
        for rate in (16000, 22050, 44100)
    }


@given(
    suffix=st.sampled_from(["wav", "flac", "ogg", "mp3"]),
    rate=st.sampled_from([16000, 22050, 44100]),
    ends=st.tuples(st.integers(0, 40_000), st.integers(0, 40_000)).map(sorted),
    before=st.none() | st.integers(0, 30_000),
)
def test_any_interval_is_that_part_of_the_whole(sound_files, suffix, rate, ends, before):
    start, stop = ends
    path = sound_files[suffix, rate]
    with AudioFile(path) as audio:
        whole = audio.read()
    with AudioFile(path) as audio:
        if before is not None:
            audio.read(before, before + 100)  # reading leaves the file somewhere
        part = audio.read(start, stop)
    assert_allclose(part, whole[start:stop], atol=1e-5)


# ---------------------------------------------------------------- networks

sizes = st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple)


@st.composite
def architectures(draw):
    input_shape = draw(st.tuples(st.integers(1, 12), st.integers(1, 6)))
    classifier = draw(
        st.sampled_from(
            [
                ANNClassifier(hidden_units=draw(sizes)),
                CNNClassifier(filters=draw(sizes), dense_units=draw(st.integers(1, 9))),
                LSTMClassifier(units=draw(sizes), dense_units=draw(st.integers(1, 9))),
            ]
        )
    )
    layers = classifier.hidden_layers(input_shape)
    return Architecture(input_shape, (*layers, Dense(draw(st.integers(2, 5)), "softmax")))


@given(architectures(), st.integers(0, 2**31), st.integers(1, 70))
def test_networks_of_any_size_give_probabilities(architecture, seed, n_segments):
    clf = untrained(architecture, seed)
    assert sum(weight.size for weight in clf.weights_) == architecture.count_parameters()
    X = segments(architecture, n_segments)
    proba = clf.predict_proba(X)
    assert proba.shape == (n_segments, *architecture.shapes[-1])
    assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    # Each segment on its own gets the same probabilities.
    for i in range(0, n_segments, 17):
        assert_allclose(clf.predict_proba(X[i : i + 1])[0], proba[i], atol=1e-5)


# ---------------------------------------------------------------- names


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_names_are_gtzans_or_refused(names):
    if any(re.search(r"[a-z]+.*\d{5}", name, re.IGNORECASE | re.DOTALL) for name in names):
        return  # may be one
    with pytest.raises(ValueError, match="are not GTZAN track names"):
        track_groups(names)


@given(st.lists(st.sampled_from(sorted(gtzan_table("filtered_split"))), min_size=1, max_size=60))
def test_filtered_splits_of_any_tracks(track_ids):
    parts = gtzan_table("filtered_split")
    found = [parts[track] for track in track_ids]
    if not {"train", "test"} <= set(found):
        with pytest.raises(ValueError, match="None of the"):
            filtered_split(track_ids)
        return
    [(train, test)] = filtered_split(track_ids)
    assert [found[i] for i in train] == ["train"] * found.count("train")
    assert [found[i] for i in test] == ["test"] * found.count("test")
