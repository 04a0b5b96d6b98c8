"""
Quickstart: from audio files to genres
======================================

A pipeline takes paths of audio files and predicts genres. This example cross-validates two
pipelines, tunes one by a grid search, saves it, and predicts the genres of new files.

The tracks are synthetic, few and short, and the network trains for a few epochs, so the scores
only show the steps. ``make demo`` trains longer, on synthetic tracks or on GTZAN.
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skgenre import CNNClassifier, MFCCSegmenter, SegmentScaler, SegmentSummary, load, save
from skgenre.datasets import make_tracks
from skgenre.plotting import GenreTimelineDisplay

# %%
# Tracks
# ------
# A sample is a track: ``data`` holds the paths, ``target`` the genres and ``groups`` the artists.
# :func:`skgenre.datasets.load_folder` loads your own music in the same form.

folder = Path(tempfile.mkdtemp(prefix="skgenre-"))
genres = ["classical", "disco", "metal"]
tracks = make_tracks(
    8, genres=genres, duration=9, artists_per_genre=4, random_state=0, folder=folder / "known"
)
print(tracks.data[0], tracks.target[0], tracks.groups[0], sep="\n")

# %%
# Pipelines
# ---------
# Both start with MFCCs of 3-second segments. One trains a convolutional network on the segments,
# the other a support vector machine on their means and deviations.

cnn = make_pipeline(
    MFCCSegmenter(n_segments=3, n_jobs=2),
    SegmentScaler(with_std=False),
    CNNClassifier(epochs=12, batch_size=8, random_state=0),
)
svm = make_pipeline(MFCCSegmenter(n_segments=3), SegmentSummary(), StandardScaler(), SVC(C=10))
cnn

# %%
# Cross-validation by artist
# --------------------------
# With the artists as groups, each test fold contains only artists that are not in its training
# folds.

folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
for name, pipe in {"CNN": cnn, "SVM": svm}.items():
    scores = cross_val_score(pipe, tracks.data, tracks.target, groups=tracks.groups, cv=folds)
    print(f"{name}: accuracy {scores.mean():.2f} ± {scores.std():.2f}")

# %%
# Grid search
# -----------
# Every size of the network is a parameter.

search = GridSearchCV(
    cnn,
    {"cnnclassifier__filters": [(16, 16), (32, 32, 32)], "cnnclassifier__dropout": [0.1, 0.3]},
    cv=folds,
)
search.fit(tracks.data, tracks.target, groups=tracks.groups)
print(f"accuracy {search.best_score_:.2f} with {search.best_params_}")

# %%
# Confusion matrix
# ----------------
# Each track is predicted by a model that was not fitted on its artist.

predicted = cross_val_predict(
    search.best_estimator_, tracks.data, tracks.target, groups=tracks.groups, cv=folds
)
_ = ConfusionMatrixDisplay.from_predictions(tracks.target, predicted, colorbar=False)
plt.show()

# %%
# Save, load, predict
# -------------------
# The saved pipeline predicts from paths. It does not need TensorFlow.

save(search.best_estimator_, folder / "model.skgenre")
model = load(folder / "model.skgenre")
new = make_tracks(1, genres=genres, duration=20, random_state=1, folder=folder / "new")
for path, genre, proba in zip(
    new.data, model.predict(new.data), model.predict_proba(new.data), strict=True
):
    print(f"{Path(path).name}: {genre} ({proba.max():.2f})")

# %%
# Genre over time
# ---------------

_ = GenreTimelineDisplay.from_estimator(model, new.data[2])
plt.show()
