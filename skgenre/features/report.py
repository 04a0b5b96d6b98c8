"""What a front end reports of tracks that it cannot use."""

from __future__ import annotations

from .._warnings import warn
from ..audio import AudioError

#: Tracks that a message lists before it only counts the rest.
_MOST_LISTED = 20


class UnreadableTracksError(ValueError):
    """Tracks that gave no features, all of one call in one error.

    Parameters
    ----------
    failures : list of AudioError
        One for each track, with its ``path`` and ``reason``.
    n_tracks : int
        Number of tracks of the call.
    """

    def __init__(self, failures: list[AudioError], n_tracks: int):
        super().__init__(failures, n_tracks)
        self.failures = failures
        self.n_tracks = n_tracks

    def __str__(self) -> str:
        return (
            f"{len(self.failures)} of {self.n_tracks} tracks cannot be used:\n"
            f"{listing(self.failures)}\nLeave them out, or set on_error='warn' to give them "
            "rows of NaN, which the networks leave out of fit and baselines fill with means."
        )


def listing(items, most: int = _MOST_LISTED) -> str:
    """Format items as lines; beyond `most`, give the number of the others."""
    lines = [f"  {item}" for item in items[:most]]
    if len(items) > most:
        lines.append(f"  ... and {len(items) - most} more")
    return "\n".join(lines)


class Report:
    """What went wrong with the tracks of one call, to be reported at its end."""

    def __init__(self, n_tracks: int):
        self.n_tracks = n_tracks
        self.failures: list[AudioError] = []
        self.truncated: list[str] = []

    def conclude(self, on_error: str) -> None:
        """Raise or warn about the tracks that failed, and warn about those that end early.

        Raises
        ------
        UnreadableTracksError
            If tracks failed and `on_error` is ``"raise"``.
        """
        if self.failures and on_error == "raise":
            raise UnreadableTracksError(self.failures, self.n_tracks)
        if self.failures:
            warn(
                f"{len(self.failures)} of {self.n_tracks} tracks cannot be used and have rows of "
                f"NaN:\n{listing(self.failures)}"
            )
        if self.truncated:
            warn(
                f"{len(self.truncated)} of {self.n_tracks} files end early (truncated?) and are "
                f"used as far as they go:\n{listing(self.truncated)}"
            )
