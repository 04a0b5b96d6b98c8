"""Training settings of a network: loss, optimizer and data augmentation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

#: Standard deviation of the random level that is added to a segment with coefficients of
#: variance 1.
GAIN = 0.3

#: Maximum length of the masks, as fractions of the coefficients and of the frames (12 of 64 bands
#: and 40 of 216 frames).
LONGEST_MASK = (12 / 64, 40 / 216)


@dataclass(frozen=True)
class Recipe:
    """Settings of the loss and the optimizer, which are compiled into a Keras model.

    The defaults are those of the published networks.

    Parameters
    ----------
    weight_decay : float, default=0.0
        Weight decay of the AdamW optimizer, which is multiplied with the learning rate.
    label_smoothing : float, default=0.0
        Fraction of the target probability that is distributed evenly over all classes.
    scheduled : bool, default=False
        Whether the learning rate increases during the first tenth of the steps and then
        decreases to 0.
    """

    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    scheduled: bool = False


#: Settings of the published networks.
PUBLISHED = Recipe()


@dataclass(frozen=True)
class Augmentation:
    """Random cropping and distortion of training segments, drawn independently in each epoch.

    Parameters
    ----------
    crop_frames : int or None, default=None
        Number of frames of the crops, which start at a random frame. None uses all frames, and
        so do segments with fewer frames.
    distort : bool, default=False
        Whether to add a random level to all values and to set two random bands of coefficients
        and one random span of frames to 0, which is the mean of scaled coefficients. This is
        SpecAugment [1]_ without time warping.

    References
    ----------
    .. [1] D. S. Park et al., "SpecAugment: A simple data augmentation method for automatic speech
       recognition", Interspeech 2019.
    """

    crop_frames: int | None = None
    distort: bool = False

    def __call__(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Augment a batch.

        Parameters
        ----------
        x : float32 ndarray of shape (n_segments, n_frames, n_coefficients)
            Batch, which is not modified.
        rng : Generator
            Random number generator.

        Returns
        -------
        x : float32 ndarray of shape (n_segments, n_cropped_frames, n_coefficients)
            Augmented batch.
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


#: Augmentation that returns the segments unchanged.
NO_AUGMENTATION = Augmentation()


def _draw_mask(size: int, longest: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a mask with one run of True in each row.

    Parameters
    ----------
    size : int
        Number of columns.
    longest : float
        Maximum length of the run, as a fraction of `size`.
    n : int
        Number of rows.
    rng : Generator
        Random number generator.

    Returns
    -------
    mask : bool ndarray of shape (n, size)
    """
    width = rng.integers(0, int(longest * size), (n, 1), endpoint=True)
    start = rng.integers(0, size - width, endpoint=True)
    place = np.arange(size)
    return (place >= start) & (place < start + width)
