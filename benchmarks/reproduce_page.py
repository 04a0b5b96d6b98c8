"""The page and the pictures of ``reproduce.py``, from its results."""

import os
import textwrap
from importlib.metadata import version

import matplotlib
import numpy as np

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from accuracy import grid
from sklearn.metrics import ConfusionMatrixDisplay

from skgenre import ANNClassifier, CNNClassifier, LSTMClassifier
from skgenre.plotting import HistoryDisplay

SPLITTINGS = ("random segments", "by track", "by artist")
NETWORKS = {"ann": ANNClassifier, "cnn": CNNClassifier, "lstm": LSTMClassifier}
ROWS = (*NETWORKS, "svm", "lda")

OPENING = (
    "On {n} tracks of GTZAN the three published networks are right for {random} % of the test "
    "segments where segments are split at random, as the original scripts split them, and for "
    "{artist} % where no artist is on both sides: {gap}. The difference is what the networks "
    "recognise of tracks and artists that they were trained on. It says nothing about music by "
    "others."
)

TEXT = """\
The published system
====================

{opening}

`Aryan-Lohia/Music-Genre-Classification
<https://github.com/Aryan-Lohia/Music-Genre-Classification>`_ cuts GTZAN's tracks [1]_ into ten
segments of 3 seconds, computes 13 MFCCs of each, and trains a dense (ANN), a convolutional (CNN)
and a recurrent (LSTM) network in Keras. Here they are trained as published, and evaluated three
ways.

Written by ``make reproduce GTZAN=<folder>`` (``benchmarks/reproduce.py``) with scikit-learn
{sklearn}, Keras {keras}, TensorFlow {tensorflow} and librosa {librosa}. It takes any copy of GTZAN,
whole or in part, and goes on where it was interrupted.

:Tracks: {counts}, by {n_artists} artists: {n_segments} segments.{excluded}
:Training: {epochs} epochs for ANN, CNN and LSTM, Adam, batches of 32, seed {seed}. MFCCs
   are given to the networks as they are, without scaling, as published.
:Folds: {folds}, with every way to split, seed {seed}. One fifth of the training side is held out
   for the curves, and drawn as the test side is: as segments, tracks or artists.
:Time: {minutes:.0f} minutes in {jobs} processes on {cores} cores{shared}.

The original scripts split once: a quarter of the segments to test on (LSTM: 0.3), and a fifth of
the rest to watch (LSTM: 0.3; the ANN watches the test segments).

The networks
------------

For ten genres, as the published README prints them.

{layers}

Training and validation
-----------------------

The first fold, segments split at random. The held-out segments are of tracks that are trained on.
Losses are on a logarithmic scale.

.. image:: images/published_curves_random.png
   :alt: Loss and accuracy of ANN, CNN and LSTM over the epochs, segments split at random

The first fold by artist. The held-out segments are by other artists.

.. image:: images/published_curves_artist.png
   :alt: Loss and accuracy of ANN, CNN and LSTM over the epochs, by artist

Accuracy three ways
-------------------

Share of the test *segments* that are right, the mean of the folds, and in brackets the worst and
the best fold. ``svm`` and ``lda`` are :func:`skgenre.make_baseline` on the means and deviations of
the same MFCCs (:class:`skgenre.SegmentSummary`).

{by_segment}

Share of the test *tracks* that are right; the segments of a track are averaged. Tracks cannot
be scored where their segments are on both sides. ``descriptors`` is the default of
:func:`skgenre.genre_pipeline`, with other features of the same tracks.

{by_track}

There are few artists, {fewest}: a fold tests on a handful.
:doc:`accuracy` has intervals, three draws, and all presets. There the coefficients are
centred before the networks, which the published system does not do.

Confusion
---------

Test segments of all folds; each row adds up to 1.

.. image:: images/published_confusion.png
   :alt: Confusion matrices of ANN, CNN and LSTM, segments split at random and by artist

A grid over dropout and architecture
------------------------------------

:class:`sklearn.model_selection.GridSearchCV` over a pipeline from paths to genres, of networks
of {grid_epochs} epochs, which is too few for them but quick. Folds by artist, accuracy over tracks:

{grid}

The best was chosen on these folds, so its figure is a little optimistic. It was saved with
``joblib.dump`` ({megabytes:.1f} MB), and a new process loaded it and predicted tracks without
TensorFlow. It was trained on them: this shows that a saved model predicts, not how well.

{predicted}

Recordings that occur twice
---------------------------

{duplicates}

The folds, to repeat this
-------------------------

:download:`published_system_folds.json` holds the folds by artist, by the names of the tracks;
:func:`skgenre.read_splits` finds them in any copy of GTZAN that has these tracks:

.. code-block:: python

    tracks = load_gtzan("gtzan")
    cv = read_splits("published_system_folds.json", tracks.data)

.. [1] G. Tzanetakis and P. Cook, "Musical Genre Classification of Audio Signals", IEEE Transactions
   on Speech and Audio Processing 10(5), 2002.
.. [2] B. L. Sturm, "An Analysis of the GTZAN Music Genre Dataset", ACM MIRUM, 2012.
"""

