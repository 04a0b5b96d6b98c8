"""Batches of training segments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..tensor import spread
from .recipe import NO_AUGMENTATION, Augmentation


@dataclass(frozen=True)
class Segments:
    """Training segments as a view of a track tensor, which is not copied.

    Parameters
    ----------
    X : ndarray of shape (n_tracks, n_segments, n_frames, n_coefficients)
        Track tensor. It may be memory-mapped: one batch is read at a time.
    track, segment : int ndarray of shape (n,)
        Indices of the training segments along the first two axes of `X`.
    y : int ndarray of shape (n,)
        Class index of each segment.
    weight : float32 ndarray of shape (n,)
        Weight of each segment in the loss. The weights have mean 1.
    augmentation : Augmentation
        Augmentation of shuffled batches.
    """

    X: np.ndarray
    track: np.ndarray
    segment: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    augmentation: Augmentation = NO_AUGMENTATION

    @classmethod
    def of(cls, X, mask, tracks, y, weight, augmentation=NO_AUGMENTATION) -> Segments:
        """Collect the segments of a selection of tracks.

        Parameters
        ----------
        X : ndarray of shape (n_tracks, n_segments, n_frames, n_coefficients)
            Track tensor.
        mask, tracks, weight
            See :func:`skgenre.tensor.spread`.
        y : ndarray of shape (n_tracks,)
            Class index of each track.
        augmentation : Augmentation
            Augmentation of shuffled batches.
        """
        track, segment, shared = spread(mask, tracks, weight)
        return cls(
            X, track, segment, y[track].astype(np.int32), shared.astype(np.float32), augmentation
        )

    def __len__(self) -> int:
        return len(self.track)

    def batches(self, batch_size: int, rng: np.random.Generator | None) -> Iterator[tuple]:
        """Yield the batches ``(x, y, weight)`` of one epoch.

        They are shuffled and augmented if `rng` is not None.
        """
        order = np.arange(len(self)) if rng is None else rng.permutation(len(self))
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            x = self.X[self.track[batch], self.segment[batch]].astype(np.float32, copy=False)
            if rng is not None:
                x = self.augmentation(x, rng)
            yield x, self.y[batch], self.weight[batch]
