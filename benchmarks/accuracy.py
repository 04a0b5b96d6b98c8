"""Evaluate the presets on unseen artists and write ``docs/accuracy.rst``.

``make figures GTZAN=<folder> TRACKS=<folder>`` runs this script on TRACKS, a folder of GTZAN tracks
with one folder per genre. The artists are derived from the file names. Results are stored in
``build/accuracy``, so that an interrupted run resumes; delete that folder after changing the code.
With ``--test FOLDER``, models are trained on all tracks of the first folder and tested on the
tracks of FOLDER by other artists. The results are printed, and no page is written.
"""

import argparse
import os
import time
from importlib.metadata import version
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")  # as many processes as cores

import joblib
import numpy as np
import pandas as pd
import sklearn
from joblib import Parallel, delayed
from pages import records_table
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC

from skgenre import SegmentScaler, SegmentVotingClassifier, genre_pipeline
from skgenre._metadata import fit_with_groups
from skgenre.datasets import load_folder, load_gtzan
from skgenre.pipelines import PRESETS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "accuracy.rst"
#: Seeds of the folds and of the randomized models.
FOLD_SEEDS, MODEL_SEEDS = (0, 1, 2), (0, 1, 2)
REFERENCES = ("logistic", "lda")
#: Randomized models.
RANDOM = ("mel", "ann", "cnn", "lstm", "forest")
#: Number of bootstrap resamples of the artists.
N_DRAWS = 10_000


def behind_descriptors(*steps):
    return SegmentVotingClassifier(make_pipeline(*steps))


def quantiles():
    return QuantileTransformer(n_quantiles=5, random_state=0)


def variants():
    """Yield the other models: name, preset of the front end, function of a seed."""
    shrunken = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    yield (
        "descriptors, logistic",
        "descriptors",
        lambda seed: behind_descriptors(quantiles(), LogisticRegression(C=0.02, max_iter=2000)),
    )
    yield (
        "descriptors, SVM",
        "descriptors",
        lambda seed: behind_descriptors(quantiles(), SVC(C=10)),
    )
    yield (
        "descriptors, standard scaling",
        "descriptors",
        lambda seed: behind_descriptors(StandardScaler(), clone(shrunken)),
    )
    for name in ("ann", "cnn", "lstm"):
        for words, scaler in (
            ("as they are", "passthrough"),
            ("each coefficient scaled", SegmentScaler()),
        ):
            yield (
                f"{name}, {words}",
                name,
                lambda seed, name=name, scaler=scaler: genre_pipeline(
                    name, random_state=seed, augment=None
                ).set_params(segmentscaler=scaler)[1:],
            )


def models(only):
    """Yield all models, or those in `only`: name, front end, function of a seed, seeds."""
    for model in _models():
        if not only or model[0] in only:
            yield model


def _models():
    for name in PRESETS:
        if name == "blend":
            continue  # computed from the probabilities of two other presets
        seeds = MODEL_SEEDS if name in RANDOM else (0,)
        yield (
            name,
            genre_pipeline(name)[0],
            lambda s, n=name: genre_pipeline(n, random_state=s, augment=None)[1:],
            seeds,
        )
    for name, front, make in variants():
        seeds = MODEL_SEEDS if front in RANDOM else (0,)
        yield name, genre_pipeline(front)[0], make, seeds


def load(folder):
    try:
        return load_gtzan(folder)
    except ValueError:
        return load_folder(folder)


def features(front_end, tracks, cache):
    """Compute the features of all tracks, or load them from the cache."""
    path = (
        cache
        / f"{type(front_end).__name__}-{joblib.hash((front_end.get_params(), tracks.data))}.npy"
    )
    if not path.exists():
        start = time.perf_counter()
        np.save(path, front_end.set_params(n_jobs=-1).transform(tracks.data))
        print(f"{type(front_end).__name__}: {time.perf_counter() - start:.1f} s", flush=True)
    return np.load(path)


