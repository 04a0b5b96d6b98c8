"""Training on changed copies of tracks: what they are, and that only fits see them."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_predict
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

import skgenre
from skgenre import (
    FrontEnd,
    GroupCalibratedClassifier,
    GTZANFeatures,
    MelSegmenter,
    MFCCSegmenter,
    SegmentScaler,
    SegmentSummary,
    SegmentVotingClassifier,
    TrackDescriptors,
    evaluation_report,
    extract_store,
    genre_pipeline,
    load,
    load_audio,
    make_baseline,
    save,
)
from skgenre.audio import transforms
from skgenre.audio.changes import CHANGES, KINDS, ROBUST, apply_change, includes, list_changes
from skgenre.evaluation import robustness_report
from skgenre.evaluation.out_of_fold import compute_features, restore_front_ends
from skgenre.evaluation.robustness import CONDITIONS
from skgenre.features.augmented import Augmented, count_recorded, with_copies, without_copies
from skgenre.features.model_front_ends import front_ends
from skgenre.pipelines import PRESETS

from .conftest import make_sound, make_tensor, slow_but, write_sound
from .registry import NETWORKS

RATE = 22050


def quieter(y, rate, rng):
    return 0.5 * y


# ---------------------------------------------------------------- changes


@pytest.mark.parametrize(
    ("augment", "expected"),
    [
        (None, []),
        ("robust", [ROBUST] * 2),
        (("robust", 5), [ROBUST] * 5),
        ("room", ["room"]),
        (("low-pass", 2500, 9000), [("low-pass", 2500, 9000)]),
        ([("robust", 1), "room", quieter], [ROBUST, "room", quieter]),
        (quieter, [quieter]),
        ((), []),
    ],
)
def test_the_changes_of_copies(augment, expected):
    assert list_changes(augment) == expected


@pytest.mark.parametrize(
    "augment",
    [
        "underwater",
        ["room", "last 30 s"],
        ("low-pass", 9000, 2500),
        ("low-pass", float("nan")),
        ("wah", 1),
        ("robust", 0),
        ("robust", 1.5),
        [7],
    ],
)
def test_unknown_changes_are_errors(augment):
    with pytest.raises(ValueError, match="augment="):
        MFCCSegmenter(augment=augment).fit(["a.wav"])


@pytest.mark.parametrize("change", [*CHANGES, ROBUST, *((kind, 0.9) for kind in ("speed", "room"))])
def test_changes_change_the_samples_and_depend_on_the_seed_alone(change):
    y = make_sound(1.0).astype(np.float32)
    kept = y.copy()
    first, second = (apply_change(change, y, RATE, np.random.RandomState(1)) for _ in range(2))
    assert_array_equal(first, second)
    assert_array_equal(y, kept)
    assert first.dtype == np.float32
    assert first.shape != y.shape or np.abs(first - y).max() > 1e-3


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_the_chain_works_at_other_sample_rates(rate):
    y = make_sound(0.5, rate).astype(np.float32)
    for seed in range(8):
        assert np.isfinite(apply_change(ROBUST, y, rate, np.random.RandomState(seed))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_strengths_are_drawn_from_the_whole_range(kind, monkeypatch):
    drawn = []
    monkeypatch.setitem(KINDS, kind, lambda y, rate, strength, rng: drawn.append(strength) or y)
    rng = np.random.RandomState(0)
    for _ in range(400):
        apply_change((kind, 100, 10_000), np.zeros(1), RATE, rng)
    assert 100 <= min(drawn) < 1000 < 9000 < max(drawn) <= 10_000
    # In the middle of low and high frequencies are 1,000 Hz, otherwise half of the range.
    middle = 1000 if kind in ("low-pass", "high-pass", "sample rate") else 5050
    assert np.median(drawn) == pytest.approx(middle, rel=0.4)


def tone(frequency):
    return np.sin(2 * np.pi * frequency * np.arange(2 * RATE) / RATE)


def level(y):
    return 10 * np.log10(np.mean(np.square(y[len(y) // 4 : -len(y) // 4])))


@pytest.mark.parametrize(
    ("change", "frequency", "decibels"),
    [
        (lambda y: transforms.high_pass(y, RATE, 300), 75, -48),
        (lambda y: transforms.high_pass(y, RATE, 300), 3000, 0),
        (lambda y: transforms.telephone(y, RATE), 75, -50),
        (lambda y: transforms.telephone(y, RATE), 1000, 0),
        (lambda y: transforms.telephone(y, RATE), 5000, -100),
        (lambda y: transforms.through_rate(y, RATE, 16000), 1000, 0),
        (lambda y: transforms.through_rate(y, RATE, 16000), 9000, -100),
        (lambda y: transforms.equalizer(y, [0, 6, 0]), RATE / 4, 6),
        (lambda y: transforms.equalizer(y, [-3, -3, 6]), RATE / 8, -3),
    ],
)
def test_filters_change_levels_as_they_say(change, frequency, decibels):
    found = level(change(tone(frequency))) - level(tone(frequency))
    assert found < -60 if decibels < -60 else found == pytest.approx(decibels, abs=1.5)


def test_a_room_decays_by_60_decibels_in_its_time():
    click = np.zeros(RATE)
    click[0] = 1
    y = transforms.room(click, RATE, 0.5, 0)
    late, early = (np.square(y[round(t * RATE) :][: RATE // 50]).sum() for t in (0.4, 0.1))
    assert 10 * np.log10(late / early) == pytest.approx(-60 * 0.3 / 0.5, abs=2)
    assert np.square(y[1:]).sum() == pytest.approx(1, rel=0.02)


def test_white_noise_is_as_far_below_as_asked():
    y = make_sound(2.0)
    assert level(y) - level(transforms.white_noise(y, 15, 0) - y) == pytest.approx(15, abs=0.3)


def test_what_training_has_met():
    robust = list_changes("robust")
    met = {name for name in CHANGES if includes(robust, name)}
    assert met == {
        *("6 dB quieter", "12 dB quieter", "6 dB louder, clipped", "low-pass at 4 kHz"),
        *("noise at 20 dB", "3 % faster"),
    }
    assert includes(["room"], "room")
    assert includes([("MP3", 24, 64)], "MP3 at 32 kbit/s")
    assert not includes([quieter], "6 dB quieter")
    assert not includes(robust, "first 30 s")


# ---------------------------------------------------------------- front ends


FRONT_ENDS = {
    "mfcc": lambda **more: MFCCSegmenter(segment_duration=1.0, n_segments=3, **more),
    "mel": lambda **more: MelSegmenter(segment_duration=4.0, **more),
    "descriptors": lambda **more: TrackDescriptors(families="timbre", **more),
    "gtzan": lambda **more: GTZANFeatures(
        columns=["rms_mean", "zero_crossing_rate_mean"], segment_duration=4.0, **more
    ),
}


@pytest.fixture(scope="module")
def few(tracks):
    return tracks.data[:3]


@pytest.mark.parametrize("name", FRONT_ENDS)
def test_fit_transform_adds_the_segments_of_copies(name, few, tmp_path):
    plain = FRONT_ENDS[name]().transform(few)
    front = FRONT_ENDS[name](augment=["12 dB quieter", ("robust", 1)])
    X = front.fit_transform(few)
    n = plain.shape[1]
    assert count_recorded(X) == n
    assert_array_equal(without_copies(X), plain)
    assert_array_equal(front.transform(few), plain)
    assert type(front.transform(few)) is np.ndarray
    # The first copy is that of a file with these samples.
    y = transforms.gain(load_audio(few[1]), -12)
    path = write_sound(tmp_path / "a.wav", y, subtype="FLOAT")
    assert_array_equal(np.asarray(X)[1, n : 2 * n], FRONT_ENDS[name]().transform([path])[0])
    assert not np.array_equal(X[:, n : 2 * n], X[:, 2 * n :])


def test_copies_do_not_depend_on_order_jobs_or_cache(few, tmp_path):
    def extract(paths, **more):
        front = FRONT_ENDS["mfcc"](augment=("robust", 2), **more)
        return np.asarray(front.fit_transform(paths))

    X = extract(few)
    assert_array_equal(extract(few[::-1], n_jobs=2), X[::-1])
    assert_array_equal(extract(few, memory=tmp_path), X)
    assert_array_equal(extract(few, memory=tmp_path), X)
    assert not np.array_equal(X[:, 3:6], X[:, 6:])


def test_each_copy_is_cached_on_its_own(few, tmp_path, monkeypatch):
    def count(augment):
        made = []
        extract = MFCCSegmenter.extract_track
        with monkeypatch.context() as patch:
            patch.setattr(
                MFCCSegmenter, "extract_track", lambda *args: made.append(1) or extract(*args)
            )
            FRONT_ENDS["mfcc"](augment=augment, memory=tmp_path).fit_transform(few)
        return len(made)

    assert count(("robust", 1)) == 6
    assert count(("robust", 2)) == 3
    assert count(("robust", 2)) == 0
    assert count(quieter) == 3
    assert count(quieter) == 0


class Level(FrontEnd):
    """Levels of halves of a track, without parameters of its own."""

    track_shape = (2, 1, 1)

    def extract_track(self, audio):
        with np.errstate(divide="ignore"):
            return np.array([[[level(y)]] for y in np.array_split(audio.read(), 2)])


def test_front_ends_of_ones_own_can_be_augmented(few):
    X = np.asarray(Level(augment=quieter).fit_transform(few))
    np.testing.assert_allclose(X[:, 2:], X[:, :2] - 20 * np.log10(2), atol=1e-3)


def test_a_copy_without_a_signal_is_missing(few):
    X = Level(augment=[lambda y, rate, rng: 0 * y, quieter]).fit_transform(few)
    assert np.isnan(X[:, 2:4]).all()
    assert np.isfinite(X[:, 4:]).all()


def test_tracks_that_cannot_be_used_have_no_copies_and_one_warning(few, tmp_path):
    silent = write_sound(tmp_path / "a.wav", np.zeros(5 * RATE))
    noisy = Level(augment=lambda y, rate, rng: y + rng.normal(size=len(y)), on_error="warn")
    with pytest.warns(UserWarning, match="1 of 2 tracks") as caught:
        X = noisy.fit_transform([few[0], silent])
    assert len(caught) == 1
    assert np.isnan(X[1]).all()


@pytest.mark.parametrize("changed", [np.array([np.nan]), np.zeros((2, 2)), 1.0])
def test_a_function_that_does_not_return_samples_is_an_error(few, changed):
    with pytest.raises(ValueError, match="must return finite samples"):
        Level(augment=lambda y, rate, rng: changed).fit_transform(few)


def test_tables_cannot_be_augmented(few):
    with pytest.raises(ValueError, match=r"requires a track tensor.*segment_duration=30"):
        GTZANFeatures(augment="robust").fit_transform(few)


def test_only_the_center_of_long_tracks_is_copied(tmp_path, monkeypatch):
    monkeypatch.setattr("skgenre.audio.changes.MAX_SECONDS", 2.0)
    y = np.concatenate([0.01 * tone(440), tone(440), 0.01 * tone(440)])
    path = str(write_sound(tmp_path / "a.wav", y))
    found = np.asarray(Level(augment=lambda y, rate, rng: y).fit_transform([path])).ravel()
    assert (found[:2] < found[2:] - 3).all()
    assert found[2:] == pytest.approx(-3, abs=0.1)


# ---------------------------------------------------------------- what fits and predictions see


def augmented(n_tracks=30):
    """Tracks whose copies are of the next genre, so that whoever sees them is wrong."""
    X, y = make_tensor(n_tracks, n_segments=2)
    copies = np.concatenate([np.roll(X, 1, axis=0)] * 2, axis=1)
    return with_copies(np.concatenate([X, copies], axis=1), 2), y


@pytest.mark.parametrize(
    "keep",
    [
        lambda X: X[np.arange(3)],
        lambda X: X[np.arange(len(X)) < 3],
        lambda X: X[:3],
        lambda X: pickle.loads(pickle.dumps(X[:3])),
        lambda X: X[:3].copy(),
        lambda X: SegmentScaler().fit(X).transform(X[:3]),
    ],
)
def test_copies_remain_known(keep):
    X, _ = augmented()
    assert count_recorded(keep(X)) == 2
    assert without_copies(keep(X)).shape == (3, 2, 8, 4)


@pytest.mark.parametrize(
    "lose",
    [
        np.asarray,
        lambda X: np.concatenate([X, X]),
        lambda X: X[:, :3],
        lambda X: X[0],
        lambda X: X.reshape(len(X), -1),
        lambda X: X.mean(axis=1),
    ],
)
def test_other_results_are_ordinary(lose):
    assert count_recorded(lose(augmented()[0])) is None


CLASSIFIERS = {
    **{name: clone(network).set_params(epochs=2) for name, network in NETWORKS.items()},
    "voting": SegmentVotingClassifier(),
    "calibrated": GroupCalibratedClassifier(SegmentVotingClassifier(), cv=2),
    "VotingClassifier": VotingClassifier([("a", SegmentVotingClassifier())], voting="soft"),
    "CalibratedClassifierCV": CalibratedClassifierCV(SegmentVotingClassifier(), cv=2),
    "stack": StackingClassifier([("a", SegmentVotingClassifier())], LogisticRegression(), cv=2),
    "one versus rest": OneVsRestClassifier(SegmentVotingClassifier()),
    "search": GridSearchCV(SegmentVotingClassifier(), {"aggregation": ["mean"]}, cv=2),
    "scaled": make_pipeline(SegmentScaler(), SegmentVotingClassifier()),
    "summary": make_pipeline(SegmentSummary(), make_baseline("lda")),
}


@pytest.mark.parametrize(
    "name", [*slow_but("ann", NETWORKS), *(name for name in CLASSIFIERS if name not in NETWORKS)]
)
def test_fits_use_copies_and_predictions_do_not(name):
    X, y = augmented()
    model = clone(CLASSIFIERS[name]).fit(X, y)
    recorded, every = without_copies(X), np.asarray(X)
    proba = model.predict_proba(X)
    assert_array_equal(proba, model.predict_proba(recorded))
    assert_array_equal(model.predict(X), model.predict(recorded))
    assert model.score(X, y) == model.score(recorded, y)
    other = clone(CLASSIFIERS[name]).fit(recorded, y).predict_proba(recorded)
    if name == "summary":
        assert_array_equal(proba, other)
    else:
        assert np.abs(proba - other).max() > 1e-4
        assert np.abs(proba - model.predict_proba(every)).max() > 1e-4
    if hasattr(model, "predict_segments_proba"):
        assert model.predict_segments_proba(X).shape[1] == 2


@pytest.mark.parametrize("name", ["voting", "calibrated", "scaled"])
def test_cross_validation_trains_with_copies_and_tests_without(name):
    X, y = augmented()
    model = CLASSIFIERS[name]
    folds = [(np.arange(15), np.arange(15, 30)), (np.arange(15, 30), np.arange(15))]
    found = cross_val_predict(model, X, y, cv=folds, method="predict_proba")
    for train, test in folds:
        fitted = clone(model).fit(X[train], y[train])
        assert_array_equal(found[test], fitted.predict_proba(without_copies(X)[test]))


def test_calibration_judges_recordings():
    X, y = augmented()
    model = GroupCalibratedClassifier(SegmentVotingClassifier(), cv=2)
    seen = []

    class Noting(SegmentVotingClassifier):
        def predict_proba(self, X):
            seen.append(without_copies(X).shape)
            return super().predict_proba(X)

    model.set_params(estimator=Noting()).fit(X, y)
    assert seen == [(15, 2, 8, 4)] * 2


@pytest.mark.parametrize("name", NETWORKS)
def test_early_stopping_judges_recordings(name, monkeypatch):
    X, y = augmented()
    seen = []

    def train(architecture, training, validation, **kwargs):
        seen.append((training, validation))
        raise KeyboardInterrupt

    monkeypatch.setattr("skgenre.networks.training.train", train)
    network = clone(NETWORKS[name]).set_params(early_stopping=True, validation_fraction=0.2)
    with pytest.raises(KeyboardInterrupt):
        network.fit(X, y)
    [(training, validation)] = seen
    assert set(training.segment) == set(range(6))
    assert set(validation.segment) == {0, 1}
    # The weight of a track is shared among all of its segments.
    np.testing.assert_allclose(training.weight, 1)


# ---------------------------------------------------------------- pipelines and commands


def test_presets_are_trained_on_copies_by_default():
    for name in PRESETS:
        model, plain = genre_pipeline(name), genre_pipeline(name, augment=None)
        values = {front.augment for front in front_ends(model)}
        is_classical = name in ("knn", "svm", "logistic", "lda", "forest", "boosting")
        assert values == ({None} if is_classical else {"robust"})
        assert {front.augment for front in front_ends(plain)} == {None}


@pytest.mark.parametrize(
    ("name", "published", "two", "four"),
    [("ann", 50, 14, 8), ("cnn", 30, 20, 12), ("lstm", 30, 20, 12), ("mel", 60, 50, 30)],
)
def test_epochs_are_cut_with_copies(name, published, two, four):
    epochs = [
        genre_pipeline(name, augment=augment)[-1].epochs
        for augment in (None, ("robust", 2), ("robust", 4))
    ]
    assert epochs == [published, two, four]


def model(augment):
    front = MFCCSegmenter(segment_duration=1.0, n_segments=3, n_mfcc=5, augment=augment)
    return make_pipeline(front, SegmentScaler(), SegmentVotingClassifier())


AUGMENT = ["12 dB quieter", ("noise", 5, 10)]


def test_features_computed_once_are_those_of_a_pipeline_from_paths(tracks):
    train, test = np.arange(0, 24, 2), np.arange(1, 24, 2)
    paths = np.array(tracks.data)
    expected = model(AUGMENT).fit(paths[train], tracks.target[train])
    computed, used = compute_features({"a": model(AUGMENT)}, tracks)
    found = computed["a"].fit([used.data[i] for i in train], used.target[train])
    tested = paths[test].tolist()
    assert_array_equal(found.predict_proba(tested), expected.predict_proba(tested))
    restored = restore_front_ends(found)
    assert restored[0].augment == AUGMENT
    assert_array_equal(restored.predict_proba(tested), expected.predict_proba(tested))
    plain = model(None).fit(paths[train], tracks.target[train])
    assert not np.allclose(plain.predict_proba(tested), expected.predict_proba(tested))


def test_a_search_over_changes(tracks):
    grid = {"mfccsegmenter__augment": [None, AUGMENT]}
    search = GridSearchCV(model(None), grid, cv=2, refit=False, error_score="raise")
    search.fit(tracks.data[::2], tracks.target[::2])
    assert len(search.cv_results_["params"]) == 2


def test_reports_know_what_training_has_met(tracks):
    X, y = tracks.data[::3], tracks.target[::3]
    alone = robustness_report(model("room").fit(X, y), X[:1])
    options = {"leakage": False, "robustness": 1, "n_mistakes": 0, "n_resamples": 2, "cv": 2}
    whole = evaluation_report(model("room"), X, y, **options).robustness
    for report in (alone, whole):
        assert report["condition"].tolist() == ["unchanged", *CONDITIONS]
        met = report["condition"][report["in_training"]]
        assert met.tolist() == ["unchanged", "room"]


@pytest.mark.parametrize("augment", ["robust", AUGMENT, ("low-pass", 2500, 9000), None])
def test_saved_models_keep_their_changes(tracks, tmp_path, augment):
    fitted = (
        model(None)
        .fit(tracks.data[::3], tracks.target[::3])
        .set_params(mfccsegmenter__augment=augment)
    )
    save(fitted, tmp_path / "m.skgenre")
    assert load(tmp_path / "m.skgenre")[0].augment == augment


def test_functions_of_ones_own_are_not_saved(tracks, tmp_path):
    fitted = model(None).fit(tracks.data[::3], tracks.target[::3])
    fitted.set_params(mfccsegmenter__augment=quieter)
    with pytest.raises(skgenre.ModelFileError, match=r"augment is a function"):
        save(fitted, tmp_path / "m.skgenre")


def test_stores_are_of_recordings(few, tmp_path):
    front = FRONT_ENDS["mfcc"](augment="robust")
    store = extract_store(front, few, tmp_path / "store")
    assert_array_equal(store.data, front.transform(few))
    assert not isinstance(store.data, Augmented)


@pytest.mark.parametrize(
    ("options", "augment"), [((), "robust"), (("--augment",), "robust"), (("--no-augment",), None)]
)
@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_commands_train_on_copies_unless_told_otherwise(
    command, options, augment, monkeypatch, run
):
    made = []

    def make(name, **kwargs):
        made.append(kwargs["augment"])
        raise ValueError("stop")

    monkeypatch.setattr("skgenre.cli.inputs.genre_pipeline", make)
    monkeypatch.setattr("skgenre.cli.inputs.labeled_tracks", lambda *args, **kwargs: None)
    more = ("-o", "m.skgenre") if command == "train" else ()
    assert run(command, ".", *more, *options).exit_code == 1
    assert made == [augment]
