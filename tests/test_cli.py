"""The command line: what goes to which stream, and one line for each mistake."""

import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner
from numpy.testing import assert_array_equal

from skgenre import MFCCSegmenter, extract_store, load_store
from skgenre.cli import main

from .conftest import make_sound, write_sound


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


@pytest.fixture
def run():
    def run(*args):
        return CliRunner().invoke(main, [str(arg) for arg in args])

    return run


def test_extract_makes_the_store_that_the_library_makes(folder, tmp_path, run):
    result = run("extract", folder, "-o", tmp_path / "store", "--segments", 2)
    assert result.exit_code == 0, result.output
    paths = sorted(str(path) for path in folder.rglob("[!.]*.wav"))
    store = load_store(tmp_path / "store")
    assert store.filenames == paths
    assert_array_equal(store.data, MFCCSegmenter(n_segments=2).transform(paths))
    same = extract_store(MFCCSegmenter(n_segments=2), paths, tmp_path / "store")
    assert_array_equal(same.data, store.data)


def test_extract_leaves_out_what_cannot_be_read_unless_strict(folder, tmp_path, run):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"junk")
    result = run("extract", folder, bad, "-o", tmp_path / "store")
    assert result.exit_code == 0
    assert "Warning: 1 of 5 tracks cannot be used" in result.stderr
    assert np.isnan(load_store(tmp_path / "store").data[4]).all()
    result = run("extract", folder, bad, "-o", tmp_path / "strict", "--strict")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: 1 of 5 tracks cannot be used")
    assert len(result.stderr.splitlines()) == 1


def test_mistakes_are_one_line(tmp_path, run):
    for args, message in [
        ((tmp_path / "none",), f"there is no file or folder {tmp_path / 'none'}"),
        ((tmp_path,), f"{tmp_path} holds no audio files"),
    ]:
        result = run("extract", *args, "-o", tmp_path / "store")
        assert result.exit_code == 1
        assert message in result.stderr
        assert len(result.stderr.splitlines()) == 1


def test_help_loads_neither_tensorflow_nor_scikit_learn():
    code = (
        "import sys\n"
        "from skgenre.cli import main\n"
        "main(['extract', '--help'], standalone_mode=False)\n"
        "print(sorted({'tensorflow', 'keras', 'sklearn', 'librosa'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines()[-1] == "[]"


def test_module_runs_as_a_program():
    command = [sys.executable, "-m", "skgenre", "--version"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out.startswith("skgenre, version ")