def predict(make, seed, X, y, groups, train, test):
    """Return the probabilities of the test tracks and the training time in seconds."""
    model = make(seed)
    start = time.perf_counter()
    fit_with_groups(model, X[train], y[train], groups[train])
    seconds = time.perf_counter() - start
    if not hasattr(model, "predict_proba"):
        return (model.predict(X[test])[:, None] == np.unique(y)).astype(float), seconds
    return model.predict_proba(X[test]), seconds


def splits(tracks, y, inverted=False):
    """Yield name, training and test tracks of each fold, exchanged if `inverted`."""
    for seed in FOLD_SEEDS:
        folds = StratifiedGroupKFold(3, shuffle=True, random_state=seed)
        for fold, (train, test) in enumerate(folds.split(y, y, tracks.groups)):
            yield f"{seed}.{fold}", *((test, train) if inverted else (train, test))


def measure(tasks, cache, jobs):
    """Return the probabilities and training time of each task, from the cache if available."""
    found, left = {}, []
    for key, task in tasks:
        path = cache / f"{key.replace(', ', '-').replace(' ', '_')}.npz"
        if path.exists():
            found[key] = np.load(path)
        else:
            left.append((key, path, task))
    results = Parallel(n_jobs=jobs, return_as="generator")(
        delayed(predict)(*task) for _, _, task in left
    )
    for (key, path, _), (proba, seconds) in zip(left, results, strict=True):
        np.savez(path, proba=proba, seconds=seconds)
        found[key] = {"proba": proba, "seconds": seconds}
        print(f"{key}: {float(seconds):.1f} s", flush=True)
    return found


def out_of_fold(tracks, cache, jobs, only):
    """Return probabilities (seeds, repeats, tracks, classes) and mean training time per model."""
    y = np.asarray(tracks.target)
    tasks = []
    for name, front_end, make, seeds in models(only):
        X = features(front_end, tracks, cache)
        for seed in seeds:
            for fold, train, test in splits(tracks, y):
                task = (make, seed, X, y, tracks.groups, train, test)
                tasks.append((f"{name}, {seed}, {fold}", task))
    found = measure(tasks, cache, jobs)
    out, seconds = {}, {}
    for name, _, _, seeds in models(only):
        proba = np.empty((len(seeds), len(FOLD_SEEDS), len(y), len(np.unique(y))))
        took = []
        for i, seed in enumerate(seeds):
            for fold, _, test in splits(tracks, y):
                result = found[f"{name}, {seed}, {fold}"]
                proba[i, FOLD_SEEDS.index(int(fold[0])), test] = result["proba"]
                took.append(float(result["seconds"]))
        out[name], seconds[name] = proba, np.mean(took)
    if {"mel", "descriptors"} <= set(out):
        out["blend"] = (out["mel"] + out["descriptors"]) / 2
        seconds["blend"] = seconds["mel"] + seconds["descriptors"]
    return out, seconds


def right(proba, y):
    """Compute the accuracy for each track over seeds and repeats."""
    labels = np.searchsorted(np.unique(y), y)
    return (proba.argmax(axis=-1) == labels).mean(axis=(0, 1))


def fold_accuracy(proba, tracks, y):
    """Compute the mean accuracy over the folds, and its range over the seeds."""
    labels = np.searchsorted(np.unique(y), y)
    hit = proba.argmax(axis=-1) == labels
    per_seed = [
        np.mean(
            [hit[i, FOLD_SEEDS.index(int(f[0])), test].mean() for f, _, test in splits(tracks, y)]
        )
        for i in range(len(hit))
    ]
    return np.mean(per_seed), np.ptp(per_seed)


def interval(values, groups):
    """Compute the 95 % bootstrap interval of a mean over tracks by resampling artists."""
    _, group = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(group, values), np.bincount(group)
    draws = np.random.default_rng(0).integers(len(sums), size=(N_DRAWS, len(sums)))
    means = sums[draws].sum(axis=1) / counts[draws].sum(axis=1)
    return np.percentile(means, [2.5, 97.5])


