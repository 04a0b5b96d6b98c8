"""A whole evaluation in one call, and as one page."""

from .evaluation import evaluation_report
from .result import EvaluationReport

__all__ = ["EvaluationReport", "evaluation_report"]
