"""``skgenre predict`` and ``skgenre timeline``, which apply a model to files."""

from __future__ import annotations

import contextlib
import sys

import click

from .errors import single_line
from .options import UserPath, jobs_option, model_option, on_a_terminal, sources_argument

#: Formats of the picture of a timeline.
_PICTURES = (".png", ".svg", ".pdf", ".jpg")


@click.command()
@sources_argument
@model_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "jsonl"]),
    help="Output format.  [default: table on a terminal, csv otherwise]",
)
@click.option(
    "--timeline",
    is_flag=True,
    help="Also predict the genre of each part of a track, from a segment that starts every 5 s, or "
    "as often as the model's segments, and lasts as long as these.",
)
@click.option(
    "--probabilities",
    is_flag=True,
    help="Write csv with a column for each genre. jsonl always has all probabilities.",
)
@click.option(
    "--tags",
    is_flag=True,
    help="Also list the most probable tags of each track, such as mellow or female vocalists. "
    "Requires musicnn: pip install --no-deps musicnn==0.1.0.",
)
@jobs_option
def predict(sources, model, form, timeline, probabilities, tags, jobs) -> None:
    """Predict the genres of audio files, and of all audio files in folders.

    The file - is standard input, which is called stdin in the output.

    Predictions are written in the order of the files, as soon as they are available.

    In a table, paths are shortened, and consecutive parts of a timeline with the same genre are
    merged. Each part is shown up to the start of the next one, since their segments may overlap.
    csv and jsonl contain the full data in UTF-8, with start and stop of the segments in seconds. In
    csv, --timeline writes a row for each part instead of each track, and cells that begin with =,
    +, -, @, a tab or a carriage return are prefixed with ', so that spreadsheets do not interpret
    them as formulas. Parts of a timeline without a signal, such as silence, are left out.

    Calibrated models have a threshold of the probability that corresponds to an accuracy of 80% on
    unseen artists. Below this threshold, a table shows "unsure" and the three most probable genres,
    and unsure is true in csv and jsonl. Their reason is "low probability", or "unlike the training
    tracks", for example for a track without high frequencies. Other models leave unsure empty, with
    the reason "the model has no threshold": presets other than descriptors and musicnn, and models
    trained on fewer than 5 known artists of a genre or without enough right predictions.

    If a file cannot be used, the remaining files are still predicted, and the exit code is 1.
    """
    from tqdm import tqdm

    from ..audio import name_of
    from ..persistence import describe
    from ..pipelines import make_tagger
    from .inputs import audio_files, find_model, load_predictor, standard_input
    from .predictions import predictions
    from .writers import CSV, JSONLines, Table, Writer

    if sys.stdout is None:
        raise OSError("standard output is closed")
    files: list = []
    for source in sources:
        files += [standard_input()] if source == "-" else audio_files((source,))
    # Several files are predicted in parallel, or else the segments of one.
    of_segments = jobs if len(files) == 1 else None
    needs_proba = "--timeline" if timeline else "--probabilities" if probabilities else ""
    pipeline = load_predictor(model, needs_proba=needs_proba, n_jobs=of_segments)
    tagger = make_tagger(n_jobs=of_segments) if tags else None
    if tagger:
        tagger[0].fit(files)  # raises an error if musicnn is not installed
    if on_a_terminal():
        click.echo(single_line(describe(find_model(model))["description"]), err=True)
    form = form or ("table" if sys.stdout.isatty() and not probabilities else "csv")
    if probabilities and form == "table":
        raise ValueError("--probabilities requires --format csv; a table shows the highest two")
    writer: Writer
    if form == "table":
        writer = Table(list(map(name_of, files)), sources, pipeline.classes_)
    elif form == "csv":
        genres = [str(name) for name in pipeline.classes_] if probabilities else []
        writer = CSV(genres, timeline=timeline, tags=tags)
    else:
        writer = JSONLines()
    n_failed = 0
    with (
        tqdm(total=len(files), unit="file", leave=False, disable=not on_a_terminal()) as bar,
        contextlib.closing(
            predictions(pipeline, files, tagger=tagger, timeline=timeline, jobs=jobs)
        ) as found,
    ):
        for file, track in zip(files, found, strict=True):
            bar.update()
            with bar.external_write_mode():
                if isinstance(track, str):
                    n_failed += 1
                    click.echo(f"Warning: {single_line(f'{name_of(file)}: {track}')}", err=True)
                else:
                    writer.write(track)
    writer.finish(n_failed)
    if n_failed:
        sys.exit(1)


@click.command()
@click.argument("file", type=UserPath())
@model_option
@jobs_option
@click.option(
    "--output",
    "-o",
    default="timeline.png",
    type=UserPath(),
    show_default=True,
    help="Path of the figure, with the extension png, svg, pdf or jpg.",
)
def timeline(file: str, model: str | None, jobs: int, output: str) -> None:
    """Plot the genre probabilities of each part of a track.

    The values are those of skgenre predict --timeline. Requires matplotlib: pip install
    "skgenre[plot]".
    """
    from ..plotting import GenreTimelineDisplay
    from ..plotting.display import import_pyplot
    from .inputs import load_predictor

    if file == "-":
        raise ValueError("timeline does not read standard input; use skgenre predict - --timeline")
    if not output.lower().endswith(_PICTURES):
        raise ValueError(f"--output must end in one of {', '.join(_PICTURES)}; got {output}")
    pyplot = import_pyplot()
    pipeline = load_predictor(model, needs_proba="a timeline", n_jobs=jobs)
    with pyplot.rc_context({"savefig.dpi": 150, "backend": "agg"}):
        display = GenreTimelineDisplay.from_estimator(pipeline, file)
        display.figure_.savefig(output, bbox_inches="tight")
    click.echo(single_line(f"{output}: genre timeline of {file}"), err=True)
