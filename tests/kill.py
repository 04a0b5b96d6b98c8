"""Kill processes at random points and see what is left: nothing wrong, and nothing half.

``make kill`` does it 100 times and prints what it found; the tests do it once for each kind but
``search``.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

#: Each prints a line when its work begins, and works for a second or two.
CACHE = """
import sys
from skgenre import MFCCSegmenter
segmenter = MFCCSegmenter(segment_duration=0.5, n_segments=3, n_jobs=2, memory=sys.argv[1])
print("begins", flush=True)
segmenter.transform(sys.argv[2:])
"""

STORE = """
import sys
from skgenre import MFCCSegmenter, extract_store
segmenter = MFCCSegmenter(segment_duration=0.5, n_segments=3, n_jobs=2)
print("begins", flush=True)
extract_store(segmenter, sys.argv[2:], sys.argv[1])
"""

SAVE = """
import sys
from skgenre import load, save
models = [load(sys.argv[2]), load(sys.argv[3])]
print("begins", flush=True)
for i in range(10_000):
    save(models[i % 2], sys.argv[1] + "/model.skgenre")
"""

SEARCH = """
import sys
import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from skgenre import ANNClassifier, MFCCSegmenter, SegmentScaler
segmenter = MFCCSegmenter(segment_duration=0.5, n_segments=3, memory=sys.argv[1])
pipe = make_pipeline(segmenter, SegmentScaler(), ANNClassifier(hidden_units=(4,), epochs=3))
grid = {"annclassifier__dropout": [0.1, 0.3, 0.5], "annclassifier__random_state": [0]}
search = GridSearchCV(pipe, grid, cv=2, n_jobs=2, refit=False, scoring="neg_log_loss")
print("begins", flush=True)
X = np.array(sys.argv[2:])
search.fit(X, np.arange(len(X)) % 2)
print(*search.cv_results_["mean_test_score"])
"""


#: What runs in the background ignores Ctrl-C, and so would all that it starts.
_LISTEN = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"


#: Seconds after which a process is killed with all that it has started: it hangs.
PATIENCE = 300


@contextlib.contextmanager
def start(code: str, *args) -> Iterator[subprocess.Popen]:
    """Start a process, go on when its work begins, and wait for its end."""
    process = subprocess.Popen(
        [sys.executable, "-c", _LISTEN + code, *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,  # a group of its own, to which Ctrl-C goes
    )
    limit = threading.Timer(PATIENCE, os.killpg, (process.pid, signal.SIGKILL))
    limit.start()
    try:
        with process:
            assert process.stdout.readline() == "begins\n"
            yield process
    finally:
        limit.cancel()


def kill(code: str, seconds: float, *args) -> list[psutil.Process]:
    """Kill a process some time after its work has begun; returns those that it had started."""
    with start(code, *args) as process:
        time.sleep(seconds)
        try:
            children = psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            children = []
        process.kill()
    return children


def age(folder: Path) -> None:
    """Have what interrupted writes left be of hours ago, when the next one removes it."""
    for path in folder.rglob(".skgenre-*.tmp"):
        os.utime(path, (0, 0))


def strays(folder: Path) -> list[str]:
    """Files that only an interrupted write leaves."""
    return [*map(str, [*folder.rglob(".skgenre-*.tmp"), *folder.rglob("tensor.new")])]


def segments(paths):
    from skgenre import MFCCSegmenter

    return MFCCSegmenter(segment_duration=0.5, n_segments=3).transform(paths)


def kill_cache(n: int, rng: random.Random, folder: Path, paths: list[str]) -> collections.Counter:
    """Extraction with ``memory=``: what is in the cache is right, whatever was interrupted."""
    from skgenre import MFCCSegmenter

    found = collections.Counter()
    expected = segments(paths)
    cached = MFCCSegmenter(segment_duration=0.5, n_segments=3)
    cache = folder / "cache"
    for i in range(n):
        if i % 5 == 0:  # from an empty cache, and then from what is left
            cache = folder / f"cache{i}"
        kill(CACHE, rng.uniform(0, 1), cache, *paths)
        found["kills"] += 1
        partly = cached.set_params(memory=cache).transform(paths[: 5 + 10 * (i % 5)])
        found["wrong"] += not np.array_equal(partly, expected[: len(partly)])
        if i % 5 == 4:
            found["begun files"] += len(strays(cache))
            found["wrong"] += not np.array_equal(cached.transform(paths), expected)
    return found


def kill_store(n: int, rng: random.Random, folder: Path, paths: list[str]) -> collections.Counter:
    """Extraction into a store, of another list each time: the end is what one go makes."""
    from skgenre import MFCCSegmenter, extract_store

    found = collections.Counter()
    expected = dict(zip(paths, segments(paths), strict=True))
    for i in range(n):
        store = folder / f"store{i // 3}"
        some = rng.sample(paths, rng.randint(len(paths) // 2, len(paths)))
        kill(STORE, rng.uniform(0, 0.5), store, *some)
        found["kills"] += 1
        if i % 3 == 2 or i == n - 1:
            segmenter = MFCCSegmenter(segment_duration=0.5, n_segments=3)
            age(store)
            rng.shuffle(some)
            data = extract_store(segmenter, some, store).data
            found["wrong"] += not np.array_equal(data, [expected[path] for path in some])
            found["stray files"] += len(strays(store))
    return found


def kill_save(n: int, rng: random.Random, folder: Path, paths: list[str]) -> collections.Counter:
    """Saving over a model: the file is the old or the new one."""
    from sklearn.linear_model import LogisticRegression

    from skgenre import ModelFileError, load, save

    found = collections.Counter()
    X = np.random.default_rng(0).normal(size=(200, 300))
    models = [LogisticRegression(C=C, max_iter=10_000).fit(X, X[:, 0] > 0) for C in (0.1, 1)]
    for i, model in enumerate(models):
        save(model, folder / f"{i}.skgenre")
    target = folder / "save"
    target.mkdir()
    save(models[0], target / "model.skgenre")
    for _ in range(n):
        kill(SAVE, rng.uniform(0, 0.3), target, folder / "0.skgenre", folder / "1.skgenre")
        found["kills"] += 1
        try:
            loaded = load(target / "model.skgenre")
        except ModelFileError:
            found["unreadable"] += 1
        else:
            found["wrong"] += not any(np.array_equal(loaded.coef_, m.coef_) for m in models)
        found["most files at once"] = max(found["most files at once"], len([*target.iterdir()]))
    age(target)
    save(models[1], target / "model.skgenre")
    found["stray files"] += len(strays(target))
    return found


def kill_search(n: int, rng: random.Random, folder: Path, paths: list[str]) -> collections.Counter:
    """A search in two workers: the next one finds what it should."""
    found = collections.Counter()
    with start(SEARCH, folder / "expected", *paths) as process:
        expected, _ = process.communicate()
    cache = folder / "search"
    for _ in range(n):
        workers = kill(SEARCH, rng.uniform(1, 8), cache, *paths)
        found["kills"] += 1
        for worker in workers:  # they would go themselves after 5 idle minutes
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
    with start(SEARCH, cache, *paths) as process:
        scores, _ = process.communicate()
    found["wrong"] += scores != expected
    return found


def interrupt(code: str, seconds: float, *args) -> tuple[int, float, int, int]:
    """Press Ctrl-C some time after the work has begun.

    Returns the status, the seconds until all are gone, the number of processes that were started,
    and how many of them are not gone.
    """
    with start(code, *args) as process:
        time.sleep(seconds)
        children = psutil.Process(process.pid).children(recursive=True)
        pressed = time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)
    left = psutil.wait_procs(children, timeout=10)[1]
    return process.returncode, time.monotonic() - pressed, len(children), len(left)


KILLERS = {"cache": kill_cache, "store": kill_store, "save": kill_save, "search": kill_search}


def run(kills: dict[str, int], seed: int = 0) -> dict[str, collections.Counter]:
    """Kill, and count what was found."""
    from .conftest import make_sound, write_sound

    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sounds = [write_sound(folder / f"{i}.wav", make_sound(1.6, seed=i)) for i in range(12)]
        paths = []
        for i in range(240):
            paths.append(str(folder / f"track{i:03}.wav"))
            Path(paths[-1]).hardlink_to(sounds[i % 12])
        return {what: KILLERS[what](n, rng, folder, paths) for what, n in kills.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    some = args.kills // 10
    kills = {
        "cache": 3 * some,
        "store": 3 * some,
        "save": 3 * some,
        "search": args.kills - 9 * some,
    }
    found = run(kills, args.seed)
    for what, counts in found.items():
        print(f"{what}: {', '.join(f'{counts[name]} {name}' for name in counts)}")
    bad = sum(counts["wrong"] + counts["unreadable"] for counts in found.values())
    print(f"{sum(kills.values())} kills, {bad} wrong or unreadable")
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
