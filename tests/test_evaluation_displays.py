"""Displays of scores, probabilities and robustness: what they draw is what was measured."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import load_iris
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skgenre import MFCCSegmenter, SegmentSummary, compare_models, make_baseline
from skgenre.evaluation import bootstrap_score, calibration_error, coverage_curve, robustness_report
from skgenre.plotting import (
    CoverageDisplay,
    ReliabilityDisplay,
    RobustnessDisplay,
    ScoreIntervalDisplay,
)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    model = LogisticRegression(C=0.05, max_iter=1000).fit(X[::2, :2], y[::2])
    return model, X[1::2, :2], y[1::2]


def test_reliability_is_scikit_learns_diagram(iris):
    model, X, y = iris
    display = ReliabilityDisplay.from_estimator(model, X, y)
    proba = model.predict_proba(X)
    correct = model.predict(X) == y
    expected = CalibrationDisplay.from_predictions(correct, proba.max(axis=1), n_bins=10)
    line = next(line for line in display.ax_.lines if line.get_marker() == "o")
    assert_allclose(line.get_xdata(), expected.prob_pred)
    assert_allclose(line.get_ydata(), expected.prob_true)
    error = calibration_error(y, proba, model.classes_)
    assert f"{error:.3f}" in line.get_label()
    # The histogram at the foot: its highest bar is a fifth.
    counts, _ = np.histogram(proba.max(axis=1), np.linspace(0, 1, 11))
    heights = [bar.get_height() for bar in display.ax_.patches]
    assert_allclose(heights, 0.2 * counts / counts.max())


def test_coverage_is_the_curve(iris):
    model, X, y = iris
    _, ax = plt.subplots()
    display = CoverageDisplay.from_estimator(model, X, y, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    curve = coverage_curve(y, model.predict_proba(X), model.classes_)
    assert_allclose(ax.lines[0].get_xdata(), 100 * curve["coverage"])
    assert_allclose(ax.lines[0].get_ydata(), curve["accuracy"])
    assert curve["accuracy"].iloc[-1] == model.score(X, y)


def test_intervals_are_bootstrap_scores(iris):
    model, X, y = iris
    labels = {"model": model.predict(X), "zero": np.zeros_like(y)}
    groups = np.arange(len(y)) // 5
    display = ScoreIntervalDisplay.from_predictions(
        y, labels, groups=groups, scoring="f1_macro", chance=1 / 3, n_resamples=200
    )
    [container] = display.ax_.containers
    expected = [
        bootstrap_score(y, y_pred, groups=groups, scoring="f1_macro", n_resamples=200)
        for y_pred in labels.values()
    ]
    points = container.lines[0].get_xdata().astype(float)  # objects to matplotlib
    assert_allclose(points, [result.score for result in expected])
    ends = [segment[:, 0].astype(float) for segment in container.lines[2][0].get_segments()]
    assert_allclose(ends, [(result.low, result.high) for result in expected])
    assert [tick.get_text() for tick in display.ax_.get_yticklabels()] == list(labels)
    assert display.ax_.get_xlabel() == "f1 macro"


def test_compared_models_are_sorted_with_intervals_over_groups(iris):
    _, X, y = iris
    models = {f"C={C:g}": LogisticRegression(C=C, max_iter=1000) for C in (1e-4, 1, 1e-2)}
    groups = np.arange(len(y)) // 5
    found = compare_models(models, X, y, cv={"it": 3, "again": 3}, groups={"it": groups})
    display = ScoreIntervalDisplay.from_comparison(
        found, scoring="balanced_accuracy", splitting="it"
    )
    names = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert names == display.scores["model"].tolist()
    assert set(names) == set(models)
    assert display.scores["score"].is_monotonic_decreasing
    for row in display.scores.itertuples():
        rows = found.predictions.query("model == @row.model and splitting == 'it'")
        expected = bootstrap_score(
            y[rows["sample"]],
            rows["predicted"],
            groups=groups[rows["sample"]],
            scoring="balanced_accuracy",
        )
        assert (row.score, row.low, row.high) == (expected.score, expected.low, expected.high)
    bottom, top = display.ax_.get_ylim()
    assert bottom > top  # the best is at the top


@pytest.mark.parametrize("splitting", [None, "once"])
def test_several_splitting_strategies_are_not_plotted_together(iris, splitting):
    _, X, y = iris
    models = {"dummy": DummyClassifier()}
    found = compare_models(models, X, y, cv={"it": 3, "again": 3}, scoring="accuracy")
    with pytest.raises(ValueError, match=r"splitting must be one of \['it', 'again'\]; got"):
        ScoreIntervalDisplay.from_comparison(found, splitting=splitting)


def test_bars_are_the_predictions_that_stay(tracks):
    model = make_pipeline(
        MFCCSegmenter(segment_duration=1.0), SegmentSummary(), make_baseline("knn")
    )
    model.fit(tracks.data[::2], tracks.target[::2])
    paths, y = tracks.data[1::6], tracks.target[1::6]
    options = {"conditions": ["12 dB quieter", "noise at 10 dB"]}
    display = RobustnessDisplay.from_estimator(model, paths, y, **options)
    report = robustness_report(model, paths, y, **options)
    assert_allclose([bar.get_width() for bar in display.ax_.patches], report["kept"])
    [marks] = display.ax_.lines
    assert_allclose(marks.get_xdata(), report["accuracy"])
    names = [tick.get_text() for tick in display.ax_.get_yticklabels()]
    assert names == ["unchanged", "12 dB quieter", "noise at 10 dB"]
    bottom, top = display.ax_.get_ylim()
    assert bottom > top  # the first row is at the top


@pytest.mark.parametrize("in_training", [(True, True, False), (True, False, False)])
def test_conditions_of_the_training_are_marked_and_explained(in_training):
    conditions = ["unchanged", "room", "12 dB quieter"]
    report = pd.DataFrame({"condition": conditions, "kept": 1.0, "in_training": in_training})
    ax = RobustnessDisplay(report).plot().ax_
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names == ["unchanged", "room *" if in_training[1] else "room", "12 dB quieter"]
    assert ("* included in the training" in ax.get_xlabel()) == in_training[1]


def test_a_condition_without_tracks_has_no_number():
    report = pd.DataFrame({"condition": ["unchanged", "first 30 s"], "kept": [1.0, np.nan]})
    report["in_training"] = False
    display = RobustnessDisplay(report).plot()
    assert [text.get_text() for text in display.ax_.texts] == ["1.00", ""]
