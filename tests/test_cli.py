"""The command line: what goes to which stream, and one line for each mistake."""

import csv
import io
import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import sklearn
from click.testing import CliRunner
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from skgenre import (
    ANNClassifier,
    GTZANFeatures,
    MFCCSegmenter,
    SegmentScaler,
    SegmentSummary,
    describe,
    extract_store,
    genre_pipeline,
    load,
    load_store,
    make_baseline,
    save,
    starter_model,
)
from skgenre.cli import main, options
from skgenre.datasets import list_audio, load_folder, make_tracks
from skgenre.evaluation.out_of_fold import compute_features
from skgenre.features import GTZAN_FEATURES
from skgenre.persistence.archive import FORMAT
from skgenre.pipelines import PRESETS
from skgenre.timeline import predict_segments

from .conftest import make_sound, run_python, write_sound


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two genres of two tracks, one in an artist's folder, and what is found beside music."""
    folder = tmp_path_factory.mktemp("music")
    for i, name in enumerate(["jazz/a.wav", "jazz/b.wav", "rock/Someone/c.wav", "rock/d.wav"]):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_sound(path, make_sound(7, seed=i))
    (folder / "jazz/cover.jpg").write_bytes(b"no music")
    (folder / "jazz/._a.wav").write_bytes(b"left behind")
    return folder


def test_extract_makes_the_store_that_the_library_makes(folder, tmp_path, run):
    result = run("extract", folder, "-o", tmp_path / "store", "--segments", 2)
    assert result.exit_code == 0, result.output
    paths = sorted(str(path) for path in folder.rglob("[!.]*.wav"))
    store = load_store(tmp_path / "store")
    assert store.filenames == paths
    assert_array_equal(store.data, MFCCSegmenter(n_segments=2).transform(paths))
    same = extract_store(MFCCSegmenter(n_segments=2), paths, tmp_path / "store")
    assert_array_equal(same.data, store.data)


def test_extract_other_features(folder, tmp_path, run):
    args = ("extract", folder, "-o", tmp_path / "store", "--features", "descriptors")
    assert run(*args, "--segments", 2).exit_code == 0
    assert load_store(tmp_path / "store").data.shape == (4, 2, 1, 659)
    result = run(*args, "--segments", 2, "--placement", "spread")
    assert "differs in parameters" in result.stderr


