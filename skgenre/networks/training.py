"""Training of networks: the one module that uses Keras and scikeras.

Importing it takes seconds, so `fit` and `to_keras` import it, and prediction does not. It also
configures TensorFlow; the page "Architecture" of the documentation lists the settings.

Building and tracing a Keras model takes seconds, too, and TensorFlow releases little of its
memory. Therefore a fit borrows a compiled model, sets all of its variables, and returns it for the
next fit of the same architecture. See the page "Architecture" of the documentation for details and
measurements.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import random
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from types import MappingProxyType
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import numpy as np

from .. import layers as L
from .._warnings import warn
from ..tensor import spread
from .startup import without_usual_lines

# Read by TensorFlow, which would otherwise log a message at the end of each data set and reserve
# all memory of each GPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
try:
    with without_usual_lines():
        import keras
        import tensorflow as tf
        from scikeras.wrappers import KerasClassifier
        from tqdm.keras import TqdmCallback

        tf.config.list_physical_devices()  # writes more lines, and would be called by the first fit
except ImportError as error:  # of one of these packages, or of another backend
    raise ImportError(
        f"Training a network requires scikeras and TensorFlow ({error}). Install them with 'pip "
        "install scikeras tensorflow', and if the environment variable KERAS_BACKEND is set, set "
        "it to tensorflow. Prediction does not require them."
    ) from error
if keras.config.backend() != "tensorflow":
    raise ImportError(
        f"skgenre requires the TensorFlow backend of Keras; got {keras.config.backend()!r}. Set "
        "the environment variable KERAS_BACKEND=tensorflow before Keras is imported."
    )

#: The process that loaded TensorFlow, whose threads do not exist in its forks.
_PROCESS = os.getpid()


def _configure_tensorflow() -> None:
    """Configure TensorFlow, unless it has been used before.

    - ``OMP_NUM_THREADS``, in which joblib and Dask store the number of threads of their workers,
      is ignored by TensorFlow. It is applied unless ``TF_NUM_INTRAOP_THREADS`` is set.
    - Warnings about retracing are suppressed, since a search over architectures traces many
      networks.
    """
    threads = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if threads.isdigit() and "TF_NUM_INTRAOP_THREADS" not in os.environ:
        with contextlib.suppress(RuntimeError):
            tf.config.threading.set_intra_op_parallelism_threads(int(threads))
            tf.config.threading.set_inter_op_parallelism_threads(int(threads))
    logging.getLogger("tensorflow").addFilter(
        lambda record: "triggered tf.function retracing" not in record.getMessage()
    )


_configure_tensorflow()

#: Number of steps per call of the compiled function. Compared to 1, an epoch is 1.3 to 1.65 times
#: as fast with the same results. Not used with callbacks, which may depend on each batch.
STEPS_PER_EXECUTION = 16

#: Maximum number of idle networks. The least recently used one is dropped first.
MAX_IDLE_NETWORKS = 8

#: Maximum difference of a sum of probabilities from 1, and of the probabilities of a model that was
#: built again, which float16 may cause.
MAX_SUM_ERROR = 0.01

#: Variables of the models that users have built, by id.
_USED: WeakValueDictionary[int, Any] = WeakValueDictionary()

#: Fraction of the steps during which a scheduled learning rate increases.
WARM_UP = 0.1

# ---------------------------------------------------------------- training


@dataclass
class Trained:
    """Result of a fit, without references to Keras objects."""

    architecture: L.Architecture | L.KerasArchitecture
    weights: list[np.ndarray]
    #: Variables of the optimizer and of the dropout generators, for continuing the training.
    state: list[np.ndarray]
    history: dict[str, list[float]]


def train(
    architecture: L.Architecture | L.KerasArchitecture,
    training: Segments,
    validation: Segments | None,
    *,
    seed: Sequence[int],
    epochs: int | None,
    batch_size: int,
    learning_rate: float,
    recipe: Mapping[str, Any] = MappingProxyType({}),
    patience: int | None = None,
    build: Callable[[L.KerasArchitecture], keras.Model] | None = None,
    compile_model: Callable[[keras.Model], None] | None = None,
    token: Hashable = None,
    weights: Sequence[np.ndarray] | None = None,
    state: Sequence[np.ndarray] | None = None,
    callbacks: Sequence = (),
    verbose: int = 0,
) -> Trained:
    """Train a network.

    Parameters
    ----------
    architecture : Architecture or KerasArchitecture
        Layers of the network, or the shapes of a model that `build` returns.
    training : Segments
        Training segments.
    validation : Segments or None
        Segments that are evaluated after each epoch.
    seed : sequence of int
        Seed of weight initialization, dropout, shuffling and augmentation.
    epochs : int or None
        Number of epochs. None trains for one epoch of an unknown total number, so that a
        scheduled learning rate is constant.
    batch_size : int
        Number of segments per step.
    learning_rate : float
        Learning rate, or its maximum if it is scheduled.
    recipe : dict, default={}
        Keyword arguments of :func:`compile_ours`. They have no effect on a model that the user has
        compiled.
    patience : int, default=None
        Number of epochs without a lower validation loss after which training is stopped and the
        best weights are restored. None disables early stopping.
    build : callable, default=None
        Function of a KerasArchitecture that returns a Keras model.
    compile_model : callable, default=None
        Function of the user that compiles a model.
    token : hashable, default=None
        Key of a model that `build` has returned and that a further call with this token may
        continue to train. None does not keep it.
    weights, state : list of ndarray, default=None
        Initial weights and state of the optimizer. None initializes them.
    callbacks : sequence of keras.callbacks.Callback
        Callbacks of the user. A network with callbacks is not used again, and the callbacks are
        detached from it after the fit.
    verbose : int, default=0
        1 shows a progress bar of the epochs; other values are the verbosity of Keras.

    Returns
    -------
    trained : Trained
        Weights, state and history.

    Raises
    ------
    RuntimeError
        If this process was forked after TensorFlow was loaded. Training would hang.
    """
    check_process()
    rng = np.random.default_rng(seed)
    n_steps = (epochs or 0) * -(-len(training) // batch_size)
    has_callbacks = bool(callbacks)
    key = token
    if isinstance(architecture, L.Architecture):
        key = (architecture, *sorted(recipe.items())) if compile_model is None else None
        if weights is None:
            weights = initial_weights(architecture, rng)
    make = partial(_make_network, architecture, build, compile_model, recipe, has_callbacks, seed)
    with borrow_network(None if has_callbacks else key, make) as network:
        network.reset(weights, state, learning_rate, n_steps, rng)
        used = list(callbacks)
        if patience is not None:
            used.append(
                keras.callbacks.EarlyStopping(
                    monitor="val_loss", patience=patience, restore_best_weights=True
                )
            )
        if verbose == 1:
            used.append(TqdmCallback(epochs or 1, desc="training", verbose=0))
        classifier = _DatasetClassifier(
            model=lambda: network.model,
            epochs=epochs or 1,
            callbacks=used,
            verbose=0 if verbose == 1 else verbose,
        )
        classifier.fit(
            network.training.holding(training, batch_size, rng),
            y=None,  # the data sets contain the labels
            validation_data=validation and network.validation.holding(validation, batch_size),
        )
        for callback in callbacks:
            # Call the method of the base class, since overriding methods expect a model.
            keras.callbacks.Callback.set_model(callback, None)
        if "loss" not in classifier.history_:
            raise ValueError(
                "The history of the model has no 'loss', which its train_step must return; it has "
                f"{sorted(classifier.history_)}."
            )
        if isinstance(architecture, L.KerasArchitecture):
            architecture = replace(
                architecture,
                takes_any_frames=takes_any_frames(network.model),
                outputs=tuple(evaluate_probe(network.model, architecture).ravel().tolist()),
            )
        return Trained(architecture, network.weights(), network.state(), classifier.history_)


class _DatasetClassifier(KerasClassifier):
    """scikeras classifier that is fitted on data sets instead of arrays.

    In contrast to its base class, it neither validates, encodes nor copies the data, and it does
    not set the global random number generators.
    """

    _random_state = None

    def _fit(
        self, X, y, sample_weight, warm_start, epochs, initial_epoch, *, validation_data
    ) -> None:
        self.model_ = self._build_keras_model()
        self._initialize_callbacks()
        history = self.model_.fit(
            X,
            validation_data=validation_data,
            epochs=epochs,
            shuffle=False,  # batches are shuffled already
            verbose=self.verbose,
            callbacks=self._fit_callbacks,
        )
        self.history_ = {
            name: [float(value) for value in values] for name, values in history.history.items()
        }


# ---------------------------------------------------------------- networks that fits borrow


class Network:
    """A compiled Keras model with its training and validation data sets.

    Parameters
    ----------
    model : keras.Model
        Compiled model.
    input_shape : tuple of int or None
        Shape of a segment, with None for a number of frames that varies.
    is_own : bool, default=False
        Whether the model has the initial weights and random states of a user's ``build_model``.
    n_classes : int, default=None
        Number of classes if the user has compiled the model, so that its optimizer has a state and
        a learning rate.
    """

    def __init__(
        self,
        model: keras.Model,
        input_shape: tuple[int | None, ...],
        *,
        is_own: bool = False,
        n_classes: int | None = None,
    ):
        self.model = model
        self._is_own, self._is_compiled = is_own, n_classes is not None
        model.optimizer.build(model.trainable_variables)
        if self._is_compiled and not takes_one_hot(model.loss):
            n_classes = None
        self.training = _Source(input_shape, n_classes)
        self.validation = _Source(input_shape, n_classes)

    @property
    def _state_variables(self) -> list:
        """Variables that are updated in each step, except for weights and learning rate."""
        weights = {id(weight) for weight in self.model.weights}
        rate = self.model.optimizer.learning_rate
        return [v for v in self.model.optimizer.variables if v is not rate] + [
            v for v in self.model.non_trainable_variables if id(v) not in weights
        ]

    def reset(self, weights, state, learning_rate: float, n_steps: int, rng) -> None:
        """Set all variables to those of a new network, or to `weights` and `state`.

        If these are None, what the user has built or compiled keeps its initial values. A scheduled
        learning rate decreases to 0 within the next `n_steps` steps; if `n_steps` is 0, it is
        constant.
        """
        if state is None and not self._is_own:
            state = []
            for v in self._state_variables:
                if "seed_generator" in v.path:
                    state.append(np.array([rng.integers(2**31 - 1), 0]))
                else:
                    state.append(v.value.numpy() if self._is_compiled else np.zeros(v.shape))
        if weights is not None:
            assign_weights(self.model, weights)
        if state is not None:
            assign(self._state_variables, state)
        optimizer = self.model.optimizer
        if self._is_compiled:
            return
        if isinstance(optimizer._learning_rate, WarmupCosine):
            optimizer._learning_rate.assign(learning_rate, int(optimizer.iterations), n_steps)
        else:
            optimizer.learning_rate.assign(learning_rate)

    def weights(self) -> list[np.ndarray]:
        """Return copies of the weights."""
        return [np.asarray(v.value.numpy()) for v in self.model.weights]  # of scalars, too

    def state(self) -> list[np.ndarray]:
        """Return copies of the variables that are updated in each step."""
        return [v.value.numpy() for v in self._state_variables]


#: Networks that no fit uses, by their keys, in the order of their last use.
_IDLE: list[tuple[Hashable, Network]] = []
_IDLE_LOCK = threading.Lock()


def _make_network(
    architecture: L.Architecture | L.KerasArchitecture,
    build: Callable[[L.KerasArchitecture], keras.Model] | None,
    compile_model: Callable[[keras.Model], None] | None,
    recipe: Mapping[str, Any],
    has_callbacks: bool,
    seed: Sequence[int],
) -> Network:
    """Make a network with the parameters of :func:`train`."""
    is_own = isinstance(architecture, L.KerasArchitecture)
    if isinstance(architecture, L.Architecture):
        # Callbacks can inspect and save the model.
        model = build_keras(architecture, fused=not has_callbacks)
        n_classes = architecture.shapes[-1][0]
    else:
        assert build is not None
        model = build_own(build, architecture, seed)
        n_classes = architecture.n_classes
        architecture = replace(architecture, takes_any_frames=takes_any_frames(model))
    if compile_model is not None:
        compile_model(model)
    is_compiled = model.compiled
    if not is_compiled:
        compile_ours(model, for_callbacks=has_callbacks, **recipe)
    shape = open_shape(architecture)
    return Network(model, shape, is_own=is_own, n_classes=n_classes if is_compiled else None)


@contextlib.contextmanager
def borrow_network(key: Hashable, make: Callable[[], Network]) -> Iterator[Network]:
    """Use the idle network with this key in a ``with`` block, or make one.

    A network without a key is not used again, nor is one after an exception.
    """
    network = None
    if key is not None:
        with _IDLE_LOCK:
            found = [i for i, (idle_key, _) in enumerate(_IDLE) if idle_key == key]
            network = _IDLE.pop(found[0])[1] if found else None
    if network is None:
        with default_settings():
            network = make()
    yield network
    network.training.clear()
    network.validation.clear()
    if key is not None:
        with _IDLE_LOCK:
            _IDLE.append((key, network))
            del _IDLE[:-MAX_IDLE_NETWORKS]


def takes_one_hot(loss: Any) -> bool:
    """Check whether a loss takes one-hot labels, as those of Keras do that are not sparse.

    Functions of users, and classes that they derive from ``keras.losses.Loss``, take class indices.
    """
    if isinstance(loss, list | tuple) and len(loss) == 1:  # of the only output
        [loss] = loss
    loss = getattr(loss, "func", loss)  # of a partial function
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    kinds = type(loss).__mro__ if isinstance(loss, keras.losses.Loss) else [loss]
    wrappers = "Loss", "LossFunctionWrapper"
    of_keras = [
        kind.__name__
        for kind in kinds
        if getattr(kind, "__module__", "").startswith("keras.src.losses")
        and kind.__name__ not in wrappers
    ]
    return bool(of_keras) and not any("sparse" in name.lower() for name in of_keras)


# ---------------------------------------------------------------- data


class Segments:
    """Segments of a track tensor, which is not copied.

    Parameters
    ----------
    X : ndarray of shape (n_tracks, n_segments, n_frames, n_coefficients)
        Track tensor. It may be memory-mapped: one batch is read at a time.
    mask, tracks, weight
        Existing segments, selected tracks and weights of all tracks; see
        :func:`skgenre.tensor.spread`.
    y : int ndarray of shape (n_tracks,)
        Class index of each track.
    augment : callable, default=None
        Function of a batch and a random number generator that returns an augmented batch.
    """

    def __init__(self, X, mask, tracks, y, weight, augment: Callable | None = None):
        self.X = X
        self.track, self.segment, shared = spread(mask, tracks, weight)
        self.y = y[self.track].astype(np.int32)
        self.weight = shared.astype(np.float32)
        self.augment = augment

    def __len__(self) -> int:
        return len(self.track)

    def batches(self, batch_size: int, rng: np.random.Generator | None) -> Iterator[tuple]:
        """Yield the batches ``(x, y, weight)`` of one epoch.

        They are shuffled and augmented if `rng` is not None.
        """
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            x = self.X[self.track[batch], self.segment[batch]].astype(np.float32, copy=False)
            if rng is not None and self.augment is not None:
                x = self.augment(x, rng)
            yield x, self.y[batch], self.weight[batch]


class _Source:
    """A ``tf.data.Dataset`` whose content is replaced in each fit.

    The types and shapes of its elements do not change, so that the functions traced for it can be
    reused. Sample weights are always present, and the batch size is None, as is the number of
    frames of networks that accept any number.
    """

    _content: tuple[Any, ...]
    _epoch: Iterator[tuple]

    def __init__(self, input_shape: tuple[int | None, ...], n_classes: int | None = None):
        self.clear()
        self._labels = None if n_classes is None else np.eye(n_classes, dtype=np.float32)
        shapes = (None, *input_shape), (None,) if n_classes is None else (None, n_classes), (None,)
        types = tf.float32, tf.int32 if n_classes is None else tf.float32, tf.float32

        def batch(i):
            arrays = tf.numpy_function(self._batch, [i], types, stateful=True)
            return tuple(map(tf.ensure_shape, arrays, shapes))

        # Dataset.from_generator is not used, since it permanently sets malloc's M_TRIM_THRESHOLD
        # to 128 kB. Most steps then return their memory to the system and request it again, and a
        # fit takes 2 to 3 times as long.
        self._dataset = tf.data.Dataset.range(tf.int64.max).map(batch)

    def _batch(self, i: int) -> tuple[np.ndarray, ...]:
        """Return batch `i` of an epoch. Batches are requested in order."""
        if i == 0:
            segments, batch_size, rng = self._content
            self._epoch = segments.batches(batch_size, rng)
        x, y, weight = next(self._epoch)
        return x, y if self._labels is None else self._labels[y], weight

    def holding(self, segments: Segments, batch_size: int, rng=None) -> tf.data.Dataset:
        """Set the content and return the data set of one epoch."""
        self._content = (segments, batch_size, rng)
        return self._dataset.take(-(-len(segments) // batch_size)).prefetch(2)

    def clear(self) -> None:
        self._content = ()
        self._epoch = iter(())


# ---------------------------------------------------------------- Keras models


def build_keras(architecture: L.Architecture, weights=None, *, fused: bool = False) -> keras.Model:
    """Build a stand-alone Keras model for segments ``(n, n_frames, n_coefficients)``.

    Parameters
    ----------
    architecture : Architecture
        Layers of the network.
    weights : list of ndarray, default=None
        Weights of the model. If None, all kernels are zero.
    fused : bool, default=False
        Whether to use the faster layers of this module, with which a model cannot be saved.

    Returns
    -------
    model : keras.Model
        Model that is not compiled.
    """
    with default_settings():
        model = keras.Sequential([keras.Input(open_shape(architecture), dtype="float32")])
        for layer in architecture.layers:
            model.add(_keras_layer(layer, fused))
    if weights is not None:
        assign(model.weights, weights)
    return model


def build_own(
    build: Callable[[L.KerasArchitecture], keras.Model],
    architecture: L.KerasArchitecture,
    seed: Sequence[int] = (),
) -> keras.Model:
    """Build the model of a user, and check its output.

    Parameters
    ----------
    build : callable
        Function of `architecture` that returns a Keras model.
    architecture : KerasArchitecture
        Shapes of input and output.
    seed : sequence of int, default=()
        Seed of the initial weights and of dropout. Keras draws the seeds of initializers and
        layers from Python's generator, whose state is restored.

    Raises
    ------
    TypeError
        If it is not a Keras model.
    ValueError
        If it cannot process segments, or its output is not the class probabilities.
    """
    check_process()
    with default_settings():
        state = random.getstate()
        random.seed(repr(seed))
        try:
            model = build(architecture)
            if not isinstance(model, keras.Model):
                raise TypeError(f"build_model must return a keras.Model; got {model!r:.200}.")
            proba = evaluate_probe(model, architecture)
        finally:
            random.setstate(state)
        if any(_USED.get(id(variable)) is variable for variable in model.variables):
            raise ValueError(
                "build_model returned a model, or a part of one, that an earlier fit has used, so "
                "that fits would change each other. It must create a new model in each call; pass "
                "a trained one in build_params, which are copied."
            )
        _USED.update((id(variable), variable) for variable in model.variables)
    if (proba < 0).any() or (abs(proba.sum(axis=1) - 1) > MAX_SUM_ERROR).any():
        raise ValueError(
            "The model that build_model returned must return probabilities, which sum to 1; it "
            f"returned {proba[0]}. End with Dense(n_classes, activation='softmax')."
        )
    return model


def evaluate_probe(model: keras.Model, architecture: L.KerasArchitecture) -> np.ndarray:
    """Return what a model computes for two fixed segments, of shape (2, n_classes).

    Raises
    ------
    ValueError
        If it cannot process segments, or its output has another shape.
    """
    segments = np.random.default_rng(0).standard_normal((2, *architecture.input_shape))
    try:
        output = model(tf.constant(segments, tf.float32), training=False)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise ValueError(
            "The model that build_model returned cannot process segments of shape "
            f"(n, n_frames, n_coefficients), here {segments.shape}: {error}"
        ) from error
    shape = tuple(getattr(output, "shape", ()))
    if shape != (2, architecture.n_classes):
        found = f"an output of shape {shape}" if shape else f"{output!r:.200}"
        raise ValueError(
            f"The model that build_model returned must map {segments.shape} to probabilities of "
            f"{architecture.n_classes} classes, (2, {architecture.n_classes}); it returned {found}."
        )
    return keras.ops.convert_to_numpy(output).astype(float)


def rebuild_own(
    build: Callable[[L.KerasArchitecture], keras.Model],
    architecture: L.KerasArchitecture,
    weights: Sequence[np.ndarray],
) -> keras.Model:
    """Build the model of a fitted classifier again, with its weights.

    Raises
    ------
    ValueError
        If it is another model than that of the fit.
    """
    model = build_own(build, architecture)
    assign_weights(model, weights)
    outputs, expected = evaluate_probe(model, architecture).ravel(), architecture.outputs
    if expected and not np.allclose(outputs, expected, atol=MAX_SUM_ERROR, equal_nan=True):
        raise ValueError(
            "With the weights of the fit, the model that build_model now returns computes other "
            "probabilities than in the fit. It must return the same model for the same parameters, "
            "without random constants; or fit again."
        )
    return model


def takes_any_frames(model: keras.Model) -> bool:
    """Check whether the input of a functional model has no fixed number of frames."""
    try:
        return model.input_shape[1] is None
    except (AttributeError, TypeError, IndexError):  # of subclassed models
        return False


class KerasSession:
    """Function of segments that returns the logarithms of the probabilities of a model.

    In contrast to ``keras.Model.predict``, it has no overhead of data sets and callbacks.
    """

    def __init__(self, model: keras.Model, architecture: L.KerasArchitecture):
        shape = (None, *open_shape(architecture))

        @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32)])
        def compute(segments):
            proba = tf.cast(model(segments, training=False), tf.float32)
            return tf.math.log(tf.maximum(proba, np.finfo(np.float32).tiny))

        self._compute = compute

    def __call__(self, segments: np.ndarray) -> np.ndarray:
        """Compute the logarithms of the probabilities, of shape (n_segments, n_classes)."""
        return self._compute(segments).numpy()


def check_process() -> None:
    """Raise an error in a process that was forked after TensorFlow was loaded."""
    if os.getpid() != _PROCESS:
        raise RuntimeError(
            "This process was forked after TensorFlow was loaded, and Keras would hang, since "
            "the threads of TensorFlow do not exist after a fork. Instead of multiprocessing, use "
            "joblib.parallel_config(backend='loky'), the default, or backend='threading'."
        )


def compile_ours(
    model: keras.Model,
    *,
    for_callbacks: bool = False,
    weight_decay: float = 0.0,
    label_smoothing: float = 0.0,
    scheduled: bool = False,
) -> None:
    """Compile a model for training. The defaults are those of the published networks.

    Parameters
    ----------
    model : keras.Model
        Model. Its learning rate is set by :meth:`Network.reset`.
    for_callbacks : bool, default=False
        Whether callbacks of the user have to see each batch.
    weight_decay : float, default=0.0
        Weight decay of the AdamW optimizer, which is multiplied with the learning rate.
    label_smoothing : float, default=0.0
        Fraction of the target probability that is distributed evenly over all classes.
    scheduled : bool, default=False
        Whether the learning rate increases during the first tenth of the steps and then
        decreases to 0.
    """
    model.compile(
        optimizer=keras.optimizers.Adam(
            learning_rate=WarmupCosine() if scheduled else 0.001, weight_decay=weight_decay or None
        ),
        loss=SmoothedCrossentropy(label_smoothing=label_smoothing, dtype="float32")
        if label_smoothing
        else keras.losses.SparseCategoricalCrossentropy(dtype="float32"),
        metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy", dtype="float32")],
        steps_per_execution=1 if for_callbacks else STEPS_PER_EXECUTION,
        jit_compile=False,
    )


def open_shape(architecture: L.Architecture | L.KerasArchitecture) -> tuple[int | None, ...]:
    """Return the input shape for Keras, with None if any number of frames is accepted."""
    if architecture.takes_any_frames:
        return (None, *architecture.input_shape[1:])
    return architecture.input_shape


def assign_weights(model: keras.Model, weights: Sequence[np.ndarray]) -> None:
    """Assign the trained weights of a classifier to its model."""
    variables = model.weights
    shapes, found = ([tuple(each.shape) for each in those] for those in (variables, weights))
    if shapes != found:
        raise ValueError(
            f"The classifier has weights of shapes {found}, but build_model now returns a model "
            f"with {shapes}. It must return the same model for the same parameters; or fit again."
        )
    assign(variables, weights)


def assign(variables: Sequence, values: Sequence) -> None:
    """Assign arrays or numbers to Keras variables."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _keras_layer(layer: L.Layer, fused: bool) -> keras.layers.Layer | keras.Model:
    """Create the Keras layer of a description."""
    # Constant initializers and fixed seeds avoid draws from Python's global generator. Each fit
    # overwrites the initial weights and the states of the generators.
    zeros = {"kernel_initializer": "zeros"}
    channels_last = {"data_format": "channels_last"}
    match layer:
        case L.Reshape():
            return keras.layers.Reshape(layer.target_shape)
        case L.Flatten():
            return keras.layers.Flatten(**channels_last)
        case L.Dropout():
            return keras.layers.Dropout(layer.rate, seed=0)
        case L.Dense():
            regularizer = keras.regularizers.L2(layer.l2) if layer.l2 else None
            return keras.layers.Dense(
                layer.units, layer.activation, kernel_regularizer=regularizer, **zeros
            )
        case L.Activation():
            return keras.layers.Activation(layer.activation)
        case L.Conv2D():
            return keras.layers.Conv2D(
                layer.units,
                layer.kernel_size,
                layer.strides,
                layer.padding,
                activation=layer.activation,
                use_bias=layer.use_bias,
                **channels_last,
                **zeros,
            )
        case L.MaxPooling2D():
            return keras.layers.MaxPooling2D(
                layer.pool_size, layer.strides, "same", **channels_last
            )
        case L.TimePooling():
            return _time_pooling()
        case L.BatchNormalization():
            kind = checked(FusedBatchNormalization) if fused else keras.layers.BatchNormalization
            return kind(momentum=layer.momentum, epsilon=layer.epsilon)
        case L.LSTM():
            kind = checked(FusedLSTM) if fused else keras.layers.LSTM
            return kind(
                layer.units,
                return_sequences=layer.return_sequences,
                recurrent_initializer="zeros",
                seed=0,
                **zeros,
            )
        case L.GRU():
            return keras.layers.GRU(
                layer.units,
                return_sequences=layer.return_sequences,
                recurrent_initializer="zeros",
                seed=0,
                **zeros,
            )
    raise AssertionError(layer)


