"""``skgenre train``."""

from __future__ import annotations

from collections import Counter

import click

from .._printable import printable
from .options import (
    PRESETS,
    OutputFile,
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
    "-o",
    "--output",
    required=True,
    type=OutputFile(),
    help="Path of the model file, such as model.skgenre.",
)
@click.option(
    "--preset", default=PRESETS[0], show_default=True, help=f"Preset: {', '.join(PRESETS)}."
)
@click.option("--epochs", type=click.IntRange(1), help="Number of training epochs of networks.")
@augment_option
@cache_option
@seed_option
@jobs_option
def train(source, output, preset, epochs, augment, cache, seed, jobs, **columns) -> None:
    """Train a model on the tracks of a folder or a table, and save it.

    A folder contains one folder per genre, such as rock/song.mp3 and jazz/song.mp3. Their
    subfolders, if any, are the artists.

    A table in CSV format contains one row per track, with the path relative to the folder of the
    table and the genre: TABLE.csv --path file --target genre --group artist.

    Files that cannot be used are ignored with a warning.
    """
    from .._metadata import fit_with_groups
    from .._warnings import warn
    from ..evaluation.out_of_fold import compute_features, restore_front_ends
    from ..networks import NetworkClassifier
    from ..persistence import save
    from .inputs import labeled_tracks, make_model

    model = make_model(preset, jobs, cache, seed, augment)
    tracks = labeled_tracks(source, **columns)
    if epochs is not None:
        names = [name for name in model.get_params() if name.endswith("__epochs")]
        if not names:
            raise ValueError(f"--epochs is available for networks only, and not for {preset}")
        model.set_params(**dict.fromkeys(names, epochs))
    computed, used = compute_features({preset: model}, tracks)
    model = computed[preset]
    counts = Counter(used.target.tolist())
    if alone := [genre for genre in used.target_names if counts[genre] < 2]:
        warn(f"There is only one track of {', '.join(alone)}. Add tracks, or leave out the genre.")
    for part in model.get_params().values():
        if isinstance(part, NetworkClassifier):
            part.set_params(verbose=int(on_a_terminal()))
    try:
        fit_with_groups(model, used.data, used.target, used.groups)
    except ValueError as error:  # for example from scikit-learn, if there are too few tracks
        raise ValueError(
            f"{preset} cannot be trained on these tracks: {error} Add tracks."
        ) from error
    model = restore_front_ends(model)
    listed = ", ".join(f"{genre} {counts[genre]}" for genre in used.target_names)
    n, n_used = len(tracks.data), len(used.data)
    save(model, output, description=f"{preset}, trained on {n_used} tracks: {listed}.")
    words = f"{preset}, trained on {count_tracks(n_used, n)}: {listed}{count_unusable(n_used, n)}."
    click.echo(printable(f"{output}: {words}"))
