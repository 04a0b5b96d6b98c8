"""Time skgenre and named alternatives, and write ``docs/speed.json`` and the page on speed.

``make bench`` runs it on synthetic tracks, ``make bench GTZAN=<folder>`` on recordings. Both
sides of a row are timed in turns in one run, after a warm-up, and the times are medians. Ratios
are more stable than times, which vary with the machine and its load. With ``--page``, the page and
its charts are written again from ``docs/speed.json``, without measuring.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

#: One thread, except in rows that set another number.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")

import joblib
import librosa
import numpy as np
import soundfile
from pages import bars, image, table
from published import (
    build_scikeras,
    descriptors_with_librosa,
    features_with_librosa,
    log_mel_with_librosa,
)
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skgenre import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    MelCNNClassifier,
    MelSegmenter,
    MFCCSegmenter,
    SegmentScaler,
    SegmentSummary,
    TrackDescriptors,
    gtzan_features,
    make_baseline,
)
from skgenre.audio import AudioFile, load_audio
from skgenre.datasets import load_gtzan, make_tracks
from skgenre.features import segment_mfcc

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "docs" / "speed.json"
SEGMENT = 66150
#: Number of repetitions of each track in rows that process a folder, for longer run times.
COPIES = 4
NETWORKS = {"ANN": ANNClassifier, "CNN": CNNClassifier, "LSTM": LSTMClassifier}


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def compare(ours, theirs, n=7):
    """Measure the median times of two functions, called alternately after a warm-up."""
    ours(), theirs()
    times = [(seconds(ours), seconds(theirs)) for _ in range(n)]
    return tuple(np.median(times, axis=0))


class Row(NamedTuple):
    what: str
    against: str
    aim: float
    run: Callable


# ---------------------------------------------------------------- extraction


def librosa_segments(y):
    """Compute the MFCCs of ten segments in the same way as the published system."""
    return [
        librosa.feature.mfcc(y=y[i * SEGMENT : (i + 1) * SEGMENT], sr=22050, n_mfcc=13).T
        for i in range(10)
    ]


def mfcc_of_a_track(paths, folder):
    y = load_audio(paths[0])[: 10 * SEGMENT]
    y = np.pad(y, (0, 10 * SEGMENT - len(y)))
    segments = y.reshape(10, SEGMENT)
    assert np.abs(segment_mfcc(segments) - librosa_segments(y)).max() < 1e-3
    return compare(lambda: segment_mfcc(segments), lambda: librosa_segments(y), 21)


def mel_of_a_track(paths, folder):
    [path, *_] = paths
    [[found]] = MelSegmenter().transform([path])
    expected = log_mel_with_librosa(path)[: len(found)]
    # In tracks longer than 30 s, the last frames include samples after the end of the segment.
    assert np.abs(found[:-1] - expected[: len(found) - 1]).max() < 1e-3
    return compare(lambda: MelSegmenter().transform([path]), lambda: log_mel_with_librosa(path), 21)


def descriptors_of_a_track(paths, folder):
    [path, *_] = paths
    return compare(
        lambda: TrackDescriptors().transform([path]), lambda: descriptors_with_librosa(path), 21
    )


def features_of_a_track(paths, folder):
    y = load_audio(paths[0])
    return compare(lambda: gtzan_features(y), lambda: features_with_librosa(y), 5)


def folder_to_tensor(paths, folder):
    """Compare two workers with the published script, which uses one process and a JSON file."""
    paths = paths * COPIES

    def published():
        data = []
        for path in paths:
            y, _ = librosa.load(path, sr=22050)
            for i in range(min(10, len(y) // SEGMENT)):
                segment = y[i * SEGMENT : (i + 1) * SEGMENT]
                data.append(librosa.feature.mfcc(y=segment, sr=22050, n_mfcc=13).T.tolist())
        with open(folder / "data.json", "w") as file:
            json.dump(data, file)
        with open(folder / "data.json") as file:
            np.array(json.load(file))

    return compare(lambda: MFCCSegmenter(n_jobs=2).transform(paths), published, 3)


def two_workers(paths, folder):
    paths = paths * COPIES
    one, two = (MFCCSegmenter(n_jobs=n) for n in (1, 2))
    return compare(lambda: two.transform(paths), lambda: one.transform(paths), 5)


def mfcc_of_an_mp3(paths, folder):
    path = folder / "stereo.mp3"
    y = librosa.resample(load_audio(paths[0])[: 10 * SEGMENT], orig_sr=22050, target_sr=44100)
    soundfile.write(path, np.stack([y, 0.9 * y], axis=1), 44100)

    def theirs():
        librosa_segments(librosa.load(path, sr=22050)[0])

    return compare(lambda: MFCCSegmenter().transform([path]), theirs, 21)


def start_of_a_long_mp3(paths, folder):
    path = folder / "long.mp3"
    y = np.concatenate([load_audio(paths[i % len(paths)]) for i in range(8)])
    soundfile.write(path, y[: 240 * 22050], 22050)

    def theirs():
        y, _ = librosa.load(path, sr=22050)
        librosa_segments(y[: 10 * SEGMENT])

    return compare(lambda: MFCCSegmenter().transform([path]), theirs, 5)


def cached_transform(paths, folder):
    fresh = []

    def first():
        cache = folder / f"cache{len(fresh)}"
        fresh.append(cache)
        MFCCSegmenter(memory=str(cache)).transform(paths)

    def again():
        MFCCSegmenter(memory=str(fresh[0])).transform(paths)

    first()
    return compare(again, first, 3)


def files_read_by_a_search(paths, folder):
    """Count the files decoded by a search over 6 candidates and 3 folds, with and without cache."""
    counts = []
    opened = []
    open_file = AudioFile.__init__

    def counting(self, path, *args, **kwargs):
        opened.append(path)
        open_file(self, path, *args, **kwargs)

    labels = [Path(path).parent.name for path in paths]
    AudioFile.__init__ = counting
    for memory in (str(folder / "search"), None):
        opened.clear()
        model = make_pipeline(MFCCSegmenter(memory=memory), SegmentSummary(), make_baseline("svm"))
        GridSearchCV(model, {"pipeline__svc__C": [0.01, 0.1, 1, 10, 100, 1000]}, cv=3).fit(
            paths, labels
        )
        counts.append(len(opened) / len(paths))
    AudioFile.__init__ = open_file
    return tuple(counts)


# ---------------------------------------------------------------- networks


def random_tracks(n_tracks, n_segments, n_classes=10):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_tracks, n_segments, 130, 13)).astype(np.float32)
    return X, np.arange(n_tracks) % n_classes


def keras_model(kind):
    """Build the same layers in Keras."""
    import keras

    model = keras.models.clone_model(fitted(kind).to_keras())
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def fitted(kind):
    X, y = random_tracks(20, 1)
    return NETWORKS[kind](epochs=1, random_state=0).fit(X, y)


def fit(kind):
    def row(paths, folder):
        X, y = random_tracks(200, 10)
        model = keras_model(kind)
        flat, labels = X.reshape(-1, 130, 13), np.repeat(y, 10)
        classifier = NETWORKS[kind](epochs=5, random_state=0)
        return compare(
            lambda: classifier.fit(X, y),
            lambda: model.fit(flat, labels, batch_size=32, epochs=5, verbose=0),
            3,
        )

    return row


def scikeras_classifier(kind, **kwargs):
    """Create a scikeras classifier, which calls a function to build the network in each fit."""
    import keras
    from scikeras.wrappers import KerasClassifier

    layers = {
        "ANN": lambda d: [
            keras.layers.Flatten(),
            *(
                layer
                for units in (512, 256, 64)
                for layer in (
                    keras.layers.Dense(units, "relu", kernel_regularizer="l2"),
                    keras.layers.Dropout(d),
                )
            ),
        ],
        "CNN": lambda d: [
            keras.layers.Reshape((130, 13, 1)),
            *(
                layer
                for size in (3, 3, 2)
                for layer in (
                    keras.layers.Conv2D(32, size, activation="relu"),
                    keras.layers.MaxPooling2D(size, 2, padding="same"),
                    keras.layers.BatchNormalization(),
                )
            ),
            keras.layers.Flatten(),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dropout(d),
        ],
        "LSTM": lambda d: [
            keras.layers.LSTM(64, return_sequences=True),
            keras.layers.LSTM(64),
            keras.layers.Dense(64, "relu"),
            keras.layers.Dropout(d),
        ],
    }[kind]
    return KerasClassifier(
        model=build_scikeras,
        layers=layers,
        dropout=0.3,
        loss="sparse_categorical_crossentropy",
        optimizer="adam",
        verbose=0,
        **kwargs,
    )


def search(paths, folder):
    X, y = random_tracks(200, 2)
    grid = {"dropout": [0.1, 0.3], "learning_rate": [0.001, 0.003, 0.01]}
    ours = GridSearchCV(LSTMClassifier(epochs=2, random_state=0), grid, cv=4, refit=False)
    theirs = GridSearchCV(
        scikeras_classifier("LSTM", epochs=2),
        {"dropout": grid["dropout"], "optimizer__learning_rate": grid["learning_rate"]},
        cv=4,
        refit=False,
    )
    flat, labels = X.reshape(-1, 130, 13), np.repeat(y, 2)
    return seconds(lambda: ours.fit(X, y)), seconds(lambda: theirs.fit(flat, labels))


def answer_one(kind):
    def row(paths, folder):
        classifier = fitted(kind)
        X, y = random_tracks(20, 10)
        theirs = scikeras_classifier(kind, epochs=1).fit(X[:, 0], y)
        return compare(
            lambda: classifier.predict_proba(X[:1]), lambda: theirs.predict_proba(X[0]), 11
        )

    return row


def answer_many(kind):
    def row(paths, folder):
        classifier = fitted(kind)
        X, _ = random_tracks(300, 10)
        model = classifier.to_keras()
        flat = X.reshape(-1, 130, 13)
        return compare(
            lambda: classifier.predict_proba(X),
            lambda: model.predict(flat, batch_size=256, verbose=0),
            5,
        )

    return row


def random_spectra(n_tracks):
    X = np.random.default_rng(0).normal(size=(n_tracks, 1, 646, 64)).astype(np.float32)
    return X, np.arange(n_tracks) % 10


def fit_on_spectra(paths, folder):
    """Compare training on random 10-second crops with training on fixed crops."""
    import keras

    X, y = random_spectra(100)
    classifier = MelCNNClassifier(augment=False, epochs=5, random_state=0)
    model = keras.models.clone_model(clone(classifier).set_params(epochs=1).fit(X, y).to_keras())
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    crops = X[:, 0, :216]
    return compare(
        lambda: classifier.fit(X, y),
        lambda: model.fit(crops, y, batch_size=16, epochs=5, verbose=0),
        3,
    )


def answer_for_spectra(n_tracks):
    def row(paths, folder):
        X, _ = random_spectra(n_tracks)
        classifier = MelCNNClassifier(epochs=1, random_state=0).fit(*random_spectra(20))
        model = classifier.to_keras()
        return compare(
            lambda: classifier.predict_proba(X),
            lambda: model.predict(X[:, 0], batch_size=32, verbose=0),
            5,
        )

    return row


# ---------------------------------------------------------------- new processes

#: Peak memory of the process. In the resource module, it starts from that of the parent.
PEAK = """
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""

