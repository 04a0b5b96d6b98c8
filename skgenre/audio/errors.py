"""The one error of files that give no samples."""

from __future__ import annotations


class AudioError(ValueError):
    """A file that gives no samples.

    Parameters
    ----------
    path : str
        The file, as it was given.
    reason : str
        What is wrong with it.
    """

    def __init__(self, path: str, reason: str):
        # Both go to args, so that the error survives pickling in a worker process.
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"
