"""Detection of duplicate recordings by fingerprints of log-mel spectra."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Real

import numpy as np
import pandas as pd
import scipy.fft
from joblib import Parallel, delayed

from .._checks import POSITIVE, check_number
from .._sklearn import Interval
from .._warnings import warn
from ..audio import AudioError, has_signal, load_audio, name_of
from ..features.errors import listing
from ..features.segments import MIN_DURATION
from ..features.spectra import band_powers, mel_bank, to_decibels

_SAMPLE_RATE, _N_FFT, _HOP = 22050, 2048, 1024

#: A few wide mel bands within the frequency range that all codecs preserve.
_N_MELS, _FMIN, _FMAX = 16, 100.0, 8000.0

#: Levels are clipped this far below the loudest band, because codecs differ in quieter bands.
_TOP_DB = 60.0

#: Parts with less energy than this proportion of the mean of the track are considered silent.
_SILENCE = 0.01

_COLUMNS = ["first", "second", "offset", "overlap", "similarity"]


def find_duplicates(
    paths: Sequence,
    *,
    threshold: float = 0.5,
    min_overlap: float = 10.0,
    duration: float | None = 60.0,
    on_error: str = "raise",
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Find recordings that occur more than once in a collection.

    If a recording is on both sides of a split, scores are inflated, because models recognize it.
    Copies are found despite MP3 encoding at 128 kbit/s, changes of level, filters, and cuts at
    either end. Other performances of the same piece do not count as duplicates. Copies with a
    different speed or pitch are not found.

    Parameters
    ----------
    paths : sequence of str, path-like or file objects
        The tracks.
    threshold : float, default=0.5
        Minimum similarity of a pair, above 0 and at most 1. On GTZAN, different recordings have
        similarities below 0.2, and copies as described above have similarities above 0.7.
    min_overlap : float, default=10.0
        Minimum overlap of two tracks in seconds, or the whole track if it is shorter. Overlaps
        below about 3 s lead to high similarities by chance.
    duration : float or None, default=60.0
        Number of seconds to read from the start of each track. If None, whole tracks are read,
        which also finds excerpts from the middle of longer tracks but takes more memory and time.
    on_error : {"raise", "warn"}, default="raise"
        How to handle tracks that cannot be read, are shorter than 3 s or contain no signal: raise
        an error that lists them, or exclude them with a warning.
    n_jobs : int, default=None
        Number of threads; see :class:`joblib.Parallel`.

    Returns
    -------
    pairs : DataFrame of shape (n_pairs, 5)
        Pairs of duplicates in decreasing order of similarity, with the following columns.

        first, second
            The tracks, in the order of `paths`.
        offset
            Start of the second track in the first in seconds, accurate to about 0.05 s. Negative
            if the second track starts earlier.
        overlap
            Length of the compared parts in seconds.
        similarity
            Similarity of the compared parts, at most 1.

    Raises
    ------
    TypeError
        If `paths` is a single path.
    ValueError
        If a parameter is invalid, or if ``on_error="raise"`` and some tracks cannot be used.

    Warns
    -----
    UserWarning
        If ``on_error="warn"`` and some tracks cannot be used.

    Notes
    -----
    A fingerprint is the log-mel spectrogram in 16 bands from 100 to 8,000 Hz at 22 frames per
    second, differenced between neighboring bands and over time. Unlike in [1]_, the values are
    kept instead of only their signs. Fingerprints are invariant to level and largely to filters.
    Two fingerprints are compared by their normalized cross-correlation at all offsets. The time is
    quadratic in the number of tracks: 140 tracks of 30 s take seconds, 1,000 take minutes.

    References
    ----------
    .. [1] J. Haitsma and T. Kalker, "A Highly Robust Audio Fingerprinting System", ISMIR 2002.

    Examples
    --------
    >>> import shutil, tempfile
    >>> from skgenre.datasets import find_duplicates, make_tracks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = make_tracks(2, genres=1, duration=12, random_state=0, folder=folder).data
    ...     copy = shutil.copy(paths[0], folder + "/copy.wav")
    ...     pairs = find_duplicates([*paths, copy])
    >>> pairs[["offset", "similarity"]].round(2).values.tolist()
    [[0.0, 1.0]]
    """
    if isinstance(paths, str | bytes | os.PathLike):
        raise TypeError(f"paths={paths!r} must be a collection of paths, not a single one")
    check_number("threshold", threshold, Interval(Real, 0, 1, closed="right"))
    check_number("min_overlap", min_overlap, POSITIVE)
    check_number("duration", duration, Interval(Real, MIN_DURATION, None, closed="left"), None)
    if on_error not in ("raise", "warn"):
        raise ValueError(f"on_error={on_error!r} must be 'raise' or 'warn'")
    paths = list(paths)
    threads = Parallel(n_jobs=n_jobs, prefer="threads")
    prints = threads(delayed(_read)(path, i, duration) for i, path in enumerate(paths))
    failures = [found for found in prints if isinstance(found, AudioError)]
    if failures:
        message = f"{len(failures)} of {len(paths)} tracks cannot be used:\n{listing(failures)}"
        if on_error == "raise":
            raise ValueError(f"{message}\nRemove them, or set on_error='warn'.")
        warn(f"{message}\nThey are excluded from the comparison.")
    known = [i for i, found in enumerate(prints) if not isinstance(found, AudioError)]
    min_frames = max(1, round(min_overlap * _SAMPLE_RATE / _HOP))
    # The length of the FFT is that of a linear cross-correlation, as a power of two.
    n = 1 << (2 * max((len(prints[i]) for i in known), default=1) - 1).bit_length()
    spectra = {i: scipy.fft.rfft(prints[i], n, axis=0) for i in known}
    rows = threads(
        delayed(_compare)(i, known[k + 1 :], prints, spectra, n, min_frames)
        for k, i in enumerate(known)
    )
    second = _HOP / _SAMPLE_RATE
    # Rounding errors can make the similarity of an exact copy exceed 1.
    found = [
        (paths[i], paths[j], offset * second, overlap * second, min(similarity, 1.0))
        for i, row in zip(known, rows, strict=True)
        for j, offset, overlap, similarity in row
        if similarity >= threshold
    ]
    pairs = pd.DataFrame(found, columns=_COLUMNS)
    return pairs.sort_values("similarity", ascending=False, kind="stable", ignore_index=True)


