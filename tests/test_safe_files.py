"""Files and stores that are written safely: at once, through links, on full disks, on Windows."""

import errno
import os
import stat
import subprocess
import sys
import threading

import numpy as np
import pytest
from filelock import FileLock
from sklearn.linear_model import LogisticRegression

from skgenre import MFCCSegmenter, extract_store, load, load_store, save
from skgenre._files import replace_file
from skgenre.features import store

from .conftest import make_sound, run_python, write_sound

posix = pytest.mark.skipif(os.name != "posix", reason="modes and limits are POSIX's")


@pytest.fixture(scope="module")
def model():
    return LogisticRegression().fit([[0], [1]], ["jazz", "rock"])


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sounds")
    return [str(write_sound(folder / f"{i}.wav", make_sound(0.6, seed=i))) for i in range(8)]


@pytest.fixture
def segmenter():
    return MFCCSegmenter(segment_duration=0.5, n_segments=3)


@pytest.fixture
def made(segmenter, paths, tmp_path):
    extract_store(segmenter, paths, tmp_path / "store")
    return tmp_path / "store"


# ---------------------------------------------------------------- files


def test_a_file_of_the_user_beside_the_model_is_left_alone(model, tmp_path):
    mine = tmp_path / "model.skgenre.new"
    mine.write_text("mine")
    save(model, tmp_path / "model.skgenre")
    assert mine.read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


