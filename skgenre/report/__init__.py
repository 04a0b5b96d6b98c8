"""Evaluation reports: `result` holds the tables, `page.html.jinja` and `style.css` the page."""

from .evaluation import evaluation_report
from .result import EvaluationReport

__all__ = ["EvaluationReport", "evaluation_report"]
