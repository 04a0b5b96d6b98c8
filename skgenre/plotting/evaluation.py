"""Displays of scores, probabilities and robustness."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve

from .._display import Display
from ..evaluation import bootstrap_score, calibration_error, coverage_curve, robustness_report
from ..evaluation.confidence import top_probability

#: Blue and vermilion of Okabe and Ito, which readers with any colour vision can tell apart.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")


class ReliabilityDisplay(Display):
    """Share of right predictions by their probability, and the expected calibration error.

    Parameters
    ----------
    confidence : ndarray of shape (n_tracks,)
        Probabilities of the most probable genres.
    correct : bool ndarray of shape (n_tracks,)
        Whether these are right.
    error : float
        As :func:`skgenre.calibration_error` gives it.
    n_bins : int, default=10
        Bins of equal width between 0 and 1.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgenre.plotting import ReliabilityDisplay
    >>> ReliabilityDisplay.from_estimator(pipe, paths, genres)  # doctest: +SKIP
    """

    _size = (4.6, 4.2)

    def __init__(self, confidence, correct, error: float, n_bins: int = 10):
        self.confidence = confidence
        self.correct = correct
        self.error = error
        self.n_bins = n_bins

    @classmethod
    def from_predictions(
        cls, y_true, proba, classes, *, n_bins: int = 10, ax=None
    ) -> ReliabilityDisplay:
        """Draw the reliability of probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_tracks,)
            Genres.
        proba : array-like of shape (n_tracks, n_classes)
            Class probabilities.
        classes : array-like of shape (n_classes,)
            Genres of the columns.
        n_bins : int, default=10
            Bins of equal width between 0 and 1.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ReliabilityDisplay
        """
        confidence, correct = top_probability(y_true, proba, classes)
        error = calibration_error(y_true, proba, classes, n_bins=n_bins)
        return cls(confidence, correct, error, n_bins).plot(ax=ax)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, n_bins: int = 10, ax=None) -> ReliabilityDisplay:
        """Predict tracks, and draw the reliability.

        Parameters
        ----------
        estimator : classifier or pipeline
            Fitted, to other tracks, with ``predict_proba``.
        X : paths, table or tensor
            What it takes.
        y : array-like of shape (n_tracks,)
            Genres.
        n_bins : int, default=10
            Bins of equal width between 0 and 1.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : ReliabilityDisplay
        """
        proba = estimator.predict_proba(X)
        return cls.from_predictions(y, proba, estimator.classes_, n_bins=n_bins, ax=ax)

    def _draw(self, ax) -> None:
        share, mean = calibration_curve(self.correct, self.confidence, n_bins=self.n_bins)
        edges = np.linspace(0, 1, self.n_bins + 1)
        counts, _ = np.histogram(self.confidence, edges)
        ax.plot([0, 1], [0, 1], ":", color="0.5", label="calibrated")
        # As a histogram at the foot: a point of two tracks says little.
        ax.bar(
            edges[:-1],
            0.2 * counts / max(1, counts.max()),
            1 / self.n_bins,
            align="edge",
            color="0.5",
            alpha=0.35,
            label="tracks",
        )
        ax.plot(
            mean,
            share,
            "o-",
            color=_COLOURS[0],
            label=f"model (calibration error {self.error:.3f})",
        )
        ax.set(
            xlim=(0, 1),
            ylim=(0, 1.03),
            xlabel="probability of the predicted genre",
            ylabel="share of right predictions",
        )
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, loc="upper left")


class CoverageDisplay(Display):
    """Accuracy of the surest predictions, by the share of tracks that they are.

    Parameters
    ----------
    curve : DataFrame
        As :func:`skgenre.coverage_curve` gives it.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgenre.plotting import CoverageDisplay
    >>> CoverageDisplay.from_estimator(pipe, paths, genres)  # doctest: +SKIP
    """

    _size = (4.6, 4.2)

    def __init__(self, curve: pd.DataFrame):
        self.curve = curve

    @classmethod
    def from_predictions(cls, y_true, proba, classes, *, ax=None) -> CoverageDisplay:
        """Draw the curve of probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_tracks,)
            Genres.
        proba : array-like of shape (n_tracks, n_classes)
            Class probabilities.
        classes : array-like of shape (n_classes,)
            Genres of the columns.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : CoverageDisplay
        """
        return cls(coverage_curve(y_true, proba, classes)).plot(ax=ax)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None) -> CoverageDisplay:
        """Predict tracks, and draw the curve.

        Parameters
        ----------
        estimator : classifier or pipeline
            Fitted, to other tracks, with ``predict_proba``.
        X : paths, table or tensor
            What it takes.
        y : array-like of shape (n_tracks,)
            Genres.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        display : CoverageDisplay
        """
        return cls.from_predictions(y, estimator.predict_proba(X), estimator.classes_, ax=ax)

    def _draw(self, ax) -> None:
        ax.step(
            100 * self.curve["coverage"], self.curve["accuracy"], where="post", color=_COLOURS[0]
        )
        ax.set(
            xlim=(0, 100),
            ylim=(0, 1.03),
            xlabel="surest predictions (% of tracks)",
            ylabel="accuracy of these",
        )
        ax.spines[["top", "right"]].set_visible(False)


class RobustnessDisplay(Display):
    """Share of predictions that stay, and accuracy, under changes of the music.

    Parameters
    ----------
    report : DataFrame
        As :func:`skgenre.robustness_report` gives it.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgenre import starter_model
    >>> from skgenre.plotting import RobustnessDisplay
    >>> RobustnessDisplay.from_estimator(starter_model(), paths, genres)  # doctest: +SKIP
    """

    def __init__(self, report: pd.DataFrame):
        self.report = report
        self._size = (6.4, 0.8 + 0.32 * len(report))

    @classmethod
    def from_estimator(cls, estimator, paths, y=None, *, ax=None, **kwargs) -> RobustnessDisplay:
        """Predict changed tracks, and draw what stays.

        Parameters
        ----------
        estimator : Pipeline or VotingClassifier of pipelines
            Fitted, and beginning with a front end.
        paths : list of paths or file objects
            Tracks.
        y : array-like of shape (n_tracks,), default=None
            Genres.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **kwargs
            For :func:`skgenre.robustness_report`.

        Returns
        -------
        display : RobustnessDisplay
        """
        return cls(robustness_report(estimator, paths, y, **kwargs)).plot(ax=ax)

    def _draw(self, ax) -> None:
        report = self.report
        rows = np.arange(len(report))
        bars = ax.barh(rows, report["kept"], 0.7, color="#56B4E9", label="predictions kept")
        ax.bar_label(
            bars,
            ["" if np.isnan(kept) else f"{kept:.2f}" for kept in report["kept"]],
            label_type="center",
            color="black",
            fontsize=9,
        )
        if "accuracy" in report:
            ax.plot(report["accuracy"], rows, "D", color=_COLOURS[1], ms=5, label="accuracy")
        ax.set_yticks(rows, report["condition"])
        ax.invert_yaxis()
        ax.set(xlim=(0, 1.04), xlabel="share of tracks")
        ax.set_xticks(np.linspace(0, 1, 6))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)


class ScoreIntervalDisplay(Display):
    """Scores of models with their intervals.

    Parameters
    ----------
    scores : DataFrame
        With the columns ``model``, ``score``, ``low`` and ``high``.
    chance : float, default=None
        Where to draw a line.
    label : str, default="score"
        Of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgenre.plotting import ScoreIntervalDisplay
    >>> y_true, y_pred = ["jazz", "rock", "rock"], ["jazz", "rock", "jazz"]
    >>> ScoreIntervalDisplay.from_predictions(y_true, {"knn": y_pred})  # doctest: +SKIP
    """

    def __init__(self, scores: pd.DataFrame, chance: float | None = None, label: str = "score"):
        self.scores = scores
        self.chance = chance
        self.label = label
        self._size = (6.4, 1.0 + 0.36 * len(scores))

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_pred: Mapping,
        *,
        groups=None,
        scoring: str = "accuracy",
        chance: float | None = None,
        ax=None,
        **kwargs,
    ) -> ScoreIntervalDisplay:
        """Score the predictions of models, and draw the intervals.

        Parameters
        ----------
        y_true : array-like of shape (n_tracks,)
            Genres.
        y_pred : mapping of str to array-like of shape (n_tracks,)
            Predictions by the names of models.
        groups : array-like of shape (n_tracks,), default=None
            Artists.
        scoring : {"accuracy", "balanced_accuracy", "f1_macro"}, default="accuracy"
            Which score.
        chance : float, default=None
            Where to draw a line.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **kwargs
            For :func:`skgenre.bootstrap_score`.

        Returns
        -------
        display : ScoreIntervalDisplay
        """
        rows = [
            {
                "model": name,
                **bootstrap_score(y_true, predicted, groups=groups, scoring=scoring, **kwargs),
            }
            for name, predicted in y_pred.items()
        ]
        scores = pd.DataFrame(rows)[["model", "score", "low", "high"]]
        return cls(scores, chance, scoring.replace("_", " ")).plot(ax=ax)

    def _draw(self, ax) -> None:
        scores, rows = self.scores, np.arange(len(self.scores))
        if self.chance is not None:
            ax.axvline(self.chance, ls=":", color="0.5", label="chance")
            ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
        ends = [scores["score"] - scores["low"], scores["high"] - scores["score"]]
        ax.errorbar(
            scores["score"], rows, xerr=np.maximum(ends, 0), fmt="o", color=_COLOURS[0], capsize=4
        )
        ax.set_yticks(rows, scores["model"])
        ax.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6), xlabel=self.label)
        ax.spines[["top", "right"]].set_visible(False)
