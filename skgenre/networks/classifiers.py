"""The networks of the published system: dense, convolutional and recurrent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from .._sklearn import Interval
from .base import AT_LEAST_1, SegmentClassifier
from .layers import Layer, ann_layers, cnn_layers, lstm_layers


def check_sizes(name: str, sizes: Any) -> tuple[int, ...]:
    """Validate a parameter that is a sequence of sizes, one a layer; a number is one layer."""
    if isinstance(sizes, Integral) and not isinstance(sizes, bool):
        sizes = (sizes,)
    iterable = np.iterable(sizes) and not isinstance(sizes, str)
    integral: Any = Integral  # mypy does not take int for one of them
    if not iterable or not len(sizes) or not all(isinstance(n, integral) and n > 0 for n in sizes):
        raise ValueError(
            f"{name}={sizes!r} must be a sequence of sizes of at least 1, one a layer: (64,), say"
        )
    return tuple(int(n) for n in sizes)


DROPOUT = Interval(Real, 0, 1, closed="left")


class ANNClassifier(SegmentClassifier):
    """Dense network over all frames of a segment at once.

    Parameters
    ----------
    hidden_units : int or sequence of int, default=(512, 256, 64)
        Units of each hidden layer, each with ReLU and followed by dropout.
    dropout : float, default=0.3
        Share of the hidden units that is left out of each training step.
    l2 : float, default=0.001
        Penalty on the squared weights of the hidden layers.
    epochs : int, default=50
        Passes over the training segments.
    batch_size, learning_rate, aggregation, class_weight, early_stopping, \
    validation_fraction, n_iter_no_change, callbacks, warm_start, random_state, verbose
        See :class:`SegmentClassifier`.

    Attributes
    ----------
    classes_, class_prior_, architecture_, weights_, history_, callbacks_, n_iter_, \
    n_features_in_
        See :class:`SegmentClassifier`.

    Notes
    -----
    At the defaults, on segments of 130 x 13 and ten genres, it is the published network of
    1,014,218 parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import ANNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(20, 3, 8, 4))  # 20 tracks of 3 segments, 8 frames of 4 MFCCs
    >>> y = np.repeat(["blues", "jazz"], 10)
    >>> X[y == "jazz"] += 1
    >>> clf = ANNClassifier(hidden_units=(8,), epochs=20, random_state=0).fit(X, y)
    >>> clf.predict_proba(X).shape
    (20, 2)
    >>> float(clf.score(X, y)) > 0.9
    True
    """

    _parameter_constraints: ClassVar[dict] = {
        **SegmentClassifier._parameter_constraints,
        "hidden_units": ["array-like", AT_LEAST_1],
        "dropout": [DROPOUT],
        "l2": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        *,
        hidden_units: int | Sequence[int] = (512, 256, 64),
        dropout: float = 0.3,
        l2: float = 0.001,
        epochs: int = 50,
        batch_size: int = 32,
        learning_rate: float = 0.001,
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
        self.hidden_units = hidden_units
        self.dropout = dropout
        self.l2 = l2

    def hidden_layers(self, input_shape: tuple[int, int]) -> list[Layer]:
        units = check_sizes("hidden_units", self.hidden_units)
        return ann_layers(units, float(self.dropout), float(self.l2))


class CNNClassifier(SegmentClassifier):
    """Convolutional network over the frames and coefficients of a segment.

    Parameters
    ----------
    filters : int or sequence of int, default=(32, 32, 32)
        Filters of each block: convolution with ReLU, maximum pooling, batch normalisation.
        Kernels are 3 x 3 in the first two blocks and 2 x 2 in later ones, or as large as
        what is left of a small input.
    dense_units : int, default=64
        Units of the dense layer after the blocks.
    dropout : float, default=0.3
        Share of the dense units that is left out of each training step.
    epochs : int, default=30
        Passes over the training segments.
    batch_size, learning_rate, aggregation, class_weight, early_stopping, \
    validation_fraction, n_iter_no_change, callbacks, warm_start, random_state, verbose
        See :class:`SegmentClassifier`.

    Attributes
    ----------
    classes_, class_prior_, architecture_, weights_, history_, callbacks_, n_iter_, \
    n_features_in_
        See :class:`SegmentClassifier`.

    Notes
    -----
    At the defaults, on segments of 130 x 13 and ten genres, it is the published network of
    45,514 parameters, 45,322 of them trainable.

    Batch normalisation predicts with running means that move by a hundredth each step (Keras'
    momentum of 0.99), so it takes some hundreds of steps until they have settled: with few
    tracks, take smaller batches or more epochs.
    """

    _parameter_constraints: ClassVar[dict] = {
        **SegmentClassifier._parameter_constraints,
        "filters": ["array-like", AT_LEAST_1],
        "dense_units": [AT_LEAST_1],
        "dropout": [DROPOUT],
    }

    def __init__(
        self,
        *,
        filters: int | Sequence[int] = (32, 32, 32),
        dense_units: int = 64,
        dropout: float = 0.3,
        epochs: int = 30,
        batch_size: int = 32,
        learning_rate: float = 0.001,
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

    def hidden_layers(self, input_shape: tuple[int, int]) -> list[Layer]:
        filters = check_sizes("filters", self.filters)
        return cnn_layers(input_shape, filters, int(self.dense_units), float(self.dropout))


class LSTMClassifier(SegmentClassifier):
    """Recurrent network over the frames of a segment.

    Parameters
    ----------
    units : int or sequence of int, default=(64, 64)
        Units of each LSTM layer; all but the last return sequences.
    dense_units : int, default=64
        Units of the dense layer after them.
    dropout : float, default=0.3
        Share of the dense units that is left out of each training step.
    epochs : int, default=30
        Passes over the training segments.
    batch_size, learning_rate, aggregation, class_weight, early_stopping, \
    validation_fraction, n_iter_no_change, callbacks, warm_start, random_state, verbose
        See :class:`SegmentClassifier`.

    Attributes
    ----------
    classes_, class_prior_, architecture_, weights_, history_, callbacks_, n_iter_, \
    n_features_in_
        See :class:`SegmentClassifier`.

    Notes
    -----
    At the defaults, on segments of 130 x 13 and ten genres, it is the published network of
    57,802 parameters.
    """

    _parameter_constraints: ClassVar[dict] = {
        **SegmentClassifier._parameter_constraints,
        "units": ["array-like", AT_LEAST_1],
        "dense_units": [AT_LEAST_1],
        "dropout": [DROPOUT],
    }

    def __init__(
        self,
        *,
        units: int | Sequence[int] = (64, 64),
        dense_units: int = 64,
        dropout: float = 0.3,
        epochs: int = 30,
        batch_size: int = 32,
        learning_rate: float = 0.001,
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
        self.units = units
        self.dense_units = dense_units
        self.dropout = dropout

    def hidden_layers(self, input_shape: tuple[int, int]) -> list[Layer]:
        units = check_sizes("units", self.units)
        return lstm_layers(units, int(self.dense_units), float(self.dropout))
