"""Train the models that come with the package, and write them to ``skgenre/data``.

``make starter GTZAN=<folder>`` runs this script on two tables: ``features_30_sec.csv``, of which
the columns are used that require neither harmonic-percussive separation nor the tempo, and the
tags of musicnn in ``musicnn_msd_tags`` (733 tracks, of which a track is the mean of its patches).

Candidates are compared by cross-validation with folds by artist, without the test part of the
fault-filtered partition: on its training part for the tags, on training and validation parts for
the table. The one with the lowest log loss is selected, because the probabilities are shown to
the user. It is calibrated on the same kind of folds. The test part is used once, to compute the
accuracy that is stored in the file.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, StandardScaler

from skgenre import (
    GroupCalibratedClassifier,
    GTZANFeatures,
    SegmentVotingClassifier,
    make_baseline,
    save,
)
from skgenre.datasets import filtered_split, load_gtzan_features, segments_to_tracks
from skgenre.evaluation import bootstrap_score, coverage_curve
from skgenre.features import GTZAN_FEATURES
from skgenre.pipelines import STARTERS, make_tagger

#: Columns with the longest run times.
COSTLY = ("harmony_mean", "harmony_var", "perceptr_mean", "perceptr_var", "tempo")
#: Repetitions of the cross-validation.
N_REPETITIONS = 3
#: Share of the tracks of left-out folds that are regarded as outliers.
CONTAMINATION = 0.05


def table_candidates(table):
    """Yield the name, front end, model and input of logistic regression on columns of the table.

    It was selected in version 0.1, from nearest neighbors, logistic regression and LDA, each with
    and without the columns that depend on the level.
    """
    columns = [name for name in GTZAN_FEATURES if name not in COSTLY]
    front = GTZANFeatures(columns=columns, segment_duration=30, on_error="warn")
    X, _ = segments_to_tracks(table.data[columns], table.track_ids)
    model = SegmentVotingClassifier(make_baseline("logistic"))
    yield f"logistic on {len(columns)} columns", front, model, X


def tag_candidates(X):
    """Yield the name, front end, model and input of each candidate on tags."""
    classifiers = {
        **{
            f"logistic regression (C={C})": LogisticRegression(C=C, max_iter=1000)
            for C in (0.03, 0.1, 0.3)
        },
        "LDA": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
        "LDA (shrinkage 0.3)": LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3),
    }
    for name, classifier in classifiers.items():
        for scaling, steps in (
            ("standardized", [StandardScaler()]),
            ("power-transformed", [StandardScaler(), PowerTransformer()]),
        ):
            model = make_pipeline(SimpleImputer(), *steps, classifier)
            front = make_tagger(on_error="warn")
            front[-1].fit(np.zeros((1, 1, 1, 50), np.float32))  # only the number of tags
            yield f"{name} on {scaling} tags", front, model, X


def load_tags(folder, track_ids):
    """Load the mean tags of tracks, NaN for those that are in no file."""
    tags = np.full((len(track_ids), 50), np.nan)
    for name in ("train", "test"):
        with np.load(folder / "musicnn_msd_tags" / f"{name}_filtered.npz") as patches:
            mean = pd.DataFrame(patches["tags"].astype(float)).groupby(patches["track"]).mean()
        tags[pd.Index(track_ids).get_indexer(mean.index)] = mean
    return tags


def out_of_fold(model, X, y, artists, seed):
    """Compute calibrated probabilities of five folds by artist."""
    proba = np.zeros((len(y), len(np.unique(y))))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=seed)
    for train, test in folds.split(X, y, artists):
        proba[test] = model.fit(X[train], y[train], groups=artists[train]).predict_proba(X[test])
    return proba


def describe_accuracy(y, predicted, artists):
    found = bootstrap_score(y, predicted, groups=artists)
    interval = f"{found.low:.0%} to {found.high:.0%}"
    return f"{found.score:.0%} (95% interval by artist: {interval})"


def train_starter(candidates, y, artists, train, test, path, description):
    """Select, calibrate, test and save a model; `description` is completed by its figures."""
    best = None
    for name, front, classifier, X in candidates:
        model = GroupCalibratedClassifier(classifier)
        of_train = X[train], y[train], artists[train]
        probas = [out_of_fold(model, *of_train, seed) for seed in range(N_REPETITIONS)]
        classes = np.unique(y[train])
        loss = np.mean([log_loss(y[train], proba) for proba in probas])
        accuracies = [(classes[proba.argmax(axis=1)] == y[train]).mean() for proba in probas]
        print(f"{name}: log loss {loss:.3f}, accuracy {np.mean(accuracies):.3f}", flush=True)
        if best is None or loss < best[0]:
            best = loss, name, front, model, X, probas[0]
    _, name, front, model, X, proba = best
    predicted = classes[proba.argmax(axis=1)]
    model.set_params(cv=10, contamination=CONTAMINATION)
    model.fit(X[train], y[train], groups=artists[train])
    if model.threshold_ is None:
        # It requires five artists of each genre, and the training part has four of blues.
        curve = coverage_curve(y[train], proba, classes)
        model.threshold_ = curve.threshold[curve.accuracy >= model.target_accuracy].min()
    pipeline = make_pipeline(*getattr(front, "named_steps", {"front": front}).values(), model)
    proba = model.predict_proba(X[test])
    reasons = np.array(model.explain_unsure(X[test], proba))
    right = model.classes_[proba.argmax(axis=1)] == y[test]
    before = log_loss(y[test], model.estimator_.predict_proba(X[test]))
    print(f"Test part: log loss {log_loss(y[test], proba):.3f}, not calibrated {before:.3f}")
    print(
        f"Sure: {(reasons == '').mean():.0%}, with an accuracy of {right[reasons == ''].mean():.0%}"
    )
    for reason in np.unique(reasons[reasons != ""]):
        shares = [(reasons[which] == reason).mean() for which in (right, ~right)]
        print(f"{reason}: {shares[0]:.0%} of the right and {shares[1]:.0%} of the wrong answers")
    description = (
        f"{description.format(name=name, n=len(train))} Accuracy over folds by artist of these "
        f"tracks {describe_accuracy(y[train], predicted, artists[train])}. Accuracy of "
        f"{describe_accuracy(y[test], model.predict(X[test]), artists[test])} on {len(test)} "
        "tracks by unseen artists (test part of GTZAN's fault-filtered partition; chance level: "
        "10%)."
    )
    save(pipeline, path, description=description)
    print(f"{description}\n{path.name}: {path.stat().st_size} bytes\n", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    # Raised by the fold in which a genre has a single artist.
    warnings.filterwarnings("ignore", "Probabilities are not calibrated")
    table = load_gtzan_features(folder / "features_30_sec.csv")
    facts = table.target, table.groups
    [(train, test)] = filtered_split(table.track_ids, train=("train", "valid"))
    train_starter(
        table_candidates(table),
        *(*facts, train, test, STARTERS["table"]),
        "The model that comes with skgenre: {name} of GTZAN's 30-second table, trained on {n} "
        "tracks of ten genres. The probabilities of a song are averaged over its 30-second "
        "segments.",
    )
    [(train, test)] = filtered_split(table.track_ids)
    train_starter(
        tag_candidates(load_tags(folder, table.track_ids)),
        *(*facts, train, test, STARTERS["musicnn"]),
        "The model of skgenre on musicnn: {name} of musicnn (J. Pons and X. Serra, weights of the "
        "Million Song Dataset), averaged over a track, trained on {n} tracks of ten genres. The "
        "Million Song Dataset probably contains artists of GTZAN, so that the following may be "
        "optimistic.",
    )


if __name__ == "__main__":
    main()
