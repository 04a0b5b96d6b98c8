"""Train the published networks as published, and write ``docs/published_system.rst``.

``make reproduce GTZAN=<folder>`` runs this script on a complete or partial copy of GTZAN. Each
result is saved in ``build/reproduce`` as soon as it is computed, so that an interrupted run
resumes; delete that folder after changing the code. The page and its pictures are written at the
end.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")  # as many processes as cores
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import joblib
import numpy as np
from joblib import Parallel, delayed
from reproduce_page import write_page
from scipy.signal import correlate
from sklearn.model_selection import GridSearchCV, KFold, StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline

from skgenre import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    MFCCSegmenter,
    SegmentSummary,
    genre_pipeline,
    load_audio,
    make_baseline,
)
from skgenre.datasets import find_duplicates, load_gtzan, load_gtzan_features
from skgenre.evaluation import leakage_report, write_splits
from skgenre.folds import fit_with_groups

ROOT = Path(__file__).parent.parent
NETWORKS = {"ann": ANNClassifier, "cnn": CNNClassifier, "lstm": LSTMClassifier}
BASELINES = ("svm", "lda")
#: The default preset and the network on mel spectrograms. ``accuracy.py`` evaluates all presets.
PRESETS = ("descriptors", "mel")
#: Models for the table of ten genres, and its file name.
TABLE_MODELS = ("knn", "svm", "lda", "forest")
TABLE = "features_10_sec.csv"
#: Fraction of the training set that is held out for validation, as in the published scripts.
HELD_OUT = 0.2
#: Candidates of the grid search, without the LSTM, which takes as long as the other networks.
SEARCHED, DROPOUTS = ("ann", "cnn"), (0.1, 0.3)
GRID_EPOCHS = 10

#: Script that is run in a separate process.
PREDICT = """\
import sys
import joblib
model, *paths = sys.argv[1:]
print(*joblib.load(model).predict(paths))
assert "tensorflow" not in sys.modules
"""


def network(name, seed):
    return NETWORKS[name](validation_fraction=HELD_OUT, batch_size=32, random_state=seed)


def splittings(segments, n_folds, seed):
    """Yield name, folds and groups of the three kinds of splits."""
    n = len(segments["target"])
    by_group = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    random = KFold(n_folds, shuffle=True, random_state=seed)
    for name, splitter, groups in (
        ("random segments", random, None),
        ("by track", by_group, segments["track"]),
        ("by artist", by_group, segments["artist"]),
    ):
        yield name, list(splitter.split(np.zeros(n), segments["target"], groups)), groups


def fit_segments(name, seed, data, target, groups, train, test):
    """Train on segments and return test probabilities, training curves and run time."""
    start = time.perf_counter()
    if name in NETWORKS:
        # The validation segments are selected in the same way as the test segments.
        inner = None if groups is None else groups[train]
        model = network(name, seed).fit(data[train], target[train], groups=inner)
        proba, history = model.predict_proba(data[test]), model.history_
    else:
        model = make_pipeline(SegmentSummary(), make_baseline(name, random_state=seed))
        model.fit(data[train], target[train])
        proba, history = votes(model, data[test]), None
    return {"proba": proba, "history": history, "seconds": time.perf_counter() - start}


def fit_tracks(name, seed, data, target, groups, train, test):
    """Train a preset on tracks and return test probabilities and run time."""
    start = time.perf_counter()
    model = genre_pipeline(name, random_state=seed)[1:]
    fit_with_groups(model, data[train], target[train], groups[train])
    return {"proba": votes(model, data[test]), "seconds": time.perf_counter() - start}


def named(key, function, task):
    return key, function(*task)


def votes(model, data):
    """Return probabilities, or one-hot predictions of a model without ``predict_proba``."""
    if hasattr(model, "predict_proba"):
        return model.predict_proba(data)
    return (model.predict(data)[:, None] == model.classes_).astype(float)


def search(tracks, n_folds, seed, folder, jobs):
    """Run a grid search, save the best model, and load it in a new process to predict."""
    start = time.perf_counter()
    pipe = Pipeline(
        [
            ("mfcc", MFCCSegmenter(memory=str(folder / "features"), on_error="warn")),
            ("network", CNNClassifier()),
        ]
    )
    grid = {
        "network": [NETWORKS[name](epochs=GRID_EPOCHS, random_state=seed) for name in SEARCHED],
        "network__dropout": list(DROPOUTS),
    }
    folds = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
    found = GridSearchCV(pipe, grid, cv=folds, n_jobs=jobs, error_score="raise", verbose=3)
    found.fit(tracks.data, tracks.target, groups=tracks.groups)
    model = folder / "best.joblib"
    joblib.dump(found.best_estimator_, model)
    # The first track of each genre.
    paths = [tracks.data[list(tracks.target).index(genre)] for genre in tracks.target_names]
    done = subprocess.run(
        [sys.executable, "-c", PREDICT, model, *paths], capture_output=True, text=True, check=True
    )
    rows = [
        {
            "network": type(params["network"]).__name__,
            "dropout": params["network__dropout"],
            "accuracy": float(mean),
            "std": float(std),
        }
        for params, mean, std in zip(
            found.cv_results_["params"],
            found.cv_results_["mean_test_score"],
            found.cv_results_["std_test_score"],
            strict=True,
        )
    ]
    return {
        "rows": rows,
        "epochs": GRID_EPOCHS,
        "asked": [Path(path).name for path in paths],
        "predicted": done.stdout.split(),
        "size": model.stat().st_size,
        "seconds": time.perf_counter() - start,
    }


def table_scores(path):
    """Compute the accuracy of classical models on the table of ten genres, for each split."""
    table = load_gtzan_features(path)
    models = {name: make_baseline(name, random_state=0) for name in TABLE_MODELS}
    report = leakage_report(models, table)
    return {
        "rows": report.pivot(index="model", columns="splitting", values="accuracy").loc[
            list(models), ["random pieces", "by track", "by artist"]
        ],
        "pieces": len(table.target),
        "tracks": len(set(table.track_ids)),
    }


def duplicates(tracks, jobs):
    """Return pairs of duplicate recordings with the correlation of their samples."""
    names = dict(zip(tracks.data, tracks.track_ids, strict=True))
    pairs = find_duplicates(tracks.data, n_jobs=jobs)
    found = []
    for pair in pairs.itertuples():
        a, b = load_audio(pair.first), load_audio(pair.second)
        highest = correlate(a, b, method="fft").max() / np.sqrt((a @ a) * (b @ b))
        found.append(
            {
                "first": names[pair.first],
                "second": names[pair.second],
                "offset": pair.offset,
                "similarity": pair.similarity,
                "correlation": float(highest),
            }
        )
    return sorted(found, key=lambda pair: pair["first"])


class Kept:
    """Results that are stored in files, with the total time of all runs."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._clock = folder / "seconds.json"
        self._before = json.loads(self._clock.read_text()) if self._clock.exists() else 0.0
        self._start = time.perf_counter()

    def path(self, key):
        return self.folder / f"{key.replace(' ', '_')}.joblib"

    def has(self, key):
        return self.path(key).exists()

    def load(self, key):
        return joblib.load(self.path(key))

    def keep(self, key, result):
        # Write to a temporary file first, so that a killed run does not leave an incomplete file.
        part = self.path(key).with_suffix(".part")
        joblib.dump(result, part)
        part.replace(self.path(key))
        self._clock.write_text(json.dumps(self.seconds()))
        print(f"{self.seconds() / 60:5.1f} min  {key}", flush=True)

    def seconds_kept(self):
        """Return the total time until the last result, without writing the page."""
        return json.loads(self._clock.read_text())

    def seconds(self):
        return self._before + time.perf_counter() - self._start


