"""``skgenre train``."""

from __future__ import annotations

import os
from collections import Counter

import click

from .options import PRESETS, cache_option, jobs_option, labelled, make_pipeline, seed_option


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
    those are taken for artists.
    """
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
    pipeline.fit(tracks.data, tracks.target)
    pipeline.set_params(mfccsegmenter__verbose=0, mfccsegmenter__memory=None)
    counts = Counter(tracks.target.tolist())
    listed = ", ".join(f"{genre} {counts[genre]}" for genre in tracks.target_names)
    description = f"{preset}, trained on {len(tracks.data)} tracks: {listed}."
    save(pipeline, output, description=description)
    click.echo(f"{output}: {description}")
