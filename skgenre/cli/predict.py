"""``skgenre predict``."""

from __future__ import annotations

import contextlib
import sys

import click

from .options import audio_files, expand_home, jobs_option, on_a_terminal
from .terminal import one_line


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, metavar="FILE_OR_FOLDER...", callback=expand_home
)
@click.option(
    "--model",
    callback=expand_home,
    help="Model file.  [default: the starter model of skgenre]",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "jsonl"]),
    help="Output format.  [default: table on a terminal, csv otherwise]",
)
@click.option("--timeline", is_flag=True, help="Also predict the genre of each part of a track.")
@jobs_option
def predict(sources, model, form, timeline, jobs) -> None:
    """Predict the genres of audio files, and of all audio files in folders.

    The file - is standard input, which is called stdin in the output.

    Predictions are written in the order of the files, as soon as they are available.

    In a table, paths are shortened, and consecutive parts of a timeline with the same genre are
    merged. csv and jsonl contain the full data in UTF-8. In csv, cells that begin with =, +, -, @,
    a tab or a carriage return are prefixed with ', so that spreadsheets do not interpret them as
    formulas. Parts of a timeline without a signal, such as silence, are left out.

    Calibrated models have a threshold of the probability that corresponds to an accuracy of 80% on
    unseen artists. Below this threshold, a table shows "unsure" and the three most probable genres,
    and unsure is true in csv and jsonl.

    If a file cannot be used, the remaining files are still predicted, and the exit code is 1.
    """
    from ..persistence import describe
    from ..pipelines import STARTER
    from .models import confident_from, load_model, set_front_ends
    from .tracks import Progress, display_name, predictions, short_names
    from .writers import make_writer

    if sys.stdout is None:
        raise OSError("standard output is closed")
    paths: list[str] = []
    for source in sources:
        paths += [source] if source == "-" else audio_files((source,))
    pipeline = load_model(model)
    if timeline and not hasattr(pipeline, "predict_proba"):
        raise ValueError(
            f"{model} does not predict probabilities, which --timeline requires; omit --timeline, "
            "or train another preset than svm"
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
                    click.echo(f"Warning: {one_line(f'{display_name(path)}: {track}')}", err=True)
                else:
                    writer.write(track)
    writer.finish(n_failed)
    if n_failed:
        sys.exit(1)