def features(kept, name, tracks, jobs):
    """Return the features of all tracks, from the cache if available."""
    key = f"features {name}"
    if not kept.has(key):
        front = MFCCSegmenter() if name == "mfcc" else genre_pipeline(name)[0]
        kept.keep(key, front.set_params(n_jobs=jobs, on_error="warn").transform(tracks.data))
    return kept.load(key)


def spread(tracks, X):
    """Return the segments that are not missing, with their genres, tracks and artists."""
    track, segment = np.nonzero(~np.isnan(X[:, :, 0, 0]))
    return {
        "data": X[track, segment],
        "target": np.asarray(tracks.target)[track],
        "track": track,
        "artist": np.asarray(tracks.groups)[track],
    }


def check(tracks, n_folds):
    """Exit with an error if there are too few genres or artists for the folds."""
    by_genre = {
        genre: len(set(tracks.groups[tracks.target == genre])) for genre in tracks.target_names
    }
    few = {genre: n for genre, n in by_genre.items() if n < n_folds}
    if len(by_genre) < 2 or few:
        raise SystemExit(
            f"There are artists of {by_genre}: at least two genres of {n_folds} artists each are "
            "needed. Give a folder with more tracks, or fewer --folds."
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="a complete or partial copy of GTZAN")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "reproduce")
    parser.add_argument("--note", default="", help="note on the machine, added to the run time")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "published_system.rst")
    args = parser.parse_args()

    tracks = load_gtzan(args.folder)
    check(tracks, args.folds)
    words = [f"{(tracks.target == genre).sum()} of {genre}" for genre in tracks.target_names]
    print(f"{len(tracks.data)} tracks: {', '.join(words)}; left out: {tracks.excluded or 'none'}")
    known = joblib.hash((tracks.data, args.folds, args.seed))[:12]
    kept = Kept(args.cache / known)

    X = features(kept, "mfcc", tracks, args.jobs)
    segments = spread(tracks, X)
    segment_folds, track_folds = {}, {}
    tasks = []
    for splitting, folds, groups in splittings(segments, args.folds, args.seed):
        segment_folds[splitting] = folds
        for fold, (train, test) in enumerate(folds):
            for name in (*BASELINES, *NETWORKS):
                task = (name, args.seed, segments["data"], segments["target"], groups, train, test)
                tasks.append((f"{name} {splitting} {fold}", fit_segments, task))
        if groups is not None:
            track_folds[splitting] = [
                (np.unique(segments["track"][train]), np.unique(segments["track"][test]))
                for train, test in folds
            ]
    for name in PRESETS:
        data = features(kept, name, tracks, args.jobs)
        for splitting, folds in track_folds.items():
            for fold, (train, test) in enumerate(folds):
                task = (name, args.seed, data, tracks.target, tracks.groups, train, test)
                tasks.append((f"{name} {splitting} {fold}", fit_tracks, task))
    left = [task for task in tasks if not kept.has(task[0])]
    print(f"{len(left)} of {len(tasks)} fits are left to do")
    results = Parallel(args.jobs, return_as="generator_unordered", batch_size=1)(
        delayed(named)(key, function, task) for key, function, task in left
    )
    for key, result in results:
        kept.keep(key, result)
    if not kept.has("grid"):
        kept.keep("grid", search(tracks, args.folds, args.seed, kept.folder, args.jobs))
    table = next(
        (
            folder / TABLE
            for folder in (args.folder, args.folder.parent)
            if (folder / TABLE).exists()
        ),
        None,
    )
    if table and not kept.has("table"):
        kept.keep("table", table_scores(table))
    if not kept.has("duplicates"):
        kept.keep("duplicates", duplicates(tracks, args.jobs))
    args.presets, args.fraction = PRESETS, HELD_OUT
    args.excluded = [Path(path).name for path in tracks.excluded]
    write_page(args, tracks, segments, segment_folds, track_folds, kept)
    write_splits(
        args.page.parent / "published_system_folds.json", track_folds["by artist"], tracks.data
    )
    print(f"{args.page} is written")


if __name__ == "__main__":
    main()
