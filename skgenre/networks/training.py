"""Training of networks with Keras and scikeras.

Building and tracing a Keras model takes seconds, and TensorFlow releases little of its memory.
Therefore compiled models are kept in a pool: a fit borrows a model, sets all of its variables, and
returns it to the pool for the next fit of the same architecture. See the page "Architecture" of
the documentation for details and measurements.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from scikeras.wrappers import KerasClassifier

from . import layers as L
from .batches import Segments
from .keras_models import (
    assign,
    build_keras,
    build_trainable,
    default_settings,
    open_shape,
    weight_variables,
)
from .optimisation import WarmupCosine, make_loss, make_optimizer
from .recipe import PUBLISHED, Recipe
from .weights import initial_weights

#: Number of steps per call of the compiled function. Compared to 1, an epoch is 1.3 to 1.65 times
#: as fast with the same results. Not used with callbacks, which may depend on each batch.
STEPS_PER_EXECUTION = 16

#: Maximum number of idle networks in the pool. The least recently used one is dropped first.
MAX_IDLE_NETWORKS = 8


@dataclass
class Trained:
    """Result of a fit, without references to Keras objects."""

    weights: list[np.ndarray]
    #: Variables of the optimizer and of the dropout generators, for continuing the training.
    state: list[np.ndarray]
    history: dict[str, list[float]]


class _Source:
    """A ``tf.data.Dataset`` whose content is replaced in each fit.

    The types and shapes of its elements do not change, so that the functions traced for it can be
    reused. Sample weights are always present, and the batch size is None, as is the number of
    frames of networks that accept any number.
    """

    _content: tuple[Any, ...]
    _epoch: Iterator[tuple]

    def __init__(self, architecture: L.Architecture):
        self.clear()
        shapes = (None, *open_shape(architecture)), (None,), (None,)
        types = tf.float32, tf.int32, tf.float32

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
        return next(self._epoch)

    def holding(self, segments: Segments, batch_size: int, rng=None) -> tf.data.Dataset:
        """Set the content and return the data set of one epoch."""
        self._content = (segments, batch_size, rng)
        return self._dataset.take(-(-len(segments) // batch_size)).prefetch(2)

    def clear(self) -> None:
        self._content = ()
        self._epoch = iter(())


class _Network:
    """A compiled Keras model with its training and validation data sets.

    With ``plain=True``, the model consists only of layers of Keras, so that callbacks of the user
    can inspect and save it.
    """

    def __init__(self, architecture: L.Architecture, recipe: Recipe, plain: bool):
        with default_settings():
            self.model = build_keras(architecture) if plain else build_trainable(architecture)
            self.model.compile(
                optimizer=make_optimizer(recipe),
                loss=make_loss(recipe),
                metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy", dtype="float32")],
                steps_per_execution=1 if plain else STEPS_PER_EXECUTION,
                jit_compile=False,
            )
            self.model.optimizer.build(self.model.trainable_variables)
            self.training = _Source(architecture)
            self.validation = _Source(architecture)

    @property
    def _state_variables(self) -> list:
        """Variables that are updated in each step, except for weights and learning rate."""
        weights = {id(weight) for weight in weight_variables(self.model)}
        rate = self.model.optimizer.learning_rate
        return [v for v in self.model.optimizer.variables if v is not rate] + [
            v for v in self.model.non_trainable_variables if id(v) not in weights
        ]

    def reset(self, weights, state, learning_rate: float, n_steps: int, rng) -> None:
        """Set all variables to those of a new network, or to `weights` and `state`.

        A scheduled learning rate decreases to 0 within the next `n_steps` steps; if `n_steps` is
        0, it is constant.
        """
        assign(weight_variables(self.model), weights)
        if state is None:
            state = [
                [rng.integers(2**31 - 1), 0] if "seed_generator" in v.path else np.zeros(v.shape)
                for v in self._state_variables
            ]
        assign(self._state_variables, state)
        schedule = self.model.optimizer._learning_rate
        if isinstance(schedule, WarmupCosine):
            schedule.assign(learning_rate, int(self.model.optimizer.iterations), n_steps)
        else:
            self.model.optimizer.learning_rate.assign(learning_rate)

    def weights(self) -> list[np.ndarray]:
        return [v.value.numpy() for v in weight_variables(self.model)]

    def state(self) -> list[np.ndarray]:
        return [v.value.numpy() for v in self._state_variables]


class _Pool:
    """Pool of idle networks, in the order of their last use."""

    def __init__(self):
        self.clear()

    def clear(self) -> None:
        """Remove all networks."""
        self._lock = threading.Lock()
        self._idle: OrderedDict[tuple, list[_Network]] = OrderedDict()

    @contextlib.contextmanager
    def borrow(
        self, architecture: L.Architecture, recipe: Recipe, plain: bool
    ) -> Iterator[_Network]:
        """Take a network out of the pool for a ``with`` block, or create a new one.

        The network is not returned to the pool if it is plain or if an exception is raised.
        """
        key = (architecture, recipe, plain)
        with self._lock:
            idle = self._idle.get(key)
            network = idle.pop() if idle else None
        network = network or _Network(architecture, recipe, plain)
        yield network
        network.training.clear()
        network.validation.clear()
        if not plain:
            with self._lock:
                self._idle.setdefault(key, []).append(network)
                self._idle.move_to_end(key)
                while sum(map(len, self._idle.values())) > MAX_IDLE_NETWORKS:
                    oldest = next(key for key, idle in self._idle.items() if idle)
                    self._idle[oldest].pop(0)
                for key in [key for key, idle in self._idle.items() if not idle]:
                    del self._idle[key]


_POOL = _Pool()


# ---------------------------------------------------------------- training


class _Identity:
    def fit(self, X):
        return self

    def transform(self, X):
        return X


class _PooledKerasClassifier(KerasClassifier):
    """scikeras classifier that trains a network of the pool on data sets.

    In contrast to its base class, it does not copy X twice, and does not use global random number
    generators. The data have already been validated.
    """

    target_encoder = feature_encoder = _Identity()

    def _validate_data(self, X=None, y=None, reset=False, y_numeric=False):
        return X, y

    def _fit_keras_model(
        self, X, y, sample_weight, warm_start, epochs, initial_epoch, *, validation_data
    ):
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


def _check_callbacks(callbacks: Sequence, recipe: Recipe) -> None:
    """Raise ValueError for callbacks of Keras that would fail after some epochs."""
    setters = keras.callbacks.LearningRateScheduler, keras.callbacks.ReduceLROnPlateau
    for callback in callbacks:
        kind = callback if isinstance(callback, type) else type(callback)
        if isinstance(callback, keras.callbacks.CallbackList):
            _check_callbacks(callback.callbacks, recipe)
        elif recipe.scheduled and issubclass(kind, setters):
            raise ValueError(_NOT_SETTABLE.format(kind.__name__))
        elif issubclass(kind, keras.callbacks.SwapEMAWeights):
            raise ValueError(
                f"{kind.__name__} requires an optimizer that averages the weights, which that of "
                "the networks does not. Remove the callback."
            )


#: Error of callbacks that set a scheduled learning rate.
_NOT_SETTABLE = (
    "{} cannot set the learning rate of this network, which follows a schedule. Remove the "
    "callback; the parameter learning_rate is the maximum of the schedule."
)


def train(
    architecture: L.Architecture,
    training: Segments,
    validation: Segments | None,
    *,
    seed: Sequence[int],
    epochs: int | None,
    batch_size: int,
    learning_rate: float,
    recipe: Recipe = PUBLISHED,
    patience: int | None = None,
    weights: Sequence[np.ndarray] | None = None,
    state: Sequence[np.ndarray] | None = None,
    callbacks: Sequence = (),
    verbose: int = 0,
) -> Trained:
    """Train a network.

    Parameters
    ----------
    architecture : Architecture
        Layers of the network.
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
    recipe : Recipe
        Settings of the loss and the optimizer.
    patience : int, default=None
        Number of epochs without a lower validation loss after which training is stopped and the
        best weights are restored. None disables early stopping.
    weights, state : list of ndarray, default=None
        Initial weights and state of the optimizer. None initializes them.
    callbacks : sequence of keras.callbacks.Callback
        Callbacks of the user. A network with callbacks is not returned to the pool, and the
        callbacks are detached from it after the fit.
    verbose : int, default=0
        Verbosity of Keras.

    Returns
    -------
    trained : Trained
        Weights, state and history.

    Raises
    ------
    ValueError
        If a callback cannot work with the network.
    """
    rng = np.random.default_rng(seed)
    callbacks = list(callbacks)
    _check_callbacks(callbacks, recipe)
    plain = bool(callbacks)
    if patience is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=patience, restore_best_weights=True
            )
        )
    with _POOL.borrow(architecture, recipe, plain) as network:
        if weights is None:
            weights = initial_weights(architecture, rng)
        n_steps = (epochs or 0) * -(-len(training) // batch_size)
        network.reset(weights, state, learning_rate, n_steps, rng)
        classifier = _PooledKerasClassifier(
            model=lambda: network.model, epochs=epochs or 1, callbacks=callbacks, verbose=verbose
        )
        try:
            classifier.fit(
                network.training.holding(training, batch_size, rng),
                None,
                validation_data=validation and network.validation.holding(validation, batch_size),
            )
        except (TypeError, AttributeError) as error:
            # Assigning to the rate, or calling its method `assign`.
            words = str(error)
            if recipe.scheduled and ("LearningRateSchedule" in words or "'assign'" in words):
                raise ValueError(_NOT_SETTABLE.format("A callback")) from error
            raise
        for callback in callbacks:
            if isinstance(callback, keras.callbacks.Callback):
                # Call the method of the base class, since overriding methods expect a model.
                keras.callbacks.Callback.set_model(callback, None)
        return Trained(network.weights(), network.state(), classifier.history_)
