"""What a fitted network does: predict, and describe itself. No TensorFlow needed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._warnings import warn
from ..tensor import aggregate, as_tensor, check_tensor, list_tracks, segment_mask
from . import inference
from .layers import Architecture
from .summary import format_html, format_text

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

    def predict_proba(self, X) -> np.ndarray:
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
        out[exists] = aggregate(proba[exists], mask[exists], self.aggregation)
        if not exists.all():
            missing = np.flatnonzero(~exists)
            warn(
                f"{len(missing)} of {len(mask)} tracks have no segment and get the class prior: "
                f"{list_tracks(missing)}"
            )
        return out

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

    def _repr_html_inner(self) -> str:
        """Return scikit-learn's picture and, once fitted, the layers of the network."""
        html = super()._repr_html_inner()  # type: ignore[misc]
        return html + format_html(self.architecture_) if hasattr(self, "weights_") else html

    def to_keras(self) -> keras.Model:
        """Make a stand-alone Keras model with the trained weights.

        Returns
        -------
        model : keras.Model
            Over segments ``(n, n_frames, n_coefficients)``, not aggregated to tracks, not
            compiled. It shares nothing with this classifier.
        """
        check_is_fitted(self, "weights_")
        from .keras_models import build_keras

        return build_keras(self.architecture_, self.weights_)
