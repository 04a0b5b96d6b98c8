"""Measure how predictions change with modified audio, and write ``docs/robustness.rst``.

Each preset is trained plain, on the recordings alone, and robust, on changed copies as well.

``make robustness TRACKS=<folder>`` runs this script on a folder of GTZAN tracks with one folder per
genre. The artists are derived from the file names. The presets are trained on three folds by
artist, and each track is predicted by the model that was not trained on it. The starter model
predicts the tracks in the test part of the fault-filtered partition, which contains none of the
artists in its training data. Results are stored in ``build/robustness``; delete that folder after
changing the code.
"""

import argparse
import os
import time
from importlib.metadata import version
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")  # tracks are processed in parallel

import numpy as np
import pandas as pd
from pages import table

from skgenre import evaluation_report, genre_pipeline, starter_model
from skgenre.datasets import load_folder, track_groups
from skgenre.datasets._groups import gtzan_table
from skgenre.evaluation import robustness_report

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "robustness.rst"
#: The picture, of which only the presets are part.
PICTURE = ROOT / "docs" / "images" / "robustness.svg"
PRESETS = ("descriptors", "mel", "cnn", "lstm", "ann")
RECIPES = {"plain": None, "robust": "robust"}

HEAD = """Robustness of the models
========================

This page shows how the accuracy of models changes when the audio is modified, for example by a
microphone, a phone or MP3 compression, and how much training on changed copies of the tracks
helps. It was written by ``make robustness``
(``benchmarks/robustness.py``) with scikit-learn {sklearn} and Keras {keras}. The data are {n}
tracks of GTZAN (Tzanetakis and Cook, 2002) by {artists} artists: {counts}.

:func:`skgenre.evaluation.robustness_report` describes the modifications. The models are:

- *starter*: the model that comes with the package (:func:`skgenre.starter_model`). It
  distinguishes ten genres and was trained on feature tables of GTZAN. Therefore it only predicts
  the {n_starter} tracks ({starter_counts}) in the test part of the fault-filtered partition,
  which contains none of the artists in its training data.
- {presets}: presets of :func:`skgenre.genre_pipeline`, trained on
  ``StratifiedGroupKFold(3, shuffle=True, random_state=0)`` by artist. Each track is predicted by
  the model that was not trained on it. *Plain* models are trained on the recordings alone
  (``augment=None``), *robust* ones, the default, on changed copies as well
  (``augment="robust"``). Conditions with an asterisk are part of the training of robust models.

.. image:: images/robustness.svg
   :alt: Accuracy of each preset, plain and robust, by condition.
"""

TAIL = """
The predictions for ``last 30 s`` are compared with those for ``first 30 s``, and not with those for
the unchanged track. Tracks shorter than a minute are split into halves, so on these tracks the two
conditions use 15 seconds each. One track of {n} corresponds to {one:.1f} %, so differences of a few
percentage points are not meaningful.
"""


def counted(y):
    names, counts = np.unique(y, return_counts=True)
    return ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))


def preset(name, tracks, jobs):
    return evaluation_report(
        {
            f"{name}, {recipe}": genre_pipeline(name, random_state=0, augment=augment)
            for recipe, augment in RECIPES.items()
        },
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
    part = gtzan_table("filtered_split")
    return [i for i, track in enumerate(track_groups(tracks.data)) if part.get(track) == "test"]


def starter(tracks, jobs):
    chosen = unseen(tracks)
    paths = [tracks.data[i] for i in chosen]
    report = robustness_report(starter_model("table"), paths, tracks.target[chosen], n_jobs=jobs)
    report.insert(0, "model", "starter")
    return report


def kept(name, compute, folder):
    """Compute a table, or read it from the cache."""
    path = folder / f"{name}.csv"
    if not path.exists():
        began = time.perf_counter()
        compute().to_csv(path, index=False)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    return pd.read_csv(path)


def table_of(found):
    models = found["model"].unique()
    rows = []
    for condition, of in found.groupby("condition", sort=False):
        of = of.set_index("model")
        rows.append([label(condition, of), *(f"{of.loc[m, 'accuracy']:.3f}" for m in models)])
    return table(["condition", *models], rows)


def label(condition, of):
    """Mark a condition that robust training contains."""
    met = of["in_training"].any() and condition != "unchanged"
    return f"{condition} *" if met else condition


def draw(found):
    """Draw the accuracy of each preset, plain and robust, by condition."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(PRESETS), sharey=True, figsize=(3 * len(PRESETS), 5.5), layout="constrained"
    )
    for ax, name in zip(axes, PRESETS, strict=True):
        ax.set_title(name)
        for recipe, style in (("plain", "o"), ("robust", "s")):
            rows = found[found["model"] == f"{name}, {recipe}"]
            ax.plot(rows["accuracy"], range(len(rows)), style, label=recipe)
        ax.set_xlabel("accuracy")
        ax.grid(alpha=0.3)
    robust = found[found["model"] == f"{PRESETS[0]}, robust"]
    labels = [label(c, of) for c, of in robust.groupby("condition", sort=False)]
    axes[0].set_yticks(range(len(labels)), labels)
    axes[0].invert_yaxis()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.savefig(PICTURE, metadata={"Date": None})


def worst(found):
    lines = ["The modification that changes the most predictions is:", ""]
    for model, rows in found.groupby("model", sort=False):
        rows = rows[rows["condition"] != "unchanged"]
        low = rows.loc[rows["kept"].idxmin()]
        before, after = low["accuracy_before"], low["accuracy"]
        lines += [
            f"- for *{model}*, ``{low['condition']}``: {100 * low['kept']:.1f} % of the labels are",
            f"  kept, and the accuracy changes from {before:.3f} to {after:.3f};",
        ]
    lines[-1] = lines[-1].removesuffix(";") + "."
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tracks", help="folder of GTZAN tracks, with one folder per genre")
    parser.add_argument("--jobs", type=int, default=2, help="tracks to process in parallel")
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
        presets=", ".join(f"*{name}*" for name in PRESETS),
    )
    tail = TAIL.format(n=len(tracks.data), one=100 / len(tracks.data))
    PAGE.write_text("\n".join([head, worst(found), "", table_of(found), tail]), encoding="utf-8")
    draw(found)
    print(f"{PAGE} and {PICTURE} are written")


if __name__ == "__main__":
    main()
