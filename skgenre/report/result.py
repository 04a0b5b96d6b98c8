"""What an evaluation found: tables, and a page of them."""

from __future__ import annotations

import os
from typing import Any

from .._files import replace_file


class EvaluationReport:
    """What :func:`skgenre.evaluation_report` found: tables, and a page of them.

    Parameters
    ----------
    found : dict
        The attributes.

    Attributes
    ----------
    title : str
    about : dict of str to str
        How it was done: folds, leakage, robustness, versions, seconds.
    tracks : DataFrame
        A row for each track: ``path``, ``genre``, ``group``, ``fold``, and for each model
        ``predicted: <name>`` and ``probability: <name>``, that of the predicted genre.
    left_out : DataFrame
        ``path`` and ``reason`` of files that cannot be used.
    scores : DataFrame
        ``model``, ``metric``, ``score``, ``low``, ``high``; the last model is ``"chance"``, which
        predicts the most frequent genre.
    differences : DataFrame
        ``model``, ``metric``, ``score``, ``low``, ``high``: each further model less the first.
    confusion : dict of str to DataFrame
        For each model the numbers of tracks, by true (rows) and predicted genre.
    genres : DataFrame
        ``model``, ``genre``, ``precision``, ``recall``, ``f1``, ``tracks``.
    classes, proba : dict of str to ndarray
        For each model with probabilities its genres, and those of all tracks.
    calibration_error : dict of str to float
    leakage : DataFrame or None
        As :func:`skgenre.leakage_report` gives it.
    robustness : DataFrame or None
        As :func:`skgenre.robustness_report` gives it, after the column ``model``.
    mistakes : DataFrame
        ``model``, ``path``, ``genre``, ``predicted``, ``probability``, from the surest.
    timelines : list of Bunch or None
        For each row of `mistakes`: ``start``, ``stop``, ``proba``, ``classes``; None where the
        front end has no timeline.
    """

    def __init__(self, found: dict[str, Any]):
        vars(self).update(found)

    def __getattr__(self, name: str) -> Any:  # for type checkers: attributes are in __dict__
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def __repr__(self) -> str:
        accuracy = self.scores[self.scores["metric"] == "accuracy"]
        models = ", ".join(f"{row.model} {row.score:.3f}" for row in accuracy.itertuples())
        return f"<EvaluationReport of {len(self.tracks)} tracks: accuracy {models}>"

    def to_html(self) -> str:
        """Write the page: HTML with pictures inside, without scripts and without addresses.

        Returns
        -------
        page : str

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        from .page import page

        return page(self)

    def save(self, path: str | os.PathLike) -> None:
        """Write the page to a file, whole or not at all.

        Parameters
        ----------
        path : str or path-like

        Raises
        ------
        ImportError
            If matplotlib is missing.
        OSError
            If the file cannot be written.
        """
        replace_file(path, self.to_html().encode("utf-8"))
