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
NOT_HERE = ("make demo", "make test", "pip install", "python3 -m venv")


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


@pytest.mark.slow
@pytest.mark.parametrize(("page", "n"), [("README.md", 4), ("docs/getting_started.rst", 4)])
def test_what_is_pasted_runs(page, n, tmp_path):
    lay_out(tmp_path / "music")
    # Whatever it is called: the ending of a name does not matter.
    (tmp_path / "song.mp3").symlink_to(load_folder(tmp_path / "music").data[5])
    code = blocks(ROOT / page)
    assert len(code) == n
    env = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for language, text in code:
        command = {"bash": ["bash", "-euc", text], "python": [sys.executable, "-c", text]}[language]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, (text, done.stderr)
        assert not without_tensorflows_start(done.stderr), (text, done.stderr)
        assert done.stdout
    assert (tmp_path / "model.skgenre").stat().st_size > 1000
    assert (tmp_path / "timeline.png").read_bytes()[1:4] == b"PNG"
