"""Changes of audio by name, for training and for measuring robustness.

A change is

- the name of a change in :data:`CHANGES`, or :data:`ROBUST`, a random chain of changes;
- a kind in :data:`KINDS` and its strength, ``("low-pass", 4000)``, or a range from which the
  strength is drawn, ``("low-pass", 2500, 9000)``;
- or a function ``f(samples, sample_rate, rng)`` of mono float32 samples and a RandomState.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral, Real
from typing import Any

import numpy as np

from . import transforms
from .files import AudioFile

Change = Any

#: Maximum duration in seconds. Only the central part of longer tracks is changed.
MAX_SECONDS = 120.0

#: Number of copies of :data:`ROBUST`.
N_COPIES = 2

#: Number of frequencies of an equalizer.
_EQUALIZER_POINTS = 9

#: Functions of samples, sample rate, strength and random number generator, by kind. The strength
#: is a gain or a signal-to-noise ratio in dB, a factor, a frequency in Hz, a bit rate in kbit/s, or
#: a reverberation time in seconds.
KINDS: dict[str, Callable] = {
    "gain": lambda y, rate, decibels, rng: transforms.gain(y, decibels),
    "speed": lambda y, rate, factor, rng: transforms.speed(y, factor),
    # Above half the sample rate there is nothing to remove.
    "low-pass": lambda y, rate, cutoff, rng: (
        transforms.low_pass(y, rate, cutoff) if cutoff < rate / 2 else y
    ),
    "high-pass": lambda y, rate, cutoff, rng: transforms.high_pass(y, rate, cutoff),
    "equalizer": lambda y, rate, decibels, rng: transforms.equalizer(
        y, rng.uniform(-decibels, decibels, _EQUALIZER_POINTS)
    ),
    "noise": lambda y, rate, snr, rng: transforms.room_noise(y, rate, snr, rng),
    "white noise": lambda y, rate, snr, rng: transforms.white_noise(y, snr, rng),
    "room": lambda y, rate, seconds, rng: transforms.room(y, rate, seconds, rng),
    "MP3": lambda y, rate, bitrate, rng: transforms.mp3(y, rate, bitrate),
    "telephone": lambda y, rate, line_rate, rng: transforms.telephone(y, rate, line_rate),
    "sample rate": lambda y, rate, other, rng: transforms.through_rate(y, rate, other),
}

#: Kinds whose strengths are drawn on a logarithmic scale.
_LOGARITHMIC = frozenset({"low-pass", "high-pass", "sample rate"})

#: Kind and strength of each named change.
CHANGES: dict[str, tuple[str, float]] = {
    "6 dB quieter": ("gain", -6),
    "12 dB quieter": ("gain", -12),
    "6 dB louder, clipped": ("gain", 6),
    "12 dB louder, clipped": ("gain", 12),
    "MP3 at 64 kbit/s": ("MP3", 64),
    "MP3 at 32 kbit/s": ("MP3", 32),
    "low-pass at 4 kHz": ("low-pass", 4000),
    "telephone band": ("telephone", 8000),
    "16 kHz sample rate": ("sample rate", 16000),
    "noise at 20 dB": ("noise", 20),
    "noise at 10 dB": ("noise", 10),
    "white noise at 15 dB": ("white noise", 15),
    "room": ("room", 0.5),
    "3 % faster": ("speed", 1.03),
}

#: Name of the random chain, and its steps: the share of copies to which each is applied, and the
#: change. Stronger ones (speed 0.95 to 1.05, equalizer 9 dB, noise from 8 dB) cost the descriptors
#: two points on unchanged audio. The high-pass filter takes the telephone band from 0.82 to 0.91;
#: a room made other conditions worse (140 tracks of three genres, folds by artist).
ROBUST = "robust"
_CHAIN = (
    (0.5, ("speed", 0.97, 1.03)),
    (0.7, ("equalizer", 6)),
    (0.5, ("low-pass", 2500, 9000)),
    (0.3, ("high-pass", 100, 500)),
    (0.5, ("noise", 12, 30)),
    (0.5, ("gain", -12, 6)),
)


def list_changes(augment: Any) -> list[Change]:
    """Return the change of each copy of a track.

    Parameters
    ----------
    augment : None, change, or sequence of changes
        ``"robust"`` stands for 2 copies, and ``("robust", n)`` for `n`.

    Raises
    ------
    ValueError
        If a change is unknown.
    """
    if augment is None:
        return []
    is_one = isinstance(augment, str) or callable(augment) or _has_strength(augment)
    changes: list[Change] = []
    for change in [augment] if is_one else augment:
        if isinstance(change, str) and change == ROBUST:
            changes += [ROBUST] * N_COPIES
        elif _has_strength(change) and change[0] == ROBUST:
            _, n_copies, *more = change
            if more or not isinstance(n_copies, Integral) or n_copies < 1:
                raise ValueError(f"augment={change!r} must be ('robust', n_copies), of at least 1")
            changes += [ROBUST] * int(n_copies)
        else:
            _check(change)
            changes.append(tuple(change) if isinstance(change, list) else change)
    return changes


def _has_strength(change: Any) -> bool:
    """Check whether this is a kind with one or two strengths, and not a sequence of changes."""
    if not isinstance(change, tuple | list) or not 2 <= len(change) <= 3:
        return False
    kind, *strengths = change
    return isinstance(kind, str) and all(isinstance(value, Real) for value in strengths)


def _check(change: Change) -> None:
    if callable(change) or (isinstance(change, str) and change in CHANGES):
        return
    if _has_strength(change) and change[0] in KINDS:
        _, low, high = _range(change)
        if low <= high and math.isfinite(low) and math.isfinite(high):
            return
    raise ValueError(
        f"augment={change!r} is not a change. A change is 'robust'; one of {list(CHANGES)}; a "
        f"kind of {list(KINDS)} with a strength or a range, such as ('low-pass', 2500, 9000); or "
        "a function f(samples, sample_rate, rng)."
    )


def _range(change: Change) -> tuple[str, float, float]:
    """Return the kind of a change, and the limits of its strength."""
    kind, *strengths = CHANGES[change] if isinstance(change, str) else change
    return kind, strengths[0], strengths[-1]


def apply_change(
    change: Change, y: np.ndarray, sample_rate: int, rng: np.random.RandomState
) -> np.ndarray:
    """Change samples.

    Parameters
    ----------
    change : change
        One of those that :func:`list_changes` returns.
    y : float32 ndarray of shape (n_samples,)
        Samples, which are not modified.
    sample_rate : int
        Sample rate in Hz.
    rng : RandomState
        Random number generator.

    Returns
    -------
    y : float32 ndarray of shape (n_samples_changed,)
        Changed samples.

    Raises
    ------
    ValueError
        If a function returns anything but finite samples.
    """
    if callable(change):
        changed = np.asarray(change(y.copy(), sample_rate, rng), np.float32)
        if changed.ndim != 1 or not np.isfinite(changed).all():
            raise ValueError(
                f"{change!r} returned an array of shape {changed.shape}; it must return finite "
                "samples of shape (n_samples,)"
            )
        return changed
    if change == ROBUST:
        for share, step in _CHAIN:
            if rng.random_sample() < share:
                y = apply_change(step, y, sample_rate, rng)
        return y
    kind, low, high = _range(change)
    if kind in _LOGARITHMIC and low < high:
        strength = math.exp(rng.uniform(math.log(low), math.log(high)))
    else:
        strength = rng.uniform(low, high) if low < high else low
    return np.asarray(KINDS[kind](y, sample_rate, strength, rng), np.float32)


def includes(changes: list[Change], change: Change) -> bool:
    """Check whether a change is among others, as one of them, in their range or their chain."""
    if change in changes:
        return True
    if not (isinstance(change, str) and change in CHANGES):
        return False
    kind, low, high = _range(change)
    steps = [step for _, step in _CHAIN] if ROBUST in changes else []
    ranges = [_range(each) for each in (*changes, *steps) if each != ROBUST and not callable(each)]
    return any(k == kind and a <= low and high <= b for k, a, b in ranges)


def read_center(audio: AudioFile) -> np.ndarray:
    """Read the samples of a track, or the central :data:`MAX_SECONDS` of a longer one."""
    outside = max(0, audio.n_samples - round(MAX_SECONDS * audio.sample_rate))
    return audio.read(outside // 2, audio.n_samples - (outside - outside // 2))
