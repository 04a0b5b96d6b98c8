"""``skgenre evaluate``."""

from __future__ import annotations

import os

import click

from .._printable import printable
from .options import (
    PRESETS,
    cache_option,
    count,
    jobs_option,
    labelled,
    left_out,
    on_a_terminal,
    seed_option,
    source_argument,
)


@click.command()
@source_argument
@click.option(
    "--preset",
    multiple=True,
    help=f"Preset to cross-validate: {', '.join(PRESETS)}. Can be used more than once.",
)
@click.option("--model", help="Model file to evaluate instead of presets.")
@click.option(
    "--folds",
    type=click.IntRange(2),
    default=5,
    show_default=True,
    help="Maximum number of folds. Genres with fewer artists reduce it.",
)
@click.option("--report", help="Path of an HTML report to write. Requires matplotlib.")
@click.option(
    "--robustness",
    type=click.IntRange(0),
    default=150,
    show_default=True,
    help="Maximum number of tracks for the robustness section of the report. 0 omits it.",
)
@cache_option
@seed_option
@jobs_option
def evaluate(
    source,
    path,
    target,
    group,
    genre_from,
    preset,
    model,
    folds,
    report,
    robustness,
    cache,
    seed,
    jobs,
) -> None:
    """Compute the accuracy of presets or of a saved model.

    The tracks are read from a folder with one folder per genre, or from a CSV table of paths, as
    for train.

    Presets are cross-validated. All tracks of an artist are in the same fold. Artists are the
    subfolders of the genre folders, the known artists of GTZAN, or the column --group of a table.

    A saved model predicts the tracks. If it was trained on them, the accuracy is not valid for new
    tracks.

    Files that cannot be used are ignored.

    With --report, an HTML report is written, with confidence intervals, misclassified tracks,
    calibration, leakage, and robustness to noise, MP3 coding, low-pass filtering and more. It takes
    several more minutes.
    """
    import sklearn

    from ..evaluation import compare_models
    from ..report.computed import compute_features
    from ..report.folds import grouped_folds
    from .models import make_model

    if report:
        _check_report(report)
    tracks = labelled(source, path, target, group, genre_from)
    if report:
        if model:
            models, cv = {model: _load_for(model, tracks, jobs)}, "prefit"
        else:
            names = preset or PRESETS[:1]
            models, cv = {name: make_model(name, jobs, cache, seed) for name in names}, folds
        _write_report(report, models, cv, source, tracks, robustness, jobs, seed)
        return
    n = len(tracks.data)
    if model:
        click.echo(printable(_evaluate_model(model, tracks, jobs)))
        return
    # Create the models first, so that an unknown preset is reported immediately.
    models = {name: make_model(name, jobs, cache, seed) for name in preset or PRESETS[:1]}
    used = compute_features(list(models.values()), tracks)
    n_used = len(used.data)
    cv = grouped_folds(used, folds)
    try:
        with sklearn.config_context(enable_metadata_routing=True):  # pass artists to the models
            table = compare_models(
                models, used.data, used.target, cv=cv, groups=used.groups, scoring="accuracy"
            )
    except ValueError as error:  # for example from scikit-learn, if a fold has too few tracks
        raise ValueError(
            f"{', '.join(models)} cannot be trained on folds of these tracks: {error} Add tracks."
        ) from error
    by = "artist" if len(set(used.groups)) < n_used else "track (no artists known)"
    for row in table.itertuples():
        click.echo(
            f"{row.model}: {row.accuracy:.1%} accuracy on {count(n_used, n)}, standard deviation "
            f"{row.accuracy_std:.1%} over {cv.get_n_splits()} folds by {by}{left_out(n_used, n)}"
        )


def _evaluate_model(model: str, tracks, jobs: int) -> str:
    """Return a line with the accuracy of a saved model."""
    from sklearn.metrics import accuracy_score

    from ..report.computed import compute_features

    fitted = _load_for(model, tracks, jobs)
    used = compute_features([fitted], tracks)
    accuracy = accuracy_score(used.target, fitted.predict(used.data))
    n, n_used = len(tracks.data), len(used.data)
    return f"{model}: {accuracy:.1%} accuracy on {count(n_used, n)}{left_out(n_used, n)}"


def _load_for(model: str, tracks, jobs: int):
    """Load a model and check that its classes include the genres of the tracks."""
    from .models import load_model, set_front_ends

    fitted = load_model(model)
    unknown = sorted(set(tracks.target_names) - set(fitted.classes_.tolist()))
    if unknown:
        known = sorted(fitted.classes_.tolist())
        raise ValueError(
            f"{model} cannot predict the genres {', '.join(unknown)}; its classes are {known}"
        )
    set_front_ends(fitted, on_error="warn", n_jobs=jobs, verbose=int(on_a_terminal()))
    return fitted


def _check_report(path: str) -> None:
    """Raise an error if the report could not be written, before the evaluation starts."""
    from .._display import _pyplot

    _pyplot()
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; pass the path of a file, such as report.html")
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise FileNotFoundError(f"there is no folder {os.path.dirname(path)} for the report")


def _write_report(path, models, cv, folder, tracks, robustness, jobs: int, seed: int) -> None:
    from ..report import evaluation_report

    try:
        report = evaluation_report(
            models,
            tracks.data,
            tracks.target,
            groups=tracks.groups,
            cv=cv,
            robustness=robustness or None,
            title=f"Genres of {os.path.basename(os.path.abspath(folder))}",
            n_jobs=jobs,
            verbose=int(on_a_terminal()),
            random_state=seed,
        )
    except ValueError as error:  # for example from scikit-learn, if a fold has too few tracks
        raise ValueError(f"{', '.join(models)} cannot be evaluated: {error}") from error
    report.save(path)
    n, n_used = len(tracks.data), len(report.tracks)
    accuracy = report.scores[report.scores["metric"] == "accuracy"]
    for row in accuracy.iloc[:-1].itertuples():
        line = (
            f"{row.model}: {row.score:.1%} accuracy on {count(n_used, n)}, 95 % confidence "
            f"interval {row.low:.1%} to {row.high:.1%}{left_out(n_used, n)}"
        )
        click.echo(printable(line))
    click.echo(printable(path))
