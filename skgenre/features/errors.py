"""Errors and warnings about tracks and caches that cannot be used."""

from __future__ import annotations

from .._warnings import warn
from ..audio import AudioError

#: Maximum number of tracks listed in a message.
MAX_LISTED = 20

#: Attributes of an :class:`AudioFile` that a user is warned about, and the warnings.
NOTES = {
    "ended_early": "files end early (truncated files?); only the decoded part is used",
    "channels_cancel": (
        "files have channels that cancel in their mean (one of them inverted?); only the loudest "
        "channel is used"
    ),
}


class UnreadableTracksError(ValueError):
    """Exception raised when tracks of a call cannot be used.

    Parameters
    ----------
    failures : list of AudioError
        One exception per failed track, with the attributes ``path`` and ``reason``.
    n_tracks : int
        Number of tracks of the call.
    """

    def __init__(self, failures: list[AudioError], n_tracks: int):
        super().__init__(failures, n_tracks)
        self.failures = failures
        self.n_tracks = n_tracks

    @property
    def summary(self) -> str:
        """The message without the remedy."""
        n = f"{len(self.failures)} of {self.n_tracks} tracks cannot be used"
        return f"{n}:\n{listing(self.failures)}"

    def __str__(self) -> str:
        return (
            f"{self.summary}\nRemove them, or set on_error='warn' to set their rows to NaN, which "
            "the networks ignore in fit and the baselines impute with means."
        )


def listing(items: list) -> str:
    """Format items as lines, showing at most the first :data:`MAX_LISTED`."""
    lines = [f"  {item}" for item in items[:MAX_LISTED]]
    if len(items) > MAX_LISTED:
        lines.append(f"  ... and {len(items) - MAX_LISTED} more")
    return "\n".join(lines)


class Report:
    """Failures, notes on files and problems of the cache in one call, reported at its end."""

    def __init__(self, n_tracks: int):
        self.n_tracks = n_tracks
        self.failures: list[AudioError] = []
        #: Names of the files by what to warn about.
        self.notes: dict[str, list[str]] = {note: [] for note in NOTES}
        #: For each track for which the cache could not be used, the reason.
        self.problems: list[str] = []

    def conclude(self, on_error: str) -> None:
        """Raise or warn about failed tracks; warn about the notes on files and the cache.

        Raises
        ------
        UnreadableTracksError
            If tracks failed and `on_error` is ``"raise"``.
        """
        if self.failures and on_error == "raise":
            raise UnreadableTracksError(self.failures, self.n_tracks)
        if self.failures:
            warn(
                f"{len(self.failures)} of {self.n_tracks} tracks cannot be used and count as "
                f"missing:\n{listing(self.failures)}"
            )
        for note, names in self.notes.items():
            if names:
                warn(f"{len(names)} of {self.n_tracks} {NOTES[note]}:\n{listing(names)}")
        if self.problems:
            warn(
                f"The cache could not be used for {len(self.problems)} of {self.n_tracks} tracks; "
                f"their features were computed:\n{listing(list(dict.fromkeys(self.problems)))}\n"
                "If this occurs again, set memory to a folder that can be written to, or to None."
            )
