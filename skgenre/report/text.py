"""Pieces of HTML, escaped."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from .._printable import printable


def h(text: Any) -> str:
    """Escape anybody's text, control characters and broken encodings included."""
    return html.escape(printable(str(text)))


def number(value: float, digits: int = 3) -> str:
    """Write a figure, or a dash where there is none."""
    return "\u2013" if math.isnan(value) else f"{value:.{digits}f}"


def percent(value: float) -> str:
    """Write a share."""
    return "\u2013" if math.isnan(value) else f"{100 * value:.1f} %"


def interval(row: Any, signed: bool = False) -> str:
    """Write a score with its interval."""
    sign = "+" if signed else ""
    return f"{row.score:{sign}.3f} ({row.low:{sign}.3f} to {row.high:{sign}.3f})"


#: Between a number and its unit, where no line should break.
_UNIT = re.compile(r"(?<=\d) (?=(%|s|dB|kHz|kbit/s)(?!\w))")


def together(text: str) -> str:
    """Keep numbers and their units on one line."""
    return _UNIT.sub("\u00a0", text)


def paragraph(text: str, kind: str = "") -> str:
    """Put HTML into a paragraph."""
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
    """Make a table that scrolls in its own box.

    Parameters
    ----------
    head : sequence of str
        Names of the columns.
    rows : iterable of sequences
        Cells, which are escaped.
    text, long : sequence of int
        Columns of text, to the left, and of text that may be broken.
    worst : sequence of int
        Rows to stand out.

    Returns
    -------
    table : str
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
    """Put figures with their names side by side."""
    boxes = (
        f'<div class="card"><b>{h(together(value))}</b><span>{h(together(name))}</span></div>'
        for value, name in figures
    )
    return f'<div class="cards">{"".join(boxes)}</div>'


def pair(*parts: str) -> str:
    """Put a picture and its table side by side, where there is room."""
    return f'<div class="figures">{"".join(parts)}</div>'


def picture(svg: str, caption: str) -> str:
    """Put a caption under a picture."""
    return f"<figure>{svg}<figcaption>{h(caption)}</figcaption></figure>"
