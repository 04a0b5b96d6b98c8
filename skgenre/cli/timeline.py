"""``skgenre timeline``."""

from __future__ import annotations

import click

from .options import expand_home
from .terminal import one_line

_ENDINGS = (".png", ".svg", ".pdf", ".jpg")


@click.command()
@click.argument("file", callback=expand_home)
@click.option(
    "--model",
    callback=expand_home,
    help="Model file.  [default: the starter model of skgenre]",
)
@click.option(
    "--output",
    "-o",
    default="timeline.png",
    callback=expand_home,
    show_default=True,
    help="Path of the figure, with the extension png, svg, pdf or jpg.",
)
def timeline(file: str, model: str | None, output: str) -> None:
    """Plot the genre probabilities of each part of a track.

    The values are those of skgenre predict --timeline. Requires matplotlib: pip install
    "skgenre[plot]".
    """
    from ..plotting import GenreTimelineDisplay
    from .models import load_model, set_front_ends

    if file == "-":
        raise ValueError("timeline does not read standard input; use skgenre predict - --timeline")
    if not output.lower().endswith(_ENDINGS):
        raise ValueError(f"--output must end in one of {', '.join(_ENDINGS)}; got {output}")
    try:
        from matplotlib import rc_context
    except ImportError as error:
        raise ValueError(
            'plotting requires matplotlib, which is not installed: pip install "skgenre[plot]"'
        ) from error
    pipeline = load_model(model)
    if not hasattr(pipeline, "predict_proba"):
        raise ValueError(f"{model} does not predict probabilities, which a timeline requires")
    set_front_ends(pipeline, on_error="raise", n_jobs=None, verbose=0)
    with rc_context({"savefig.dpi": 150, "backend": "agg"}):
        display = GenreTimelineDisplay.from_estimator(pipeline, file)
        display.figure_.savefig(output, bbox_inches="tight")
    click.echo(one_line(f"{output}: genre timeline of {file}"), err=True)