def test_extract_leaves_out_what_cannot_be_read_unless_strict(folder, tmp_path, run):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"junk")
    result = run("extract", folder, bad, "-o", tmp_path / "store")
    assert result.exit_code == 0
    assert "Warning: 1 of 5 tracks cannot be used and count as missing: " in result.stderr
    assert "NaN" not in result.stderr
    assert np.isnan(load_store(tmp_path / "store").data[4]).all()
    result = run("extract", folder, bad, "-o", tmp_path / "strict", "--strict")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: 1 of 5 tracks cannot be used")
    assert len(result.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def model(music, tmp_path_factory):
    """A model file made by the command."""
    path = tmp_path_factory.mktemp("model") / "model.skgenre"
    result = CliRunner().invoke(main, ["train", str(music), "-o", str(path), "--no-augment"])
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    """Three genres, each of three artists' folders."""
    folder = tmp_path_factory.mktemp("music")
    tracks = make_tracks(
        6,
        genres=["classical", "disco", "metal"],
        duration=7,
        artists_per_genre=3,
        random_state=0,
        folder=folder / "made",
    )
    for path, genre, artist in zip(tracks.data, tracks.target, tracks.groups, strict=True):
        target = folder / "genres" / genre / artist / Path(path).name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.hardlink_to(path)
    return folder / "genres"


def test_train_saves_a_model_that_says_what_it_is(model):
    words = "descriptors, trained on 18 tracks: classical 6, disco 6, metal 6."
    assert describe(model)["description"] == words
    assert load(model).classes_.tolist() == ["classical", "disco", "metal"]


@pytest.mark.parametrize("shown", [True, False])
def test_training_of_a_network_shows_its_epochs_on_a_terminal(
    shown, folder, tmp_path, run, monkeypatch
):
    monkeypatch.setattr(sys.modules["skgenre.cli.train"], "on_a_terminal", lambda: shown)
    args = ("--preset", "ann", "--epochs", 2, "--no-augment")
    result = run("train", folder, "-o", tmp_path / "m.skgenre", *args)
    assert result.exit_code == 0, result.output
    assert ("| 2/2 [" in result.stderr) == shown
    assert "2/2" not in result.stdout


@pytest.mark.slow
def test_train_a_network(music, tmp_path, run):
    path = tmp_path / "cnn.skgenre"
    result = run("train", music, "-o", path, "--preset", "cnn", "--epochs", 2, "--no-augment")
    assert result.exit_code == 0, result.output
    assert load(path)[-1].n_iter_ == 2
    result = run("predict", music / "metal", "--model", path, "--timeline", "--format", "jsonl")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(answers) == 6
    assert [part["start"] for part in answers[0]["timeline"]] == [0, 3]


def test_evaluate_keeps_artists_together(music, model, tmp_path, run):
    cache = tmp_path / "cache"
    result = run("evaluate", music, "--preset", "svm", "--preset", "knn", "--cache", cache)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["svm", "knn"]
    assert all("by artist); mean of 3 folds" in line for line in lines)
    tracks = load_folder(music)
    scores = cross_val_score(
        genre_pipeline("svm", random_state=0, memory=cache),
        tracks.data,
        tracks.target,
        groups=tracks.groups,
        cv=StratifiedGroupKFold(3, shuffle=True, random_state=0),
    )
    assert f"mean of 3 folds {scores.mean():.1%}, standard deviation" in lines[0]
    result = run("evaluate", music, "--model", model)
    score = load(model).score(tracks.data, tracks.target)
    assert result.stdout.startswith(f"{model}: {score:.1%} accuracy on 18 tracks (95% confidence")


def test_evaluate_presets_of_different_front_ends(music, tmp_path, run):
    for genre in ("disco", "metal"):
        (tmp_path / genre).mkdir()
        for path in (music / genre).rglob("*.wav"):
            (tmp_path / genre / path.name).hardlink_to(path)
    # Enough for a segment of 3 seconds at most, and for none of 30 seconds.
    write_sound(tmp_path / "metal" / "short.wav", make_sound(2.99))
    presets = ("--no-augment", "--preset", "descriptors", "--preset", "knn")
    result = run("evaluate", tmp_path, *presets, "--folds", 2)
    assert result.exit_code == 0, result.output
    assert "1 of 13 tracks cannot be used" in result.stderr
    lines = result.stdout.splitlines()
    assert all("12 of 13 tracks" in line for line in lines[:2])


def test_front_ends_that_differ_late_are_computed_apart(music):
    names = list(GTZAN_FEATURES[-40:])
    columns = names[:38], [*names[:37], names[38]]  # their repr is the same
    pipelines = [make_pipeline(GTZANFeatures(columns=c), make_baseline("knn")) for c in columns]
    tracks = load_folder(music)
    computed, _ = compute_features(dict(enumerate(pipelines)), tracks)
    first, second = (pipeline[0].transform(tracks.data) for pipeline in computed.values())
    assert_array_equal(first[:, :37], second[:, :37])
    assert not np.isclose(first[:, 37], second[:, 37]).any()


@pytest.mark.slow
def test_a_blend_can_be_trained_saved_and_asked(music, tmp_path, run):
    path = tmp_path / "blend.skgenre"
    result = run("train", music, "-o", path, "--preset", "blend", "--epochs", 1, "--no-augment")
    assert result.exit_code == 0, result.output
    track = load_folder(music).data[0]
    result = run("predict", track, "--model", path, "--timeline", "--format", "jsonl")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    assert answer["timeline"][0]["stop"] == 7
    assert answer["probability"] == pytest.approx(answer["timeline"][0]["probability"], abs=1e-3)
    model = load(path)
    assert [member[0].memory for member in model.estimators_] == [None, None]


@pytest.mark.parametrize(("threshold", "unsure"), [(1.0, True), (0.0, False)])
def test_predict_says_unsure_below_the_model_s_threshold(
    threshold, unsure, music, model, tmp_path, run
):
    fitted = load(model)
    fitted[-1].threshold_, fitted[-1].temperature_ = threshold, 300.0  # no probability of 1
    save(fitted, tmp_path / "m.skgenre")
    args = ("predict", *load_folder(music).data[:2], "--model", tmp_path / "m.skgenre", "--format")
    rows = [json.loads(line) for line in run(*args, "jsonl").stdout.splitlines()]
    assert [row["unsure"] for row in rows] == [unsure, unsure]
    cells = list(csv.DictReader(io.StringIO(run(*args, "csv").stdout)))
    assert [cell["unsure"] for cell in cells] == [str(unsure).lower()] * 2
    assert [cell["genre"] for cell in cells] == [row["genre"] for row in rows]
    lines = run(*args, "table").stdout.splitlines()
    best = f"{rows[0]['genre']} {rows[0]['probability']:.2f}"
    assert (f"  unsure           {best}, " in lines[1]) == unsure
    assert ("2 tracks: unsure 2" in lines) == unsure


def test_predict_without_a_model_of_ones_own(music, run):
    result = run("predict", music / "metal")
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    paths = list_audio(music / "metal")
    assert [row["path"] for row in rows] == paths
    proba = starter_model().predict_proba(paths)
    assert [row["genre"] for row in rows] == starter_model().predict(paths).tolist()
    np.testing.assert_allclose([float(r["probability"]) for r in rows], proba.max(1), atol=1e-4)


def test_predict_in_each_form(music, model, run):
    path = load_folder(music).data[0]
    [proba] = load(model).predict_proba([path])
    answer = json.loads(run("predict", path, "--model", model, "--format", "jsonl").stdout)
    assert answer["path"] == path
    assert answer["probabilities"] == pytest.approx(
        dict(zip(["classical", "disco", "metal"], proba, strict=True)), abs=1e-4
    )
    head, row = run("predict", path, "--model", model, "--format", "table").stdout.splitlines()
    assert head.split() == ["path", "genre", "prob", "runner-up"]
    assert row.split()[-4:-2] == [answer["genre"], f"{answer['probability']:.2f}"]
    out = run("predict", path, "--model", model, "--format", "csv", "--timeline").stdout
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["start"], row["stop"]) for row in rows] == [("0.0", "7.0")]


