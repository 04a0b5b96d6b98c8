"""Stores: the same tensor as in memory, whatever came between."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skgenre import (
    CNNClassifier,
    FrontEnd,
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
    for name in ("tensor.npy", "index"):
        assert (tmp_path / "store" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


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
    ],
)
def test_a_folder_belongs_to_its_parameters(segmenter, paths, tmp_path, change, named):
    extract_store(segmenter, paths, tmp_path)
    before = (tmp_path / "tensor.npy").read_bytes()
    with pytest.raises(ValueError, match=named):
        extract_store(segmenter.set_params(**change), paths, tmp_path)
    assert (tmp_path / "tensor.npy").read_bytes() == before


def test_another_version_of_a_library_is_noticed(segmenter, paths, tmp_path, monkeypatch):
    extract_store(segmenter, paths, tmp_path)
    monkeypatch.setattr("skgenre.features.store.versions", lambda: ("another",))
    with pytest.raises(ValueError, match="differs in versions;"):
        extract_store(segmenter, paths, tmp_path)


@pytest.fixture
def files(tmp_path):
    return [write_sound(tmp_path / f"{i}.wav", make_sound(1, seed=i)) for i in range(4)]


LISTS = {
    "removed": lambda files: files[1:],
    "added": lambda files: [files[0].with_name("new.wav"), *files],
    "reordered": lambda files: files[::-1],
    "repeated": lambda files: [*files, files[0], files[3]],
    "all at once": lambda files: [files[3], files[0].with_name("new.wav"), files[1], files[3]],
    "replaced": lambda files: files,
}


NEW = {"added": ["new.wav"], "all at once": ["new.wav"], "replaced": ["2.wav"]}


def change_files(change, files):
    """Write the files of the changed list, and return it."""
    write_sound(files[0].with_name("new.wav"), make_sound(1, seed=9))
    if change == "replaced":
        write_sound(files[2], make_sound(0.8, seed=8))
    return LISTS[change](files)


@pytest.mark.parametrize("change", LISTS)
def test_unchanged_tracks_of_another_list_are_kept(segmenter, files, tmp_path, opened, change):
    extract_store(segmenter, files, tmp_path / "store")
    changed = change_files(change, files)
    opened.clear()
    found = extract_store(segmenter, changed, tmp_path / "store")
    assert [Path(path).name for path in opened] == NEW.get(change, [])
    assert found.filenames == [str(path) for path in changed]
    assert_array_equal(found.data, segmenter.transform(changed))


class Level(FrontEnd):
    """A front end with small rows, which differ between tracks."""

    track_shape = (2, 1, 1)

    def extract_track(self, audio):
        return audio.read(0, 1000).max(keepdims=True)[:, None, None]


@pytest.mark.parametrize("change", ["first", "replaced", "all at once"])
def test_an_interruption_at_any_write_leaves_no_row_of_another_track(
    files, tmp_path, monkeypatch, opened, change
):
    write, replace = store._write, os.replace
    first = change == "first"
    changed = files if first else LISTS[change](files)
    for last in range(100):
        folder = tmp_path / str(last)
        if not first:
            write_sound(files[2], make_sound(1, seed=2))
            extract_store(Level(), files, folder)
            change_files(change, files)
        expected = Level().transform(changed)
        left = iter(range(last, -1, -1))

        def half(file, content, left=left):
            if next(left, 0) == 0:
                write(file, content[: len(content) // 2])
                raise KeyboardInterrupt
            write(file, content)

        def before(source, target, left=left):
            if next(left, 0) == 0:
                raise KeyboardInterrupt
            replace(source, target)

        with monkeypatch.context() as patch:
            patch.setattr(store, "_write", half)
            patch.setattr(os, "replace", before)
            try:
                extract_store(Level(), changed, folder)
            except KeyboardInterrupt:
                pass
            else:
                break
        opened.clear()
        assert_array_equal(extract_store(Level(), changed, folder).data, expected)
        names = {Path(path).name for path in opened}
        assert first or names <= set(NEW.get(change, []))  # kept rows stay
        assert {path.name for path in folder.iterdir()} <= {
            *("lock", "manifest.json", "tensor.npy", "index")
        }
    assert 3 <= last < 99


@pytest.mark.parametrize("on_error", ["raise", "warn"])
def test_a_failed_track_is_retried_when_it_is_repaired(files, tmp_path, opened, on_error):
    content = files[1].read_bytes()
    for damage, again in ((lambda: files[1].write_bytes(b"no sound"), 1), (files[1].unlink, 0)):
        damage()
        front = Level(on_error=on_error)
        with pytest.warns(UserWarning) if on_error == "warn" else pytest.raises(ValueError):  # noqa: PT011, PT030
            extract_store(front, files, tmp_path / "store")
        files[1].write_bytes(content)
        opened.clear()
        found = extract_store(front, files, tmp_path / "store")
        assert opened == [str(files[1])] * again  # the row of a file that was away is kept
        assert_array_equal(found.data, Level().transform(files))


PARTS = {
    "first": lambda files: files[:2],
    "last": lambda files: files[2:],
    "reordered": lambda files: files[2:0:-1],
    "with another": lambda files: [files[0].with_name("new.wav"), files[3]],
    "one after another": lambda files: files[:1],
}


@pytest.mark.parametrize("part", PARTS)
def test_rows_of_tracks_that_are_not_in_the_list_are_kept(files, tmp_path, opened, part):
    write_sound(files[0].with_name("new.wav"), make_sound(1, seed=9))
    expected = Level().transform(files)
    extract_store(Level(), files, tmp_path / "store")
    some = PARTS[part](files)
    of_part = Level().transform(some)
    found = extract_store(Level(), some, tmp_path / "store")
    assert_array_equal(found.data, of_part)
    assert_array_equal(load_store(tmp_path / "store").data, of_part)
    opened.clear()
    if part == "one after another":  # no track in common with the last list
        found = extract_store(Level(), files[1:2], tmp_path / "store")
        assert_array_equal(found.data, expected[1:2])
    assert_array_equal(extract_store(Level(), files, tmp_path / "store").data, expected)
    assert not opened


def flip_last_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_only_damaged_rows_of_tracks_that_are_not_in_the_list_are_lost(files, tmp_path, opened):
    expected = Level().transform(files)
    extract_store(Level(), files, tmp_path / "store")
    flip_last_bit(tmp_path / "store" / "tensor.npy")
    for some in (files[:1], files[1::-1]):
        found = extract_store(Level(), some, tmp_path / "store")
        assert_array_equal(found.data, Level().transform(some))
        assert_array_equal(load_store(tmp_path / "store").data, found.data)
    opened.clear()
    assert_array_equal(extract_store(Level(), files, tmp_path / "store").data, expected)
    assert opened == [str(files[3])]


def test_a_store_of_a_single_file_follows_it(files, tmp_path):
    extract_store(Level(), files[:1], tmp_path / "store")
    write_sound(files[0], make_sound(1, seed=7))
    found = extract_store(Level(), files[:1], tmp_path / "store")
    assert_array_equal(found.data, Level().transform(files[:1]))


def test_failed_tracks_of_a_finished_store_are_an_error_again(files, tmp_path):
    files[1].write_bytes(b"no sound")
    with pytest.warns(UserWarning, match="1 of 4 tracks"):
        extract_store(Level(on_error="warn"), files, tmp_path / "store")
    with pytest.raises(UnreadableTracksError, match="1 of 1 tracks"):
        extract_store(Level(), files, tmp_path / "store")


# ---------------------------------------------------------------- damage


@pytest.fixture
def made(files, tmp_path):
    """A finished store with a track that cannot be used."""
    files[1].write_bytes(b"no sound")
    with pytest.warns(UserWarning, match="1 of 4 tracks"):
        extract_store(Level(on_error="warn"), files, tmp_path / "store")
    return tmp_path / "store"


def test_any_flipped_bit_is_an_error_or_changes_nothing(made):
    expected = np.array(load_store(made).data)
    content = (made / "tensor.npy").read_bytes()
    n_errors = 0
    for i in range(len(content)):
        flipped = content[:i] + bytes([content[i] ^ 1 << i % 8]) + content[i + 1 :]
        (made / "tensor.npy").write_bytes(flipped)
        os.utime(made / "tensor.npy", (1, 1))  # later than the resolution of the clock
        try:
            found = load_store(made).data
        except ValueError as error:
            assert "is damaged" in str(error)  # noqa: PT017
            n_errors += 1
        else:  # padding of the header, a byte for which any value is read alike, or NaN
            assert_array_equal(found, expected, strict=True)
    assert n_errors >= expected[~np.isnan(expected)].nbytes


def test_a_damaged_row_is_computed_again(segmenter, paths, tmp_path, opened):
    extract_store(segmenter, paths, tmp_path)
    flip_last_bit(tmp_path / "tensor.npy")
    opened.clear()
    found = extract_store(segmenter, paths, tmp_path)
    assert opened == [str(paths[-1])]
    assert_array_equal(found.data, segmenter.transform(paths))


@pytest.mark.parametrize("damage", [lambda c: b"", lambda c: c[:-1], lambda c: b"x" + c])
def test_a_damaged_array_is_computed_again(made, files, damage):
    tensor = made / "tensor.npy"
    tensor.write_bytes(damage(tensor.read_bytes()))
    with pytest.raises(ValueError, match=r"damaged \(.+\); delete"):
        load_store(made)
    with pytest.warns(UserWarning, match="1 of 1 tracks|1 of 4 tracks"):
        found = extract_store(Level(on_error="warn"), files, made)
    assert np.isnan(found.data[1]).all()
    assert_array_equal(found.data[::2], Level().transform(files[::2]))


def test_all_rows_are_read_only_if_the_array_is_not_as_it_was_left(made, monkeypatch):
    rows = []
    checksum = store._checksum
    monkeypatch.setattr(store, "_checksum", lambda row: rows.append(row) or checksum(row))
    expected = np.array(load_store(made).data)
    assert not rows
    os.utime(made / "tensor.npy", (1, 1))  # as in a copy
    assert_array_equal(load_store(made).data, expected)
    assert len(rows) == 3  # one has no record


def test_a_changed_value_in_the_manifest_is_an_error(made):
    text = (made / "manifest.json").read_text()
    for key, value in json.loads(text).items():
        for other in ([], {}, None, 0):
            if other != value:
                (made / "manifest.json").write_text(json.dumps({**json.loads(text), key: other}))
                with pytest.raises(ValueError, match=r"delete|is not the manifest"):
                    load_store(made)


@pytest.mark.parametrize(
    "damage", [lambda c: c[:-1], lambda c: c[: len(c) // 2], lambda c: b"", lambda c: b"\xff" + c]
)
def test_a_manifest_that_is_not_json_is_an_error(made, files, damage):
    path = made / "manifest.json"
    path.write_bytes(damage(path.read_bytes()))
    for use in (load_store, lambda folder: extract_store(Level(), files, folder)):
        with pytest.raises(ValueError, match=r"is damaged \(.+\); delete"):
            use(made)


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
        ("[]", "is damaged"),
        ('{"format": 1}', "not the manifest"),
    ]:
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            load_store(tmp_path)


@pytest.mark.filterwarnings("ignore:CNNClassifier is usually less accurate")
def test_networks_fit_from_a_store_as_from_memory(segmenter, paths, tmp_path):
    store = extract_store(segmenter, paths, tmp_path)
    y = ["a", "b", "a", "b", "a"]
    network = CNNClassifier(filters=(4,), dense_units=4, epochs=2, random_state=0)
    stored = network.fit(store.data, y).weights_
    in_memory = network.fit(np.array(store.data), y).weights_
    for a, b in zip(stored, in_memory, strict=True):
        assert_array_equal(a, b)
