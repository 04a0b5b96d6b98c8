"""HTML page of a report, in which all text is escaped."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from . import sections
from .folds import name_known
from .style import POLICY, STYLE
from .text import cards, h, paragraph, percent

if TYPE_CHECKING:
    from .result import EvaluationReport


def page(report: EvaluationReport) -> str:
    """Return the HTML page of a report."""
    parts = [
        f"<h1>{h(report.title)}</h1>",
        paragraph(_lead(report), "lead"),
        cards(_figures(report)),
    ]
    for heading, section in [
        ("Data", sections.what_was_evaluated),
        ("Scores", sections.scores),
        ("Confusions", sections.confusion),
        ("Probabilities", sections.confidence),
        ("Leakage", sections.leakage),
        ("Robustness", sections.robustness),
        ("Most confident mistakes", sections.mistakes),
    ]:
        if content := section(report):
            parts.append(f"<section><h2>{heading}</h2>{content}</section>")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{h(report.title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + f"\n<footer>{_footer(report)}</footer>\n</main>\n</body>\n</html>\n"
    )


def _lead(report: EvaluationReport) -> str:
    models = [h(name) for name in report.confusion]
    n_genres = report.tracks["genre"].nunique()
    about, by = report.about, report.about["by"]
    artists = f" by {about['n_groups']} artists" if about["artists_known"] else ""
    known = name_known(about["artists_known"], len(report.tracks))
    how = f"fitted before, evaluated {by}" if about["prefit"] else f"cross-validated {by}"
    return (
        f"{', '.join(models)}, {how}, on {len(report.tracks)} tracks of {n_genres} genres{artists}"
        f"{known}."
    )


def _figures(report: EvaluationReport) -> list[tuple[str, str]]:
    """Return the main results of the first model and their captions."""
    first, *others = report.confusion
    of = f" of {first}" if others else ""
    accuracy = report.scores[report.scores["metric"] == "accuracy"].set_index("model")
    row, chance = accuracy.loc[first], accuracy.iloc[-1]
    found = [
        (
            percent(row["score"]),
            f"accuracy{of} (95 % CI {100 * row['low']:.0f} to {100 * row['high']:.0f} %)",
        ),
        (percent(chance["score"]), "chance level: the share of the most frequent genre"),
    ]
    if first in report.calibration_error:
        found.append((f"{report.calibration_error[first]:.3f}", f"expected calibration error{of}"))
    if report.robustness is not None and (low := sections.worst(report, first)) is not None:
        found.append((percent(low["kept"]), f"unchanged predictions{of} for {low['condition']}"))
    return found


def _version(name: str) -> str | None:
    """Return the version of a package; None if it is not installed, as librosa need not be."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _footer(report: EvaluationReport) -> str:
    versions = ", ".join(
        f"{name} {found}"
        for name in ("skgenre", "scikit-learn", "librosa")
        if (found := _version(name)) is not None
    )
    return h(
        f"Computed in {report.about['seconds']:.0f} s with {versions} and Python "
        f"{platform.python_version()}. Accuracy is the fraction of correctly classified tracks, "
        "balanced accuracy the mean recall of the genres, and macro F1 their mean F1 score."
    )
