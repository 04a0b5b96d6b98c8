"""Segments of tracks as batches to train on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..tensor import spread
from .recipe import NO_AUGMENTATION, Augmentation


@dataclass(frozen=True)
class Segments:
    """Segments of tracks to train on, without a copy of the tensor they lie in.

    Parameters
    ----------
    X : ndarray of shape (n_tracks, n_segments, n_frames, n_coefficients)
        May be memory-mapped: only batches are read.
    track, segment : int ndarray of shape (n,)
        Where each training segment lies.
    y : int ndarray of shape (n,)
        Its class.
    weight : float32 ndarray of shape (n,)
        Its weight in the loss; they have mean 1.
    augmentation : Augmentation
        Crops and changes the segments of permuted batches.
    """

    X: np.ndarray
    track: np.ndarray
    segment: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    augmentation: Augmentation = NO_AUGMENTATION

    @classmethod
    def of(cls, X, mask, tracks, y, weight, augmentation=NO_AUGMENTATION) -> Segments:
        """Spread tracks of a tensor into their segments.

        Parameters
        ----------
        X : ndarray of shape (n_tracks, n_segments, n_frames, n_coefficients)
        mask, tracks, weight
            See :func:`skgenre.tensor.spread`.
        y : ndarray of shape (n_tracks,)
            Class of every track.
        augmentation : Augmentation
            See the class.
        """
        track, segment, shared = spread(mask, tracks, weight)
        return cls(
            X, track, segment, y[track].astype(np.int32), shared.astype(np.float32), augmentation
        )

    def __len__(self) -> int:
        return len(self.track)

    def batches(self, batch_size: int, rng: np.random.Generator | None) -> Iterator[tuple]:
        """Yield ``(x, y, weight)`` of one epoch, permuted and augmented if there is an `rng`."""
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            x = self.X[self.track[batch], self.segment[batch]].astype(np.float32, copy=False)
            if rng is not None:
                x = self.augmentation(x, rng)
            yield x, self.y[batch], self.weight[batch]
