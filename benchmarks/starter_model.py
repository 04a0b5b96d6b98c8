"""Train the model that comes with the package, and write it to ``skgenre/data``.

``make starter GTZAN=<folder>`` runs this script on ``features_30_sec.csv``. The model uses the
columns that require neither harmonic-percussive separation nor the tempo, so that predicting a song
takes a fraction of a second. Among the baselines with small model files, the one with the lowest
log loss is selected, by cross-validation with folds by artist on the training and validation parts
of the fault-filtered partition. The log loss is used because the probabilities are averaged over
segments and shown to the user. The model is calibrated on the same kind of folds. The test part is
used only to compute the accuracy that is stored in the file.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

import skgenre
from skgenre import (
    GroupCalibratedClassifier,
    GTZANFeatures,
    SegmentVotingClassifier,
    make_baseline,
    save,
)
from skgenre.datasets import filtered_split, load_gtzan_features, segments_to_tracks
from skgenre.features import GTZAN_FEATURES
from skgenre.pipelines import STARTER

#: Columns with the longest run times.
COSTLY = ("harmony_mean", "harmony_var", "perceptr_mean", "perceptr_var", "tempo")
#: Columns that depend on the playback level of a track.
LEVELS = ("rms_mean", "rms_var", "mfcc1_mean")
#: Maximum size of the model file.
MOST_BYTES = 32_000


def without(*left_out):
    return [name for name in GTZAN_FEATURES if name not in left_out]


def candidates():
    for columns, which in ((without(*COSTLY), ""), (without(*COSTLY, *LEVELS), ", without levels")):
        for name in ("knn", "logistic", "lda"):
            features = GTZANFeatures(columns=columns, segment_duration=30, on_error="warn")
            voting = SegmentVotingClassifier(make_baseline(name))
            model = GroupCalibratedClassifier(voting, cv=10)
            yield f"{name} on {len(columns)} columns{which}", make_pipeline(features, model)


def by_artist(model, X, y, artists):
    """Compute log loss and accuracy over ten folds by artist, averaged over three repetitions."""
    figures = []
    for seed in range(3):
        folds = StratifiedGroupKFold(10, shuffle=True, random_state=seed)
        proba = cross_val_predict(model, X, y, groups=artists, cv=folds, method="predict_proba")
        hits = np.unique(y)[proba.argmax(axis=1)] == y
        figures.append((log_loss(y, proba), hits.mean()))
    return np.mean(figures, axis=0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    table = load_gtzan_features(parser.parse_args().folder / "features_30_sec.csv")
    [(train, test)] = filtered_split(table.track_ids, train=("train", "valid"))
    y, artists = table.target, table.groups
    best = None
    for name, pipeline in candidates():
        features, model = pipeline.named_steps.values()
        X, _ = segments_to_tracks(table.data[features.columns], table.track_ids)
        model.fit(X[train], y[train], groups=artists[train])
        save(pipeline, STARTER)
        size = STARTER.stat().st_size
        loss, accuracy = by_artist(model.estimator, X[train], y[train], artists[train])
        print(f"{name}: log loss {loss:.3f}, accuracy {accuracy:.3f}, {size} bytes", flush=True)
        if size <= MOST_BYTES and (best is None or loss < best[0]):
            best = loss, name, pipeline, X[test]
    _, name, pipeline, X_test = best
    model = pipeline[-1]
    accuracy = model.score(X_test, y[test])
    loss, loss_before = (
        log_loss(y[test], m.predict_proba(X_test)) for m in (model, model.estimator_)
    )
    print(f"Test part: log loss {loss:.3f}, not calibrated {loss_before:.3f}")
    if model.threshold_ is not None:
        sure = model.predict_proba(X_test).max(axis=1) >= model.threshold_
        right = model.score(X_test[sure], y[test][sure])
        share = f"{sure.mean():.0%} have a probability from {model.threshold_:.2f}"
        print(f"{share}, with an accuracy of {right:.0%}")
    description = (
        f"The model that comes with skgenre: {name} of GTZAN's 30-second table, trained on "
        f"{len(train)} tracks of ten genres. The probabilities of a song are averaged over its "
        f"30-second segments. Accuracy of {accuracy:.0%} on {len(test)} tracks by unseen artists "
        "(test part of GTZAN's fault-filtered partition; chance level: 10%)."
    )
    save(pipeline, STARTER, description=description)
    print(description)
    print(f"{STARTER.relative_to(Path(skgenre.__file__).parent)}: {STARTER.stat().st_size} bytes")


if __name__ == "__main__":
    main()
