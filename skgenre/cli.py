"""The command line: thin calls into the library, and one line for each error.

What takes long to import is imported where it is used, so that ``--help`` is at once there.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import warnings
from collections import Counter

import click


class _Commands(click.Group):
    """Commands whose errors and warnings are lines, not tracebacks."""

    def invoke(self, ctx: click.Context):
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except (ValueError, TypeError, OSError, ImportError) as error:
                raise click.ClickException(_one_line(error)) from error


def _one_line(message) -> str:
    return " ".join(str(message).split())


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    click.echo(f"Warning: {_one_line(message)}", err=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="skgenre")
def main() -> None:
    """Tell the genre of music."""


def _audio_files(sources: tuple[str, ...]) -> list[str]:
    """Files as they were given, and all audio files of folders."""
    from .datasets import list_audio

    paths: list[str] = []
    for source in sources:
        if not os.path.exists(source):
            raise FileNotFoundError(f"there is no file or folder {source}")
        found = list_audio(source) if os.path.isdir(source) else [source]
        if not found:
            raise ValueError(f"{source} holds no audio files; give files, or a folder with some")
        paths += found
    return paths


def _on_a_terminal() -> bool:
    """Whether to show progress."""
    return sys.stderr.isatty()


_jobs = click.option(
    "--jobs", type=int, default=-1, show_default="all cores", help="Files read at once."
)
_strict = click.option(
    "--strict", is_flag=True, help="End with an error if a file cannot be used, not a warning."
)


@main.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE_OR_FOLDER...")
@click.option("-o", "--output", required=True, help="Folder of the store; made if missing.")
@click.option(
    "--segments", type=click.IntRange(1), default=10, show_default=True, help="Most of a track."
)
@click.option(
    "--placement",
    type=click.Choice(["start", "spread"]),
    default="start",
    show_default=True,
    help="Take segments from the start, or spread over the whole track.",
)
@_strict
@_jobs
def extract(sources, output, segments, placement, strict, jobs) -> None:
    """Compute the MFCC segments of audio files into a store.

    Begun stores go on where they ended. skgenre.load_store opens a finished one.
    """
    from .segmenter import MFCCSegmenter
    from .store import extract_store

    segmenter = MFCCSegmenter(
        n_segments=segments,
        placement=placement,
        on_error="raise" if strict else "warn",
        n_jobs=jobs,
        verbose=int(_on_a_terminal()),
    )
    store = extract_store(segmenter, _audio_files(sources), output)
    click.echo(f"{output}: {len(store.data)} tracks, {store.data.nbytes / 1e6:.1f} MB")


# Named here, and not read from the library, so that help needs none of it; a test compares.
_PRESETS = ["ann", "cnn", "lstm", "knn", "svm", "logistic", "lda", "forest", "boosting"]


_cache = click.option("--cache", help="Folder in which to keep features for another time.")
_seed = click.option("--seed", type=int, default=0, show_default=True, help="For random numbers.")


def _labelled(folder: str):
    """Tracks of a folder of genre folders, at least two genres."""
    from .datasets import load_folder

    tracks = load_folder(folder)
    if len(tracks.target_names) < 2:
        raise ValueError(
            f"{folder} holds one genre only, {tracks.target_names[0]!r}; a second folder beside "
            "it, of another genre, is needed"
        )
    return tracks


def _make(preset: str, jobs: int, cache: str | None, seed: int):
    from .pipelines import genre_pipeline

    pipeline = genre_pipeline(preset, n_jobs=jobs, memory=cache, random_state=seed)
    return pipeline.set_params(mfccsegmenter__verbose=int(_on_a_terminal()))


def _folds(tracks, most: int):
    """Folds that keep groups together, as many as each genre has groups for."""
    from sklearn.model_selection import StratifiedGroupKFold

    fewest = min(len(set(tracks.groups[tracks.target == name])) for name in tracks.target_names)
    if fewest < 2:
        raise ValueError(
            "a genre has tracks of one group (artist's folder) only, so that none is left to "
            "test on; add tracks, or artists"
        )
    return StratifiedGroupKFold(min(most, fewest), shuffle=True, random_state=0)


@main.command()
@click.argument("folder", metavar="FOLDER")
@click.option("-o", "--output", required=True, help="The model file, such as model.skgenre.")
@click.option(
    "--preset", default="logistic", show_default=True, help=f"One of {', '.join(_PRESETS)}."
)
@click.option("--epochs", type=click.IntRange(1), help="Passes over the tracks, of networks.")
@_cache
@_seed
@_jobs
def train(folder, output, preset, epochs, cache, seed, jobs) -> None:
    """Train a model on a folder of genre folders and save it.

    FOLDER holds a folder for each genre: rock/song.mp3, jazz/song.mp3, and so on. Folders in
    those are taken for artists.
    """
    from .persistence import save

    pipeline = _make(preset, jobs, cache, seed)
    if not os.path.isdir(os.path.dirname(os.path.abspath(output))):
        raise FileNotFoundError(f"there is no folder {os.path.dirname(output)} for the model")
    tracks = _labelled(folder)
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


@main.command()
@click.argument("folder", metavar="FOLDER")
@click.option("--preset", multiple=True, help=f"One of {', '.join(_PRESETS)}; may be repeated.")
@click.option("--model", help="A model file, to ask about these tracks as it is.")
@click.option("--folds", type=click.IntRange(2), default=5, show_default=True, help="At most.")
@_cache
@_seed
@_jobs
def evaluate(folder, preset, model, folds, cache, seed, jobs) -> None:
    """Tell how often a preset, or a saved model, is right.

    Presets are cross-validated on FOLDER, a folder of genre folders, with all tracks of an artist
    (a folder in a genre's, or the artist of a track of GTZAN) on one side. A saved model is asked
    about the tracks; if it was trained on them the answer is of no worth.
    """
    from .model_selection import compare_models
    from .persistence import load

    tracks = _labelled(folder)
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
    pipelines = [(name, _make(name, jobs, cache, seed)) for name in preset or ("logistic",)]
    cv = _folds(tracks, folds)
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


@main.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE_OR_FOLDER...")
@click.option("--model", help="A model file.  [default: the one that comes with skgenre]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "jsonl"]),
    help="How to answer.  [default: a table on a terminal, csv to a pipe]",
)
@click.option("--timeline", is_flag=True, help="Also tell the genre of each part of a track.")
@_jobs
def predict(sources, model, form, timeline, jobs) -> None:
    """Tell the genre of files, and of all audio files in folders.

    Ends with 1 if a file could not be used; the others are answered all the same.
    """
    from sklearn.pipeline import Pipeline

    from .extraction import TrackExtractor
    from .persistence import STARTER, describe, load, starter_model

    paths = _audio_files(sources)
    pipeline = load(model) if model else starter_model()
    pipeline = getattr(pipeline, "best_estimator_", pipeline)
    if not (isinstance(pipeline, Pipeline) and isinstance(pipeline[0], TrackExtractor)):
        raise ValueError(f"{model} is a model, but not one that begins with audio files")
    pipeline[0].set_params(on_error="raise", n_jobs=None, verbose=0)
    if _on_a_terminal():
        click.echo(describe(model or STARTER)["description"], err=True)
    form = form or ("table" if sys.stdout.isatty() else "csv")
    answers, failed = [], []
    with click.progressbar(
        length=len(paths), file=sys.stderr, hidden=not _on_a_terminal(), label="listening"
    ) as bar:
        for path, answer in zip(paths, _answers(pipeline, paths, timeline, jobs), strict=True):
            if isinstance(answer, dict):
                answers.append(answer)
            else:
                failed.append(f"{path}: {answer}")
            bar.update(1)
    _write(answers, form)
    for line in failed:
        click.echo(f"Warning: {_one_line(line)}", err=True)
    if failed:
        sys.exit(1)


def _answers(pipeline, paths: list[str], timeline: bool, jobs: int):
    """Yield an answer for each path, or why there is none."""
    from joblib import Parallel, delayed

    return Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(
        delayed(_answer)(pipeline, path, timeline) for path in paths
    )


def _answer(pipeline, path: str, timeline: bool) -> dict | str:
    from .audio import AudioError
    from .extraction import UnreadableTracksError
    from .timeline import parts

    try:
        X = pipeline[0].transform([path])
        rest = pipeline[1:]
        answer = {"path": path, "genre": str(rest.predict(X)[0])}
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
