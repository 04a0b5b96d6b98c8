"""Result of an evaluation, and its page, for which every value in the template is escaped."""

from __future__ import annotations

import math
import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .._files import expand, replace_file
from .._printable import printable
from ..evaluation import coverage_curve
from ..evaluation.out_of_fold import NAME_ARTISTS, name_known
from ..evaluation.robustness import MARK_NOTE, UNCHANGED, mark_conditions
from ..plotting.display import import_pyplot
from . import pictures

#: Coverages in the table of the most confident predictions.
_COVERAGES = (0.25, 0.5, 0.75, 0.9, 1.0)


@dataclass(eq=False, repr=False)
class EvaluationReport:
    """Result of :func:`skgenre.evaluation_report`.

    The parameters are attributes.

    Parameters
    ----------
    title : str
        Title of the report.
    about : dict
        Information about the evaluation, such as the folds, the number of groups and the
        computation time.
    tracks : DataFrame
        One row per track with the columns ``path``, ``genre``, ``group``, ``fold`` and
        ``modified`` (whether `robustness` includes it), and for each model ``predicted: <name>``
        and ``probability: <name>`` (probability of the predicted genre).
    left_out : DataFrame
        Files that cannot be used, with the columns ``path`` and ``reason``.
    scores : DataFrame
        Scores with confidence intervals, with the columns ``model``, ``metric``, ``score``,
        ``low`` and ``high``. The scores are pooled over all tracks. The last model is
        ``"chance"``, which predicts the most frequent genre of the tracks.
    fold_accuracy : DataFrame of shape (n_folds, n_models)
        Accuracy of each model on the tracks of each fold. Its mean is what
        :func:`sklearn.model_selection.cross_val_score` yields; it differs from the pooled accuracy
        in `scores` if the folds differ in size.
    differences : DataFrame
        Differences between the scores of further models and of the first model, with the same
        columns as `scores`.
    confusion : dict of str to DataFrame
        Confusion matrix of each model. Rows are true and columns predicted genres.
    genres : DataFrame
        Scores of each genre, with the columns ``model``, ``genre``, ``precision``, ``recall``,
        ``f1`` and ``tracks``.
    classes : dict of str to ndarray of shape (n_classes,)
        Genres of each model that predicts probabilities.
    proba : dict of str to ndarray of shape (n_tracks, n_classes)
        Class probabilities of the tracks for each model that predicts probabilities.
    calibration_error : dict of str to float
        Expected calibration error of each model that predicts probabilities.
    leakage : DataFrame or None
        Scores of folds with leakage, see :func:`skgenre.evaluation.leakage_report`.
    robustness : DataFrame or None
        Robustness of each model, see :func:`skgenre.evaluation.robustness_report`. The first
        column is ``model``.
    mistakes : DataFrame
        Misclassified tracks of each model with the highest probabilities, with the columns
        ``model``, ``path``, ``genre``, ``predicted`` and ``probability``.
    timelines : list of Bunch or None
        Timeline with ``start``, ``stop``, ``proba`` and ``classes`` for each row of `mistakes`,
        None if the model has no timeline.
    """

    title: str
    about: dict[str, Any]
    tracks: pd.DataFrame
    left_out: pd.DataFrame
    scores: pd.DataFrame
    fold_accuracy: pd.DataFrame
    differences: pd.DataFrame
    confusion: dict[str, pd.DataFrame]
    genres: pd.DataFrame
    classes: dict[str, np.ndarray]
    proba: dict[str, np.ndarray]
    calibration_error: dict[str, float]
    leakage: pd.DataFrame | None
    robustness: pd.DataFrame | None
    mistakes: pd.DataFrame
    timelines: list[Bunch | None]

    def __repr__(self) -> str:
        accuracy = self.scores[self.scores["metric"] == "accuracy"]
        models = ", ".join(f"{row.model} {row.score:.3f}" for row in accuracy.itertuples())
        by = self.about["by"] + self._known()
        return f"<EvaluationReport of {len(self.tracks)} tracks {by}: accuracy {models}>"

    def _known(self) -> str:
        return name_known(self.about["artists_known"], len(self.tracks))

    def to_html(self) -> str:
        """Return the report as a self-contained HTML page.

        Figures are embedded. The page contains no scripts and does not load any other files.

        Returns
        -------
        page : str
            HTML page.

        Raises
        ------
        ImportError
            If matplotlib or Jinja2 is not installed.
        """
        return _render(self)

    def save(self, path: str | os.PathLike) -> None:
        """Write the report to an HTML file.

        The file is replaced atomically.

        Parameters
        ----------
        path : str or path-like
            Path of the file.

        Raises
        ------
        ImportError
            If matplotlib or Jinja2 is not installed.
        OSError
            If the file cannot be written.
        """
        replace_file(expand(path), self.to_html().encode("utf-8"))


def check_installed() -> None:
    """Raise an ImportError if a page cannot be rendered because a package is missing."""
    import_pyplot()
    try:
        import jinja2  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "An HTML report requires Jinja2: pip install skgenre[plot], or pip install jinja2"
        ) from error


def _render(report: EvaluationReport) -> str:
    """Render the template of the page.

    Values are escaped for HTML, and characters that change the display of text, such as control
    characters, are shown as escape sequences.
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
        "at_coverages": _at_coverages,
        "fixed": _fixed,
        "mark_conditions": mark_conditions,
        "of_model": _of_model,
        "percent": _percent,
        "short": pictures.short,
        "worst_condition": _worst_condition,
    }
    return environment.get_template("page.html.jinja").render(
        report=report,
        known=report._known(),
        mark_note=MARK_NOTE,
        name_artists=NAME_ARTISTS,
        pictures=pictures,
        versions=", ".join(f"{name} {version(name)}" for name in ("skgenre", "scikit-learn")),
        python=platform.python_version(),
    )


def _fixed(value: float, digits: int) -> str:
    """Format a number with decimals, or as a dash for NaN."""
    return "–" if math.isnan(value) else f"{value:.{digits}f}"  # noqa: RUF001


def _percent(value: float) -> str:
    """Format a fraction as a percentage, in which lines do not break, or as a dash for NaN."""
    return f"{_fixed(100 * value, 1)}\u00a0%"


def _of_model(table: pd.DataFrame, model: str) -> pd.DataFrame:
    return table[table["model"] == model]


def _worst_condition(robustness: pd.DataFrame | None, model: str) -> pd.Series | None:
    """Return the condition that changes most predictions of a model, or None."""
    if robustness is None:
        return None
    rows = _of_model(robustness, model)
    rows = rows[(rows["condition"] != UNCHANGED) & (rows["n_tracks"] > 0)]
    return None if rows.empty or rows["kept"].min() == 1 else rows.loc[rows["kept"].idxmin()]


def _at_coverages(labeled: tuple) -> pd.DataFrame:
    """Return the first rows of a coverage curve with at least the coverages of the table."""
    curve = coverage_curve(*labeled)
    rows = [int(np.argmax(curve["coverage"] >= share - 1e-9)) for share in _COVERAGES]
    return curve.iloc[sorted(set(rows))]
