"""Base class of the neural networks."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from numbers import Real
from typing import ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length

from .._checks import AT_LEAST_1, check_groups, check_two_classes
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
from .fitting import join_histories, weigh_tracks, with_output
from .holdout import hold_out
from .layers import Layer
from .prediction import Prediction
from .process import configure_tensorflow, refuse_forks
from .recipe import NO_AUGMENTATION, PUBLISHED, Augmentation, Recipe

logger = logging.getLogger("skgenre")


class NetworkClassifier(WithCallbacks, Prediction, ClassifierMixin, BaseEstimator):
    r"""Base class of the networks.

    To define a custom architecture, derive from this class and override :meth:`hidden_layers`.
    To add parameters, define ``__init__`` and store each argument unchanged as an attribute, as in
    any scikit-learn estimator. See ``examples/extend/plot_own_network.py`` for an example.

    Parameters
    ----------
    epochs : int, default=30
        Number of passes over the training segments.
    batch_size : int, default=32
        Number of segments per gradient step.
    learning_rate : float, default=0.001
        Learning rate of the Adam optimizer.
    aggregation : {"mean", "vote", "max", "geometric"}, default="mean"
        How the class probabilities :math:`p_{sc}` of the :math:`S` segments of a track are
        combined into the probabilities of the track. The result is normalized to sum to 1.

        - ``"mean"``: :math:`\frac{1}{S} \sum_s p_{sc}`;
        - ``"vote"``: the fraction of segments for which :math:`c` is the most probable class;
        - ``"max"``: proportional to :math:`\max_s p_{sc}`;
        - ``"geometric"``: proportional to :math:`(\prod_s p_{sc})^{1/S}`.
    class_weight : dict or "balanced", default=None
        Weights associated with the classes, as in scikit-learn. They are multiplied with
        ``sample_weight``. If None, all classes have weight 1.
    early_stopping : bool, default=False
        Whether to stop training when the loss on held-out tracks stops decreasing, and to
        restore the weights of the best epoch.
    validation_fraction : float, default=None
        Fraction of the tracks to hold out and to evaluate after each epoch. The split is
        stratified by class; if `fit` is called with ``groups``, whole groups are held out.
        With ``early_stopping=False``, the results are recorded in ``history_`` and passed to the
        callbacks, but do not otherwise affect training. If None, the fraction is 0.1 with
        ``early_stopping=True``; otherwise, no tracks are held out.
    n_iter_no_change : int, default=10
        Number of epochs without a lower validation loss after which early stopping ends the
        training.
    callbacks : list of keras.callbacks.Callback, or callable, default=None
        Keras callbacks. A list is deep-copied for each fit, including the objects to which the
        callbacks refer. A callable takes no arguments and returns such a list; it is called
        once per fit and its result is not copied. Callbacks are not pickled with a fitted
        classifier.
    warm_start : bool, default=False
        Whether to reuse the weights of the previous call of `fit` as initialization. The state
        of the optimizer is also reused, unless the previous call used ``early_stopping=True`` or
        ``warm_start=False``.
    random_state : int, RandomState instance or None, default=None
        Controls weight initialization, dropout, shuffling and the selection of held-out
        tracks. Pass an int for reproducible results across calls and processes, provided that the
        number of TensorFlow threads is the same. If None, NumPy's global random number generator
        is used.
    verbose : int, default=0
        Verbosity of Keras during training.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels, sorted.
    class_prior_ : ndarray of shape (n_classes,)
        Weighted fraction of the training tracks in each class. It is the prediction for tracks
        without segments.
    architecture_ : Architecture
        Layers of the network with their shapes and parameter counts.
    weights_ : list of ndarray
        Trained weights, layer by layer.
    history_ : dict of str to list of float
        ``loss`` and ``accuracy`` of each epoch on the training segments, and ``val_loss`` and
        ``val_accuracy`` on the held-out segments, if any. Calls of `partial_fit` and warm starts
        append to these lists. The validation values are NaN for epochs without held-out tracks.
    callbacks_ : list of keras.callbacks.Callback
        Callbacks used by the last fit, detached from the Keras model. Not pickled.
    n_iter_ : int
        Total number of epochs. Includes the epochs of earlier calls of `partial_fit` and of
        earlier fits that were continued with ``warm_start=True``.
    n_features_in_ : int
        Number of coefficients per frame, the size of the last axis of `X`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen during `fit`. Defined only when `X` is a table whose column
        names are all strings.

    See Also
    --------
    ANNClassifier : Fully connected network.
    CNNClassifier : Convolutional network over MFCCs.
    LSTMClassifier : Recurrent network over MFCCs.
    MelCNNClassifier : Convolutional network over log-mel spectrograms.

    Notes
    -----
    The input is one of

    - a tensor of shape ``(n_tracks, n_segments, n_frames, n_coefficients)``, in which missing
      segments are all NaN;
    - an array of shape ``(n_samples, n_frames, n_coefficients)``, with one segment per sample;
    - a table of shape ``(n_samples, n_features)``, with one frame per sample.

    Networks are trained with Keras and predict with ONNX Runtime. A fitted classifier holds only
    arrays, so that prediction does not require TensorFlow.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import NetworkClassifier
    >>> from skgenre.layers import Flatten
    >>> class LinearNetwork(NetworkClassifier):
    ...     def hidden_layers(self, input_shape):
    ...         return [Flatten()]
    >>> X = np.random.default_rng(0).normal(size=(6, 2, 4, 3))
    >>> y = ["blues", "jazz"] * 3
    >>> clf = LinearNetwork(epochs=2, random_state=0).fit(X, y)
    >>> clf.architecture_.count_parameters()
    26
    """

    history_: dict[str, list[float]]
    _state: list[np.ndarray] | None
    _class_weights_seen: np.ndarray

    # Request `groups` by default. Otherwise, a search with groups fails if metadata routing is
    # enabled.
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
        """Return the hidden layers of the network. Subclasses override this method.

        Parameters
        ----------
        input_shape : tuple of int (n_frames, n_coefficients)
            Shape of one segment.

        Returns
        -------
        layers : list of Layer
            Layers from :mod:`skgenre.layers`. The output of the last one must be
            one-dimensional; a dense layer with softmax activation is appended to it.
        """
        raise TypeError(
            f"{type(self).__name__} does not define any layers: override "
            "hidden_layers(input_shape), or use ANNClassifier, CNNClassifier, LSTMClassifier or "
            "MelCNNClassifier."
        )

    def _recipe(self) -> Recipe:
        """Return the settings of the loss and the optimizer."""
        return PUBLISHED

    def _augmentation(self) -> Augmentation:
        """Return the augmentation of the training segments."""
        return NO_AUGMENTATION

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, *, groups=None) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Training data. Arrays with three or two axes are also accepted, see the notes on the
            class.
        y : array-like of shape (n_tracks,)
            Class labels.
        sample_weight : array-like of shape (n_tracks,), default=None
            Weights of the tracks. The weight of a track is divided among its segments. Tracks
            with weight zero are ignored.
        groups : array-like of shape (n_tracks,), default=None
            Group labels, such as artists, for the selection of the held-out tracks. All tracks of
            a group are either used for training or held out. The searches and cross-validation
            functions of scikit-learn pass their groups to this method only if metadata routing is
            enabled: ``sklearn.set_config(enable_metadata_routing=True)``.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If there are fewer than two classes, a segment is partly NaN, no track has a segment,
            tracks cannot be held out as requested, or the trained weights are not finite. The
            state of an earlier fit is then unchanged.

        Warns
        -----
        UserWarning
            If tracks without segments are ignored.
        """
        # Work on a copy, so that a fit that fails or is interrupted does not change `self`.
        fitted = copy.copy(self)
        resume = self.warm_start and hasattr(self, "weights_")
        X, y = check_tensor(fitted, X, y, reset=not resume)
        check_consistent_length(X, y)
        groups = None if groups is None else check_groups(groups, len(X))
        check_classification_targets(y)
        classes = np.unique(y)
        check_two_classes("y", classes)
        if resume and not np.array_equal(classes, self.classes_):
            raise ValueError(
                f"warm_start=True requires the classes of the previous fit, {self.classes_}; got "
                f"{classes}. Use warm_start=False to train a new network."
            )
        fraction = self.validation_fraction
        if fraction is None and self.early_stopping:
            fraction = 0.1
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
        """Train the network for one epoch, continuing from the previous call.

        The weights and the state of the optimizer are kept between calls.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Training data. Arrays with three or two axes are also accepted, see the notes on the
            class.
        y : array-like of shape (n_tracks,)
            Class labels.
        classes : array-like of shape (n_classes,), default=None
            All classes that can occur in any call. Required in the first call, optional in
            subsequent calls.
        sample_weight : array-like of shape (n_tracks,), default=None
            Weights of the tracks.

        Returns
        -------
        self : object
            Fitted estimator.

        Raises
        ------
        ValueError
            If `classes` differs from the first call, `y` contains other labels, or there are
            fewer than two classes. ``early_stopping``, ``validation_fraction`` and
            ``class_weight="balanced"`` require all tracks at once and are not supported.
        """
        if self.early_stopping or self.validation_fraction or self.class_weight == "balanced":
            raise ValueError(
                "partial_fit supports neither early_stopping=True nor validation_fraction nor "
                "class_weight='balanced', which require all tracks at once. Pass class_weight as "
                "a dict, or use fit."
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
                f"y contains {new}, which are not among the classes of the first call, "
                f"{fitted.classes_}."
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
        """Train the network, starting from the current weights if `resume` is True.

        If `epochs` is None, as in `partial_fit`, the network is trained for one epoch, and the
        total number of epochs is unknown.
        """
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
                self.classes_[y[tracks]],
                None if groups is None else groups[tracks],
                fraction=validation_fraction,
                seed=random_state.randint(np.iinfo(np.int32).max),
            )

        hidden = self.hidden_layers(X.shape[2:])
        architecture = with_output(hidden, X.shape[2:], len(self.classes_), type(self).__name__)
        if resume and architecture != self.architecture_:
            raise ValueError(
                "Training cannot be continued: the shape of X or a size of the network differs "
                "from the previous fit. Use warm_start=False, or a new estimator."
            )
        history = self.history_ if resume else {}
        n_epochs = len(history.get("loss", ()))
        callbacks = make_callbacks(self.callbacks)

        refuse_forks()
        configure_tensorflow()
        # Imports TensorFlow, which takes seconds and is not needed for prediction.
        from .training import train

        start = time.perf_counter()
        trained = train(
            architecture,
            Segments.of(X, mask, training, y, weight, self._augmentation()),
            None if validation is None else Segments.of(X, mask, validation, y, weight),
            # If random_state is an int, its draws are the same in each call. The number of
            # previous epochs is included so that each call of partial_fit shuffles differently.
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
            "%s: trained on %d segments in %.2f s (epochs: %d)",
            type(self).__name__,
            mask[training].sum(),
            time.perf_counter() - start,
            len(trained.history["loss"]),
        )
        if not all(np.isfinite(weights).all() for weights in trained.weights):
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large "
                "values and need to be preprocessed, for example with SegmentScaler. Otherwise, "
                f"decrease the learning_rate ({self.learning_rate})."
            )
        self.architecture_ = architecture
        self.callbacks_ = callbacks
        self.weights_ = trained.weights
        # After early stopping, the state of the optimizer does not match the weights, which were
        # restored from an earlier epoch.
        self._state = trained.state if keep_state and not early_stopping else None
        self.history_ = join_histories(history, trained.history)
        self.n_iter_ = len(self.history_["loss"])
        # Do not modify the array in place, since copies of the estimator share it.
        self._class_weights_seen = self._class_weights_seen + np.bincount(
            y[tracks], weight[tracks], len(self.classes_)
        )
        self.class_prior_ = self._class_weights_seen / self._class_weights_seen.sum()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags
