"""Evaluation reports.

`tables` computes an evaluation, `result` holds it and renders its page from `page.html.jinja` and
`style.css`, and `pictures` draws the figures of the page.
"""

from .result import EvaluationReport, check_installed
from .tables import evaluation_report

__all__ = ["EvaluationReport", "check_installed", "evaluation_report"]
