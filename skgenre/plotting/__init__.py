"""Displays for plotting, which require matplotlib (``pip install skgenre[plot]``)."""

from .models import (
    CoverageDisplay,
    HistoryDisplay,
    LeakageDisplay,
    ReliabilityDisplay,
    RobustnessDisplay,
    ScoreIntervalDisplay,
)
from .tracks import GenreTimelineDisplay, MelSpectrogramDisplay, MFCCDisplay

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
