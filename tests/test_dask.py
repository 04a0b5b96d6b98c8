"""Work on a Dask cluster: real worker processes, the same answers."""

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skgenre import ANNClassifier, MFCCSegmenter, SegmentScaler

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster():
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_extraction(cluster, tracks):
    expected = MFCCSegmenter(n_segments=2).transform(tracks.data)
    with joblib.parallel_config(backend="dask"):
        found = MFCCSegmenter(n_segments=2, n_jobs=2).transform(tracks.data)
    assert_array_equal(found, expected)


def test_extraction_in_workers_needs_no_tensorflow(cluster, tracks):
    def loaded():
        import sys

        return "tensorflow" in sys.modules

    with joblib.parallel_config(backend="dask"):
        MFCCSegmenter(n_segments=2, n_jobs=2).transform(tracks.data)
    assert not any(cluster.run(loaded).values())


def test_a_search(cluster, tracks):
    pipe = make_pipeline(
        MFCCSegmenter(n_segments=2),
        SegmentScaler(),
        ANNClassifier(hidden_units=(8,), epochs=2, random_state=0),
    )
    search = GridSearchCV(
        pipe, {"annclassifier__dropout": [0.0, 0.5]}, cv=2, scoring="neg_log_loss"
    )
    search.fit(tracks.data, tracks.target)
    expected = search.cv_results_["mean_test_score"]
    with joblib.parallel_config(backend="dask"):
        search.set_params(n_jobs=2).fit(tracks.data, tracks.target)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], expected, rtol=1e-6)
