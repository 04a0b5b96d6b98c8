"""Pictures of the page: plots as SVG in the colors of the page, and timelines as rows of cells.

The functions take tables of an evaluation. `i` is the index of the model, which keeps identifiers
in the page unique. Sizes are in inches.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.utils import Bunch

from .._printable import printable
from ..plotting import (
    CoverageDisplay,
    LeakageDisplay,
    ReliabilityDisplay,
    RobustnessDisplay,
    ScoreIntervalDisplay,
)
from ..plotting.display import import_pyplot

#: Placeholder for the text color of the page. No display uses this color.
_INK = "#012345"

#: Blue of the displays, which is replaced by the accent color of the page.
_BLUE = "#0072b2"

#: Maximum number of genres for which a confusion matrix contains numbers.
_MAX_NUMBERS = 12

#: Maximum number of columns of a timeline. Parts of longer timelines are averaged.
_MAX_PARTS = 60

#: Maximum number of genres in a timeline.
_MAX_GENRES = 10

#: Left edge and width of the cells of a timeline in pixels.
_LEFT, _WIDTH = 108, 212

#: Settings of matplotlib for transparent figures in the colors of the page. Text is not converted
#: to paths, and dollar signs in names do not start formulas.
_STYLE = {
    "axes.edgecolor": _INK,
    "axes.facecolor": "none",
    "axes.labelcolor": _INK,
    "figure.facecolor": "none",
    "font.size": 10,
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
    "text.color": _INK,
    "text.parse_math": False,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def short(text: Any, max_characters: int = 24) -> str:
    """Shorten the name of a genre, model or file for a figure."""
    text = printable(str(text))
    return text if len(text) <= max_characters else text[: max_characters - 1] + "…"


class _SVG(str):
    """SVG of matplotlib, which escapes text; the template inserts it as it is."""

    def __html__(self) -> str:
        return self


def scores(accuracy: pd.DataFrame) -> Bunch:
    """Draw the accuracy of the models; the last row is the chance level."""
    *_, chance = accuracy["score"]
    display = ScoreIntervalDisplay(_with_short_names(accuracy[:-1]), float(chance), "accuracy")
    return _draw(display.plot, (4.6, 0.84 + 0.36 * len(accuracy)), "scores", "Accuracy of models")


def confusion(counts: pd.DataFrame, model: str, i: int) -> Bunch:
    """Draw a confusion matrix."""
    display = ConfusionMatrixDisplay(
        counts.to_numpy(), display_labels=[short(genre) for genre in counts.index]
    )

    def plot(ax) -> None:
        display.plot(
            ax=ax,
            cmap="Blues",
            colorbar=False,
            include_values=len(counts) <= _MAX_NUMBERS,
            xticks_rotation="vertical",
        )
        ax.set(xlabel="predicted", ylabel="true")

    side = min(4.6, 2.4 + 0.3 * len(counts))
    return _draw(plot, (side, side), f"confusion{i}", f"Confusion matrix of {short(model)}")


def reliability(labeled: tuple, model: str, i: int) -> Bunch:
    """Draw a reliability diagram of genres, probabilities and classes."""
    return _draw(
        lambda ax: ReliabilityDisplay.from_predictions(*labeled, ax=ax),
        (4.6, 4.0),
        f"reliability{i}",
        f"Reliability diagram of {short(model)}",
    )


def coverage(labeled: tuple, model: str, i: int) -> Bunch:
    """Draw the coverage curve of genres, probabilities and classes."""
    return _draw(
        lambda ax: CoverageDisplay.from_predictions(*labeled, ax=ax),
        (4.6, 4.0),
        f"coverage{i}",
        f"Accuracy of the most confident predictions of {short(model)}",
    )


def leakage(table: pd.DataFrame) -> Bunch:
    """Draw the scores of folds with and without leakage."""
    display = LeakageDisplay(_with_short_names(table))
    return _draw(display.plot, (4.6, 3.2), "leakage", "Accuracy by splitting strategy")


def robustness(rows: pd.DataFrame, model: str, i: int) -> Bunch:
    """Draw the predictions kept and the accuracy of the conditions."""
    return _draw(
        RobustnessDisplay(rows).plot,
        (4.7, 1.1 + 0.3 * len(rows)),
        f"robustness{i}",
        f"Robustness of {short(model)}",
    )


def _with_short_names(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(model=[short(name) for name in table["model"]])


def _draw(plot: Callable, size: tuple[float, float], name: str, label: str) -> Bunch:
    """Draw on matplotlib Axes.

    Parameters
    ----------
    plot : callable
        Function ``plot(ax)``.
    size : tuple of float
        Width and height in inches.
    name : str
        Prefix of the identifiers in the SVG, which must be unique in the page.
    label : str
        Description for screen readers.

    Returns
    -------
    picture : Bunch
        Picture with ``label``, ``view_box`` and ``content`` of the SVG element, and its maximum
        ``width`` in pixels.
    """
    pyplot = import_pyplot()
    file = io.StringIO()
    with pyplot.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The text is rendered by the browser, so glyphs missing in matplotlib's font do not matter.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph .* missing from")
        figure, ax = pyplot.subplots(figsize=size, layout="constrained")
        try:
            plot(ax)
            nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
            figure.savefig(file, format="svg", metadata=nothing)
        finally:
            pyplot.close(figure)
    svg = file.getvalue()
    [view_box] = re.findall(r'<svg [^>]*viewBox="([^"]+)"', svg)
    content = svg[svg.index(">", svg.index("<svg")) + 1 : svg.rindex("</svg>")]
    # Identifiers, and references to them.
    content = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", content)
    content = content.replace(_INK, "var(--ink)").replace(_BLUE, "var(--accent)")
    width = round(float(view_box.split()[2]) * 4 / 3)  # from points
    return Bunch(label=label, view_box=view_box, content=_SVG(content), width=width)


def timeline(found: Bunch, genre, predicted) -> Bunch:
    """Lay out the genre probabilities of the parts of a track.

    Parameters
    ----------
    found : Bunch
        Timeline with ``start``, ``stop``, ``proba`` and ``classes``.
    genre, predicted : label
        True and predicted genre, which are always shown.

    Returns
    -------
    picture : Bunch
        Timeline with ``end`` in seconds, and ``rows``, one for each genre. Rows have a ``label``
        and ``cells`` with the probability ``p``, the left edge ``x`` and the ``width`` in pixels.
    """
    until = np.append(found.start[1:], found.stop[-1])  # segments may overlap
    parts = pd.DataFrame(found.proba).assign(start=found.start, stop=until)
    if len(parts) > _MAX_PARTS:
        groups = parts.groupby(np.arange(len(parts)) * _MAX_PARTS // len(parts))
        parts = groups.mean().assign(start=groups["start"].min(), stop=groups["stop"].max())
    end = max(parts["stop"].iloc[-1], 1e-9)
    parts = parts.dropna()  # no signal
    x = _LEFT + parts["start"] * _WIDTH / end
    width = np.maximum(0.3, (parts["stop"] - parts["start"]) * _WIDTH / end - 0.6)
    labels = list(found.classes)
    order = parts[range(len(labels))].mean().argsort(kind="stable")[::-1].tolist()
    order.sort(key=lambda i: labels[i] not in (genre, predicted))
    return Bunch(
        end=end,
        rows=[
            Bunch(
                label=short(labels[i], 10 if labels[i] == genre else 15),
                is_true=labels[i] == genre,
                is_bold=labels[i] in (genre, predicted),
                cells=[
                    Bunch(x=left, width=wide, p=p)
                    for left, wide, p in zip(x, width, parts[i], strict=True)
                ],
            )
            for i in sorted(order[:_MAX_GENRES])
        ],
    )
