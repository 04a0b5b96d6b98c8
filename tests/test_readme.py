"""What the README and the page on getting started tell people to paste, pasted."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import without_tensorflows_start

ROOT = Path(__file__).parent.parent
GETTING_STARTED = ROOT / "docs" / "getting_started.rst"

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
}


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
    lines = without_tensorflows_start(done.stderr).splitlines()
    # Where musicnn is not installed, predict says how to install it.
    assert all(line.startswith("Note: ") for line in lines), (command, done.stderr)
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
        for old, new in LESS.items():
            text = text.replace(old, new)
        command = {"bash": ["bash", "-euc", text], "python": [sys.executable, "-c", text]}[language]
        assert run(command, tmp_path)
    for name in files:
        assert (tmp_path / name).stat().st_size > 1000


SCRIPTS = {
    "grid_search": (["music"], r"[01]\.\d\d with .*filters.*\n"),
    "train_pipeline": (["music"], ""),
    "predict_files": (["song.wav"], r".*: (classical|disco|metal) \([01]\.\d\d\)\n"),
    "compare_models": (
        ["music"],
        r"(\w+: [01]\.\d\d \+- [01]\.\d\d\ndifference [+-][01]\.\d\d, 95 % interval .*\n){2}"
        r"(.*\n)+",
    ),
}


@pytest.mark.slow
def test_the_scripts_run(tmp_path):
    make_music(tmp_path)
    for name, (args, output) in SCRIPTS.items():
        text = (ROOT / "examples" / f"{name}.py").read_text()
        assert len(text.splitlines()) <= 25
        for old, new in LESS.items():
            text = text.replace(old, new)
        assert re.fullmatch(output, run([sys.executable, "-c", text, *args], tmp_path)), name
