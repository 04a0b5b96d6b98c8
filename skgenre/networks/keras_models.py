"""Keras models built from layer descriptions.

Importing Keras and TensorFlow takes seconds. Therefore this module and
:mod:`skgenre.networks.training` are imported by the first `fit` or `to_keras`, after
:func:`.process.configure_tensorflow`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import cache

import keras
import numpy as np
import tensorflow as tf

from .._warnings import warn
from . import layers as L


def build_keras(architecture: L.Architecture, weights=None) -> keras.Model:
    """Build a stand-alone Keras model for segments ``(n, n_frames, n_coefficients)``.

    Parameters
    ----------
    architecture : Architecture
        Layers of the network.
    weights : list of ndarray, default=None
        Weights of the model. If None, all kernels are zero.

    Returns
    -------
    model : keras.Model
        Model that is not compiled.
    """
    model = _build(architecture, _KERAS)
    if weights is not None:
        assign(weight_variables(model), weights)
    return model


def build_trainable(architecture: L.Architecture) -> keras.Model:
    """Build a model that trains faster than that of `build_keras` and computes the same."""
    return _build(architecture, {**_KERAS, L.LSTM: lambda layer: _lstm_layer(fused_lstm())(layer)})


def _build(architecture: L.Architecture, kinds: dict) -> keras.Model:
    with default_settings():
        model = keras.Sequential([keras.Input(open_shape(architecture), dtype="float32")])
        for layer in architecture.layers:
            model.add(kinds[type(layer)](layer))
    return model


def open_shape(architecture: L.Architecture) -> tuple[int | None, ...]:
    """Return the input shape for Keras, with None if any number of frames is accepted."""
    if architecture.takes_any_frames:
        return (None, *architecture.input_shape[1:])
    return architecture.input_shape


#: Lock for threads that build networks simultaneously.
_BUILDING = threading.RLock()


@contextlib.contextmanager
def default_settings() -> Iterator[None]:
    """Build a network within a ``with`` block independently of the settings of the user.

    These are the settings for which Keras and TensorFlow have no argument: the policy of a model,
    the data type of the learning rate and of the loss, and the eager execution of functions, of
    which the functions of a data set warn. A network that has been built does not depend on them.
    """
    with _BUILDING:
        # All are read first, since Keras derives the policy from the data type when it is read.
        policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
        eagerly = tf.config.functions_run_eagerly()
        try:
            keras.config.set_dtype_policy("float32")
            keras.config.set_floatx("float32")
            tf.config.run_functions_eagerly(False)
            yield
        finally:
            keras.config.set_dtype_policy(policy)
            keras.config.set_floatx(floatx)
            tf.config.run_functions_eagerly(eagerly)


def _lstm_layer(kind: type[keras.layers.LSTM]) -> Callable[[L.LSTM], keras.layers.LSTM]:
    """Return a function that creates an LSTM layer of class `kind`."""
    return lambda layer: kind(
        layer.units,
        return_sequences=layer.return_sequences,
        recurrent_initializer="zeros",
        seed=0,
        **_PLAIN,
    )


def _time_pooling() -> keras.Model:
    """Build :class:`.layers.TimePooling` from Keras operations, so that models can be saved."""
    x = keras.Input((None, None, None), dtype="float32")
    by_frame = keras.ops.mean(x, axis=2)
    statistics = [keras.ops.mean(by_frame, axis=1), keras.ops.max(by_frame, axis=1)]
    return keras.Model(x, keras.ops.concatenate(statistics, axis=1))


# Constant initializers and fixed seeds avoid draws from Python's global generator. Each fit
# overwrites the initial weights and the states of the generators.
_PLAIN = {"kernel_initializer": "zeros"}
_FORMAT = {"data_format": "channels_last"}
_KERAS = {
    L.Reshape: lambda layer: keras.layers.Reshape(layer.target_shape),
    L.Flatten: lambda layer: keras.layers.Flatten(**_FORMAT),
    L.Dropout: lambda layer: keras.layers.Dropout(layer.rate, seed=0),
    L.Dense: lambda layer: keras.layers.Dense(
        layer.units,
        activation=layer.activation,
        kernel_regularizer=keras.regularizers.L2(layer.l2) if layer.l2 else None,
        **_PLAIN,
    ),
    L.Conv2D: lambda layer: keras.layers.Conv2D(
        layer.units,
        layer.kernel_size,
        strides=layer.strides,
        padding=layer.padding,
        activation=layer.activation,
        use_bias=layer.use_bias,
        **_FORMAT,
        **_PLAIN,
    ),
    L.Activation: lambda layer: keras.layers.Activation(layer.activation),
    L.MaxPooling2D: lambda layer: keras.layers.MaxPooling2D(
        layer.pool_size, strides=layer.strides, padding="same", **_FORMAT
    ),
    L.TimePooling: lambda layer: _time_pooling(),
    L.BatchNormalization: lambda layer: keras.layers.BatchNormalization(
        momentum=layer.momentum, epsilon=layer.epsilon
    ),
    L.LSTM: _lstm_layer(keras.layers.LSTM),
}


def weight_variables(model: keras.Model) -> list:
    """Return the weights of a model, layer by layer, in the order of `Architecture.weights`."""
    return [weight for layer in model.layers for weight in layer.weights]


def assign(variables: Sequence, arrays: Sequence[np.ndarray]) -> None:
    """Assign arrays to Keras variables."""
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


class FusedLSTM(keras.layers.LSTM):
    """Keras LSTM layer that processes all frames with a single TensorFlow operation.

    It halves the training time on a CPU and returns the same values. On a GPU, the Keras
    implementation based on cuDNN is used.
    """

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


@cache
def fused_lstm() -> type[keras.layers.LSTM]:
    """Return :class:`FusedLSTM` if it agrees with the Keras layer, and the Keras layer otherwise.

    Outputs and gradients of a small layer are compared once per process.

    Warns
    -----
    UserWarning
        If the results differ or `FusedLSTM` fails, which may happen with future versions of
        TensorFlow.
    """
    rng = np.random.default_rng(0)
    x = tf.constant(rng.normal(size=(2, 3, 2)), tf.float32)
    weights = [rng.normal(size=shape) for shape in ((2, 8), (2, 8), (8,))]
    try:
        expected, found = (_gradients(kind, x, weights) for kind in (keras.layers.LSTM, FusedLSTM))
        if all(np.allclose(a, b, atol=1e-4) for a, b in zip(expected, found, strict=True)):
            return FusedLSTM
        reason = "its results differ from those of the Keras layer"
    except Exception as error:  # other versions of TensorFlow may raise anything
        reason = f"it failed with {type(error).__name__}: {error}"
    warn(
        f"The fused LSTM operation of TensorFlow {tf.__version__} is not used, since {reason}. "
        "LSTM layers are trained with the Keras implementation, which takes about twice as long."
    )
    return keras.layers.LSTM


def _gradients(kind: type[keras.layers.LSTM], x: tf.Tensor, weights) -> list[np.ndarray]:
    """Return the output of a layer and the gradients of its input and weights."""
    layer = _lstm_layer(kind)(L.LSTM(2, return_sequences=True))
    layer.build(x.shape)
    layer.set_weights(weights)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
        loss = tf.reduce_sum(y**2)
    gradients = tape.gradient(loss, [x, *(weight.value for weight in layer.weights)])
    return [array.numpy() for array in (y, *gradients)]
