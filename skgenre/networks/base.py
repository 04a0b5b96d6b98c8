"""The base of the networks: a scikit-learn classifier from tracks to genres."""

from __future__ import annotations

import copy
from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from .._sklearn import (
    Interval,
    StrOptions,
    _check_partial_fit_first_call,
    _check_sample_weight,
    _fit_context,
)
from .._warnings import warn
from ..tensor import as_tensor, check_tensor, list_tracks, segment_mask
from .batches import Segments
from .holdout import hold_out
from .layers import Architecture, Dense, Layer
from .prediction import Prediction
from .process import configure_tensorflow, refuse_forks

AT_LEAST_1 = Interval(Integral, 1, None, closed="left")


class SegmentClassifier(Prediction, ClassifierMixin, BaseEstimator):
    r"""Base of the networks; subclass it for an architecture of your own.

    A subclass overrides one method, :meth:`hidden_layers`. Parameters of its own, and those of
    the base that it wants to show, go into an ``__init__`` that stores them, as in any
    scikit-learn estimator; ``examples/plot_own_network.py`` is one.

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

    # `groups` draws the held-out part. Asked for by default, so that a grouped search with
    # metadata routing does not fail in every fit.
    __metadata_request__fit: ClassVar = {"groups": True}

    _parameter_constraints: ClassVar[dict] = {
        "epochs": [AT_LEAST_1],
        "batch_size": [AT_LEAST_1],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "aggregation": [StrOptions({"mean", "vote", "max", "geometric"})],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [AT_LEAST_1],
        "callbacks": [list, tuple, None],
        "warm_start": ["boolean"],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        epochs: int = 30,
        batch_size: int = 32,
        learning_rate: float = 0.001,
        aggregation: str = "mean",
        class_weight: dict | str | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        callbacks: list | tuple | None = None,
        warm_start: bool = False,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.aggregation = aggregation
        self.class_weight = class_weight
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

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
    def fit(self, X, y, sample_weight=None, *, groups=None) -> Self:
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
    def partial_fit(self, X, y, classes=None, sample_weight=None) -> Self:
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

        refuse_forks()
        configure_tensorflow()
        # Imported here since it takes seconds: prediction needs none of it.
        from .training import train

        trained = train(
            architecture,
            Segments.of(X, mask, training, y, weight),
            None if validation is None else Segments.of(X, mask, validation, y, weight),
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
            warn(
                f"{len(missing)} of {len(mask)} tracks have no segment and are left out of fit: "
                f"{list_tracks(missing)}"
            )
        return tracks

    def _hold_out(self, tracks, y, groups, random_state) -> tuple[np.ndarray, np.ndarray]:
        seed = random_state.randint(np.iinfo(np.int32).max)
        if groups is not None:
            check_consistent_length(y, groups)
            groups = np.asarray(groups)[tracks]
        return hold_out(tracks, y[tracks], groups, fraction=self.validation_fraction, seed=seed)

    def _architecture(self, input_shape, n_classes: int) -> Architecture:
        layers = self.hidden_layers(tuple(input_shape))
        architecture = Architecture(tuple(input_shape), (*layers, Dense(n_classes, "softmax")))
        if architecture.shapes[-1] != (n_classes,):
            raise ValueError(
                f"The layers of {type(self).__name__} end in shape {architecture.shapes[-2]}; "
                "put a Flatten layer last, or an LSTM that does not return sequences."
            )
        return architecture

    def __getstate__(self):
        state = super().__getstate__()
        if "weights_" in state:
            # Keras objects, not needed for prediction; an unfitted copy in a worker needs them.
            state = {**state, "callbacks": None}
        return state

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
