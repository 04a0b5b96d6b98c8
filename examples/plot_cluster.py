"""
A search on a cluster
=====================

Extraction and searches go to other machines by joblib's Dask backend, unchanged. Here the cluster
is two worker processes on this machine; elsewhere, give the client the scheduler's address. It
needs the extra ``skgenre[dask]``.
"""

import tempfile

import joblib
from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skgenre import ANNClassifier, MFCCSegmenter, SegmentScaler
from skgenre.datasets import make_tracks

# Worker processes import this file.
if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        tracks = make_tracks(6, genres=2, duration=7, random_state=0, folder=folder)
        pipe = make_pipeline(
            MFCCSegmenter(memory=f"{folder}/cache"),  # on a disk that all machines share
            SegmentScaler(with_std=False),
            ANNClassifier(hidden_units=(32,), epochs=5, random_state=0),
        )
        search = GridSearchCV(
            pipe, {"annclassifier__dropout": [0.0, 0.3, 0.6]}, cv=2, error_score="raise"
        )
        with (
            LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
            Client(cluster),
            joblib.parallel_config(backend="dask"),
        ):
            search.set_params(n_jobs=2).fit(tracks.data, tracks.target)
        print(f"best: {search.best_params_}, accuracy {search.best_score_:.2f} of 2 folds")
