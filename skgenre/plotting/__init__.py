"""Displays for plotting, which require matplotlib (``pip install skgenre[plot]``)."""

from .evaluation import (
    CoverageDisplay,
    ReliabilityDisplay,
    RobustnessDisplay,
    ScoreIntervalDisplay,
)
from .tracks import (
    GenreTimelineDisplay,
    HistoryDisplay,
    LeakageDisplay,
    MelSpectrogramDisplay,
    MFCCDisplay,
)

__all__ = [
    "CoverageDisplay",
    "GenreTimelineDisplay",
    "HistoryDisplay",
    "LeakageDisplay",
    "MFCCDisplay",
    "MelSpectrogramDisplay",
    "ReliabilityDisplay",
    "RobustnessDisplay",
    "ScoreIntervalDisplay",
]
