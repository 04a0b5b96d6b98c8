"""SVG figures that are embedded in a page and use its colors."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Sequence
from html import escape

import numpy as np

from .._printable import printable
from ..plotting.display import import_pyplot

#: Placeholder for the text color of the page. No display uses this color.
_INK = "#012345"

#: Blue of the displays, which is replaced by the accent color of the page.
_BLUE = "#0072b2"

#: Maximum number of columns of a timeline. Parts of longer timelines are averaged.
_MOST_PARTS = 60

#: Maximum number of genres in a timeline.
_MOST_GENRES = 10

#: Maximum number of characters of a name in a figure.
_MOST_CHARACTERS = 24

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

#: Start of definitions and references of identifiers in SVG files of matplotlib.
_ID = re.compile(r'(\bid="|url\(#|href="#)')


def short(text) -> str:
    """Shorten the name of a genre or model for a figure."""
    text = printable(str(text))
    return text if len(text) <= _MOST_CHARACTERS else text[: _MOST_CHARACTERS - 1] + "…"


def figure(draw: Callable, size: tuple[float, float], name: str, label: str) -> str:
    """Draw a matplotlib figure and return it as SVG for HTML.

    Parameters
    ----------
    draw : callable
        Function ``draw(ax)`` that plots on matplotlib Axes.
    size : tuple of float
        Width and height in inches.
    name : str
        Prefix of the identifiers in the SVG, which must be unique in the page.
    label : str
        Description for screen readers.

    Returns
    -------
    svg : str
        SVG element.
    """
    pyplot = import_pyplot()
    file = io.StringIO()
    with pyplot.rc_context({**_STYLE, "svg.hashsalt": name}), warnings.catch_warnings():
        # The text is rendered by the browser, so glyphs missing in matplotlib's font do not matter.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph .* missing from")
        drawn, ax = pyplot.subplots(figsize=size, layout="constrained")
        try:
            draw(ax)
            drawn.savefig(file, format="svg", metadata={"Date": None})
        finally:
            pyplot.close(drawn)
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.S)
    svg = _ID.sub(lambda found: found[1] + name + "-", svg)
    svg = svg.replace(_INK, "var(--ink)").replace(_BLUE, "var(--accent)")
    # Replace the width and height in points by a maximum width.
    head, rest = svg.split(">", 1)
    box = re.search(r'viewBox="([^"]+)"', head)
    assert box is not None  # matplotlib always writes one
    width = float(box[1].split()[2]) * 4 / 3
    return (
        f'<svg class="plot" role="img" aria-label="{escape(label)}" viewBox="{box[1]}" '
        f'style="max-width:{width:.0f}px" xmlns="http://www.w3.org/2000/svg" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">{rest}'
    )


def timeline(found, genre, predicted, name: str) -> str:
    """Draw the genre probabilities of the parts of a track.

    Rows are genres, and darker cells are more probable.

    Parameters
    ----------
    found : Bunch
        Timeline with ``start``, ``stop``, ``proba`` and ``classes``.
    genre, predicted : label
        True genre, which is marked, and predicted genre.
    name : str
        Name of the track for screen readers.

    Returns
    -------
    svg : str
        SVG element.
    """
    start, stop, proba = _fewer_parts(found.start, found.stop, np.asarray(found.proba))
    exists = ~np.isnan(proba).any(axis=1)  # no signal
    start, stop, end, proba = start[exists], stop[exists], stop[-1], proba[exists]
    rows = _rows(proba.mean(axis=0), list(found.classes), (genre, predicted))
    left, width, height = 108, 212, 18
    scale = width / max(float(end), 1e-9)
    shapes = []
    for place, i in enumerate(rows):
        label = found.classes[i]
        mark = " (true)" if label == genre else ""
        weight = ' font-weight="600"' if label in (genre, predicted) else ""
        y = place * height
        shapes.append(
            f'<text x="{left - 6}" y="{y + 12.5}" text-anchor="end"{weight}>'
            f"{escape(_fitting(short(label), 10 if mark else 15))}{mark}</text>"
        )
        for a, b, p in zip(start, stop, proba[:, i], strict=True):
            at, wide = left + a * scale, max(0.3, (b - a) * scale - 0.6)
            shapes.append(
                f'<rect x="{at:.1f}" y="{y + 1}" width="{wide:.1f}" height="{height - 2}" '
                f'fill-opacity="{0.05 + 0.95 * p:.2f}"/>'
            )
            if wide > 26:  # room for a number
                shade = ' class="on"' if p > 0.8 else ' class="mid"' if p > 0.5 else ""
                shapes.append(
                    f'<text x="{at + wide / 2:.1f}" y="{y + 12.5}" text-anchor="middle"{shade}>'
                    f"{p:.2f}</text>"
                )
    bottom = len(rows) * height + 12
    shapes.append(f'<text x="{left}" y="{bottom}">0 s</text>')
    shapes.append(f'<text x="{left + width}" y="{bottom}" text-anchor="end">{end:.0f} s</text>')
    return (
        f'<svg class="timeline" role="img" aria-label="{escape("Timeline of " + name)}" '
        f'viewBox="0 0 {left + width + 2} {bottom + 4}">{"".join(shapes)}</svg>'
    )


def _fitting(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _fewer_parts(start, stop, proba) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average adjacent parts if there are more than `_MOST_PARTS`. Parts of NaN do not count."""
    if len(start) <= _MOST_PARTS:
        return start, stop, proba
    edges = np.linspace(0, len(start), _MOST_PARTS + 1).astype(int)[:-1]
    counts = np.add.reduceat((~np.isnan(proba)).astype(float), edges, axis=0)
    sums = np.add.reduceat(np.nan_to_num(proba), edges, axis=0)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return start[edges], stop[np.append(edges[1:], len(start)) - 1], means


def _rows(proba: np.ndarray, classes: list, wanted: Sequence) -> list[int]:
    """Return the indices of the genres to show: those in `wanted` and the most probable ones."""
    most_probable = np.argsort(-proba, kind="stable").tolist()
    first = [i for i, label in enumerate(classes) if label in wanted]
    return sorted([*first, *(i for i in most_probable if i not in first)][:_MOST_GENRES])
