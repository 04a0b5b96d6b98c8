"""Evaluation of genre classifiers: splits, comparison, scores, robustness."""

from .comparison import compare_models, leakage_report
from .robustness import robustness_report
from .scores import bootstrap_score, calibration_error, coverage_curve
from .split_files import read_splits, write_splits

__all__ = [
    "bootstrap_score",
    "calibration_error",
    "compare_models",
    "coverage_curve",
    "leakage_report",
    "read_splits",
    "robustness_report",
    "write_splits",
]
