"""What the README and the page on getting started tell people to paste, pasted."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from skgenre.datasets import load_folder, make_tracks

from .conftest import without_tensorflows_start

ROOT = Path(__file__).parent.parent

#: What makes an environment or runs the tests; the rest is run.
NOT_HERE = ("pip install", "python3 -m venv")


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


def lay_out(folder):
    """A folder of genre folders, six artists each: of recordings 12 s where there are some."""
    gtzan = os.environ.get("SKGENRE_GTZAN")
    if not gtzan:
        tracks = make_tracks(
            6,
            genres=["classical", "disco", "metal"],
            duration=12,
            artists_per_genre=6,
            random_state=0,
            folder=folder.with_name("made"),
        )
        # Names of their own, since those of GTZAN stand for its artists.
        for path, genre, artist in zip(tracks.data, tracks.target, tracks.groups, strict=True):
            target = folder / genre / artist / "song.wav"
            target.parent.mkdir(parents=True)
            target.hardlink_to(path)
        return
    root = Path(gtzan, "three_genres")
    tracks = load_folder(root)
    _, firsts = np.unique(tracks.groups, return_index=True)
    for path in (
        tracks.data[i]
        for genre in tracks.target_names
        for i in firsts[tracks.target[firsts] == genre][:6]
    ):
        y, rate = soundfile.read(path, frames=12 * 22050)
        target = (folder / Path(path).relative_to(root)).with_suffix(".wav")
        target.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(target, y, rate)


def run(command, folder):
    """Run a command in a folder as a user does, and return its output."""
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, (command, done.stderr)
    assert not without_tensorflows_start(done.stderr), (command, done.stderr)
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "n", "files"),
    [
        ("README.md", 4, ["model.skgenre", "model.joblib"]),
        ("docs/getting_started.rst", 4, ["model.skgenre", "timeline.png"]),
    ],
)
def test_what_is_pasted_runs(page, n, files, tmp_path):
    lay_out(tmp_path / "music")
    # Whatever it is called: the ending of a name does not matter.
    (tmp_path / "song.mp3").symlink_to(load_folder(tmp_path / "music").data[5])
    code = blocks(ROOT / page)
    assert len(code) == n
    for language, text in code:
        command = {"bash": ["bash", "-euc", text], "python": [sys.executable, "-c", text]}[language]
        assert run(command, tmp_path)
    for name in files:
        assert (tmp_path / name).stat().st_size > 1000


@pytest.mark.slow
def test_the_scripts_run(tmp_path):
    lay_out(tmp_path / "music")
    song = load_folder(tmp_path / "music").data[5]
    scripts = {
        "train_pipeline": (["music"], ""),
        "predict_files": ([song], r".*: (classical|disco|jazz|metal|rock) \([01]\.\d\d\)\n"),
        "grid_search": (["music"], r"[01]\.\d\d with .*filters.*\n"),
        "compare_models": (["music"], r"(\w+: [01]\.\d\d \+- [01]\.\d\d\n){2}"),
    }
    for name, (args, output) in scripts.items():
        script = ROOT / "examples" / f"{name}.py"
        assert len(script.read_text().splitlines()) <= 25
        assert re.fullmatch(output, run([sys.executable, script, *args], tmp_path)), name
