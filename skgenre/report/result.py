"""Result of an evaluation."""

from __future__ import annotations

import contextlib
import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from .._files import expand, replace_file
from ..evaluation.out_of_fold import NAME_ARTISTS, name_known
from . import pictures
from .page import at_coverages, render


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
        One row per track with the columns ``path``, ``genre``, ``group`` and ``fold``, and for
        each model ``predicted: <name>`` and ``probability: <name>`` (probability of the predicted
        genre).
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
        return render(
            "page.html.jinja",
            report=self,
            known=self._known(),
            name_artists=NAME_ARTISTS,
            pictures=pictures,
            at_coverages=at_coverages,
            versions=_versions(),
        )

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


def _versions() -> str:
    """Name the versions of the packages on which results depend; librosa need not be installed."""
    found = []
    for name in ("skgenre", "scikit-learn", "librosa"):
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{name} {version(name)}")
    return f"{', '.join(found)} and Python {platform.python_version()}"