NO_DUPLICATES = """\
:func:`skgenre.datasets.find_duplicates` finds no recording twice among these tracks."""

DUPLICATES = """\
GTZAN has recordings twice [2]_. :func:`skgenre.datasets.find_duplicates` finds {n} pairs among
these tracks, each confirmed by the correlation of the samples (``scipy.signal.correlate``) at its
highest.

{same}

{table}"""


def layers(name, n_genres=10):
    """Lines of a network's table, for the published number of genres."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * n_genres, 130, 13)).astype(np.float32)
    model = NETWORKS[name](epochs=1, random_state=0).fit(X, np.arange(2 * n_genres) % n_genres)
    lines = []
    model.summary(print_fn=lines.append)
    return "\n".join([f"**{name.upper()}**", "", ".. code-block:: text", "", *indent(lines)])


def indent(lines):
    return [f"    {line}" for line in lines]


def per_segment(kept, name, splitting, segments, folds):
    """Accuracy over the test segments of each fold, and all predictions."""
    classes = np.unique(segments["target"])
    scores, predictions = [], np.empty(len(segments["target"]), dtype=classes.dtype)
    for fold, (_, test) in enumerate(folds):
        found = classes[kept.load(f"{name} {splitting} {fold}")["proba"].argmax(axis=1)]
        predictions[test] = found
        scores.append(np.mean(found == segments["target"][test]))
    return scores, predictions


def per_track(kept, name, splitting, tracks, segments, folds):
    """Accuracy over the test tracks of each fold, segments averaged."""
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
    """Accuracy over the test tracks of each fold."""
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
            axis.set_title(f"{name.upper()}, {splitting}", fontsize=10)
        row[0].set_yscale("log")
        row[1].set_ylim(0, 1.03)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_confusion(predictions, target, path):
    """Matrices of the networks: a row for each splitting."""
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
                cmap="Blues",
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
        f"{len(across)} of them are under two artists, and leak where folds are drawn by artist."
        if across
        else "Both of a pair are by one artist: they leak where folds are drawn by segment or by\n"
        "track, and not where they are drawn by artist."
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
    return DUPLICATES.format(n=len(pairs), same=same, table=grid(rows))


def percent(*values):
    """Range of shares, in percent."""
    low, high = (f"{100 * value:.0f}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def opening(tracks, means):
    """First paragraph: the gap."""
    pairs = {name: (means[name, "random segments"], means[name, "by artist"]) for name in NETWORKS}
    random, artist = zip(*pairs.values(), strict=True)
    text = OPENING.format(
        n=len(tracks.data),
        random=percent(*random),
        artist=percent(*artist),
        gap=", ".join(
            f"{name.upper()} {percent(first)} and {percent(last)} %"
            for name, (first, last) in pairs.items()
        ),
    )
    return textwrap.fill(text, 98)


def write_page(args, tracks, segments, folds, track_folds, kept):
    """Draw the pictures and write the page."""
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
        for name in args.presets
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
            **{name: version(package) for name, package in PACKAGES.items()},
            counts=", ".join(
                f"{genre} {(tracks.target == genre).sum()}" for genre in tracks.target_names
            ),
            n_artists=len(set(tracks.groups)),
            n_segments=len(segments["target"]),
            excluded=f" Left out: {', '.join(args.excluded)}." if args.excluded else "",
            epochs=", ".join(str(make().epochs) for make in NETWORKS.values()),
            seed=args.seed,
            folds=args.folds,
            jobs=args.jobs,
            cores=os.cpu_count(),
            minutes=kept.seconds_kept() / 60,
            shared=args.note and f", {args.note}",
            layers="\n\n".join(map(layers, NETWORKS)),
            by_segment=grid(by_segment),
            by_track=grid(by_track),
            fewest=", ".join(f"{n} of {genre}" for genre, n in n_artists.items()),
            grid=grid(
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
            duplicates=duplicates_text(kept.load("duplicates"), tracks),
        )
    )


PACKAGES = {
    "sklearn": "scikit-learn",
    "keras": "keras",
    "tensorflow": "tensorflow",
    "librosa": "librosa",
}
