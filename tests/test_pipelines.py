"""Whole pipelines: paths in, genres out, in searches, from disk, and without TensorFlow."""

import re
from importlib import util

import numpy as np
import pandas as pd
import pytest
import sklearn
import soundfile
import soxr
from scipy.signal import butter, sosfilt
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score

from skgenre import (
    ANNClassifier,
    UnreadableTracksError,
    describe,
    genre_pipeline,
    param_grid,
    starter_model,
)
from skgenre.datasets import filtered_split, load_gtzan_features, segments_to_tracks
from skgenre.features import musicnn
from skgenre.networks import base
from skgenre.pipelines import PRESETS, STARTERS

from .conftest import make_sound, make_tensor, run_python, slow_but, write_sound
from .registry import NETWORKS, PIPELINES

GENRES = ["blues", "classical", "country", "disco", "hiphop"]
GENRES += ["jazz", "metal", "pop", "reggae", "rock"]


@pytest.mark.parametrize("name", slow_but("svm", ["ann"]))
def test_cross_validation_from_paths(tracks, name):
    scores = cross_val_score(
        clone(PIPELINES[name]),
        tracks.data,
        tracks.target,
        groups=tracks.groups,
        cv=StratifiedGroupKFold(4),
        error_score="raise",
    )
    assert scores.mean() > 0.5  # chance is 1/3


def test_groups_reach_early_stopping_through_a_pipeline(tracks):
    pipeline = clone(PIPELINES["ann"]).set_params(
        annclassifier__early_stopping=True, annclassifier__epochs=2
    )
    pipeline.fit(tracks.data, tracks.target, annclassifier__groups=tracks.groups)
    assert "val_loss" in pipeline[-1].history_


def test_groups_are_routed_through_a_grouped_search(tracks, monkeypatch):
    pipeline = clone(PIPELINES["ann"]).set_params(
        annclassifier__early_stopping=True, annclassifier__epochs=2
    )
    held_out = []
    hold_out = base.hold_out

    def noting_hold_out(tracks, labels, groups, **kwargs):
        held_out.append(groups)
        return hold_out(tracks, labels, groups, **kwargs)

    monkeypatch.setattr(base, "hold_out", noting_hold_out)
    search = GridSearchCV(
        pipeline,
        {"annclassifier__dropout": [0.0, 0.3]},
        cv=StratifiedGroupKFold(2),
        error_score="raise",
    )
    with sklearn.config_context(enable_metadata_routing=True):
        search.fit(tracks.data, tracks.target, groups=tracks.groups)
    assert "val_loss" in search.best_estimator_[-1].history_
    assert len(held_out) == 5  # two candidates on two folds, and the refit
    assert all(set(groups) <= set(tracks.groups) for groups in held_out)


WITHOUT_TENSORFLOW = """
import sys, joblib, warnings
warnings.simplefilter("error", UserWarning)
for name in ("tensorflow", "keras", "scikeras", "matplotlib"):
    sys.modules[name] = None  # importing it fails
pipeline, paths = joblib.load(sys.argv[1])
import numpy as np
np.save(sys.argv[2], pipeline.predict_proba(paths))
print(*pipeline.predict(paths))
"""


def test_saved_pipelines_answer_where_there_is_no_tensorflow(tracks, tmp_path):
    import joblib

    paths = tracks.data[::5]
    pipeline = clone(PIPELINES["cnn"])
    pipeline[-1].set_params(epochs=1)
    pipeline.fit(tracks.data, tracks.target)
    joblib.dump((pipeline, paths), tmp_path / "model")
    labels = run_python(WITHOUT_TENSORFLOW, tmp_path / "model", tmp_path / "proba.npy")
    assert labels.split() == pipeline.predict(paths).tolist()
    expected = pipeline.predict_proba(paths)
    np.testing.assert_array_equal(np.load(tmp_path / "proba.npy"), expected)


IMPORTS = """
import os, sys, warnings
warnings.simplefilter("ignore")  # of few tracks
environment = dict(os.environ)
heavy = {"tensorflow", "keras", "scikeras", "matplotlib", "librosa"}
import skgenre, skgenre.networks, skgenre.plotting
from skgenre import *
print("import", heavy & set(sys.modules), dict(os.environ) == environment)
paths, y = sys.argv[1:], ["a", "a", "a", "b", "b", "b"]
starter_model("table").predict_proba(paths[:1])
print("starter", heavy & set(sys.modules))
genre_pipeline(augment=("robust", 1)).fit(paths, y).predict(paths[:1])
print("default", heavy & set(sys.modules))
for front_end in (genre_pipeline("knn")[0], GTZANFeatures()):
    front_end.transform(paths[:1])
print("features", heavy & set(sys.modules))
"""


