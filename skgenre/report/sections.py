"""Sections of the HTML page."""

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
from .folds import NAME_ARTISTS
from .pictures import figure, short, timeline
from .text import h, interval, number, pair, paragraph, percent, picture, table

if TYPE_CHECKING:
    from .result import EvaluationReport

#: Names of the scores in the report.
_METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1_macro": "macro F1",
}

#: Coverages in the table of the most confident predictions.
_COVERAGES = (0.25, 0.5, 0.75, 0.9, 1.0)

#: Maximum number of genres for which a confusion matrix contains numbers.
_MOST_NUMBERS = 12


def _models(report: EvaluationReport) -> list[tuple[str, str, str]]:
    """Return name, heading (empty for a single model) and identifier prefix of each model."""
    names = list(report.confusion)
    several = len(names) > 1
    return [
        (name, f"<h3>{h(name)}</h3>" if several else "", f"m{i}") for i, name in enumerate(names)
    ]


def what_was_evaluated(report: EvaluationReport) -> str:
    """Return the section about tracks, genres, artists, unusable files and folds."""
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
                "The models were already fitted. If they were trained on these tracks, or on other "
                "tracks of the same artists, the scores are not valid for unseen tracks.",
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
                "The artists are unknown, so the scores are those on unseen files. Tracks of an "
                "artist may be in both the training and the test set of a fold, and the accuracy "
                f"on unseen artists is probably lower. {h(NAME_ARTISTS)}",
                "warning",
            )
        )
    elif about["shared"]:
        parts.append(
            paragraph(
                f"For {about['shared']} tracks, the training set of their fold contains other "
                "tracks of the same artist. The accuracy on unseen artists is probably lower.",
                "warning",
            )
        )
    if len(report.left_out):
        listing = table(["file", "reason"], report.left_out.itertuples(index=False), long=(0, 1))
        n = len(report.left_out)
        what = "file cannot be used and is" if n == 1 else "files cannot be used and are"
        parts.append(f"<details open><summary>{n} {what} excluded</summary>{listing}</details>")
    else:
        parts.append(paragraph("All files could be used."))
    return "".join(parts)


def scores(report: EvaluationReport) -> str:
    """Return the section about scores, chance level and differences between models."""
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
    parts.append(
        pair(picture(svg, "Accuracy with 95 % confidence intervals. Dotted line: chance level."))
    )
    over = "artists" if report.about["artists_known"] else "files"
    parts.append(
        paragraph(
            "The 95 % confidence intervals in parentheses are computed by bootstrap over "
            f"{report.about['n_groups']} {over} ({report.about['draws']:,} resamples). The chance "
            "level is the score of always predicting the most frequent genre of these tracks."
            + _over_folds(report),
            "note",
        )
    )
    if len(report.differences):
        first = next(iter(report.confusion))
        wide = {
            model: [interval(row, signed=True) for row in rows.itertuples()]
            for model, rows in report.differences.groupby("model", sort=False)
        }
        parts.append(f"<h3>Differences to {h(first)}</h3>")
        parts.append(
            table(["model", *_METRICS.values()], ([m, *cells] for m, cells in wide.items()))
        )
        parts.append(
            paragraph(
                "Differences are paired: both models predict the same tracks of the same folds and "
                "resamples. A model is not significantly better if the interval contains 0.",
                "note",
            )
        )
    return "".join(parts)


def _over_folds(report: EvaluationReport) -> str:
    """Return a sentence with the means over the folds, which scikit-learn's functions yield."""
    found = report.fold_accuracy
    if len(found) < 2:
        return ""
    means = ", ".join(f"{h(name)} {percent(found[name].mean())}" for name in found)
    return (
        f" Accuracies are pooled over all tracks; their means over the {len(found)} folds, as "
        f"<code>cross_val_score</code> computes them, are: {means}."
    )


def confusion(report: EvaluationReport) -> str:
    """Return the section about confusion matrices, precision and recall."""
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
                picture(svg, "Confusion matrix (number of tracks)."),
                table(["genre", "precision", "recall", "F1", "tracks"], cells),
            )
        )
    return "".join(parts)


