"""Configuration of the process in which networks are trained.

Importing this module only registers a function that is called after a fork. The page
"Architecture" of the documentation lists the settings made by the first fit.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from functools import cache

#: Whether this process was forked after TensorFlow was loaded. The threads of TensorFlow do not
#: exist in such a process.
_forked_with_tensorflow = False


def _after_fork() -> None:
    global _forked_with_tensorflow
    _forked_with_tensorflow = "tensorflow" in sys.modules


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


def refuse_forks() -> None:
    """Raise an error if training would hang in this process.

    Raises
    ------
    RuntimeError
        If this process was forked after TensorFlow was loaded.
    """
    if _forked_with_tensorflow:
        raise RuntimeError(
            "This process was forked after TensorFlow was loaded, and training would hang, since "
            "the threads of TensorFlow do not exist after a fork. Instead of multiprocessing, use "
            "joblib.parallel_config(backend='loky'), the default, or backend='threading'."
        )


def configure_tensorflow() -> None:
    """Import and configure TensorFlow once per process, before the first fit.

    - ``TF_CPP_MIN_LOG_LEVEL`` is set to 2 unless it is set already. Otherwise TensorFlow logs a
      message at the end of each data set.
    - ``OMP_NUM_THREADS``, in which joblib and Dask store the number of threads of their workers,
      is ignored by TensorFlow. It is applied unless ``TF_NUM_INTRAOP_THREADS`` is set.
    - By default, TensorFlow allocates all memory of each GPU. Memory growth is enabled, so that
      only the required memory is allocated.
    - Warnings about retracing are suppressed, since a search over architectures traces many
      networks.

    The settings of threads and GPUs have no effect if TensorFlow has been initialized before.

    Raises
    ------
    ImportError
        If Keras or TensorFlow is not installed, or if Keras uses another backend.
    """
    with _CONFIGURING:
        _configure()


#: Lock for threads that call `fit` for the first time simultaneously.
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
    except ImportError as error:  # Keras or its backend is not installed
        backend = os.environ.get("KERAS_BACKEND", "tensorflow")
        if backend == "tensorflow":
            raise ImportError(
                f"Training a network requires scikeras and TensorFlow ({error}). Install them with "
                "'pip install scikeras tensorflow'. Prediction does not require them."
            ) from error
    if backend != "tensorflow":
        raise ImportError(
            f"skgenre requires the TensorFlow backend of Keras; got {backend!r}. Set the "
            "environment variable KERAS_BACKEND=tensorflow before Keras is imported."
        )
