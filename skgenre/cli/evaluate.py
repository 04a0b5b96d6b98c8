"""``skgenre evaluate``."""

from __future__ import annotations

import click

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
from .terminal import printable


def grouped_folds(tracks, most: int):
    """Folds that keep groups together, as many as each genre has groups for."""
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(len(set(tracks.groups[tracks.target == name])) for name in tracks.target_names)
    if fewest < 2:
        raise ValueError(
            "a genre has tracks of one group (artist's folder) only, so that none is left to "
            "test on; add tracks, or artists"
        )
    return StratifiedGroupKFold(min(most, fewest), shuffle=True, random_state=0)


@click.command()
@source_argument
@click.option("--preset", multiple=True, help=f"One of {', '.join(PRESETS)}; may be repeated.")
@click.option("--model", help="A model file, to evaluate on these tracks as it is.")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="At most.")
@cache_option
@seed_option
@jobs_option
def evaluate(
    source, path, target, group, genre_from, preset, model, folds, cache, seed, jobs
) -> None:
    """Evaluate presets, or a saved model, by the share of tracks that are right.

    The tracks are those of a folder of genre folders, or of a table of paths in CSV, as for train.
    Presets are cross-validated with all tracks of an artist (a folder in a genre's, the artist of a
    track of GTZAN, or --group of a table) on one side. A saved model predicts
    the tracks; if it was trained on them the figure says nothing about new ones. Files that cannot
    be used are in no figure.
    """
    import sklearn

    from ..evaluation import compare_models
    from .models import compute_features, make_model

    tracks = labelled(source, path, target, group, genre_from)
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

    from .models import compute_features, load_model, set_front_ends

    fitted = load_model(model)
    unknown = sorted(set(tracks.target_names) - set(fitted.classes_.tolist()))
    if unknown:
        known = sorted(fitted.classes_.tolist())
        raise ValueError(f"{model} does not know {', '.join(unknown)}; it knows {known}")
    set_front_ends(fitted, on_error="warn", n_jobs=jobs, verbose=int(on_a_terminal()))
    used = compute_features([fitted], tracks)
    accuracy = accuracy_score(used.target, fitted.predict(used.data))
    n, n_used = len(tracks.data), len(used.data)
    return f"{model}: right for {accuracy:.1%} of {count(n_used, n)}{left_out(n_used, n)}"
