"""The published networks: dense, convolutional and recurrent.

The shape of a segment is ``(n_frames, n_coefficients)``; convolutions add an axis of channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import ClassVar

from .. import layers as L
from .._checks import AT_LEAST_1
from .._sklearn import Interval
from .base import DROPOUT, NetworkClassifier, check_sizes


@dataclass(kw_only=True, eq=False, repr=False)
class ANNClassifier(NetworkClassifier):
    r"""Fully connected network over all frames of a segment.

    In a pipeline from paths to genres, MFCCs are centered but not scaled::

        make_pipeline(MFCCSegmenter(), SegmentScaler(with_std=False), ANNClassifier())

    Each segment is flattened into a vector, which passes through hidden layers with ReLU
    activation, L2 regularization and dropout.

    Read more in the :ref:`User Guide <neural_networks>`.

    Parameters
    ----------
    hidden_units : int or sequence of int, default=(512, 256, 64)
        Number of units of each hidden layer.
    dropout : float, default=0.3
        Dropout rate after each hidden layer.
    l2 : float, default=0.001
        L2 regularization factor of the kernels of the hidden layers.
    epochs : int, default=50
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
        With ``early_stopping=False`` the held-out tracks are only monitored. None holds out
        0.1 of the tracks if ``early_stopping=True``, and no tracks otherwise.
    n_iter_no_change : int, default=10
        Number of epochs without a lower validation loss after which early stopping ends the
        training.
    callbacks : list of keras.callbacks.Callback, or callable, default=None
        Keras callbacks. A list is deep-copied for each fit, including the objects to which the
        callbacks refer. A callable takes no arguments and returns such a list; it is called
        once per fit and its result is not copied. Pickles and copies of a fitted classifier have
        no callbacks.
    warm_start : bool, default=False
        Whether to reuse the weights of the previous call of `fit` as initialization. The state
        of the optimizer is also reused, unless the previous call used ``early_stopping=True`` or
        ``warm_start=False``.
    random_state : int, RandomState instance or None, default=None
        Controls weight initialization, dropout, shuffling and the selection of held-out
        tracks. Pass an int for reproducible results: the fitted model is then the same in any
        process with the same number of TensorFlow threads, and the global random number
        generators are not used. None uses NumPy's global generator.
    verbose : int, default=0
        If 1, show a progress bar of the epochs. If 2, Keras prints a line for each epoch.

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
        Trained weights, layer by layer. The arrays are read-only.
    history_ : dict of str to list of float
        ``loss`` and ``accuracy`` of each epoch on the training segments, and ``val_loss`` and
        ``val_accuracy`` on the held-out segments, if any. Calls of `partial_fit` and warm starts
        append to these lists; epochs without held-out tracks are NaN.
    callbacks_ : list of keras.callbacks.Callback
        Callbacks used by the last fit, detached from the Keras model. Not pickled.
    n_iter_ : int
        Number of epochs trained, including those of earlier calls when training was continued.
    n_features_in_ : int
        Number of coefficients per frame, the size of the last axis of `X`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen during `fit`. Defined only when `X` is a table whose column
        names are all strings.

    See Also
    --------
    CNNClassifier : Convolutional network.
    LSTMClassifier : Recurrent network.

    Notes
    -----
    With the default parameters, ten genres and segments of 130 frames and 13 MFCCs, this is the
    published dense network with 1,014,218 parameters.

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

    build: None = field(default=None, init=False)  # the layers are known
    build_params: None = field(default=None, init=False)
    hidden_units: int | Sequence[int] = (512, 256, 64)
    dropout: float = 0.3
    l2: float = 0.001
    epochs: int = 50

    _parameter_constraints: ClassVar[dict] = {
        **NetworkClassifier._parameter_constraints,
        "hidden_units": ["array-like", AT_LEAST_1],
        "dropout": [DROPOUT],
        "l2": [Interval(Real, 0, None, closed="left")],
    }

    def hidden_layers(self, input_shape: tuple[int, int]) -> list[L.Layer]:
        layers: list[L.Layer] = [L.Flatten()]
        for units in check_sizes("hidden_units", self.hidden_units):
            layers += [L.Dense(units, "relu", float(self.l2)), L.Dropout(float(self.dropout))]
        return layers


