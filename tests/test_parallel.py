"""Many workers beside each other: what each takes of the machine, and what cannot work."""

import pytest
import tensorflow as tf

from skgenre.networks import training

from .conftest import run_python

DATA = """
import os, joblib, numpy as np
from sklearn.model_selection import GridSearchCV
from skgenre import ANNClassifier
X = np.random.default_rng(0).normal(size=(24, 2, 8, 4)).astype(np.float32)
y = np.arange(24) % 2
model = ANNClassifier(hidden_units=(4,), epochs=1, random_state=0)
"""


@pytest.mark.slow
def test_workers_of_joblib_share_the_cores():
    out = run_python(
        DATA
        + """
os.environ.pop("TF_NUM_INTRAOP_THREADS", None)
def threads():
    model.fit(X, y)
    import tensorflow as tf
    return tf.config.threading.get_intra_op_parallelism_threads(), os.environ["OMP_NUM_THREADS"]
for found, told in joblib.Parallel(n_jobs=2)([joblib.delayed(threads)()] * 2):
    print(found, told)
"""
    )
    for line in out.split("\n")[:2]:
        found, told = line.split()
        assert found == told


@pytest.mark.slow
def test_a_fork_of_a_process_with_tensorflow_is_refused_not_hung():
    with pytest.raises(AssertionError, match=r"parallel_config\(backend='loky'\)"):
        run_python(
            DATA
            + """
model.fit(X, y)
with joblib.parallel_config(backend="multiprocessing"):
    GridSearchCV(model, {"dropout": [0.1, 0.2]}, cv=2, n_jobs=2, error_score="raise").fit(X, y)
"""
        )


@pytest.fixture
def unconfigured(monkeypatch):
    """No number of threads is told."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)


@pytest.fixture
def asked(unconfigured, monkeypatch):
    """Numbers of threads that TensorFlow is asked for, which a started one would refuse."""
    asked = []
    for name in ("intra", "inter"):
        setter = f"set_{name}_op_parallelism_threads"
        monkeypatch.setattr(tf.config.threading, setter, asked.append)
    return asked


@pytest.mark.parametrize(("told", "threads"), [("2", [2, 2]), ("3,2", [3, 3]), ("many", [])])
def test_threads_are_those_that_workers_are_told(asked, monkeypatch, told, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", told)
    training._configure_tensorflow()
    assert asked == threads


def test_a_user_who_has_said_how_many_threads_is_heard(asked, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "4")
    training._configure_tensorflow()
    assert not asked


def test_a_started_tensorflow_is_left_as_it_is(unconfigured, monkeypatch):
    tf.zeros(1).numpy()
    before = tf.config.threading.get_intra_op_parallelism_threads()
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    training._configure_tensorflow()
    assert tf.config.threading.get_intra_op_parallelism_threads() == before


@pytest.mark.slow
def test_another_backend_of_keras_is_refused():
    code = """
try:
    model.fit(X, y)
except ImportError as error:
    print(error)
"""
    assert "KERAS_BACKEND" in run_python(DATA + code, KERAS_BACKEND="numpy")
