"""Displays: what they draw is what was measured."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from numpy.testing import assert_allclose
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

from skgenre import compare_models, leakage_report
from skgenre.plotting import LeakageDisplay

from .conftest import make_pieces, run_python

SCHEMES = ["random pieces", "by track", "by artist"]
MODELS = {"nn": KNeighborsClassifier(1), "dummy": DummyClassifier()}


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def report():
    return leakage_report(MODELS, make_pieces(), n_splits=3)


def bars(ax):
    """Heights of the bars, a row per scheme."""
    containers = [c for c in ax.containers if hasattr(c, "patches")]
    return [[bar.get_height() for bar in container.patches] for container in containers]


def test_bars_are_the_scores(report):
    display = LeakageDisplay(report).plot()
    expected = report.pivot(index="splitting", columns="model", values="accuracy")
    assert_allclose(bars(display.ax_), expected.loc[SCHEMES, list(MODELS)])
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == [f"{score:.2f}" for score in np.ravel(bars(display.ax_))]


def test_error_bars_are_one_standard_deviation(report):
    ax = LeakageDisplay(report).plot().ax_
    lines = [c.lines[2][0] for c in ax.containers if not hasattr(c, "patches")]
    found = [[segment[:, 1] for segment in line.get_segments()] for line in lines]
    for scheme, ends in zip(SCHEMES, found, strict=True):
        rows = report[report["splitting"] == scheme]
        for (low, high), mean, std in zip(
            ends, rows["accuracy"], rows["accuracy_std"], strict=True
        ):
            assert_allclose([low, high], [mean - std, mean + std])


def test_everything_is_labelled(report):
    ax = LeakageDisplay(report).plot().ax_
    assert [label.get_text() for label in ax.get_xticklabels()] == list(MODELS)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == SCHEMES
    assert ax.get_legend().get_title().get_text() == "folds drawn"
    assert ax.get_ylabel() == "accuracy"
    assert ax.get_ylim() == (0, 1)


def test_labels_can_be_read(report):
    """Black on each bar's colour, by WCAG 2's ratio of luminances for small text."""
    ax = LeakageDisplay(report).plot().ax_
    for container in (c for c in ax.containers if hasattr(c, "patches")):
        rgb = np.array(to_rgb(container.patches[0].get_facecolor()))
        linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        assert (linear @ [0.2126, 0.7152, 0.0722] + 0.05) / 0.05 > 4.5


def test_other_scorers_and_given_axes(report):
    figure, (first, second) = plt.subplots(1, 2)
    display = LeakageDisplay(report)
    assert display.plot(second, scorer="f1_macro") is display
    assert display.ax_ is second
    assert display.figure_ is figure
    assert second.get_ylabel() == "f1 macro"
    assert not first.containers
    with pytest.raises(KeyError, match="recall"):
        display.plot(scorer="recall")


def test_from_estimator(report):
    display = LeakageDisplay.from_estimator(MODELS, make_pieces(), n_splits=3)
    assert_allclose(display.report["accuracy"], report["accuracy"])
    _, ax = plt.subplots()
    alone = LeakageDisplay.from_estimator(KNeighborsClassifier(1), make_pieces(), ax=ax, n_splits=3)
    assert alone.ax_ is ax
    assert [label.get_text() for label in ax.get_xticklabels()] == ["KNeighborsClassifier"]


def test_comparisons_of_any_schemes():
    table = make_pieces()
    found = compare_models(MODELS, table["data"], table["target"], cv=2, scoring="accuracy")
    ax = LeakageDisplay(found).plot().ax_
    assert np.shape(bars(ax)) == (1, 2)


WITHOUT_MATPLOTLIB = """
import sys
sys.modules["matplotlib"] = None  # importing it fails
import skgenre
from skgenre.plotting import LeakageDisplay
try:
    LeakageDisplay(None).plot()
except ImportError as error:
    print(error)
"""


def test_without_matplotlib_the_error_names_the_remedy():
    assert "pip install skgenre[plot]" in run_python(WITHOUT_MATPLOTLIB)
