"""Stores: the same tensor as in memory, whatever came between."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skgenre import (
    CNNClassifier,
    MFCCSegmenter,
    UnreadableTracksError,
    extract_store,
    load_store,
)
from skgenre.audio import AudioFile
from skgenre.features import store

from .conftest import make_sound, write_sound


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    durations = [1.2, 0.5, 2.3, 1.1, 0.9]
    return [
        write_sound(folder / f"{i}.wav", make_sound(duration, seed=i))
        for i, duration in enumerate(durations)
    ]


@pytest.fixture
def segmenter():
    return MFCCSegmenter(segment_duration=0.5, n_segments=3)


@pytest.fixture
def opened(monkeypatch):
    """Names of the files that are opened."""
    names = []
    init = AudioFile.__init__

    def counting(self, path, *args, **kwargs):
        names.append(str(path))
        init(self, path, *args, **kwargs)

    monkeypatch.setattr(AudioFile, "__init__", counting)
    return names


def test_holds_what_transform_gives(segmenter, paths, tmp_path):
    store = extract_store(segmenter, paths, tmp_path / "store")
    assert isinstance(store.data, np.memmap)
    assert not store.data.flags.writeable
    assert_array_equal(store.data, segmenter.transform(paths))
    assert store.filenames == [str(path) for path in paths]
    assert_array_equal(load_store(tmp_path / "store").data, store.data)


def test_a_finished_store_reads_no_audio(segmenter, paths, tmp_path, opened):
    extract_store(segmenter, paths, tmp_path)
    opened.clear()
    extract_store(segmenter.set_params(n_jobs=2, verbose=0), paths, tmp_path)
    assert not opened


def test_goes_on_where_it_was_interrupted(segmenter, paths, tmp_path, monkeypatch, opened):
    """And the files are those of one go, to the byte."""
    extract = MFCCSegmenter._extract

    def interrupted(self, path):
        if str(path) == str(paths[3]):
            raise KeyboardInterrupt
        return extract(self, path)

    with monkeypatch.context() as patch:
        patch.setattr(MFCCSegmenter, "_extract", interrupted)
        with pytest.raises(KeyboardInterrupt):
            extract_store(segmenter, paths, tmp_path / "store")
    with pytest.raises(ValueError, match="not finished; call extract_store again"):
        load_store(tmp_path / "store")
    opened.clear()
    store = extract_store(segmenter, paths, tmp_path / "store")
    assert opened == [str(path) for path in paths[3:]]
    assert_array_equal(store.data, segmenter.transform(paths))
    extract_store(segmenter, paths, tmp_path / "whole")
    for name in ("tensor.npy", "checksums.npy", "manifest.json"):
        assert (tmp_path / "store" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_damaged_row_is_computed_again(segmenter, paths, tmp_path, opened):
    """As after a machine has lost power: the last rows may be half on disk."""
    extract_store(segmenter, paths, tmp_path)
    manifest = tmp_path / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"complete": true', '"complete": false'))
    tensor = np.load(tmp_path / "tensor.npy", mmap_mode="r+")
    tensor[2, 1, 7:] = 0
    tensor.flush()
    opened.clear()
    store = extract_store(segmenter, paths, tmp_path)
    assert opened == [str(paths[2])]
    assert_array_equal(store.data, segmenter.transform(paths))


def test_tracks_that_cannot_be_used(segmenter, paths, tmp_path, opened):
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no sound")
    X = [paths[0], bad, paths[2]]
    with pytest.raises(UnreadableTracksError, match=r"1 of 3 .*\n.*bad.wav"):
        extract_store(segmenter, X, tmp_path / "store")
    opened.clear()
    with pytest.warns(UserWarning, match=r"1 of 1 tracks .*\n.*bad.wav"):
        store = extract_store(segmenter.set_params(on_error="warn"), X, tmp_path / "store")
    assert opened == [str(bad)]  # the others were kept
    assert np.isnan(store.data[1]).all()
    assert_array_equal(store.data[[0, 2]], segmenter.transform([paths[0], paths[2]]))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"n_mfcc": 12}, "differs in parameters;"),
        ({"segment_duration": 0.4}, "differs in parameters;"),
        ({}, "differs in tracks;"),
    ],
)
def test_a_folder_belongs_to_its_tracks_and_parameters(segmenter, paths, tmp_path, change, named):
    extract_store(segmenter, paths, tmp_path)
    before = (tmp_path / "tensor.npy").read_bytes()
    with pytest.raises(ValueError, match=named):
        extract_store(segmenter.set_params(**change), paths if change else paths[1:], tmp_path)
    assert (tmp_path / "tensor.npy").read_bytes() == before


def test_a_changed_file_or_library_is_noticed(segmenter, paths, tmp_path, monkeypatch):
    changing = write_sound(tmp_path / "a.wav", make_sound(0.6))
    extract_store(segmenter, [changing], tmp_path / "store")
    with monkeypatch.context() as patch:
        patch.setattr("skgenre.features.store.versions", lambda: ("another",))
        with pytest.raises(ValueError, match="differs in versions;"):
            extract_store(segmenter, [changing], tmp_path / "store")
    write_sound(changing, make_sound(0.7))
    with pytest.raises(ValueError, match="differs in tracks;"):
        extract_store(segmenter, [changing], tmp_path / "store")


def test_two_processes_do_not_write_one_store(segmenter, paths, tmp_path):
    with store._locked(tmp_path), pytest.raises(ValueError, match="another process is extracting"):
        extract_store(segmenter, paths, tmp_path)
    assert len(extract_store(segmenter, paths, tmp_path).data) == len(paths)


def test_numbers_of_numpy_are_numbers(segmenter, paths, tmp_path):
    segmenter.set_params(n_mfcc=np.int64(7), segment_duration=np.float64(0.5))
    assert extract_store(segmenter, paths, tmp_path).data.shape[-1] == 7
    assert extract_store(segmenter.set_params(n_mfcc=7), paths, tmp_path).data.shape[-1] == 7


def test_bad_input(segmenter, paths, tmp_path):
    with pytest.raises(ValueError, match=r"track_shape of \(None, 130, 13\) has no fixed size"):
        extract_store(MFCCSegmenter(n_segments=None), paths, tmp_path)
    with open(paths[0], "rb") as file, pytest.raises(TypeError, match="requires paths"):
        extract_store(segmenter, [file], tmp_path)
    with pytest.raises(ValueError, match="contains no store"):
        load_store(tmp_path)
    for text, message in [
        ("{", "is damaged"),
        ("[]", "not the manifest"),
        ('{"format": 1}', "not the manifest"),
    ]:
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            load_store(tmp_path)


def test_networks_fit_from_a_store_as_from_memory(segmenter, paths, tmp_path):
    store = extract_store(segmenter, paths, tmp_path)
    y = ["a", "b", "a", "b", "a"]
    network = CNNClassifier(filters=(4,), dense_units=4, epochs=2, random_state=0)
    stored = network.fit(store.data, y).weights_
    in_memory = network.fit(np.array(store.data), y).weights_
    for a, b in zip(stored, in_memory, strict=True):
        assert_array_equal(a, b)
