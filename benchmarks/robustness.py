"""Measure how predictions change when the music does, and write ``docs/robustness.rst``.

``make robustness TRACKS=<folder>`` runs it on genre folders of GTZAN's tracks, whose artists are
known by their names. The presets are trained on three folds by artist, and each track is predicted
by the model that was not trained on it. The starter model is taken as it is, on those tracks that
are in the test part of the fault-filtered partition, none of whose artists it was trained on. What
is computed is kept in ``build/robustness``; delete it after a change of the code.
"""

import argparse
import os
import time
from importlib.metadata import version
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")  # as many threads as tracks at once

import numpy as np
import pandas as pd

from skgenre import (
    evaluation_report,
    genre_pipeline,
    robustness_report,
    starter_model,
    track_groups,
)
from skgenre.datasets import load_folder
from skgenre.datasets.facts import gtzan_filtered_split

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "robustness.rst"
PRESETS = ("descriptors", "cnn")

HEAD = """Robustness of the models
========================

Written by ``make robustness`` (``benchmarks/robustness.py``) with skgenre's development version,
scikit-learn {sklearn} and Keras {keras}, from {n} tracks of GTZAN: {counts}, by {artists} artists.

A model that is right on clean copies may be wrong on what reaches it: through a microphone, a
phone, an old MP3. Each track is changed as :func:`skgenre.robustness_report` describes, and *kept*
is the share of predictions that stay as they were.

The presets are trained on ``StratifiedGroupKFold(3, shuffle=True, random_state=0)`` by artist,
seed 0, and each track is predicted by the model that was not trained on it. The model that comes
with the package is taken as it is. It was trained on tables of GTZAN's tracks, so that here it
predicts only the {n_starter} of these tracks that are in the test part of the fault-filtered
partition ({starter_counts}), which has none of the artists it was trained on; it knows ten genres,
not three.
"""

TAIL = """
The last 30 s are compared with the first, and on these tracks of 30 s they are the halves of 15 s.
One track of {n} is {one:.1%}; differences of a few per cent mean little.
"""


def counted(y):
    names, counts = np.unique(y, return_counts=True)
    return ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))


def preset(name, tracks, jobs):
    return evaluation_report(
        {name: genre_pipeline(name, random_state=0)},
        tracks.data,
        tracks.target,
        groups=tracks.groups,
        cv=3,
        leakage=False,
        robustness=len(tracks.data),
        n_mistakes=0,
        n_resamples=100,
        n_jobs=jobs,
    ).robustness


def unseen(tracks):
    part = gtzan_filtered_split()
    return [i for i, track in enumerate(track_groups(tracks.data)) if part.get(track) == "test"]


def starter(tracks, jobs):
    chosen = unseen(tracks)
    paths = [tracks.data[i] for i in chosen]
    report = robustness_report(starter_model(), paths, tracks.target[chosen], n_jobs=jobs)
    report.insert(0, "model", "starter")
    return report


def kept(name, compute, folder):
    """Compute a table, or read the one that is kept."""
    path = folder / f"{name}.csv"
    if not path.exists():
        began = time.perf_counter()
        compute().to_csv(path, index=False)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    return pd.read_csv(path)


def table(found):
    models = found["model"].unique()
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - condition"]
    lines += [f"     - {model}: {what}" for model in models for what in ("kept", "accuracy")]
    for condition, rows in found.groupby("condition", sort=False):
        lines.append(f"   * - {condition}")
        rows = rows.set_index("model")
        for model in models:
            lines += [f"     - {rows.loc[model, what]:.3f}" for what in ("kept", "accuracy")]
    return "\n".join(lines)


def worst(found):
    words = []
    for model, rows in found.groupby("model", sort=False):
        rows = rows[rows["condition"] != "unchanged"]
        low = rows.loc[rows["kept"].idxmin()]
        words.append(
            f"of *{model}* {low['condition']}, which keeps {low['kept']:.1%} of the predictions "
            f"and takes accuracy from {low['accuracy_before']:.3f} to {low['accuracy']:.3f}"
        )
    return "The worst condition is, " + "; ".join(words) + "."


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tracks", help="genre folders of GTZAN's tracks")
    parser.add_argument("--jobs", type=int, default=2, help="tracks at once")
    args = parser.parse_args()
    folder = ROOT / "build" / "robustness"
    folder.mkdir(parents=True, exist_ok=True)
    tracks = load_folder(args.tracks)
    found = pd.concat(
        [
            kept("starter", lambda: starter(tracks, args.jobs), folder),
            *(kept(n, lambda n=n: preset(n, tracks, args.jobs), folder) for n in PRESETS),
        ]
    )
    chosen = unseen(tracks)
    head = HEAD.format(
        sklearn=version("scikit-learn"),
        keras=version("keras"),
        n=len(tracks.data),
        counts=counted(tracks.target),
        artists=len(set(tracks.groups)),
        n_starter=len(chosen),
        starter_counts=counted(tracks.target[chosen]),
    )
    tail = TAIL.format(n=len(tracks.data), one=1 / len(tracks.data))
    PAGE.write_text("\n".join([head, worst(found), "", table(found), tail]), encoding="utf-8")
    print(f"{PAGE} is written")


if __name__ == "__main__":
    main()
