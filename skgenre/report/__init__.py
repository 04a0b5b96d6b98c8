"""A whole evaluation in one call, and as one page."""

from .evaluation import EvaluationReport, evaluation_report

__all__ = ["EvaluationReport", "evaluation_report"]
