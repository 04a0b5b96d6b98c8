"""Timelines: where their segments are, and that each is predicted like a track."""

import io

import numpy as np
import pytest
import soundfile
from numpy.testing import assert_allclose
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import make_pipeline

from skgenre import (
    AudioError,
    FrontEnd,
    GTZANFeatures,
    MelSegmenter,
    MFCCSegmenter,
    MusicnnEmbedder,
    TrackDescriptors,
    genre_pipeline,
    genre_timeline,
)
from skgenre.features import musicnn
from skgenre.pipelines import PRESETS
from skgenre.timeline import clock, predict_segments

from .conftest import make_sound
from .test_musicnn import Musicnn, random_arrays

COLUMNS = ["rms_mean", "mfcc2_mean"]


class Quarters(FrontEnd):
    """Levels of quarters of a track, without a duration of its own."""

    track_shape = (4, 1, 1)

    def extract_track(self, audio):
        y = audio.read()
        return np.abs(y[: len(y) // 4 * 4].reshape(4, 1, 1, -1)).mean(axis=3)


class Windows(Quarters):
    """The same of windows of 8 s, at another sample rate."""

    sample_rate = 8000
    segment_duration = 8.0


class Mean(ClassifierMixin, BaseEstimator):
    """A classifier for the features of any front end, which needs no fit."""

    classes_ = np.array(["jazz", "rock"])

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        p = expit(np.nanmean(np.asarray(X, float).reshape(len(X), -1), axis=1) / 100)
        return np.stack([p, 1 - p], axis=1)

    def __sklearn_is_fitted__(self):
        return True


def sound_file(y, rate):
    file = io.BytesIO()
    soundfile.write(file, y, rate, format="WAV", subtype="FLOAT")
    file.seek(0)
    return file


FOUR = [0, 5, 10, 15], [30, 30, 30, 30]
#: Front ends, the duration of a song, and the start and stop of its segments.
LAYOUTS = {
    "descriptors": (TrackDescriptors(families="timbre"), 30, *FOUR),
    "a clip that is shorter": (TrackDescriptors(families="timbre"), 29.9, FOUR[0], [29.9] * 4),
    "spread descriptors": (TrackDescriptors(families="timbre", placement="spread"), 30, *FOUR),
    "a long song": (TrackDescriptors(families="timbre"), 41, [0, 5, 10, 15, 20, 25], None),
    "a short song": (TrackDescriptors(families="timbre"), 12, [0], [12]),
    "mel": (MelSegmenter(), 30, *FOUR),
    "short mel": (MelSegmenter(segment_duration=7), 12, [0, 5], [7, 12]),
    "table": (GTZANFeatures(columns=COLUMNS), 30, *FOUR),
    "table of a short song": (GTZANFeatures(columns=COLUMNS), 2, [0], [2]),
    "windows": (GTZANFeatures(columns=COLUMNS, segment_duration=30), 30, *FOUR),
    # 2 s of a segment of 3 s are less than these can use.
    "mfcc": (MFCCSegmenter(), 8, [0, 3], [3, 6]),
    "all but a few samples": (MFCCSegmenter(), 5.998, [0, 3], [3, 6]),
    "spread mfcc": (MFCCSegmenter(placement="spread"), 8, [0, 3], [3, 6]),
    "long mfcc": (MFCCSegmenter(segment_duration=10), 21, [0, 5, 10], [10, 15, 20]),
    "musicnn": (MusicnnEmbedder(), 7, [0, 2.992], [2.992, 5.984]),
    "own": (Quarters(), 30, *FOUR),
    "own windows": (Windows(), 13, [0, 5], [8, 13]),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_each_segment_is_predicted_like_a_track_of_its_samples(name, monkeypatch):
    network = Musicnn(random_arrays())
    monkeypatch.setattr(musicnn, "_published", lambda weights: network)
    front, seconds, start, stop = LAYOUTS[name]
    model, rate = make_pipeline(front, Mean()), front.sample_rate
    y = make_sound(seconds, rate)
    timeline = genre_timeline(model, sound_file(y, rate))
    assert_allclose(timeline.start, start)
    stop = np.minimum(np.add(start, 30), 41) if stop is None else stop
    assert_allclose(timeline.stop, stop, atol=3e-3)
    for at, until, proba in zip(timeline.start, timeline.stop, timeline.proba, strict=True):
        part = y[round(at * rate) : round(until * rate)]
        assert_allclose(proba, model.predict_proba([sound_file(part, rate)])[0], rtol=1e-6)
    assert len(np.unique(timeline.proba[:, 0])) == len(start)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_timeline_needs_nothing_of_a_preset_but_its_front_ends(preset):
    pipe = genre_pipeline(preset)
    fronts = [pipe[0]] if preset != "blend" else [member[0] for _, member in pipe.estimators]
    for front in fronts:
        assert front.segment_duration in (2.992, 3.0, 30.0)


def test_members_of_a_vote_predict_the_longest_of_their_segments():
    y = make_sound(20, 22050)
    fronts = [MFCCSegmenter(), Windows(), MelSegmenter(segment_duration=10)]
    members = [make_pipeline(front, Mean()) for front in fronts]
    vote = VotingClassifier([(str(i), member) for i, member in enumerate(members)], voting="soft")
    vote.fit([sound_file(y, 22050)] * 2, ["jazz", "rock"])
    start, stop, proba = predict_segments(vote, sound_file(y, 22050))
    assert start.tolist() == [0, 5, 10, 15]
    assert stop.tolist() == [10, 15, 20, 20]
    part = sound_file(y[5 * 22050 : 15 * 22050], 22050)
    assert_allclose(proba[1], vote.predict_proba([part])[0], rtol=1e-6)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_segments_are_predicted_in_parallel_with_the_same_result(n_jobs):
    y = make_sound(32, 8000)
    one = predict_segments(make_pipeline(Windows(), Mean()), sound_file(y, 8000))
    both = predict_segments(make_pipeline(Windows(n_jobs=n_jobs), Mean()), sound_file(y, 8000))
    assert_allclose(np.column_stack(one), np.column_stack(both), rtol=0)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_samples_that_cannot_be_read_are_an_error(n_jobs):
    y = make_sound(32, 8000)
    y[-10000] = np.nan
    with pytest.raises(AudioError, match="NaN"):
        predict_segments(make_pipeline(Windows(n_jobs=n_jobs), Mean()), sound_file(y, 8000))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (9.6, "0:10"), (75, "1:15"), (3723, "1:02:03")]
)
def test_times_are_minutes_and_seconds(seconds, text):
    assert clock(seconds) == text
