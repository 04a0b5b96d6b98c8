"""What a cached row is found by: the class and its code, versions, and the bytes of the file."""

import functools
import importlib.util
import linecache
import os
import shutil
import sys
import threading
import types
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from skgenre import FrontEnd, MFCCSegmenter, extract_store, load_store
from skgenre.audio import AudioFile
from skgenre.features import cache
from skgenre.features.class_key import class_key

from .conftest import make_sound, run_python, write_sound

assert_array_equal = np.testing.assert_array_equal


@pytest.fixture
def opened(monkeypatch):
    """Names of the files that are decoded."""
    names = []
    init = AudioFile.__init__

    def noting_init(self, path, *args, **kwargs):
        names.append(Path(path).name)
        init(self, path, *args, **kwargs)

    monkeypatch.setattr(AudioFile, "__init__", noting_init)
    return names


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files whose bytes are hashed; none is remembered from other tests."""
    names = []
    original = cache._hash

    def noting_hash(path):
        names.append(Path(path).name)
        return original(path)

    monkeypatch.setattr(cache, "_hash", noting_hash)
    cache._cached_hash.cache_clear()
    return names


@pytest.fixture
def segmenter(tmp_path):
    return MFCCSegmenter(segment_duration=0.2, n_segments=2, memory=str(tmp_path / "cache"))


@pytest.fixture
def paths(tmp_path):
    folder = tmp_path / "music"
    folder.mkdir()
    return [str(write_sound(folder / f"{i}.wav", make_sound(0.5, seed=i))) for i in range(2)]


# ---------------------------------------------------------------- files


def test_a_moved_renamed_or_copied_collection_keeps_its_cache(segmenter, paths, tmp_path, opened):
    expected = segmenter.transform(paths)
    assert opened == ["0.wav", "1.wav"]
    moved = tmp_path / "elsewhere"
    shutil.copytree(Path(paths[0]).parent, moved)
    shutil.rmtree(Path(paths[0]).parent)
    (moved / "0.wav").rename(moved / "a song.wav")
    os.utime(moved / "1.wav", (1, 1))
    assert_array_equal(segmenter.transform([moved / "a song.wav", moved / "1.wav"]), expected)
    assert len(opened) == 2


@pytest.mark.parametrize("how", ["in place", "replaced"])
@pytest.mark.parametrize("tick", [0, 2_000_000_000])
def test_a_file_of_the_same_size_and_time_with_other_bytes(
    segmenter, paths, tmp_path, opened, monkeypatch, how, tick
):
    # As if the file were old (0), and as it is, changed a moment ago.
    monkeypatch.setattr(cache, "_TICK", tick, raising=False)
    path, status = Path(paths[0]), os.stat(paths[0])
    before = segmenter.transform([path])
    content = Path(paths[1]).read_bytes()
    assert len(content) == status.st_size
    if tick == 0:  # the clock of the file system moves on
        changed = status.st_ctime_ns
        while os.stat(path).st_ctime_ns == changed:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    if how == "in place":
        path.write_bytes(content)
    else:
        (tmp_path / "new").write_bytes(content)
        (tmp_path / "new").replace(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert os.stat(path).st_mtime_ns == status.st_mtime_ns
    after = segmenter.transform([path])
    assert len(opened) == 2
    assert not np.array_equal(before, after)
    assert_array_equal(after, segmenter.set_params(memory=None).transform([path]))


def test_a_file_that_was_not_touched_is_hashed_once(segmenter, paths, monkeypatch, hashed):
    monkeypatch.setattr(cache, "_TICK", 0, raising=False)
    for _ in range(3):
        segmenter.transform(paths)
    segmenter.set_params(n_mfcc=5).transform(paths)
    assert sorted(hashed) == ["0.wav", "1.wav"]
    # One that was changed a moment ago may be changed again without another time.
    monkeypatch.setattr(cache, "_TICK", 3_600_000_000_000, raising=False)
    segmenter.transform(paths)
    assert len(hashed) == 4


def test_files_of_equal_bytes_are_computed_once(segmenter, paths, tmp_path, opened):
    copy = shutil.copy(paths[0], tmp_path / "copy.wav")
    X = segmenter.transform([paths[0], copy])
    assert_array_equal(X[0], X[1])
    assert opened == ["0.wav"]


def test_pipes_are_not_waited_for(segmenter, paths, tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.warns(UserWarning, match=r"pipe\.wav: is not a regular file"):
        X = segmenter.set_params(on_error="warn").transform([tmp_path / "pipe.wav", paths[0]])
    assert np.isnan(X[0]).all()


# ---------------------------------------------------------------- code


def level(power, module="one"):
    """A front end of one's own; the set in its code has another order in each process."""
    source = f"""
class Level(FrontEnd):
    track_shape = (1,)
    n = 100

    def extract_track(self, audio):
        y = audio.read(0, self.n)
        return np.mean(np.abs(y) ** {power}, keepdims=True) * (3 in {{1, 2, 3}})
"""
    made = types.ModuleType(module)
    made.__dict__.update(FrontEnd=FrontEnd, np=np)
    exec(source, made.__dict__)
    return made.Level


