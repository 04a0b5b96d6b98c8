"""
Common pitfalls
===============

Most published scores on GTZAN's feature tables are computed on pieces of tracks that were
assigned to training and test sets at random. This example demonstrates that mistake and three
others on synthetic tracks, each with its correction. :doc:`/gtzan` contains the same figures
for GTZAN.
"""
# sphinx_gallery_thumbnail_path = 'images/leakage.png'

import tempfile

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline

from skgenre import (
    ANNClassifier,
    MFCCSegmenter,
    SegmentScaler,
    SegmentSummary,
    make_baseline,
)
from skgenre.datasets import make_tracks
from skgenre.evaluation import leakage_report
from skgenre.plotting import LeakageDisplay

# %%
# A table with a row per piece
# ----------------------------
# Five genres with four artists each and three tracks per artist. The tracks are cut into pieces of
# one second, and the table has a row for each piece.

folder = tempfile.TemporaryDirectory()
tracks = make_tracks(
    12, genres=5, duration=6, artists_per_genre=4, random_state=0, folder=folder.name
)
tensor = MFCCSegmenter(segment_duration=1.0, n_segments=6).transform(tracks.data)
n_tracks, n_pieces = tensor.shape[:2]
table = {
    "data": SegmentSummary().fit_transform(tensor.reshape(n_tracks * n_pieces, *tensor.shape[2:])),
    "target": np.repeat(tracks.target, n_pieces),
    "track_ids": np.repeat(tracks.track_ids, n_pieces),
    "groups": np.repeat(tracks.groups, n_pieces),
}
print(f"{len(table['data'])} pieces of {n_tracks} tracks")

# %%
# The mistake: random pieces
# --------------------------
# :func:`~sklearn.model_selection.cross_val_score` with ``cv=5`` splits rows, not tracks. Pieces of
# one track are then in both the training and the test set.

wrong = cross_val_score(make_baseline("knn"), table["data"], table["target"], cv=5).mean()
print(f"accuracy of the nearest neighbor, random pieces: {wrong:.2f}")

# %%
# The nearest neighbor of a piece is often another piece of the same track:

models = {name: make_baseline(name, random_state=0) for name in ("knn", "svm", "logistic")}
neighbors = models["knn"].fit(table["data"], table["target"])
_, nearest = neighbors[-1].kneighbors(neighbors[:-1].transform(table["data"]), n_neighbors=2)
same = table["track_ids"][nearest[:, 1]] == table["track_ids"]
print(f"nearest other piece is from the same track: {same.mean():.0%}")

# %%
# The correction: whole tracks, whole artists
# -------------------------------------------
# With folds by track, the model is tested on unseen tracks. With folds by artist, it is tested on
# tracks of unseen artists, as in use.

right = cross_val_score(
    make_baseline("knn"),
    table["data"],
    table["target"],
    groups=table["groups"],
    cv=StratifiedGroupKFold(4),
).mean()
print(f"accuracy of the nearest neighbor, by artist: {right:.2f}")

# %%
# :func:`skgenre.evaluation.leakage_report` compares the three ways to split:

report = leakage_report(models, table, n_splits=4, scoring="accuracy")
print(report.drop(columns="fit_seconds").round(2).to_string(index=False))
_ = LeakageDisplay(report).plot()
plt.show()

# %%
# Tracks as samples
# -----------------
# The pipelines of skgenre go from paths to genres. A sample is a track, so no splitter can separate
# its pieces. Only the artists have to be passed as groups.

model = make_pipeline(
    MFCCSegmenter(segment_duration=1.0, n_segments=6), SegmentSummary(), make_baseline("svm")
)
scores = cross_val_score(
    model, tracks.data, tracks.target, groups=tracks.groups, cv=StratifiedGroupKFold(4)
)
print(f"accuracy over tracks, by artist: {scores.mean():.2f}")

# %%
# Scaling or selecting columns before the split
# ---------------------------------------------
# A step that is fitted on all rows has used the test rows. The effect is small for means and
# deviations, and large for feature selection. Here the labels are random and the columns are noise,
# so the expected accuracy is 0.5:

rng = np.random.default_rng(0)
noise, coin = rng.normal(size=(60, 2000)), rng.permutation(np.arange(60) % 2)
chosen = SelectKBest(k=20).fit_transform(noise, coin)  # the mistake: all 60 rows
print(
    f"selected before the split: {cross_val_score(make_baseline('lda'), chosen, coin).mean():.2f}"
)

# %%
# In a pipeline, each fold fits its own scaler and selection:

honest = make_pipeline(SelectKBest(k=20), make_baseline("lda"))
print(f"selected in each fold: {cross_val_score(honest, noise, coin).mean():.2f}")

# %%
# Model selection on the test set
# -------------------------------
# Fifty models use different columns of the same noise. The best of them on the test set is the best
# by chance. Rows that were not used for the selection show this:

half, unseen, coin_half, coin_unseen = train_test_split(noise, coin, random_state=0)
train, test, coin_train, coin_test = train_test_split(half, coin_half, random_state=0)
columns = [rng.choice(2000, 5) for _ in range(50)]
models = [make_baseline("lda").fit(train[:, some], coin_train) for some in columns]
on_test = [m.score(test[:, c], coin_test) for m, c in zip(models, columns, strict=True)]
best = int(np.argmax(on_test))
print(f"the best on the test set: {on_test[best]:.2f}")
print(f"the same on unseen rows: {models[best].score(unseen[:, columns[best]], coin_unseen):.2f}")

# %%
# GTZAN's fault-filtered partition therefore has three parts. Select models with
# ``filtered_split(ids, test=("valid",))``, and use the test part once, at the end.

# %%
# Parallel searches and TensorFlow
# --------------------------------
# A fork of a process that has started TensorFlow does not have its threads, and training in the
# fork would hang. With ``joblib.parallel_config(backend="multiprocessing")`` skgenre therefore
# raises a ``RuntimeError``. Use joblib's default backend, loky, which starts new processes and
# divides the cores among them.

network = ANNClassifier(hidden_units=(8,), epochs=2, random_state=0)
search = GridSearchCV(
    make_pipeline(SegmentScaler(with_std=False), network),
    {"annclassifier__dropout": [0.0, 0.3]},
    cv=2,
    n_jobs=2,
    error_score="raise",
)
search.fit(tensor, tracks.target)
print(f"with loky: {search.best_params_}")
folder.cleanup()
