"""What changes the predictions of a model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.utils import check_consistent_length, check_random_state

from ..audio import AudioError, AudioFile, name_of
from ..features import UnreadableTracksError
from ..features.extractor import check_paths
from ..features.front import copy_with_front_ends, path_pipelines
from . import transforms

#: Rate of the changed tracks, in Hz: that of GTZAN.
_RATE = 22050

#: Seconds that are taken from the middle of a longer track.
_LONGEST = 120.0

#: Seconds of the first and the last part.
_END = 30.0

#: Seconds from a segment to the next where a front end has none.
_SEGMENT = 3.0

UNCHANGED, FIRST, LAST = "unchanged", "first 30 s", "last 30 s"

#: Functions of samples, their rate and a generator.
_CHANGES: dict[str, Callable] = {
    "6 dB quieter": lambda y, rate, rng: transforms.gain(y, -6),
    "12 dB quieter": lambda y, rate, rng: transforms.gain(y, -12),
    "6 dB louder, clipped": lambda y, rate, rng: transforms.gain(y, 6),
    "12 dB louder, clipped": lambda y, rate, rng: transforms.gain(y, 12),
    "MP3 at 64 kbit/s": lambda y, rate, rng: transforms.mp3(y, rate, 64),
    "low-pass at 4 kHz": lambda y, rate, rng: transforms.low_pass(y, rate, 4000),
    "noise at 20 dB": lambda y, rate, rng: transforms.room_noise(y, rate, 20, rng),
    "noise at 10 dB": lambda y, rate, rng: transforms.room_noise(y, rate, 10, rng),
    "3 % faster": lambda y, rate, rng: transforms.speed(y, 1.03),
}

_SHIFTED = "shifted by half a segment"

#: Names of the conditions, in the order of the rows.
CONDITIONS = (*_CHANGES, _SHIFTED, FIRST, LAST)


def robustness_report(
    model,
    paths,
    y=None,
    *,
    conditions: Sequence[str] | Mapping[str, Callable] | None = None,
    n_jobs: int | None = None,
    random_state: Any = 0,
    verbose: int = 0,
) -> pd.DataFrame:
    """Measure how predictions change when the music is changed as it is on its way to a listener.

    Parameters
    ----------
    model : Pipeline, VotingClassifier of pipelines, or a search that has found one
        Fitted, and beginning with a front end.
    paths : list of str, path-like or binary file object
        Tracks. If they were in training, `accuracy` says nothing about unseen ones; `kept` says
        too much.
    y : sequence of n_tracks labels, default=None
        Genres, for `accuracy`.
    conditions : sequence of str, or mapping of str to callable, default=None
        Names of the conditions to take; see the notes. None takes all. A mapping has functions
        of your own, of samples (mono, float32) and their rate in Hz, that return samples.
    n_jobs : int, default=None
        Tracks to change and to predict at once, in threads.
    random_state : int, RandomState instance or None, default=0
        Seed of the noise.
    verbose : int, default=0
        Show a progress bar if not 0.

    Returns
    -------
    report : DataFrame
        A row for each condition, the first of which is ``"unchanged"``, with these columns.

        condition : str
            Its name.
        n_tracks : int
            Tracks that can be used, changed and unchanged.
        kept : float
            Share of these whose prediction is that of the unchanged track; for ``"last 30 s"``,
            that of ``"first 30 s"``.
        accuracy : float
            Share of these that are right; only with `y`.
        accuracy_before : float
            The same of the predictions that `kept` compares with; only with `y`.

    Raises
    ------
    TypeError
        If the model does not begin with a front end.
    ValueError
        For an unknown condition, or labels that are not as many as tracks.

    See Also
    --------
    skgenre.plotting.RobustnessDisplay : The same as a picture.

    Notes
    -----
    Tracks are taken mono at 22,050 Hz, the middle two minutes of longer ones; ``"unchanged"`` are
    these samples. The conditions are:

    - ``"6 dB quieter"``, ``"12 dB quieter"``;
    - ``"6 dB louder, clipped"``, ``"12 dB louder, clipped"``: what is beyond full scale is cut
      off, as in a file of 16 bits;
    - ``"MP3 at 64 kbit/s"``: libsndfile's encoder, constant bit rate, one channel;
    - ``"low-pass at 4 kHz"``: as a phone, a Butterworth filter of order 8;
    - ``"noise at 20 dB"``, ``"noise at 10 dB"``: pink noise so far below the music's mean power;
    - ``"3 % faster"``: tempo and pitch, half a semitone;
    - ``"shifted by half a segment"``: what comes before moves to the end;
    - ``"first 30 s"``, ``"last 30 s"`` of the whole track, and of one shorter than a minute its
      halves.

    Examples
    --------
    >>> from skgenre import robustness_report, starter_model
    >>> robustness_report(starter_model(), paths, genres)  # doctest: +SKIP
    """
    if y is not None:
        check_consistent_length(paths, y)
        y = np.asarray(y)
    [predictions] = changed_predictions(
        [model],
        paths,
        conditions=conditions,
        n_jobs=n_jobs,
        random_state=random_state,
        verbose=verbose,
    )
    return summarise(predictions, y)


def changed_predictions(
    models: Sequence,
    paths,
    *,
    conditions: Sequence[str] | Mapping[str, Callable] | None = None,
    n_jobs: int | None = None,
    random_state: Any = 0,
    verbose: int = 0,
) -> list[pd.DataFrame]:
    """Predict tracks under each condition; each is decoded and changed once for all models.

    Parameters
    ----------
    models : sequence of fitted models that begin with front ends
    paths, conditions, n_jobs, random_state, verbose
        See :func:`robustness_report`.

    Returns
    -------
    predictions : list of DataFrame
        For each model a column for each condition and a row for each track; None where it cannot
        be used.
    """
    paths = check_paths(paths)
    models = [
        copy_with_front_ends(model, on_error="raise", memory=None, n_jobs=None, verbose=0)
        for model in models
    ]
    changes = _changes(conditions, models)
    seeds = check_random_state(random_state).randint(2**31 - 1, size=len(paths))
    from tqdm.auto import tqdm

    tasks = zip(paths, seeds, strict=True)
    bar = tqdm(tasks, "changed tracks", len(paths), unit="track", disable=not verbose)
    found = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_predict_track)(models, path, changes, seed) for path, seed in bar
    )
    names = [UNCHANGED, *changes]
    return [
        pd.DataFrame(
            [[row[name][i] for name in names] for row in found], columns=names, dtype=object
        )
        for i in range(len(models))
    ]


def summarise(predictions: pd.DataFrame, y=None) -> pd.DataFrame:
    """Shares of predictions that are kept and right, from what `changed_predictions` returns."""
    rows = []
    for name in predictions.columns:
        before = FIRST if name == LAST and FIRST in predictions else UNCHANGED
        used = (predictions[name].notna() & predictions[before].notna()).to_numpy()
        now, then = predictions[name].to_numpy()[used], predictions[before].to_numpy()[used]
        row = {"condition": name, "n_tracks": int(used.sum()), "kept": _share(now == then)}
        if y is not None:
            row["accuracy"] = _share(now == np.asarray(y)[used])
            row["accuracy_before"] = _share(then == np.asarray(y)[used])
        rows.append(row)
    return pd.DataFrame(rows)


def _share(right) -> float:
    return float(np.mean(right)) if len(right) else float("nan")


def _changes(conditions, models: list) -> dict[str, Callable]:
    """Functions of an open file, its middle and a generator, by the names of conditions."""
    if isinstance(conditions, Mapping):
        return {
            name: lambda audio, y, rng, change=change: change(y, _RATE)
            for name, change in conditions.items()
        }
    known: dict[str, Callable] = {
        name: lambda audio, y, rng, change=change: change(y, _RATE, rng)
        for name, change in _CHANGES.items()
    }
    # Half of the shortest segment or window of all models; of their own, each would have its file.
    half = round(min(map(_segment, models)) / 2 * _RATE)
    known[_SHIFTED] = lambda audio, y, rng: transforms.shift(y, half)
    known[FIRST] = lambda audio, y, rng: audio.read(0, _end(audio))
    known[LAST] = lambda audio, y, rng: audio.read(audio.n_samples - _end(audio))
    if conditions is None:
        return known
    if unknown := [name for name in conditions if name not in known]:
        raise ValueError(f"There are no conditions {unknown}; there are {list(CONDITIONS)}")
    return {name: known[name] for name in conditions}


def _segment(model) -> float:
    """Seconds from a segment to the next."""
    try:
        return min(pipeline[0].consecutive()[1] for pipeline in path_pipelines(model))
    except TypeError:  # a front end of a user's without segments
        return _SEGMENT


def _end(audio: AudioFile) -> int:
    return min(round(_END * _RATE), audio.n_samples // 2)


def _predict_track(models: list, path, changes: dict[str, Callable], seed: int) -> dict[str, list]:
    """Predictions of all models for a track, by condition; None if it cannot be used."""
    try:
        with AudioFile(path, _RATE) as audio:
            outside = max(0, audio.n_samples - round(_LONGEST * _RATE))
            y = audio.read(outside // 2, audio.n_samples - (outside - outside // 2))
            files = list(_changed_files(audio, y, changes, seed, name_of(path)))
    except AudioError:
        return {name: [None] * len(models) for name in (UNCHANGED, *changes)}
    rows = zip(*(_predict(model, files) for model in models), strict=True)
    return dict(zip((UNCHANGED, *changes), map(list, rows), strict=True))


def _changed_files(audio, y, changes, seed: int, name: str) -> Iterator:
    yield transforms.wav(y, _RATE, name)
    for change in changes.values():
        # A generator for each: the noise does not depend on which conditions are taken.
        rng = np.random.RandomState(seed)
        yield transforms.wav(np.asarray(change(audio, y, rng), np.float32), _RATE, name)


def _predict(model, files: list) -> list:
    try:
        return list(model.predict(files))
    except UnreadableTracksError:  # one by one, to see which
        if len(files) == 1:
            return [None]
        return [label for file in files for label in _predict(model, [file])]