def test_prediction_classical_models_and_extraction_import_no_large_package(tracks):
    lines = run_python(IMPORTS, *tracks.data[:6]).splitlines()
    assert lines == ["import set() True", "starter set()", "default set()", "features set()"]


def test_the_public_names_are_there():
    import skgenre

    assert set(skgenre.__all__) <= set(dir(skgenre))
    for name in skgenre.__all__:
        assert getattr(skgenre, name) is not None
    with pytest.raises(AttributeError, match="RNNClassifier"):
        _ = skgenre.RNNClassifier


def test_bad_files_stop_a_pipeline_before_it_trains(tracks, tmp_path):
    paths = [*tracks.data[:-1], str(tmp_path / "missing.wav")]
    pipeline = clone(PIPELINES["ann"])
    with pytest.raises(UnreadableTracksError, match=r"missing\.wav: no such file"):
        pipeline.fit(paths, tracks.target)
    assert not hasattr(pipeline[-1], "weights_")


def test_bad_files_can_be_left_out(tracks, tmp_path):
    paths = [*tracks.data[:-1], str(tmp_path / "missing.wav")]
    pipeline = clone(PIPELINES["ann"])
    pipeline.set_params(mfccsegmenter__on_error="warn", annclassifier__epochs=1)
    with pytest.warns(UserWarning, match="1 of 24 tracks") as caught:
        pipeline.fit(paths, tracks.target)
    # Of the file, and of the track that then has no segment: at the line above.
    assert {warning.filename for warning in caught} == {__file__}
    assert len(caught) == 2
    with pytest.warns(UserWarning, match="1 of 24 tracks"):
        assert pipeline.predict(paths).shape == (24,)


def test_labels_and_paths_of_different_length(tracks):
    with pytest.raises(ValueError, match="samples: 23 labels for 24 tracks"):
        clone(PIPELINES["ann"]).fit(tracks.data, tracks.target[:-1])


# ---------------------------------------------------------------- presets


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("name", slow_but("svm", PRESETS))
def test_presets_and_their_grids_work_in_a_search_as_they_are(tracks, cache, name):
    if name == "musicnn" and not util.find_spec("musicnn"):
        pytest.skip("needs musicnn: make test-extras")
    pipe = genre_pipeline(name, memory=cache, n_jobs=2, random_state=0, augment=None)
    # Little training: that the grid's values are legal does not depend on it.
    pipe.set_params(**{key: 1 for key in pipe.get_params() if key.endswith("__epochs")})
    if name == "boosting":
        pipe.set_params(pipeline__histgradientboostingclassifier__max_iter=10)
    grid = param_grid(name)
    assert 1 < np.prod([len(values) for values in grid.values()]) <= 6
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise").fit(tracks.data, tracks.target)
    assert search.predict(tracks.data[:2]).shape == (2,)


def test_presets_take_songs_from_end_to_end(tracks, tmp_path):
    """And go on behind files that cannot be used."""
    bad = tmp_path / "bad.wav"
    bad.touch()
    pipe = genre_pipeline("logistic")
    with pytest.warns(UserWarning, match="1 of 25 tracks cannot be used"):
        pipe.fit([*tracks.data, bad], [*tracks.target, tracks.target[0]])
    assert pipe[0].placement == "spread"


@pytest.mark.parametrize("function", [genre_pipeline, param_grid])
def test_a_typo_in_a_preset_s_name(function):
    with pytest.raises(ValueError, match=r"Unknown preset 'lgistic'.*did you mean 'logistic'"):
        function("lgistic")


def rows_of_the_table(table, model):
    """Input of a model of segments: each track of the table as one segment."""
    return segments_to_tracks(table.data[list(model[0].columns)], table.track_ids)[0]


def tags_of_the_test_part(gtzan, track_ids):
    """Mean tags of tracks, as one row per track."""
    with np.load(gtzan / "musicnn_msd_tags" / "test_filtered.npz") as patches:
        tags, track = patches["tags"], patches["track"]
    return np.array([tags[track == name].mean(axis=0) for name in track_ids])


