"""Generation of synthetic music, for use without a dataset.

Each genre has a style. The style of an artist is a variation of it, with additional
characteristics (studio tone, noise floor, instrument), and the style of a track is a smaller
variation of that of its artist. As in real music, tracks of an artist are therefore more similar
than other tracks of the genre.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from numbers import Integral
from pathlib import Path

import numpy as np
import soundfile
from sklearn.utils import Bunch, check_random_state

from .._checks import AT_LEAST_1, POSITIVE, check_number
from .._files import expand
from .._sklearn import Interval
from ._names import GTZAN_GENRES

SAMPLE_RATE = 22050


@dataclass(frozen=True)
class _Style:
    """Style of a genre, an artist or a track."""

    tempo: float  # beats per minute
    register: float  # MIDI number of the tonic of the lead
    brightness: float  # exponent of the decay of the partials; lower is brighter
    decay: float  # decay time of a note in seconds
    drive: float  # gain before saturation
    drums: float  # level relative to the notes
    noise: float  # level of the noise floor in dB
    swing: float  # delay of every second step, relative to a step
    density: float  # probability that a step has a note


_STYLES = {
    "blues": _Style(92, 55, 1.5, 0.35, 1.5, 0.5, -52, 0.45, 0.55),
    "classical": _Style(84, 64, 1.9, 0.9, 0.6, 0.0, -62, 0.0, 0.75),
    "country": _Style(112, 60, 1.3, 0.25, 1.0, 0.45, -56, 0.15, 0.7),
    "disco": _Style(121, 62, 1.2, 0.18, 1.2, 1.0, -58, 0.0, 0.6),
    "hiphop": _Style(93, 45, 1.8, 0.3, 2.0, 1.3, -50, 0.2, 0.3),
    "jazz": _Style(136, 60, 1.8, 0.4, 0.8, 0.35, -54, 0.5, 0.65),
    "metal": _Style(148, 47, 1.0, 0.5, 8.0, 1.0, -48, 0.0, 0.85),
    "pop": _Style(116, 65, 1.35, 0.25, 1.2, 0.8, -62, 0.0, 0.55),
    "reggae": _Style(76, 50, 1.6, 0.15, 1.1, 0.7, -52, 0.1, 0.4),
    "rock": _Style(124, 55, 1.15, 0.45, 4.0, 0.9, -50, 0.0, 0.65),
}

#: Standard deviation of artists from their genre. Tracks deviate half as much from their artist.
#: Deviations are relative, except for register (semitones) and noise (dB).
_SPREAD = _Style(0.06, 2.5, 0.15, 0.25, 0.3, 0.25, 3.5, 0.3, 0.2)

#: Frequencies in Hz at which an artist's studio tone has random gains, and their spread in dB.
_TONE_FREQUENCIES = (80, 300, 1000, 3000, 8000)
_TONE_SPREAD = 4.0

_SCALE = (0, 2, 4, 5, 7, 9, 11)
_STEPS = 16

_DESCR = """\
SYNTHETIC music: {n_tracks} procedurally generated tracks of {n_genres} genres that are named after
those of GTZAN. The tracks are not recordings, and scores on them do not carry over to real music;
use them to try code when no dataset is available. `groups` contains the synthetic artists.
"""


def make_tracks(
    n_tracks_per_genre: int,
    *,
    genres=10,
    duration: float = 30.0,
    artists_per_genre: int = 5,
    random_state=None,
    folder: str | os.PathLike,
) -> Bunch:
    """Generate synthetic music and write it to audio files.

    Rhythm, harmony, timbre, tempo and noise vary between genres, artists and tracks. The genres
    are the same in every call. Artists and tracks depend on `random_state`: a different seed
    generates different artists of the same genres.

    Parameters
    ----------
    n_tracks_per_genre : int
        Number of tracks per genre.
    genres : int or sequence of str, default=10
        Number or names of genres of GTZAN.
    duration : float, default=30.0
        Length of a track in seconds.
    artists_per_genre : int, default=5
        Number of artists per genre. Tracks are assigned to them in turn.
    random_state : int, RandomState instance or None, default=None
        Seed of the random number generator for artists and tracks. Pass an int for reproducible
        output.
    folder : str or path-like
        Folder for the files ``<genre>/<artist>/<genre>.<number>.wav``, mono PCM at 22,050 Hz, as
        :func:`load_folder` reads them. It is created if it does not exist; existing files of
        these names are overwritten.

    Returns
    -------
    tracks : Bunch
        Dictionary-like object, with the attributes ``data`` (paths), ``target`` (genres),
        ``target_names``, ``track_ids``, ``groups`` (artists) and ``DESCR`` of :func:`load_gtzan`.

    Raises
    ------
    ValueError
        If genres are unknown, or a number is not positive.

    Examples
    --------
    >>> import tempfile
    >>> from skgenre.datasets import make_tracks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(2, genres=["jazz", "metal"], duration=1, folder=folder)
    >>> tracks.target.tolist()
    ['jazz', 'jazz', 'metal', 'metal']
    """
    number = Interval(Integral, 1, len(GTZAN_GENRES), closed="both")
    if number.is_satisfied_by(genres):
        genres = GTZAN_GENRES[:genres]
    names = list(genres) if isinstance(genres, Iterable) and not isinstance(genres, str) else []
    if not names or len(set(names)) < len(names) or not set(names) <= set(_STYLES):
        raise ValueError(
            f"genres={genres!r} must be an integer from 1 to {len(GTZAN_GENRES)}, or a list of "
            f"different names among {list(GTZAN_GENRES)}"
        )
    check_number("n_tracks_per_genre", n_tracks_per_genre, AT_LEAST_1)
    check_number("artists_per_genre", artists_per_genre, AT_LEAST_1)
    check_number("duration", duration, POSITIVE)
    rng = check_random_state(random_state)
    data, target, track_ids, groups = [], [], [], []
    folder = Path(expand(folder))
    for genre in names:
        artists = [
            (_bend(_STYLES[genre], rng, 1.0), rng.normal(0, _TONE_SPREAD, len(_TONE_FREQUENCIES)))
            for _ in range(artists_per_genre)
        ]
        for i in range(n_tracks_per_genre):
            style, tone = artists[i % artists_per_genre]
            y = _render(genre, _bend(style, rng, 0.5), tone, duration, rng)
            track_id = f"{genre}.{i:05d}"
            artist = f"{genre}_artist_{i % artists_per_genre}"
            path = folder / genre / artist / f"{track_id}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, y, SAMPLE_RATE, subtype="PCM_16")
            data.append(str(path))
            target.append(genre)
            track_ids.append(track_id)
            groups.append(artist)
    return Bunch(
        data=data,
        target=np.array(target),
        target_names=sorted(names),
        track_ids=np.array(track_ids),
        groups=np.array(groups),
        DESCR=_DESCR.format(n_tracks=len(data), n_genres=len(names)),
    )


def _bend(style: _Style, rng: np.random.RandomState, amount: float) -> _Style:
    """Draw a random variation of a style."""
    changes = {}
    for field in fields(_Style):
        value = getattr(style, field.name)
        step = amount * getattr(_SPREAD, field.name) * rng.normal()
        additive = field.name in ("register", "noise")
        changes[field.name] = value + step if additive else value * np.exp(step)
    return replace(style, **changes)


def _render(genre: str, style: _Style, tone, duration: float, rng) -> np.ndarray:
    """Synthesize a track from lead, chords, bass and drums, with saturation, noise and tone."""
    n = int(duration * SAMPLE_RATE)
    # The patterns of the genre, independent of the artist.
    pattern = np.random.RandomState(GTZAN_GENRES.index(genre))
    progression = pattern.choice([0, 1, 3, 4, 5], size=4)
    hits = {name: pattern.rand(_STEPS) for name in ("kick", "snare", "hat", "lead")}
    key = round(style.register + rng.randint(-3, 4))
    step = 60 / style.tempo / 4
    table = _wavetable(style.brightness)

    notes = np.zeros(n)
    drums = np.zeros(n)
    sounds = _drum_sounds(rng)
    for i in range(int(duration / step)):
        start = int((i + 0.5 * min(style.swing, 0.9) * (i % 2)) * step * SAMPLE_RATE)
        position = i % _STEPS
        degree = progression[(i // _STEPS) % len(progression)]
        if position % 4 == 0:
            _add(notes, start, 0.8 * _note(table, key + _pitch(degree) - 24, style.decay * 2))
        if position % 8 == 0:
            for third in (0, 2, 4):
                pitch = key + _pitch(degree + third) - 12
                _add(notes, start, 0.3 * _note(table, pitch, style.decay * 4))
        if hits["lead"][position] < style.density and rng.rand() < 0.8:
            pitch = key + _pitch(degree + rng.choice([0, 2, 4, 7]))
            _add(notes, start, 0.6 * _note(table, pitch, style.decay))
        if hits["kick"][position] < 0.2 or position == 0:
            _add(drums, start, sounds["kick"])
        if hits["snare"][position] < 0.15 or position in (4, 12):
            _add(drums, start, sounds["snare"])
        if hits["hat"][position] < 0.6:
            _add(drums, start, sounds["hat"] * rng.uniform(0.5, 1))
    y = notes + style.drums * drums
    y = np.tanh(style.drive * y / (np.abs(y).max() + 1e-9)) + 10 ** (style.noise / 20) * rng.randn(
        n
    )
    from scipy.signal import lfilter  # a slow import (a fifth of a second)

    y = lfilter(_tone_filter(tone), 1, y)
    return 0.8 * y / (np.abs(y).max() + 1e-9)


def _pitch(degree: int) -> int:
    """Return the semitones from the tonic to a degree of the major scale."""
    return 12 * (degree // len(_SCALE)) + _SCALE[degree % len(_SCALE)]


def _wavetable(brightness: float, size: int = 2048, n_partials: int = 24) -> np.ndarray:
    """Compute one period of a tone whose partials decay with a power of their number."""
    partials = np.arange(1, n_partials + 1)
    phase = 2 * np.pi * np.arange(size) / size
    return (partials**-brightness) @ np.sin(np.outer(partials, phase))


def _note(table: np.ndarray, pitch: int, decay: float) -> np.ndarray:
    t = np.arange(int(min(4 * decay, 2.0) * SAMPLE_RATE)) / SAMPLE_RATE
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    tone = table[(frequency * t * len(table)).astype(np.int64) % len(table)]
    return tone * np.exp(-t / decay) * np.minimum(1, t / 0.005)


def _drum_sounds(rng) -> dict[str, np.ndarray]:
    t = np.arange(int(0.2 * SAMPLE_RATE)) / SAMPLE_RATE
    noise = rng.randn(len(t))
    return {
        "kick": 1.5
        * np.sin(2 * np.pi * (50 * t + 8 * (1 - np.exp(-t / 0.03))))
        * np.exp(-t / 0.08),
        "snare": (0.5 * noise + 0.5 * np.sin(2 * np.pi * 190 * t)) * np.exp(-t / 0.06),
        "hat": 0.3 * np.diff(noise, prepend=0) * np.exp(-t / 0.02),
    }


def _add(y: np.ndarray, start: int, sound: np.ndarray) -> None:
    part = y[start : start + len(sound)]
    part += sound[: len(part)]


def _tone_filter(gains) -> np.ndarray:
    """Design a linear-phase filter with the given gains (dB) at `_TONE_FREQUENCIES`."""
    from scipy.signal import firwin2

    frequencies = [0, *_TONE_FREQUENCIES, SAMPLE_RATE / 2]
    levels = 10 ** (np.array([gains[0], *gains, gains[-1]]) / 20)
    return firwin2(257, frequencies, levels, fs=SAMPLE_RATE)