def _time_pooling() -> keras.Model:
    """Build the layer ``TimePooling`` from Keras operations, so that models can be saved."""
    x = keras.Input((None, None, None), dtype="float32")
    by_frame = keras.ops.mean(x, axis=2)
    statistics = [keras.ops.mean(by_frame, axis=1), keras.ops.max(by_frame, axis=1)]
    return keras.Model(x, keras.ops.concatenate(statistics, axis=1))


# ---------------------------------------------------------------- fused layers


class FusedLSTM(keras.layers.LSTM):
    """Keras LSTM layer that processes all frames with a single TensorFlow operation.

    It halves the training time on a CPU and returns the same values. On a GPU, the Keras
    implementation based on cuDNN is used.
    """

    #: Arguments of the layer that :func:`checked` compares with that of Keras. With these, Keras
    #: does not draw from Python's global generator.
    example: ClassVar = {
        "units": 2,
        "return_sequences": True,
        "kernel_initializer": "zeros",
        "recurrent_initializer": "zeros",
        "seed": 0,
    }

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Return the output of the layer, as ``keras.layers.LSTM.call`` does."""
        if tf.config.list_logical_devices("GPU"):
            return super().call(sequences, initial_state, mask, training)
        x = tf.transpose(sequences, (1, 0, 2))
        zeros, no_peephole = tf.zeros((tf.shape(x)[1], self.units)), tf.zeros(self.units)
        # BlockLSTMV2 uses the gate order of Keras, but its gradient uses that of BlockLSTM.
        states = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.shape(x, tf.int64)[0],
            x=x,
            cs_prev=zeros,
            h_prev=zeros,
            w=_cell_second(tf.concat([self.cell.kernel, self.cell.recurrent_kernel], 0)),
            wci=no_peephole,
            wcf=no_peephole,
            wco=no_peephole,
            b=_cell_second(self.cell.bias),
            forget_bias=0.0,  # already included in the bias
            cell_clip=0.0,  # no clipping
        ).h
        return tf.transpose(states, (1, 0, 2)) if self.return_sequences else states[-1]


def _cell_second(weights):
    """Reorder the gates as BlockLSTM requires: input, cell, forget, output."""
    i, f, c, o = tf.split(weights, 4, axis=-1)
    return tf.concat([i, c, f, o], axis=-1)


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """Keras batch normalization that trains with a single TensorFlow operation."""

    example: ClassVar = {"momentum": 0.9}

    def call(self, inputs, training=None, mask=None):
        """Return the output of the layer, as ``keras.layers.BatchNormalization.call`` does."""
        if not (training and self.trainable):
            return super().call(inputs, training, mask)
        # The operation takes images with their channels in the last axis.
        n_channels = inputs.shape[-1]
        batch = tf.raw_ops.FusedBatchNormV3(
            x=inputs if inputs.shape.rank == 4 else tf.reshape(inputs, (-1, 1, 1, n_channels)),
            scale=self.gamma,
            offset=self.beta,
            mean=[],
            variance=[],
            epsilon=self.epsilon,
        )
        # Keras averages the variances of the batches with a divisor of n instead of n - 1.
        n = tf.cast(tf.size(inputs) // n_channels, tf.float32)
        rate = 1 - self.momentum
        self.moving_mean.assign_add(rate * (batch.batch_mean - self.moving_mean))
        variance = batch.batch_variance * (n - 1) / n
        self.moving_variance.assign_add(rate * (variance - self.moving_variance))
        return tf.reshape(batch.y, tf.shape(inputs))


@cache
def checked(fused: type[keras.layers.Layer]) -> type[keras.layers.Layer]:
    """Return a fused layer if it agrees with the Keras layer that it derives from, else the latter.

    Outputs, gradients and statistics of a small layer are compared once per process.

    Warns
    -----
    UserWarning
        If the results differ or the fused layer fails, which may happen with future versions of
        TensorFlow.
    """
    [plain] = fused.__bases__
    try:
        expected, found = (_small_step(kind(**fused.example)) for kind in (plain, fused))
        if all(np.allclose(a, b, atol=1e-4) for a, b in zip(expected, found, strict=True)):
            return fused
        reason = "its results differ from those of the Keras layer"
    except Exception as error:  # other versions of TensorFlow may raise anything
        reason = f"it failed with {type(error).__name__}: {error}"
    warn(
        f"The {fused.__name__} layer is not used with TensorFlow {tf.__version__}, since {reason}. "
        f"Networks are trained with Keras' {plain.__name__} layer, which takes longer."
    )
    return plain


def _small_step(layer: keras.layers.Layer) -> list[np.ndarray]:
    """Return the output of a layer in training, its gradients, and its weights afterwards."""
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(4, 3, 2)), tf.float32)
    layer.build(x.shape)
    layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.weights])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        loss = tf.reduce_sum(y**3)
    gradients = tape.gradient(loss, [x, *(weight.value for weight in layer.trainable_weights)])
    return [array.numpy() for array in (y, *gradients)] + layer.get_weights()


# ---------------------------------------------------------------- learning rate and loss


@keras.saving.register_keras_serializable("skgenre")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate schedule with linear warm-up and cosine decay to 0.

    The decay follows [1]_. The parameters are stored as Keras variables, so that a compiled model
    can be reused for fits of any length.

    Parameters
    ----------
    learning_rate : float, default=0.0
        Maximum learning rate.
    first_step : int, default=0
        Step of the optimizer at which the fit begins.
    n_steps : int, default=0
        Number of steps of the fit. 0 keeps the learning rate constant.

    References
    ----------
    .. [1] I. Loshchilov and F. Hutter, "SGDR: Stochastic gradient descent with warm restarts",
       ICLR 2017.
    """

    def __init__(self, learning_rate: float = 0.0, first_step: int = 0, n_steps: int = 0):
        self._numbers = [keras.Variable(0.0, trainable=False, dtype="float32") for _ in range(3)]
        self.assign(learning_rate, first_step, n_steps)

    def assign(self, learning_rate: float, first_step: int, n_steps: int) -> None:
        """Set the parameters for a fit."""
        assign(self._numbers, (learning_rate, first_step, n_steps))

    def __call__(self, step):
        """Return the learning rate of a step."""
        ops = keras.ops
        highest, first_step, n_steps = (variable.value for variable in self._numbers)
        step = ops.cast(step, "float32") - first_step
        n_steps_safe = ops.maximum(n_steps, 1.0)
        warm_up = WARM_UP * n_steps_safe
        rise = ops.minimum(1.0, (step + 1) / warm_up)
        progress = ops.clip((step - warm_up) / (n_steps_safe - warm_up), 0.0, 1.0)
        rate = highest * rise * 0.5 * (1 + ops.cos(math.pi * progress))
        return ops.where(n_steps > 0, rate, highest)

    def get_config(self) -> dict:
        """Return the parameters of the schedule."""
        learning_rate, first_step, n_steps = (float(variable.value) for variable in self._numbers)
        return {"learning_rate": learning_rate, "first_step": first_step, "n_steps": n_steps}


