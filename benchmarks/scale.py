"""Measure skgenre with data larger than memory, many processes and interrupted runs.

``make scale`` prints the results, stores them in ``docs/scale.json`` and writes the page on scale.
Each part is a function that stores and prints its results. With ``--page``, the page and its charts
are written again from ``docs/scale.json``, without measuring.
"""

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from pages import bars, image, table

DOCS = Path(__file__).parent.parent / "docs"
FIGURES = DOCS / "scale.json"

#: Numbers of tracks for which times and sizes are estimated.
N_TRACKS = (1_000, 100_000, 10_000_000)

#: Sizes of the parts.
N_FITS = 200
N_FILES = 20_000
STORE_GB = 2

FITS = """
import time, psutil, numpy as np
from skgenre import ANNClassifier, CNNClassifier, LSTMClassifier
X = np.random.default_rng(0).normal(size=(20, 2, 20, 6)).astype(np.float32)
y = np.arange(20) % 2
times = []
for i in range({n}):
    start = time.perf_counter()
    {name}(epochs=1, learning_rate=0.001 * (1 + i), random_state=i).fit(X, y)
    times.append(time.perf_counter() - start)
    if i + 1 in (10, {n}):
        print(np.median(times[-5:]), psutil.Process().memory_info().rss / 2**20)
"""


figures = {}


def say(text):
    print(text, flush=True)


def script(code, *args):
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TF_NUM_INTRAOP_THREADS": "1"},
    )
    return done.stdout


def many_fits():
    """Memory and median time of five fits after 10 and after 200 fits."""
    figures["n_fits"], figures["fits"] = N_FITS, {}
    for name in ("ANNClassifier", "CNNClassifier", "LSTMClassifier"):
        out = script(FITS.format(name=name, n=N_FITS))
        (first, before), (last, after) = (map(float, line.split()) for line in out.splitlines())
        figures["fits"][name] = {"s": first, "mb": before, "last_s": last, "last_mb": after}
        say(
            f"{name}: fit 10 {first:.2f} s, {before:.0f} MB; fit {N_FITS} {last:.2f} s, "
            f"{after:.0f} MB, {after - before:+.0f} MB"
        )


ARCHITECTURES = """
import psutil, numpy as np
from sklearn.model_selection import GridSearchCV
from skgenre import LSTMClassifier
X = np.random.default_rng(0).normal(size=(20, 2, 20, 6)).astype(np.float32)
y = np.arange(20) % 2
class Watched(LSTMClassifier):
    def score(self, X, y):
        return psutil.Process().memory_info().rss / 2**20

search = GridSearchCV(
    Watched(epochs=1, random_state=0), {"units": [(n,) for n in range(4, 64)]}, cv=2,
    refit=False, n_jobs=2,
).fit(X, y)
sizes = np.r_[search.cv_results_["split0_test_score"], search.cv_results_["split1_test_score"]]
print(sizes.min(), sizes.max())
"""


def many_architectures():
    """Memory of loky's workers over a search of 60 architectures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "search.py")
        path.write_text(ARCHITECTURES)
        out = subprocess.run(
            [sys.executable, path], capture_output=True, text=True, check=True
        ).stdout
    smallest, largest = map(float, out.split())
    figures["architectures"] = {"smallest": smallest, "largest": largest}
    say(f"60 architectures, 120 fits: workers of {smallest:.0f} to {largest:.0f} MB")


EXTRACT = """
import sys, psutil
from pathlib import Path
from skgenre import MFCCSegmenter, extract_store
from skgenre.audio import AudioFile
init = AudioFile.__init__
log = open(sys.argv[3], "a", buffering=1)
def logging(self, path, *args, **kwargs):
    log.write(str(path) + "\\n")
    init(self, path, *args, **kwargs)
