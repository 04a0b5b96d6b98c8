"""Displays in scikit-learn's idiom; they need matplotlib (``pip install skgenre[plot]``)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .model_selection import leakage_report

#: Colours of Okabe and Ito that readers with any colour vision can tell apart.
_COLOURS = ("#E69F00", "#56B4E9", "#009E73")


def _pyplot():
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError(
            "Pictures need matplotlib: pip install skgenre[plot], or pip install matplotlib"
        ) from error
    return matplotlib.pyplot


class LeakageDisplay:
    """Scores of models under several ways to draw the folds, side by side.

    Parameters
    ----------
    report : DataFrame
        As :func:`skgenre.leakage_report` or :func:`skgenre.compare_models` give it.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure

    Examples
    --------
    >>> from skgenre import make_baseline
    >>> from skgenre.datasets import load_gtzan_features
    >>> from skgenre.plotting import LeakageDisplay
    >>> table = load_gtzan_features("features_10_sec.csv")  # doctest: +SKIP
    >>> LeakageDisplay.from_estimator(make_baseline("svm"), table)  # doctest: +SKIP
    """

    def __init__(self, report: pd.DataFrame):
        self.report = report

    @classmethod
    def from_estimator(cls, models, table, *, ax=None, **kwargs) -> LeakageDisplay:
        """Score models on a table, and draw it.

        Parameters
        ----------
        models : estimator, or mapping of str to estimator
        table : Bunch or mapping
            See :func:`skgenre.leakage_report`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **kwargs
            For :func:`skgenre.leakage_report`.

        Returns
        -------
        display : LeakageDisplay
        """
        return cls(leakage_report(models, table, **kwargs)).plot(ax=ax)

    def plot(self, ax=None, *, scorer: str = "accuracy") -> LeakageDisplay:
        """Draw the scores as bars, with one standard deviation over the folds.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        scorer : str, default="accuracy"
            Which column of the report.

        Returns
        -------
        display : LeakageDisplay
        """
        plt = _pyplot()
        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
        models = self.report["model"].unique()
        schemes = self.report["splitting"].unique()
        width = 0.8 / len(schemes)
        for i, scheme in enumerate(schemes):
            rows = self.report[self.report["splitting"] == scheme].set_index("model").loc[models]
            x = np.arange(len(models)) + (i - (len(schemes) - 1) / 2) * width
            colour = _COLOURS[i % len(_COLOURS)]
            bars = ax.bar(
                x,
                rows[scorer],
                width * 0.92,
                yerr=rows[f"{scorer}_std"],
                label=scheme,
                color=colour,
                ecolor="0.3",
            )
            ax.bar_label(bars, fmt="%.2f", label_type="center", fontsize=9)
        ax.set_xticks(np.arange(len(models)), models)
        ax.set(ylim=(0, 1), ylabel=scorer.replace("_", " "))
        ax.spines[["top", "right"]].set_visible(False)
        ax.legend(title="folds drawn", loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
        self.ax_ = ax
        self.figure_ = ax.figure
        return self
