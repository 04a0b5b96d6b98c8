"""How a network is trained beside its architecture: loss, optimiser, changes to its input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Standard deviation of the random level added to a segment, where coefficients have variance 1.
GAIN = 0.3

#: Longest masks as shares of the coefficients and of the frames: 12 bands of 64, 40 frames of 216.
LONGEST_MASK = (12 / 64, 40 / 216)


@dataclass(frozen=True)
class Recipe:
    """What is compiled into a network; the default is that of the published ones.

    Parameters
    ----------
    weight_decay : float, default=0.0
        Share of each weight, times the learning rate, that a step of Adam takes away (AdamW).
    label_smoothing : float, default=0.0
        Share of the target probability that is spread evenly over all classes.
    scheduled : bool, default=False
        Whether the learning rate rises over the first tenth of the steps, then falls to 0.
    """

    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    scheduled: bool = False


#: Of the published networks.
PUBLISHED = Recipe()


@dataclass(frozen=True)
class Augmentation:
    """How training segments are cropped and changed, anew in each epoch.

    Parameters
    ----------
    crop_frames : int or None, default=None
        Take so many frames, from a random one on; None, or more than there are, takes all.
    distort : bool, default=False
        Add a random level to all values, then set two random bands of coefficients and one
        random span of frames to 0, which is the mean of scaled coefficients: SpecAugment (Park
        et al., 2019) without its time warp.
    """

    crop_frames: int | None = None
    distort: bool = False

    def __call__(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Crop and change a batch.

        Parameters
        ----------
        x : float32 ndarray of shape (n_segments, n_frames, n_coefficients)
            Not modified.
        rng : Generator

        Returns
        -------
        x : float32 ndarray of shape (n_segments, n_cropped_frames, n_coefficients)
        """
        if self == NO_AUGMENTATION:
            return x
        n, n_frames, n_coefficients = x.shape
        length = min(self.crop_frames or n_frames, n_frames)
        first = rng.integers(n_frames - length + 1, size=n)
        x = x[np.arange(n)[:, None], first[:, None] + np.arange(length)]
        if self.distort:
            x += rng.normal(0, GAIN, (n, 1, 1)).astype(np.float32)
            band, span = LONGEST_MASK
            for _ in range(2):
                x *= ~_draw_mask(n_coefficients, band, n, rng)[:, None, :]
            x *= ~_draw_mask(length, span, n, rng)[:, :, None]
        return x


#: Takes segments as they are.
NO_AUGMENTATION = Augmentation()


def _draw_mask(size: int, longest: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a run of places to mask in each of `n` rows, at most `longest` of the `size` places."""
    width = rng.integers(0, int(longest * size), (n, 1), endpoint=True)
    start = rng.integers(0, size - width, endpoint=True)
    place = np.arange(size)
    return (place >= start) & (place < start + width)
