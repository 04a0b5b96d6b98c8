"""``skgenre predict``."""

from __future__ import annotations

import contextlib
import sys

import click

from .options import audio_files, jobs_option, on_a_terminal
from .terminal import one_line


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE_OR_FOLDER...")
@click.option("--model", help="A model file.  [default: the one that comes with skgenre]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "jsonl"]),
    help="Format of the output.  [default: a table on a terminal, csv to a pipe]",
)
@click.option("--timeline", is_flag=True, help="Also predict the genre of each part of a track.")
@jobs_option
def predict(sources, model, form, timeline, jobs) -> None:
    """Predict the genre of files, and of all audio files in folders.

    Each row is written as soon as it is known, in the order of the files. csv and jsonl are in
    UTF-8 and complete. In csv, a cell that begins with =, +, -, @, a tab or a carriage return gets
    a leading ', so that spreadsheets do not run it. A table shortens paths and joins parts of a
    timeline that are of one genre.

    A table shows "unsure" and the three most probable genres below the probability at which 80 % of
    a model's predictions for unseen artists are right, if the model has one. In csv and jsonl,
    unsure is true there.

    Ends with 1 if a file could not be used; the others are predicted all the same.
    """
    from ..persistence import describe
    from ..pipelines import STARTER
    from .models import confident_from, load_model, set_front_ends
    from .tracks import Progress, predictions, short_names
    from .writers import make_writer

    if sys.stdout is None:
        raise OSError("standard output is closed, so that nothing can be written to it")
    paths = audio_files(sources)
    pipeline = load_model(model)
    if timeline and not hasattr(pipeline, "predict_proba"):
        raise ValueError(
            f"{model} has no probabilities, which --timeline needs; leave it out, or train "
            "another preset than svm"
        )
    set_front_ends(pipeline, on_error="raise", n_jobs=None, verbose=0)
    if on_a_terminal():
        click.echo(one_line(describe(model or STARTER)["description"]), err=True)
    form = form or ("table" if sys.stdout.isatty() else "csv")
    writer = make_writer(
        form,
        short_names(paths, sources),
        pipeline.classes_,
        timeline=timeline,
        may_be_unsure=confident_from(pipeline) is not None,
    )
    n_failed = 0
    with (
        Progress(paths, on_a_terminal()) as bar,
        contextlib.closing(
            predictions(pipeline, paths, timeline=timeline, jobs=jobs, progress=bar)
        ) as found,
    ):
        for path, track in zip(paths, found, strict=True):
            with bar.hidden():
                if isinstance(track, str):
                    n_failed += 1
                    click.echo(f"Warning: {one_line(f'{path}: {track}')}", err=True)
                else:
                    writer.write(track)
    writer.finish(n_failed)
    if n_failed:
        sys.exit(1)
