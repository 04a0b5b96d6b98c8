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
@click.option("--preset", multiple=True, help=f"One of {', '.join(PRESETS)}; may be repeated.")
@click.option("--model", help="A model file, to evaluate on these tracks as it is.")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="At most.")
@click.option("--report", help="Page (HTML) to write with all that is found; needs matplotlib.")
@click.option(
    "--robustness",
    type=click.IntRange(0),
    default=150,
    show_default=True,
    help="Tracks to change for the report, at most; 0 leaves that part out.",
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
    """Evaluate presets, or a saved model, by the share of tracks that are right.

    The tracks are those of a folder of genre folders, or of a table of paths in CSV, as for train.
    Presets are cross-validated with all tracks of an artist (a folder in a genre's, the artist of a
    track of GTZAN, or --group of a table) on one side. A saved model predicts
    the tracks; if it was trained on them the figure says nothing about new ones. Files that cannot
    be used are in no figure.

    With --report a page is written, too: intervals, mistakes, calibration, leakage, and how
    predictions change with noise, MP3, a phone's bandwidth and more. It takes minutes longer.
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
    # Made first, so that an unknown name is reported before the work.
    models = {name: make_model(name, jobs, cache, seed) for name in preset or PRESETS[:1]}
    used = compute_features(list(models.values()), tracks)
    n_used = len(used.data)
    cv = grouped_folds(used, folds)
    try:
        with sklearn.config_context(enable_metadata_routing=True):  # artists reach the models
            table = compare_models(
                models, used.data, used.target, cv=cv, groups=used.groups, scoring="accuracy"
            )
    except ValueError as error:  # such as scikit-learn's, of too few tracks in a fold
        raise ValueError(
            f"{', '.join(models)} cannot be trained on folds of these tracks: {error} Add tracks."
        ) from error
    by = "artist" if len(set(used.groups)) < n_used else "track (no artists known)"
    of = "tracks" if n_used == n else count(n_used, n)
    for row in table.itertuples():
        click.echo(
            f"{row.model}: right for {row.accuracy:.1%} of {of}, {row.accuracy_std:.1%} standard "
            f"deviation over {cv.get_n_splits()} folds by {by}{left_out(n_used, n)}"
        )


def _evaluate_model(model: str, tracks, jobs: int) -> str:
    """Accuracy of a saved model, in words."""
    from sklearn.metrics import accuracy_score

    from ..report.computed import compute_features

    fitted = _load_for(model, tracks, jobs)
    used = compute_features([fitted], tracks)
    accuracy = accuracy_score(used.target, fitted.predict(used.data))
    n, n_used = len(tracks.data), len(used.data)
    return f"{model}: right for {accuracy:.1%} of {count(n_used, n)}{left_out(n_used, n)}"


def _load_for(model: str, tracks, jobs: int):
    """Load a model that knows the genres of tracks."""
    from .models import load_model, set_front_ends

    fitted = load_model(model)
    unknown = sorted(set(tracks.target_names) - set(fitted.classes_.tolist()))
    if unknown:
        known = sorted(fitted.classes_.tolist())
        raise ValueError(f"{model} does not know {', '.join(unknown)}; it knows {known}")
    set_front_ends(fitted, on_error="warn", n_jobs=jobs, verbose=int(on_a_terminal()))
    return fitted


def _check_report(path: str) -> None:
    """Raise for a page that could not be written, before minutes of work."""
    from .._display import _pyplot

    _pyplot()
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path} is a folder; the report is a file, such as report.html")
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
    except ValueError as error:  # such as scikit-learn's, of too few tracks in a fold
        raise ValueError(f"{', '.join(models)} cannot be evaluated: {error}") from error
    report.save(path)
    n, n_used = len(tracks.data), len(report.tracks)
    accuracy = report.scores[report.scores["metric"] == "accuracy"]
    for row in accuracy.iloc[:-1].itertuples():
        line = (
            f"{row.model}: right for {row.score:.1%} of {count(n_used, n)}, 95 % interval "
            f"{row.low:.1%} to {row.high:.1%}{left_out(n_used, n)}"
        )
        click.echo(printable(line))
    click.echo(printable(path))