AudioFile.__init__ = logging
paths = sorted(Path(sys.argv[1]).iterdir())
extract_store(MFCCSegmenter(segment_duration=0.2, n_segments=2, n_jobs=2), paths, sys.argv[2])
print(psutil.Process().memory_full_info().uss / 2**20)
"""


def killed_extraction():
    """Extraction of 20,000 files that is killed twice and resumed."""
    import soundfile

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        files = folder / "files"
        files.mkdir()
        rng = np.random.default_rng(0)
        for i in range(20):
            soundfile.write(folder / f"{i}.wav", rng.uniform(-0.5, 0.5, 10_000), 22050)
        for i in range(N_FILES):
            os.link(folder / f"{i % 20}.wav", files / f"{i:05}.wav")
        start = time.perf_counter()
        memory = script(EXTRACT, files, folder / "whole", folder / "whole.log")
        elapsed = time.perf_counter() - start
        say(f"{N_FILES} files in {elapsed:.0f} s, {float(memory):.0f} MB")
        random.seed(0)
        for _ in range(2):
            process = subprocess.Popen(
                [sys.executable, "-c", EXTRACT, files, folder / "killed", folder / "killed.log"]
            )
            time.sleep(random.uniform(0.2, 0.6) * elapsed)
            process.kill()
            process.wait()
        script(EXTRACT, files, folder / "killed", folder / "killed.log")
        equal = all(
            (folder / "whole" / name).read_bytes() == (folder / "killed" / name).read_bytes()
            for name in ("tensor.npy", "checksums.npy", "manifest.json")
        )
        opened = (folder / "killed.log").read_text().split("\n")
        twice, never = len(opened) - 1 - N_FILES, N_FILES - len(set(opened)) + 1
        figures["extraction"] = {
            "n_files": N_FILES,
            "seconds": elapsed,
            "mb": float(memory),
            "equal": equal,
            "twice": twice,
            "never": never,
        }
        say(f"killed twice: equal to the byte: {equal}; {twice} files opened twice, {never} never")


FIT_STORE = """
import sys, threading, time, joblib, numpy as np
from skgenre import CNNClassifier
def anonymous():
    status = open("/proc/self/status").read()
    return int(status.split("RssAnon:")[1].split()[0]) / 1024
X = np.load(sys.argv[1], mmap_mode="r" if sys.argv[2] == "store" else None)
y = np.arange(len(X)) % 10
tiny = CNNClassifier(epochs=1, random_state=0).fit(np.array(X[:20]), y[:20])
peaks, done = [anonymous()], False
def watch():
    while not done:
        peaks.append(anonymous())
        time.sleep(0.01)
thread = threading.Thread(target=watch)
thread.start()
model = CNNClassifier(epochs=1, random_state=0).fit(X, y)
done = True
thread.join()
print(peaks[0], max(peaks), joblib.hash(model.weights_))
"""


def fit_from_a_store():
    """Memory of a CNN fit on a store of 2 GB, compared with a tiny fit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "tensor.npy")
        n = int(STORE_GB * 2**30 / (10 * 130 * 13 * 4))
        X = np.lib.format.open_memmap(path, "w+", np.float32, (n, 10, 130, 13))
        rng = np.random.default_rng(0)
        for i in range(0, n, 1000):
            X[i : i + 1000] = rng.normal(size=X[i : i + 1000].shape)
        X.flush()
        del X
        tiny, peak, weights = script(FIT_STORE, path, "store").split()
        tiny, peak = float(tiny), float(peak)
        say(f"store: {tiny:.0f} MB after a tiny fit, peak {peak:.0f} MB, {peak - tiny:+.0f} MB")
        _, in_memory, other_weights = script(FIT_STORE, path, "memory").split()
        equal = weights == other_weights
        figures["store"] = {
            "gb": STORE_GB,
            "tiny": tiny,
            "peak": peak,
            "added": peak - tiny,
            "in_memory": float(in_memory),
            "equal": equal,
        }
        say(f"in memory: peak {float(in_memory):.0f} MB; weights equal: {equal}")


SEARCH = """
import time, numpy as np, joblib
from sklearn.model_selection import GridSearchCV
from skgenre import CNNClassifier
if __name__ == "__main__":
    X = np.random.default_rng(0).normal(size=(100, 4, 130, 13)).astype(np.float32)
    y = np.arange(100) % 4
    grid = {"dropout": [0.1, 0.3], "learning_rate": [0.0003, 0.001, 0.003]}
    search = GridSearchCV(
        CNNClassifier(epochs=10, random_state=0), grid, cv=4, scoring="neg_log_loss", refit=False
    )
    scores = []
    for n_jobs in (1, 2):
        search.set_params(n_jobs=n_jobs)
        search.fit(X[:20], y[:20])  # starts TensorFlow, and the workers
        start = time.perf_counter()
        search.fit(X, y)
        print(time.perf_counter() - start, flush=True)
        scores.append(search.cv_results_["mean_test_score"])
    with joblib.parallel_config(backend="loky"):
        joblib.externals.loky.get_reusable_executor().shutdown()
    from distributed import Client, LocalCluster
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        search.fit(X, y)
    scores.append(search.cv_results_["mean_test_score"])
    print(*(int(np.array_equal(scores[0], other)) for other in scores[1:]))
"""