@dataclass(kw_only=True, eq=False, repr=False)
class CNNClassifier(NetworkClassifier):
    r"""Convolutional network over the frames and coefficients of a segment.

    In a pipeline from paths to genres, MFCCs are centered but not scaled::

        make_pipeline(MFCCSegmenter(), SegmentScaler(with_std=False), CNNClassifier())

    Each block is a convolution with ReLU activation, max pooling and batch normalization. The
    blocks are followed by a dense layer with ReLU activation and dropout.

    Read more in the :ref:`User Guide <neural_networks>`.

    Parameters
    ----------
    filters : int or sequence of int, default=(32, 32, 32)
        Number of filters of each block. Kernels are 3 x 3 in the first two blocks and 2 x 2 in
        later blocks; they are reduced to the size of their input if that is smaller.
    dense_units : int, default=64
        Number of units of the dense layer after the blocks.
    dropout : float, default=0.3
        Dropout rate after the dense layer.
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
        With ``early_stopping=False`` the held-out tracks are only monitored. None holds out
        0.1 of the tracks if ``early_stopping=True``, and no tracks otherwise.
    n_iter_no_change : int, default=10
        Number of epochs without a lower validation loss after which early stopping ends the
        training.
    callbacks : list of keras.callbacks.Callback, or callable, default=None
        Keras callbacks. A list is deep-copied for each fit, including the objects to which the
        callbacks refer. A callable takes no arguments and returns such a list; it is called
        once per fit and its result is not copied. Pickles and copies of a fitted classifier have
        no callbacks.
    warm_start : bool, default=False
        Whether to reuse the weights of the previous call of `fit` as initialization. The state
        of the optimizer is also reused, unless the previous call used ``early_stopping=True`` or
        ``warm_start=False``.
    random_state : int, RandomState instance or None, default=None
        Controls weight initialization, dropout, shuffling and the selection of held-out
        tracks. Pass an int for reproducible results: the fitted model is then the same in any
        process with the same number of TensorFlow threads, and the global random number
        generators are not used. None uses NumPy's global generator.
    verbose : int, default=0
        If 1, show a progress bar of the epochs. If 2, Keras prints a line for each epoch.

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
        Trained weights, layer by layer. The arrays are read-only.
    history_ : dict of str to list of float
        ``loss`` and ``accuracy`` of each epoch on the training segments, and ``val_loss`` and
        ``val_accuracy`` on the held-out segments, if any. Calls of `partial_fit` and warm starts
        append to these lists; epochs without held-out tracks are NaN.
    callbacks_ : list of keras.callbacks.Callback
        Callbacks used by the last fit, detached from the Keras model. Not pickled.
    n_iter_ : int
        Number of epochs trained, including those of earlier calls when training was continued.
    n_features_in_ : int
        Number of coefficients per frame, the size of the last axis of `X`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen during `fit`. Defined only when `X` is a table whose column
        names are all strings.

    See Also
    --------
    ANNClassifier : Fully connected network.
    LSTMClassifier : Recurrent network.
    MelCNNClassifier : Convolutional network over log-mel spectrograms.

    Notes
    -----
    With the default parameters, ten genres and segments of 130 frames and 13 MFCCs, this is the
    published convolutional network with 45,514 parameters, 45,322 of them trainable.

    For prediction, batch normalization uses running means, which are updated by 1 % in each
    gradient step (Keras' momentum of 0.99). They converge only after some hundreds of steps: for
    small data sets, decrease `batch_size` or increase `epochs`.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import CNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(20, 3, 12, 6))  # 20 tracks of 3 segments, 12 frames of 6 MFCCs
    >>> y = np.repeat(["blues", "jazz"], 10)
    >>> clf = CNNClassifier(filters=(4,), dense_units=8, epochs=2, random_state=0).fit(X, y)
    >>> clf.predict_proba(X).shape
    (20, 2)
    """

    build: None = field(default=None, init=False)  # the layers are known
    build_params: None = field(default=None, init=False)
    filters: int | Sequence[int] = (32, 32, 32)
    dense_units: int = 64
    dropout: float = 0.3

    _parameter_constraints: ClassVar[dict] = {
        **NetworkClassifier._parameter_constraints,
        "filters": ["array-like", AT_LEAST_1],
        "dense_units": [AT_LEAST_1],
        "dropout": [DROPOUT],
    }

    def hidden_layers(self, input_shape: tuple[int, int]) -> list[L.Layer]:
        shape: tuple[int, ...] = (*input_shape, 1)
        layers: list[L.Layer] = [L.Reshape(shape)]
        for i, n_filters in enumerate(check_sizes("filters", self.filters)):
            size = 3 if i < 2 else 2
            conv = L.Conv2D(n_filters, "relu", (min(size, shape[0]), min(size, shape[1])))
            shape = conv.output_shape(shape)
            pool = L.MaxPooling2D((min(size, shape[0]), min(size, shape[1])))
            shape = pool.output_shape(shape)
            layers += [conv, pool, L.BatchNormalization()]
        layers += [
            L.Flatten(),
            L.Dense(int(self.dense_units), "relu"),
            L.Dropout(float(self.dropout)),
        ]
        return layers


