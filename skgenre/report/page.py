"""Rendering of the page from its template, in which every value is escaped."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .._printable import printable
from ..evaluation import coverage_curve
from ..evaluation.robustness import UNCHANGED
from ..plotting.display import import_pyplot

#: Coverages in the table of the most confident predictions.
_COVERAGES = (0.25, 0.5, 0.75, 0.9, 1.0)


def check_installed() -> None:
    """Raise an ImportError if a page cannot be rendered because a package is missing."""
    import_pyplot()
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "An HTML report requires Jinja2: pip install skgenre[plot], or pip install jinja2"
        ) from error


def render(template: str, **context: Any) -> str:
    """Render a template of this folder.

    Values are escaped for HTML, and characters that change the display of text, such as control
    characters, are shown as escape sequences.

    Parameters
    ----------
    template : str
        Name of the file.
    **context : dict
        Variables of the template.

    Returns
    -------
    page : str
        The page.
    """
    check_installed()
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        finalize=lambda value: value if hasattr(value, "__html__") else printable(str(value)),
        keep_trailing_newline=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "fixed": _fixed,
        "of_model": _of_model,
        "percent": _percent,
        "short": short,
        "worst_condition": _worst_condition,
    }
    return environment.get_template(template).render(**context)


def short(text: Any, max_characters: int = 24) -> str:
    """Shorten the name of a genre, model or file for a figure."""
    text = printable(str(text))
    return text if len(text) <= max_characters else text[: max_characters - 1] + "…"


def _fixed(value: float, digits: int) -> str:
    """Format a number with decimals, or as a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"  # noqa: RUF001


def _percent(value: float) -> str:
    """Format a fraction as a percentage, in which lines do not break, or as a dash for NaN."""
    return "–" if math.isnan(value) else f"{100 * value:.1f}\u00a0%"  # noqa: RUF001


def _of_model(table: pd.DataFrame, model: str) -> pd.DataFrame:
    return table[table["model"] == model]


def _worst_condition(robustness: pd.DataFrame | None, model: str) -> pd.Series | None:
    """Return the condition that changes most predictions of a model, or None."""
    if robustness is None:
        return None
    rows = _of_model(robustness, model)
    rows = rows[(rows["condition"] != UNCHANGED) & (rows["n_tracks"] > 0)]
    return None if rows.empty or rows["kept"].min() == 1 else rows.loc[rows["kept"].idxmin()]


def at_coverages(labeled: tuple) -> pd.DataFrame:
    """Return the first rows of a coverage curve with at least the coverages of the table."""
    curve = coverage_curve(*labeled)
    rows = [int(np.argmax(curve["coverage"] >= share - 1e-9)) for share in _COVERAGES]
    return curve.iloc[sorted(set(rows))]