OURS = """
import joblib, sys
print(joblib.load(sys.argv[1]).predict([sys.argv[2]]))
"""
THEIRS = """
import joblib, sys, librosa, numpy as np
model = joblib.load(sys.argv[1])
y, _ = librosa.load(sys.argv[2], sr=22050)
X = np.array([
    librosa.feature.mfcc(y=y[i * 66150:(i + 1) * 66150], sr=22050, n_mfcc=13).T for i in range(9)
])
print(model.predict_proba(X).mean(axis=0).argmax())
"""


def process(code, *args):
    """Measure the run time in seconds and the peak memory in MB of a new process."""
    code += PEAK
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, args)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "benchmarks")},
    )
    return time.perf_counter() - start, float(done.stdout.split()[-1])


def answer_in_a_new_process(paths, folder):
    X, y = random_tracks(20, 10)
    pipeline = make_pipeline(MFCCSegmenter(), SegmentScaler().fit(X), fitted("CNN"))
    theirs = scikeras_classifier("CNN", epochs=1).fit(X[:, 0], y)
    theirs.set_params(layers=None)  # a fitted one does not need it, and it does not pickle
    joblib.dump(pipeline, folder / "ours.joblib")
    joblib.dump(theirs, folder / "theirs.joblib")
    return [
        np.median([process(code, folder / model, paths[0]) for _ in range(3)], axis=0)
        for code, model in ((OURS, "ours.joblib"), (THEIRS, "theirs.joblib"))
    ]


