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
import textwrap
import time
from importlib.metadata import version
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")  # as many processes as cores
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import joblib
import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from joblib import Parallel, delayed
from pages import records_table
from scipy.signal import correlate
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, KFold, StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import check_random_state

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
from skgenre._metadata import fit_with_groups
from skgenre.datasets import find_duplicates, load_gtzan
from skgenre.evaluation import write_splits
from skgenre.networks.holdout import hold_out
from skgenre.plotting import HistoryDisplay

ROOT = Path(__file__).parent.parent
NETWORKS = {"ann": ANNClassifier, "cnn": CNNClassifier, "lstm": LSTMClassifier}
BASELINES = ("svm", "lda")
#: The default preset and the network on mel spectrograms. ``accuracy.py`` evaluates all presets.
PRESETS = ("descriptors", "mel")
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
    model = genre_pipeline(name, random_state=seed, augment=None)[1:]
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


# ---------------------------------------------------------------- the page

SPLITTINGS = ("random segments", "by track", "by artist")
ROWS = (*NETWORKS, *BASELINES)

PACKAGES = {
    "sklearn": "scikit-learn",
    "keras": "keras",
    "tensorflow": "tensorflow",
    "librosa": "librosa",
}

OPENING = (
    "On {n} tracks of GTZAN, the three published networks reach {random} % accuracy on test "
    "segments when segments are split at random, as in the original scripts. When no artist is in "
    "both the training and the test set, they only reach {artist} %. By network, the two "
    "accuracies are {gap}. The difference is leakage: the networks recognize the tracks and "
    "artists that they were trained on. Only the second accuracy is an estimate for unseen artists."
)

TEXT = """\
The published system
====================

{opening}

`Aryan-Lohia/Music-Genre-Classification
<https://github.com/Aryan-Lohia/Music-Genre-Classification>`_ cuts the tracks of GTZAN [1]_ into
ten segments of 3 seconds, computes 13 MFCCs for each, and trains a dense (ANN), a convolutional
(CNN) and a recurrent (LSTM) network in Keras. This page trains the same networks in the same way
and evaluates them with three kinds of splits.

The page is generated by ``make reproduce GTZAN=<folder>`` (``benchmarks/reproduce.py``) with
scikit-learn {sklearn}, Keras {keras}, TensorFlow {tensorflow} and librosa {librosa}. The command
accepts any copy of GTZAN, complete or partial, and resumes an interrupted run.

:Tracks: {counts}, by {n_artists} artists: {n_segments} segments.{excluded}
:Training: {epochs} epochs for ANN, CNN and LSTM, Adam, batches of 32, seed {seed}. As published,
   the MFCCs are not scaled.
:Cross-validation: {folds} folds for each kind of split, seed {seed}. One fifth of the training
   set is held out for the validation curves, split in the same way as the test set.
:Time: {minutes:.0f} minutes with {jobs} processes on {cores} cores{shared}.

The original scripts use a single split. They test on 25 % of the segments (LSTM: 30 %) and
validate on 20 % of the rest (LSTM: 30 %); the ANN is validated on the test segments.

The networks
------------

These are the layers for ten genres, in the format of the published README.

{layers}

Training and validation
-----------------------

Learning curves of the first fold when segments are split at random. The validation segments come
from tracks in the training set. The loss is on a logarithmic scale.

.. image:: images/published_curves_random.png
   :alt: Loss and accuracy of ANN, CNN and LSTM over the epochs, segments split at random

Learning curves of the first fold when tracks are split by artist.
{held_out}

.. image:: images/published_curves_artist.png
   :alt: Loss and accuracy of ANN, CNN and LSTM over the epochs, by artist

Accuracy with three kinds of splits
-----------------------------------

Accuracy on test *segments*: mean over the folds, with the lowest and highest fold in parentheses.
``svm`` and ``lda`` are :func:`skgenre.make_baseline` models trained on the mean and standard
deviation of the same MFCCs (:class:`skgenre.SegmentSummary`).

{by_segment}

Accuracy on test *tracks*, where the predictions for the segments of a track are averaged. There is
no such score for random segments, since segments of the same track are in both sets.
{presets} are presets of :func:`skgenre.genre_pipeline` with their own features.

{by_track}

The number of artists is small ({fewest}), so each test fold contains only a few.
:doc:`accuracy` reports all presets with confidence intervals and three repetitions. There, the
coefficients are centered before they are passed to the networks, unlike in the published system.

Confusion matrices
------------------

Test segments of all folds. Rows are normalized to sum to 1.

.. image:: images/published_confusion.png
   :alt: Confusion matrices of ANN, CNN and LSTM, segments split at random and by artist

Grid search over dropout and architecture
-----------------------------------------

This search applies :class:`sklearn.model_selection.GridSearchCV` to a pipeline from paths to
genres. To keep it short, the networks are trained for only {grid_epochs} epochs. The folds are
split by artist, and the accuracy is computed on tracks.

{grid}

The best candidate was selected on these folds, so its score is slightly optimistic. It was saved
with ``joblib.dump`` ({megabytes:.1f} MB) and loaded in a new process, which predicted the following
tracks without TensorFlow. These tracks are part of the training set, so the predictions demonstrate
persistence and not accuracy.

{predicted}

Duplicate recordings
--------------------

{duplicates}

Repeating this evaluation
-------------------------

:download:`published_system_folds.json` contains the folds by artist, as lists of track names.
:func:`skgenre.evaluation.read_splits` applies them to any copy of GTZAN that contains these tracks:

.. code-block:: python

    tracks = load_gtzan("gtzan")
    cv = read_splits("published_system_folds.json", tracks.data)

.. [1] G. Tzanetakis and P. Cook, "Musical Genre Classification of Audio Signals", IEEE Transactions
   on Speech and Audio Processing 10(5), 2002.
.. [2] B. L. Sturm, "An Analysis of the GTZAN Music Genre Dataset", ACM MIRUM, 2012.
"""