def _read(path, position: int, duration: float | None) -> np.ndarray | AudioError:
    """Return the fingerprint of a file, or the error if it cannot be used."""
    try:
        y = load_audio(path, sample_rate=_SAMPLE_RATE, duration=duration)
        if len(y) < MIN_DURATION * _SAMPLE_RATE:
            raise AudioError(
                name_of(path, position),
                f"{len(y) / _SAMPLE_RATE:.2f} s of audio is too short; at least "
                f"{MIN_DURATION:.3g} s are needed",
            )
        if not has_signal(y, _SAMPLE_RATE):
            raise AudioError(name_of(path, position), "contains no signal in what was read")
    except AudioError as error:
        return AudioError(name_of(path, position), error.reason)
    return fingerprint(y)


def fingerprint(y: np.ndarray) -> np.ndarray:
    """Compute a fingerprint that is robust to changes of level, filters and codecs.

    Parameters
    ----------
    y : float32 ndarray of shape (n_samples,)
        Mono samples at 22,050 Hz.

    Returns
    -------
    fingerprint : float32 ndarray of shape (n_frames, 15)
        Log-mel spectrogram, differenced over bands and time.
    """
    bank = mel_bank(_SAMPLE_RATE, _N_FFT, _N_MELS, _FMIN, _FMAX)
    [power] = band_powers(y, bank, n_fft=_N_FFT, hop_length=_HOP)
    level = np.diff(to_decibels(power, _TOP_DB), axis=1)
    return level[2:] - level[:-2]


def _compare(i: int, others: list[int], prints, spectra, n: int, min_frames: int) -> list[tuple]:
    """Compare a track with others; return tuples (j, offset, overlap, similarity) in frames."""
    a = prints[i]
    energy_a = _running_energy(a)
    found = []
    for j in others:
        b = prints[j]
        energy_b = _running_energy(b)
        correlation = scipy.fft.irfft((spectra[i] * spectra[j].conj()).sum(axis=1), n)
        enough = min(min_frames, len(a), len(b))
        offsets = np.arange(enough - len(b), len(a) - enough + 1)
        start, stop = np.maximum(0, offsets), np.minimum(len(a), offsets + len(b))
        energy = _energy(energy_a, start, stop) * _energy(energy_b, start - offsets, stop - offsets)
        similarity = correlation[offsets] / np.sqrt(energy)
        best = int(similarity.argmax())
        overlap = int(stop[best] - start[best])
        found.append((j, int(offsets[best]), overlap, float(similarity[best])))
    return found


def _running_energy(a: np.ndarray) -> np.ndarray:
    return np.concatenate([[0.0], np.square(a, dtype=float).sum(axis=1).cumsum()])


def _energy(running: np.ndarray, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Compute the energy of parts, with a floor for silence that avoids division by zero."""
    floor = _SILENCE * running[-1] / (len(running) - 1) * (stop - start)
    return np.maximum(running[stop] - running[start], floor) + np.finfo(np.float32).tiny
