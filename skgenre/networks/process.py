"""What a fit needs of the process around it.

Nothing here happens on import, but for a note of whether the process is a fork. The page
"Architecture" of the documentation lists what the first fit sets.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from functools import cache

#: Whether this process is a fork of one that had TensorFlow, whose threads a fork does not have.
_forked_with_tensorflow = False


def _after_fork() -> None:
    global _forked_with_tensorflow
    _forked_with_tensorflow = "tensorflow" in sys.modules


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def refuse_forks() -> None:
    """Raise if training would hang here.

    Raises
    ------
    RuntimeError
        In a fork of a process in which TensorFlow was loaded.
    """
    if _forked_with_tensorflow:
        raise RuntimeError(
            "This process was forked from one in which TensorFlow was loaded. Its threads do "
            "not run here, and training would hang. Use joblib's default backend instead of "
            "multiprocessing: joblib.parallel_config(backend='loky'), or 'threading'."
        )


def configure_tensorflow() -> None:
    """Import TensorFlow and set what a fit needs, once a process, before its first fit.

    - ``TF_CPP_MIN_LOG_LEVEL`` defaults to 2: at each end of a data set TensorFlow logs otherwise.
    - joblib and Dask set their workers' number of threads in ``OMP_NUM_THREADS``, which
      TensorFlow ignores; it is applied unless ``TF_NUM_INTRAOP_THREADS`` is set.
    - TensorFlow takes all memory of each GPU; here only as much as it needs.
    - Warnings of repeated tracing are left out: a search over architectures traces many
      networks on purpose.

    A TensorFlow that has computed something already keeps its threads and GPU settings.

    Raises
    ------
    ImportError
        If Keras or TensorFlow is not installed, or Keras runs on another backend.
    """
    with _CONFIGURING:
        _configure()


#: Two threads that fit first wait for each other.
_CONFIGURING = threading.Lock()


@cache
def _configure() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    _check_backend()
    import tensorflow as tf

    threads = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    with contextlib.suppress(RuntimeError):
        if threads.isdigit() and "TF_NUM_INTRAOP_THREADS" not in os.environ:
            tf.config.threading.set_intra_op_parallelism_threads(int(threads))
            tf.config.threading.set_inter_op_parallelism_threads(int(threads))
    with contextlib.suppress(RuntimeError):
        for gpu in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    logging.getLogger("tensorflow").addFilter(
        lambda record: "triggered tf.function retracing" not in record.getMessage()
    )


def _check_backend() -> None:
    try:
        import keras

        backend = keras.config.backend()
    except ImportError as error:  # of a backend that is chosen and not installed, or of Keras
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        if backend == "tensorflow":
            raise ImportError(
                f"Networks are trained with scikeras and TensorFlow ({error}): pip install "
                "scikeras tensorflow. Prediction needs neither."
            ) from error
    if backend != "tensorflow":
        raise ImportError(
            f"Keras runs on {backend!r} here, and skgenre trains with TensorFlow: set the "
            "environment variable KERAS_BACKEND=tensorflow before Keras is imported"
        )
