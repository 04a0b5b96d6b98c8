"""Measure how predictions change with modified audio, and write ``docs/robustness.rst``.

``make robustness TRACKS=<folder>`` runs this script on a folder of GTZAN tracks with one folder per
genre. The artists are derived from the file names. Each preset is trained plain, on the recordings
alone, and robust, on changed copies as well; see ``presets.py``. The starter models predict the
tracks in the test part of the fault-filtered partition, which contains none of the artists in
their training data.
"""

import argparse
import io
import os
from importlib.metadata import version
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
    os.environ.setdefault(name, "1")  # as many processes as cores

import numpy as np
import soundfile
from pages import save_svg, table
from presets import ROBUST, Presets

from skgenre import genre_pipeline, load_audio, starter_model
from skgenre._metadata import fit_with_groups
from skgenre.audio.changes import includes, list_changes
from skgenre.datasets import track_groups
from skgenre.datasets._groups import gtzan_table
from skgenre.evaluation.robustness import UNCHANGED, robustness_report
from skgenre.features.musicnn import musicnn_is_installed

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "robustness.rst"
#: The picture, of which only the presets are part.
PICTURE = ROOT / "docs" / "images" / "robustness.svg"
#: Sample rate in Hz, and format of each file.
FILES = {
    "22,050 Hz": (22050, "WAV"),
    "8,000 Hz": (8000, "WAV"),
    "16,000 Hz": (16000, "WAV"),
    "44,100 Hz": (44100, "WAV"),
    "44,100 Hz, MP3": (44100, "MP3"),
    "22,050 Hz, MP3": (22050, "MP3"),
}

TEXT = """Robustness of the models
========================

This page shows how the accuracy of models changes when the audio is modified, for example by a
microphone, a phone or MP3 compression, and how much training on changed copies of the tracks
helps. It was written by ``make robustness`` (``benchmarks/robustness.py``) with scikit-learn
{sklearn} and Keras {keras}. The data are {n} tracks of GTZAN (Tzanetakis and Cook, 2002) by
{artists} artists: {counts}.

:func:`skgenre.evaluation.robustness_report` describes the modifications. The presets of
:func:`skgenre.genre_pipeline` are trained on nine folds by artist: ``StratifiedGroupKFold(3,
shuffle=True, random_state=s)`` with *s* = 0, 1, 2. Accuracies are over tracks, and averaged over
three seeds of networks.

.. image:: images/robustness.svg
   :alt: Accuracy of each preset, plain and robust, by condition.

Plain and robust training
-------------------------

In each cell, the first number is the accuracy of the model that was trained on the recordings alone
(``augment=None``), and the second that of the model that was trained on two changed copies of each
as well (``augment="robust"``, the default). Conditions with an asterisk are part of this training.

{presets}

One track of {n} corresponds to {one:.1f} %, so differences of a few percentage points are not
meaningful.

Robust training takes longer. Processor time of feature extraction for a track, and of a fit on two
thirds of the tracks, in seconds:

{times}

Starter models
--------------

The models that come with the package predict the {n_starter} tracks ({starter_counts}) in the test
part of the fault-filtered partition. They distinguish ten genres. *table* uses columns of GTZAN's
feature table, *musicnn* the tags of musicnn (:func:`skgenre.starter_model`).

{starters}

Sample rates and bit rates
--------------------------

The same tracks, as files of other sample rates and as MP3. *kept* is the share of tracks with the
same label as at 22,050 Hz, and *unsure* the share of predictions that are marked as unsure, of the
right and of the wrong ones. ``descriptors`` is trained on the tracks of the other artists.

{rates}
"""


def counted(y):
    names, counts = np.unique(y, return_counts=True)
    return ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))


def accuracies(presets):
    """Return the accuracy by preset, recipe and condition, and the fit times."""
    proba, folds = presets.measure(lambda model: model.changed)
    labels = np.searchsorted(np.unique(presets.y), presets.y)
    found = {
        name: {c: (p.argmax(axis=-1) == labels).mean() for c, p in by_condition.items()}
        for name, by_condition in proba.items()
    }
    return found, {name: rows["seconds"].mean() for name, rows in folds.items()}


def label(condition):
    """Mark a condition that robust training contains."""
    met = condition != UNCHANGED and includes(list_changes("robust"), condition)
    return f"{condition} \\*" if met else condition


def draw(found, names):
    """Draw the accuracy of each preset, plain and robust, by condition."""
    import matplotlib.pyplot as plt

    conditions = list(found[names[0]])
    n_rows = -(-len(names) // 2)
    figure, axes = plt.subplots(
        n_rows, 2, sharey=True, sharex=True, figsize=(6, 4 * n_rows), layout="constrained"
    )
    for ax, name in zip(axes.flat, names, strict=False):
        ax.set_title(name)
        rows = range(len(conditions))
        plain, robust = (
            [found[model][c] for c in conditions] for model in (f"{name}, plain", name)
        )
        ax.hlines(rows, plain, robust, color="0.8")
        ax.plot(plain, rows, "o", label="plain")
        ax.plot(robust, rows, "s", label="robust")
        ax.grid(alpha=0.3)
    for ax in axes[-1]:
        ax.set_xlabel("accuracy")
    axes[0, 0].set_yticks(rows, [label(c).replace("\\", "") for c in conditions])
    axes[0, 0].invert_yaxis()
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=2)
    save_svg(figure, PICTURE.stem)


