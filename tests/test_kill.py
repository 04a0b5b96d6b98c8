"""Broken runs: killed, interrupted, out of space."""

import pickle
import random

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skgenre import FrontEnd, extract_store, load_store

from . import kill
from .conftest import make_sound, write_sound


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    return [str(write_sound(folder / f"{i}.wav", make_sound(1.6, seed=i))) for i in range(12)]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["cache", "store", "save"])
def test_a_kill_leaves_nothing_wrong(what, tmp_path, paths):
    """Once each; `python -m tests.kill` does it a hundred times."""
    many = []
    for i in range(120):
        path = tmp_path / f"track{i:03}.wav"
        path.hardlink_to(paths[i % 12])
        many.append(str(path))
    found = kill.KILLERS[what](1, random.Random(1), tmp_path, many)
    assert found["kills"] == 1
    assert found["wrong"] == found["unreadable"] == found["stray files"] == 0


#: Two processes that have begun, and work for a minute.
WORKERS = """
import sys, time
import joblib
from skgenre import FrontEnd
class Slow(FrontEnd):
    track_shape = (1,)
    def extract_track(self, audio):
        time.sleep(0.1)
        return audio.read(0, 1000)[:1]
joblib.parallel_config(backend="loky", n_jobs=2)
Slow().transform(sys.argv[1:13])
print("begins", flush=True)
Slow().transform(sys.argv[1:])
"""


@pytest.mark.slow
def test_an_interrupt_ends_all_workers(paths):
    status, _, n_workers, left = kill.interrupt(WORKERS, 0.5, *(paths * 100))
    assert status != 0  # it was not done by then
    assert n_workers >= 2
    assert left == 0


class Level(FrontEnd):
    """A front end with small rows."""

    track_shape = (1,)

    def extract_track(self, audio):
        return audio.read(0, 1000).max(keepdims=True)


def entries_of(folder):
    """The files of a cache but for that by which joblib marks its folder."""
    return [path for path in folder.rglob("*") if path.is_file() and path.name != ".gitignore"]


def full(*args, **kwargs):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_full_disk_of_a_cache_is_one_warning(n_jobs, tmp_path, paths, monkeypatch):
    expected = Level().transform(paths)
    monkeypatch.setattr("skgenre.features.cache.replace_file", full)
    front = Level(memory=tmp_path, n_jobs=n_jobs)
    with pytest.warns(UserWarning, match=r"12 of 12 .*\n  .*joblib: No space left") as caught:
        np.testing.assert_array_equal(front.transform(paths), expected)
    assert len(caught) == 1
    assert caught[0].filename == __file__


@pytest.mark.parametrize("backend", ["threading", pytest.param("loky", marks=pytest.mark.slow)])
def test_a_cache_where_no_folder_can_be_is_one_warning(backend, tmp_path, paths):
    (tmp_path / "file").touch()
    expected = Level().transform(paths)
    for memory in (tmp_path / "file", tmp_path / "file" / "cache", "/proc/cache", "a\0b"):
        with (
            joblib.parallel_config(backend, n_jobs=2),
            pytest.warns(UserWarning, match="could not be used for 12 of 12") as caught,
        ):
            np.testing.assert_array_equal(Level(memory=memory).transform(paths), expected)
        assert len(caught) == 1


def test_entries_that_can_only_be_read_are_read(tmp_path, paths, monkeypatch):
    expected = Level(memory=tmp_path).transform(paths)
    monkeypatch.setattr("skgenre.features.cache.replace_file", full)
    np.testing.assert_array_equal(Level(memory=tmp_path).transform(paths), expected)


def test_a_pickled_pipeline_predicts_where_its_cache_cannot_be(tmp_path, paths, monkeypatch):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    model = make_pipeline(Level(memory="cache"), LogisticRegression())
    expected = model.fit(paths, [0, 1] * 6).predict(paths)
    monkeypatch.chdir(tmp_path / "there")
    (tmp_path / "there" / "cache").touch()
    with pytest.warns(UserWarning, match="could not be used for 12 of 12") as caught:
        found = pickle.loads(pickle.dumps(model)).predict(paths)
    assert len(caught) == 1
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    "memory", [lambda folder: folder, lambda folder: joblib.Memory(str(folder), verbose=0)]
)
def test_any_flipped_bit_of_an_entry_is_computed_again(memory, tmp_path, paths):
    front = Level(memory=memory(tmp_path))
    expected = front.transform(paths[:1])
    [entry] = entries_of(tmp_path)
    content = entry.read_bytes()
    for i in range(len(content)):
        entry.write_bytes(content[:i] + bytes([content[i] ^ 1 << i % 8]) + content[i + 1 :])
        with pytest.warns(UserWarning, match=r"1 of 1 .*\n  .*was damaged, and is comp") as caught:
            np.testing.assert_array_equal(front.transform(paths[:1]), expected)
        assert len(caught) == 1
        assert entry.read_bytes() == content


def test_truncated_entries_are_one_warning_and_no_log(tmp_path, paths, caplog):
    front = Level(memory=tmp_path)
    expected = front.transform(paths)
    entries = entries_of(tmp_path)
    assert len(entries) == len(paths)
    for i, entry in enumerate(entries):
        content = entry.read_bytes()
        entry.write_bytes(content[: len(content) * i // len(entries)])
    with pytest.warns(UserWarning, match="could not be used for 12 of 12") as caught:
        np.testing.assert_array_equal(front.transform(paths), expected)
    assert len(caught) == 1
    assert not caplog.text
    np.testing.assert_array_equal(front.transform(paths), expected)  # without a warning


def test_joblib_clears_and_reduces_a_cache(tmp_path, paths):
    memory = joblib.Memory(str(tmp_path), verbose=0)
    for remove in (lambda: memory.clear(warn=False), lambda: memory.reduce_size(bytes_limit=0)):
        Level(memory=memory).transform(paths)
        Level(memory=tmp_path).transform(paths)
        assert len(entries_of(tmp_path)) == len(paths)
        remove()
        assert not entries_of(tmp_path)


def test_a_memory_without_a_location_caches_nothing(paths):
    expected = Level().transform(paths[:2])
    np.testing.assert_array_equal(Level(memory=joblib.Memory(None)).transform(paths[:2]), expected)


def test_a_store_on_a_full_disk(tmp_path, paths, monkeypatch):
    store = tmp_path / "store"
    for some in (paths[:2], paths[::-1]):  # the first, and one in which rows change their places
        with monkeypatch.context() as patch:
            patch.setattr("skgenre.features.store._write_row", full)
            with pytest.raises(
                OSError, match=r"No space left .*call extract_store again to resume"
            ):
                extract_store(Level(), some, store)
        with pytest.raises(ValueError, match="is not finished"):
            load_store(store)
        assert not (store / "tensor.new").exists()
        np.testing.assert_array_equal(
            extract_store(Level(), some, store).data, Level().transform(some)
        )


def test_a_store_in_a_folder_that_cannot_be_written(tmp_path, paths, monkeypatch):
    def denied(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("skgenre.features.store.replace_file", denied)
    with pytest.raises(PermissionError, match=r"Permission denied$"):
        extract_store(Level(), paths, tmp_path / "store")