MEMORY = """
import sys
from skgenre import MFCCSegmenter
X = MFCCSegmenter().transform(sys.argv[2:] * (int(sys.argv[1]) // len(sys.argv[2:]) + 1))
print(X.nbytes / 2**20)
"""


def peak_memory(paths):
    """Measure the peak memory of a process that extracts a thousand tracks, and the output size."""
    done = subprocess.run(
        [sys.executable, "-c", MEMORY + PEAK, "1000", *paths],
        capture_output=True,
        text=True,
        check=True,
    )
    output, peak = map(float, done.stdout.split())
    return peak, output


ROWS = [
    Row("MFCCs of a 30 s track", "librosa, per segment", 4, mfcc_of_a_track),
    Row("MFCCs of a 30 s MP3 file", "librosa.load, then MFCCs", 2, mfcc_of_an_mp3),
    Row("log-mel segment of a 30 s file", "plain librosa calls", 4, mel_of_a_track),
    Row("659 descriptors of a 30 s file", "plain librosa calls", 5, descriptors_of_a_track),
    Row("57 features of a 30 s track", "plain librosa calls", 4, features_of_a_track),
    Row(
        "folder of audio to tensor, 2 workers",
        "published scripts (lists, JSON)",
        20,
        folder_to_tensor,
    ),
    Row("folder of audio to tensor, 2 workers", "1 worker", 1.7, two_workers),
    Row("first 30 s of a 4-minute MP3", "librosa.load, then MFCCs", 8, start_of_a_long_mp3),
    Row("second transform of a folder, memory=", "first transform", 15, cached_transform),
    *(
        Row(f"fit of the {kind}, 2,000 segments, 5 epochs", "Keras model.fit", 1.25, fit(kind))
        for kind in NETWORKS
    ),
    Row("24-fit search, LSTM", "scikeras", 4, search),
    *(
        Row(f"predict_proba of one track, {kind}", "scikeras, 10 segments", bar, answer_one(kind))
        for kind, bar in (("ANN", 150), ("CNN", 60), ("LSTM", 40))
    ),
    *(
        Row(
            f"predict_proba of 300 tracks, {kind}",
            "keras.Model.predict, batch 256",
            bar,
            answer_many(kind),
        )
        for kind, bar in (("ANN", 2.8), ("CNN", 2.8), ("LSTM", 1.4))
    ),
    Row("fit of the log-mel CNN, 100 tracks, 5 epochs", "Keras model.fit", 1, fit_on_spectra),
    *(
        Row(
            f"predict_proba of {words}, log-mel CNN",
            "keras.Model.predict",
            bar,
            answer_for_spectra(n),
        )
        for words, n, bar in (("one track", 1, 5), ("300 tracks", 300, 1))
    ),
]


