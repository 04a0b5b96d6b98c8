"""Keras implementations of the loss, optimizer and learning rate schedule of a recipe.

This module imports Keras and is therefore imported only by `fit`.
"""

from __future__ import annotations

import math

import keras

from .recipe import Recipe

#: Fraction of the steps during which a scheduled learning rate increases.
WARM_UP = 0.1


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
        self._numbers = [
            keras.Variable(number, trainable=False, dtype="float32")
            for number in (learning_rate, first_step, n_steps)
        ]

    def assign(self, learning_rate: float, first_step: int, n_steps: int) -> None:
        """Set the parameters for a fit."""
        numbers = (learning_rate, first_step, n_steps)
        for variable, number in zip(self._numbers, numbers, strict=True):
            variable.assign(number)

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
        learning_rate, first_step, n_steps = (float(v.value) for v in self._numbers)
        return {
            "learning_rate": learning_rate,
            "first_step": int(first_step),
            "n_steps": int(n_steps),
        }


@keras.saving.register_keras_serializable("skgenre")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy with label smoothing [1]_ for integer class labels.

    Keras supports label smoothing only for one-hot labels.

    Parameters
    ----------
    label_smoothing : float
        Fraction of the target probability that is distributed evenly over all classes.

    References
    ----------
    .. [1] C. Szegedy et al., "Rethinking the Inception architecture for computer vision", CVPR
       2016.
    """

    def __init__(self, label_smoothing: float, name="smoothed_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """Return the loss of each segment."""
        target = keras.ops.one_hot(
            keras.ops.cast(y_true, "int32"), y_pred.shape[-1], dtype="float32"
        )
        return keras.losses.categorical_crossentropy(
            target, y_pred, label_smoothing=self.label_smoothing
        )

    def get_config(self) -> dict:
        """Return the parameters of the loss."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Create the Adam optimizer, with decoupled weight decay (AdamW) if the recipe has any."""
    return keras.optimizers.Adam(
        learning_rate=WarmupCosine() if recipe.scheduled else 0.001,
        weight_decay=recipe.weight_decay or None,
    )


def make_loss(recipe: Recipe) -> keras.losses.Loss:
    """Create the cross-entropy loss, with label smoothing if the recipe has any."""
    if recipe.label_smoothing:
        return SmoothedCrossentropy(recipe.label_smoothing, dtype="float32")
    return keras.losses.SparseCategoricalCrossentropy(dtype="float32")