def test_classes_of_one_name_do_not_share_entries(paths, tmp_path, opened):
    here, there, other = level(1), level(1, module="two"), level(2)
    longer = type("Level", (level(1),), {"__module__": "one", "n": 200})
    longer.__qualname__ = "Level"
    for i, cls in enumerate((here, there, other, longer), 1):
        expected = cls().transform(paths)
        del opened[:]
        for _ in range(2):
            assert_array_equal(cls(memory=tmp_path / "cache").transform(paths), expected)
        assert len(opened) == 2, i
    del opened[:]
    level(1)(memory=tmp_path / "cache").transform(paths)  # made anew, and the same
    assert not opened


class Scale:
    """A state of one's own, with a function in it."""

    def __init__(self, n):
        self.times = lambda y: y * n

    def __call__(self, y):
        return self.times(y)


def times(n):
    def wrap(method):
        @functools.wraps(method)
        def wrapped(self, audio):
            return method(self, audio) * n

        return wrapped

    return wrap


class Base(FrontEnd):
    track_shape = (1,)

    def extract_track(self, audio):
        return np.atleast_1d(self.scale(audio.read(0, 10).max()))


def kinds(n):
    """Members that depend on a number."""
    scale = lambda self, y: y * n  # noqa: E731
    plus, minus = lambda self, y: y + 1, lambda self, y: y - 1
    default = lambda self, y, n=n: y * n  # noqa: E731
    keyword = lambda self, y, *, n=n: y * n  # noqa: E731
    getter = functools.cached_property(lambda self: n)
    getter.attrname = "n"
    read = {"scale": lambda self, y: y * self.n}
    return {
        "closure": {"scale": scale},
        "default": {"scale": default},
        "keyword default": {"scale": keyword},
        "same line": {"scale": (plus, minus)[n % 2]},
        "cached property": {**read, "n": getter},
        "property": {**read, "n": property(lambda self: n)},
        "static method": {"scale": staticmethod(lambda y: y * n)},
        "class method": {"scale": classmethod(lambda cls, y: y * n)},
        "partial": {"scale": functools.partial(lambda n, y: y * n, n)},
        "cached": {"scale": functools.cache(scale)},
        "decorated": {"extract_track": times(n)(Base.extract_track), "scale": lambda self, y: y},
        "value": {**read, "n": n},
        "array": {**read, "n": np.array([n])},
        "functions": {
            "all": [{"a": lambda y: y * n}],
            "scale": lambda self, y: self.all[0]["a"](y),
        },
        "object": {"scale": Scale(n)},
        "class": {"scale": type("Inner", (), {"__new__": lambda cls, self, y=0: self * n})},
    }


def make(kind, n, bases=(Base,)):
    return type("Front", bases, {"__module__": __name__, **kinds(n)[kind]})


@pytest.mark.parametrize(
    ("kind", "inherited"), [*((kind, False) for kind in kinds(1)), ("closure", True)]
)
def test_all_that_a_class_uses_is_in_the_key(kind, inherited, paths, tmp_path, opened):
    for n in (1, 2, 3):
        front = make(kind, n)
        if inherited:  # from a class that is no front end
            mixin = type("Mixin", (), {"__module__": __name__, **kinds(n)[kind]})
            front = type("Front", (mixin, Base), {"__module__": __name__})
        expected = front().transform(paths)
        assert_array_equal(front(memory=tmp_path / "cache").transform(paths), expected)
    del opened[:]
    if not inherited:
        make(kind, n)(memory=tmp_path / "cache").transform(paths)
        assert not opened


