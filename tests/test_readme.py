"""What the README, the page on getting started and the cookbook tell people to paste, pasted."""

import ast
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skgenre
from skgenre.datasets import make_tracks

ROOT = Path(__file__).parent.parent
GETTING_STARTED = ROOT / "docs" / "getting_started.rst"
COOKBOOK = ROOT / "docs" / "cookbook.rst"

#: What makes an environment or runs the tests; the rest is run.
NOT_HERE = ("pip install", "python3 -m venv")

#: Less is computed than a user would.
LESS = {
    "CNNClassifier()": "CNNClassifier(epochs=1)",
    "(16, 16), (32, 32, 32)]": "(4,)]",
    "--report report.html": "--report report.html --robustness 3 --no-augment",
    "skgenre train music": "skgenre train music --no-augment",
    "CNNClassifier(epochs=10)": "CNNClassifier(epochs=1)",
    "LSTMClassifier(random_state=0)": "LSTMClassifier(epochs=2, random_state=0)",
    "hidden_units=(64,)": "hidden_units=(8,), epochs=2",
    'class_weight="balanced")': 'class_weight="balanced", cnnclassifier__epochs=1)',
}


def shorten(text):
    """Replace what takes long in a piece of code."""
    for old, new in LESS.items():
        text = text.replace(old, new)
    return text


def blocks(path):
    """Code of a page in its order, as (language, text)."""
    text = path.read_text()
    if path.suffix == ".md":
        found = re.findall(r"^```(\w+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    else:
        found = re.findall(
            r"^\.\. code-block:: (\w+)\n\n(.*?)(?=^\S|\Z)", text, re.MULTILINE | re.DOTALL
        )
        found = [(language, re.sub(r"^    ", "", code, flags=re.M)) for language, code in found]
    return [(language, code) for language, code in found if not code.startswith(NOT_HERE)]


def make_music(folder):
    """Run the code by which "Getting started" makes a collection and a song."""
    [code] = [code for _, code in blocks(GETTING_STARTED) if "make_tracks" in code]
    run([sys.executable, "-c", code], folder)


def run(command, folder):
    """Run a command in a folder as a user does, and return its output."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, (command, done.stderr)
    # Where musicnn is not installed, predict says how to install it.
    notes = [line for line in done.stderr.splitlines() if not line.startswith("Note: ")]
    assert not notes, (command, done.stderr)
    return done.stdout


@pytest.mark.parametrize(
    ("page", "files"),
    [
        (ROOT / "README.md", ["model.skgenre", "model.joblib"]),
        pytest.param(GETTING_STARTED, ["model.skgenre", "timeline.png"], marks=pytest.mark.slow),
    ],
)
def test_what_is_pasted_runs(page, files, tmp_path):
    make_music(tmp_path)
    (tmp_path / "song.mp3").symlink_to("song.wav")  # the name does not matter
    for language, text in blocks(page):
        if "make_tracks" in text:
            continue
        text = shorten(text)
        command = {"bash": ["bash", "-euc", text], "python": [sys.executable, "-c", text]}[language]
        assert run(command, tmp_path)
    for name in files:
        assert (tmp_path / name).stat().st_size > 1000


def test_the_cookbook_runs(tmp_path, monkeypatch, capsys):
    """Code runs in this process, since each new one would load TensorFlow again."""
    monkeypatch.chdir(tmp_path)
    make_tracks(4, genres=3, duration=6, artists_per_genre=4, random_state=0, folder="music")
    for language, text in blocks(COOKBOOK):
        if language == "bash":
            run(["bash", "-euc", text], tmp_path)
        elif language == "python":
            scope = {"__name__": "pasted"}
            exec(compile(shorten(text), COOKBOOK, "exec"), scope)
            if "app" in scope:
                check_the_server(scope["app"], tmp_path)
    for name in ("features.csv", "predictions.csv"):
        assert len((tmp_path / name).read_text().splitlines()) == 1 + 12
    assert capsys.readouterr().out.count("mean recall") == 2
    assert "reggae" in skgenre.load("model.skgenre").classes_


def check_the_server(app, folder):
    """A sound is answered with probabilities, anything else with an error of the client."""
    statuses = []

    def ask(body):
        environ = {"CONTENT_LENGTH": str(len(body)), "wsgi.input": io.BytesIO(body)}
        [answer] = app(environ, lambda status, headers: statuses.append(status))
        return json.loads(answer)

    proba = ask(next(folder.rglob("*.wav")).read_bytes())
    assert sum(proba.values()) == pytest.approx(1, abs=0.01)
    assert set(ask(b"no sound")) == {"error"}
    assert statuses == ["200 OK", "400 Bad Request"]


#: The scripts of the gallery, of which the demo is not a part.
GALLERY = [path for path in sorted((ROOT / "examples").rglob("*.py")) if path.stem != "demo"]

SCRIPTS = {
    "grid_search": r"[01]\.\d\d with .*filters.*\n",
    "train_pipeline": "",
    "predict_files": r".*: (classical|disco|metal) \([01]\.\d\d\)\n",
    "compare_models": (
        r"(\w+: [01]\.\d\d \+- [01]\.\d\d\ndifference [+-][01]\.\d\d, 95 % interval .*\n){2}"
    ),
}


@pytest.mark.slow
def test_the_scripts_run(tmp_path):
    make_music(tmp_path)
    for name, output in SCRIPTS.items():
        text = (ROOT / "examples" / f"{name}.py").read_text()
        assert len(text.splitlines()) <= 25
        assert re.fullmatch(output, run([sys.executable, "-c", shorten(text)], tmp_path)), name


@pytest.mark.parametrize("script", GALLERY, ids=lambda path: path.stem)
def test_examples_run_as_notebooks(script):
    """A notebook has no arguments and no file of its own."""
    for node in ast.walk(ast.parse(script.read_text())):
        if isinstance(node, ast.Attribute):
            assert (getattr(node.value, "id", ""), node.attr) != ("sys", "argv")
        assert getattr(node, "id", "") != "__file__"
