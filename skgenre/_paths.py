"""Paths as users write them."""

from __future__ import annotations

import os


def expand(path: str | os.PathLike) -> str:
    """Path as a string, with ``~`` replaced by the user's home."""
    return os.path.expanduser(os.fsdecode(path))
