"""Methods of fitted networks, which do not require TensorFlow except for `to_keras`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._sklearn import _VisualBlock
from ..tensor import aggregate_or_prior, as_tensor, check_proba, check_tensor, segment_mask
from . import inference
from .layers import Architecture
from .process import configure_tensorflow
from .summary import format_text

if TYPE_CHECKING:
    import keras


class Prediction:
    """Mixin of :class:`NetworkClassifier` with the methods of fitted networks."""

    aggregation: str
    architecture_: Architecture
    classes_: np.ndarray
    class_prior_: np.ndarray
    weights_: list[np.ndarray]

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
        proba = np.full((*mask.shape, len(self.classes_)), np.nan)
        tracks, segments = np.nonzero(mask)
        step = 16 * inference.BLOCK_SEGMENTS  # limits the size of the copies made by X[where]
        for start in range(0, len(tracks), step):
            where = tracks[start : start + step], segments[start : start + step]
            proba[where] = inference.predict_proba(
                architecture, self.weights_, X[where].astype(np.float32, copy=False)
            )
        check_proba(self, proba[mask])
        return proba, mask

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
        for line in format_text(self.architecture_):
            print_fn(line)

    def _sk_visual_block_(self):
        """Return the block of this classifier in an HTML diagram of scikit-learn.

        The block of a fitted classifier contains a summary of its layers.
        """
        name = type(self).__name__
        if not hasattr(self, "weights_"):
            return _VisualBlock("single", self, names=name, name_details=str(self))
        layers = _VisualBlock(
            "single",
            None,
            names=f"{len(self.architecture_.layers)} layers",
            name_caption=f"{self.architecture_.count_parameters():,} parameters",
            name_details="\n".join(format_text(self.architecture_)),
        )
        return _VisualBlock("serial", [layers], dash_wrapped=False)

    def to_keras(self) -> keras.Model:
        """Return a stand-alone Keras model with the trained weights.

        Returns
        -------
        model : keras.Model
            Model that maps segments of shape ``(n, n_frames, n_coefficients)`` to class
            probabilities of shape ``(n, n_classes)``. It is not compiled and shares no data with
            this classifier.

        Notes
        -----
        The model computes in float32, whatever the settings of Keras. However, the method
        ``predict`` of Keras converts arrays to ``keras.config.floatx()`` beforehand. If that is
        float16 or bfloat16, call ``model(segments)`` instead.
        """
        check_is_fitted(self, "weights_")
        configure_tensorflow()
        from .keras_models import build_keras

        model = build_keras(self.architecture_, self.weights_)
        # Keras can export a model only after it has been called.
        model(np.zeros((1, *self.architecture_.input_shape), np.float32))
        return model
