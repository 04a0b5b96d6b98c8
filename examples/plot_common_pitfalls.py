"""
Common pitfalls
===============

Most published figures on GTZAN's feature tables come from pieces of tracks that were dealt to
training and test sets at random. Here that mistake and three others are made on purpose, then
mended, on synthetic tracks that everyone can make. :doc:`/gtzan` has the same figures of GTZAN
itself.
"""

import tempfile

import numpy as np
from sklearn.feature_selection import SelectKBest
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline

from skgenre import ANNClassifier, MFCCSegmenter, SegmentSummary, leakage_report, make_baseline
from skgenre.datasets import make_tracks
from skgenre.plotting import LeakageDisplay

# %%
# A table with a row per piece
# ----------------------------
# Tracks of five genres, four artists each, three tracks an artist, cut into pieces of a second:
# a table as people find it, with a row per piece.

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
# ``cross_val_score`` with ``cv=5`` knows of rows, not of tracks. Pieces of one track lie on both
# sides of each split.

wrong = cross_val_score(make_baseline("knn"), table["data"], table["target"], cv=5).mean()
print(f"accuracy of the nearest neighbour, random pieces: {wrong:.2f}")

# %%
# The nearest neighbour of a piece is, more often than not, another piece of the same track:

models = {name: make_baseline(name, random_state=0) for name in ("knn", "svm", "logistic")}
neighbours = models["knn"].fit(table["data"], table["target"])
_, nearest = neighbours[-1].kneighbors(neighbours[:-1].transform(table["data"]), n_neighbors=2)
same = table["track_ids"][nearest[:, 1]] == table["track_ids"]
print(f"pieces whose nearest other piece is of the same track: {same.mean():.0%}")

# %%
# The right way: whole tracks, whole artists
# ------------------------------------------
# Grouped by track, a model predicts unseen tracks; grouped by artist, tracks of unseen artists,
# as it will in use.

right = cross_val_score(
    make_baseline("knn"),
    table["data"],
    table["target"],
    groups=table["groups"],
    cv=StratifiedGroupKFold(4),
).mean()
print(f"accuracy of the nearest neighbour, by artist: {right:.2f}")

# %%
# One call compares the three:

report = leakage_report(models, table, n_splits=4, scoring="accuracy")
print(report.drop(columns="fit_seconds").round(2).to_string(index=False))
LeakageDisplay(report).plot()

# %%
# Where it cannot happen
# ----------------------
# With a track as the sample, no splitter can take one apart: a pipeline of skgenre goes from
# paths to genres, and its pieces stay inside. The artists are up to you.

model = make_pipeline(
    MFCCSegmenter(segment_duration=1.0, n_segments=6), SegmentSummary(), make_baseline("svm")
)
scores = cross_val_score(
    model, tracks.data, tracks.target, groups=tracks.groups, cv=StratifiedGroupKFold(4)
)
print(f"accuracy over tracks, by artist: {scores.mean():.2f}")

# %%
# Scaling, or choosing columns, before the split
# ----------------------------------------------
# What is learnt from all rows has seen the test rows. For means and deviations that is a small
# thing; for a choice of columns it is not. Here the labels are dealt at random, so that the truth
# is one half, and the columns are noise:

rng = np.random.default_rng(0)
noise, coin = rng.normal(size=(60, 2000)), rng.permutation(np.arange(60) % 2)
chosen = SelectKBest(k=20).fit_transform(noise, coin)  # the mistake: all 60 rows
print(f"chosen before the split: {cross_val_score(make_baseline('lda'), chosen, coin).mean():.2f}")

# %%
# In a pipeline every fold scales and chooses for itself:

honest = make_pipeline(SelectKBest(k=20), make_baseline("lda"))
print(f"chosen in each fold: {cross_val_score(honest, noise, coin).mean():.2f}")

# %%
# Choosing by the test set
# ------------------------
# Fifty models, each with columns of its own, and the same coin. The best of them on the test set
# is best by luck, and only rows that had no part in the choice tell:

half, unseen, coin_half, coin_unseen = train_test_split(noise, coin, random_state=0)
train, test, coin_train, coin_test = train_test_split(half, coin_half, random_state=0)
columns = [rng.choice(2000, 5) for _ in range(50)]
models = [make_baseline("lda").fit(train[:, some], coin_train) for some in columns]
on_test = [m.score(test[:, c], coin_test) for m, c in zip(models, columns, strict=True)]
best = int(np.argmax(on_test))
print(f"the best on the test set: {on_test[best]:.2f}")
print(f"the same on others: {models[best].score(unseen[:, columns[best]], coin_unseen):.2f}")

# %%
# So GTZAN's filtered partition has three parts: ``filtered_split(ids, test=("valid",))`` to choose
# by, and the test part once, at the end.

# %%
# Many workers and TensorFlow
# ---------------------------
# A process that forks after TensorFlow has started leaves its threads behind, and training in the
# fork would wait for ever. With ``joblib.parallel_config(backend="multiprocessing")`` skgenre
# raises a ``RuntimeError`` that names the remedy: joblib's default backend, which starts new
# processes, each with its share of the cores.

network = ANNClassifier(hidden_units=(8,), epochs=2, random_state=0)
search = GridSearchCV(network, {"dropout": [0.0, 0.3]}, cv=2, n_jobs=2, error_score="raise")
search.fit(tensor, tracks.target)
print(f"with loky: {search.best_params_}")
folder.cleanup()
