"""Methods of fitted networks. TensorFlow is needed by `to_keras`, and by models of `build_model`.

A network of known layers becomes an ONNX graph when it first predicts. Within the graph, arrays
have the axes of :mod:`skgenre.layers` after that of the segments. A model of `build_model` is built
again when it first predicts, and gets the trained weights.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from .. import layers as L
from ..onnx_graph import Graph, Session, for_blocks
from ..tensor import aggregate_or_prior, as_tensor, check_tensor, segment_mask

if TYPE_CHECKING:
    import keras

#: Maximum number of segments in a block, and of the output values of a layer in a block of several
#: segments. Larger blocks are slower, since they do not fit into the CPU cache.
MAX_BLOCK_SEGMENTS, MAX_BLOCK_VALUES = 32, 1 << 19

#: The session of each classifier, with the process and the objects for which it was made. Sessions
#: are not attributes, since they cannot be copied or pickled.
_SESSIONS: WeakKeyDictionary[Prediction, tuple[tuple, list, Callable]] = WeakKeyDictionary()


def make_graph(architecture: L.Architecture, weights: Sequence[np.ndarray]) -> tuple[Graph, str]:
    """Return the graph of a network, and the name of its output before the final softmax."""
    n_frames, n_coefficients = architecture.input_shape
    graph = Graph(("n_frames" if architecture.takes_any_frames else n_frames, n_coefficients))
    x, remaining = graph.input, iter(weights)
    for i, layer in enumerate(architecture.layers):
        arrays = [next(remaining) for _ in architecture.weights[i]]
        x = _add_layer(graph, x, layer, arrays, n_axes=1 + len(architecture.shapes[i]))
        if i < len(architecture.layers) - 1:
            x = graph.activation(x, getattr(layer, "activation", "linear"))
    return graph, x


def _add_layer(
    graph: Graph, x: str, layer: L.Layer, arrays: Sequence[np.ndarray], n_axes: int
) -> str:
    """Append a layer, without its activation function, to a graph."""
    match layer:
        case L.Reshape():
            return graph.add("Reshape", x, np.array([0, *layer.target_shape]))
        case L.Flatten():
            return graph.add("Reshape", x, np.array([0, -1]))
        case L.Dense():
            return graph.dense(x, *arrays)
        case L.Conv2D():
            return graph.conv2d(x, *arrays, strides=layer.strides, padding=layer.padding)
        case L.MaxPooling2D():
            return graph.max_pooling2d(x, layer.pool_size, layer.strides)
        case L.BatchNormalization():
            return graph.batch_normalization(x, *arrays, n_axes=n_axes, epsilon=layer.epsilon)
        case L.LSTM():
            return graph.lstm(x, *arrays, return_sequences=layer.return_sequences)
        case L.GRU():
            return graph.gru(x, *arrays, return_sequences=layer.return_sequences)
        case L.TimePooling():
            x = graph.add("ReduceMean", x, axes=[2], keepdims=0)
            statistics = [graph.add(f"Reduce{s}", x, axes=[1], keepdims=0) for s in ("Mean", "Max")]
            return graph.add("Concat", *statistics, axis=1)
        case _:  # Dropout and Activation
            return x


class Prediction:
    """Mixin of :class:`NetworkClassifier` with the methods of fitted networks."""

    aggregation: str
    architecture_: L.Architecture | L.KerasArchitecture
    classes_: np.ndarray
    class_prior_: np.ndarray
    _build: Callable[[L.KerasArchitecture], keras.Model]

    @property
    def weights_(self) -> list[np.ndarray]:
        """Trained weights, layer by layer. Assign a list of new arrays to change them.

        The list is stored in ``__dict__`` under the same name, as other attributes are.
        """
        if "weights_" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__} is not fitted and has no weights_.")
        for array in self.__dict__["weights_"]:
            array.flags.writeable = False  # sessions have copies of the arrays
        return self.__dict__["weights_"]

    @weights_.setter
    def weights_(self, weights: list[np.ndarray]) -> None:
        self.__dict__["weights_"] = weights
        architecture = self.__dict__.get("architecture_")
        if isinstance(architecture, L.KerasArchitecture):  # has the outputs of the earlier weights
            self.architecture_ = replace(architecture, outputs=())

    def predict_segments_proba(self, X) -> np.ndarray:
        """Predict class probabilities of each segment.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Tracks with any number of segments. The numbers of frames and of coefficients must be
            the same as in `fit`; networks that pool over time accept any number of frames.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_segments, n_classes)
            Class probabilities in the order of ``classes_``. They are NaN for missing segments.
        """
        return self._predict_segments_proba(X)[0]

    def _predict_segments_proba(self, X) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self, "weights_")
        X = as_tensor(check_tensor(self, X, reset=False))
        architecture = self.architecture_
        if X.shape[2:] != architecture.input_shape:
            if not architecture.takes_any_frames:
                raise ValueError(
                    f"X has segments of {X.shape[2]} frames, but {type(self).__name__} is "
                    f"expecting {architecture.input_shape[0]} frames as in fit."
                )
            architecture = architecture.with_frames(X.shape[2])
        mask = segment_mask(X)
        tracks, segments = np.nonzero(mask)
        logits = np.empty((len(tracks), len(self.classes_)))
        session = self._session()

        def compute(block):
            x = X[tracks[block], segments[block]]
            logits[block] = session(x.astype(np.float32, copy=False))

        largest = max(map(math.prod, architecture.shapes))
        size = min(MAX_BLOCK_SEGMENTS, max(1, MAX_BLOCK_VALUES // largest))
        for_blocks(compute, len(tracks), size)
        if not np.isfinite(logits).all():
            bad = np.flatnonzero(~np.isfinite(logits).all(axis=1))[0]
            track, segment = tracks[bad], segments[bad]
            raise ValueError(
                f"The output of {type(self).__name__} is not finite for segment {segment} of track "
                f"{track}: its values, up to {np.abs(X[track, segment]).max():.1e}, or the weights "
                "are too large. Scale X as in fit, or fit the model again."
            )
        proba = np.full((*mask.shape, len(self.classes_)), np.nan)
        # In float64, since scikit-learn's metrics check that probabilities sum to 1.
        proba[mask] = softmax(logits, axis=1)
        return proba, mask

    def _session(self) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function of this process from segments to logits, with the current weights."""
        parts = [self.architecture_, *self.weights_]
        key = (os.getpid(), *map(id, parts))
        found, _, session = _SESSIONS.get(self, (None, [], None))
        if session is None or found != key:
            session = self._new_session()
            _SESSIONS[self] = key, parts, session  # while parts exist, their ids are not reused
        return session

    def _new_session(self) -> Callable[[np.ndarray], np.ndarray]:
        if isinstance(self.architecture_, L.KerasArchitecture):
            from .training import KerasSession

            return KerasSession(self.to_keras(), self.architecture_)
        graph, output = make_graph(self.architecture_, self.weights_)
        return Session(graph.to_bytes(output, len(self.classes_), "logits"))

    def predict_proba(self, X) -> np.ndarray:
        """Predict class probabilities of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Tracks with any number of segments. The numbers of frames and of coefficients must be
            the same as in `fit`; networks that pool over time accept any number of frames.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_classes)
            Class probabilities in the order of ``classes_``.

        Raises
        ------
        ValueError
            If the shape of `X` does not match that in `fit`, `aggregation` is unknown, or a
            predicted probability is not finite.

        Warns
        -----
        UserWarning
            If tracks have no segments. Their probabilities are ``class_prior_``.
        """
        proba, mask = self._predict_segments_proba(X)
        return aggregate_or_prior(proba, mask, self.aggregation, self.class_prior_)

    def predict(self, X) -> np.ndarray:
        """Predict the most probable class of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Tracks, see :meth:`predict_proba`.

        Returns
        -------
        labels : ndarray of shape (n_tracks,)
            Predicted class labels.
        """
        proba = self.predict_proba(X)
        return self.classes_[proba.argmax(axis=1)]

    def summary(self, print_fn: Callable[[str], object] = print) -> None:
        """Print the layers of the fitted network with their shapes and parameter counts.

        Parameters
        ----------
        print_fn : callable, default=print
            Function that is called with each line of the table.
        """
        check_is_fitted(self, "weights_")
        if isinstance(self.architecture_, L.KerasArchitecture):
            self.to_keras().summary(print_fn=print_fn)
            return
        for line in L.summarize(self.architecture_):
            print_fn(line)

    def to_keras(self) -> keras.Model:
        """Return a stand-alone Keras model with the trained weights.

        Returns
        -------
        model : keras.Model
            Model that maps segments of shape ``(n, n_frames, n_coefficients)`` to class
            probabilities of shape ``(n, n_classes)``. It shares no data with this classifier. It
            is not compiled, unless ``build_model`` compiles it.

        Notes
        -----
        The model computes in float32, whatever the settings of Keras. However, the method
        ``predict`` of Keras converts arrays to ``keras.config.floatx()`` beforehand. If that is
        float16 or bfloat16, call ``model(segments)`` instead.
        """
        check_is_fitted(self, "weights_")
        from .training import build_keras, rebuild_own

        if isinstance(self.architecture_, L.KerasArchitecture):
            return rebuild_own(self._build, self.architecture_, self.weights_)
        model = build_keras(self.architecture_, self.weights_)
        # Keras can export a model only after it has been called.
        model(np.zeros((1, *self.architecture_.input_shape), np.float32))
        return model

    def to_onnx(self) -> bytes:
        """Return a stand-alone ONNX model with the trained weights.

        Returns
        -------
        model : bytes
            Content of an ``.onnx`` file. Its input ``segments`` is float32 of shape ``(n_segments,
            n_frames, n_coefficients)``, and its output ``probabilities`` is float32 of shape
            ``(n_segments, n_classes)``, in the order of ``classes_``. The number of frames is fixed
            unless the network pools over time.

        Raises
        ------
        TypeError
            If the network is a model of ``build_model``.

        Notes
        -----
        The model has operators of version 17 of ONNX, which ONNX Runtime reads since version 1.12.

        Examples
        --------
        >>> import numpy as np
        >>> import onnxruntime
        >>> from skgenre import ANNClassifier
        >>> X = np.random.default_rng(0).normal(size=(6, 2, 4, 3)).astype(np.float32)
        >>> clf = ANNClassifier(hidden_units=4, epochs=1, random_state=0).fit(X, ["a", "b"] * 3)
        >>> session = onnxruntime.InferenceSession(clf.to_onnx())
        >>> [proba] = session.run(None, {"segments": X[0]})  # the segments of the first track
        >>> proba.shape
        (2, 2)
        """
        check_is_fitted(self, "weights_")
        if isinstance(self.architecture_, L.KerasArchitecture):
            raise TypeError(
                "to_onnx supports networks of skgenre.layers, and not models of build_model. Use "
                "to_keras().export('network.onnx', format='onnx'), which requires tf2onnx."
            )
        graph, logits = make_graph(self.architecture_, self.weights_)
        proba = graph.add("Softmax", logits)
        return graph.to_bytes(proba, len(self.classes_), "probabilities")
