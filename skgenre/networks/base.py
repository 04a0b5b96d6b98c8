"""The base of the networks: a scikit-learn classifier from tracks to genres."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from numbers import Integral, Real
from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from .._sklearn import (
    Interval,
    StrOptions,
    _check_partial_fit_first_call,
    _check_sample_weight,
    _fit_context,
)
from ..tensor import AGGREGATIONS, as_tensor, check_tensor, segment_mask
from .batches import Segments
from .callbacks import WithCallbacks, make_callbacks
from .fitting import check_two_classes, join_histories, weigh_tracks, with_output
from .holdout import hold_out, warn_of_forgotten_groups
from .layers import Layer
from .prediction import Prediction
from .process import configure_tensorflow, refuse_forks
from .recipe import NO_AUGMENTATION, PUBLISHED, Augmentation, Recipe

logger = logging.getLogger("skgenre")

AT_LEAST_1 = Interval(Integral, 1, None, closed="left")


class SegmentClassifier(WithCallbacks, Prediction, ClassifierMixin, BaseEstimator):
    r"""Base of the networks; subclass it for an architecture of your own.

    A subclass overrides one method, :meth:`hidden_layers`. Parameters of its own, and those of
    the base that it wants to show, go into an ``__init__`` that stores them, as in any
    scikit-learn estimator; ``examples/extend/plot_own_network.py`` is one.

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
        Stop when the loss on held-out tracks no longer falls, and go back to the best epoch's
        weights.
    validation_fraction : float, default=None
        Share of the tracks to hold out and to measure on after each epoch: stratified, and in
        whole groups if `fit` is given ``groups``. With ``early_stopping=False`` they are
        watched only. None holds out 0.1 for early stopping, and nothing without it.
    n_iter_no_change : int, default=10
        Epochs without a lower validation loss before early stopping.
    callbacks : list of keras.callbacks.Callback, or callable, default=None
        A list is deep-copied for each fit, and so is what its callbacks refer to. A function
        without arguments that returns such a list is called once for each fit, and what it
        returns is used as it is. Left out when a fitted classifier is pickled.
    warm_start : bool, default=False
        Whether a further call of `fit` starts from the weights of the one before, and, unless
        that was stopped early, from its optimiser's state.
    random_state : int, RandomState instance or None, default=None
        Seeds first weights, dropout, shuffling and the held-out part. An int gives the same
        fitted model again, in this process and another of as many TensorFlow threads, and
        leaves the global generators alone. None draws from NumPy's global generator, as in
        scikit-learn.
    verbose : int, default=0
        Keras' verbosity while fitting.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Weighted share of each class among the training tracks; the prediction for a track
        that has no segment.
    architecture_ : Architecture
        Layers with their shapes and parameter counts.
    weights_ : list of ndarray
        Trained weights, layer by layer.
    history_ : dict of str to list of float
        ``loss`` and ``accuracy`` of each epoch over the training segments; ``val_loss`` and
        ``val_accuracy`` over the held-out ones if there are any. `partial_fit` and warm starts
        append to it; NaN stands for epochs in which no tracks were held out.
    callbacks_ : list of keras.callbacks.Callback
        Those that the last fit used, without their reference to the network. Not pickled.
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

    history_: dict[str, list[float]]
    _state: list[np.ndarray] | None
    _class_weights_seen: np.ndarray

    # `groups` draws the held-out part. Asked for by default, so that a grouped search with
    # metadata routing does not fail in every fit.
    __metadata_request__fit: ClassVar = {"groups": True}

    _parameter_constraints: ClassVar[dict] = {
        "epochs": [AT_LEAST_1],
        "batch_size": [AT_LEAST_1],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "aggregation": [StrOptions(set(AGGREGATIONS))],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither"), None],
        "n_iter_no_change": [AT_LEAST_1],
        "callbacks": [list, tuple, callable, None],
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
        validation_fraction: float | None = None,
        n_iter_no_change: int = 10,
        callbacks: list | tuple | Callable[[], list] | None = None,
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
            "ANNClassifier, CNNClassifier, LSTMClassifier or MelCNNClassifier"
        )

    def _recipe(self) -> Recipe:
        """Choose loss and optimiser."""
        return PUBLISHED

    def _augmentation(self) -> Augmentation:
        """Choose what is done to training segments."""
        return NO_AUGMENTATION

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
            Groups, such as artists, of which none is both trained on and held out.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For fewer than two classes, a segment that is partly NaN, no track with a
            segment, a held-out part that cannot be drawn, or trained weights that are not
            finite. An earlier fit is then left as it was.

        Warns
        -----
        UserWarning
            If tracks have no segment; they are left out. If the folds of a search are drawn by
            groups that do not reach this method; only a search in this process is noticed.
        """
        fitted = copy.copy(self)  # a fit that fails or is interrupted changes nothing
        resume = self.warm_start and hasattr(self, "weights_")
        X, y = check_tensor(fitted, X, y, reset=not resume)
        check_consistent_length(X, y, groups)
        check_classification_targets(y)
        classes = np.unique(y)
        check_two_classes("y", classes)
        if resume and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start goes on with the classes of the earlier fit, {self.classes_}, but y "
                f"holds {classes}; use warm_start=False"
            )
        fraction = self.validation_fraction
        if fraction is None and self.early_stopping:
            fraction = 0.1
        if fraction is not None and groups is None:
            warn_of_forgotten_groups(type(self).__name__)
        fitted.classes_ = classes
        fitted._class_weights_seen = np.zeros(len(classes))
        fitted._fit(
            X,
            y,
            sample_weight,
            resume=resume,
            epochs=self.epochs,
            validation_fraction=fraction,
            early_stopping=self.early_stopping,
            groups=groups,
            keep_state=self.warm_start,
        )
        self.__dict__ = fitted.__dict__
        return self

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
            For labels or `classes` other than those of the first call, fewer than two classes,
            and with ``early_stopping``, ``validation_fraction`` or ``class_weight="balanced"``,
            which need all tracks at once.
        """
        if self.early_stopping or self.validation_fraction or self.class_weight == "balanced":
            raise ValueError(
                "partial_fit sees a part of the tracks and supports neither early_stopping=True "
                "nor validation_fraction nor class_weight='balanced'; pass class_weight as a "
                "dict, or use fit"
            )
        fitted = copy.copy(self)
        if _check_partial_fit_first_call(fitted, classes):
            check_two_classes("classes", fitted.classes_)
            fitted._class_weights_seen = np.zeros(len(fitted.classes_))
        resume = hasattr(self, "weights_")
        X, y = check_tensor(fitted, X, y, reset=not resume)
        check_classification_targets(y)
        new = np.setdiff1d(y, fitted.classes_)
        if len(new):
            raise ValueError(
                f"y holds {new}, which are not among the classes of the first call, "
                f"{fitted.classes_}"
            )
        fitted._fit(X, y, sample_weight, resume=resume, keep_state=True)
        self.__dict__ = fitted.__dict__
        return self

    def _fit(
        self,
        X,
        y,
        sample_weight,
        *,
        resume,
        keep_state,
        epochs=None,
        validation_fraction=None,
        early_stopping=False,
        groups=None,
    ) -> None:
        """Train anew or, to `resume`, on; without `epochs` for one of an unknown number."""
        weight = _check_sample_weight(
            sample_weight, X, dtype=np.float64, ensure_non_negative=True, copy=True
        )
        X = as_tensor(X)
        y = np.searchsorted(self.classes_, y)
        mask = segment_mask(X)
        tracks, weight = weigh_tracks(y, mask, weight, self.class_weight, self.classes_)
        random_state = check_random_state(self.random_state)
        training, validation = tracks, None
        if validation_fraction is not None:
            training, validation = hold_out(
                tracks,
                y[tracks],
                None if groups is None else np.asarray(groups)[tracks],
                fraction=validation_fraction,
                seed=random_state.randint(np.iinfo(np.int32).max),
            )

        hidden = self.hidden_layers(X.shape[2:])
        architecture = with_output(hidden, X.shape[2:], len(self.classes_), type(self).__name__)
        if resume and architecture != self.architecture_:
            raise ValueError(
                "The network of the earlier fit cannot be trained further: the shape of X or a "
                "size of the network has changed. Use warm_start=False, or a new estimator."
            )
        history = self.history_ if resume else {}
        n_epochs = len(history.get("loss", ()))
        callbacks = make_callbacks(self.callbacks)

        refuse_forks()
        configure_tensorflow()
        # Imported here since it takes seconds: prediction needs none of it.
        from .training import train

        start = time.perf_counter()
        trained = train(
            architecture,
            Segments.of(X, mask, training, y, weight, self._augmentation()),
            None if validation is None else Segments.of(X, mask, validation, y, weight),
            # With the epochs before, or else an int would shuffle each further call alike.
            seed=[random_state.randint(np.iinfo(np.int32).max), n_epochs],
            epochs=epochs,
            batch_size=self.batch_size,
            learning_rate=self.learning_rate,
            recipe=self._recipe(),
            patience=self.n_iter_no_change if early_stopping else None,
            weights=self.weights_ if resume else None,
            state=self._state if resume else None,
            callbacks=callbacks,
            verbose=self.verbose,
        )
        logger.debug(
            "%s: %d epochs on %d segments in %.2f s",
            type(self).__name__,
            len(trained.history["loss"]),
            mask[training].sum(),
            time.perf_counter() - start,
        )
        if not all(np.isfinite(weights).all() for weights in trained.weights):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed, by SegmentScaler, say; or use a smaller "
                f"learning_rate than {self.learning_rate}."
            )
        self.architecture_ = architecture
        self.callbacks_ = callbacks
        self.weights_ = trained.weights
        # Early stopping has gone back to weights that the optimiser's state is not of.
        self._state = trained.state if keep_state and not early_stopping else None
        self.history_ = join_histories(history, trained.history)
        self.n_iter_ = len(self.history_["loss"])
        # Not in place, since an earlier fit that is kept may hold the same array.
        self._class_weights_seen = self._class_weights_seen + np.bincount(
            y[tracks], weight[tracks], len(self.classes_)
        )
        self.class_prior_ = self._class_weights_seen / self._class_weights_seen.sum()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
