"""Loss, optimiser and learning rate of a recipe, in Keras. Imported by the first fit alone."""

from __future__ import annotations

import math

import keras

from .recipe import Recipe

#: Share of the steps in which a scheduled learning rate rises.
WARM_UP = 0.1


@keras.saving.register_keras_serializable("skgenre")
class WarmupCosine(keras.optimizers.schedules.LearningRateSchedule):
    """Rise linearly to the learning rate, then fall to 0 as half a cosine.

    Loshchilov and Hutter (2017), with a warm-up. Its numbers are variables, so that a network
    compiled with it serves fits of any length.

    Parameters
    ----------
    learning_rate : float, default=0.0
        The highest.
    first_step : int, default=0
        The optimiser's step with which the fit begins.
    n_steps : int, default=0
        Steps of the fit; 0 keeps the learning rate constant.
    """

    def __init__(self, learning_rate: float = 0.0, first_step: int = 0, n_steps: int = 0):
        self._numbers = [
            keras.Variable(number, trainable=False, dtype="float32")
            for number in (learning_rate, first_step, n_steps)
        ]

    def assign(self, learning_rate: float, first_step: int, n_steps: int) -> None:
        """Set what a fit needs."""
        numbers = (learning_rate, first_step, n_steps)
        for variable, number in zip(self._numbers, numbers, strict=True):
            variable.assign(number)

    def __call__(self, step):
        """Learning rate of a step."""
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
        """Return its numbers."""
        learning_rate, first_step, n_steps = (float(v.value) for v in self._numbers)
        return {
            "learning_rate": learning_rate,
            "first_step": int(first_step),
            "n_steps": int(n_steps),
        }


@keras.saving.register_keras_serializable("skgenre")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy of class indices of which a share is spread over all classes.

    Szegedy et al. (2016); Keras has it for one-hot labels only.

    Parameters
    ----------
    label_smoothing : float
    """

    def __init__(self, label_smoothing: float, name="smoothed_crossentropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        """Loss of each segment."""
        target = keras.ops.one_hot(keras.ops.cast(y_true, "int32"), y_pred.shape[-1])
        return keras.losses.categorical_crossentropy(
            target, y_pred, label_smoothing=self.label_smoothing
        )

    def get_config(self) -> dict:
        """Return its parameters."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def make_optimizer(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Make Adam with decoupled weight decay (AdamW; Loshchilov and Hutter, 2019), if any."""
    return keras.optimizers.Adam(
        learning_rate=WarmupCosine() if recipe.scheduled else 0.001,
        weight_decay=recipe.weight_decay or None,
    )


def make_loss(recipe: Recipe) -> str | keras.losses.Loss:
    """Make the cross-entropy of a recipe."""
    if recipe.label_smoothing:
        return SmoothedCrossentropy(recipe.label_smoothing)
    return "sparse_categorical_crossentropy"