@pytest.mark.parametrize(("args", "jobs"), [((), -1), (("--jobs", 1), 1)])
def test_loaded_models_use_all_cores(args, jobs, music, model, tmp_path, run, monkeypatch):
    found = []

    def recording(model, path):
        found.append(model[0].n_jobs)
        return predict_segments(model, path)

    monkeypatch.setattr("skgenre.cli.predictions.predict_segments", recording)
    monkeypatch.setattr("skgenre.timeline.predict_segments", recording)
    monkeypatch.setattr(
        "skgenre.cli.predictions.Parallel",
        lambda n_jobs, **options: found.append(n_jobs) or joblib.Parallel(n_jobs, **options),
    )
    paths = load_folder(music).data
    args = ("--model", model, *args)
    # The segments of a single file are predicted in parallel, or else the files.
    for files, expected in [(paths[:1], [jobs, jobs]), (paths[:2], [jobs, None, None])]:
        result = run("predict", *files, "--timeline", *args)
        assert result.exit_code == 0, result.output
        assert found == expected
        found.clear()
    assert run("timeline", paths[0], "-o", tmp_path / "a.png", *args).exit_code == 0
    assert found == [jobs]


def test_predict_goes_on_behind_a_file_that_cannot_be_used(music, model, tmp_path, run):
    bad = tmp_path / "bad.mp3"
    bad.write_bytes(b"junk" * 100)
    good = load_folder(music).data[0]
    result = run("predict", bad, good, "--model", model)
    assert result.exit_code == 1
    assert [row["path"] for row in csv.DictReader(io.StringIO(result.stdout))] == [good]
    assert result.stderr.startswith(f"Warning: {bad}: not audio")
    assert len(result.stderr.splitlines()) == 1


