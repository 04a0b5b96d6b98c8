"""Train a network in Keras, through scikeras, and bring it back as arrays.

The one place that touches TensorFlow, Keras and scikeras; importing it takes seconds, so
it is imported by the first fit. Compiled networks are a resource of the process: building
and tracing one takes seconds and TensorFlow gives little of its memory back, so a network
is *lent* to a fit, with every variable reset, and returned for the next fit of the same
architecture. ``docs/design.rst`` has the measurements and the rules.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import re
import sys
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from . import layers as L
from .tensors import Segments


@contextlib.contextmanager
def _without_startup_chatter() -> Iterator[None]:
    """Hold back what TensorFlow's C++ side writes to stderr before it can be configured.

    Everything that is not its log format is written out afterwards, as is all of it if the
    import fails.
    """
    try:
        stderr = sys.__stderr__.fileno()
        saved = os.dup(stderr)
    except (AttributeError, OSError, ValueError):  # no stderr, as under pythonw
        yield
        return
    chatter = re.compile(rb"^(WARNING: All log messages before absl|[IWE]\d{4} |\d{4}-\d\d-\d\d )")
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), stderr)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(saved, stderr)
            os.close(saved)
            held.seek(0)
            with contextlib.suppress(OSError):
                for line in held:
                    if failed or not chatter.match(line):
                        os.write(stderr, line)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with _without_startup_chatter():
    import keras
    import tensorflow as tf
    from scikeras.wrappers import KerasClassifier


def _share_the_machine() -> None:
    """Leave to other workers what is theirs; TensorFlow takes all cores and cards otherwise.

    joblib and Dask tell their workers by ``OMP_NUM_THREADS`` how many threads to use, and
    TensorFlow does not listen. Of several cards each worker takes one, by the number at the end
    of its process' name, and no more memory of it than it needs. Whoever has started TensorFlow
    before has settled this already.
    """
    threads = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    worker = re.search(r"-(\d+)$", multiprocessing.current_process().name)
    with contextlib.suppress(RuntimeError):
        if threads.isdigit() and "TF_NUM_INTRAOP_THREADS" not in os.environ:
            tf.config.threading.set_intra_op_parallelism_threads(int(threads))
            tf.config.threading.set_inter_op_parallelism_threads(int(threads))
        cards = tf.config.list_physical_devices("GPU")
        if cards and worker:
            cards = [cards[(int(worker[1]) - 1) % len(cards)]]
            tf.config.set_visible_devices(cards, "GPU")
        for card in cards:
            tf.config.experimental.set_memory_growth(card, True)


_share_the_machine()

# Lent networks do not re-trace; a search over architectures traces many, on purpose.
logging.getLogger("tensorflow").addFilter(
    lambda record: "triggered tf.function retracing" not in record.getMessage()
)

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


# ---------------------------------------------------------------- building


def build_keras(architecture: L.Architecture, weights=None) -> keras.Model:
    """Build a stand-alone Keras model over segments ``(n, n_frames, n_coefficients)``.

    Parameters
    ----------
    architecture : Architecture
    weights : list of ndarray, default=None
        Set as its weights; without them all kernels are zero.

    Returns
    -------
    model : keras.Model
        Not compiled.
    """
    model = _build(architecture, _KERAS)
    if weights is not None:
        _assign(_weight_variables(model), weights)
    return model


def _build(architecture: L.Architecture, kinds: dict) -> keras.Model:
    with _float32():
        model = keras.Sequential([keras.Input(architecture.input_shape, dtype="float32")])
        for layer in architecture.layers:
            model.add(kinds[type(layer)](layer))
    return model


@contextlib.contextmanager
def _float32() -> Iterator[None]:
    """Compute in float32, whatever dtype policy the user has set (each thread has its own)."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)


