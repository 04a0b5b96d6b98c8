"""Train a network in Keras, through scikeras, and return it as arrays.

Compiled networks are a resource of the process: building and tracing one takes seconds, and
TensorFlow gives little of its memory back. So a fit borrows a network, sets every variable of
it, and returns it for the next fit of the same architecture. The page "Architecture" of the
documentation has the measurements and the rules.
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
    float32,
    open_shape,
    weight_variables,
)
from .optimisation import WarmupCosine, make_loss, make_optimizer
from .recipe import PUBLISHED, Recipe
from .weights import initial_weights

#: Steps in one call of the compiled function: an epoch is 1.3 to 1.65 times as fast as at 1,
#: with the same arithmetic. Users' callbacks see each batch, so with them it is not used.
STEPS_PER_EXECUTION = 16

#: Idle networks kept for the next fit; the least recently used goes first.
MAX_IDLE_NETWORKS = 8


@dataclass
class Trained:
    """What a fit leaves behind: arrays, and nothing of Keras."""

    weights: list[np.ndarray]
    #: Optimiser variables and dropout generators, to go on from.
    state: list[np.ndarray]
    history: dict[str, list[float]]


class _Source:
    """A ``tf.data`` data set whose content changes from fit to fit and whose type does not.

    Functions traced for it once serve every later fit: weights are always there, and the
    size of a batch is open, as are the frames of networks that take any number of them.
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

        # Dataset.from_generator would do, but its first use sets malloc's M_TRIM_THRESHOLD to
        # 128 kB for good, after which most steps return their memory to the system and fault it
        # in again: 2 to 3 times the time of a fit.
        self._dataset = tf.data.Dataset.range(tf.int64.max).map(batch)

    def _batch(self, i: int) -> tuple[np.ndarray, ...]:
        """Batch `i` of an epoch; they are asked for in order."""
        if i == 0:
            segments, batch_size, rng = self._content
            self._epoch = segments.batches(batch_size, rng)
        return next(self._epoch)

    def holding(self, segments: Segments, batch_size: int, rng=None) -> tf.data.Dataset:
        self._content = (segments, batch_size, rng)
        return self._dataset.take(-(-len(segments) // batch_size)).prefetch(2)

    def clear(self) -> None:
        self._content = ()
        self._epoch = iter(())


class _Network:
    """A compiled network and the data sets that it reads.

    A plain one is all Keras' own, for users' callbacks to see and to save.
    """

    def __init__(self, architecture: L.Architecture, recipe: Recipe, plain: bool):
        self.model = build_keras(architecture) if plain else build_trainable(architecture)
        self.model.compile(
            optimizer=make_optimizer(recipe),
            loss=make_loss(recipe),
            metrics=["accuracy"],
            steps_per_execution=1 if plain else STEPS_PER_EXECUTION,
            jit_compile=False,
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self.training = _Source(architecture)
        self.validation = _Source(architecture)

    @property
    def _state_variables(self) -> list:
        """All variables beside weights and the learning rate that one step hands to the next."""
        weights = {id(weight) for weight in weight_variables(self.model)}
        rate = self.model.optimizer.learning_rate
        return [v for v in self.model.optimizer.variables if v is not rate] + [
            v for v in self.model.non_trainable_variables if id(v) not in weights
        ]

    def reset(self, weights, state, learning_rate: float, n_steps: int, rng) -> None:
        """Make every variable what a new network's would be, or what `state` says.

        A scheduled learning rate falls to 0 over `n_steps` from now on; 0 keeps it constant.
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
    """Idle networks by their key, in the order of their last use."""

    def __init__(self):
        self.clear()

    def clear(self) -> None:
        """Forget all networks."""
        self._lock = threading.Lock()
        self._idle: OrderedDict[tuple, list[_Network]] = OrderedDict()

    @contextlib.contextmanager
    def borrow(
        self, architecture: L.Architecture, recipe: Recipe, plain: bool
    ) -> Iterator[_Network]:
        """Borrow a network alone; it is dropped if it is plain or an error escapes."""
        # Floats that compiling reads from Keras' global configuration belong to the key.
        key = (architecture, recipe, plain, keras.config.floatx(), keras.config.epsilon())
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
    """scikeras' classifier around a network of the pool and data sets that do not copy.

    Stock scikeras copies X twice and draws from global generators when seeded; here the
    data are checked and the randomness is local before they come.
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
            shuffle=False,  # the source has shuffled
            verbose=self.verbose,
            callbacks=self._fit_callbacks,
        )
        self.history_ = {
            name: [float(value) for value in values] for name, values in history.history.items()
        }


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
    """Fit a network.

    Parameters
    ----------
    architecture : Architecture
    training, validation : Segments
        What to learn from, and what to measure on after each epoch if not None.
    seed : sequence of int
        Seeds first weights, dropout, shuffling and augmentation.
    epochs : int or None
        None is one epoch of a number that is not known, so that a scheduled learning rate stays
        as it is.
    recipe : Recipe
        Loss and optimiser.
    patience : int, default=None
        Stop after so many epochs without a better validation loss, and go back to the best
        weights.
    weights, state : list of ndarray, default=None
        Where to start; new ones without.
    callbacks : sequence of keras.callbacks.Callback
        Called as Keras does. The network is not reused after them, and they let go of it.

    Returns
    -------
    trained : Trained
    """
    rng = np.random.default_rng(seed)
    callbacks = list(callbacks)
    plain = bool(callbacks)
    if patience is not None:
        callbacks.append(
            keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=patience, restore_best_weights=True
            )
        )
    with float32(), _POOL.borrow(architecture, recipe, plain) as network:
        if weights is None:
            weights = initial_weights(architecture, rng)
        n_steps = (epochs or 0) * -(-len(training) // batch_size)
        network.reset(weights, state, learning_rate, n_steps, rng)
        classifier = _PooledKerasClassifier(
            model=lambda: network.model, epochs=epochs or 1, callbacks=callbacks, verbose=verbose
        )
        classifier.fit(
            network.training.holding(training, batch_size, rng),
            None,
            validation_data=validation and network.validation.holding(validation, batch_size),
        )
        for callback in callbacks:
            if isinstance(callback, keras.callbacks.Callback):
                # The base class's method: those that override it expect a network.
                keras.callbacks.Callback.set_model(callback, None)
        return Trained(network.weights(), network.state(), classifier.history_)
