"""``skgenre predict``."""

from __future__ import annotations

import csv
import json
import sys

import click

from .options import audio_files, jobs_option, on_a_terminal, one_line


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE_OR_FOLDER...")
@click.option("--model", help="A model file.  [default: the one that comes with skgenre]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "jsonl"]),
    help="How to answer.  [default: a table on a terminal, csv to a pipe]",
)
@click.option("--timeline", is_flag=True, help="Also tell the genre of each part of a track.")
@jobs_option
def predict(sources, model, form, timeline, jobs) -> None:
    """Tell the genre of files, and of all audio files in folders.

    Ends with 1 if a file could not be used; the others are answered all the same.
    """
    from sklearn.pipeline import Pipeline

    from ..features import TrackExtractor
    from ..persistence import describe, load
    from ..pipelines import STARTER, starter_model

    paths = audio_files(sources)
    pipeline = load(model) if model else starter_model()
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    if not (isinstance(pipeline, Pipeline) and isinstance(pipeline[0], TrackExtractor)):
        raise ValueError(f"{model} is a model, but not one that begins with audio files")
    pipeline[0].set_params(on_error="raise", n_jobs=None, verbose=0)
    if on_a_terminal():
        click.echo(describe(model or STARTER)["description"], err=True)
    form = form or ("table" if sys.stdout.isatty() else "csv")
    answers, failed = [], []
    with click.progressbar(
        length=len(paths), file=sys.stderr, hidden=not on_a_terminal(), label="listening"
    ) as bar:
        for path, answer in zip(paths, _answers(pipeline, paths, timeline, jobs), strict=True):
            if isinstance(answer, dict):
                answers.append(answer)
            else:
                failed.append(f"{path}: {answer}")
            bar.update(1)
    _write(answers, form)
    for line in failed:
        click.echo(f"Warning: {one_line(line)}", err=True)
    if failed:
        sys.exit(1)


def _answers(pipeline, paths: list[str], timeline: bool, jobs: int):
    """Yield an answer for each path, or why there is none."""
    from joblib import Parallel, delayed

    return Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(
        delayed(_answer)(pipeline, path, timeline) for path in paths
    )


def _answer(pipeline, path: str, timeline: bool) -> dict | str:
    from ..audio import AudioError
    from ..features import UnreadableTracksError
    from ..timeline import parts

    try:
        X = pipeline[0].transform([path])
        rest = pipeline[1:]
        answer: dict = {"path": path, "genre": str(rest.predict(X)[0])}
        if hasattr(rest, "predict_proba"):
            answer |= _told(pipeline.classes_, rest.predict_proba(X)[0])
        if timeline:
            answer["timeline"] = [
                {
                    "start": round(float(start), 3),
                    "stop": round(float(stop), 3),
                    "genre": str(pipeline.classes_[proba.argmax()]),
                    **_told(pipeline.classes_, proba),
                }
                for start, stop, proba in zip(*parts(pipeline, path), strict=True)
            ]
    except UnreadableTracksError as error:
        return error.failures[0].reason
    except AudioError as error:
        return error.reason
    return answer


def _told(classes, proba) -> dict:
    """Probabilities as they are written: that of the answer, and all."""
    by_genre = {str(name): round(float(p), 4) for name, p in zip(classes, proba, strict=True)}
    return {"probability": round(float(proba.max()), 4), "probabilities": by_genre}


def _rows(answers: list[dict]):
    """Yield a row for each track and, if there are any, each of its parts."""
    for answer in answers:
        yield {"path": answer["path"], "start": "", "stop": "", **answer}
        for part in answer.get("timeline", ()):
            yield {"path": answer["path"], **part}


def _write(answers: list[dict], form: str) -> None:
    if form == "jsonl":
        for answer in answers:
            click.echo(json.dumps(answer, ensure_ascii=False))
        return
    columns = ["path", "genre", "probability"]
    if any("timeline" in answer for answer in answers):
        columns[1:1] = ["start", "stop"]
    rows = [[str(row.get(name, "")) for name in columns] for row in _rows(answers)]
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *rows])
        return
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    for row in [columns, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