def test_first_mistakes_are_one_line_that_says_what_to_do(folder, model, tmp_path, run):
    (tmp_path / "empty").mkdir()
    (tmp_path / "one" / "jazz").mkdir(parents=True)
    (tmp_path / "one" / "jazz" / "a.wav").hardlink_to(folder / "jazz" / "a.wav")
    table = make_baseline("knn").fit(np.eye(2), [0, 1])
    save(table, tmp_path / "table.skgenre")
    pickled, features, junk = (tmp_path / n for n in ("m.joblib", "features.csv", "junk.wav"))
    joblib.dump(table, pickled)
    features.write_text(",".join(["filename", *GTZAN_FEATURES, "label"]) + "\na" + ",1" * 58)
    junk.write_bytes(b"junk" * 100)
    no_model = folder / "jazz" / "a.wav"
    out = ("-o", tmp_path / "out")
    for args, message in [
        (("extract", tmp_path / "none", *out), f"there is no file or folder {tmp_path / 'none'}"),
        (("extract", tmp_path / "empty", *out), "does not contain any audio files"),
        (("train", tmp_path / "empty", *out), "expected one folder per genre, such as"),
        (("train", tmp_path / "one", *out), "contains only one genre, 'jazz'; add a folder"),
        (("train", folder, *out, "--preset", "cmn"), "Unknown preset 'cmn'"),
        (("train", folder, *out, "--preset", "cmn"), "did you mean 'cnn'?"),
        (
            ("train", folder, *out, "--epochs", 3),
            "--epochs is available for networks only, and not for descriptors",
        ),
        (("evaluate", folder, "--preset", "smv"), "did you mean 'svm'?"),
        (("evaluate", folder, "--model", no_model), "is not a model file, or damaged"),
        (("evaluate", tmp_path / "one"), "contains only one genre"),
        (
            ("evaluate", folder, "--no-augment"),
            "descriptors cannot be evaluated on these tracks: ",
        ),
        (
            ("evaluate", folder, "--model", model),
            "genres ['jazz', 'rock'] are not among the classes",
        ),
        (("predict", tmp_path / "none"), "there is no file or folder"),
        (("predict", no_model, "--model", no_model), "is not a model file, or damaged"),
        (
            ("predict", no_model, "--model", tmp_path / "none"),
            f"Error: there is no model file {tmp_path / 'none'}; the starter models are musicnn",
        ),
        (("info", "nope"), "Error: there is no model file nope; the starter models are musicnn"),
        (("info", no_model), "is not a model file, or damaged"),
        (("predict", no_model, "--model", pickled), "are read by joblib.load, in Python"),
        (("train", features, *out), "features.csv is a table of features, not of paths of audio"),
        (("evaluate", features), "skgenre.datasets.load_gtzan_features reads it, and"),
        (("extract", junk, "-o", tmp_path / "store", "--strict"), "junk.wav: not audio"),
        (("extract", junk, "-o", tmp_path / "store", "--strict"), "Remove them, or omit --strict."),
        (
            ("predict", no_model, "--model", tmp_path / "table.skgenre"),
            "must begin with a front end",
        ),
    ]:
        result = run(*args)
        assert result.exit_code == 1, (args, result.output)
        assert result.stderr.startswith("Error: ")
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1
        assert not re.search(r"Errno|NaN|on_error", result.stderr)
        assert not result.stdout
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_one_group_a_genre_cannot_be_evaluated(folder, run):
    result = run("evaluate", folder, "--preset", "knn")
    assert result.exit_code == 0, result.output
    assert "by file); mean of 2 folds" in result.stdout
    result = run("evaluate", folder / ".." / "music0", "--folds", 1)
    assert result.exit_code == 2  # click's own, with its usage


def test_presets_are_those_of_the_library():
    assert tuple(options.PRESETS) == PRESETS


def test_help_loads_neither_tensorflow_nor_scikit_learn():
    code = (
        "import sys\n"
        "from skgenre.cli import main\n"
        "main(['extract', '--help'], standalone_mode=False)\n"
        "print(sorted({'tensorflow', 'keras', 'sklearn', 'librosa'} & set(sys.modules)))"
    )
    assert run_python(code).splitlines()[-1] == "[]"


def test_module_runs_as_a_program():
    command = [sys.executable, "-m", "skgenre", "--version"]
    out = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    assert out.startswith("skgenre, version ")


# ---------------------------------------------------------------- timeline


def test_timeline_draws_a_picture(folder, tmp_path, run):
    song = next(folder.rglob("*.wav"))
    result = run("timeline", song, "-o", tmp_path / "a.png")
    assert result.exit_code == 0, result.output
    height, width, _ = plt.imread(tmp_path / "a.png").shape
    assert width > height > 300


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (
            ["song.wav", "-o", "a.doc"],
            "--output must end in one of .png, .svg, .pdf, .jpg; got a.doc",
        ),
        (["song.wav", "-o", "a.png"], "song.wav: no such file"),
    ],
)
def test_timeline_says_what_is_wrong(args, message, run):
    result = run("timeline", *args)
    assert result.exit_code == 1
    assert message in result.stderr