@keras.saving.register_keras_serializable("skgenre")
class SmoothedCrossentropy(keras.losses.CategoricalCrossentropy):
    """Cross-entropy with label smoothing [1]_ for integer class labels.

    Keras supports label smoothing only for one-hot labels.

    References
    ----------
    .. [1] C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR
       2016.
    """

    def call(self, y_true, y_pred):
        """Return the loss of each segment."""
        labels = keras.ops.cast(y_true, "int32")
        return super().call(keras.ops.one_hot(labels, y_pred.shape[-1], dtype="float32"), y_pred)


# ---------------------------------------------------------------- settings of Keras

#: Settings of Keras with which networks are built, its defaults.
_SETTINGS = {
    "dtype_policy": "float32",
    "floatx": "float32",
    "image_data_format": "channels_last",
    "epsilon": 1e-7,
}

#: Lock for threads that build networks simultaneously.
_BUILDING = threading.RLock()


@contextlib.contextmanager
def default_settings() -> Iterator[None]:
    """Build a network within a ``with`` block independently of the settings of the user.

    A network that has been built does not depend on them. For our own layers, only the policy of
    the model and the data type of the learning rate and of the loss have no argument. Layers of
    users may depend on all of them.
    """
    with _BUILDING:
        # All are read first, since Keras derives the policy from the data type when it is read.
        settings = [(setting, getattr(keras.config, setting)()) for setting in _SETTINGS]
        try:
            for setting, value in _SETTINGS.items():
                getattr(keras.config, f"set_{setting}")(value)
            yield
        finally:
            for setting, value in settings:
                getattr(keras.config, f"set_{setting}")(value)


