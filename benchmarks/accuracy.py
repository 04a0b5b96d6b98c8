"""Evaluate the presets on unseen artists and write ``docs/accuracy.rst``.

``make figures GTZAN=<folder> TRACKS=<folder>`` runs this script on TRACKS, a folder of GTZAN tracks
with one folder per genre. The artists are derived from the file names. See ``presets.py`` for the
models. With ``--test FOLDER``, the presets are trained on all tracks of the first folder and
tested on the tracks of FOLDER by other artists. The results are printed, and no page is written.
"""

import argparse
import os
import time
from importlib.metadata import version
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")  # as many processes as cores

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sklearn
from pages import records_table, save_svg
from presets import CURVES, SIZES, Presets, models

from skgenre import genre_pipeline
from skgenre._metadata import fit_with_groups
from skgenre.evaluation.robustness import UNCHANGED
from skgenre.pipelines import PRESETS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "accuracy.rst"
REFERENCES = ("logistic", "lda")
#: Number of bootstrap resamples of the artists.
N_DRAWS = 10_000


def hits(proba, y):
    """Return whether each track is predicted correctly, by seed and repetition."""
    return proba.argmax(axis=-1) == np.searchsorted(np.unique(y), y)


def interval(values, groups):
    """Compute the 95 % bootstrap interval of a mean over tracks by resampling artists."""
    _, group = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(group, values), np.bincount(group)
    draws = np.random.default_rng(0).integers(len(sums), size=(N_DRAWS, len(sums)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    return np.percentile(means, [2.5, 97.5])


def milliseconds(name, presets):
    """Measure the time in which a fitted pipeline predicts a file on one thread."""
    paths = presets.tracks.data[:: max(1, len(presets.y) // 24)]
    model = genre_pipeline(name, random_state=0, augment=None)
    quick = {key: 1 for key in model.get_params() if key.endswith("__epochs")}
    model.set_params(**quick).fit(paths, presets.y[:: max(1, len(presets.y) // 24)])
    times = []
    for path in paths[:10]:
        start = time.perf_counter()
        model.predict([path])
        times.append(time.perf_counter() - start)
    return 1000 * np.median(times)


def add_blend(proba, folds):
    """Add the mean of the probabilities of ``mel`` and ``descriptors``."""
    if {"mel", "descriptors"} <= set(proba):
        mel, descriptors = (proba[name][UNCHANGED] for name in ("mel", "descriptors"))
        proba["blend"] = {UNCHANGED: (mel + descriptors) / 2}
        times = [folds[name]["seconds"].mean() for name in ("mel", "descriptors")]
        folds["blend"] = pd.DataFrame({"seconds": [sum(times)]})


def rows(names, presets, proba, folds, times=None):
    """Yield the table row of each model."""
    y = presets.y
    labels = np.searchsorted(np.unique(y), y)
    scores = {name: hits(proba[name][UNCHANGED], y) for name in (*names, *REFERENCES)}
    for name in names:
        of_tracks = scores[name].mean(axis=(0, 1))
        of_seeds = scores[name].mean(axis=(1, 2))
        low, high = interval(of_tracks, presets.groups)
        row = {
            "model": name,
            "accuracy": f"{of_tracks.mean():.3f}",
            "95 %": f"{low:.2f} to {high:.2f}",
        }
        for reference in REFERENCES:
            row[f"above {reference}"] = ""
            if name != reference:
                difference = of_tracks - scores[reference].mean(axis=(0, 1))
                low, high = interval(difference, presets.groups)
                row[f"above {reference}"] = f"{difference.mean():+.3f} ({low:+.2f} to {high:+.2f})"
        spread = f"{len(of_seeds)}, {np.ptp(of_seeds):.3f} apart"
        row["seeds"] = spread if len(of_seeds) > 1 else "1"
        values = proba[name][UNCHANGED]
        chosen = np.take_along_axis(values, labels[None, None, :, None], axis=-1)
        votes = set(np.unique(values)) == {0, 1}  # models without predict_proba
        row["log loss"] = "" if votes else f"{-np.log(np.maximum(chosen, 1e-15)).mean():.2f}"
        row["s to train"] = f"{folds[name]['seconds'].mean():.1f}"
        if times:
            row["ms a track"] = f"{times[name]:.0f}"
        yield row


def draw_presets(names, presets, proba):
    """Draw the accuracy of each preset with its interval, the highest first."""
    scores = {name: hits(proba[name][UNCHANGED], presets.y).mean(axis=(0, 1)) for name in names}
    names = sorted(names, key=lambda name: scores[name].mean())
    means = np.array([scores[name].mean() for name in names])
    limits = np.array([interval(scores[name], presets.groups) for name in names])
    figure, ax = plt.subplots(figsize=(6, 0.32 * len(names) + 0.8), layout="constrained")
    ax.errorbar(means, names, xerr=abs(limits - means[:, None]).T, fmt="o", capsize=3)
    ax.set_xlabel("accuracy on unseen artists, 95 % interval")
    ax.grid(axis="x", alpha=0.3)
    save_svg(figure, "accuracy")


def curves(presets, folds):
    """Yield a row for each model of the learning curves, and draw them."""
    all_tracks = np.mean([len(train) for _, train, _ in presets.splits()]) / len(set(presets.y))
    figure, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
    for name in CURVES:
        found = [folds[f"{name}, {n} tracks"]["accuracy"] for n in SIZES] + [
            folds[name]["accuracy"]
        ]
        # The seeds of one fold are not independent of each other.
        found = [each.groupby(np.arange(len(each)) % 9).mean() for each in found]
        means, spread = [each.mean() for each in found], [each.std(ddof=0) for each in found]
        ax.errorbar([*SIZES, all_tracks], means, spread, fmt="o-", capsize=3, label=name)
        cells = [f"{m:.2f} ({s:.2f})" for m, s in zip(means, spread, strict=True)]
        yield dict(zip(("model", *map(str, SIZES), "all"), (name, *cells), strict=True))
    ax.set(xlabel="training tracks per genre", ylabel="accuracy on unseen artists")
    ax.legend()
    ax.grid(alpha=0.3)
    save_svg(figure, "learning_curves")


def transfer(presets, others):
    """Print the accuracy on the tracks of another folder by other artists."""
    keep = ~np.isin(others.groups, presets.groups)
    for model in models():
        if model.name not in PRESETS:
            continue
        X = joblib.load(presets.training_features(model.front))
        tested = joblib.load(others.test_features(model.front))[UNCHANGED][keep]
        found = []
        for seed in model.seeds:
            estimator = model.make(seed)
            fit_with_groups(estimator, X, presets.y, presets.groups)
            found.append(estimator.predict(tested) == others.y[keep])
        low, high = interval(np.mean(found, axis=0), others.groups[keep])
        mean = np.mean(found)
        print(f"{model.name}: {mean:.3f} ({low:.2f} to {high:.2f}) of {keep.sum()} tracks")


TEXT = """\
Accuracy of the presets
=======================

This page compares the accuracy of all presets of :func:`skgenre.genre_pipeline` on artists that
are not in the training data. It was written by ``make figures`` (``benchmarks/accuracy.py``) with
scikit-learn {sklearn} and Keras {keras}. The data are {n} tracks of GTZAN (Tzanetakis and Cook,
2002) by {artists} artists: {counts}.

Presets are trained as :func:`skgenre.genre_pipeline` makes them: ``descriptors``, ``musicnn`` and
the networks on two changed copies of each track as well (``augment="robust"``, see
:doc:`robustness`).

Each track is predicted in three cross-validations, ``StratifiedGroupKFold(3, shuffle=True,
random_state=s)`` by artist with *s* = 0, 1, 2, and accuracies are the share of correct predictions.
The nine folds are not independent, since they use the same tracks. Differences of two percentage
points are therefore not meaningful.

- *95 %* is a bootstrap confidence interval over artists with {draws:,} resamples. It shows how
  the accuracy would vary with other artists.
- *above logistic* and *above lda* are the differences from the accuracies of these two presets,
  paired over the same folds, with 95 % confidence intervals.
- *seeds* is the number of random seeds over which the results of a model are averaged. *apart*
  denotes the difference between the highest and the lowest accuracy of these seeds.
- *s to train* is the processor time of a fit to one fold without feature extraction. *ms a track*
  is the time to predict a 30-second file.

.. image:: images/accuracy.svg
   :alt: Accuracy of each preset with its confidence interval.

{presets}

``descriptors`` is the default of :func:`skgenre.genre_pipeline` and of the command line. The
presets from ``knn`` to ``boosting`` are the models of :func:`skgenre.make_baseline` on
:class:`skgenre.SegmentSummary`.

``musicnn`` uses weights that were trained on MagnaTagATune. The weights trained on the Million
Song Dataset are not used, because this data set very probably contains the artists of GTZAN,
which would make the scores too optimistic.

Other models and scalings
-------------------------

The following variants were evaluated on the same folds, and trained on the recordings alone.
*plain* denotes presets without changed copies, *as they are* MFCCs without scaling, and *each
coefficient scaled* MFCCs scaled to zero mean and unit variance.

{variants}

The presets ``ann``, ``cnn`` and ``lstm`` use centered MFCCs. High coefficients have a low
variance and depend on the recording as much as on the music. If they are scaled to unit variance,
they have the same weight as the low coefficients, and the networks overfit to them. Without
centering, the first coefficient (the level) is so far from zero that it dominates the others.
Therefore use ``SegmentScaler(with_std=False)`` before these networks, and ``SegmentScaler()``
before :class:`skgenre.MelCNNClassifier`, since mel bands have similar variances.

Number of tracks
----------------

Accuracy of models that were trained on fewer tracks of each genre, of as many artists as possible,
on the same folds. *all* are {train_sizes} tracks of a genre. In brackets is the standard deviation
over the folds.

.. image:: images/learning_curves.svg
   :alt: Accuracy by the number of training tracks per genre.

{curves}

Training with few artists
-------------------------

This table uses the same folds with training and test sets exchanged: models are trained on one
third of the artists and tested on the others.

{few}

Selection bias
--------------

The accuracies of some presets are slightly optimistic, because these folds were also used for
model selection. For ``descriptors``, thirteen combinations of scaling and classifier were
compared on these folds. For ``musicnn``, averaging the predictions for the segments of a track was
chosen on them. The architecture and training parameters of ``mel`` were chosen on these and other
tracks. A second network, which pools the covariance of its filters over time, was also evaluated.
It was less accurate than ``mel``, and averaging the predictions of both networks did not increase
the accuracy of ``mel``. The strengths of the changes in ``"robust"`` were chosen on folds of the
same tracks, with ``descriptors`` and ``cnn``.
"""


def page(presets, tables, curves):
    """Return the text of the page."""
    counts = pd.Series(presets.y).value_counts().sort_index()
    sizes = [np.unique(presets.y[train], return_counts=True)[1] for _, train, _ in presets.splits()]
    return TEXT.format(
        sklearn=sklearn.__version__,
        keras=version("keras"),
        n=len(presets.y),
        counts=", ".join(f"{name} {n}" for name, n in counts.items()),
        artists=len(set(presets.groups)),
        draws=N_DRAWS,
        train_sizes=f"{np.min(sizes)} to {np.max(sizes)}",
        curves=records_table(curves),
        **{name: records_table(rows) for name, rows in tables.items()},
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--cache", type=Path)
    arguments = parser.parse_args()
    presets = Presets(arguments.folder, arguments.jobs, arguments.cache)
    if arguments.test:
        transfer(presets, Presets(arguments.test, arguments.jobs, arguments.cache))
        return
    proba, folds = presets.measure()
    add_blend(proba, folds)
    names = [name for name in PRESETS if name in proba]
    others = [n for n in proba if n not in names and not n.endswith(("tracks", "few"))]
    times = {name: milliseconds(name, presets) for name in names}
    tables = {
        "presets": list(rows(names, presets, proba, folds, times)),
        "variants": list(rows(others, presets, proba, folds)),
        "few": [
            {"model": n.removesuffix(", few"), "accuracy": f"{folds[n]['accuracy'].mean():.3f}"}
            for n in proba
            if n.endswith(", few")
        ],
    }
    for table in tables.values():
        print(pd.DataFrame(table).to_string(index=False))
    draw_presets(names, presets, proba)
    PAGE.write_text(page(presets, tables, list(curves(presets, folds))))


if __name__ == "__main__":
    main()
