"""``skgenre evaluate``."""

from __future__ import annotations

import os

import click

from .._printable import printable
from .options import (
    PRESETS,
    OutputFile,
    UserPath,
    augment_option,
    cache_option,
    count_tracks,
    count_unusable,
    jobs_option,
    labeled_tracks_options,
    on_a_terminal,
    seed_option,
)


@click.command()
@labeled_tracks_options
@click.option(
    "--preset",
    multiple=True,
    help=f"Preset to cross-validate: {', '.join(PRESETS)}. Can be used more than once.",
)
@click.option("--model", type=UserPath(), help="Model file to evaluate instead of presets.")
@click.option(
    "--folds",
    type=click.IntRange(2),
    default=5,
    show_default=True,
    help="Maximum number of folds. Genres with fewer artists reduce it.",
)
@click.option(
    "--report",
    type=OutputFile(),
    help="Path of an HTML report to write. Requires matplotlib and Jinja2.",
)
@click.option(
    "--robustness",
    type=click.IntRange(0),
    default=60,
    show_default=True,
    help="Maximum number of tracks for the robustness section of the report, drawn at random. 0 "
    "omits it.",
)
@augment_option
@cache_option
@seed_option
@jobs_option
def evaluate(
    source, preset, model, folds, report, robustness, augment, cache, seed, jobs, **columns
) -> None:
    """Compute the accuracy of presets or of a saved model.

    The tracks are read from a folder with one folder per genre, or from a CSV table of paths, as
    for train.

    Presets are cross-validated. All tracks of an artist are in the same fold. Artists are the
    subfolders of the genre folders, such as rock/Artist/song.mp3, the artist tags with
    --genre-from tags, the known artists of GTZAN, or the column --group of a table. Where no
    artists are known, the accuracy is that on unseen files, which is higher than on unseen artists.
    An artist is known by two tracks or more.

    The accuracy is pooled over all tracks, with a confidence interval over the artists. The mean
    over the folds, which scikit-learn's cross_val_score yields, is printed as well.

    A saved model predicts the tracks. If it was trained on them, the accuracy is not valid for new
    tracks.

    Files that cannot be used are ignored.

    With --report, an HTML report is written, with misclassified tracks, calibration, leakage, and
    robustness to noise, MP3 coding, low-pass filtering and more. It takes some more minutes.
    """
    from ..report import check_installed, evaluation_report
    from .inputs import labeled_tracks, make_model

    options: dict = {"leakage": False, "robustness": None, "n_mistakes": 0}
    if report:
        check_installed()
        options = {"robustness": robustness or None}
    tracks = labeled_tracks(source, **columns)
    # Create the models first, so that an unknown preset is reported immediately.
    if model:
        models, cv = {model: _load_for(model, tracks, jobs)}, "prefit"
    else:
        names = preset or PRESETS[:1]
        made = {name: make_model(name, jobs, cache, seed, augment) for name in names}
        models, cv = made, folds
    try:
        result = evaluation_report(
            models,
            tracks.data,
            tracks.target,
            groups=tracks.groups,
            cv=cv,
            title=f"Genres of {os.path.basename(os.path.abspath(source))}",
            n_jobs=jobs,
            verbose=int(on_a_terminal()),
            random_state=seed,
            **options,
        )
    except ValueError as error:  # for example from scikit-learn, if a fold has too few tracks
        raise ValueError(
            f"{', '.join(models)} cannot be evaluated on these tracks: {error}"
        ) from error
    if report:
        result.save(report)
    _print(result, len(tracks.data))
    if report:
        click.echo(printable(report))


def _print(result, n: int) -> None:
    """Print a line per model, and how to name the artists if they are unknown."""
    from ..evaluation.out_of_fold import NAME_ARTISTS, name_known

    about, n_used = result.about, len(result.tracks)
    known = about["artists_known"]
    tracks, unseen = count_tracks(n_used, n), "artists" if known else "files"
    where = f"{tracks} (" if about["prefit"] else f"unseen {unseen} ({tracks}, "
    accuracy = result.scores[result.scores["metric"] == "accuracy"]
    for row in accuracy.iloc[:-1].itertuples():
        line = (
            f"{row.model}: {row.score:.1%} accuracy on {where}95% confidence interval "
            f"{row.low:.1%} to {row.high:.1%} {about['by']})"
        )
        if not about["prefit"]:
            means = result.fold_accuracy[row.model]
            line += (
                f"; mean of {len(means)} folds {means.mean():.1%}, standard deviation "
                f"{means.std(ddof=0):.1%}"
            )
        click.echo(printable(f"{line}{name_known(known, n_used)}{count_unusable(n_used, n)}"))
    if about["prefit"]:
        click.echo(
            "Note: these accuracies are too high for new tracks if a model was trained on any of "
            "these tracks.",
            err=True,
        )
    if not known:
        click.echo(f"The artists are unknown, or have one track each. {NAME_ARTISTS}")


def _load_for(model: str, tracks, jobs: int):
    """Load a model, and use its spelling of the genres of the tracks."""
    import numpy as np

    from ..datasets._names import normal
    from .inputs import load_model

    fitted = load_model(model, on_error="warn", n_jobs=jobs, verbose=int(on_a_terminal()))
    known = {normal(str(name)): name for name in fitted.classes_.tolist()}
    tracks.target = np.array([known.get(normal(name), name) for name in tracks.target.tolist()])
    return fitted