# ---------------------------------------------------------------- initial weights


def initial_weights(architecture: L.Architecture, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw initial weights from the distributions of the default Keras initializers.

    Kernels are Glorot uniform [1]_ and recurrent kernels orthogonal [2]_; the bias of the forget
    gate of LSTM layers is 1 [3]_. The weights are drawn with NumPy, so that they do not depend on
    the random number generators and threads of TensorFlow.

    Parameters
    ----------
    architecture : Architecture
        Layers of the network.
    rng : Generator
        Random number generator.

    Returns
    -------
    weights : list of float32 ndarray
        Initial weights, layer by layer.

    References
    ----------
    .. [1] X. Glorot and Y. Bengio, "Understanding the difficulty of training deep feedforward
       neural networks", AISTATS 2010.
    .. [2] A. M. Saxe, J. L. McClelland and S. Ganguli, "Exact solutions to the nonlinear dynamics
       of learning in deep linear neural networks", arXiv:1312.6120, 2013.
    .. [3] R. Jozefowicz, W. Zaremba and I. Sutskever, "An empirical exploration of recurrent
       network architectures", ICML 2015.
    """
    return [_initial(weight, rng) for weights in architecture.weights for weight in weights]


def _initial(weight: L.Weight, rng: np.random.Generator) -> np.ndarray:
    shape = weight.shape
    if weight.initializer == "glorot_uniform":
        receptive_field = int(np.prod(shape[:-2]))
        limit = np.sqrt(6 / (receptive_field * (shape[-2] + shape[-1])))
        return rng.uniform(-limit, limit, shape).astype(np.float32)
    if weight.initializer == "orthogonal":
        # With these signs, the orthogonal matrices are uniformly distributed.
        q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
        q *= np.sign(np.diag(r))
        return np.ascontiguousarray(q.T if shape[0] < shape[1] else q, np.float32)
    if weight.initializer == "unit_forget_bias":
        units = shape[0] // 4
        return np.repeat(np.array([0, 1, 0, 0], np.float32), units)
    return np.full(shape, weight.initializer == "ones", np.float32)
