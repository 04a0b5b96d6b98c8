"""Displays of models: probabilities, robustness, scores, leakage and training histories."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve

from .._checks import AT_LEAST_1, check_number
from .._sklearn import Interval
from ..evaluation import (
    bootstrap_score,
    calibration_error,
    coverage_curve,
    leakage_report,
    robustness_report,
)
from ..evaluation.robustness import MARK_NOTE, mark_conditions
from ..evaluation.scores import top_probability
from .display import Display

#: Colors of lines and of bars with black text, of the colorblind-safe palette of Okabe and Ito.
_COLORS = ("#0072B2", "#D55E00")
_FILLS = ("#E69F00", "#56B4E9", "#009E73")


class ReliabilityDisplay(Display):
    """Reliability diagram of the predicted genres, with the expected calibration error.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create a
    display.

    Parameters
    ----------
    confidence : ndarray of shape (n_tracks,)
        Probability of the most probable genre of each track.
    correct : bool ndarray of shape (n_tracks,)
        Whether the most probable genre is the true genre.
    error : float
        Expected calibration error, see :func:`skgenre.evaluation.calibration_error`.
    n_bins : int, default=10
        Number of bins of equal width between 0 and 1.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the diagram.
    figure_ : matplotlib Figure
        Figure containing the diagram.

    See Also
    --------
    skgenre.evaluation.calibration_error : Compute the expected calibration error.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skgenre.plotting import ReliabilityDisplay
    >>> y_true = ["blues", "blues", "jazz", "blues"]
    >>> proba = [[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]]
    >>> display = ReliabilityDisplay.from_predictions(y_true, proba, ["blues", "jazz"])
    >>> round(display.error, 3)
    0.15
    >>> plt.close(display.figure_)
    """

    _size = (4.6, 4.2)

    def __init__(self, confidence, correct, error: float, n_bins: int = 10):
        check_number("n_bins", n_bins, AT_LEAST_1)
        self.confidence = confidence
        self.correct = correct
        self.error = error
        self.n_bins = n_bins

    @classmethod
    def from_predictions(
        cls, y_true, proba, classes, *, n_bins: int = 10, ax=None
    ) -> ReliabilityDisplay:
        """Plot a reliability diagram of predicted probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_tracks,)
            True genres.
        proba : array-like of shape (n_tracks, n_classes)
            Predicted class probabilities.
        classes : array-like of shape (n_classes,)
            Genres of the columns of `proba`.
        n_bins : int, default=10
            Number of bins of equal width between 0 and 1.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : ReliabilityDisplay
            Object that stores the computed values.
        """
        confidence, correct = top_probability(y_true, proba, classes)
        error = calibration_error(y_true, proba, classes, n_bins=n_bins)
        return cls(confidence, correct, error, n_bins).plot(ax=ax)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, n_bins: int = 10, ax=None) -> ReliabilityDisplay:
        """Plot a reliability diagram of a classifier.

        Parameters
        ----------
        estimator : classifier or pipeline
            Classifier with ``predict_proba``, fitted on other tracks.
        X : list of paths, table or tensor
            Input of the classifier.
        y : array-like of shape (n_tracks,)
            True genres.
        n_bins : int, default=10
            Number of bins of equal width between 0 and 1.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : ReliabilityDisplay
            Object that stores the computed values.
        """
        proba = estimator.predict_proba(X)
        return cls.from_predictions(y, proba, estimator.classes_, n_bins=n_bins, ax=ax)

    def _draw(self, ax) -> None:
        share, mean = calibration_curve(self.correct, self.confidence, n_bins=self.n_bins)
        edges = np.linspace(0, 1, self.n_bins + 1)
        counts, _ = np.histogram(self.confidence, edges)
        ax.plot([0, 1], [0, 1], ":", color="0.5", label="calibrated")
        # The histogram shows which points are reliable.
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
            color=_COLORS[0],
            label=f"model (calibration error {self.error:.3f})",
        )
        ax.set(
            xlim=(0, 1),
            ylim=(0, 1.03),
            xlabel="probability of the predicted genre",
            ylabel="accuracy",
        )
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, loc="upper left")


class CoverageDisplay(Display):
    """Accuracy of the most confident predictions as a function of coverage.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions` to create a
    display.

    Parameters
    ----------
    curve : DataFrame
        Result of :func:`skgenre.evaluation.coverage_curve`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curve.
    figure_ : matplotlib Figure
        Figure containing the curve.

    See Also
    --------
    skgenre.evaluation.coverage_curve : Compute the curve.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skgenre.plotting import CoverageDisplay
    >>> proba = [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]
    >>> display = CoverageDisplay.from_predictions(["a", "a", "b"], proba, ["a", "b"])
    >>> plt.close(display.figure_)
    """

    _size = (4.6, 4.2)

    def __init__(self, curve: pd.DataFrame):
        self.curve = curve

    @classmethod
    def from_predictions(cls, y_true, proba, classes, *, ax=None) -> CoverageDisplay:
        """Plot the coverage curve of predicted probabilities.

        Parameters
        ----------
        y_true : array-like of shape (n_tracks,)
            True genres.
        proba : array-like of shape (n_tracks, n_classes)
            Predicted class probabilities.
        classes : array-like of shape (n_classes,)
            Genres of the columns of `proba`.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : CoverageDisplay
            Object that stores the computed values.
        """
        return cls(coverage_curve(y_true, proba, classes)).plot(ax=ax)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None) -> CoverageDisplay:
        """Plot the coverage curve of a classifier.

        Parameters
        ----------
        estimator : classifier or pipeline
            Classifier with ``predict_proba``, fitted on other tracks.
        X : list of paths, table or tensor
            Input of the classifier.
        y : array-like of shape (n_tracks,)
            True genres.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : CoverageDisplay
            Object that stores the computed values.
        """
        return cls.from_predictions(y, estimator.predict_proba(X), estimator.classes_, ax=ax)

    def _draw(self, ax) -> None:
        ax.step(
            100 * self.curve["coverage"], self.curve["accuracy"], where="post", color=_COLORS[0]
        )
        ax.set(
            xlim=(0, 100),
            ylim=(0, 1.03),
            xlabel="coverage (% of tracks)",
            ylabel="accuracy",
        )
        ax.spines[["top", "right"]].set_visible(False)


class RobustnessDisplay(Display):
    """Fraction of unchanged predictions and accuracy for modified audio.

    Conditions that the training of the model included are marked with an asterisk. It is
    recommended to use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    report : DataFrame
        Result of :func:`skgenre.evaluation.robustness_report`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure containing the plot.

    See Also
    --------
    skgenre.evaluation.robustness_report : Compute the robustness of a model.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> from skgenre.plotting import RobustnessDisplay
    >>> report = pd.DataFrame(
    ...     {
    ...         "condition": ["unchanged", "MP3 at 64 kbit/s"],
    ...         "n_tracks": [20, 20],
    ...         "kept": [1.0, 0.9],
    ...         "accuracy": [0.8, 0.75],
    ...         "in_training": [True, False],
    ...     }
    ... )
    >>> display = RobustnessDisplay(report).plot()
    >>> plt.close(display.figure_)

    The report can be computed from audio files:

    >>> from skgenre import starter_model
    >>> RobustnessDisplay.from_estimator(starter_model(), paths, genres)  # doctest: +SKIP
    """

    def __init__(self, report: pd.DataFrame):
        self.report = report
        self._size = (6.4, 0.8 + 0.32 * len(report))

    @classmethod
    def from_estimator(cls, estimator, paths, y=None, *, ax=None, **kwargs) -> RobustnessDisplay:
        """Compute and plot the robustness of a model.

        Parameters
        ----------
        estimator : Pipeline or VotingClassifier of pipelines
            Fitted model that begins with a front end.
        paths : list of str, path-like or binary file object
            Tracks.
        y : array-like of shape (n_tracks,), default=None
            True genres, which are required for the accuracy.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.
        **kwargs : dict
            Additional arguments of :func:`skgenre.evaluation.robustness_report`.

        Returns
        -------
        display : RobustnessDisplay
            Object that stores the computed values.
        """
        return cls(robustness_report(estimator, paths, y, **kwargs)).plot(ax=ax)

    def _draw(self, ax) -> None:
        report = self.report
        rows = np.arange(len(report))
        bars = ax.barh(rows, report["kept"], 0.7, color=_FILLS[1], label="predictions kept")
        ax.bar_label(
            bars,
            ["" if np.isnan(kept) else f"{kept:.2f}" for kept in report["kept"]],
            label_type="center",
            color="black",
            fontsize=9,
        )
        if "accuracy" in report:
            ax.plot(report["accuracy"], rows, "D", color=_COLORS[1], ms=5, label="accuracy")
        marked = mark_conditions(report)
        ax.set_yticks(rows, marked)
        ax.invert_yaxis()
        note = f"\n{MARK_NOTE}" if (marked != report["condition"]).any() else ""
        ax.set(xlim=(0, 1.04), xlabel=f"fraction of tracks{note}")
        ax.set_xticks(np.linspace(0, 1, 6))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)


class ScoreIntervalDisplay(Display):
    """Scores of models with their confidence intervals.

    It is recommended to use :meth:`from_comparison` or :meth:`from_predictions` to create a
    display.

    Parameters
    ----------
    scores : DataFrame
        Scores with the columns ``model``, ``score``, ``low`` and ``high``.
    chance : float, default=None
        Chance level, which is plotted as a dotted line.
    label : str, default="score"
        Label of the axis.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the plot.
    figure_ : matplotlib Figure
        Figure containing the plot.

    See Also
    --------
    skgenre.compare_models : Cross-validate several models on the same folds.
    skgenre.evaluation.bootstrap_score : Compute a score with its confidence interval.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skgenre.plotting import ScoreIntervalDisplay
    >>> y_true, y_pred = ["jazz", "rock", "rock"], ["jazz", "rock", "jazz"]
    >>> display = ScoreIntervalDisplay.from_predictions(y_true, {"knn": y_pred}, chance=0.5)
    >>> display.scores["model"].tolist()
    ['knn']
    >>> plt.close(display.figure_)
    """

    def __init__(self, scores: pd.DataFrame, chance: float | None = None, label: str = "score"):
        check_number("chance", chance, Interval(Real, 0, 1, closed="both"), None)
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
        """Compute and plot scores of models with confidence intervals.

        Parameters
        ----------
        y_true : array-like of shape (n_tracks,)
            True genres.
        y_pred : mapping of str to array-like of shape (n_tracks,)
            Predicted genres of each model by its name.
        groups : array-like of shape (n_tracks,), default=None
            Group labels, usually artists. If None, each track is a group.
        scoring : {"accuracy", "balanced_accuracy", "f1_macro"}, default="accuracy"
            Score to compute.
        chance : float, default=None
            Chance level, which is plotted as a dotted line.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.
        **kwargs : dict
            Additional arguments of :func:`skgenre.evaluation.bootstrap_score`.

        Returns
        -------
        display : ScoreIntervalDisplay
            Object that stores the computed values.
        """
        results = {
            name: bootstrap_score(y_true, predicted, groups=groups, scoring=scoring, **kwargs)
            for name, predicted in y_pred.items()
        }
        return cls(_table_of_scores(results), chance, scoring.replace("_", " ")).plot(ax=ax)

    @classmethod
    def from_comparison(
        cls,
        comparison,
        *,
        scoring: str = "accuracy",
        splitting: str | None = None,
        chance: float | None = None,
        ax=None,
    ) -> ScoreIntervalDisplay:
        """Plot the scores of compared models with confidence intervals over groups, best first.

        Parameters
        ----------
        comparison : Bunch
            Result of :func:`skgenre.compare_models`.
        scoring : {"accuracy", "balanced_accuracy", "f1_macro"}, default="accuracy"
            Score to compute, of all predictions together.
        splitting : str, default=None
            Name of the splitting strategy, which is required if there are several.
        chance : float, default=None
            Chance level, which is plotted as a dotted line.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : ScoreIntervalDisplay
            Object that stores the computed values.

        Raises
        ------
        ValueError
            If `splitting` is not the name of a splitting strategy, or not given and there are
            several.
        """
        known = comparison.table["splitting"].unique().tolist()
        if splitting is None and len(known) == 1:
            [splitting] = known
        if splitting not in known:
            raise ValueError(f"splitting must be one of {known}; got {splitting!r}.")
        chosen = comparison.predictions[comparison.predictions["splitting"] == splitting]
        results = {
            name: bootstrap_score(
                rows["genre"], rows["predicted"], groups=rows["group"], scoring=scoring
            )
            for name, rows in chosen.groupby("model", sort=False)
        }
        scores = _table_of_scores(results).sort_values("score", ascending=False, kind="stable")
        return cls(scores, chance, scoring.replace("_", " ")).plot(ax=ax)

    def _draw(self, ax) -> None:
        scores, rows = self.scores, np.arange(len(self.scores))
        if self.chance is not None:
            ax.axvline(self.chance, ls=":", color="0.5", label="chance")
            ax.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
        ends = [scores["score"] - scores["low"], scores["high"] - scores["score"]]
        ax.errorbar(
            scores["score"], rows, xerr=np.maximum(ends, 0), fmt="o", color=_COLORS[0], capsize=4
        )
        ax.set_yticks(rows, scores["model"])
        ax.set(xlim=(0, 1), ylim=(len(rows) - 0.4, -0.6), xlabel=self.label)
        ax.spines[["top", "right"]].set_visible(False)


def _table_of_scores(results: Mapping) -> pd.DataFrame:
    rows = [{"model": name, **result} for name, result in results.items()]
    return pd.DataFrame(rows)[["model", "score", "low", "high"]]


class LeakageDisplay(Display):
    """Scores of models for several splitting strategies.

    It is recommended to use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    report : DataFrame
        Result of :func:`skgenre.evaluation.leakage_report`, or the ``table`` of
        :func:`skgenre.compare_models`.
    scorer : str, default=None
        Column of the report to plot. If None, the first score is plotted.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bar chart.
    figure_ : matplotlib Figure
        Figure containing the bar chart.

    See Also
    --------
    skgenre.evaluation.leakage_report : Compute the scores.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> from skgenre.plotting import LeakageDisplay
    >>> report = pd.DataFrame(
    ...     {
    ...         "model": ["SVC", "SVC"],
    ...         "splitting": ["random pieces", "by artist"],
    ...         "accuracy": [0.9, 0.6],
    ...         "accuracy_std": [0.01, 0.03],
    ...     }
    ... )
    >>> display = LeakageDisplay(report).plot()
    >>> plt.close(display.figure_)

    The report can be computed from a table of features:

    >>> from skgenre import make_baseline
    >>> from skgenre.datasets import load_gtzan_features
    >>> table = load_gtzan_features("features_10_sec.csv")  # doctest: +SKIP
    >>> LeakageDisplay.from_estimator(make_baseline("svm"), table)  # doctest: +SKIP
    """

    _size = (6.4, 3.6)

    def __init__(self, report: pd.DataFrame, scorer: str | None = None):
        self.report = report
        self.scorer = scorer

    @classmethod
    def from_estimator(cls, models, table, *, ax=None, **kwargs) -> LeakageDisplay:
        """Compute and plot scores for splitting strategies with and without leakage.

        Parameters
        ----------
        models : estimator, or mapping of str to estimator
            Models to evaluate.
        table : Bunch or mapping
            Table of features, see :func:`skgenre.evaluation.leakage_report`.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.
        **kwargs : dict
            Additional arguments of :func:`skgenre.evaluation.leakage_report`.

        Returns
        -------
        display : LeakageDisplay
            Object that stores the computed values.
        """
        return cls(leakage_report(models, table, **kwargs)).plot(ax=ax)

    def _draw(self, ax) -> None:
        scorer = self.scorer or self.report.columns[2]  # after "model" and "splitting"
        schemes = self.report["splitting"].unique()
        width = 0.8 / len(schemes)
        place, models = pd.factorize(self.report["model"])
        for i, scheme in enumerate(schemes):
            # Models with one piece per track have no random pieces.
            chosen = (self.report["splitting"] == scheme).to_numpy()
            rows = self.report[chosen]
            x = place[chosen] + (i - (len(schemes) - 1) / 2) * width
            color = _FILLS[i % len(_FILLS)]
            bars = ax.bar(
                x,
                rows[scorer],
                width * 0.92,
                yerr=rows[f"{scorer}_std"],
                label=scheme,
                color=color,
                ecolor="0.3",
            )
            ax.bar_label(bars, fmt="%.2f", label_type="center", fontsize=9, color="black")
        ax.set_xticks(np.arange(len(models)), models)
        ax.set(ylim=(0, 1), ylabel=scorer.replace("_", " "))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(title="folds", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)


class HistoryDisplay(Display):
    """Loss and accuracy of a network as a function of the epoch.

    It is recommended to use :meth:`from_estimator` to create a display.

    Parameters
    ----------
    history : dict of str to list of float
        Attribute ``history_`` of a fitted network.

    Attributes
    ----------
    ax_ : array of two matplotlib Axes
        Axes with loss and accuracy.
    figure_ : matplotlib Figure
        Figure containing the curves.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from skgenre.plotting import HistoryDisplay
    >>> history = {"loss": [1.1, 0.8, 0.7], "accuracy": [0.4, 0.6, 0.7]}
    >>> display = HistoryDisplay(history).plot()
    >>> plt.close(display.figure_)
    """

    _n_axes = 2

    def __init__(self, history: dict[str, list[float]]):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, ax=None) -> HistoryDisplay:
        """Plot the training history of a network.

        Parameters
        ----------
        estimator : NetworkClassifier, Pipeline or search
            Fitted network, or fitted pipeline or search that ends with a network.
        ax : array of two matplotlib Axes, default=None
            Axes for loss and accuracy. If None, a new figure is created.

        Returns
        -------
        display : HistoryDisplay
            Object that stores the history.

        Raises
        ------
        TypeError
            If the estimator does not end with a fitted network.
        """
        network = getattr(estimator, "best_estimator_", estimator)
        network = network.steps[-1][1] if hasattr(network, "steps") else network
        if not hasattr(network, "history_"):
            raise TypeError(
                f"estimator must be a fitted network, or end with one; got {network}, which has no "
                "attribute history_."
            )
        return cls(network.history_).plot(ax=ax)

    def _draw(self, ax) -> None:
        epochs = np.arange(1, len(self.history["loss"]) + 1)
        for axes, name in zip(ax, ("loss", "accuracy"), strict=True):
            for key, label, color, style in (
                (name, "training", _COLORS[0], "-"),
                (f"val_{name}", "held out", _COLORS[1], "--"),
            ):
                if key in self.history:
                    values = self.history[key]
                    axes.plot(epochs[-len(values) :], values, style, color=color, label=label)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set(xlabel="epoch", ylabel=f"{name} over segments")
            axes.spines[["top", "right"]].set_visible(False)
            # Above the axes, where no curve can be.
            axes.legend(frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 1))
        ax[1].set_ylim(0, 1)
