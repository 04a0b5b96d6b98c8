"""
The published system
====================

`Aryan-Lohia/Music-Genre-Classification
<https://github.com/Aryan-Lohia/Music-Genre-Classification>`_ trains a dense, a convolutional and a
recurrent network on 3-second segments of GTZAN, and splits the segments at random. This example
runs the same steps with the same networks, for a few epochs on a few synthetic tracks, so the
scores are not meaningful. :doc:`/published_system` contains the figures for recordings, which
``make reproduce GTZAN=<folder>`` computes.
"""

import subprocess
import sys
import tempfile
import warnings
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
    make_baseline,
)
from skgenre.datasets import make_tracks
from skgenre.evaluation import leakage_report
from skgenre.plotting import HistoryDisplay, LeakageDisplay

# %%
# Tracks and segments
# -------------------
# Three genres with four artists each. A track has three segments of 130 frames of 13 MFCCs. The
# published system does not center them, of which networks warn.

warnings.filterwarnings("ignore", ".* is usually less accurate if coefficients are not centered")

# sphinx_gallery_thumbnail_path = 'images/history.png'
folder = Path(tempfile.mkdtemp(prefix="skgenre-"))
tracks = make_tracks(8, genres=3, duration=9, artists_per_genre=4, random_state=0, folder=folder)
tensor = MFCCSegmenter(n_segments=3).transform(tracks.data)
print("tracks, segments, frames, coefficients:", tensor.shape)

# %%
# The networks as published
# -------------------------
# For ten genres the networks have 1,014,218, 45,514 and 57,802 parameters, as in the published
# README. They are fitted on random numbers here, only to build their layers.

networks = {"ANN": ANNClassifier, "CNN": CNNClassifier, "LSTM": LSTMClassifier}
noise = np.random.default_rng(0).normal(size=(20, 130, 13))
for name, make in networks.items():
    print(f"\n{name}, {make().epochs} epochs as published")
    make(epochs=1, random_state=0).fit(noise, np.arange(20) % 10).summary()

# %%
# Training and validation
# -----------------------
# Adam and batches of 32 are the defaults. A quarter of the tracks is held out for validation.

figure, axes = plt.subplots(3, 2, figsize=(8, 8), layout="constrained")
for row, (name, make) in zip(axes, networks.items(), strict=True):
    network = make(epochs=5, validation_fraction=0.25, random_state=0)
    HistoryDisplay.from_estimator(network.fit(tensor, tracks.target), ax=row)
    row[0].set_title(name, loc="left")
plt.show()

# %%
# Accuracy three ways
# -------------------
# The original splits segments at random. Here the same segments are also split by track and by
# artist. The support vector machine and the linear discriminant analysis use means and deviations
# of the same MFCCs.

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
_ = LeakageDisplay(report).plot()
plt.show()

# %%
# Confusion
# ---------
# Tracks in folds by artist. The probabilities of the segments of a track are averaged.

folds = StratifiedGroupKFold(2, shuffle=True, random_state=0)
found = cross_val_predict(models["ANN"], tensor, tracks.target, groups=tracks.groups, cv=folds)
_ = ConfusionMatrixDisplay.from_predictions(tracks.target, found, colorbar=False)
plt.show()

# %%
# A grid over dropout and architecture
# ------------------------------------
# The search is over a pipeline from paths to genres, so the saved model takes paths.

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
# Save, and load in a new process
# -------------------------------
# The loaded model predicts without TensorFlow.

joblib.dump(search.best_estimator_, folder / "best.joblib")
code = """
import sys, joblib
model, *paths = sys.argv[1:]
print(*joblib.load(model).predict(paths))
print("TensorFlow is loaded:", "tensorflow" in sys.modules)
"""
command = [sys.executable, "-c", code, str(folder / "best.joblib"), *tracks.data[::8]]
print(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
