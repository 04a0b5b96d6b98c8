"""Leakage-free evaluation: splits, and models compared on the same folds."""

from .comparison import compare_models, leakage_report
from .split_files import read_splits, write_splits
from .splits import filtered_split

__all__ = ["compare_models", "filtered_split", "leakage_report", "read_splits", "write_splits"]
