"""Robustness of predictions to modifications of the audio."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.utils import check_random_state

from .._checks import check_classifier, check_comparable, check_labels
from .._progress import follow
from ..audio import AudioError, AudioFile, name_of, transforms
from ..audio.changes import CHANGES, apply_change, includes, list_changes, read_center
from ..features import UnreadableTracksError
from ..features.front_end import check_paths
from ..features.model_front_ends import copy_with_front_ends, front_ends

#: Sample rate of the modified tracks in Hz, the same as that of GTZAN.
_RATE = 22050

#: Duration of the first and the last part in seconds.
_END_SECONDS = 30.0

#: Time between segments in seconds, for front ends without segments.
_SEGMENT_SECONDS = 3.0

UNCHANGED, FIRST, LAST = "unchanged", "first 30 s", "last 30 s"

#: Explanation of the asterisk of :func:`mark_conditions`.
MARK_NOTE = "* included in the training of the model"


def _by_name(name: str) -> Callable:
    return lambda audio, y, rng: apply_change(name, y, _RATE, rng)


def _standard_changes(half: int) -> dict[str, Callable]:
    """Return functions of an open file, its central samples and a generator, by condition.

    `half` is half a segment in samples.
    """
    return {
        **{name: _by_name(name) for name in CHANGES},
        "shifted by half a segment": lambda audio, y, rng: transforms.shift(y, half),
        FIRST: lambda audio, y, rng: audio.read(0, _end(audio)),
        LAST: lambda audio, y, rng: audio.read(audio.n_samples - _end(audio)),
    }


def _end(audio: AudioFile) -> int:
    """Return the number of samples of the first and of the last part of a track."""
    return min(round(_END_SECONDS * _RATE), audio.n_samples // 2)


#: Names of all conditions, in the order of the rows of a report.
CONDITIONS = tuple(_standard_changes(0))


def robustness_report(
    model,
    paths,
    y=None,
    *,
    conditions: str | Sequence[str] | Mapping[str, Callable] | None = None,
    n_jobs: int | None = None,
    random_state: Any = 0,
    verbose: int = 0,
) -> pd.DataFrame:
    """Measure how predictions change when the audio is modified.

    Parameters
    ----------
    model : Pipeline, or meta-estimator of pipelines
        Fitted model that begins with a front end: a pipeline, or a search, vote or calibration of
        such pipelines.
    paths : list of str, path-like or binary file object
        Tracks. They should not have been used for training: otherwise `accuracy` and `kept` are
        too optimistic for unseen tracks.
    y : array-like of shape (n_tracks,), default=None
        True genres, which are required for the accuracy.
    conditions : str, sequence of str, or mapping of str to callable, default=None
        Names of the conditions to evaluate, see Notes. None evaluates all of them. A mapping
        contains custom functions ``f(samples, sample_rate)``, which return the modified samples
        (mono, float32), by their names.
    n_jobs : int, default=None
        Number of tracks to process in parallel, in threads.
    random_state : int, RandomState instance or None, default=0
        Controls the noise.
    verbose : int, default=0
        Whether to show a progress bar.

    Returns
    -------
    report : DataFrame
        One row per condition, beginning with ``"unchanged"``, with the following columns.

        condition : str
            Name of the condition.
        n_tracks : int
            Number of tracks for which a prediction is available with and without modification.
        kept : float
            Fraction of these tracks for which the prediction is the same as for the unchanged
            track. The prediction for ``"last 30 s"`` is compared with that for ``"first 30 s"``.
        accuracy : float
            Accuracy under this condition. Only if `y` is given.
        accuracy_before : float
            Accuracy of the predictions with which `kept` compares. Only if `y` is given.
        in_training : bool
            Whether the training of the model included this condition: ``"unchanged"``, and the
            changes of the parameter `augment` of all of its front ends, see
            :class:`skgenre.FrontEnd`.

    Raises
    ------
    TypeError
        If the model does not begin with a front end, or is not a classifier.
    ValueError
        If a condition is unknown, or `y` has another length than `paths`, missing labels, or
        labels of another type than the classes of the model.

    See Also
    --------
    skgenre.plotting.RobustnessDisplay : Plot the report.

    Notes
    -----
    Tracks are converted to mono at 22,050 Hz. Only the central two minutes of longer tracks are
    used. ``"unchanged"`` refers to these samples. The other conditions are:

    - ``"6 dB quieter"``, ``"12 dB quieter"``;
    - ``"6 dB louder, clipped"``, ``"12 dB louder, clipped"``: samples are clipped at full scale,
      as in 16-bit files;
    - ``"MP3 at 64 kbit/s"``, ``"MP3 at 32 kbit/s"``: mono with constant bit rate, encoded by
      libsndfile;
    - ``"low-pass at 4 kHz"``: Butterworth filter of order 8;
    - ``"telephone band"``: 300 to 3,400 Hz, at a sample rate of 8 kHz;
    - ``"16 kHz sample rate"``: nothing above 8 kHz;
    - ``"noise at 20 dB"``, ``"noise at 10 dB"``: pink noise with this signal-to-noise ratio;
    - ``"white noise at 15 dB"``: white noise with this signal-to-noise ratio;
    - ``"room"``: reverberation of half a second, as loud as the direct sound;
    - ``"3 % faster"``: higher tempo and pitch, by half a semitone;
    - ``"shifted by half a segment"``: circular shift by half a segment;
    - ``"first 30 s"``, ``"last 30 s"``: beginning and end of the whole track. Tracks shorter than
      a minute are split into halves.

    Examples
    --------
    >>> from skgenre import starter_model
    >>> from skgenre.evaluation import robustness_report
    >>> robustness_report(starter_model(), paths, genres)  # doctest: +SKIP
    """
    check_classifier("model", model)
    if y is not None:
        y = check_labels(y, len(check_paths(paths)))
        classes = np.asarray(getattr(model, "classes_", y))
        check_comparable(y=y, **{"model.classes_": classes})
        if unknown := sorted(set(y.tolist()) - set(classes.tolist())):
            raise ValueError(
                f"y contains {unknown}, which are not among the classes of the model, "
                f"{classes.tolist()}. Use the same names."
            )
    paths = check_paths(paths)
    [predictions] = changed_predictions(
        [[model]] * len(paths),
        paths,
        conditions=conditions,
        n_jobs=n_jobs,
        random_state=random_state,
        verbose=verbose,
    )
    return summarize(predictions, y, model)


def changed_predictions(
    models: Sequence[Sequence],
    paths,
    *,
    conditions: str | Sequence[str] | Mapping[str, Callable] | None = None,
    n_jobs: int | None = None,
    random_state: Any = 0,
    verbose: int = 0,
) -> list[pd.DataFrame]:
    """Predict the genres of tracks under each condition.

    Each track is decoded and modified only once for all models.

    Parameters
    ----------
    models : sequence of shape (n_tracks, n_models)
        Fitted models that begin with a front end, for each track. In a cross-validation, they are
        those of the fold in which the track was not used for training.
    paths, conditions, n_jobs, random_state, verbose
        See :func:`robustness_report`.

    Returns
    -------
    predictions : list of DataFrame
        Predictions of each model, with one row per track and one column per condition. None
        marks tracks for which there is no prediction.
    """
    front = {"on_error": "raise", "memory": None, "n_jobs": None, "verbose": 0}
    ready = {
        id(model): copy_with_front_ends(model, **front) for model in chain.from_iterable(models)
    }
    changes = _changes(conditions, list(ready.values()))
    seeds = check_random_state(random_state).randint(2**31 - 1, size=len(paths))
    results = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")(
        delayed(_predict_track)([ready[id(model)] for model in row], path, changes, seed)
        for row, path, seed in zip(models, paths, seeds, strict=True)
    )
    names = [UNCHANGED, *changes]
    n_models = len(models[0])
    work = n_models * len(names)
    found = list(follow(results, len(paths), "changed tracks", verbose, work=work))
    return [
        pd.DataFrame(
            [[row[name][i] for name in names] for row in found], columns=names, dtype=object
        )
        for i in range(n_models)
    ]


def summarize(predictions: pd.DataFrame, y, model) -> pd.DataFrame:
    """Compute the columns of a report from the result of `changed_predictions` for a model."""
    trained = [list_changes(front.augment) for front in front_ends(model)]
    rows = []
    for name in predictions.columns:
        before = FIRST if name == LAST and FIRST in predictions else UNCHANGED
        used = (predictions[name].notna() & predictions[before].notna()).to_numpy()
        now, then = predictions[name].to_numpy()[used], predictions[before].to_numpy()[used]
        row = {"condition": name, "n_tracks": int(used.sum()), "kept": _share(now == then)}
        if y is not None:
            row["accuracy"] = _share(now == np.asarray(y)[used])
            row["accuracy_before"] = _share(then == np.asarray(y)[used])
        row["in_training"] = name == UNCHANGED or all(includes(each, name) for each in trained)
        rows.append(row)
    return pd.DataFrame(rows)


def mark_conditions(report: pd.DataFrame) -> pd.Series:
    """Return the conditions, with an asterisk for those of changed copies in the training."""
    trained = report["in_training"] & (report["condition"] != UNCHANGED)
    return report["condition"].mask(trained, report["condition"] + " *")


def _share(right) -> float:
    return float(np.mean(right)) if len(right) else float("nan")


def _changes(conditions, models: list) -> dict[str, Callable]:
    """Return the functions of :func:`_standard_changes` for the given conditions."""
    if isinstance(conditions, Mapping):
        if UNCHANGED in conditions:
            raise ValueError(
                f"conditions must not contain {UNCHANGED!r}, which the report uses for the tracks "
                "as they are; use another name."
            )
        for name, change in conditions.items():
            if not callable(change):
                raise TypeError(f"conditions[{name!r}] must be a function; got {change!r}.")
        return {
            name: lambda audio, y, rng, change=change: change(y, _RATE)
            for name, change in conditions.items()
        }
    # Use the shortest segment of all models, so that they share the same modified file.
    known = _standard_changes(round(min(map(_segment_seconds, models)) / 2 * _RATE))
    if conditions is None:
        return known
    conditions = [conditions] if isinstance(conditions, str) else list(conditions)
    if unknown := [name for name in conditions if name not in known]:
        raise ValueError(f"conditions must be among {list(CONDITIONS)}; got {unknown}.")
    return {name: known[name] for name in conditions}


def _segment_seconds(model) -> float:
    """Return the duration of the shortest segments in seconds; 30 for tables of GTZAN's columns."""
    durations = [getattr(each, "segment_duration", _SEGMENT_SECONDS) for each in front_ends(model)]
    return min(duration or 30.0 for duration in durations)


def _predict_track(models: list, path, changes: dict[str, Callable], seed: int) -> dict[str, list]:
    """Return the predictions of all models for a track by condition, None if it is unusable."""
    try:
        with AudioFile(path, _RATE) as audio:
            y = read_center(audio)
            files = list(_changed_files(audio, y, changes, seed, name_of(path)))
    except AudioError:
        return {name: [None] * len(models) for name in (UNCHANGED, *changes)}
    rows = zip(*(_predict(model, files) for model in models), strict=True)
    return dict(zip((UNCHANGED, *changes), map(list, rows), strict=True))


def _changed_files(audio, y, changes, seed: int, name: str) -> Iterator:
    yield transforms.wav(y, _RATE, name)
    for change in changes.values():
        # Use a new generator, so that the noise does not depend on the other conditions.
        rng = np.random.RandomState(seed)
        # A function may work in place.
        changed = change(audio, y.copy(), rng)
        yield transforms.wav(np.asarray(changed, np.float32), _RATE, name)


def _predict(model, files: list) -> list:
    try:
        return list(model.predict(files))
    except UnreadableTracksError:  # predict the files separately to find the unusable ones
        if len(files) == 1:
            return [None]
        return [label for file in files for label in _predict(model, [file])]