# Initialisers are constant, and generators seeded, since unseeded ones draw from Python's
# global generator; the values come with every fit.
_PLAIN = {"kernel_initializer": "zeros"}
_KERAS = {
    L.Reshape: lambda layer: keras.layers.Reshape(layer.target_shape),
    L.Flatten: lambda layer: keras.layers.Flatten(),
    L.Dropout: lambda layer: keras.layers.Dropout(layer.rate, seed=0),
    L.Dense: lambda layer: keras.layers.Dense(
        layer.units,
        activation=layer.activation,
        kernel_regularizer=keras.regularizers.L2(layer.l2) if layer.l2 else None,
        **_PLAIN,
    ),
    L.Conv2D: lambda layer: keras.layers.Conv2D(
        layer.units, layer.kernel_size, activation=layer.activation, **_PLAIN
    ),
    L.MaxPooling2D: lambda layer: keras.layers.MaxPooling2D(
        layer.pool_size, strides=layer.strides, padding="same"
    ),
    L.BatchNormalization: lambda layer: keras.layers.BatchNormalization(epsilon=layer.epsilon),
    L.LSTM: lambda layer, kind=keras.layers.LSTM: kind(
        layer.units,
        return_sequences=layer.return_sequences,
        recurrent_initializer="zeros",
        seed=0,
        **_PLAIN,
    ),
}


def _weight_variables(model: keras.Model) -> list:
    return [weight for layer in model.layers for weight in layer.weights]


def _assign(variables: Sequence, arrays: Sequence[np.ndarray]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def initial_weights(architecture: L.Architecture, rng: np.random.Generator) -> list[np.ndarray]:
    """Draw the first weights as Keras' default initialisers do.

    Glorot and Bengio (2010) for kernels, Saxe et al. (2013) for recurrent ones; the forget
    gate's bias is 1 (Jozefowicz et al., 2015). Drawn in NumPy, so that they do not depend
    on TensorFlow's generators or threads.
    """
    return [_initial(weight, rng) for weights in architecture.weights for weight in weights]


def _initial(weight: L.Weight, rng: np.random.Generator) -> np.ndarray:
    shape = weight.shape
    if weight.initializer == "glorot_uniform":
        receptive_field = int(np.prod(shape[:-2]))
        limit = np.sqrt(6 / (receptive_field * (shape[-2] + shape[-1])))
        return rng.uniform(-limit, limit, shape).astype(np.float32)
    if weight.initializer == "orthogonal":
        # One row block of a random orthogonal matrix, signs made unique.
        q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
        q *= np.sign(np.diag(r))
        return np.ascontiguousarray(q.T if shape[0] < shape[1] else q, np.float32)
    if weight.initializer == "unit_forget_bias":
        units = shape[0] // 4
        return np.repeat(np.float32([0, 1, 0, 0]), units)
    return np.full(shape, weight.initializer == "ones", np.float32)


# ---------------------------------------------------------------- the same, faster


class FusedLSTM(keras.layers.LSTM):
    """Keras' LSTM with TensorFlow's one operation for all frames instead of a loop over them.

    Training takes half the time; the numbers are the same. A GPU has its own, in cuDNN.
    """

    def call(self, sequences, initial_state=None, mask=None, training=False):
        """Run all frames, as Keras' layer does."""
        if tf.config.list_logical_devices("GPU"):
            return super().call(sequences, initial_state, mask, training)
        x = tf.transpose(sequences, (1, 0, 2))
        zeros, no_peephole = tf.zeros((tf.shape(x)[1], self.units)), tf.zeros(self.units)
        # BlockLSTMV2 has Keras' order of gates, but its gradient is of the order of this one.
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
            forget_bias=0.0,  # it is in the bias already
            cell_clip=0.0,  # no limit
        ).h
        return tf.transpose(states, (1, 0, 2)) if self.return_sequences else states[-1]


def _cell_second(weights):
    """Put gates in BlockLSTM's order: input, cell, forget, output."""
    i, f, c, o = tf.split(weights, 4, axis=-1)
    return tf.concat([i, c, f, o], axis=-1)


class FusedAdam(keras.optimizers.Adam):
    """Keras' Adam with TensorFlow's one operation for each variable; the same formula."""

    def update_step(self, gradient, variable, learning_rate):
        """Move one variable, as Keras' optimiser does."""
        step = tf.cast(self.iterations + 1, tf.float32)
        i = self._get_variable_index(variable)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[i].value.handle,
            v=self._velocities[i].value.handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=learning_rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


#: What networks are trained with; those that users see are Keras' own.
_FUSED = {**_KERAS, L.LSTM: partial(_KERAS[L.LSTM], kind=FusedLSTM)}


# ---------------------------------------------------------------- lending


