"""Broken runs: killed, interrupted, out of space."""

import random

import numpy as np
import pytest
from joblib._store_backends import CacheWarning
from joblib.memory import Memory

from skgenre import MFCCSegmenter

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
from skgenre import TrackExtractor
class Slow(TrackExtractor):
    track_shape = (1,)
    def extract_track(self, audio):
        time.sleep(0.1)
        return audio.read(0, 1)
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


def test_a_cache_that_cannot_be_written(tmp_path, paths, monkeypatch):
    """As on a full disk: a warning, and the numbers all the same."""
    # joblib notes the source of what it caches first, and once.
    expected = MFCCSegmenter(segment_duration=0.5, memory=tmp_path / "a").transform(paths[:2])

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("joblib._store_backends.concurrency_safe_write", full)
    segmenter = MFCCSegmenter(segment_duration=0.5, memory=tmp_path / "b")
    with pytest.warns(CacheWarning, match="Unable to cache to disk.*No space left"):
        found = segmenter.transform(paths[:2])
    np.testing.assert_array_equal(found, expected)


def test_a_cache_where_no_folder_can_be(tmp_path, paths):
    (tmp_path / "file").touch()
    expected = MFCCSegmenter(segment_duration=0.5).transform(paths[:2])
    for memory in (str(tmp_path / "file" / "cache"), Memory(None)):
        segmenter = MFCCSegmenter(segment_duration=0.5, memory=memory)
        if isinstance(memory, str):
            with pytest.raises(OSError, match="cache"):
                segmenter.transform(paths[:2])
        else:
            np.testing.assert_array_equal(segmenter.transform(paths[:2]), expected)


def test_a_damaged_cache_entry_is_computed_again(tmp_path, paths, caplog):
    segmenter = MFCCSegmenter(segment_duration=0.5, memory=tmp_path)
    expected = segmenter.transform(paths)
    entries = list(tmp_path.rglob("output.pkl"))
    assert len(entries) == len(paths)
    for i, entry in enumerate(entries):
        content = entry.read_bytes()
        entry.write_bytes(content[: len(content) * i // len(entries)])
    found = segmenter.transform(paths)
    assert caplog.text.count("Exception while loading results") == len(paths)
    np.testing.assert_array_equal(found, expected)


def test_a_store_on_a_full_disk(tmp_path, paths, monkeypatch):
    from skgenre import extract_store, load_store

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    segmenter = MFCCSegmenter(segment_duration=0.5)
    with monkeypatch.context() as patch:
        patch.setattr("skgenre.features.store._Rows._put", full)
        with pytest.raises(OSError, match="No space left"):
            extract_store(segmenter, paths, tmp_path / "store")
    with pytest.raises(ValueError, match="contains no store"):
        load_store(tmp_path / "store")
    assert len(extract_store(segmenter, paths, tmp_path / "store").data) == len(paths)
