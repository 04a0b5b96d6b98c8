"""Train four pipelines, tune one, save it and predict unseen files; run by ``make demo``.

The pipelines are the published dense, convolutional and recurrent networks, and a support vector
machine on summaries of the same MFCCs. They are cross-validated by track and by artist. The tracks
are synthetic, or those of a GTZAN folder.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skgenre import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    MFCCSegmenter,
    SegmentScaler,
    SegmentSummary,
    save,
)
from skgenre.datasets import load_gtzan, make_tracks
from skgenre.plotting import GenreTimelineDisplay, HistoryDisplay

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--gtzan", metavar="FOLDER", help="a GTZAN folder instead of synthetic tracks")
parser.add_argument("--output", metavar="FOLDER", default="demo_output", help="for the results")
args = parser.parse_args()
output = Path(args.output)
output.mkdir(parents=True, exist_ok=True)
start = time.perf_counter()

# A sample is a track: a path and a genre. `groups` holds the artists.
if args.gtzan:
    tracks = load_gtzan(args.gtzan)
else:
    folder = Path(tempfile.mkdtemp(prefix="skgenre-"))
    tracks = make_tracks(10, duration=15, artists_per_genre=5, random_state=0, folder=folder)
print(tracks.DESCR)

# Each pipeline goes from paths to genres. The networks are the published ones with fewer epochs
# (published: 50 for the ANN and 30 for the others), so that the demo takes minutes. The running
# means of the CNN's batch normalization need some hundreds of steps to settle, so with few tracks
# its batches are smaller than the published 32.
segmenter = MFCCSegmenter(n_jobs=2)
scaler = SegmentScaler(with_std=False)  # centered only: see the page "Accuracy of the presets"
pipelines = {
    "ANN": make_pipeline(segmenter, scaler, ANNClassifier(epochs=15, random_state=0)),
    "CNN": make_pipeline(segmenter, scaler, CNNClassifier(epochs=12, batch_size=8, random_state=0)),
    "LSTM": make_pipeline(segmenter, scaler, LSTMClassifier(epochs=8, random_state=0)),
    "SVM": make_pipeline(segmenter, SegmentSummary(), StandardScaler(), SVC(C=10)),
}

# The segmenter learns nothing from the tracks, so its output is computed once for all folds;
# `pipeline[1:]` is the rest of the pipeline, which each fold fits.
X = segmenter.transform(tracks.data)
print(f"{len(X)} tracks as a tensor of shape {X.shape}; {time.perf_counter() - start:.0f} s\n")

schemes = {
    "by track": (StratifiedKFold(3, shuffle=True, random_state=0), None),
    "by artist": (StratifiedGroupKFold(3, shuffle=True, random_state=0), tracks.groups),
}
rows = []
for name, pipeline in pipelines.items():
    row = {"pipeline": name}
    for scheme, (cv, groups) in schemes.items():
        scores = cross_val_score(
            pipeline[1:], X, tracks.target, groups=groups, cv=cv, error_score="raise"
        )
        row[f"accuracy {scheme}"] = f"{scores.mean():.2f} ± {scores.std():.2f}"
    rows.append(row)
    print(f"cross-validated the {name} after {time.perf_counter() - start:.0f} s", flush=True)

# Candidates are compared by artist, since the model is meant for unseen artists.
by_artist, groups = schemes["by artist"]
search = GridSearchCV(
    pipelines["CNN"][1:],
    {
        "cnnclassifier__filters": [(16, 16), (32, 32, 32)],
        "cnnclassifier__dropout": [0.1, 0.3],
    },
    cv=by_artist,
    refit=False,
).fit(X, tracks.target, groups=groups)
rows.append(
    {
        "pipeline": "CNN, best of the grid",
        # The candidate was chosen by this score, so the score is slightly optimistic.
        "accuracy by artist": f"{search.best_score_:.2f} (chosen by it)",
    }
)
best = {name.partition("__")[2]: value for name, value in search.best_params_.items()}

print(f"\nAccuracy over tracks, 3 folds ({'GTZAN' if args.gtzan else 'SYNTHETIC'} tracks,")
print("fewer epochs than published), mean ± standard deviation over the folds.")
print("by track: artists are on both sides of the split; by artist: on one.\n")
table = pd.DataFrame(rows).fillna("")
print(table.to_string(index=False), f"\n\nbest of the grid: {best}\n")

if args.gtzan:
    # Hold out an artist of each genre that has several, for the predictions at the end.
    frame = pd.DataFrame({"genre": tracks.target, "artist": tracks.groups})
    kept = [
        artists.value_counts().index[-1]
        for _, artists in frame.groupby("genre")["artist"]
        if artists.nunique() > 1
    ]
    is_new = np.isin(tracks.groups, kept)
    train = np.flatnonzero(~is_new)
    new_tracks = [(tracks.data[i], tracks.target[i]) for i in np.flatnonzero(is_new)]
else:
    train = np.arange(len(tracks.data))
    unseen = make_tracks(
        1, genres=tracks.target_names, duration=15, random_state=1, folder=folder / "new"
    )
    new_tracks = list(zip(unseen.data, unseen.target, strict=True))

model = clone(pipelines["CNN"])
model.set_params(**search.best_params_)
model.fit([tracks.data[i] for i in train], tracks.target[train])
save(model, output / "model.skgenre")

code = """
import sys, skgenre
model = skgenre.load(sys.argv[1])
paths = sys.argv[2:]
for path, genre, p in zip(paths, model.predict(paths), model.predict_proba(paths)):
    print(path, genre, format(p.max(), ".2f"), sep="\\t")
assert "tensorflow" not in sys.modules
"""
predictions = subprocess.run(
    [sys.executable, "-c", code, output / "model.skgenre", *(path for path, _ in new_tracks)],
    check=True,
    capture_output=True,
    text=True,
).stdout.splitlines()
print("A new process has loaded the model, without TensorFlow, and predicts unseen artists:\n")
print(
    pd.DataFrame(
        [
            {
                "file": Path(prediction.split("\t")[0]).name,
                "genre": genre,
                "prediction": prediction.split("\t")[1],
                "probability": prediction.split("\t")[2],
            }
            for prediction, (_, genre) in zip(predictions, new_tracks, strict=True)
        ]
    ).to_string(index=False)
)

display = HistoryDisplay.from_estimator(model)
display.figure_.suptitle("Training history of the CNN")
display.figure_.savefig(output / "history.png", dpi=120)

# Each track is predicted by a model that was not fitted on its artist.
predicted = cross_val_predict(
    clone(pipelines["CNN"][1:]).set_params(**search.best_params_),
    X,
    tracks.target,
    groups=groups,
    cv=by_artist,
)
figure, ax = plt.subplots(figsize=(6.5, 6), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    tracks.target, predicted, ax=ax, xticks_rotation=45, colorbar=False
)
ax.set_title("CNN, tracks, folds by artist")
figure.savefig(output / "confusion.png", dpi=120)

display = GenreTimelineDisplay.from_estimator(model, new_tracks[0][0])
display.figure_.savefig(output / "timeline.png", dpi=120)

print(f"\nPictures and the model are in {output}/; {time.perf_counter() - start:.0f} s in all.")
