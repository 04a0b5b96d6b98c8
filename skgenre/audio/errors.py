"""Exception for unusable audio files."""

from __future__ import annotations


class AudioError(ValueError):
    """Exception raised when an audio file cannot be used.

    Parameters
    ----------
    path : str
        The file, as passed by the user.
    reason : str
        The problem.
    """

    def __init__(self, path: str, reason: str):
        # Passing both to super() lets the exception be pickled by worker processes.
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"
