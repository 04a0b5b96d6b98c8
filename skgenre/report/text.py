"""Escaped HTML elements."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from .._printable import printable


def h(text: Any) -> str:
    """Escape text for HTML, including control characters and surrogates."""
    return html.escape(printable(str(text)))


def number(value: float, digits: int = 3) -> str:
    """Format a number, or a dash for NaN."""
    return "\u2013" if math.isnan(value) else f"{value:.{digits}f}"


def percent(value: float) -> str:
    """Format a fraction as a percentage, or a dash for NaN."""
    return "\u2013" if math.isnan(value) else f"{100 * value:.1f} %"


def interval(row: Any, signed: bool = False) -> str:
    """Format a score with its confidence interval."""
    sign = "+" if signed else ""
    return f"{row.score:{sign}.3f} ({row.low:{sign}.3f} to {row.high:{sign}.3f})"


#: Space between a number and its unit, at which lines should not break.
_UNIT = re.compile(r"(?<=\d) (?=(%|s|dB|kHz|kbit/s)(?!\w))")


def together(text: str) -> str:
    """Insert non-breaking spaces between numbers and their units."""
    return _UNIT.sub("\u00a0", text)


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph with the given HTML and class."""
    text = together(text)
    return f'<p class="{kind}">{text}</p>' if kind else f"<p>{text}</p>"


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    text: Sequence[int] = (0,),
    long: Sequence[int] = (),
    worst: Sequence[int] = (),
) -> str:
    """Return a table in a scrollable box.

    Parameters
    ----------
    head : sequence of str
        Names of the columns.
    rows : iterable of sequences
        Cells, which are escaped.
    text : sequence of int, default=(0,)
        Indices of left-aligned text columns.
    long : sequence of int, default=()
        Indices of text columns in which lines may be wrapped.
    worst : sequence of int, default=()
        Indices of highlighted rows.

    Returns
    -------
    table : str
        HTML element.
    """

    def kind(column: int) -> str:
        if column in long:
            return ' class="long"'
        return ' class="text"' if column in text else ""

    names = "".join(f'<th scope="col"{kind(i)}>{h(name)}</th>' for i, name in enumerate(head))
    body = "".join(
        f"<tr{' class=worst' if place in worst else ''}>"
        + "".join(f"<td{kind(i)}>{h(cell)}</td>" for i, cell in enumerate(row))
        + "</tr>"
        for place, row in enumerate(rows)
    )
    return (
        f'<div class="scroll" tabindex="0"><table><thead><tr>{names}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def cards(figures: Iterable[tuple[str, str]]) -> str:
    """Return a row of cards with values and captions."""
    boxes = (
        f'<div class="card"><b>{h(together(value))}</b><span>{h(together(name))}</span></div>'
        for value, name in figures
    )
    return f'<div class="cards">{"".join(boxes)}</div>'


def pair(*parts: str) -> str:
    """Return elements side by side, if there is enough space."""
    return f'<div class="figures">{"".join(parts)}</div>'


def picture(svg: str, caption: str) -> str:
    """Return a figure with a caption."""
    return f"<figure>{svg}<figcaption>{h(caption)}</figcaption></figure>"
