"""
A search on a cluster
=====================

Extraction and searches run on a Dask cluster through joblib's Dask backend. Here the cluster
consists of two worker processes on one machine; for a cluster of several machines, pass the
scheduler's address to ``Client``. This example needs the extra ``skgenre[dask]``.
"""

import tempfile

import joblib
import matplotlib.pyplot as plt
from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skgenre import ANNClassifier, MFCCSegmenter, SegmentScaler
from skgenre.datasets import make_tracks

# Worker processes import this script, so its code is under this condition.
if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        tracks = make_tracks(6, genres=4, duration=7, random_state=0, folder=folder)
        pipe = make_pipeline(
            MFCCSegmenter(memory=f"{folder}/cache"),  # on a disk shared by all machines
            SegmentScaler(with_std=False),
            ANNClassifier(hidden_units=(32,), epochs=15, random_state=0),
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
        results = search.cv_results_
        plt.errorbar(
            results["param_annclassifier__dropout"].astype(float),
            results["mean_test_score"],
            results["std_test_score"],
            marker="o",
            capsize=4,
        )
        plt.xlabel("dropout")
        plt.ylabel("accuracy")
        plt.show()
        print(f"best: {search.best_params_}, accuracy {search.best_score_:.2f} over 2 folds")
