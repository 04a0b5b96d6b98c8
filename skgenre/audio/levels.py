"""Levels of samples: what counts as a signal, as too large, and as channels that cancel.

Full scale is 1.
"""

from __future__ import annotations

import numpy as np

#: Level in dB of the loudest block above which there is a signal: the RMS of the deviation from the
#: mean of the block. It is that of one step of 16-bit audio. The usual dither has -96 dB, and at
#: most -94 dB after resampling and lossy coding. The loudest blocks of music mostly exceed -12 dB,
#: and -26 dB unless the recording itself is quiet: a signal remains if music is 64 dB quieter.
MIN_LEVEL = -90.0

#: The same as a factor of full scale.
_MIN_RMS = 10 ** (MIN_LEVEL / 20)

#: Length of a block in seconds: long enough for the level of noise, short enough for single notes.
_BLOCK = 0.05

#: Duration in seconds that is ignored at either end of a part of a track when looking for a signal.
#: Codecs and resampling filters spread sound over up to a block of a codec, 0.09 s, into the
#: silence before and after it.
EDGE = 0.1

#: Largest plausible sample, 24 dB above full scale. Float files exceed full scale by a few dB, at
#: which others clip. Samples in the scale of integers, of at least 8 bits, reach 128.
MAX_SAMPLE = 16.0

#: Power of the sum of the channels, relative to the sum of their powers, below which they cancel:
#: -10 dB, for two channels a correlation below -0.9. It is 0 dB for any number of uncorrelated
#: channels and -7 dB for unusually wide mixes. Opposite channels reach -11 to -33 dB in Ogg files,
#: because of coding noise, and less in other formats.
MAX_CANCELLATION = 0.1

#: Number of bits of the usual formats of integer samples.
_BITS = (8, 16, 24, 32)


def has_signal(y: np.ndarray, sample_rate: int) -> bool:
    """Check whether a part of a track has a signal, apart from its ends (:data:`EDGE`)."""
    edge = min(round(EDGE * sample_rate), len(y) // 10)
    y = y[edge : len(y) - edge]
    return has_loud_block(y, sample_rate)


def has_loud_block(y: np.ndarray, sample_rate: int) -> bool:
    """Check whether any block of samples has a level above :data:`MIN_LEVEL`.

    The samples are along the last axis.
    """
    n = y.shape[-1]
    size = min(n, round(_BLOCK * sample_rate) or 1)
    if size == 0:
        return False
    blocks = y[..., : n - n % size].reshape(*y.shape[:-1], -1, size)
    # The last block overlaps with the one before, so that no sample is left out.
    return max(blocks.std(axis=-1).max(), y[..., n - size :].std(axis=-1).max()) > _MIN_RMS


def why_too_large(y: np.ndarray) -> str | None:
    """Return what is wrong with samples that are too large and the remedy; None if none are."""
    peak = max(-float(y.min()), float(y.max()))
    if peak <= MAX_SAMPLE:
        return None
    found = f"contains samples of up to {peak:.4g}, where full scale is 1"
    # Among integers nearly all samples exceed 1, apart from silence.
    if np.median(np.abs(y[y != 0])) <= 1:
        return (
            f"{found}; only some samples are that large, so they are damaged: clip or repair them"
        )
    # Resampling or other changes may have added up to 6 dB to integers.
    bits = next((bits for bits in _BITS if peak <= 1 << bits), None)
    remedy = (
        "divide them by their full scale"
        if bits is None
        else f"if they are in the scale of {bits}-bit integers, divide them by {1 << bits - 1}, or "
        f"save the file as {bits}-bit PCM"
    )
    return f"{found}; {remedy}"


def choose_channel(block: np.ndarray, sample_rate: int) -> int | None:
    """Decide how to convert channels to mono, from a block of shape (n_frames, n_channels).

    Returns
    -------
    channel : int or None
        Index of the loudest channel if the channels cancel, and -1 if their mean is to be used.
        None if no channel has a signal, so that nothing can be decided.
    """
    x = block.T.astype(float, order="C")  # a row for each channel, which is much faster
    with np.errstate(invalid="ignore"):  # infinite samples are reported later
        if not has_loud_block(x, sample_rate):
            return None
        x -= x.mean(axis=1, keepdims=True)
        # One product contains the powers of all channels and of their sum.
        powers = x @ x.T
        cancels = powers.sum() < MAX_CANCELLATION * np.trace(powers)
    return int(np.diag(powers).argmax()) if cancels else -1
