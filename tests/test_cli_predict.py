"""``skgenre predict``: rows as they are known, names that do no harm, a table for people."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import threading
import unicodedata

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

from skgenre import (
    GroupCalibratedClassifier,
    MFCCSegmenter,
    SegmentSummary,
    make_baseline,
    save,
    timeline,
)
from skgenre.audio import AudioFile, load_audio, reader
from skgenre.cli import errors, inputs, main, predictions, writers
from skgenre.features import musicnn
from skgenre.timeline import predict_segments

from .conftest import make_sound, write_sound

posix = pytest.mark.skipif(os.name != "posix", reason="signals, pipes and names of POSIX")


@pytest.fixture(scope="module")
def music(tmp_path_factory):
    folder = tmp_path_factory.mktemp("music")
    for i, name in enumerate(["jazz/a.wav", "jazz/b.wav", "rock/c.wav"]):
        (folder / name).parent.mkdir(exist_ok=True)
        write_sound(folder / name, make_sound(2.4, seed=i))
    return folder


@pytest.fixture(scope="module")
def pipeline(music):
    segmenter = MFCCSegmenter(segment_duration=0.5, n_segments=2, placement="spread")
    pipe = make_pipeline(segmenter, SegmentSummary(), make_baseline("logistic"))
    return pipe.fit(sorted(map(str, music.rglob("*.wav"))), ["jazz", "jazz", "rock"])


@pytest.fixture(scope="module")
def model(pipeline, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.skgenre"
    save(pipeline, path, description="trained on sounds")
    return path


def start(*args, **kwargs):
    return subprocess.Popen(
        [sys.executable, "-m", "skgenre", *map(os.fspath, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **kwargs,
    )


# ---------------------------------------------------------------- rows as they are known


@pytest.mark.parametrize("form", ["csv", "jsonl", "table"])
def test_a_row_is_written_before_the_next_is_known(music, model, run, form, monkeypatch):
    """The second track waits until the first is read from standard output, or for ever."""
    lines, written = [], threading.Event()
    original = predictions._predict

    def waiting(pipeline, path, *args):
        if path.endswith("b.wav"):
            assert written.wait(timeout=30)
        return original(pipeline, path, *args)

    class Stream(io.BytesIO):
        def write(self, content):
            lines.append(bytes(content).decode())
            if "a.wav" in lines[-1]:
                written.set()
            return super().write(content)

    monkeypatch.setattr(predictions, "_predict", waiting)
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(Stream(), "utf-8"))
    args = [str(music), "--model", str(model), "--format", form, "--jobs", "2"]
    main(["predict", *args], standalone_mode=False)
    assert [name for name in ("a.wav", "b.wav", "c.wav") if name in "".join(lines)] == [
        *("a.wav", "b.wav", "c.wav")
    ]


@posix
def test_ctrl_c_keeps_the_rows_that_are_known(music, model, tmp_path):
    long = write_sound(tmp_path / "long.wav", np.tile(make_sound(60), 10))
    first = [music / "jazz/a.wav", music / "jazz/b.wav"]
    listening = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    args = ["--model", model, "--timeline", "--format", "jsonl", "--jobs", "1"]
    with start("predict", *first, long, *args, **listening) as process:
        rows = [json.loads(process.stdout.readline()) for _ in first]
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert [row["path"] for row in rows] == [str(path) for path in first]
    assert (out, err, process.returncode) == (b"", b"", 130)


@posix
def test_a_closed_pipe_ends_quietly(music, model):
    with start("predict", music, "--model", model) as process:
        assert process.stdout.readline() == b"path,genre,probability,unsure,reason\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


# ---------------------------------------------------------------- names


@posix
def test_a_name_that_is_not_utf8_goes_through_each_format(music, model, run, tmp_path):
    name = os.fsdecode(b"caf\xe9.wav")
    try:
        (tmp_path / name).hardlink_to(music / "jazz/a.wav")
    except OSError:
        pytest.skip("needs a file system of any bytes")
    path = os.fspath(tmp_path / name)
    out = run("predict", tmp_path, "--model", model, "--format", "csv")
    assert out.exit_code == 0, out.output
    assert os.fsencode(path) in out.stdout_bytes
    [row] = csv.DictReader(io.StringIO(out.stdout_bytes.decode("utf-8", "surrogateescape")))
    assert row["path"] == path
    out = run("predict", tmp_path, "--model", model, "--format", "jsonl")
    assert json.loads(out.stdout_bytes.decode("ascii"))["path"] == path
    out = run("predict", tmp_path, "--model", model, "--format", "table")
    assert r"caf\xe9.wav" in out.stdout
    (tmp_path / name).unlink()
    (tmp_path / name).write_bytes(b"junk")
    result = run("predict", tmp_path, "--model", model)
    assert result.exit_code == 1
    assert r"caf\xe9.wav: not audio" in result.stderr


EVIL = "\x1b]0;title\x07\x1b[2J\u202eevil\x9b.wav"


@posix
def test_control_characters_reach_no_terminal(music, model, run, tmp_path, monkeypatch):
    evil = tmp_path / EVIL
    evil.hardlink_to(music / "jazz/a.wav")
    (tmp_path / f"bad{EVIL}").write_bytes(b"junk")
    monkeypatch.setattr(sys.modules["skgenre.cli.predict"], "on_a_terminal", lambda: True)
    outputs = [
        run("predict", tmp_path, "--model", model, "--format", "table"),
        run("predict", f"{tmp_path}/{EVIL}x", "--model", model),
        run("predict", tmp_path, "--model", evil),
        run("extract", evil, tmp_path, "-o", tmp_path / EVIL[:-4]),
        run("predict", evil, f"--{EVIL}"),
        run(EVIL),
        run("evaluate", tmp_path / EVIL[:-4]),
        run("--traceback", "evaluate", f"{tmp_path}/{EVIL}x"),
    ]
    shown = "".join(output.stdout + output.stderr for output in outputs)
    assert not [c for c in shown if unicodedata.category(c) == "Cc" and c not in "\r\n\t"]
    assert "\u202e" not in shown
    assert r"\x1b]0;title\x07\x1b[2J\u202eevil\x9b.wav" in shown
    assert "trained on sounds" in shown


def test_csv_on_a_terminal_escapes_what_it_keeps_in_a_file(capsysbinary, monkeypatch):
    for shown in (False, True):
        monkeypatch.setattr(sys.stdout, "isatty", lambda shown=shown: shown)
        writers.CSV().write({"path": "a\x1b[2J", "genre": "g"})
        out = capsysbinary.readouterr().out
        assert (rb"a\x1b[2J,g" if shown else b"a\x1b[2J,g") in out


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t"])
def test_no_cell_of_csv_is_a_formula(begin, capsysbinary):
    track = {"path": f"{begin}cmd", "genre": f"{begin}1", "probability": 0.5}
    writers.CSV().write(track)
    text = capsysbinary.readouterr().out.decode()
    [row] = csv.DictReader(io.StringIO(text, newline=""))
    assert row == {
        "path": f"'{begin}cmd",
        "genre": f"'{begin}1",
        "probability": "0.5",
        "unsure": "",
        "reason": "",
    }


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["predict", "x", "--jobs", "100000"], "100000 is not in the range 1<=x<=256"),
        (["extract", "x", "-o", "y", "--segments", "0"], "0 is not in the range 1<=x<=28800"),
        (["train", "x", "-o", "y", "--seed", "-1"], "-1 is not in the range"),
    ],
)
def test_numbers_that_cannot_be_are_refused_with_the_value(run, args, words):
    result = run(*args)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


def test_an_expected_error_is_one_line_and_a_traceback_if_asked_for(run, tmp_path):
    result = run("predict", tmp_path / "none")
    assert result.stderr == f"Error: there is no file or folder {tmp_path / 'none'}\n"
    result = run("--traceback", "predict", tmp_path / "none")
    assert result.exit_code == 1
    assert result.stderr.startswith("Traceback (most recent call last):")
    assert result.stderr.endswith(
        f"FileNotFoundError: there is no file or folder {tmp_path}/none\n"
    )


@pytest.mark.parametrize("mistake", [TypeError, KeyError, RuntimeError, ValueError])
def test_a_mistake_of_ours_shows_its_traceback(run, music, monkeypatch, mistake):
    def broken(sources):
        raise mistake("deep inside")  # not in the package, as in a library

    monkeypatch.setattr(inputs, "audio_files", broken)
    result = run("predict", music)
    assert result.exit_code == 1
    assert "Traceback" in result.stderr
    assert "in broken" in result.stderr


def test_expected_errors():
    def raised(call, *args):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            call(*args)
        return caught.value

    assert errors.is_expected(raised(open, "/nowhere/at all"))
    assert errors.is_expected(raised(load_audio, "/nowhere/at all"))
    assert not errors.is_expected(raised(np.zeros, -1))
    assert not errors.is_expected(raised(len, 3))


def test_a_timeline_needs_probabilities(run, music, pipeline, tmp_path):
    svm = make_pipeline(*pipeline[:2], SVC()).fit(
        sorted(map(str, music.rglob("*.wav"))), ["jazz", "jazz", "rock"]
    )
    save(svm, tmp_path / "svm.skgenre")
    result = run("predict", music, "--model", tmp_path / "svm.skgenre", "--timeline")
    assert result.exit_code == 1
    assert (
        "does not predict probabilities, which --timeline requires; train another" in result.stderr
    )
    result = run("predict", music, "--model", tmp_path / "svm.skgenre", "--format", "table")
    assert result.stdout.splitlines()[0].split() == ["path", "genre"]


# ---------------------------------------------------------------- the table


def proba(**values):
    return {"probability": max(values.values()), "probabilities": values}


def test_the_table(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(os.path, "isdir", lambda path: True)
    paths = ["/m/short.wav", "/m/a folder with a long name/an album/01 A song.wav"]
    table = writers.Table(paths, ["/m"], ["classical", "rock"])
    table.write({"path": paths[0], "genre": "rock", **proba(classical=0.126, rock=0.874)})
    second = {"path": paths[1], "genre": "classical", **proba(classical=0.9, rock=0.1)}
    second["timeline"] = [
        {"start": 0, "stop": 3, "genre": "classical", **proba(classical=0.9, rock=0.1)},
        {"start": 3, "stop": 12, "genre": "classical", **proba(classical=0.7, rock=0.3)},
        {"start": 12, "stop": 3723, "genre": "rock", **proba(classical=0.4, rock=0.6)},
    ]
    table.write(second)
    table.finish(2)
    assert capsys.readouterr().out.splitlines() == [
        "path                       genre      prob  runner-up",
        "short.wav                  rock       0.87  classical 0.13",
        "a folde...m/01 A song.wav  classical  0.90  rock 0.10",
        "  0:00-0:12                classical  0.75  rock 0.25",
        "  0:12-1:02:03             rock       0.60  classical 0.40",
        "",
        "2 of 4 tracks: rock 1, classical 1; 2 cannot be used",
    ]


@pytest.mark.parametrize("columns", ["40", "80", "132"])
def test_no_line_is_wider_than_the_terminal(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    name = "音楽/" * 30 + "01.wav"
    table = writers.Table([name], [name], ["jazz", "rock"])
    table.write({"path": name, "genre": "rock", **proba(jazz=0.1, rock=0.9)})
    lines = capsys.readouterr().out.splitlines()
    assert max(map(writers.width, lines)) <= int(columns)
    assert "..." in lines[1]
    assert "1.wav" in lines[1]


def test_names_are_relative_to_the_folder(music, model, run):
    result = run("predict", music, "--model", model, "--format", "table")
    first = [line.split()[0] for line in result.stdout.splitlines() if line]
    assert first[:4] == ["path", "jazz/a.wav", "jazz/b.wav", "rock/c.wav"]
    assert result.stdout.splitlines()[-1].startswith("3 tracks: ")


def test_csv_and_json_lines_hold_all_parts(music, model, run):
    path = music / "jazz/a.wav"
    args = ("predict", path, "--model", model, "--timeline", "--format")
    rows = list(csv.DictReader(io.StringIO(run(*args, "csv").stdout)))
    assert [row["start"] for row in rows] == ["0.0", "0.5", "1.0", "1.5"]
    assert list(rows[0]) == ["path", "start", "stop", "genre", "probability"]
    track = json.loads(run(*args, "jsonl").stdout)
    assert [part["stop"] for part in track["timeline"]] == [0.5, 1.0, 1.5, 2.0]
    lines = run(*args, "table").stdout.splitlines()
    assert (
        len(lines) < 2 + len(track["timeline"]) or len({p["genre"] for p in track["timeline"]}) > 1
    )


@pytest.mark.parametrize("timeline", [True, False])
def test_csv_has_a_column_for_each_genre(timeline, music, model, run):
    args = ("predict", music / "jazz/a.wav", "--model", model, "--probabilities")
    args += ("--timeline",) * timeline
    rows = list(csv.DictReader(io.StringIO(run(*args).stdout)))
    track = json.loads(run(*args, "--format", "jsonl").stdout)
    assert list(rows[0])[-2:] == ["jazz", "rock"]
    expected = [part["probabilities"] for part in (track["timeline"] if timeline else [track])]
    assert [{name: float(row[name]) for name in ("jazz", "rock")} for row in rows] == expected


def test_a_table_has_no_column_for_each_genre(music, model, run):
    result = run("predict", music, "--model", model, "--probabilities", "--format", "table")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: --probabilities requires --format csv")


def test_genres_named_like_columns_have_their_probabilities(capsysbinary):
    track = {"path": "a", "genre": "path", "probability": 1.0, "probabilities": {"path": 1.0}}
    writers.CSV(["path"], tags=True).write(track)
    head, row = csv.reader(capsysbinary.readouterr().out.decode().splitlines())
    assert (head[0], row[0], head[-1], row[-1]) == ("path", "a", "path", "1.0")


def test_an_empty_unsure_has_its_reason(music, model, run):
    args = ("predict", music / "jazz/a.wav", "--model", model, "--format")
    row = json.loads(run(*args, "jsonl").stdout)
    assert (row["unsure"], row["reason"]) == (None, "the model has no threshold")
    [cells] = csv.DictReader(io.StringIO(run(*args, "csv").stdout))
    assert (cells["unsure"], cells["reason"]) == ("", "the model has no threshold")


@pytest.mark.parametrize("columns", ["30", "60"])
def test_tags_in_a_table_are_those_that_fit(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    table = writers.Table(["a.wav"], ["a.wav"], ["jazz", "rock"])
    tags = {"female vocalists": 0.51, "jazz": 0.4, "Mellow": 0.3, "instrumental": 0.2}
    table.write({"path": "a.wav", "genre": "rock", **proba(jazz=0.1, rock=0.9), "tags": tags})
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("  tags: female vocalists 0.51")
    assert ("Mellow" in last) == (columns == "60")
    assert "instrumental" not in last


# ---------------------------------------------------------------- tags, and what is unsure


class Network:
    """Stands for musicnn: embeddings of zeros, and the second tag before the fifth."""

    n_embedded = 0

    def embed(self, patches):
        self.n_embedded += len(patches)
        return np.zeros((len(patches), 200), np.float32)

    def tag(self, embeddings):
        tags = np.full((len(embeddings), 50), 0.01, np.float32)
        tags[:, [1, 4]] = 0.75, 0.5
        return tags


@pytest.fixture
def song(tmp_path):
    return write_sound(tmp_path / "song.wav", make_sound(3.1))


@pytest.mark.parametrize("form", ["csv", "jsonl", "table"])
def test_the_most_probable_tags(run, model, song, form, monkeypatch):
    monkeypatch.setattr(musicnn, "_published", lambda weights: Network())
    done = run("predict", song, "--model", model, "--tags", "--format", form)
    assert done.exit_code == 0, done.output
    if form == "table":
        assert done.stdout.splitlines()[2].startswith("  tags: pop 0.75, electronic 0.50, ")
    elif form == "csv":
        [row] = csv.DictReader(io.StringIO(done.stdout))
        assert row["tags"].startswith("pop 0.75, electronic 0.50, ")
    else:
        tags = json.loads(done.stdout)["tags"]
        assert list(tags.items())[:2] == [("pop", 0.75), ("electronic", 0.5)]
        assert len(tags) == 5


@pytest.mark.parametrize("of_starter", [True, False])
def test_tags_of_the_starter_model_are_computed_once(of_starter, run, model, song, monkeypatch):
    network = Network()
    monkeypatch.setattr(musicnn, "_published", lambda weights: network)
    args = ("--tags",) if of_starter else ("--tags", "--model", model)
    done = run("predict", song, *args)
    assert "pop 0.75, electronic 0.50, " in done.stdout
    assert network.n_embedded == 1


@pytest.fixture
def no_musicnn(monkeypatch):
    def missing(weights):
        raise musicnn._not_installed("which is not installed")

    monkeypatch.setattr(musicnn, "_published", missing)


@pytest.mark.usefixtures("no_musicnn")
def test_tags_without_musicnn_name_the_command(run, model, song):
    done = run("predict", song, "--model", model, "--tags")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "run 'pip install --no-deps musicnn==0.1.0'" in done.stderr


@pytest.mark.usefixtures("no_musicnn")
def test_the_starter_without_musicnn_says_so_in_one_line(run, model, song):
    done = run("predict", song)
    assert done.exit_code == 0, done.output
    [line] = done.stderr.splitlines()
    assert "pip install --no-deps musicnn==0.1.0" in line
    assert run("predict", song, "--model", model).stderr == ""


def test_the_starter_with_musicnn_says_nothing(run, song, monkeypatch):
    monkeypatch.setattr(musicnn, "_published", lambda weights: Network())
    done = run("predict", song)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "song.wav" in done.stdout


@pytest.fixture(scope="module")
def calibrated(music, pipeline):
    """The pipeline with a calibrated classifier that knows what is unlike its tracks."""
    X = pipeline[:-1].transform(sorted(map(str, music.rglob("*.wav"))) * 2)
    model = GroupCalibratedClassifier(LinearDiscriminantAnalysis(), cv=2, contamination=0.5)
    model.fit(X, ["jazz", "jazz", "rock"] * 2, groups=np.arange(6))
    model.temperature_ = 300.0  # no probability of 1
    return make_pipeline(*pipeline[:-1], model)


@pytest.mark.parametrize(
    ("threshold", "distance", "reason"),
    [(0.0, 1e9, ""), (1.0, 1e9, "low probability"), (1.0, 0.0, "unlike the training tracks")],
)
def test_the_reason_why_a_track_is_unsure(
    calibrated, music, run, tmp_path, threshold, distance, reason
):
    calibrated[-1].threshold_, calibrated[-1].max_distance_ = threshold, distance
    save(calibrated, tmp_path / "model.skgenre")
    args = ("predict", music / "jazz/a.wav", "--model", tmp_path / "model.skgenre", "--format")
    row = json.loads(run(*args, "jsonl").stdout)
    assert (row["unsure"], row["reason"]) == (bool(reason), reason)
    [cells] = csv.DictReader(io.StringIO(run(*args, "csv").stdout))
    assert (cells["unsure"], cells["reason"]) == (str(bool(reason)).lower(), reason)
    table = run(*args, "table").stdout
    assert ("  unsure" in table) == bool(reason)
    assert (reason in table) == (reason != "low probability")  # genres are shown instead


# ---------------------------------------------------------------- long tracks


@pytest.mark.parametrize(("name", "rate"), [("long.wav", 22050), ("long.mp3", 44100)])
def test_a_long_track_is_read_once_in_blocks(name, rate, pipeline, tmp_path, monkeypatch):
    """No more than a block is asked for, and no decoder goes back."""
    path = write_sound(tmp_path / name, make_sound(35, rate), rate)
    whole = MFCCSegmenter(**{**pipeline[0].get_params(), "n_segments": None, "placement": "start"})
    [segments] = whole.transform([path])
    expected = pipeline[1:].predict_proba(segments[:, None])
    asked = []

    class Asked(AudioFile):
        def read(self, start=0, stop=None):
            asked.append(stop - start)
            return super().read(start, stop)

    monkeypatch.setattr(timeline, "AudioFile", Asked)
    monkeypatch.delattr(reader.Reader, "_reopen")
    start, stop, found = predict_segments(pipeline, path)
    assert max(asked) <= 30 * 22050
    assert_allclose(found, expected, atol=1e-4)
    assert_allclose(start, np.arange(len(found)) * 0.5)
    assert_allclose(stop - start, 0.5)


def test_a_tail_gives_the_samples_that_a_new_start_gives(tmp_path):
    path = write_sound(tmp_path / "a.mp3", make_sound(8, 44100), 44100)
    with AudioFile(path) as audio:
        whole = audio.read()
    edges = [(0, 22050), (22050, 44100), (44090, 44100), (44100, 44100), (43000, 60000), (9, 30)]
    with AudioFile(path) as audio:
        for start, stop in [*edges, (60000, None), (100, 200)]:
            assert_allclose(audio.read(start, stop), whole[start:stop], atol=1e-4)


@pytest.mark.parametrize("form", ["csv", "jsonl", "table"])
def test_a_file_from_standard_input(run, music, model, form):
    content = (music / "rock/c.wav").read_bytes()
    args = ("predict", "-", "--model", model, "--format", form, "--timeline")
    done = run(*args, input=content)
    assert done.exit_code == 0, done.output
    expected = run("predict", music / "rock/c.wav", *args[2:])
    found = done.stdout.replace("stdin", os.fspath(music / "rock/c.wav"))
    assert "stdin" in done.stdout
    assert form == "table" or found == expected.stdout


def test_standard_input_that_cannot_be_used(run, model, music):
    done = run("predict", "-", music / "jazz/a.wav", "--model", model, input=b"nothing")
    assert done.exit_code == 1
    assert "Warning: stdin: not audio" in done.stderr
    assert len(list(csv.reader(done.stdout.splitlines()))) == 2