def starter_table(names, paths, y, jobs):
    reports = {
        name: robustness_report(starter_model(name), paths, y, n_jobs=jobs).set_index("condition")
        for name in names
    }
    return table(
        ["condition", *names],
        [
            [condition, *(f"{r.loc[condition, 'accuracy']:.2f}" for r in reports.values())]
            for condition in reports[names[0]].index
        ],
    )


def file_table(models, paths, y):
    """Tabulate what models predict for files of other sample rates and formats."""
    rows = []
    for model_name, model_of in models.items():
        before = None
        for name, (rate, form) in FILES.items():
            files = []
            for path in paths:
                files.append(io.BytesIO())
                soundfile.write(files[-1], load_audio(path, sample_rate=rate), rate, format=form)
            labels, unsure = predict(model_of, files)
            before = labels if before is None else before
            right = labels == y
            rows.append(
                [
                    model_name if name == next(iter(FILES)) else "",
                    name,
                    f"{np.mean(right):.2f}",
                    f"{np.mean(labels == before):.2f}",
                    share(unsure[right]),
                    share(unsure[~right]),
                ]
            )
    head = ["model", "files", "accuracy", "kept", "unsure if right", "unsure if wrong"]
    return table(head, rows)


def share(values):
    return f"{np.mean(values):.2f} of {len(values)}" if len(values) else ""


def predict(model_of, files):
    """Return labels, and whether they are unsure; `model_of` returns the model of each file."""
    labels, unsure = [], []
    for i, file in enumerate(files):
        model = model_of(i)
        X = model[:-1].transform([file])
        proba = model[-1].predict_proba(X)
        labels.append(model.classes_[proba[0].argmax()])
        unsure.append(bool(model[-1].explain_unsure(X, proba)[0]))
    return np.array(labels), np.array(unsure)


def of_folds(presets, chosen):
    """Return a function of the indices of `chosen` tracks: the model trained on the others."""
    models = {}
    for seed, train, test in presets.splits():
        if seed == 0:
            model = genre_pipeline("descriptors", random_state=0, n_jobs=presets.jobs)
            paths = [presets.tracks.data[i] for i in train]
            fit_with_groups(model, paths, presets.y[train], presets.groups[train])
            models |= dict.fromkeys(test.tolist(), model)
    return lambda i: models[chosen[i]]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tracks", type=Path, help="folder of GTZAN tracks by genre")
    parser.add_argument("--jobs", type=int, default=2, help="number of processes")
    parser.add_argument("--cache", type=Path, help="folder of the results")
    args = parser.parse_args()
    presets = Presets(args.tracks, args.jobs, args.cache)
    found, seconds = accuracies(presets)
    names = [name for name in ROBUST if name in found]
    draw(found, names)
    extraction = {name: presets.extraction_seconds(name) for name in names}

    part = gtzan_table("filtered_split")
    tracks = track_groups(presets.tracks.data)
    chosen = [i for i, track in enumerate(tracks) if part.get(track) == "test"]
    paths, y = [presets.tracks.data[i] for i in chosen], presets.y[chosen]
    starters = ["table", "musicnn"] if musicnn_is_installed() else ["table"]
    models = {name: (lambda model: lambda i: model)(starter_model(name)) for name in starters}
    models["descriptors"] = of_folds(presets, chosen)
    text = TEXT.format(
        sklearn=version("scikit-learn"),
        keras=version("keras"),
        n=len(presets.y),
        counts=counted(presets.y),
        artists=len(set(presets.groups)),
        one=100 / len(presets.y),
        presets=table(
            ["condition", *names],
            [
                [label(c), *(f"{found[f'{n}, plain'][c]:.2f}, {found[n][c]:.2f}" for n in names)]
                for c in found[names[0]]
            ],
        ),
        times=table(
            ["preset", "extraction, plain", "robust", "fit, plain", "robust"],
            [
                [
                    name,
                    *(f"{each:.2f}" for each in extraction[name]),
                    *(f"{seconds[model]:.1f}" for model in (f"{name}, plain", name)),
                ]
                for name in names
            ],
        ),
        n_starter=len(chosen),
        starter_counts=counted(y),
        starters=starter_table(starters, paths, y, args.jobs),
        rates=file_table(models, paths, y),
    )
    PAGE.write_text(text, encoding="utf-8")
    print(f"{PAGE} and {PICTURE} are written")


if __name__ == "__main__":
    main()