def confidence(report: EvaluationReport) -> str:
    """Return the section about reliability and coverage."""
    parts = []
    for name, heading, prefix in _models(report):
        parts.append(heading)
        if name not in report.proba:
            parts.append(paragraph("The model does not predict probabilities."))
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
            f"Accuracy of the most confident predictions of {short(name)}",
        )
        parts.append(
            pair(
                picture(
                    reliable,
                    f"Reliability diagram. Expected calibration error {error:.3f} with 10 bins.",
                ),
                picture(covered, "Accuracy of the most confident predictions by coverage."),
            )
        )
        parts.append(
            table(
                ["coverage", "minimum probability", "accuracy"],
                [
                    [percent(row.coverage), number(row.threshold, 2), percent(row.accuracy)]
                    for row in _at_coverages(curve).itertuples()
                ],
            )
        )
    return "".join(parts)


def _at_coverages(curve: pd.DataFrame) -> pd.DataFrame:
    """Return the first rows of the curve with at least the coverages in `_COVERAGES`."""
    rows = [int(np.argmax(curve["coverage"] >= share - 1e-9)) for share in _COVERAGES]
    return curve.iloc[sorted(set(rows))]


def leakage(report: EvaluationReport) -> str:
    """Return the section about folds with leakage."""
    if report.leakage is None:
        return ""
    found = report.leakage
    if report.about["artists_known"]:
        which = (
            "By track, they contain different tracks of the same artists. Only the scores by "
            "artist are valid for unseen artists."
        )
    else:
        which = "By file, they contain different files, which may be by the same artists."
    svg = figure(
        LeakageDisplay(found.assign(model=[short(name) for name in found["model"]])).plot,
        (4.6, 3.2),
        "leakage",
        "Accuracy by splitting strategy",
    )
    rows = (
        [row.model, row.splitting, percent(row.accuracy), percent(row.accuracy_std)]
        for row in found.itertuples()
    )
    return "".join(
        [
            paragraph(
                "Scores of the same models and features with different folds. With random pieces, "
                f"the training and the test set contain pieces of the same tracks. {which} Random "
                "pieces are not available for models with one piece per "
                "track."
            ),
            pair(
                picture(
                    svg,
                    "Mean and standard deviation over the folds. Samples are pieces if tracks have "
                    "several of them, and tracks otherwise.",
                ),
                table(["model", "folds", "accuracy", "std. over folds"], rows, text=(0, 1)),
            ),
        ]
    )


def worst(report: EvaluationReport, model: str) -> pd.Series | None:
    """Return the row of the condition that changes most predictions, or None."""
    rows = report.robustness[report.robustness["model"] == model]
    rows = rows[(rows["condition"] != UNCHANGED) & (rows["n_tracks"] > 0)]
    if rows.empty or rows["kept"].min() == 1:
        return None
    return rows.loc[rows["kept"].idxmin()]


def robustness(report: EvaluationReport) -> str:
    """Return the section about robustness."""
    if report.robustness is None:
        return ""
    by = "the model" if report.about["prefit"] else "the model that was not trained on it"
    parts = [
        paragraph(
            f"{report.about['n_changed']} tracks are modified under the following conditions, and "
            f"each is predicted by {by}. The column kept contains the fraction of predictions that "
            "do not change."
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
                    f"Worst condition: <strong>{h(low['condition'])}</strong>, for which "
                    f"{percent(low['kept'])} of the predictions do not change."
                )
            )
        parts.append(
            pair(
                picture(svg, "Predictions kept and accuracy."),
                table(["condition", "tracks", "kept", "accuracy"], cells, worst=marked),
            )
        )
    parts.append(
        paragraph(
            "Louder tracks are clipped at full scale. MP3 files are mono and encoded by "
            "libsndfile. The low-pass filter is a Butterworth filter of order 8. Noise is pink, "
            "with the given signal-to-noise ratio. 3 % faster changes both tempo and pitch. The "
            "prediction for the last 30 s is compared with that for the first 30 s; tracks "
            "shorter than a minute are split into halves.",
            "note",
        )
    )
    return "".join(parts)


def mistakes(report: EvaluationReport) -> str:
    """Return the section about the most confident mistakes, with their timelines."""
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
            "Timelines show the genre probabilities (rows) over time. Each part of a track is "
            "predicted separately. Darker colors correspond to higher probabilities.",
            "note",
        )
    )
    return "".join(parts)


def _mistake(row, found) -> str:
    surely = "" if np.isnan(row.probability) else f" ({row.probability:.2f})"
    words = (
        f"<p>Predicted <strong>{h(row.predicted)}</strong>{surely}, true genre "
        f"<strong>{h(row.genre)}</strong>"
        f'<br><span class="path">{h(row.path)}</span></p>'
    )
    picture = "" if found is None else timeline(found, row.genre, row.predicted, short(row.path))
    return f"<li>{words}{picture}</li>"