MODULE = """
import functools
import numpy as np
from skgenre import FrontEnd
from base import Mixin
N = 100
def helper(y):
    return y.max() + 700
class Front(Mixin, FrontEnd):
    track_shape = (1,)
    @functools.cached_property
    def place(self):
        return 200
    @property
    def other(self):
        return 300
    def extract_track(self, audio, n=400, *, m=500):
        y = audio.read(0, N)
        return np.atleast_1d(helper(y) + self.of_mixin() + self.place + self.other + n + m)
"""
BASE = """
class Mixin:
    def of_mixin(self):
        return 600
"""


def load_module(folder, name="front"):
    linecache.clearcache()
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module and its base, and returns its front end."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def write(text=MODULE, base=BASE):
        for name, content in (("base", base), ("front", text)):
            (tmp_path / f"{name}.py").write_text(content)
            monkeypatch.setitem(sys.modules, name, None)
            module = load_module(tmp_path, name)
        return module.Front

    return write


@pytest.mark.parametrize("number", ["100", "700", "200", "300", "400", "500", "600"])
def test_an_edited_module_is_another_key(module, number, paths, tmp_path):
    module()(memory=tmp_path / "cache").transform(paths)
    edited = module(MODULE.replace(number, "2"), BASE.replace(number, "2"))
    expected = edited().transform(paths)
    assert_array_equal(edited(memory=tmp_path / "cache").transform(paths), expected)


def test_the_key_is_of_the_code_that_was_loaded_without_its_comments(module, tmp_path):
    loaded = module()
    before = class_key(loaded)
    (tmp_path / "front.py").write_text(MODULE.replace("100", "50"))
    assert class_key(loaded) == before
    (tmp_path / "front.py").write_text(MODULE + "# a comment")
    assert class_key(load_module(tmp_path).Front) == before