# ---------------------------------------------------------------- the page

GROUPS = ("Features", "Training", "Prediction")

HEAD = """\
.. Written by benchmarks/speed.py.

Speed
=====

The charts compare skgenre with alternatives that compute the same results. A value of 2 means
that skgenre takes half the time. The times are measured by ``make bench``
(``benchmarks/speed.py``) on {n_tracks} {tracks} ({machine}, Python {python}).
Unless a row specifies otherwise, one thread is used. For each row, skgenre and the alternative
are run alternately after a warm-up, and the median times are reported. The
search is run only once. Rows may be from different runs, and of different machines of this kind;
the two times of a row are always of the same run.
"""

TAIL = """
Processes and memory
--------------------

{process}

- The table lists the time and memory of a new process that loads a saved CNN pipeline and predicts
  one song. With scikeras and librosa, the time is {time:.1f} times as long and the peak memory is
  {memory:.1f} times as large as with skgenre.
- In a grid search with 6 candidates and 3 folds, each file is decoded {cached} if the segmenter
  has a cache (``memory=``), and {uncached} otherwise.
- The extraction of a thousand tracks has a peak memory of {peak:.0f} MB. The resulting
  tensor accounts for {output:.0f} MB of it.
"""


def group_of(what):
    """Return the section of a row."""
    if what.startswith(("fit ", "24-fit")):
        return "Training"
    return "Prediction" if what.startswith("predict") else "Features"


def count(n):
    return {1: "once", 2: "twice"}.get(round(n), f"{n:.0f} times")


def milliseconds(ms):
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.1f}"


def card(rows):
    """Draw the small chart of the front page."""
    times = {(row["what"], row["against"].split(",")[0]): row["times"] for row in rows}
    chosen = {
        "MFCCs, librosa": times["MFCCs of a 30 s track", "librosa"],
        "with MP3 decoding": times["MFCCs of a 30 s MP3 file", "librosa.load"],
        "grid search, scikeras": times["24-fit search, LSTM", "scikeras"],
        "prediction, scikeras": times["predict_proba of one track, CNN", "scikeras"],
    }
    texts = [f"{ratio:.0f} times as fast" for ratio in chosen.values()]
    bars("speed_card", list(chosen), list(chosen.values()), texts, base=1, axis="", width=2.6)


