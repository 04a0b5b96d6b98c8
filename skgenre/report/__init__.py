"""Evaluation reports as tables and HTML."""

from .evaluation import evaluation_report
from .result import EvaluationReport

__all__ = ["EvaluationReport", "evaluation_report"]
