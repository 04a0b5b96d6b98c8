"""What a fitted network does: predict, and describe itself. No TensorFlow needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._sklearn import _VisualBlock
from ..tensor import aggregate_or_prior, as_tensor, check_tensor, segment_mask
from . import inference
from .layers import Architecture
from .process import configure_tensorflow
from .summary import format_text

if TYPE_CHECKING:
    import keras


class Prediction:
    """The methods of a fitted network; mixed into :class:`SegmentClassifier`."""

    aggregation: str
    architecture_: Architecture
    classes_: np.ndarray
    class_prior_: np.ndarray
    weights_: list[np.ndarray]

    def predict_segments_proba(self, X) -> np.ndarray:
        """Class probabilities of each segment, over a track's time.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Frames and coefficients as in `fit`; the number of segments is free, and that of
            frames where the network pools over time.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_segments, n_classes)
            NaN where a segment does not exist.
        """
        return self._predict_segments_proba(X)[0]

    def _predict_segments_proba(self, X) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self, "weights_")
        X = as_tensor(check_tensor(self, X, reset=False))
        architecture = self.architecture_
        if X.shape[2:] != architecture.input_shape:
            if not architecture.takes_any_frames:
                raise ValueError(
                    f"X has segments of {X.shape[2]} frames, but {type(self).__name__} was fitted "
                    f"on {architecture.input_shape[0]}."
                )
            architecture = architecture.with_frames(X.shape[2])
        mask = segment_mask(X)
        proba = np.full((*mask.shape, len(self.classes_)), np.nan)
        tracks, segments = np.nonzero(mask)
        step = 16 * inference.BLOCK_SEGMENTS  # so that no copy of all segments is made
        for start in range(0, len(tracks), step):
            where = tracks[start : start + step], segments[start : start + step]
            proba[where] = inference.predict_proba(
                architecture, self.weights_, X[where].astype(np.float32, copy=False)
            )
        return proba, mask

    def predict_proba(self, X) -> np.ndarray:
        """Class probabilities of each track.

        Parameters
        ----------
        X : array-like of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Frames and coefficients as in `fit`; the number of segments is free, and that of
            frames where the network pools over time.

        Returns
        -------
        proba : ndarray of shape (n_tracks, n_classes)
            In the order of ``classes_``.

        Raises
        ------
        ValueError
            For another shape than in `fit`, or an `aggregation` that does not exist.

        Warns
        -----
        UserWarning
            If tracks have no segment; their row is the class prior.
        """
        proba, mask = self._predict_segments_proba(X)
        return aggregate_or_prior(proba, mask, self.aggregation, self.class_prior_)

    def predict(self, X) -> np.ndarray:
        """Predict the most probable class of each track.

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

    def summary(self, print_fn: Callable[[str], object] = print) -> None:
        """Print the layers of the fitted network with their shapes and parameter counts.

        Parameters
        ----------
        print_fn : callable, default=print
            Called with each line of the table.
        """
        check_is_fitted(self, "weights_")
        for line in format_text(self.architecture_):
            print_fn(line)

    def _sk_visual_block_(self):
        """Return this classifier's part of a diagram: once fitted, with its layers in a box.

        scikit-learn asks for it wherever it draws the diagram of the classifier, or of a
        pipeline or search around it.
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
        """Make a stand-alone Keras model with the trained weights.

        Returns
        -------
        model : keras.Model
            Over segments ``(n, n_frames, n_coefficients)``, not aggregated to tracks, not
            compiled. It shares nothing with this classifier.
        """
        check_is_fitted(self, "weights_")
        configure_tensorflow()
        from .keras_models import build_keras

        model = build_keras(self.architecture_, self.weights_)
        # Keras exports only a model that has been called.
        model(np.zeros((1, *self.architecture_.input_shape), np.float32))
        return model