@pytest.mark.parametrize(("name", "least"), [("table", 0.52), ("musicnn", 0.74)])
def test_a_starter_is_as_good_on_the_test_part_as_its_description_says(gtzan, name, least):
    table = load_gtzan_features(gtzan / "features_30_sec.csv")
    [(_, test)] = filtered_split(table.track_ids)
    model = starter_model(name)
    if name == "table":
        X = rows_of_the_table(table, model)[test]
    else:
        X = tags_of_the_test_part(gtzan, table.track_ids[test])
    score = model[-1].score(X, table.target[test])
    assert score > least
    description = describe(STARTERS[name])["description"]
    assert re.search(
        f"Accuracy of {score:.0%} .95% interval by artist.* on 290 tracks", description
    )
    assert "Accuracy over folds by artist of these tracks" in description
    assert ("Million Song Dataset probably contains artists" in description) == (name == "musicnn")


@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_is_small_and_can_be_unsure(name):
    model = starter_model(name)
    assert model.classes_.tolist() == GENRES
    assert 0.2 < model[-1].threshold_ < 0.9
    assert model[-1].max_distance_ > 1
    assert STARTERS[name].stat().st_size < 80_000


@pytest.mark.parametrize(("installed", "name"), [(True, "musicnn"), (False, "table")])
def test_the_default_starter_is_the_best_that_can_run(installed, name, monkeypatch):
    def published(weights):
        if not installed:
            raise ImportError

    monkeypatch.setattr(musicnn, "_published", published)
    assert str(starter_model()[0]) == str(starter_model(name)[0])


def test_an_unknown_starter():
    with pytest.raises(ValueError, match=r"Unknown starter model 'best'; expected one of \['musi"):
        starter_model("best")


def test_the_starter_without_musicnn_is_unsure_of_what_lacks_high_frequencies(tmp_path):
    y = make_sound(8, 22050)
    dull = sosfilt(butter(8, 1500, fs=22050, output="sos"), y)
    model = starter_model("table")
    paths = [write_sound(tmp_path / "a.wav", 3 * dull)]
    X = model[:-1].transform(paths)
    [reason] = model[-1].explain_unsure(X, model[-1].predict_proba(X))
    assert reason == "unlike the training tracks"


def resampled(path, rate, folder):
    """The path of a copy at another sample rate."""
    y, old = soundfile.read(path)
    return write_sound(folder / f"{path.stem}.wav", soxr.resample(y, old, rate), rate)


@pytest.mark.slow
def test_wrong_answers_at_16_khz_are_unsure(gtzan, tmp_path):
    paths = sorted((gtzan / "three_genres").glob("*/*.flac"))[::2]
    labels = np.array([path.parent.name for path in paths])
    model = starter_model("table")
    X = model[:-1].transform([resampled(path, 16000, tmp_path) for path in paths])
    proba = model[-1].predict_proba(X)
    wrong = model.classes_[proba.argmax(axis=1)] != labels
    reasons = np.array(model[-1].explain_unsure(X, proba))
    assert (reasons[wrong] != "").mean() >= 0.8


@pytest.mark.slow
def test_the_starter_model_predicts_tracks_as_it_does_rows(gtzan):
    table = load_gtzan_features(gtzan / "features_30_sec.csv")
    paths = sorted((gtzan / "genres_original").glob("*/*.wav"))
    paths = [path for path in paths if path.stem != "jazz.00054"]
    rows = pd.Index(table.track_ids).get_indexer([path.stem for path in paths])
    model = starter_model("table")
    expected = model[1:].predict_proba(rows_of_the_table(table, model)[rows])
    np.testing.assert_allclose(model.predict_proba(paths), expected, atol=0.02)


# ---------------------------------------------------------------- what a network says of itself


def test_summary_says_what_keras_would():
    X, y = make_tensor(12, n_frames=20, n_coefficients=6)
    network = clone(NETWORKS["cnn"]).set_params(epochs=1).fit(X, y)
    lines = []
    network.summary(lines.append)
    keras = network.to_keras()
    assert [re.split(" {2,}", line)[0] for line in lines[2:-4]] == [
        type(layer).__name__ for layer in keras.layers
    ]
    assert [tuple(re.split(" {2,}", line)[1:]) for line in lines[2:-4]] == [
        (str(layer.output.shape), f"{layer.count_params():,}") for layer in keras.layers
    ]
    trainable = sum(int(np.prod(weight.shape)) for weight in keras.trainable_weights)
    assert lines[-3:] == [
        f"Total params: {keras.count_params():,}",
        f"Trainable params: {trainable:,}",
        f"Non-trainable params: {keras.count_params() - trainable:,}",
    ]


def test_the_published_counts_are_in_the_summary():
    X = np.zeros((20, 1, 130, 13), np.float32)
    lines = []
    ANNClassifier(epochs=1).fit(X, np.arange(20) % 10).summary(lines.append)
    assert "Total params: 1,014,218" in lines