def test_saves_to_one_path_at_a_time_do_not_meet(model, tmp_path, monkeypatch):
    """Each is held up before it replaces the file, until both have written."""
    barrier, replace, errors = threading.Barrier(2, timeout=30), os.replace, []

    def waiting(source, target):
        barrier.wait()
        replace(source, target)

    def attempt():
        try:
            save(model, tmp_path / "model.skgenre")
        except OSError as error:
            errors.append(error)

    monkeypatch.setattr(os, "replace", waiting)
    threads = [threading.Thread(target=attempt) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert load(tmp_path / "model.skgenre").classes_.tolist() == ["jazz", "rock"]
    assert len(list(tmp_path.iterdir())) == 1


@posix
def test_a_link_stays_and_its_file_is_replaced(model, tmp_path):
    (tmp_path / "real").mkdir()
    link, real = tmp_path / "model.skgenre", tmp_path / "real" / "v1.skgenre"
    link.symlink_to(real)  # which is not there yet
    for _ in range(2):
        save(model, link)
        assert link.is_symlink()
        assert not real.is_symlink()
        assert load(real).classes_.tolist() == ["jazz", "rock"]


@posix
def test_a_file_keeps_its_mode_and_a_new_one_has_that_of_the_umask(model, tmp_path):
    path = tmp_path / "model.skgenre"
    umask = os.umask(0o027)
    try:
        save(model, path)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o600)
    save(model, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@posix
def test_what_cannot_be_replaced_is_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    replace_file(pipe, b"content")
    assert os.read(reader, 100) == b"content"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_an_error_names_the_file_that_was_asked_for(model, tmp_path, monkeypatch):
    def failing(source, target):
        raise PermissionError(13, "Permission denied", source, None, target)

    monkeypatch.setattr(os, "replace", failing)
    with pytest.raises(PermissionError) as caught:
        save(model, tmp_path / "model.skgenre")
    assert str(caught.value) == f"[Errno 13] Permission denied: '{tmp_path / 'model.skgenre'}'"
    assert not list(tmp_path.iterdir())


def test_what_a_killed_save_left_is_removed_when_it_is_old(model, tmp_path):
    old, young = (tmp_path / f".skgenre-{digit * 16}.tmp" for digit in "01")
    for path in (old, young):
        path.touch()
    os.utime(old, (0, 0))
    save(model, tmp_path / "model.skgenre")
    assert not old.exists()
    assert young.exists()  # another process may be writing it


def test_a_long_name_is_no_trouble(model, tmp_path):
    path = tmp_path / ("m" * 255)
    save(model, path)
    assert load(path).classes_.tolist() == ["jazz", "rock"]


# ---------------------------------------------------------------- stores


@pytest.mark.parametrize("code", [errno.EDQUOT, errno.EFBIG])
def test_what_is_full_is_an_error_and_a_later_call_goes_on(
    code, segmenter, paths, tmp_path, monkeypatch
):
    write, extract, found = store._write, MFCCSegmenter._extract, []

    def write_three_rows(file, content):
        if len(found) > 3:
            raise OSError(code, os.strerror(code))
        write(file, content)

    def counting(self, path):
        found.append(path)
        return extract(self, path)

    monkeypatch.setattr(MFCCSegmenter, "_extract", counting)
    with monkeypatch.context() as patch:
        patch.setattr(store, "_write", write_three_rows)
        message = "while writing the store .* free some space and call extract_store again"
        with pytest.raises(OSError, match=message):
            extract_store(segmenter, paths, tmp_path / "store")
    del found[:]
    made = extract_store(segmenter, paths, tmp_path / "store")
    assert found == paths[3:]
    np.testing.assert_array_equal(made.data, segmenter.transform(paths))


@posix
def test_a_full_disk_is_an_error(segmenter, paths, tmp_path):
    """On a file system of 32 kB, where the test may make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(disk)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a file system")
    try:
        with pytest.raises(OSError, match=r"No space left .* free some space and call") as caught:
            extract_store(segmenter, paths, disk / "store")
        assert caught.value.errno == 28
        with pytest.raises(ValueError, match="is not finished; call extract_store again"):
            load_store(disk / "store")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("tensor.npy", lambda content: content[:-100]),
        ("tensor.npy", lambda content: content[:20]),
        ("tensor.npy", lambda content: b""),
        ("tensor.npy", lambda content: b"PK\x03\x04" + content),
        ("tensor.npy", lambda content: content.replace(b"(8, 3,", b"(7, 3,")),
        ("tensor.npy", lambda content: content.replace(b"<f4", b"<i4")),
        ("tensor.npy", None),
        ("manifest.json", lambda content: content.replace(b'"files": [[', b'"files": [7, [')),
        ("manifest.json", lambda content: b"\xff\xfe" + content),
        ("manifest.json", lambda content: b"[" * 100_000),
        ("manifest.json", lambda content: content[:-1]),
    ],
)
def test_a_damaged_store_says_so(made, name, damage):
    path = made / name
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"damaged \(.+\); delete"):
        load_store(made)


def test_an_unfinished_store_whose_rows_are_damaged_is_made_again(segmenter, paths, made):
    expected = segmenter.transform(paths)
    unfinished = {**store._read_manifest(made), "array": None}
    for name, content in [("tensor.npy", b"junk"), ("index", b""), ("tensor.npy", None)]:
        store._write_manifest(made, unfinished)
        (made / name).unlink()
        if content is not None:
            (made / name).write_bytes(content)
        np.testing.assert_array_equal(extract_store(segmenter, paths, made).data, expected)


def test_rows_without_their_manifest_are_not_trusted(segmenter, paths, made):
    (made / "manifest.json").unlink()
    found = extract_store(segmenter, paths[::-1], made)
    np.testing.assert_array_equal(found.data, segmenter.transform(paths[::-1]))


def test_a_finished_store_is_only_read(segmenter, paths, made):
    (made / "lock").unlink()
    before = {path: path.stat().st_mtime_ns for path in made.iterdir()}
    extract_store(segmenter, paths, made)
    after = {path: path.stat().st_mtime_ns for path in made.iterdir()}
    assert after == before


def test_another_process_is_kept_out(segmenter, paths, tmp_path):
    with (
        FileLock(tmp_path / "lock"),
        pytest.raises(ValueError, match="another process is extracting into"),
    ):
        extract_store(segmenter, paths, tmp_path)
    assert len(extract_store(segmenter, paths, tmp_path).data) == len(paths)


# ---------------------------------------------------------------- Windows

WITHOUT_POSIX = """
import importlib, os, pkgutil, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    try:
        __import__("filelock"), __import__("sklearn"), __import__("librosa"), __import__("tqdm")
    finally:
        sys.modules[name] = None  # an ImportError from now on, as on Windows
for name in ("fork", "register_at_fork", "mkfifo", "posix_fallocate", "sched_getaffinity"):
    if hasattr(os, name):
        delattr(os, name)
import skgenre
for module in pkgutil.walk_packages(skgenre.__path__, "skgenre."):
    # The latter import TensorFlow, which takes seconds.
    if module.name not in ("skgenre.__main__", "skgenre.networks.training"):
        importlib.import_module(module.name)
from skgenre import MFCCSegmenter, extract_store
store = extract_store(MFCCSegmenter(segment_duration=0.5, n_segments=1), sys.argv[2:], sys.argv[1])
print(len(store.data))
"""


def test_nothing_needs_what_only_posix_has(paths, tmp_path):
    """The libraries have their own code for Windows, so they are imported before."""
    assert run_python(WITHOUT_POSIX, tmp_path / "store", *paths) == f"{len(paths)}\n"


def test_the_lock_s_library_knows_windows():
    import filelock

    assert issubclass(filelock.WindowsFileLock, filelock.BaseFileLock)
    assert sys.platform == "win32" or filelock.FileLock is filelock.UnixFileLock