def milliseconds(name, tracks):
    """Measure the time in which a fitted pipeline predicts a file on one thread."""
    paths = tracks.data[:: max(1, len(tracks.data) // 24)]
    y = np.asarray(tracks.target)[:: max(1, len(tracks.data) // 24)]
    model = genre_pipeline(name, random_state=0, augment=None)
    quick = {key: 1 for key in model.get_params() if key.endswith("__epochs")}
    model.set_params(**quick).fit(paths, y)
    times = []
    for path in paths[:10]:
        start = time.perf_counter()
        model.predict([path])
        times.append(time.perf_counter() - start)
    return 1000 * np.median(times)


def few_artists(tracks, cache, only):
    """Compute the accuracy of models without random numbers, trained on a third of the artists."""
    y = np.asarray(tracks.target)
    for name, front_end, make, seeds in models(only):
        if len(seeds) == 1:
            X = features(front_end, tracks, cache)
            hits = [
                (
                    np.unique(y)[predict(make, 0, X, y, tracks.groups, *fold)[0].argmax(axis=1)]
                    == y[fold[1]]
                ).mean()
                for _, *fold in splits(tracks, y, inverted=True)
            ]
            yield {"model": name, "accuracy": f"{np.mean(hits):.3f}"}


def rows(tracks, out, seconds, times=None):
    """Yield the table row of each model."""
    y = np.asarray(tracks.target)
    labels = np.searchsorted(np.unique(y), y)
    for name, proba in out.items():
        accuracy, spread = fold_accuracy(proba, tracks, y)
        score = right(proba, y)
        low, high = interval(score, tracks.groups)
        row = {"model": name, "accuracy": f"{accuracy:.3f}", "95 %": f"{low:.2f} to {high:.2f}"}
        for reference in REFERENCES:
            row[f"above {reference}"] = ""
            if reference in out and name != reference:
                difference = score - right(out[reference], y)
                low, high = interval(difference, tracks.groups)
                above = accuracy - fold_accuracy(out[reference], tracks, y)[0]
                row[f"above {reference}"] = f"{above:+.3f} ({low:+.2f} to {high:+.2f})"
        row["seeds"] = f"{len(proba)}, {spread:.3f} apart" if len(proba) > 1 else "1"
        chosen = np.take_along_axis(proba, labels[None, None, :, None], axis=-1)
        votes = set(np.unique(proba)) == {0, 1}  # models without predict_proba
        row["log loss"] = "" if votes else f"{-np.log(np.maximum(chosen, 1e-15)).mean():.2f}"
        row["s to train"] = f"{seconds[name]:.1f}"
        if times:
            row["ms a track"] = f"{times[name]:.0f}"
        yield row


def transfer(train, test, cache, only):
    """Print the accuracy on the tracks of another folder by other artists."""
    known = set(train.groups)
    keep = np.array([group not in known for group in test.groups])
    y, y_test = np.asarray(train.target), np.asarray(test.target)[keep]
    out = {}
    for name, front_end, make, seeds in models(only):
        X, X_test = features(front_end, train, cache), features(front_end, test, cache)[keep]
        both = np.arange(len(y)), np.arange(len(y), len(y) + len(y_test))
        n = max(X.shape[1], X_test.shape[1])
        X, X_test = (widened(x, n) for x in (X, X_test))
        everything = np.concatenate([X, X_test]), np.concatenate([y, y_test])
        groups = np.concatenate([train.groups, np.asarray(test.groups)[keep]])
        out[name] = np.stack([predict(make, s, *everything, groups, *both)[0] for s in seeds])
    if {"mel", "descriptors"} <= set(out):
        out["blend"] = (out["mel"] + out["descriptors"]) / 2
    for name, proba in out.items():
        hits = proba.argmax(axis=-1) == np.searchsorted(np.unique(y), y_test)
        low, high = interval(hits.mean(axis=0), np.asarray(test.groups)[keep])
        print(f"{name}: {hits.mean():.3f} ({low:.2f} to {high:.2f}) of {keep.sum()} tracks")


def widened(X, n):
    """Pad a tensor with missing segments to `n` segments per track."""
    return np.pad(
        X, [(0, 0), (0, n - X.shape[1]), *[(0, 0)] * (X.ndim - 2)], constant_values=np.nan
    )


TEXT = """\
Accuracy of the presets
=======================

This page compares the accuracy of all presets of :func:`skgenre.genre_pipeline` on artists that
are not in the training data. It was written by ``make figures`` (``benchmarks/accuracy.py``) with
scikit-learn {sklearn} and Keras {keras}. The data are {n} tracks of GTZAN (Tzanetakis and Cook,
2002) by {artists} artists: {counts}.

Accuracies are computed over tracks and averaged over nine folds:
``StratifiedGroupKFold(3, shuffle=True, random_state=s)`` by artist, with *s* = 0, 1, 2. The nine
folds are not independent, since they use the same tracks. Differences of two percentage points are
therefore not meaningful.

- *95 %* is a bootstrap confidence interval over artists with {draws:,} resamples. It shows how
  the accuracy would vary with other artists.
- *above logistic* and *above lda* are the differences from the accuracies of these two presets,
  paired over the same folds, with 95 % confidence intervals.
- *seeds* is the number of random seeds over which the results of a model are averaged. *apart*
  denotes the difference between the highest and the lowest accuracy of these seeds.
- *s to train* is the training time of one fold without feature extraction, on one thread of a
  machine that was also running other processes. *ms a track* is the time to predict a 30-second
  file.

{presets}

``descriptors`` is the default of :func:`skgenre.genre_pipeline` and of the command line. The
presets from ``knn`` to ``boosting`` are the models of :func:`skgenre.make_baseline` on
:class:`skgenre.SegmentSummary`.

``musicnn`` uses weights that were trained on MagnaTagATune. The weights trained on the Million
Song Dataset are not used, because this data set very probably contains the artists of GTZAN,
which would make the scores too optimistic.

Other models and scalings
-------------------------

The following variants were evaluated on the same folds. *as they are* denotes MFCCs without
scaling, and *each coefficient scaled* denotes MFCCs scaled to zero mean and unit variance.

{variants}

The presets ``ann``, ``cnn`` and ``lstm`` use centered MFCCs. High coefficients have a low
variance and depend on the recording as much as on the music. If they are scaled to unit variance,
they have the same weight as the low coefficients, and the networks overfit to them. Without
centering, the first coefficient (the level) is so far from zero that it dominates the others.
Therefore use ``SegmentScaler(with_std=False)`` before these networks, and ``SegmentScaler()``
before :class:`skgenre.MelCNNClassifier`, since mel bands have similar variances.

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
the accuracy of ``mel``.
"""


def page(tracks, presets, variants, few):
    """Return the text of the page."""
    counts = pd.Series(tracks.target).value_counts().sort_index()
    return TEXT.format(
        sklearn=sklearn.__version__,
        keras=version("keras"),
        n=len(tracks.data),
        counts=", ".join(f"{name} {n}" for name, n in counts.items()),
        artists=len(set(tracks.groups)),
        draws=N_DRAWS,
        presets=records_table(presets),
        variants=records_table(variants),
        few=records_table(few),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--jobs", type=int, default=-1)
    parser.add_argument("--cache", type=Path, default=ROOT / "build" / "accuracy")
    parser.add_argument("--only", nargs="*", help="names of models")
    arguments = parser.parse_args()
    tracks = load(arguments.folder)
    # Each set of tracks has its own folds and therefore its own cache.
    arguments.cache /= joblib.hash((tracks.data, list(tracks.target)))[:12]
    arguments.cache.mkdir(parents=True, exist_ok=True)
    if arguments.test:
        transfer(tracks, load(arguments.test), arguments.cache, arguments.only)
        return
    out, seconds = out_of_fold(tracks, arguments.cache, arguments.jobs, arguments.only)
    presets = [name for name in PRESETS if name in out]
    times = {name: milliseconds(name, tracks) for name in presets}
    tables = [
        list(rows(tracks, {name: out[name] for name in presets}, seconds, times)),
        [row for row in rows(tracks, out, seconds) if row["model"] not in presets],
        list(few_artists(tracks, arguments.cache, arguments.only)),
    ]
    for table in tables:
        print(pd.DataFrame(table).to_string(index=False))
    if not arguments.only:
        PAGE.write_text(page(tracks, *tables))


if __name__ == "__main__":
    main()
