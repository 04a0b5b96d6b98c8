"""Conversion of user-supplied paths."""

from __future__ import annotations

import os


def expand(path: str | os.PathLike) -> str:
    """Convert a path to a string and expand ``~`` to the home directory."""
    return os.path.expanduser(os.fsdecode(path))