# ---------------------------------------------------------------- info


@pytest.fixture(scope="module")
def models(tmp_path_factory, music):
    """Files of each kind of model, with the lines that say what they are."""
    folder = tmp_path_factory.mktemp("models")
    tracks = load_folder(music)
    front = MFCCSegmenter(n_segments=2, placement="spread")
    table = make_baseline("knn").fit(np.eye(2), [0, 1])
    svm = make_pipeline(front, SegmentSummary(), make_baseline("svm"))
    network = make_pipeline(
        MFCCSegmenter(augment="robust", sample_rate=8000),
        SegmentScaler(),
        ANNClassifier(hidden_units=(4,), epochs=1, random_state=0),
    )
    whole = make_pipeline(GTZANFeatures(columns=["rms_mean"]), make_baseline("lda"))
    vote = VotingClassifier([("a", clone(svm)), ("b", clone(whole))], voting="hard")
    for name, model in {"svm": svm, "network": network, "whole": whole, "vote": vote}.items():
        save(model.fit(tracks.data[::3], tracks.target[::3]), folder / name, description="made up")
    save(table, folder / "table")
    return folder


NEVER = "Unsure never, since the model has no threshold"


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "svm",
            [
                "Genres (3) classical, disco, metal",
                "Input MFCCSegmenter at 22,050 Hz, up to 2 segments of 3 s spread over the track",
                "Classifier SegmentSummary, SimpleImputer, StandardScaler, SVC",
                NEVER,
                "Description made up",
                "Needs nothing beyond skgenre; TensorFlow is not needed to predict",
                f"Written by skgenre {version('skgenre')}, scikit-learn {sklearn.__version__}, "
                f"numpy {np.__version__} (format {FORMAT})",
            ],
        ),
        (
            "network",
            [
                "Input MFCCSegmenter at 8,000 Hz, up to 10 segments of 3 s from the start; trained "
                "on changed copies, too: robust",
                "Classifier SegmentScaler, ANNClassifier(2,463 parameters, 1 epochs)",
                NEVER,
            ],
        ),
        ("whole", ["Input GTZANFeatures at 22,050 Hz, one row per track", NEVER]),
        (
            "vote",
            [
                "Input MFCCSegmenter at 22,050 Hz, up to 2 segments of 3 s spread over the track",
                "Input GTZANFeatures at 22,050 Hz, one row per track",
                NEVER,
            ],
        ),
        (
            "table",
            [
                "Genres (2) 0, 1",
                "Description none",
                "Input features instead of audio files",
                "Classifier SimpleImputer, StandardScaler, KNeighborsClassifier",
            ],
        ),
    ],
)
def test_info_says_what_a_model_is(name, lines, models, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    result = run("info", models / name)
    assert result.exit_code == 0, result.output
    found = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert found[0].startswith(f"Model {models / name} (")
    for line in lines:
        assert line in found, result.stdout


@pytest.mark.parametrize("installed", [True, False])
@pytest.mark.parametrize("name", [None, "table", "musicnn"])
def test_info_of_the_starter_models(name, installed, run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for module in ("skgenre.pipelines", "skgenre.features.musicnn"):
        monkeypatch.setattr(f"{module}.musicnn_is_installed", lambda: installed)
    result = run("info", *[name] * (name is not None))
    assert result.exit_code == 0, result.output
    assert max(map(len, result.stdout.splitlines())) <= 80
    text = " ".join(result.stdout.split())
    if name == "musicnn" or (name is None and installed):
        assert "MusicnnEmbedder at 16,000 Hz, all segments of 2.992 s" in text
        assert f"musicnn 0.1.0, which is {'' if installed else 'not '}installed" in text
        assert "Unsure below a probability of 0.33, above which 80% of the predictions" in text
    else:
        assert "GTZANFeatures at 22,050 Hz, all segments of 30 s" in text
        assert "nothing beyond skgenre" in text
    assert "Genres (10) blues, classical, country, disco" in text
    assert "also tracks unlike the training tracks" in text
    assert "trained on" in text


def test_info_of_a_starter_does_not_shadow_a_file(models, run, monkeypatch):
    monkeypatch.chdir(models)
    assert "KNeighborsClassifier" in run("info", "table").stdout
