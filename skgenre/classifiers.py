"""The networks as scikit-learn classifiers: tracks in, one answer a track out."""

from __future__ import annotations

import copy
import os
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.model_selection import StratifiedGroupKFold, train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
)
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, check_is_fitted

from . import inference
from .layers import Architecture, Dense, Layer, ann_layers, cnn_layers, lstm_layers
from .tensors import as_tensor, check_tensor, fold, segment_mask, spread

_AT_LEAST_1 = Interval(Integral, 1, None, closed="left")
_RATE = Interval(Real, 0, 1, closed="left")


#: Whether this process is a fork of one that had TensorFlow, whose threads a fork does not have.
_forked_with_tensorflow = False


def _after_fork() -> None:
    global _forked_with_tensorflow
    _forked_with_tensorflow = "tensorflow" in sys.modules


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)


# The networks are data classes: what scikit-learn asks of an `__init__`, to name the parameters
# and store them, is written once and inherited.
_network = dataclass(kw_only=True, eq=False, repr=False)


@_network
class SegmentClassifier(ClassifierMixin, BaseEstimator):
    r"""Base of the networks; subclass it for an architecture of your own.

    A subclass is a data class, which inherits these parameters and adds its sizes as fields,
    or has an ``__init__`` that stores them; it overrides one method, :meth:`hidden_layers`.
    ``examples/plot_own_network.py`` is one.

    Parameters
    ----------
    epochs : int, default=30
        Passes over the training segments.
    batch_size : int, default=32
        Segments a gradient step.
    learning_rate : float, default=0.001
        Of the Adam optimiser.
    aggregation : {"mean", "vote", "max", "geometric"}, default="mean"
        How the probabilities :math:`p_{sc}` of a track's :math:`S` segments become the
        track's; each is scaled so that the classes sum to 1.

        - ``"mean"``: :math:`\frac{1}{S} \sum_s p_{sc}`;
        - ``"vote"``: the share of segments for which :math:`c` is the most probable class;
        - ``"max"``: proportional to :math:`\max_s p_{sc}`;
        - ``"geometric"``: proportional to :math:`(\prod_s p_{sc})^{1/S}`.
    class_weight : dict or "balanced", default=None
        Weights of the classes, as in scikit-learn; multiplied with ``sample_weight``.
    early_stopping : bool, default=False
        Hold out part of the tracks, stop when the loss on them no longer falls, and go back
        to the best epoch's weights.
    validation_fraction : float, default=0.1
        Share of the tracks to hold out for early stopping: stratified, or of the groups if
        `fit` is given ``groups``.
    n_iter_no_change : int, default=10
        Epochs without a lower validation loss before stopping.
    callbacks : list of keras.callbacks.Callback, default=None
        Copied for each fit, and left out when a fitted classifier is pickled.
    warm_start : bool, default=False
        Whether a further call of `fit` goes on from the weights of the one before, and, unless
        that was stopped early, from its optimiser's state.
    random_state : int, RandomState instance or None, default=None
        Seeds first weights, dropout, shuffling and the held-out part. An int gives the same
        fitted model again, in this process and another of as many TensorFlow threads.
        Global generators are never touched.
    verbose : int, default=0
        Keras' verbosity while fitting.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Weighted share of each class among the training tracks; the answer for a track that
        has no segment.
    architecture_ : Architecture
        Layers with their shapes and parameter counts.
    weights_ : list of ndarray
        Trained weights, layer by layer.
    history_ : dict of str to list of float
        ``loss`` and ``accuracy`` of each epoch over the training segments; ``val_loss`` and
        ``val_accuracy`` over the held-out ones if there are any. `partial_fit` and warm starts
        append to it.
    n_iter_ : int
        Epochs trained, those of earlier calls that were gone on from included.
    n_features_in_ : int
        Coefficients a frame: the last axis of the input.

    Notes
    -----
    Input is a track tensor ``(n_tracks, n_segments, n_frames, n_coefficients)`` whose missing
    segments are all NaN, or ``(n_samples, n_frames, n_coefficients)``, one segment a sample,
    or a table ``(n_samples, n_features)``, one frame a sample.

    Networks train in Keras and answer in NumPy: a fitted classifier holds arrays only, and
    predicts where TensorFlow is not installed.
    """

    epochs: int = 30
    batch_size: int = 32
    learning_rate: float = 0.001
    aggregation: str = "mean"
    class_weight: dict | str | None = None
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    callbacks: list | tuple | None = None
    warm_start: bool = False
    random_state: int | np.random.RandomState | None = None
    verbose: int = 0

    # `groups` draws the held-out part. Asked for by default, so that a grouped search with
    # metadata routing does not fail in every fit.
    __metadata_request__fit: ClassVar = {"groups": True}

    _parameter_constraints: ClassVar[dict] = {
        "epochs": [_AT_LEAST_1],
        "batch_size": [_AT_LEAST_1],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "aggregation": [StrOptions({"mean", "vote", "max", "geometric"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [_AT_LEAST_1],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def hidden_layers(self, input_shape: tuple[int, int]) -> list[Layer]:
        """List the layers between a segment and the output; the one method to override.

        Parameters
        ----------
        input_shape : tuple (n_frames, n_coefficients)
            Shape of one segment.

        Returns
        -------
        layers : list of Layer
            From :mod:`skgenre.layers`. Their output must be flat; a softmax over the classes
            is put behind it.
        """
        raise TypeError(
            f"{type(self).__name__} has no layers: override hidden_layers(input_shape), or use "
            "ANNClassifier, CNNClassifier or LSTMClassifier"
        )

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, groups=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Or of three or two axes, see the class.
        y : array-like of shape (n_tracks,)
            Class labels.
        sample_weight : array-like of shape (n_tracks,), default=None
            Weights of the tracks, shared among a track's segments. Tracks of weight zero are
            left out.
        groups : array-like of shape (n_tracks,), default=None
            Groups, such as artists, that early stopping keeps on one side.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For fewer than two classes, a segment that is partly NaN, no track with a
            segment, or a held-out part that cannot be drawn.

        Warns
        -----
        UserWarning
            If tracks have no segment; they are left out.
        """
        resume = self.warm_start and hasattr(self, "weights_")
        X, y = check_tensor(self, X, y, reset=not resume)
        check_classification_targets(y)
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(
                f"y holds only one class, {classes.tolist()[0]!r}: a classifier needs at least two"
            )
        if resume and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start goes on with the classes of the earlier fit, {self.classes_}, but y "
                f"holds {classes}; use warm_start=False"
            )
        self.classes_ = classes
        self._class_weights_seen = np.zeros(len(classes))
        return self._fit(
            X,
            y,
            sample_weight,
            epochs=self.epochs,
            resume=resume,
            early_stopping=self.early_stopping,
            groups=groups,
            keep_state=self.warm_start,
        )

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch, going on from the earlier call with the optimiser's state.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Or of three or two axes, see the class.
        y : array-like of shape (n_tracks,)
            Class labels.
        classes : array-like of shape (n_classes,), default=None
            All classes that will come; needed in the first call.
        sample_weight : array-like of shape (n_tracks,), default=None
            Weights of the tracks.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For labels or `classes` other than those of the first call, and with
            ``early_stopping`` or ``class_weight="balanced"``, which need all tracks at once.
        """
        if self.early_stopping or self.class_weight == "balanced":
            raise ValueError(
                "partial_fit sees a part of the tracks and supports neither early_stopping=True "
                "nor class_weight='balanced'; pass class_weight as a dict, or use fit"
            )
        resume = hasattr(self, "weights_")
        if _check_partial_fit_first_call(self, classes) or not resume:
            self._class_weights_seen = np.zeros(len(self.classes_))
        X, y = check_tensor(self, X, y, reset=not resume)
        check_classification_targets(y)
        new = np.setdiff1d(y, self.classes_)
        if len(new):
            raise ValueError(
                f"y holds {new}, which are not among the classes of the first call, {self.classes_}"
            )
        return self._fit(
            X,
            y,
            sample_weight,
            epochs=1,
            resume=resume,
            early_stopping=False,
            keep_state=True,
        )

    def _fit(self, X, y, sample_weight, *, epochs, resume, early_stopping, keep_state, groups=None):
        """Train from new weights or, to `resume`, from those of the earlier call."""
        weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True, copy=True
        )
        if self.class_weight is not None:
            weight *= compute_sample_weight(self.class_weight, y)
        X = as_tensor(X)
        y = np.searchsorted(self.classes_, y)
        mask = segment_mask(X)
        tracks = self._usable_tracks(mask, weight)
        random_state = check_random_state(self.random_state)
        training, validation = tracks, None
        if early_stopping:
            training, validation = self._hold_out(tracks, y, groups, random_state)

        architecture = self._architecture(X.shape[2:], len(self.classes_))
        if resume and architecture != self.architecture_:
            raise ValueError(
                "The network of the earlier fit cannot be trained further: the shape of X or a "
                "size of the network has changed. Use warm_start=False, or a new estimator."
            )
        self.architecture_ = architecture
        history = self.history_ if resume else {}
        n_epochs = len(history.get("loss", ()))

        if _forked_with_tensorflow:
            raise RuntimeError(
                "This process was forked from one in which TensorFlow was loaded. Its threads do "
                "not run here, and training would hang. Use joblib's default backend instead of "
                "multiprocessing: joblib.parallel_config(backend='loky'), or 'threading'."
            )
        # Imported here since it takes seconds: answering needs none of it.
        from .training import train

        trained = train(
            architecture,
            spread(X, mask, training, y, weight),
            None if validation is None else spread(X, mask, validation, y, weight),
            # With the epochs before, or else an int would shuffle each further call alike.
            seed=[random_state.randint(np.iinfo(np.int32).max), n_epochs],
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            patience=self.n_iter_no_change if early_stopping else None,
            weights=self.weights_ if resume else None,
            state=self._state if resume else None,
            callbacks=copy.deepcopy(self.callbacks) or (),
            verbose=self.verbose,
        )
        self.weights_ = trained.weights
        # Early stopping has gone back to weights that the optimiser's state is not of.
        self._state = trained.state if keep_state and not early_stopping else None
        self.history_ = {
            name: history.get(name, []) + trained.history[name] for name in trained.history
        }
        self.n_iter_ = len(self.history_["loss"])
        self._class_weights_seen += np.bincount(y[tracks], weight[tracks], len(self.classes_))
        self.class_prior_ = self._class_weights_seen / self._class_weights_seen.sum()
        return self

    def _usable_tracks(self, mask, weight) -> np.ndarray:
        """Find the tracks that have a segment and a weight."""
        has_segment = mask.any(axis=1)
        missing = np.flatnonzero(~has_segment)
        tracks = np.flatnonzero(has_segment & (weight > 0))
        if not len(tracks):
            raise ValueError(
                "There is nothing to train on: "
                + ("no track has a segment." if len(missing) == len(mask) else "")
                + ("all weights are zero." if not weight.any() else "")
            )
        if len(missing):
            warnings.warn(
                f"{len(missing)} of {len(mask)} tracks have no segment and are left out of fit: "
                f"{_indices(missing)}",
                UserWarning,
                stacklevel=3,
            )
        return tracks

    def _hold_out(self, tracks, y, groups, random_state) -> tuple[np.ndarray, np.ndarray]:
        """Split tracks into those to train on and those to stop by."""
        labels = y[tracks]
        seed = random_state.randint(np.iinfo(np.int32).max)
        if groups is None:
            try:
                return tuple(
                    train_test_split(
                        tracks,
                        test_size=self.validation_fraction,
                        stratify=labels,
                        random_state=seed,
                    )
                )
            except ValueError as error:
                raise ValueError(
                    f"early_stopping cannot hold out validation_fraction="
                    f"{self.validation_fraction} of {len(tracks)} tracks, stratified: {error} "
                    "Use more tracks, a larger fraction, or early_stopping=False."
                ) from error
        check_consistent_length(y, groups)
        groups = np.asarray(groups)[tracks]
        n_groups = len(np.unique(groups))
        if n_groups < 2:
            raise ValueError(
                f"early_stopping holds out whole groups and there is only {n_groups}; use "
                "early_stopping=False or leave groups out."
            )
        # The share is that of one fold; more folds than groups or tracks a class make none.
        n_splits = min(max(2, round(1 / self.validation_fraction)), n_groups)
        splitter = StratifiedGroupKFold(
            max(2, min(n_splits, np.bincount(labels).max())), shuffle=True, random_state=seed
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class in y has only")
            training, validation = next(splitter.split(tracks, labels, groups))
        return tracks[training], tracks[validation]

    def _architecture(self, input_shape, n_classes: int) -> Architecture:
        layers = self.hidden_layers(tuple(input_shape))
        architecture = Architecture(tuple(input_shape), (*layers, Dense(n_classes, "softmax")))
        if architecture.shapes[-1] != (n_classes,):
            raise ValueError(
                f"The layers of {type(self).__name__} end in shape {architecture.shapes[-2]}; "
                "put a Flatten layer last, or an LSTM that does not return sequences."
            )
        return architecture

    def predict_segments_proba(self, X):
        """Class probabilities of each segment: how the genre goes over a track's time.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Frames and coefficients as in `fit`; the number of segments is free.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_segments, n_classes)
            NaN where a segment does not exist.
        """
        return self._predict_segments_proba(X)[0]

    def _predict_segments_proba(self, X) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self, "weights_")
        X = as_tensor(check_tensor(self, X, reset=False))
        if X.shape[2:] != self.architecture_.input_shape:
            raise ValueError(
                f"X has segments of {X.shape[2]} frames, but {type(self).__name__} was fitted on "
                f"{self.architecture_.input_shape[0]}."
            )
        mask = segment_mask(X)
        proba = np.full((*mask.shape, len(self.classes_)), np.nan)
        tracks, segments = np.nonzero(mask)
        step = 16 * inference.BLOCK_SEGMENTS  # so that no copy of all segments is made
        for start in range(0, len(tracks), step):
            where = tracks[start : start + step], segments[start : start + step]
            proba[where] = inference.predict_proba(
                self.architecture_, self.weights_, X[where].astype(np.float32, copy=False)
            )
        return proba, mask

    def predict_proba(self, X):
        """Class probabilities of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Frames and coefficients as in `fit`; the number of segments is free.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_classes)
            In the order of ``classes_``.

        Warns
        -----
        UserWarning
            If tracks have no segment; their row is the class prior.
        """
        proba, mask = self._predict_segments_proba(X)
        exists = mask.any(axis=1)
        out = np.tile(self.class_prior_, (len(mask), 1))
        out[exists] = fold(proba[exists], mask[exists], self.aggregation)
        if not exists.all():
            missing = np.flatnonzero(~exists)
            warnings.warn(
                f"{len(missing)} of {len(mask)} tracks have no segment and get the class prior: "
                f"{_indices(missing)}",
                UserWarning,
                stacklevel=2,
            )
        return out

    def predict(self, X):
        """Tell the most probable class of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            As in `predict_proba`.

        Returns
        -------
        labels : ndarray of shape (n_tracks,)
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def summary(self, print_fn=print) -> None:
        """Print the layers of the fitted network with their shapes and parameter counts.

        Parameters
        ----------
        print_fn : callable, default=print
            Takes the lines of the table, one at a time.
        """
        check_is_fitted(self, "weights_")
        rows = list(self.architecture_.summary())
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        rule = "=" * (sum(widths) + 4)
        head, *rows = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        total = self.architecture_.count_parameters()
        trainable = self.architecture_.count_parameters(trainable_only=True)
        for line in (
            *(head, rule, *rows, rule),
            f"Total params: {total:,}",
            f"Trainable params: {trainable:,}",
            f"Non-trainable params: {total - trainable:,}",
        ):
            print_fn(line)

    def _repr_html_inner(self) -> str:
        """Return scikit-learn's picture and, once fitted, the layers of the network."""
        html = super()._repr_html_inner()
        if not hasattr(self, "weights_"):
            return html
        head, *rows = (
            "".join(f"<td style='text-align:left'>{escape(cell)}</td>" for cell in row)
            for row in self.architecture_.summary()
        )
        rows = "".join(f"<tr>{row}</tr>" for row in rows)
        total = self.architecture_.count_parameters()
        return (
            f"{html}<details><summary>{len(self.architecture_.layers)} layers, {total:,} "
            f"parameters</summary><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>"
            "</table></details>"
        )

    def to_keras(self):
        """Make a stand-alone Keras model with the trained weights.

        Returns
        -------
        model : keras.Model
            Over segments ``(n, n_frames, n_coefficients)``, not aggregated to tracks, not
            compiled. It shares nothing with this classifier.
        """
        check_is_fitted(self, "weights_")
        from .training import build_keras

        return build_keras(self.architecture_, self.weights_)

    def __getstate__(self):
        state = super().__getstate__()
        if "weights_" in state:
            # Keras objects, of no use for answering; an unfitted copy that goes to a worker
            # needs them.
            state = {**state, "callbacks": None}
        return state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _indices(indices: np.ndarray, most: int = 20) -> str:
    shown = ", ".join(map(str, indices[:most]))
    return f"tracks {shown}" + (", ..." if len(indices) > most else "")


def _sizes(name: str, sizes) -> tuple[int, ...]:
    """Validate a parameter that is a sequence of sizes, one a layer."""
    iterable = np.iterable(sizes) and not isinstance(sizes, str)
    if not iterable or not len(sizes) or not all(isinstance(n, Integral) and n > 0 for n in sizes):
        raise ValueError(
            f"{name}={sizes!r} must be a sequence of sizes of at least 1, one a layer: (64,), say"
        )
    return tuple(int(n) for n in sizes)


_DROPOUT = Interval(Real, 0, 1, closed="left")


@_network
class ANNClassifier(SegmentClassifier):
    """Dense network over all frames of a segment at once.

    Parameters
    ----------
    hidden_units : sequence of int, default=(512, 256, 64)
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
    classes_, class_prior_, architecture_, weights_, history_, n_iter_, n_features_in_
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

    hidden_units: Sequence[int] = (512, 256, 64)
    dropout: float = 0.3
    l2: float = 0.001
    epochs: int = 50

    _parameter_constraints: ClassVar[dict] = {
        **SegmentClassifier._parameter_constraints,
        "hidden_units": ["array-like"],
        "dropout": [_DROPOUT],
        "l2": [Interval(Real, 0, None, closed="left")],
    }

    def hidden_layers(self, input_shape: tuple[int, int]) -> list[Layer]:
        units = _sizes("hidden_units", self.hidden_units)
        return ann_layers(units, float(self.dropout), float(self.l2))


@_network
class CNNClassifier(SegmentClassifier):
    """Convolutional network over the frames and coefficients of a segment.

    Parameters
    ----------
    filters : sequence of int, default=(32, 32, 32)
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
    classes_, class_prior_, architecture_, weights_, history_, n_iter_, n_features_in_
        See :class:`SegmentClassifier`.

    Notes
    -----
    At the defaults, on segments of 130 x 13 and ten genres, it is the published network of
    45,514 parameters, 45,322 of them trainable.

    Batch normalisation answers with running means that move by a hundredth each step (Keras'
    momentum of 0.99), so it takes some hundreds of steps until they have settled: with few
    tracks, take smaller batches or more epochs.
    """

    filters: Sequence[int] = (32, 32, 32)
    dense_units: int = 64
    dropout: float = 0.3

    _parameter_constraints: ClassVar[dict] = {
        **SegmentClassifier._parameter_constraints,
        "filters": ["array-like"],
        "dense_units": [_AT_LEAST_1],
        "dropout": [_DROPOUT],
    }

    def hidden_layers(self, input_shape: tuple[int, int]) -> list[Layer]:
        filters = _sizes("filters", self.filters)
        return cnn_layers(input_shape, filters, int(self.dense_units), float(self.dropout))


@_network
class LSTMClassifier(SegmentClassifier):
    """Recurrent network over the frames of a segment.

    Parameters
    ----------
    units : sequence of int, default=(64, 64)
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
    classes_, class_prior_, architecture_, weights_, history_, n_iter_, n_features_in_
        See :class:`SegmentClassifier`.

    Notes
    -----
    At the defaults, on segments of 130 x 13 and ten genres, it is the published network of
    57,802 parameters.
    """

    units: Sequence[int] = (64, 64)
    dense_units: int = 64
    dropout: float = 0.3

    _parameter_constraints: ClassVar[dict] = {
        **SegmentClassifier._parameter_constraints,
        "units": ["array-like"],
        "dense_units": [_AT_LEAST_1],
        "dropout": [_DROPOUT],
    }

    def hidden_layers(self, input_shape: tuple[int, int]) -> list[Layer]:
        units = _sizes("units", self.units)
        return lstm_layers(units, int(self.dense_units), float(self.dropout))
