"""``skgenre train``."""

from __future__ import annotations

import os
from collections import Counter

import click

from .options import (
    PRESETS,
    cache_option,
    count,
    jobs_option,
    labelled,
    left_out,
    make_pipeline,
    seed_option,
    usable,
)
from .terminal import printable


@click.command()
@click.argument("folder", metavar="FOLDER")
@click.option("-o", "--output", required=True, help="The model file, such as model.skgenre.")
@click.option(
    "--preset", default="logistic", show_default=True, help=f"One of {', '.join(PRESETS)}."
)
@click.option("--epochs", type=click.IntRange(1), help="Passes over the tracks, of networks.")
@cache_option
@seed_option
@jobs_option
def train(folder, output, preset, epochs, cache, seed, jobs) -> None:
    """Train a model on a folder of genre folders and save it.

    FOLDER holds a folder for each genre: rock/song.mp3, jazz/song.mp3, and so on. Folders in
    those are taken for artists. Files that cannot be used are left out, with a warning.
    """
    from sklearn.pipeline import Pipeline

    from ..persistence import save

    pipeline = make_pipeline(preset, jobs, cache, seed)
    if not os.path.isdir(os.path.dirname(os.path.abspath(output))):
        raise FileNotFoundError(f"there is no folder {os.path.dirname(output)} for the model")
    tracks = labelled(folder)
    if epochs is not None:
        step, network = pipeline.steps[-1]
        if "epochs" not in network.get_params():
            raise ValueError(f"--epochs is for networks, and {preset} is none")
        pipeline.set_params(**{f"{step}__epochs": epochs})
    # A baseline would fill the rows of files that cannot be used with means, and learn from them.
    X, used = usable(pipeline[0], tracks)
    pipeline = Pipeline([pipeline.steps[0], *pipeline[1:].fit(X, used.target).steps])
    pipeline.set_params(mfccsegmenter__verbose=0, mfccsegmenter__memory=None)
    counts = Counter(used.target.tolist())
    listed = ", ".join(f"{genre} {counts[genre]}" for genre in used.target_names)
    n, n_used = len(tracks.data), len(used.data)
    save(pipeline, output, description=f"{preset}, trained on {n_used} tracks: {listed}.")
    words = f"{preset}, trained on {count(n_used, n)}: {listed}{left_out(n_used, n)}."
    click.echo(printable(f"{output}: {words}"))
