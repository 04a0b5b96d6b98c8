"""Models of paths: pipelines, and all that contains pipelines, wherever a model is asked for."""

import copy

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skgenre import (
    GroupCalibratedClassifier,
    GTZANFeatures,
    MFCCSegmenter,
    SegmentSummary,
    evaluation_report,
    genre_timeline,
    save,
)
from skgenre.cli import main
from skgenre.evaluation import robustness_report
from skgenre.features.model_front_ends import front_ends, replace_front_ends

from .conftest import make_sound, slow_but, write_sound


def pipeline(n_mfcc=5):
    front = MFCCSegmenter(segment_duration=1.0, n_mfcc=n_mfcc)
    return make_pipeline(front, SegmentSummary(statistics=["mean"]), LinearDiscriminantAnalysis())


def vote():
    return VotingClassifier([("a", pipeline()), ("b", pipeline(4))], voting="soft", weights=[1, 3])


MODELS = {
    "pipeline": pipeline,
    "nested": lambda: make_pipeline(pipeline()[:2], StandardScaler(), GaussianNB()),
    "vote": vote,
    "calibrated": lambda: GroupCalibratedClassifier(pipeline(), cv=2),
    "calibrated vote": lambda: GroupCalibratedClassifier(vote(), cv=2),
    "vote of calibrated": lambda: VotingClassifier(
        [("a", GroupCalibratedClassifier(pipeline(), cv=2)), ("b", pipeline()), ("c", "drop")],
        voting="soft",
    ),
    "search of calibrated": lambda: GridSearchCV(
        GroupCalibratedClassifier(pipeline(), cv=2), {"target_accuracy": [0.5, 0.8]}, cv=2
    ),
    "calibrated search": lambda: GroupCalibratedClassifier(
        GridSearchCV(pipeline(), {"mfccsegmenter__n_mfcc": [4, 5]}, cv=2), cv=2
    ),
    "CalibratedClassifierCV": lambda: CalibratedClassifierCV(pipeline(), cv=2),
    "stack": lambda: StackingClassifier([("a", pipeline())], LogisticRegression(), cv=2),
    "one versus rest": lambda: OneVsRestClassifier(pipeline()),
    "frozen": lambda: FrozenEstimator(pipeline()),
}


@pytest.fixture(scope="module")
def fitted(tracks):
    made = {}

    def fit(name):
        if name not in made:
            model = MODELS[name]()
            if name == "frozen":
                model.estimator.fit(tracks.data, tracks.target)
            made[name] = model.fit(tracks.data, tracks.target)
        return made[name]

    return fit


@pytest.mark.parametrize("name", MODELS)
def test_front_ends_are_replaced_in_a_copy(name, fitted, tracks):
    model = fitted(name)
    before = [front.n_jobs for front in front_ends(model)]
    changed = replace_front_ends(model, lambda front: copy.copy(front).set_params(n_jobs=2))
    assert {front.n_jobs for front in front_ends(changed)} == {2}
    assert [front.n_jobs for front in front_ends(model)] == before
    paths = tracks.data[::5]
    assert_array_equal(changed.predict_proba(paths), model.predict_proba(paths))


@pytest.mark.parametrize("name", MODELS)
def test_the_timeline_of_one_part_is_the_prediction(name, fitted, tmp_path):
    path = str(write_sound(tmp_path / "a.wav", make_sound(1.0)))
    model = fitted(name)
    timeline = genre_timeline(model, path)
    assert_allclose(timeline.proba, model.predict_proba([path]), rtol=1e-6)
    assert_array_equal(timeline.track_proba, timeline.proba[0])


def test_the_timeline_of_a_vote_weighs_its_members(fitted, tracks):
    model = fitted("vote")
    a, b = (genre_timeline(member, tracks.data[0]).proba for member in model.estimators_)
    assert_allclose(genre_timeline(model, tracks.data[0]).proba, (a + 3 * b) / 4)


@pytest.mark.parametrize("name", slow_but("vote of calibrated", MODELS))
def test_every_model_is_evaluated_and_changed(name, fitted, tracks):
    model, paths, y = fitted(name), tracks.data[::4], tracks.target[::4]
    report = evaluation_report(model, paths, y, cv="prefit", robustness=1, n_resamples=2)
    [column] = [column for column in report.tracks if column.startswith("predicted")]
    assert_array_equal(report.tracks[column], model.predict(paths))
    table = robustness_report(model, paths, y, conditions=["12 dB quieter"])
    assert table["accuracy"][0] == np.mean(model.predict(paths) == y)


@pytest.mark.parametrize("name", ["calibrated", "vote of calibrated"])
def test_models_of_pipelines_are_cross_validated(name, tracks):
    options = {"leakage": False, "robustness": None, "n_mistakes": 1, "n_resamples": 2}
    report = evaluation_report(
        MODELS[name](), tracks.data, tracks.target, groups=tracks.groups, cv=2, **options
    )
    assert report.scores["score"][0] > 0.5
    assert report.timelines in ([], [None]) or report.timelines[0].proba.shape[1] == 3


@pytest.mark.parametrize("name", ["calibrated", "vote of calibrated", "calibrated vote"])
def test_saved_models_of_pipelines_predict(name, fitted, tracks, tmp_path):
    path = tmp_path / "model.skgenre"
    save(fitted(name), path)
    runner = CliRunner()
    command = ["--model", str(path), tracks.data[0]]
    result = runner.invoke(main, ["predict", "--timeline", "--format", "jsonl", *command])
    assert result.exit_code == 0, result.output
    genre = fitted(name).predict(tracks.data[:1])[0]
    assert f'"genre": "{genre}"' in result.stdout
    result = runner.invoke(main, ["timeline", "-o", str(tmp_path / "a.png"), *command])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "a.png").exists()


@pytest.mark.parametrize(
    "model",
    [
        GaussianNB(),
        RandomForestClassifier(),
        make_pipeline(StandardScaler(), GaussianNB()),
        GroupCalibratedClassifier(GaussianNB()),
        GroupCalibratedClassifier(),
        VotingClassifier([("a", pipeline()), ("b", GaussianNB())]),
        MFCCSegmenter(),
    ],
    ids=lambda model: type(model).__name__,
)
def test_models_of_something_else_are_refused(model):
    with pytest.raises(TypeError, match="Expected a pipeline that begins with a front end"):
        front_ends(model)


@pytest.mark.parametrize("container", ["default", "pandas"])
@pytest.mark.parametrize(("seconds", "n_segments"), [(1, 1), (20, 2)])
def test_the_timeline_of_a_table_does_not_warn_of_names(
    container, seconds, n_segments, tracks, tmp_path
):
    # Warnings are errors. A pipeline is fitted on the container that its front end returns.
    front = GTZANFeatures(columns=["rms_mean", "chroma_stft_mean"])
    model = Pipeline([("front", front), ("scale", StandardScaler()), ("clf", GaussianNB())])
    model[0].set_output(transform=container)
    model.fit(tracks.data[::4], tracks.target[::4])
    path = str(write_sound(tmp_path / "a.wav", make_sound(seconds)))
    timeline = genre_timeline(model, path)
    assert timeline.proba.shape == (n_segments, 3)
