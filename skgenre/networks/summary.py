"""The layers of a network as a table, in text and in HTML."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape

from .layers import Architecture

_HEAD = ("Layer", "Output shape", "Parameters")


def _rows(architecture: Architecture) -> Iterator[tuple[str, str, str]]:
    for layer, shape, weights in zip(
        architecture.layers, architecture.shapes[1:], architecture.weights, strict=True
    ):
        n = sum(math.prod(weight.shape) for weight in weights)
        yield type(layer).__name__, str((None, *shape)), f"{n:,}"


def format_text(architecture: Architecture) -> list[str]:
    """Lines of a table of the layers and of the parameter counts."""
    table = [_HEAD, *_rows(architecture)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    rule = "=" * (sum(widths) + 4)
    head, *rows = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)
    total = architecture.count_parameters()
    trainable = architecture.count_parameters(trainable_only=True)
    return [
        *(head, rule, *rows, rule),
        f"Total params: {total:,}",
        f"Trainable params: {trainable:,}",
        f"Non-trainable params: {total - trainable:,}",
    ]


def format_html(architecture: Architecture) -> str:
    """Folded HTML table of the layers."""
    head, *rows = (
        "".join(f"<td style='text-align:left'>{escape(cell)}</td>" for cell in row)
        for row in [_HEAD, *_rows(architecture)]
    )
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f"<details><summary>{len(architecture.layers)} layers, "
        f"{architecture.count_parameters():,} parameters</summary><table><thead><tr>{head}</tr>"
        f"</thead><tbody>{body}</tbody></table></details>"
    )
