"""The sections of the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.metrics import ConfusionMatrixDisplay

from ..evaluation import coverage_curve
from ..evaluation.robustness import UNCHANGED
from ..plotting import (
    CoverageDisplay,
    LeakageDisplay,
    ReliabilityDisplay,
    RobustnessDisplay,
    ScoreIntervalDisplay,
)
from .pictures import figure, short, timeline
from .text import h, interval, number, pair, paragraph, percent, picture, table

if TYPE_CHECKING:
    from .result import EvaluationReport

#: Names of the scores.
_METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "macro F1",
}

#: Shares of tracks for which the accuracy of the surest is given.
_COVERAGES = (0.25, 0.5, 0.75, 0.9, 1.0)

#: Genres beyond which a confusion matrix has no room for numbers.
_MOST_NUMBERS = 12


def _models(report: EvaluationReport) -> list[tuple[str, str, str]]:
    """Name, heading (none for a single model) and prefix of each model."""
    names = list(report.confusion)
    several = len(names) > 1
    return [
        (name, f"<h3>{h(name)}</h3>" if several else "", f"m{i}") for i, name in enumerate(names)
    ]


def what_was_evaluated(report: EvaluationReport) -> str:
    """Tracks, genres, artists, files left out, folds."""
    about, tracks = report.about, report.tracks
    by_genre = tracks.groupby("genre", sort=True)
    known = about["artists_known"]
    head = ["genre", "tracks", *(["artists"] if known else [])]
    rows = [
        [genre, len(rows), *([rows["group"].nunique()] if known else [])]
        for genre, rows in by_genre
    ]
    rows.append(["all", len(tracks), *([about["n_groups"]] if known else [])])
    parts = [table(head, rows)]
    if about["prefit"]:
        parts.append(
            paragraph(
                "The models were fitted before, and are evaluated as they are. If these tracks, or "
                "others by their artists, were in training, the figures say nothing about unseen "
                "ones.",
                "warning",
            )
        )
    else:
        parts.append(
            paragraph(
                f"Folds: {h(about['folds'])}. Each track is predicted once, by a "
                "model that was not trained on it."
            )
        )
    if not known:
        parts.append(
            paragraph(
                "No artists are known: tracks of one artist may be on both sides of a fold, and "
                "intervals are over tracks. On unseen artists accuracy is probably lower.",
                "warning",
            )
        )
    elif about["shared"]:
        parts.append(
            paragraph(
                f"{about['shared']} tracks are by an artist who is also in the training part of "
                "their fold. On unseen artists accuracy is probably lower.",
                "warning",
            )
        )
    if len(report.left_out):
        listing = table(["file", "reason"], report.left_out.itertuples(index=False), long=(0, 1))
        n = len(report.left_out)
        what = "file cannot be used and is" if n == 1 else "files cannot be used and are"
        parts.append(f"<details open><summary>{n} {what} in no figure</summary>{listing}</details>")
    else:
        parts.append(paragraph("No file was left out."))
    return "".join(parts)


def scores(report: EvaluationReport) -> str:
    """Scores with intervals, chance, differences."""
    wide = {
        model: [interval(row) for row in rows.itertuples()]
        for model, rows in report.scores.groupby("model", sort=False)
    }
    parts = [table(["model", *_METRICS.values()], ([m, *cells] for m, cells in wide.items()))]
    accuracy = report.scores[report.scores["metric"] == "accuracy"]
    drawn = accuracy.iloc[:-1].assign(model=[short(name) for name in accuracy["model"][:-1]])
    chance = float(accuracy["score"].iloc[-1])
    display = ScoreIntervalDisplay(drawn, chance, "accuracy")
    svg = figure(display.plot, (4.6, 1.2 + 0.36 * len(drawn)), "scores", "Accuracy of the models")
    parts.append(pair(picture(svg, "Accuracy with its 95 % interval; dotted, chance.")))
    over = "artists" if report.about["artists_known"] else "tracks"
    parts.append(
        paragraph(
            "In parentheses are 95 % intervals by bootstrap over "
            f"{report.about['n_groups']} {over} ({report.about['draws']:,} draws). Chance always "
            "predicts the most frequent genre of what it was trained on.",
            "note",
        )
    )
    if len(report.differences):
        first = next(iter(report.confusion))
        wide = {
            model: [interval(row, signed=True) for row in rows.itertuples()]
            for model, rows in report.differences.groupby("model", sort=False)
        }
        parts.append(f"<h3>Difference to {h(first)}</h3>")
        parts.append(
            table(["model", *_METRICS.values()], ([m, *cells] for m, cells in wide.items()))
        )
        parts.append(
            paragraph(
                "Paired: both models predict the same tracks of the same folds and draws. An "
                "interval that contains 0 does not tell which is better.",
                "note",
            )
        )
    return "".join(parts)


def confusion(report: EvaluationReport) -> str:
    """Confusion matrices, precision and recall."""
    parts = []
    for name, heading, prefix in _models(report):
        counts = report.confusion[name]
        numbers = len(counts) <= _MOST_NUMBERS
        display = ConfusionMatrixDisplay(
            counts.to_numpy(), display_labels=[short(genre) for genre in counts.index]
        )

        def draw(ax, display=display, numbers=numbers) -> None:
            display.plot(
                ax=ax,
                cmap="Blues",
                colorbar=False,
                include_values=numbers,
                xticks_rotation="vertical",
            )
            ax.set(xlabel="predicted", ylabel="true")

        side = min(4.6, 2.4 + 0.3 * len(counts))
        svg = figure(
            draw, (side, side), f"{prefix}-confusion", f"Confusion matrix of {short(name)}"
        )
        rows = report.genres[report.genres["model"] == name]
        cells = (
            [
                row.genre,
                number(row.precision, 2),
                number(row.recall, 2),
                number(row.f1, 2),
                row.tracks,
            ]
            for row in rows.itertuples()
        )
        parts.append(heading)
        parts.append(
            pair(
                picture(svg, "Numbers of tracks, by true and predicted genre."),
                table(["genre", "precision", "recall", "F1", "tracks"], cells),
            )
        )
    return "".join(parts)


def confidence(report: EvaluationReport) -> str:
    """Reliability and coverage."""
    parts = []
    for name, heading, prefix in _models(report):
        parts.append(heading)
        if name not in report.proba:
            parts.append(paragraph("The model gives no probabilities."))
            continue
        y, proba, classes = report.tracks["genre"], report.proba[name], report.classes[name]
        curve = coverage_curve(y, proba, classes)
        error = report.calibration_error[name]
        reliable = figure(
            lambda ax, of=(y, proba, classes): ReliabilityDisplay.from_predictions(*of, ax=ax),
            (4.6, 4.0),
            f"{prefix}-reliability",
            f"Reliability diagram of {short(name)}",
        )
        covered = figure(
            lambda ax, curve=curve: CoverageDisplay(curve).plot(ax),
            (4.6, 4.0),
            f"{prefix}-coverage",
            f"Accuracy of the surest predictions of {short(name)}",
        )
        parts.append(
            pair(
                picture(reliable, f"Reliability. Expected calibration error {error:.3f}, 10 bins."),
                picture(covered, "Accuracy if only the surest predictions are taken."),
            )
        )
        parts.append(
            table(
                ["surest predictions", "probability from", "accuracy"],
                [
                    [percent(row.coverage), number(row.threshold, 2), percent(row.accuracy)]
                    for row in _at_coverages(curve).itertuples()
                ],
            )
        )
    return "".join(parts)


def _at_coverages(curve: pd.DataFrame) -> pd.DataFrame:
    """Rows of the curve with at least the listed coverages."""
    rows = [int(np.argmax(curve["coverage"] >= share - 1e-9)) for share in _COVERAGES]
    return curve.iloc[sorted(set(rows))]


def leakage(report: EvaluationReport) -> str:
    """Scores by folds that leak."""
    if report.leakage is None:
        return ""
    found = report.leakage
    svg = figure(
        LeakageDisplay(found.assign(model=[short(name) for name in found["model"]])).plot,
        (4.6, 3.2),
        "leakage",
        "Accuracy by three ways to draw folds",
    )
    rows = (
        [row.model, row.splitting, percent(row.accuracy), percent(row.accuracy_std)]
        for row in found.itertuples()
    )
    return "".join(
        [
            paragraph(
                "The same models and features, by how the folds are drawn. With random pieces, "
                "parts of one track are in training and test; by track, other tracks of its artist "
                "are. Only folds by artist are about unseen artists. A model whose tracks are one "
                "piece each has no random pieces."
            ),
            pair(
                picture(
                    svg,
                    "Means and standard deviations over the folds; of pieces where tracks have "
                    "several, else of tracks.",
                ),
                table(["model", "folds", "accuracy", "std. over folds"], rows, text=(0, 1)),
            ),
        ]
    )


def worst(report: EvaluationReport, model: str) -> pd.Series | None:
    """Row of the condition that changes most predictions, if any does."""
    rows = report.robustness[report.robustness["model"] == model]
    rows = rows[(rows["condition"] != UNCHANGED) & (rows["n_tracks"] > 0)]
    if rows.empty or rows["kept"].min() == 1:
        return None
    return rows.loc[rows["kept"].idxmin()]


def robustness(report: EvaluationReport) -> str:
    """Say what changes the predictions."""
    if report.robustness is None:
        return ""
    by = "the model" if report.about["prefit"] else "the model that was not trained on it"
    parts = [
        paragraph(
            f"{report.about['n_changed']} tracks are changed as music is on its way to a listener, "
            f"and each is predicted by {by}. Kept is the share of predictions that stay."
        )
    ]
    for name, heading, prefix in _models(report):
        rows = report.robustness[report.robustness["model"] == name].reset_index(drop=True)
        low = worst(report, name)
        marked = [] if low is None else rows.index[rows["condition"] == low["condition"]].tolist()
        svg = figure(
            RobustnessDisplay(rows).plot,
            (4.7, 1.1 + 0.3 * len(rows)),
            f"{prefix}-robustness",
            f"Robustness of {short(name)}",
        )
        cells = (
            [row.condition, row.n_tracks, percent(row.kept), percent(row.accuracy)]
            for row in rows.itertuples()
        )
        parts.append(heading)
        if low is not None:
            parts.append(
                paragraph(
                    f"Worst: <strong>{h(low['condition'])}</strong>, which keeps "
                    f"{percent(low['kept'])} of the predictions."
                )
            )
        parts.append(
            pair(
                picture(svg, "Predictions kept, and accuracy."),
                table(["condition", "tracks", "kept", "accuracy"], cells, worst=marked),
            )
        )
    parts.append(
        paragraph(
            "Louder tracks are clipped at full scale. MP3 is libsndfile's, one channel. The "
            "low-pass is a Butterworth filter of order 8; the noise is pink, and so far below the "
            "mean power of the music. 3 % faster changes tempo and pitch. The last 30 s are "
            "compared with the first; of tracks shorter than a minute they are the halves.",
            "note",
        )
    )
    return "".join(parts)


def mistakes(report: EvaluationReport) -> str:
    """List the surest mistakes, each with its timeline."""
    parts = []
    for name, heading, _ in _models(report):
        parts.append(heading)
        items = [
            _mistake(row, report.timelines[row.Index])
            for row in report.mistakes[report.mistakes["model"] == name].itertuples()
        ]
        if items:
            parts.append(f'<ul class="mistakes">{"".join(items)}</ul>')
        else:
            parts.append(paragraph("None."))
    parts.append(
        paragraph(
            "Rows are genres, time goes to the right, and more colour is more probable; each part "
            "is predicted alone.",
            "note",
        )
    )
    return "".join(parts)


def _mistake(row, found) -> str:
    surely = "" if np.isnan(row.probability) else f" ({row.probability:.2f})"
    words = (
        f"<p><strong>{h(row.predicted)}</strong>{surely}, but it is <strong>{h(row.genre)}</strong>"
        f'<br><span class="path">{h(row.path)}</span></p>'
    )
    picture = "" if found is None else timeline(found, row.genre, row.predicted, short(row.path))
    return f"<li>{words}{picture}</li>"