def page(figures):
    """Return the page in reStructuredText; its charts are drawn on the way."""
    rows = figures["rows"]
    card(rows)
    text = HEAD.format(
        n_tracks=figures["n_tracks"],
        tracks="recordings of GTZAN" if figures["recordings"] else "synthetic tracks",
        machine=figures["machine"],
        python=figures["python"],
    )
    for group in GROUPS:
        chosen = [row for row in rows if group_of(row["what"]) == group]
        ratios = [row["times"] for row in chosen]
        bars(
            f"speed_{group.lower()}",
            [f"{row['what']} vs. {row['against']}" for row in chosen],
            ratios,
            [
                f"{ratio:.0f}" if ratio > 10 else f"{ratio:.{1 if ratio > 1 else 2}f}"
                for ratio in ratios
            ],
            base=1,
            axis="times as fast",
            emphasis=lambda ratio: ratio < 1,
        )
        cells = [
            [
                row["what"],
                row["against"],
                milliseconds(row["ours_ms"]),
                milliseconds(row["theirs_ms"]),
                f"{ratio:.2f}",
            ]
            for row, ratio in zip(chosen, ratios, strict=True)
        ]
        head = ["operation", "alternative", "skgenre (ms)", "alternative (ms)", "times as fast"]
        alt = f"Speed of skgenre relative to the alternatives: {group.lower()}"
        text += f"\n{group}\n{'-' * len(group)}\n\n{image(f'speed_{group.lower()}', alt)}\n"
        text += f".. dropdown:: Table\n\n{table(head, cells, '   ')}\n"
    process = figures["process"]
    names = {"skgenre": "skgenre", "scikeras": "scikeras and librosa"}
    return text + TAIL.format(
        process=table(
            ["new process, one song", "seconds", "peak memory (MB)"],
            [[names[name], f"{process[name][0]:.1f}", f"{process[name][1]:.0f}"] for name in names],
        ),
        time=process["times"][0],
        memory=process["times"][1],
        cached=count(figures["opened"]["cached"]),
        uncached=count(figures["opened"]["uncached"]),
        peak=figures["extraction"]["peak_mb"],
        output=figures["extraction"]["output_mb"],
    )


def write(figures):
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    write_page()


def write_page():
    (ROOT / "docs" / "speed.rst").write_text(page(json.loads(FIGURES.read_text())))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="GTZAN instead of synthetic tracks")
    parser.add_argument("--only", default="", help="replace only rows that contain this")
    parser.add_argument("--page", action="store_true", help="write the page without measuring")
    args = parser.parse_args()
    if args.page:
        write_page()
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tracks = (
            load_gtzan(args.folder)
            if args.folder
            else make_tracks(2, duration=30, random_state=0, folder=folder / "tracks")
        )
        paths = tracks.data
        rows = []
        for row in ROWS:
            if args.only not in row.what:
                continue
            ours, theirs = row.run(paths, folder)
            times = theirs / ours
            rows.append(
                {
                    "what": row.what,
                    "against": row.against,
                    "ours_ms": 1000 * ours,
                    "theirs_ms": 1000 * theirs,
                    "times": times,
                }
            )
            missed = "" if times >= row.aim else f" (aim: {row.aim:.3g})"
            print(
                f"{row.what} | {row.against} | {1000 * ours:.1f} | {1000 * theirs:.1f} | "
                f"{times:.2f}{missed}",
                flush=True,
            )
        if args.only:
            figures = json.loads(FIGURES.read_text())
            known = {(row["what"], row["against"]): row for row in figures["rows"] + rows}
            keys = [(row.what, row.against) for row in ROWS]
            figures["rows"] = [known[key] for key in keys if key in known]
            write(figures)
            return
        ours, theirs = answer_in_a_new_process(paths, folder)
        cached, uncached = files_read_by_a_search(paths, folder)
        peak, output = peak_memory(paths)
    figures = {
        "n_tracks": len(paths),
        "recordings": bool(args.folder),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        "python": platform.python_version(),
        "rows": rows,
        "process": {
            "skgenre": list(ours),
            "scikeras": list(theirs),
            "times": [theirs[0] / ours[0], theirs[1] / ours[1]],
        },
        "opened": {"cached": cached, "uncached": uncached},
        "extraction": {"peak_mb": peak, "output_mb": output},
    }
    write(figures)


if __name__ == "__main__":
    main()