@dataclass(kw_only=True, eq=False, repr=False)
class LSTMClassifier(NetworkClassifier):
    r"""Recurrent network over the frames of a segment.

    In a pipeline from paths to genres, MFCCs are centered but not scaled::

        make_pipeline(MFCCSegmenter(), SegmentScaler(with_std=False), LSTMClassifier())

    Stacked LSTM layers are followed by a dense layer with ReLU activation and dropout.

    Read more in the :ref:`User Guide <neural_networks>`.

    Parameters
    ----------
    units : int or sequence of int, default=(64, 64)
        Number of units of each LSTM layer. All layers except the last return sequences.
    dense_units : int, default=64
        Number of units of the dense layer after the LSTM layers.
    dropout : float, default=0.3
        Dropout rate after the dense layer.
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
        With ``early_stopping=False`` the held-out tracks are only monitored. None holds out
        0.1 of the tracks if ``early_stopping=True``, and no tracks otherwise.
    n_iter_no_change : int, default=10
        Number of epochs without a lower validation loss after which early stopping ends the
        training.
    callbacks : list of keras.callbacks.Callback, or callable, default=None
        Keras callbacks. A list is deep-copied for each fit, including the objects to which the
        callbacks refer. A callable takes no arguments and returns such a list; it is called
        once per fit and its result is not copied. Pickles and copies of a fitted classifier have
        no callbacks.
    warm_start : bool, default=False
        Whether to reuse the weights of the previous call of `fit` as initialization. The state
        of the optimizer is also reused, unless the previous call used ``early_stopping=True`` or
        ``warm_start=False``.
    random_state : int, RandomState instance or None, default=None
        Controls weight initialization, dropout, shuffling and the selection of held-out
        tracks. Pass an int for reproducible results: the fitted model is then the same in any
        process with the same number of TensorFlow threads, and the global random number
        generators are not used. None uses NumPy's global generator.
    verbose : int, default=0
        If 1, show a progress bar of the epochs. If 2, Keras prints a line for each epoch.

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
        Trained weights, layer by layer. The arrays are read-only.
    history_ : dict of str to list of float
        ``loss`` and ``accuracy`` of each epoch on the training segments, and ``val_loss`` and
        ``val_accuracy`` on the held-out segments, if any. Calls of `partial_fit` and warm starts
        append to these lists; epochs without held-out tracks are NaN.
    callbacks_ : list of keras.callbacks.Callback
        Callbacks used by the last fit, detached from the Keras model. Not pickled.
    n_iter_ : int
        Number of epochs trained, including those of earlier calls when training was continued.
    n_features_in_ : int
        Number of coefficients per frame, the size of the last axis of `X`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features seen during `fit`. Defined only when `X` is a table whose column
        names are all strings.

    See Also
    --------
    ANNClassifier : Fully connected network.
    CNNClassifier : Convolutional network.

    Notes
    -----
    With the default parameters, ten genres and segments of 130 frames and 13 MFCCs, this is the
    published recurrent network with 57,802 parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from skgenre import LSTMClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(20, 3, 8, 4))  # 20 tracks of 3 segments, 8 frames of 4 MFCCs
    >>> y = np.repeat(["blues", "jazz"], 10)
    >>> clf = LSTMClassifier(units=4, dense_units=8, epochs=2, random_state=0).fit(X, y)
    >>> clf.predict_proba(X).shape
    (20, 2)
    """

    build: None = field(default=None, init=False)  # the layers are known
    build_params: None = field(default=None, init=False)
    units: int | Sequence[int] = (64, 64)
    dense_units: int = 64
    dropout: float = 0.3

    _parameter_constraints: ClassVar[dict] = {
        **NetworkClassifier._parameter_constraints,
        "units": ["array-like", AT_LEAST_1],
        "dense_units": [AT_LEAST_1],
        "dropout": [DROPOUT],
    }

    def hidden_layers(self, input_shape: tuple[int, int]) -> list[L.Layer]:
        *first, last = check_sizes("units", self.units)
        layers: list[L.Layer] = [L.LSTM(units, return_sequences=True) for units in first]
        layers += [
            L.LSTM(last),
            L.Dense(int(self.dense_units), "relu"),
            L.Dropout(float(self.dropout)),
        ]
        return layers
