"""A convolutional network over log-mel spectrograms of any length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import ClassVar

import numpy as np

from .._sklearn import Interval
from .base import AT_LEAST_1, SegmentClassifier
from .classifiers import DROPOUT, check_sizes
from .layers import Layer, mel_cnn_layers
from .recipe import Augmentation, Recipe


class MelCNNClassifier(SegmentClassifier):
    """Convolutional network over log-mel spectrograms, whole tracks or segments of any length.

    It trains on random crops of the segments and predicts on all their frames: where it has
    convolved, it takes the mean over the bands, then mean and maximum over time.

    Parameters
    ----------
    filters : int or sequence of int, default=(16, 32, 48, 64)
        Filters of each block: convolution, batch normalisation, ReLU, with maximum pooling by 2
        between blocks. The first kernel is 5 x 5 at every second frame and band, others are
        3 x 3.
    dense_units : int, default=64
        Units of the dense layer after the pooling over time.
    dropout : float, default=0.4
        Share of the values before and after the dense layer that is left out of each training
        step.
    crop_frames : int or None, default=216
        Frames of a segment that an epoch trains on, from a random one on: 10 seconds at 21.5
        frames a second. Shorter segments, and with None all, are taken whole.
    augment : bool, default=True
        Whether each crop is changed at random: a level is added to all its values, of standard
        deviation 0.3; then two runs of up to 3/16 of the bands (12 of 64) and one of up to 5/27 of
        the frames (40 of 216) are set to 0. This takes 0 for the mean and 1 for the deviation of
        a band, so put :class:`SegmentScaler` before it.
    weight_decay : float, default=0.02
        Share of each weight, times the learning rate, that a training step takes away (AdamW).
    label_smoothing : float, default=0.1
        Share of the target probability that is spread evenly over the classes. It is part of
        the losses in ``history_``.
    epochs : int, default=60
        Passes over the training segments, in each a crop of each.
    batch_size : int, default=16
        Segments a gradient step.
    learning_rate : float, default=0.002
        The highest. It rises over the first tenth of the steps of a `fit` and then falls to 0 as
        half a cosine. A further `fit` with ``warm_start`` does so again; `partial_fit`, which
        cannot know how many epochs are to come, keeps it constant.
    aggregation, class_weight, early_stopping, validation_fraction, n_iter_no_change, callbacks, \
    warm_start, random_state, verbose
        See :class:`SegmentClassifier`. ``random_state`` also seeds crops and their changes.
        Held-out tracks are measured whole. Early stopping does not change the learning rate's
        course, which is set by `epochs`; callbacks that set it, such as ``ReduceLROnPlateau``, are
        refused by Keras.

    Attributes
    ----------
    classes_, class_prior_, architecture_, weights_, history_, callbacks_, n_iter_, \
    n_features_in_
        See :class:`SegmentClassifier`.

    Notes
    -----
    At the defaults, on 64 bands and three genres, it has 56,083 parameters, 55,507 of them
    trainable. Its layers are those of VGG networks (Simonyan and Zisserman, 2015), its masks those
    of SpecAugment (Park et al., 2019), its optimiser and learning rate those of Loshchilov and
    Hutter (2017, 2019).

    Networks of different ``random_state`` differ by a few points of accuracy; the mean of some in
    a soft ``VotingClassifier`` is steadier and a little better.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import MelCNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(20, 1, 40, 8))  # 20 tracks of 40 frames of 8 bands
    >>> y = np.repeat(["blues", "jazz"], 10)
    >>> X[y == "jazz", ..., :4] += 1
    >>> clf = MelCNNClassifier(filters=(4, 8), crop_frames=20, random_state=0).fit(X, y)
    >>> clf.predict(X[:, :, :30]).shape  # of any number of frames
    (20,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **SegmentClassifier._parameter_constraints,
        "filters": ["array-like", AT_LEAST_1],
        "dense_units": [AT_LEAST_1],
        "dropout": [DROPOUT],
        "crop_frames": [AT_LEAST_1, None],
        "augment": ["boolean"],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(
        self,
        *,
        filters: int | Sequence[int] = (16, 32, 48, 64),
        dense_units: int = 64,
        dropout: float = 0.4,
        crop_frames: int | None = 216,
        augment: bool = True,
        weight_decay: float = 0.02,
        label_smoothing: float = 0.1,
        epochs: int = 60,
        batch_size: int = 16,
        learning_rate: float = 0.002,
        aggregation: str = "mean",
        class_weight: dict | str | None = None,
        early_stopping: bool = False,
        validation_fraction: float | None = None,
        n_iter_no_change: int = 10,
        callbacks: list | tuple | Callable[[], list] | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        super().__init__(
            epochs=epochs,
            batch_size=batch_size,
            learning_rate=learning_rate,
            aggregation=aggregation,
            class_weight=class_weight,
            early_stopping=early_stopping,
            validation_fraction=validation_fraction,
            n_iter_no_change=n_iter_no_change,
            callbacks=callbacks,
            warm_start=warm_start,
            random_state=random_state,
            verbose=verbose,
        )
        self.filters = filters
        self.dense_units = dense_units
        self.dropout = dropout
        self.crop_frames = crop_frames
        self.augment = augment
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing

    def hidden_layers(self, input_shape: tuple[int, int]) -> list[Layer]:
        filters = check_sizes("filters", self.filters)
        return mel_cnn_layers(input_shape, filters, int(self.dense_units), float(self.dropout))

    def _recipe(self) -> Recipe:
        return Recipe(float(self.weight_decay), float(self.label_smoothing), scheduled=True)

    def _augmentation(self) -> Augmentation:
        return Augmentation(self.crop_frames, bool(self.augment))
