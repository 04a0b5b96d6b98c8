"""``skgenre evaluate``."""

from __future__ import annotations

import click

from .options import PRESETS, cache_option, jobs_option, labelled, make_pipeline, seed_option


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
@click.argument("folder", metavar="FOLDER")
@click.option("--preset", multiple=True, help=f"One of {', '.join(PRESETS)}; may be repeated.")
@click.option("--model", help="A model file, to ask about these tracks as it is.")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="At most.")
@cache_option
@seed_option
@jobs_option
def evaluate(folder, preset, model, folds, cache, seed, jobs) -> None:
    """Tell how often a preset, or a saved model, is right.

    Presets are cross-validated on FOLDER, a folder of genre folders, with all tracks of an artist
    (a folder in a genre's, or the artist of a track of GTZAN) on one side. A saved model is asked
    about the tracks; if it was trained on them the answer is of no worth.
    """
    from ..evaluation import compare_models
    from ..persistence import load

    tracks = labelled(folder)
    if model:
        pipeline = load(model)
        known = set(pipeline.classes_.tolist())
        unknown = sorted(set(tracks.target_names) - known)
        if unknown:
            raise ValueError(
                f"{model} does not know {', '.join(unknown)}; it knows {sorted(known)}"
            )
        accuracy = pipeline.score(tracks.data, tracks.target)
        click.echo(f"{model}: right for {accuracy:.1%} of {len(tracks.data)} tracks")
        return
    # Made first, so that a name that is not one is said before the work.
    pipelines = [(name, make_pipeline(name, jobs, cache, seed)) for name in preset or ("logistic",)]
    cv = grouped_folds(tracks, folds)
    # All presets cut tracks alike, and that learns nothing from them, so it is done once.
    X = pipelines[0][1][0].transform(tracks.data)
    table = compare_models(
        {name: pipeline[1:] for name, pipeline in pipelines},
        X,
        tracks.target,
        cv=cv,
        groups=tracks.groups,
        scoring="accuracy",
    )
    by = "artist" if len(set(tracks.groups)) < len(tracks.data) else "track (no artists known)"
    for row in table.itertuples():
        click.echo(
            f"{row.model}: right for {row.accuracy:.1%} of tracks, {row.accuracy_std:.1%} standard "
            f"deviation over {cv.get_n_splits()} folds by {by}"
        )
