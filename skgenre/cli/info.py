"""``skgenre info``."""

from __future__ import annotations

import os
import shutil

import click

from .._printable import printable
from .options import NO_THRESHOLD, UserPath


@click.command()
@click.argument("model", required=False, type=UserPath())
def info(model: str | None) -> None:
    """Print what a model is: its genres, its training data and what it needs.

    MODEL is a model file, or musicnn or table, the starter models of skgenre. By default, it is the
    model that is used without --model.
    """
    from ..persistence import describe
    from .inputs import find_model, read_model

    path = find_model(model)
    written, size = describe(path), os.path.getsize(path)
    versions = ", ".join(f"{name} {version}" for name, version in written["versions"].items())
    rows = [
        ("Model", f"{path} ({size / 1000:,.0f} kB)"),
        ("Description", written["description"] or "none"),
        *_describe_model(read_model(path)),
        ("Written by", f"{versions} (format {written['format']})"),
    ]
    formatter = click.HelpFormatter(width=shutil.get_terminal_size().columns)
    formatter.write_dl([(name, printable(text)) for name, text in rows])
    click.echo(formatter.getvalue(), nl=False)


def _describe_model(model) -> list[tuple[str, str]]:
    """Return the name and the text of each line about a loaded model."""
    from sklearn.pipeline import Pipeline

    from ..features import MusicnnEmbedder
    from ..features.model_front_ends import front_ends
    from ..features.musicnn import MUSICNN_VERSION, musicnn_is_installed

    genres = [str(name) for name in getattr(model, "classes_", [])]
    try:
        fronts, rest = front_ends(model), model[1:] if isinstance(model, Pipeline) else model
    except TypeError:
        fronts, rest = [], model
    last = rest[-1] if isinstance(rest, Pipeline) else rest
    needs = "nothing beyond skgenre"
    if any(isinstance(front, MusicnnEmbedder) for front in fronts):
        install = f"not installed: pip install --no-deps musicnn=={MUSICNN_VERSION}"
        state = "installed" if musicnn_is_installed() else install
        needs = f"musicnn {MUSICNN_VERSION}, which is {state}"
    inputs = [_describe_front_end(front) for front in fronts] or ["features instead of audio files"]
    return [
        (f"Genres ({len(genres)})", ", ".join(genres)),
        # A fitted meta-estimator has the front ends of its fitted and of its unfitted parts.
        *(("Input", text) for text in dict.fromkeys(inputs)),
        ("Classifier", _describe_estimator(rest)),
        ("Unsure", _describe_threshold(last)),
        ("Needs", f"{needs}; TensorFlow is not needed to predict"),
    ]


def _describe_front_end(front) -> str:
    words = f"{type(front).__name__} at {front.sample_rate:,} Hz"
    duration, n = (getattr(front, name, None) for name in ("segment_duration", "n_segments"))
    if duration is None:
        words += ", one row per track"
    elif n is None:
        words += f", all segments of {duration:g} s"
    else:
        where = "spread over the track" if front.placement == "spread" else "from the start"
        words += f", up to {n} segments of {duration:g} s {where}"
    return words + (f"; trained on changed copies, too: {front.augment}" if front.augment else "")


def _describe_estimator(estimator) -> str:
    """Return the names of the class of an estimator and of those within it."""
    from sklearn.pipeline import Pipeline

    if isinstance(estimator, Pipeline):
        return ", ".join(_describe_estimator(step) for _, step in estimator.steps)
    parts = [part for _, part in getattr(estimator, "estimators", [])]
    inner = [_describe_estimator(part) for part in parts if not isinstance(part, str)]
    if getattr(estimator, "estimator", None) is not None:
        inner = [_describe_estimator(estimator.estimator)]
    if hasattr(estimator, "architecture_"):
        n = estimator.architecture_.count_parameters()
        inner = [f"{n:,} parameters, {estimator.n_iter_} epochs"]
    return type(estimator).__name__ + (f"({'; '.join(inner)})" if inner else "")


def _describe_threshold(classifier) -> str:
    threshold = getattr(classifier, "threshold_", None)
    if threshold is None:
        return f"never, since {NO_THRESHOLD}"
    target = f"above which {classifier.target_accuracy:.0%} of the predictions were right"
    words = f"below a probability of {threshold:.2f}, {target} on unseen artists"
    has_outliers = getattr(classifier, "max_distance_", None) is not None
    return words + ("; also tracks unlike the training tracks" if has_outliers else "")