PACKAGE = {
    "__init__": "",
    "front": """
import numpy as np
import mine.tools
from skgenre import FrontEnd
from .helpers import loudest
class Front(FrontEnd):
    track_shape = (1,)
    def extract_track(self, audio):
        return np.atleast_1d(mine.tools.scaled(loudest(audio.read(0, 10))) * 100)
""",
    "helpers": """
from . import tools
from .settings import N
def loudest(y):
    return tools.highest(y) * N * 200
""",
    "settings": "N = 300",
    "tools": """
def highest(y):
    return y.max() * 400
def scaled(y):
    return y * 600
def unused(y):
    return 500
""",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Writes a package, and returns its front end."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.syspath_prepend(tmp_path)

    def write(old="", new=""):
        (tmp_path / "mine").mkdir(exist_ok=True)
        for name, text in PACKAGE.items():
            (tmp_path / "mine" / f"{name}.py").write_text(text.replace(old or new, new))
        for name in [name for name in sys.modules if name.partition(".")[0] == "mine"]:
            monkeypatch.delitem(sys.modules, name)
        importlib.invalidate_caches()
        return importlib.import_module("mine.front").Front

    return write


@pytest.mark.parametrize(
    ("number", "followed"),
    [("100", True), ("200", True), ("300", True), ("400", True), ("500", False), ("600", True)],
)
@pytest.mark.parametrize("installed", [False, True])
def test_what_is_used_of_other_modules_of_the_user_is_in_the_key(
    package, number, followed, installed, tmp_path, monkeypatch
):
    if installed:  # with pip
        monkeypatch.setattr("skgenre.features.class_key._INSTALLED", (str(tmp_path),))
    before = class_key(package())
    assert class_key(package()) == before
    assert (class_key(package(number, "2")) != before) == followed


def test_a_value_that_is_set_later_is_in_the_key(monkeypatch):
    before = class_key(WithParameter)
    monkeypatch.setattr(WithParameter, "n", 5, raising=False)
    with_n = class_key(WithParameter)
    monkeypatch.setattr(WithParameter, "n", 6)
    assert len({before, with_n, class_key(WithParameter)}) == 3


CELLS = ["N = 1", "def helper(y):\n    return y + N", "def unused():\n    return 1", MODULE]


def run_cells(cells):
    """A class of a notebook, which has no file."""
    variables = {"__name__": "__main__"}
    for cell in cells:
        text = cell.replace("from base import Mixin", "class Mixin:\n    of_mixin = int")
        exec(text.replace("N = 100\ndef helper(y):\n    return y.max() + 700", ""), variables)
    return variables["Front"]


def test_cells_of_a_notebook_that_are_run_again_are_the_same_key():
    assert class_key(run_cells(CELLS)) == class_key(run_cells(CELLS))


@pytest.mark.parametrize(
    ("cell", "old", "new"), [(0, "1", "2"), (1, "+ N", "- N"), (3, "400", "401"), (3, "+ m", "- m")]
)
def test_an_edited_cell_of_a_notebook_is_another_key(cell, old, new):
    edited = list(CELLS)
    edited[cell] = CELLS[cell].replace(old, new)
    assert class_key(run_cells(edited)) != class_key(run_cells(CELLS))


#: A front end of a script with what joblib sends otherwise than it is: values and tuples that are
#: the same objects here, several cells, a helper, and a base with the same value.
SCRIPT = """
import sys, warnings
import joblib, numpy as np
from skgenre import FrontEnd
from skgenre.audio import AudioFile

warnings.simplefilter("error")
SHAPE = (2,)
scale = 3

def helper(y, *, n=(2, 3)):
    return y.max(axis=0) * n[0]

class Mixin:
    kind, shape, limit = "mel", SHAPE, 1.5

    @property
    def factor(self):
        return 2 if self.kind in {"mel", "mfcc", "chroma"} else 1

class Front(Mixin, FrontEnd):
    kind, shape, dtype, sample_rate = "mel", SHAPE, np.float32, 22050

    def __init__(self, scale=None, on_error="raise", memory=None, n_jobs=None, verbose=0):
        super().__init__(on_error=on_error, memory=memory, n_jobs=n_jobs, verbose=verbose)
        self.scale = scale

    @property
    def track_shape(self):
        return SHAPE

    @staticmethod
    def clip(y, high=1.5):
        return min(y, high)

    def extract_track(self, audio, *, n=(2, 3)):
        y = helper(audio.read(0, 10)) * self.factor
        return np.full(2, self.clip(self.scale(y) if self.scale else y))

def define():
    class Local(Front):
        kind = "mfcc"

        def extract_track(self, audio):
            return super().extract_track(audio) * 2

    return Local

def extract(front, paths):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AudioFile.__init__ = None  # an error where a file is opened
        return front.transform(paths)

memory, *paths = sys.argv[1:]
scales = [None, lambda y, n=scale: y * n]
Front.limit = 2.5  # after the definition
for front in [*map(Front, scales), define()()]:
    front.memory = memory
    expected = front.transform(paths)
    tasks = [joblib.delayed(extract)(front, [path]) for path in paths]
    assert (np.concatenate(joblib.Parallel(n_jobs=2)(tasks)) == expected).all()
print("done")
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["script", "notebook"])
def test_workers_find_what_a_class_of_a_script_has_cached(kind, paths, tmp_path):
    """Without a warning, as they are errors in the script."""
    memory = tmp_path / "cache"
    if kind == "notebook":  # no file
        assert run_python(SCRIPT, memory, *paths) == "done\n"
        return
    (tmp_path / "script.py").write_text(SCRIPT)
    run = "import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    assert run_python(run, tmp_path / "script.py", memory, *paths) == "done\n"


class WithParameter(Base):
    def __init__(self, scale=None, memory=None):
        self.scale, self.memory = scale, memory
        self.on_error, self.n_jobs, self.verbose = "raise", None, 0


def test_functions_as_parameters_are_followed(paths, tmp_path):
    for n in (1, 2):
        scale = functools.partial(lambda y, n=n: y * n)
        expected = WithParameter(scale).transform(paths)
        assert_array_equal(WithParameter(scale, tmp_path / "cache").transform(paths), expected)


def test_a_value_that_cannot_be_hashed_is_not_cached(paths, tmp_path, opened):
    front = type("Front", (Base,), {"lock": threading.Lock(), "scale": lambda self, y: y})
    expected = front().transform(paths)
    for _ in range(2):
        with pytest.warns(UserWarning, match=r"Front uses cannot be hashed .*lock") as caught:
            assert_array_equal(front(memory=tmp_path / "cache").transform(paths), expected)
        assert len(caught) == 1
    assert len(opened) == 6
    with pytest.raises(ValueError, match=r"Front uses cannot be hashed"):
        extract_store(front(), paths, tmp_path / "store")


KEY = """
from tests.test_cache_key import kinds, level, make
from skgenre import MFCCSegmenter
from skgenre.features.cache import versions
from skgenre.features.class_key import class_key
print(class_key(level(1)), class_key(MFCCSegmenter), *versions(), sep="\\n")
print(*(class_key(make(kind, 1)) for kind in kinds(1)), sep="\\n")
"""


def test_keys_are_the_same_in_every_process():
    here = [class_key(level(1)), class_key(MFCCSegmenter), *cache.versions()]
    here += [class_key(make(kind, 1)) for kind in kinds(1)]
    assert run_python(KEY, PYTHONHASHSEED="1").splitlines() == here


def test_versions_name_every_library_and_the_code():
    said = cache.versions()
    for name in ("numpy", "scipy", "librosa", "soundfile", "soxr"):
        assert f"{name} {metadata.version(name)}" in said
    assert [v.split()[0] for v in said if v.startswith(("av ", "libsndfile "))] == [
        "libsndfile",
        "av",
    ]
    assert len(said[0].split()[2]) == 32  # a hash of the code


@pytest.fixture
def anew():
    cache.versions.cache_clear()
    yield cache.versions
    cache.versions.cache_clear()


def test_a_library_that_is_missing(anew, monkeypatch):
    before = anew()
    version = metadata.version

    def version_of_few(name):
        if name in ("librosa", "av"):
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", version_of_few)
    anew.cache_clear()
    assert {"librosa is missing", "av is missing"} <= set(anew())
    assert anew() != before


@pytest.mark.parametrize("name", ["audio/files.py", "features/mel.py", "onnx_graph.py"])
def test_changed_code_is_another_version(anew, monkeypatch, tmp_path, name):
    before = anew()
    copy = tmp_path / "skgenre"
    shutil.copytree(Path(cache.__file__).parents[1], copy, ignore=shutil.ignore_patterns("data"))
    monkeypatch.setattr(cache, "__file__", str(copy / "features" / "cache.py"))
    anew.cache_clear()
    assert anew() == before
    file = copy / name
    file.write_text(file.read_text().replace("1", "2"))
    anew.cache_clear()
    assert anew()[0] != before[0]
    assert anew()[1:] == before[1:]


# ---------------------------------------------------------------- stores


def test_a_store_follows_its_files(segmenter, paths, tmp_path, opened):
    expected = extract_store(segmenter.set_params(memory=None), paths, tmp_path / "store").data
    moved = [shutil.move(path, tmp_path / f"moved {i}.wav") for i, path in enumerate(paths)]
    moved = list(map(str, moved))
    del opened[:]
    store = extract_store(segmenter, moved, tmp_path / "store")
    assert not opened
    assert_array_equal(store.data, expected)
    assert load_store(tmp_path / "store").filenames == moved


@pytest.mark.parametrize("tick", [0, 2_000_000_000])
def test_a_store_notices_other_bytes_of_the_same_size_and_time(
    segmenter, paths, tmp_path, monkeypatch, tick
):
    monkeypatch.setattr(cache, "_TICK", tick, raising=False)
    extract_store(segmenter, paths, tmp_path / "store")
    status = os.stat(paths[0])
    (tmp_path / "new").write_bytes(Path(paths[1]).read_bytes())
    (tmp_path / "new").replace(paths[0])
    os.utime(paths[0], ns=(status.st_atime_ns, status.st_mtime_ns))
    store = extract_store(segmenter, paths, tmp_path / "store")
    assert_array_equal(store.data[0], store.data[1])


def test_a_store_hashes_only_what_was_touched(segmenter, paths, tmp_path, monkeypatch, hashed):
    monkeypatch.setattr(cache, "_TICK", 0, raising=False)
    segmenter.set_params(memory=None)
    extract_store(segmenter, paths, tmp_path / "store")
    assert sorted(hashed) == ["0.wav", "1.wav"]
    cache._cached_hash.cache_clear()  # as in another process
    extract_store(segmenter, paths, tmp_path / "store")
    assert len(hashed) == 2
    Path(paths[1]).rename(tmp_path / "b.wav")
    cache._cached_hash.cache_clear()
    extract_store(segmenter, [paths[0], tmp_path / "b.wav"], tmp_path / "store")
    assert hashed[2:] == ["b.wav"]


def test_a_store_says_that_the_code_has_changed(module, paths, tmp_path):
    extract_store(module()(), paths, tmp_path / "store")
    message = r"differs in class \(the code of front\.Front has changed since\); use another"
    with pytest.raises(ValueError, match=message):
        extract_store(module(MODULE.replace("100", "50"))(), paths, tmp_path / "store")
