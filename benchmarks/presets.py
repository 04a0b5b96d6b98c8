"""Predictions of all presets for unseen artists, for ``accuracy.py`` and ``robustness.py``.

Models are trained and tested on nine folds by artist: ``StratifiedGroupKFold(3, shuffle=True,
random_state=s)`` with *s* = 0, 1, 2. Each model predicts its test tracks under all conditions of
:func:`skgenre.evaluation.robustness_report`. Features and predictions are stored in
``build/presets``, so that an interrupted run resumes; delete that folder after changing the code.
"""

import os
import time
from dataclasses import dataclass
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")  # as many processes as cores

import joblib
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC

from skgenre import SegmentScaler, SegmentVotingClassifier, genre_pipeline
from skgenre._metadata import fit_with_groups
from skgenre.audio import AudioFile
from skgenre.datasets import load_folder, load_gtzan
from skgenre.evaluation import robustness
from skgenre.features.augmented import without_copies
from skgenre.pipelines import PRESETS

ROOT = Path(__file__).parent.parent
#: Seeds of the folds and of the randomized models.
FOLD_SEEDS, MODEL_SEEDS = (0, 1, 2), (0, 1, 2)
#: Randomized models.
RANDOM = ("mel", "ann", "cnn", "lstm", "forest")
#: Presets that are trained on changed copies of the tracks by default.
ROBUST = ("descriptors", "musicnn", "mel", "cnn", "lstm", "ann")
#: Models of the learning curves, and their numbers of training tracks per genre.
CURVES, SIZES = ("descriptors", "musicnn", "cnn"), (5, 10, 20)
#: Tracks of which the time of extraction is measured.
N_TIMED = 24


@dataclass
class Model:
    """A model to evaluate.

    Parameters
    ----------
    name : str
        Name of the model.
    front : str
        Preset that has the front end of the model.
    make : callable
        Function of a seed that returns the steps behind the front end.
    seeds : tuple of int
        Seeds of the model.
    copies : bool
        Whether it is trained on changed copies of the tracks as well.
    changed : bool
        Whether it predicts under all conditions.
    n_tracks : int
        Number of training tracks per genre; 0 uses all of them.
    inverted : bool
        Whether training and test sets are exchanged.
    """

    name: str
    front: str
    make: object
    seeds: tuple = (0,)
    copies: bool = False
    changed: bool = False
    n_tracks: int = 0
    inverted: bool = False


def classifier(preset, seed, augment="robust"):
    return genre_pipeline(preset, random_state=seed, augment=augment)[1:]


def behind_descriptors(*steps):
    return SegmentVotingClassifier(make_pipeline(*steps))


def models():
    """Yield all models."""
    for name in PRESETS:
        if name == "blend":
            continue  # computed from the probabilities of two other presets
        seeds = MODEL_SEEDS if name in RANDOM else (0,)
        robust = name in ROBUST
        yield Model(name, name, lambda s, n=name: classifier(n, s), seeds, robust, robust)
        if robust:
            yield Model(
                f"{name}, plain",
                name,
                lambda s, n=name: classifier(n, s, None),
                seeds,
                changed=True,
            )
        if len(seeds) == 1:
            yield Model(
                f"{name}, few",
                name,
                lambda s, n=name: classifier(n, s),
                copies=robust,
                inverted=True,
            )
    for name in CURVES:
        for n in SIZES:
            yield Model(
                f"{name}, {n} tracks",
                name,
                lambda s, name=name: classifier(name, s),
                copies=True,
                n_tracks=n,
            )
    quantiles = QuantileTransformer(n_quantiles=5, random_state=0)
    shrunken = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    for name, steps in {
        "logistic": (quantiles, LogisticRegression(C=0.02, max_iter=2000)),
        "SVM": (quantiles, SVC(C=10)),
        "standard scaling": (StandardScaler(), shrunken),
    }.items():
        yield Model(
            f"descriptors, {name}",
            "descriptors",
            lambda s, steps=steps: clone(behind_descriptors(*steps)),
        )
    for name in ("ann", "cnn", "lstm"):
        for words, scaler in {
            "as they are": "passthrough",
            "each coefficient scaled": SegmentScaler(),
        }.items():
            yield Model(
                f"{name}, {words}",
                name,
                lambda s, n=name, scaler=scaler: classifier(n, s, None).set_params(
                    segmentscaler=scaler
                ),
            )


