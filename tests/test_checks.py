"""Arguments are validated before any audio is read and any model is fitted."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from skgenre import (
    AudioFile,
    FrontEnd,
    GroupCalibratedClassifier,
    GTZANFeatures,
    MelSegmenter,
    MFCCSegmenter,
    SegmentSummary,
    SegmentVotingClassifier,
    TrackDescriptors,
    compare_models,
    evaluation_report,
    load_audio,
)
from skgenre._checks import check_groups, check_labels
from skgenre.audio import transforms
from skgenre.cli import main
from skgenre.datasets import (
    filtered_split,
    find_duplicates,
    load_folder,
    make_tracks,
    segments_to_tracks,
    track_groups,
)
from skgenre.evaluation import (
    bootstrap_score,
    calibration_error,
    coverage_curve,
    leakage_report,
    read_splits,
    robustness_report,
    write_splits,
)
from skgenre.features import front_end, mfcc, segment_mfcc
from skgenre.layers import LSTM, BatchNormalization, Conv2D, Dense, Dropout, MaxPooling2D
from skgenre.plotting import (
    MelSpectrogramDisplay,
    MFCCDisplay,
    ReliabilityDisplay,
    ScoreIntervalDisplay,
)

from .conftest import make_sound, make_tensor
from .registry import BASELINES, NETWORKS


class Peak(FrontEnd):
    """A front end of a user."""

    @property
    def track_shape(self):
        return (1,)

    def extract_track(self, audio):
        return np.abs(audio.read()).max(keepdims=True)


FRONT_ENDS = [MFCCSegmenter(), MelSegmenter(), TrackDescriptors(), GTZANFeatures(), Peak()]
PATHS = [f"{i}.wav" for i in range(6)]
GENRES = ["jazz", "rock"] * 3
ARTISTS = list("abcdef")

#: Labels of six tracks that cannot be used, and what the message says.
WRONG = {
    "None": (["jazz", None, "rock"] * 2, "contains NaN or None: 2 of 6 tracks .*, tracks 1, 4"),
    "NaN beside strings": (["jazz", np.nan, "rock"] * 2, "contains NaN or None: 2 of 6 tracks"),
    "NaN": (np.array([0, 1, np.nan] * 2), "contains NaN or None: 2 of 6 tracks"),
    "NA": (pd.array(["jazz", pd.NA, "rock"] * 2, dtype="string"), "contains NaN or None"),
    "NaT": (np.array(["2000-01-01", "NaT", "2001-01-01"] * 2, "M8[D]"), "contains NaN or None"),
    "short": (["jazz", "rock"], "inconsistent numbers of samples: 2 .* for 6 tracks"),
    "long": (GENRES * 2, "inconsistent numbers of samples: 12 .* for 6 tracks"),
    "mixed": (["jazz", 1, "rock"] * 2, "types that cannot be compared: int, str"),
    "mixed objects": (np.array(["a", 1.0] * 3, object), "cannot be compared: float, str"),
    "tuples": ([("a",), 1] * 3, "cannot be compared: int, tuple"),
}
#: Those on which each function is tried.
FEW_WRONG = ("None", "short", "mixed")
#: Collections that are no labels at all.
NO_SEQUENCE = {"str": "jazz", "set": {"jazz", "rock"}, "generator": iter(GENRES), "number": 5}


@pytest.fixture
def no_audio(monkeypatch):
    """Nothing may open a file."""

    def fail(*args, **kwargs):
        raise AssertionError("a file is opened")

    monkeypatch.setattr(front_end, "AudioFile", fail)
    monkeypatch.setattr("skgenre.evaluation.robustness.AudioFile", fail)


@pytest.fixture(params=FRONT_ENDS, ids=lambda front: type(front).__name__)
def front(request):
    return request.param


# ---------------------------------------------------------------- labels of a front end


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_labels_and_groups(wrong):
    values, message = WRONG[wrong]
    for check in (check_labels, check_groups):
        with pytest.raises(ValueError, match=message):
            check(values, 6)


@pytest.mark.parametrize("wrong", FEW_WRONG)
@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_a_front_end_refuses_labels_before_it_reads(front, method, wrong, no_audio):
    y, message = WRONG[wrong]
    with pytest.raises(ValueError, match=message):
        getattr(front, method)(PATHS, y)


@pytest.mark.parametrize("wrong", NO_SEQUENCE)
def test_a_front_end_refuses_what_is_no_sequence_of_labels(front, wrong, no_audio):
    with pytest.raises(TypeError, match="y must"):
        front.fit_transform(PATHS, NO_SEQUENCE[wrong])


@pytest.mark.parametrize("y", [["rock"] * 6, np.full(6, "rock"), pd.Series(["rock"] * 6)])
def test_a_front_end_refuses_one_class_in_fit_transform_only(front, y, no_audio):
    with pytest.raises(ValueError, match=r"only one class, .*; at least two are required"):
        front.fit_transform(PATHS, y)
    front.fit(PATHS, y)


@pytest.mark.parametrize(
    "y",
    [None, np.full(2, 0.5), [1999] * 2, ["jazz", "rock"], np.zeros((2, 3), int), pd.Series([1, 2])],
)
def test_labels_of_other_estimators_are_accepted(y, tracks):
    paths = tracks.data[:2]
    np.testing.assert_array_equal(Peak().fit_transform(paths, y), Peak().transform(paths))


def test_a_pipeline_refuses_one_class_before_it_reads(front, no_audio):
    with pytest.raises(ValueError, match="only one class, 'rock'"):
        make_pipeline(front, SVC()).fit(PATHS, ["rock"] * 6)


# ---------------------------------------------------------------- labels and groups elsewhere


def model():
    return make_pipeline(Peak(), KNeighborsClassifier(1))


def knn():
    return KNeighborsClassifier(1)


#: Functions of the labels and groups of six tracks, none of which may read or fit.
TAKE_LABELS = {
    "evaluation_report": lambda y, groups: evaluation_report(model(), PATHS, y, groups=groups),
    "compare_models": lambda y, groups: compare_models(
        {"a": model()}, PATHS, y, groups=groups, cv=2
    ),
    "compare_models by": lambda y, groups: compare_models(
        {"a": model()}, PATHS, y, groups={"by": groups}, cv={"by": StratifiedKFold(2)}
    ),
    "leakage_report": lambda y, groups: leakage_report(
        knn(),
        {"data": np.zeros((6, 2)), "target": y, "track_ids": range(6), "groups": groups},
        n_splits=2,
    ),
    "calibration": lambda y, groups: GroupCalibratedClassifier(model()).fit(
        PATHS, y, groups=groups
    ),
    "write_splits": lambda y, groups: write_splits("splits.json", 2, PATHS, y=y, groups=groups),
    "bootstrap_score": lambda y, groups: bootstrap_score(GENRES, y, groups=groups, n_resamples=2),
    "network": lambda y, groups: (
        NETWORKS["ann"].__class__(epochs=1).fit(np.zeros((6, 4)), y, groups=groups)
    ),
}
TAKE_ONLY_LABELS = {
    "voting": lambda y: SegmentVotingClassifier().fit(np.zeros((6, 4)), y),
    "calibration_error": lambda y: calibration_error(y, np.eye(2)[[0, 1] * 3], ["jazz", "rock"]),
    "coverage_curve": lambda y: coverage_curve(y, np.eye(2)[[0, 1] * 3], ["jazz", "rock"]),
    "robustness_report": lambda y: robustness_report(model(), PATHS, y),
    **{name: lambda y, take=take: take(y, ARTISTS) for name, take in TAKE_LABELS.items()},
}


@pytest.fixture
def nothing_fitted(monkeypatch, tmp_path, no_audio):
    """No nearest neighbors are stored, and files are written elsewhere."""

    def fail(*args, **kwargs):
        raise AssertionError("a model is fitted")

    monkeypatch.setattr(KNeighborsClassifier, "fit", fail)
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.iterdir())


def messages(wrong):
    # What scikit-learn says where it checks first.
    return f"{WRONG[wrong][1]}|inconsistent numbers of samples: \\["


@pytest.mark.parametrize("wrong", FEW_WRONG)
@pytest.mark.parametrize("name", TAKE_ONLY_LABELS)
def test_labels_are_refused_before_anything_is_computed(name, wrong, nothing_fitted):
    with pytest.raises(ValueError, match=messages(wrong)):
        TAKE_ONLY_LABELS[name](WRONG[wrong][0])


@pytest.mark.parametrize("wrong", FEW_WRONG)
@pytest.mark.parametrize("name", TAKE_LABELS)
def test_groups_are_refused_before_anything_is_computed(name, wrong, nothing_fitted):
    with pytest.raises(ValueError, match=messages(wrong)):
        TAKE_LABELS[name](GENRES, WRONG[wrong][0])


def test_the_remedy_for_unknown_artists_is_a_group_each():
    with pytest.raises(ValueError, match=r"groups contains .* a group of its own"):
        bootstrap_score(GENRES, GENRES, groups=["a", None, "b"] * 2)


@pytest.mark.parametrize(
    "name", ["evaluation_report", "compare_models", "leakage_report", "calibration", "network"]
)
def test_one_genre_is_refused_before_anything_is_computed(name, nothing_fitted):
    with pytest.raises(ValueError, match="y contains only one class, 'rock'"):
        TAKE_LABELS[name](["rock"] * 6, ARTISTS)


@pytest.mark.parametrize(
    ("cv", "groups", "message"),
    [
        (2, ["a", "b", "a", "c", "a", "d"], r"only one group \(artist\) of jazz\. Add tracks of"),
        (StratifiedGroupKFold(4), None, "n_splits=4 cannot be greater"),
        ([([0, 1], [2, 3])], None, "test on each track once"),
        (iter([([0, 1], [2, 3])]), None, "test on each track once"),
    ],
)
def test_folds_are_refused_before_a_report_reads(cv, groups, message, nothing_fitted):
    with pytest.raises(ValueError, match=message):
        evaluation_report(model(), PATHS, GENRES, groups=groups, cv=cv)


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_one_genre_is_refused_before_a_command_reads(command, tmp_path, no_audio):
    table = tmp_path / "tracks.csv"
    (tmp_path / "a.wav").touch()
    table.write_text("path,genre\na.wav,rock\n")
    more = ("-o", "model.skgenre") if command == "train" else ()
    result = CliRunner().invoke(main, [command, str(table), *more])
    assert result.exit_code == 1
    assert "contains only one genre, 'rock'" in result.stderr


# ---------------------------------------------------------------- labels of two types


@pytest.mark.parametrize(
    "compare",
    [
        lambda: bootstrap_score([1, 2], ["1", "2"]),
        lambda: bootstrap_score(["1", "2"], ["1", "2"], reference=[1, 2]),
        lambda: calibration_error([0, 1], np.eye(2), ["0", "1"]),
        lambda: coverage_curve(["0", "1"], np.eye(2), [0, 1]),
        lambda: robustness_report(fitted(), PATHS[:2], [0, 1]),
    ],
)
def test_labels_of_two_types_are_not_compared(compare, no_audio):
    with pytest.raises(ValueError, match=r"Labels of different types are never equal: .*numbers"):
        compare()


def fitted():
    return make_pipeline(Peak(), GaussianNB().fit([[0], [1]], ["0", "1"]))


# ---------------------------------------------------------------- numbers


SOUND = make_sound(0.3)
TABLE = {"data": np.eye(6), "target": GENRES, "track_ids": range(6), "groups": ARTISTS}


def report(**options):
    return evaluation_report(model(), PATHS, GENRES, groups=ARTISTS, **options)


#: Functions of a numeric parameter, whether it is an integer, whether zero is allowed, and None.
NUMBERS = {
    "bootstrap_score n_resamples": lambda n: bootstrap_score(GENRES, GENRES, n_resamples=n),
    "bootstrap_score confidence_level": lambda n: bootstrap_score(
        GENRES, GENRES, confidence_level=n, n_resamples=2
    ),
    "calibration_error n_bins": lambda n: calibration_error([0, 1], np.eye(2), [0, 1], n_bins=n),
    "leakage_report n_splits": lambda n: leakage_report(knn(), TABLE, n_splits=n),
    "compare_models cv": lambda n: compare_models({"a": knn()}, np.eye(6), GENRES, cv=n),
    "write_splits cv": lambda n: write_splits("splits.json", n, PATHS, y=GENRES),
    "evaluation_report cv": lambda n: report(cv=n),
    "evaluation_report robustness": lambda n: report(robustness=n),
    "evaluation_report n_resamples": lambda n: report(n_resamples=n),
    "make_tracks n_tracks_per_genre": lambda n: make_tracks(n, folder="made"),
    "make_tracks genres": lambda n: make_tracks(1, genres=n, duration=0.1, folder="made"),
    "make_tracks duration": lambda n: make_tracks(1, duration=n, folder="made"),
    "make_tracks artists_per_genre": lambda n: make_tracks(
        1, duration=0.1, artists_per_genre=n, folder="made"
    ),
    "load_folder min_tracks": lambda n: load_folder(".", min_tracks=n),
    "find_duplicates threshold": lambda n: find_duplicates([], threshold=n),
    "find_duplicates min_overlap": lambda n: find_duplicates([], min_overlap=n),
    "find_duplicates duration": lambda n: find_duplicates([], duration=n),
    "mfcc n_mfcc": lambda n: mfcc(SOUND, n_mfcc=n),
    "segment_mfcc hop_length": lambda n: segment_mfcc([SOUND], hop_length=n),
    "Dense units": lambda n: Dense(n),
    "LSTM units": lambda n: LSTM(n),
    "Conv2D strides": lambda n: Conv2D(4, strides=n),
    "MaxPooling2D pool_size": lambda n: MaxPooling2D((2, n)),
    "Dense l2": lambda n: Dense(4, l2=n),
    "Dropout rate": lambda n: Dropout(n),
    "BatchNormalization momentum": lambda n: BatchNormalization(n),
    "low_pass cutoff": lambda n: transforms.low_pass(SOUND, 22050, n),
    "speed factor": lambda n: transforms.speed(SOUND, n),
    "MFCCDisplay segment_duration": lambda n: MFCCDisplay(np.zeros((1, 2, 3)), n),
    "MelSpectrogramDisplay sample_rate": lambda n: MelSpectrogramDisplay(SOUND, n),
    "ReliabilityDisplay n_bins": lambda n: ReliabilityDisplay([], [], 0.1, n),
    "ScoreIntervalDisplay chance": lambda n: ScoreIntervalDisplay(pd.DataFrame(), n),
    "epochs": lambda n: NETWORKS["ann"].__class__(epochs=n).fit(np.eye(6), GENRES),
    "class_weight": lambda n: (
        NETWORKS["ann"].__class__(epochs=1, class_weight={"jazz": n}).fit(np.eye(6), GENRES)
    ),
    "learning_rate": lambda n: NETWORKS["ann"].__class__(learning_rate=n).fit(np.eye(6), GENRES),
    "n_mfcc": lambda n: MFCCSegmenter(n_mfcc=n).fit(PATHS),
    "segment_duration": lambda n: TrackDescriptors(segment_duration=n).fit(PATHS),
    "target_accuracy": lambda n: GroupCalibratedClassifier(
        LogisticRegression(), target_accuracy=n
    ).fit(np.eye(6), GENRES),
}
ZERO_ALLOWED = {
    *("class_weight", "Dense l2", "Dropout rate", "BatchNormalization momentum"),
    "ScoreIntervalDisplay chance",
}


@pytest.mark.parametrize("value", [True, np.nan, -1, 0, "1"], ids=repr)
@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_mean_nothing_are_refused(name, value, nothing_fitted):
    if value == 0 and name in ZERO_ALLOWED:
        pytest.skip("zero has a meaning")
    parameter = name.split()[-1]
    with pytest.raises(
        ValueError, match=rf"\b{parameter}\b.*({re.escape(repr(value))}|must|Got|got)"
    ):
        NUMBERS[name](value)


@pytest.mark.parametrize("value", [True, np.nan, -1, 2.5, "1"], ids=repr)
def test_a_number_of_mistakes_is_refused_before_a_report_reads(value, nothing_fitted):
    with pytest.raises(ValueError, match=r"n_mistakes=.* must be an int in the range"):
        report(n_mistakes=value)


@pytest.mark.parametrize("value", [True, np.nan, np.inf, "1"], ids=repr)
@pytest.mark.parametrize(
    "change",
    [
        lambda n: transforms.gain(SOUND, n),
        lambda n: transforms.room_noise(SOUND, 22050, n),
        lambda n: transforms.shift(SOUND, n),
    ],
)
def test_changes_of_samples_take_finite_numbers(change, value):
    with pytest.raises(ValueError, match=re.escape(f"={value!r} must be")):
        change(value)


@pytest.mark.parametrize("value", [True, False, np.nan, 0, -1, 22050.0])
def test_a_sample_rate_is_a_positive_integer(value, tracks):
    with pytest.raises(ValueError, match=r"sample_rate=.* must be an int in the range \[1, inf\)"):
        AudioFile(tracks.data[0], sample_rate=value)


@pytest.mark.parametrize("name", ["offset", "duration"])
def test_seconds_are_no_booleans(name, tracks):
    with pytest.raises(ValueError, match=f"{name}=True"):
        load_audio(tracks.data[0], **{name: True})


@pytest.mark.parametrize("genres", ["jazz", [], ["jazz", "jazz"], ["salsa"], 11, None])
def test_genres_that_cannot_be_made_are_refused(genres, tmp_path):
    with pytest.raises(ValueError, match=r"genres=.* must be an integer from 1 to 10, or a list"):
        make_tracks(1, genres=genres, duration=0.1, folder=tmp_path / "made")
    assert not (tmp_path / "made").exists()


# ---------------------------------------------------------------- reserved names


def test_a_model_named_chance_is_refused_before_a_report_reads(nothing_fitted):
    with pytest.raises(ValueError, match="named 'chance'"):
        evaluation_report({"chance": model()}, PATHS, GENRES, groups=ARTISTS)


def test_a_model_that_is_not_fitted_is_refused_before_a_report_reads(nothing_fitted):
    with pytest.raises(ValueError, match="is not fitted, which cv='prefit' requires"):
        evaluation_report(model(), PATHS, GENRES, cv="prefit")


@pytest.mark.parametrize("track_ids", [["a", None, "b"], ["a", np.nan, "b"], ["a", 1, "b"]])
def test_pieces_without_a_track_are_refused(track_ids):
    with pytest.raises(ValueError, match=r"track_ids contains"):
        segments_to_tracks(np.eye(3), track_ids)


# ---------------------------------------------------------------- a string is no list


@pytest.mark.parametrize(
    "call",
    [
        lambda path: write_splits("splits.json", 2, path),
        lambda path: read_splits("splits.json", path),
        lambda path: compare_models({"a": knn()}, path, list("ab" * 3)),
        lambda path: evaluation_report(model(), path, GENRES),
        lambda path: robustness_report(fitted(), path),
        lambda path: find_duplicates(path),
        lambda path: track_groups(path),
        lambda path: filtered_split(path),
        lambda path: bootstrap_score(path, list(str(path))),
        lambda path: calibration_error(path, np.eye(2), ["a", "b"]),
        lambda path: segments_to_tracks(np.eye(6), path),
    ],
)
@pytest.mark.parametrize("kind", [str, Path])
def test_a_single_path_is_not_taken_as_characters(call, kind, nothing_fitted):
    with pytest.raises(TypeError, match=r"single|must contain one value per track"):
        call(kind("abcdef"))


@pytest.mark.parametrize("tracks", [set(PATHS), iter(PATHS), dict.fromkeys(PATHS), None])
def test_splits_are_of_tracks_in_an_order(tracks, nothing_fitted):
    with pytest.raises(TypeError, match="tracks must be a list"):
        write_splits("splits.json", 2, tracks)


# ---------------------------------------------------------------- classifiers


class Lazy(BaseEstimator):
    """A transformer of a user."""

    def fit(self, X, y=None):
        raise AssertionError("a model is fitted")


NO_CLASSIFIERS = {
    "regressor": SVR(),
    "pipeline": make_pipeline(StandardScaler(), LinearRegression()),
    "search": GridSearchCV(SVR(), {}),
    "clusterer": KMeans(2),
    "outliers": IsolationForest(),
    "transformer": StandardScaler(),
    "no predict": Lazy(),
    "class": SVC,
}
NEED_CLASSIFIERS = {
    "voting": lambda clf: SegmentVotingClassifier(clf).fit(np.eye(6), GENRES),
    "calibration": lambda clf: GroupCalibratedClassifier(clf).fit(np.eye(6), GENRES),
    "compare_models": lambda clf: compare_models({"a": clf}, np.eye(6), GENRES, cv=2),
    "leakage_report": lambda clf: leakage_report({"a": clf}, TABLE, n_splits=2),
    "evaluation_report": lambda clf: evaluation_report(make_pipeline(Peak(), clf), PATHS, GENRES),
    "robustness_report": lambda clf: robustness_report(make_pipeline(Peak(), clf), PATHS),
}


@pytest.mark.parametrize("kind", NO_CLASSIFIERS)
@pytest.mark.parametrize("name", NEED_CLASSIFIERS)
def test_what_is_no_classifier_is_refused_before_the_fit(name, kind, no_audio):
    clf = NO_CLASSIFIERS[kind]
    if kind == "class" and name.endswith("report") and name != "leakage_report":
        pytest.skip("scikit-learn refuses a class in a pipeline")
    with pytest.raises((TypeError, ValueError), match=r"must be a classifier|must be an object"):
        NEED_CLASSIFIERS[name](clf)


def test_classifiers_of_unknown_kind_are_accepted():
    class Constant(BaseEstimator):
        def fit(self, X, y):
            self.classes_ = np.unique(y)
            return self

        def predict(self, X):
            return np.full(len(X), self.classes_[0])

    assert (
        SegmentVotingClassifier(Constant()).fit(np.eye(6), GENRES).predict(np.eye(6))[0] == "jazz"
    )


# ---------------------------------------------------------------- names in messages


@pytest.mark.parametrize("name", BASELINES)
def test_no_advice_to_reshape_for_one_track_of_a_genre(name, recwarn):
    X, y = make_tensor(9)
    y[0] = "genre3"
    SegmentVotingClassifier(BASELINES[name]).fit(SegmentSummary().fit_transform(X), y)
    assert not [w for w in recwarn if "reshape" in str(w.message)]
