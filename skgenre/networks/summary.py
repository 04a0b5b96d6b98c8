"""Text summary of the layers of a network."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .layers import Architecture

_HEAD = ("Layer", "Output shape", "Parameters")


def _rows(architecture: Architecture) -> Iterator[tuple[str, str, str]]:
    for layer, shape, weights in zip(
        architecture.layers, architecture.shapes[1:], architecture.weights, strict=True
    ):
        n = sum(math.prod(weight.shape) for weight in weights)
        yield type(layer).__name__, str((None, *shape)), f"{n:,}"


def format_text(architecture: Architecture) -> list[str]:
    """Return the lines of a table of the layers, followed by the parameter counts."""
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