NO_DUPLICATES = """\
:func:`skgenre.datasets.find_duplicates` finds no duplicates among these tracks."""

DUPLICATES = """\
GTZAN contains duplicate recordings [2]_. :func:`skgenre.datasets.find_duplicates` finds {n} pairs
among these tracks. Each pair is confirmed by the maximum of the cross-correlation of the samples
(``scipy.signal.correlate``).

{same}

{table}"""


def layers(name, n_genres=10):
    """Return the lines of the table of layers of a network for ten genres."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * n_genres, 130, 13)).astype(np.float32)
    model = NETWORKS[name](epochs=1, random_state=0).fit(X, np.arange(2 * n_genres) % n_genres)
    lines = []
    model.summary(print_fn=lines.append)
    return "\n".join([f"**{name.upper()}**", "", ".. code-block:: text", "", *indent(lines)])


def indent(lines):
    return [f"    {line}" for line in lines]


def per_segment(kept, name, splitting, segments, folds):
    """Compute the accuracy on the test segments of each fold, and all predictions."""
    classes = np.unique(segments["target"])
    scores, predictions = [], np.empty(len(segments["target"]), dtype=classes.dtype)
    for fold, (_, test) in enumerate(folds):
        found = classes[kept.load(f"{name} {splitting} {fold}")["proba"].argmax(axis=1)]
        predictions[test] = found
        scores.append(np.mean(found == segments["target"][test]))
    return scores, predictions


def per_track(kept, name, splitting, tracks, segments, folds):
    """Compute the accuracy on the test tracks of each fold by averaging over segments."""
    classes = np.unique(segments["target"])
    scores = []
    for fold, (_, test) in enumerate(folds):
        proba = kept.load(f"{name} {splitting} {fold}")["proba"]
        owner = segments["track"][test]
        ids = np.unique(owner)
        means = np.stack([proba[owner == i].mean(axis=0) for i in ids])
        scores.append(np.mean(classes[means.argmax(axis=1)] == np.asarray(tracks.target)[ids]))
    return scores


def preset_scores(kept, name, splitting, tracks, track_folds):
    """Compute the accuracy of a preset on the test tracks of each fold."""
    y = np.asarray(tracks.target)
    found = []
    for fold, (_, test) in enumerate(track_folds[splitting]):
        proba = kept.load(f"{name} {splitting} {fold}")["proba"]
        found.append(np.mean(np.unique(y)[proba.argmax(axis=1)] == y[test]))
    return found


def words(scores):
    return f"{np.mean(scores):.3f} ({min(scores):.2f} to {max(scores):.2f})"


def draw_curves(kept, splitting, path):
    figure, axes = plt.subplots(3, 2, figsize=(8, 8.4), layout="constrained")
    for row, name in zip(axes, NETWORKS, strict=True):
        HistoryDisplay(kept.load(f"{name} {splitting} 0")["history"]).plot(ax=row)
        for axis in row:
            axis.set_title(f"{name.upper()}, {splitting}", fontsize=10, loc="left")
        row[0].set_yscale("log")
        row[1].set_ylim(0, 1.03)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_confusion(predictions, target, path):
    """Draw the confusion matrices of the networks, with one row per kind of split."""
    n = len(np.unique(target))
    size = 2.4 + 0.25 * n
    names = [name for name in ("random segments", "by artist") if name in predictions]
    figure, axes = plt.subplots(
        len(names), 3, figsize=(3 * size, len(names) * size), layout="constrained", squeeze=False
    )
    for row, splitting in zip(axes, names, strict=True):
        for axis, name in zip(row, NETWORKS, strict=True):
            ConfusionMatrixDisplay.from_predictions(
                target,
                predictions[splitting][name],
                normalize="true",
                values_format=".2f",
                colorbar=False,
                xticks_rotation=45 if n > 5 else "horizontal",
                text_kw={"fontsize": 10 if n <= 5 else 6},
                im_kw={"vmin": 0, "vmax": 1},
                ax=axis,
            )
            axis.set_title(f"{name.upper()}, {splitting}", fontsize=10)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def duplicates_text(pairs, tracks):
    if not pairs:
        return NO_DUPLICATES
    artist = dict(zip(tracks.track_ids, tracks.groups, strict=True))
    across = [p for p in pairs if artist[p["first"]] != artist[p["second"]]]
    same = (
        f"{len(across)} pairs are attributed to two artists. They leak even when folds are split "
        "by artist."
        if across
        else "Both recordings of a pair are by the same artist. They leak when folds are split by\n"
        "segment or by track, but not when they are split by artist."
    )
    rows = [
        {
            "first": p["first"],
            "second": p["second"],
            "offset (s)": f"{p['offset']:.2f}",
            "similarity": f"{p['similarity']:.3f}",
            "correlation of samples": f"{p['correlation']:.4f}",
        }
        for p in pairs
    ]
    return DUPLICATES.format(n=len(pairs), same=same, table=records_table(rows))


def percent(*values):
    """Format the range of fractions as percentages."""
    low, high = (f"{100 * value:.0f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def opening(tracks, means):
    """Return the first paragraph."""
    pairs = {name: (means[name, "random segments"], means[name, "by artist"]) for name in NETWORKS}
    random, artist = zip(*pairs.values(), strict=True)
    text = OPENING.format(
        n=len(tracks.data),
        random=percent(*random),
        artist=percent(*artist),
        gap=", ".join(
            f"{percent(first)} and {percent(last)} % ({name.upper()})"
            for name, (first, last) in pairs.items()
        ),
    )
    return textwrap.fill(text, 98)


HELD_OUT_TEXT = (
    "The validation segments are by unseen artists, but by few: they come from {n} tracks by "
    "{n_artists} artists, {most} of them by {artist}. Their accuracy depends on these artists and "
    "can differ by many points from the accuracy on the test tracks of all folds, by {n_all} "
    "artists, in the table below."
)


def held_out(tracks, segments, folds, fraction, seed):
    """Describe the tracks that the networks hold out of the first fold by artist."""
    [(train, _), *_] = folds
    labels = np.searchsorted(tracks.target_names, segments["target"][train])
    _, held = hold_out(
        train,
        labels,
        segments["artist"][train],
        fraction=fraction,
        seed=check_random_state(seed).randint(np.iinfo(np.int32).max),  # as in `fit`
    )
    artists = np.asarray(tracks.groups)[np.unique(segments["track"][held])]
    names, counts = np.unique(artists, return_counts=True)
    text = HELD_OUT_TEXT.format(
        n=len(artists),
        n_artists=len(names),
        most=counts.max(),
        artist=names[counts.argmax()],
        n_all=len(set(tracks.groups)),
    )
    return textwrap.fill(text, 98)


def write_page(args, tracks, segments, folds, track_folds, kept):
    """Draw the pictures and write the page."""
    excluded = [Path(path).name for path in tracks.excluded]
    scores, predictions = {}, {}
    for splitting in SPLITTINGS:
        predictions[splitting] = {}
        for name in ROWS:
            scores[name, splitting], predictions[splitting][name] = per_segment(
                kept, name, splitting, segments, folds[splitting]
            )
    by_segment = [
        {
            "model": name,
            **{splitting: words(scores[name, splitting]) for splitting in SPLITTINGS},
        }
        for name in ROWS
    ]
    by_track = [
        {
            "model": name,
            **{s: words(per_track(kept, name, s, tracks, segments, folds[s])) for s in track_folds},
        }
        for name in ROWS
    ]
    by_track += [
        {
            "model": name,
            **{s: words(preset_scores(kept, name, s, tracks, track_folds)) for s in track_folds},
        }
        for name in PRESETS
    ]
    images = args.page.parent / "images"
    images.mkdir(exist_ok=True)
    draw_curves(kept, "random segments", images / "published_curves_random.png")
    draw_curves(kept, "by artist", images / "published_curves_artist.png")
    draw_confusion(predictions, segments["target"], images / "published_confusion.png")

    means = {key: np.mean(value) for key, value in scores.items()}
    found = kept.load("grid")
    n_artists = {
        genre: len(set(tracks.groups[tracks.target == genre])) for genre in tracks.target_names
    }
    args.page.write_text(
        TEXT.format(
            opening=opening(tracks, means),
            held_out=held_out(tracks, segments, folds["by artist"], HELD_OUT, args.seed),
            **{name: version(package) for name, package in PACKAGES.items()},
            counts=", ".join(
                f"{genre} {(tracks.target == genre).sum()}" for genre in tracks.target_names
            ),
            n_artists=len(set(tracks.groups)),
            n_segments=len(segments["target"]),
            excluded=f" Left out: {', '.join(excluded)}." if excluded else "",
            epochs=", ".join(str(make().epochs) for make in NETWORKS.values()),
            seed=args.seed,
            folds=args.folds,
            jobs=args.jobs,
            cores=os.cpu_count(),
            minutes=kept.seconds_kept() / 60,
            shared=args.note and f", {args.note}",
            layers="\n\n".join(map(layers, NETWORKS)),
            by_segment=records_table(by_segment),
            by_track=records_table(by_track),
            fewest=", ".join(f"{n} of {genre}" for genre, n in n_artists.items()),
            grid=records_table(
                [
                    {
                        "network": row["network"],
                        "dropout": row["dropout"],
                        "accuracy": f"{row['accuracy']:.3f}",
                        "deviation": f"{row['std']:.3f}",
                    }
                    for row in found["rows"]
                ]
            ),
            grid_epochs=found["epochs"],
            megabytes=found["size"] / 1e6,
            predicted="\n".join(
                f"- ``{name}``: {genre}"
                for name, genre in zip(found["asked"], found["predicted"], strict=True)
            ),
            presets=" and ".join(f"``{name}``" for name in PRESETS),
            duplicates=duplicates_text(kept.load("duplicates"), tracks),
        )
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
    if not kept.has("duplicates"):
        kept.keep("duplicates", duplicates(tracks, args.jobs))
    write_page(args, tracks, segments, segment_folds, track_folds, kept)
    write_splits(
        args.page.parent / "published_system_folds.json", track_folds["by artist"], tracks.data
    )
    print(f"{args.page} is written")


if __name__ == "__main__":
    main()