def parallel_search():
    """A search with 24 fits on two workers of loky and of Dask."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "search.py")
        path.write_text(SEARCH)
        env = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, path], capture_output=True, text=True, check=True, env=env
        )
        one, two, equal = done.stdout.splitlines()
        equal = equal == "1 1"
        figures["search"] = {"one": float(one), "two": float(two), "equal": equal}
        say(f"1 worker: {float(one):.1f} s, 2 workers: {float(two):.1f} s; scores equal: {equal}")


GROWTH = """
import json, sys, time
from pathlib import Path
import numpy as np, soundfile
from sklearn.pipeline import make_pipeline
from skgenre import (ANNClassifier, CNNClassifier, LSTMClassifier, MFCCSegmenter, SegmentSummary,
                     GTZANFeatures, extract_store)
from skgenre.datasets import make_tracks
from skgenre.networks.training import Segments
from skgenre.tensor import segment_mask

def ms_a_track(run, n):
    times = []
    run()
    for _ in range(3):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return 1000 * sorted(times)[1] / n

folder = Path(sys.argv[1])
tracks = make_tracks(2, genres=5, duration=30.1, random_state=0, folder=folder / "wav")
mp3 = []
for i, path in enumerate(tracks.data):
    mp3.append(str(folder / f"{i}.mp3"))
    soundfile.write(mp3[-1], *soundfile.read(path))
cost, n = {}, len(tracks.data)
cost["MFCCs of a 30 s WAV file"] = ms_a_track(lambda: MFCCSegmenter().transform(tracks.data), n)
cost["MFCCs of a 30 s MP3 file"] = ms_a_track(lambda: MFCCSegmenter().transform(mp3), n)
cost["57 features of a 30 s WAV file"] = ms_a_track(
    lambda: GTZANFeatures().transform(tracks.data), n
)
store = extract_store(MFCCSegmenter(), tracks.data, folder / "store")
X, y = np.concatenate([store.data] * 20), np.tile(tracks.target, 20)
cost["summary of a stored track"] = ms_a_track(lambda: SegmentSummary().fit_transform(X), len(X))
for model in (ANNClassifier, CNNClassifier, LSTMClassifier):
    name = model.__name__[:-10]
    def fit(epochs):
        return model(epochs=epochs, random_state=0).fit(X, y)
    start = ms_a_track(lambda: fit(1), len(X))
    cost[f"an epoch of the {name}"] = (ms_a_track(lambda: fit(5), len(X)) - start) / 4
    fitted = fit(1)
    cost[f"prediction with the {name}"] = ms_a_track(lambda: fitted.predict(X), len(X))
mask = segment_mask(X)
labels = np.searchsorted(np.unique(y), y)
segments = Segments(X, mask, np.arange(len(X)), labels, np.ones(len(y)))
index = mask.nbytes + sum(
    getattr(segments, name).nbytes for name in ("track", "segment", "y", "weight"))
size = {
    "store on disk": store.data[0].nbytes + 4,
    "manifest on disk": len((folder / "store/manifest.json").read_text()) / n,
    "index in memory during a fit": (index + 8 * len(segments)) / len(X),
}
print(json.dumps([cost, size]))
"""


def growth():
    """Time and size per track of each stage on one thread, and estimates for many tracks."""
    with tempfile.TemporaryDirectory() as folder:
        cost, size = json.loads(script(GROWTH, folder))
    figures["ms_per_track"], figures["bytes_per_track"] = cost, size
    for name, ms in cost.items():
        times = (f"{duration(ms / 1000 * n)} for {n:,}" for n in N_TRACKS)
        say(f"{name}: {ms:.1f} ms a track; {', '.join(times)}")
    for name, n_bytes in size.items():
        sizes = (f"{n_bytes * n / 1e9:.3g} GB for {n:,}" for n in N_TRACKS)
        say(f"{name}: {n_bytes:,.0f} bytes a track; {', '.join(sizes)}")


PARTS = [
    many_fits,
    many_architectures,
    parallel_search,
    killed_extraction,
    fit_from_a_store,
    growth,
]


# ---------------------------------------------------------------- the page

TEXT = """\
.. Written by benchmarks/scale.py.

Time
----

Processing time for 100,000 tracks on one thread:

{time_chart}
.. dropdown:: Table

{time_table}

Memory and disk
---------------

Sizes for 100,000 tracks:

{size_chart}
.. dropdown:: Table

{size_table}

Many fits in one process
------------------------

Each network is fitted {n_last} times in one process. The table lists the memory of the process
after {n_first} and after {n_last} fits, and the median time of the last five fits.

{fits}

