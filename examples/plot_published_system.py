"""
The published system
====================

`Aryan-Lohia/Music-Genre-Classification
<https://github.com/Aryan-Lohia/Music-Genre-Classification>`_ trains a dense, a convolutional and a
recurrent network on 3-second segments of GTZAN, and splits the segments at random. Here are the
same networks, at toy size on synthetic tracks, trained for a few epochs: the steps are those of the
published scripts, and the scores mean nothing. :doc:`/published_system` has the figures of real
recordings, which ``make reproduce GTZAN=<folder>`` writes.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import joblib
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline

from skgenre import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    MFCCSegmenter,
    SegmentSummary,
    leakage_report,
    make_baseline,
)
from skgenre.datasets import make_tracks
from skgenre.plotting import HistoryDisplay, LeakageDisplay

# %%
# Tracks and segments
# -------------------
# Three genres, four artists each. Each track gives three segments of 130 frames of 13 MFCCs.

folder = Path(tempfile.mkdtemp(prefix="skgenre-"))
tracks = make_tracks(8, genres=3, duration=9, artists_per_genre=4, random_state=0, folder=folder)
tensor = MFCCSegmenter(n_segments=3).transform(tracks.data)
print("tracks, segments, frames, coefficients:", tensor.shape)

# %%
# The networks as published
# -------------------------
# For ten genres, as the published README prints them: 1,014,218, 45,514 and 57,802 parameters.
# Random numbers do to build them.

networks = {"ANN": ANNClassifier, "CNN": CNNClassifier, "LSTM": LSTMClassifier}
noise = np.random.default_rng(0).normal(size=(20, 130, 13))
for name, make in networks.items():
    print(f"\n{name}, {make().epochs} epochs as published")
    make(epochs=1, random_state=0).fit(noise, np.arange(20) % 10).summary()

# %%
# Training and validation
# -----------------------
# Adam and batches of 32 are the defaults. A quarter of the tracks is held out to watch.

figure, axes = plt.subplots(3, 2, figsize=(8, 8), layout="constrained")
for row, (name, make) in zip(axes, networks.items(), strict=True):
    network = make(epochs=5, validation_fraction=0.25, random_state=0)
    HistoryDisplay.from_estimator(network.fit(tensor, tracks.target), ax=row)
    row[0].set_title(name)

# %%
# Accuracy three ways
# -------------------
# The original splits segments at random. Here the same segments are also split by track and by
# artist. Support vectors and linear discriminants get means and deviations of the same MFCCs.

n_tracks, n_segments = tensor.shape[:2]
table = {
    "data": tensor.reshape(-1, *tensor.shape[2:]),
    "target": np.repeat(tracks.target, n_segments),
    "track_ids": np.repeat(tracks.track_ids, n_segments),
    "groups": np.repeat(tracks.groups, n_segments),
}
models = {
    "ANN": ANNClassifier(epochs=5, random_state=0),
    "SVM": make_pipeline(SegmentSummary(), make_baseline("svm")),
    "LDA": make_pipeline(SegmentSummary(), make_baseline("lda")),
}
report = leakage_report(models, table, n_splits=3, scoring="accuracy")
report["splitting"] = report["splitting"].replace("random pieces", "random segments")
LeakageDisplay(report).plot()

# %%
# Confusion
# ---------
# Whole tracks, by artist: the segments of a track are averaged.

folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
found = cross_val_predict(models["ANN"], tensor, tracks.target, groups=tracks.groups, cv=folds)
ConfusionMatrixDisplay.from_predictions(tracks.target, found, colorbar=False)

# %%
# A grid over dropout and architecture
# ------------------------------------
# Over a pipeline from paths to genres, so that what is saved takes paths.

pipe = Pipeline([("mfcc", MFCCSegmenter(n_segments=3)), ("network", ANNClassifier())])
search = GridSearchCV(
    pipe,
    {
        "network": [
            ANNClassifier(epochs=3, random_state=0),
            CNNClassifier(epochs=3, batch_size=8, random_state=0),
        ],
        "network__dropout": [0.1, 0.3],
    },
    cv=folds,
    error_score="raise",
)
search.fit(tracks.data, tracks.target, groups=tracks.groups)
for params, score in zip(
    search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
):
    print(
        f"{params['network'].__class__.__name__}, dropout {params['network__dropout']}: {score:.2f}"
    )

# %%
# Saved, and loaded in a new process
# ----------------------------------
# It predicts without TensorFlow.

joblib.dump(search.best_estimator_, folder / "best.joblib")
code = """
import sys, joblib
model, *paths = sys.argv[1:]
print(*joblib.load(model).predict(paths))
print("TensorFlow is loaded:", "tensorflow" in sys.modules)
"""
command = [sys.executable, "-c", code, str(folder / "best.joblib"), *tracks.data[::8]]
print(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