class Presets:
    """Measurements on the tracks of a folder.

    Parameters
    ----------
    folder : Path
        GTZAN or a part of it, with one folder per genre.
    jobs : int, default=2
        Number of processes.
    cache : Path, default=None
        Folder of the results.
    """

    def __init__(self, folder, jobs=2, cache=None):
        try:
            self.tracks = load_gtzan(folder)
        except ValueError:
            self.tracks = load_folder(folder)
        self.jobs = jobs
        self.y = np.asarray(self.tracks.target)
        self.groups = np.asarray(self.tracks.groups)
        key = joblib.hash((self.tracks.data, list(self.y)))[:12]
        self.cache = (cache or ROOT / "build" / "presets") / key
        self.cache.mkdir(parents=True, exist_ok=True)

    def splits(self, inverted=False):
        """Yield the seed, training and test tracks of each fold, exchanged if `inverted`."""
        for seed in FOLD_SEEDS:
            folds = StratifiedGroupKFold(3, shuffle=True, random_state=seed)
            for train, test in folds.split(self.y, self.y, self.groups):
                yield seed, *((test, train) if inverted else (train, test))

    # ------------------------------------------------------------ features

    def training_features(self, preset):
        """Return the path of the training tensor of all tracks with copies, if it has some."""
        front = genre_pipeline(preset, augment="robust")[0].set_params(n_jobs=self.jobs)
        path = self.cache / f"train-{joblib.hash(front.set_params(n_jobs=None))}.joblib"
        if not path.exists():
            front.set_params(n_jobs=self.jobs)
            joblib.dump(front.fit_transform(self.tracks.data, self.y), path)
            print(f"features of {preset}, with copies", flush=True)
        return path

    def test_features(self, preset):
        """Return the path of the features of all tracks by condition."""
        front = genre_pipeline(preset, augment=None)[0]
        path = self.cache / f"test-{joblib.hash(front)}.joblib"
        if not path.exists():
            changes = robustness._changes(None, [genre_pipeline(preset)])
            seeds = np.random.RandomState(0).randint(2**31 - 1, size=len(self.y))
            found = Parallel(n_jobs=self.jobs)(
                delayed(changed_features)(front, path, changes, seed)
                for path, seed in zip(self.tracks.data, seeds, strict=True)
            )
            names = [robustness.UNCHANGED, *changes]
            joblib.dump({name: stack([f[i] for f in found]) for i, name in enumerate(names)}, path)
            print(f"features of {preset} by condition", flush=True)
        return path

    def extraction_seconds(self, preset):
        """Return the processor time of extraction per track, without and with copies."""
        paths = self.tracks.data[:: max(1, len(self.y) // N_TIMED)]
        y = self.y[:: max(1, len(self.y) // N_TIMED)]
        seconds = []
        for augment in (None, "robust"):
            front = genre_pipeline(preset, augment=augment)[0]
            front.transform(paths[:2])  # loads what is imported when it is needed
            start = time.process_time()
            front.fit_transform(paths, y)
            seconds.append((time.process_time() - start) / len(paths))
        return seconds

    # ------------------------------------------------------------ predictions

    def predict(self, model, seed, fold):
        """Return the probabilities of all test tracks of a fold by condition, and the fit time."""
        name = model.name.replace(", ", "-").replace(" ", "_")
        path = self.cache / f"{name}-{seed}-{fold}.joblib"
        if path.exists():
            return joblib.load(path)
        _, train, test = list(self.splits(model.inverted))[fold]
        if model.n_tracks:
            train = self.some(train, model.n_tracks, fold)
        X = joblib.load(self.training_features(model.front), mmap_mode="r")
        X = X[train] if model.copies else without_copies(X)[train]
        tested = joblib.load(self.test_features(model.front), mmap_mode="r")
        estimator = model.make(seed)
        start = time.process_time()
        fit_with_groups(estimator, X, self.y[train], self.groups[train])
        seconds = time.process_time() - start
        names = list(tested) if model.changed else [robustness.UNCHANGED]
        proba = {name: self.proba(estimator, tested[name][test]) for name in names}
        joblib.dump((proba, seconds), path)
        print(f"{model.name}, seed {seed}, fold {fold}: {seconds:.1f} s", flush=True)
        return proba, seconds

    def proba(self, estimator, X):
        if hasattr(estimator, "predict_proba"):
            return estimator.predict_proba(X)
        return (estimator.predict(X)[:, None] == np.unique(self.y)).astype(float)

    def some(self, train, n, seed):
        """Choose `n` tracks of each genre, of as many artists as possible."""
        rng = np.random.default_rng(seed)
        train = rng.permutation(train)
        order = [np.sum(self.groups[train[:i]] == self.groups[t]) for i, t in enumerate(train)]
        train = train[np.argsort(order, kind="stable")]
        chosen = [train[self.y[train] == genre][:n] for genre in np.unique(self.y)]
        return np.sort(np.concatenate(chosen))

    def measure(self, wanted=lambda model: True):
        """Return the probabilities of models by condition, and the results of their folds.

        Returns
        -------
        proba : dict of str to dict of str to ndarray
            Arrays of shape (n_seeds, n_fold_seeds, n_tracks, n_classes) by model and condition.
            With exchanged training and test sets, each track is predicted twice, and the array has
            the second prediction.
        folds : dict of str to DataFrame
            Columns ``seed``, ``fold``, ``seconds``, the processor time of the fit, and
            ``accuracy``, by model.
        """
        chosen = [model for model in models() if wanted(model)]
        for preset in dict.fromkeys(model.front for model in chosen):
            self.training_features(preset), self.test_features(preset)
        n_folds = len(list(self.splits()))
        tasks = [(m, seed, fold) for m in chosen for seed in m.seeds for fold in range(n_folds)]
        results = Parallel(n_jobs=self.jobs, return_as="generator")(
            delayed(self.predict)(*task) for task in tasks
        )
        proba, folds = {}, {}
        names = np.unique(self.y)
        shape = (len(FOLD_SEEDS), len(self.y), len(names))
        for (model, seed, fold), (by_condition, seconds) in zip(tasks, results, strict=True):
            fold_seed, _, test = list(self.splits(model.inverted))[fold]
            at = model.seeds.index(seed), FOLD_SEEDS.index(fold_seed)
            arrays = proba.setdefault(model.name, {})
            for condition, values in by_condition.items():
                empty = np.full((len(model.seeds), *shape), np.nan)
                arrays.setdefault(condition, empty)[at][test] = values
            found = names[by_condition[robustness.UNCHANGED].argmax(axis=1)]
            accuracy = np.mean(found == self.y[test])
            row = {"seed": seed, "fold": fold, "seconds": seconds, "accuracy": accuracy}
            folds.setdefault(model.name, []).append(row)
        return proba, {name: pd.DataFrame(rows) for name, rows in folds.items()}


def changed_features(front, path, changes, seed):
    """Return the features of a track under each condition."""
    front = clone(front).set_params(n_jobs=None)
    rate = robustness._RATE
    with AudioFile(path, rate) as audio:
        y = robustness.read_center(audio)
        files = robustness._changed_files(audio, y, changes, seed, Path(path).name)
        return [front.transform([file])[0] for file in files]


def stack(tracks):
    """Return one tensor of tracks with different numbers of segments."""
    n = max(len(track) for track in tracks)
    if tracks[0].ndim == 1:
        return np.stack(tracks)
    widths = [[(0, n - len(t)), *[(0, 0)] * (t.ndim - 1)] for t in tracks]
    padded = [np.pad(t, w, constant_values=np.nan) for t, w in zip(tracks, widths, strict=True)]
    return np.stack(padded).astype(np.float32)