In a search over 60 architectures (120 fits), each of joblib's workers uses between
{architectures[smallest]:.0f} and {architectures[largest]:,.0f} MB.

Parallel searches
-----------------

A search with 24 fits takes {search[one]:.1f} s with one worker and {search[two]:.1f} s with two.
With loky and with Dask, the scores {scores} those of one worker.

Interrupted extraction
----------------------

The extraction of {extraction[n_files]:,} files of half a second takes
{extraction[seconds]:.0f} s and uses {extraction[mb]:.0f} MB. In a second run, the
process was killed twice and the extraction was resumed each time. The resulting store
{bytes} the store of the uninterrupted run. Number of files opened twice:
{extraction[twice]}. Number of files never opened: {extraction[never]}.

Training from a store
---------------------

The memory of a process is {store[tiny]:.0f} MB after it has fitted a CNN on a few tracks. While the
process trains a CNN on a store of {store[gb]:g} GB, the memory peaks at {store[peak]:.0f} MB,
which is {store[added]:.0f} MB more. If the same tensor is loaded into memory, the peak is
{store[in_memory]:,.0f} MB. The weights of the two networks {weights}.

These figures are from {machine}, Python {python}.
"""


def duration(seconds):
    """Format a time."""
    for name, unit in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"


def size(n_bytes):
    """Format a number of bytes."""
    for name, unit in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= unit:
            return f"{n_bytes / unit:.3g} {name}"
    return f"{n_bytes / 1e3:.3g} kB"


def page(figures):
    """Return the part of the page in reStructuredText; its charts are drawn on the way."""
    cost, sizes = figures["ms_per_track"], figures["bytes_per_track"]
    n = N_TRACKS[1]
    names = sorted(cost, key=cost.get, reverse=True)
    hours = [cost[name] * n / 3.6e6 for name in names]
    texts = [duration(3600 * value) for value in hours]
    base = 0.8 * min(hours)
    bars("scale_time", names, hours, texts, base=base, axis="hours for 100,000 tracks")
    size_names = sorted(sizes, key=sizes.get, reverse=True)
    gb = [sizes[name] * n / 1e9 for name in size_names]
    texts = [size(1e9 * value) for value in gb]
    base = 0.5 * min(gb)
    bars("scale_size", size_names, gb, texts, base=base, axis="GB for 100,000 tracks")
    head = [f"{n_tracks:,} tracks" for n_tracks in N_TRACKS]
    fits = figures["fits"]
    equal = {True: "are equal to", False: "differ from"}
    return TEXT.format(
        time_chart=image("scale_time", "Time for 100,000 tracks at each stage"),
        time_table=table(
            ["stage", "ms per track", *head],
            [
                [name, f"{ms:.1f}", *(duration(ms / 1000 * n_tracks) for n_tracks in N_TRACKS)]
                for name, ms in cost.items()
            ],
            "   ",
        ),
        size_chart=image("scale_size", "Memory and disk space for 100,000 tracks"),
        size_table=table(
            ["data", "bytes per track", *head],
            [
                [name, f"{n_bytes:,.0f}", *(size(n_bytes * n_tracks) for n_tracks in N_TRACKS)]
                for name, n_bytes in sizes.items()
            ],
            "   ",
        ),
        n_first=10,
        n_last=figures["n_fits"],
        fits=table(
            ["network", "MB after 10", f"MB after {figures['n_fits']}", "s per fit"],
            [
                [name, f"{fit['mb']:.0f}", f"{fit['last_mb']:.0f}", f"{fit['last_s']:.2f}"]
                for name, fit in fits.items()
            ],
        ),
        architectures=figures["architectures"],
        search=figures["search"],
        scores=equal[figures["search"]["equal"]],
        extraction=figures["extraction"],
        bytes="is byte-identical to" if figures["extraction"]["equal"] else "differs from",
        store=figures["store"],
        weights="are equal" if figures["store"]["equal"] else "differ",
        machine=figures["machine"],
        python=figures["python"],
    )


def write_page():
    (DOCS / "scale_figures.txt").write_text(page(json.loads(FIGURES.read_text())))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="parts whose name contains this")
    parser.add_argument("--page", action="store_true", help="write the page without measuring")
    args = parser.parse_args()
    if args.page:
        write_page()
        return
    for part in PARTS:
        if args.only in part.__name__:
            say(f"\n{part.__doc__}\n")
            part()
    if not args.only:
        figures["machine"] = f"{os.cpu_count()} cores, {platform.machine()}"
        figures["python"] = platform.python_version()
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
        write_page()


if __name__ == "__main__":
    main()
