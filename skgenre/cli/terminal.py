"""Formatting of text for the terminal."""

from __future__ import annotations

import unicodedata

from .._printable import printable


def one_line(message) -> str:
    """Return a message without line breaks and control characters."""
    return printable(" ".join(str(message).split()))


def width(text: str) -> int:
    """Return the width of a text on a terminal, in columns."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def pad(text: str, columns: int) -> str:
    """Pad a text with spaces."""
    return text + " " * (columns - width(text))


def shorten(text: str, columns: int) -> str:
    """Shorten a text to a number of columns by replacing its middle by an ellipsis."""
    if width(text) <= columns:
        return text
    left = columns - len("...")
    # Keep more of the end, which contains the name of the track.
    head = _prefix(text, left // 3)
    tail = _prefix(text[::-1], left - width(head))[::-1]
    return f"{head}...{tail}"


def _prefix(text: str, columns: int) -> str:
    taken = 0
    for i, character in enumerate(text):
        taken += width(character)
        if taken > columns:
            return text[:i]
    return text


def clock(seconds: float) -> str:
    """Format a time as minutes and seconds, or with hours: ``0:12``, ``1:02:03``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