class _Source:
    """A ``tf.data`` data set whose content changes from fit to fit and whose type does not.

    Functions traced for it once serve every later fit: weights are always there, and the
    size of a batch is open.
    """

    def __init__(self, input_shape: L.Shape):
        self._content: tuple = ()
        self._dataset = tf.data.Dataset.from_generator(
            lambda: self._content[0].batches(*self._content[1:]),
            output_signature=(
                tf.TensorSpec((None, *input_shape), tf.float32),
                tf.TensorSpec((None,), tf.int32),
                tf.TensorSpec((None,), tf.float32),
            ),
        ).prefetch(2)

    def holding(self, segments: Segments, batch_size: int, rng=None) -> tf.data.Dataset:
        self._content = (segments, batch_size, rng)
        # Without it Keras takes the end of the first epoch for an interruption and warns.
        n_batches = -(-len(segments) // batch_size)
        return self._dataset.apply(tf.data.experimental.assert_cardinality(n_batches))

    def clear(self) -> None:
        self._content = ()


class _Network:
    """A compiled network and the data sets that it reads.

    A plain one is all Keras' own, for users' callbacks to see and to save.
    """

    def __init__(self, architecture: L.Architecture, plain: bool):
        self.model = _build(architecture, _KERAS if plain else _FUSED)
        self.model.compile(
            optimizer=keras.optimizers.Adam() if plain else FusedAdam(),
            loss="sparse_categorical_crossentropy",
            metrics=["accuracy"],
            steps_per_execution=1 if plain else STEPS_PER_EXECUTION,
            jit_compile=False,
        )
        self.model.optimizer.build(self.model.trainable_variables)
        self.training = _Source(architecture.input_shape)
        self.validation = _Source(architecture.input_shape)

    @property
    def _state_variables(self) -> list:
        """All variables beside weights and the learning rate that one step hands to the next."""
        weights = {id(weight) for weight in _weight_variables(self.model)}
        rate = self.model.optimizer.learning_rate
        return [v for v in self.model.optimizer.variables if v is not rate] + [
            v for v in self.model.non_trainable_variables if id(v) not in weights
        ]

    def reset(self, weights, state, learning_rate: float, rng: np.random.Generator) -> None:
        """Make every variable what a new network's would be, or what `state` says."""
        _assign(_weight_variables(self.model), weights)
        if state is None:
            state = [
                [rng.integers(2**31 - 1), 0] if "seed_generator" in v.path else np.zeros(v.shape)
                for v in self._state_variables
            ]
        _assign(self._state_variables, state)
        self.model.optimizer.learning_rate.assign(learning_rate)

    def weights(self) -> list[np.ndarray]:
        return [v.value.numpy() for v in _weight_variables(self.model)]

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
    def lend(self, architecture: L.Architecture, plain: bool) -> Iterator[_Network]:
        """Lend a network to one borrower; drop it if it is plain or an error escapes."""
        # Floats that compiling reads from Keras' global configuration belong to the key.
        key = (architecture, plain, keras.config.floatx(), keras.config.epsilon())
        with self._lock:
            idle = self._idle.get(key)
            network = idle.pop() if idle else None
        network = network or _Network(architecture, plain)
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


class _LentKerasClassifier(KerasClassifier):
    """scikeras' classifier around a lent network and data sets that do not copy.

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
    epochs: int,
    batch_size: int,
    learning_rate: float,
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
        Seeds first weights, dropout and shuffling.
    patience : int, default=None
        Stop after so many epochs without a better validation loss, and go back to the best
        weights.
    weights, state : list of ndarray, default=None
        Where to start; new ones without.
    callbacks : sequence of keras.callbacks.Callback
        Called as Keras does. The network is not reused after them.

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
    with _float32(), _POOL.lend(architecture, plain) as network:
        if weights is None:
            weights = initial_weights(architecture, rng)
        network.reset(weights, state, learning_rate, rng)
        classifier = _LentKerasClassifier(
            model=lambda: network.model, epochs=epochs, callbacks=callbacks, verbose=verbose
        )
        classifier.fit(
            network.training.holding(training, batch_size, rng),
            None,
            validation_data=validation and network.validation.holding(validation, batch_size),
        )
        return Trained(network.weights(), network.state(), classifier.history_)
