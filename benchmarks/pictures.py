"""Draw the cards of the documentation, and the README's picture: ``make pictures GTZAN=<folder>``.

The song is synthetic, three genres one after the other; the leakage is that of the 10-second
feature table in the folder, and is not drawn without it.
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import soundfile
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skgenre import CNNClassifier, MFCCSegmenter, SegmentScaler, genre_pipeline, make_baseline
from skgenre.datasets import load_gtzan_features, make_tracks
from skgenre.evaluation import leakage_report
from skgenre.plotting import GenreTimelineDisplay, HistoryDisplay, LeakageDisplay, MFCCDisplay

IMAGES = Path(__file__).parent.parent / "docs" / "images"
GENRES = ["classical", "disco", "hiphop", "jazz", "metal", "reggae"]


#: The medley of the timeline.
PARTS = ["jazz", "disco", "metal"]


def card():
    """Create a figure whose text is legible on a card, which is about 220 pixels wide."""
    return plt.subplots(figsize=(2.8, 2.1), layout="constrained")


def save(figure, name):
    figure.savefig(IMAGES / f"{name}.png", dpi=200)


def without_colorbar(figure):
    """Remove the axes of the color bar, for which a card has no space."""
    figure.axes[1].remove()
    return figure


def timeline_and_history(folder):
    """Draw the genres of a medley over time, and the training of the network that finds them."""
    genres = sorted(["classical", *PARTS])
    tracks = make_tracks(8, genres=genres, duration=15, random_state=0, folder=folder / "known")
    new = make_tracks(1, genres=genres, duration=12, random_state=1, folder=folder / "new")
    pipe = genre_pipeline("cnn", n_jobs=2, random_state=0).fit(tracks.data, tracks.target)
    parts = [soundfile.read(new.data[genres.index(genre)]) for genre in PARTS]
    path = folder / "medley.wav"
    soundfile.write(path, np.concatenate([y for y, _ in parts]), parts[0][1])
    figure, ax = card()
    GenreTimelineDisplay.from_estimator(pipe, path, ax=ax)
    ax.set_title(", ".join(PARTS))
    save(without_colorbar(figure), "timeline")
    pipe[-1].set_params(validation_fraction=0.25)
    pipe.fit(tracks.data, tracks.target)
    (_, loss), (figure, accuracy) = plt.subplots(), card()
    HistoryDisplay.from_estimator(pipe, ax=[loss, accuracy])
    save(figure, "history")


def mfcc(folder):
    [path] = make_tracks(
        1, genres=["disco"], duration=12, random_state=1, folder=folder / "one"
    ).data
    figure, ax = card()
    MFCCDisplay.from_estimator(MFCCSegmenter(n_segments=3), path, ax=ax)
    ax.set(title="MFCCs", ylabel="")
    save(without_colorbar(figure), "mfcc")


def grid_search(folder):
    """Draw the accuracy of each candidate of a grid search on synthetic tracks."""
    tracks = make_tracks(8, genres=GENRES, duration=9, random_state=0, folder=folder / "grid")
    filters, dropout = [(8, 8), (16, 16), (32, 32, 32)], [0.1, 0.3, 0.5]
    pipe = make_pipeline(
        MFCCSegmenter(n_segments=3, memory=folder / "cache"),
        SegmentScaler(with_std=False),
        CNNClassifier(epochs=8, batch_size=8, random_state=0),
    )
    grid = {"cnnclassifier__filters": filters, "cnnclassifier__dropout": dropout}
    search = GridSearchCV(pipe, grid, cv=StratifiedGroupKFold(3))
    search.fit(tracks.data, tracks.target, groups=tracks.groups)
    # Candidates vary in the last name first, and names are sorted: dropout, then filters.
    scores = search.cv_results_["mean_test_score"].reshape(len(dropout), len(filters)).T
    figure, ax = card()
    ax.imshow(scores, aspect="auto")
    middle = (scores.min() + scores.max()) / 2
    for (i, j), score in np.ndenumerate(scores):
        color = "white" if score < middle else "black"
        ax.text(j, i, f"{score:.2f}", ha="center", va="center", color=color)
    ax.set_xticks(range(len(dropout)), dropout)
    ax.set_yticks(range(len(filters)), ["-".join(map(str, sizes)) for sizes in filters])
    ax.set(xlabel="dropout", ylabel="filters", title="accuracy")
    save(figure, "grid_search")


def leakage(gtzan):
    models = {name: make_baseline(name, random_state=0) for name in ("knn", "svm")}
    report = leakage_report(models, load_gtzan_features(gtzan / "features_10_sec.csv"))
    report["splitting"] = report["splitting"].replace("random pieces", "random segments")
    figure, ax = plt.subplots(figsize=(3.6, 2.7), layout="constrained")
    LeakageDisplay(report).plot(ax=ax)
    ax.get_legend().remove()
    figure.legend(
        loc="outside upper center", ncols=3, frameon=False, columnspacing=0.8, handlelength=1
    )
    save(figure, "leakage")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gtzan", type=Path, nargs="?")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        timeline_and_history(Path(folder))
        mfcc(Path(folder))
        grid_search(Path(folder))
    if args.gtzan:
        leakage(args.gtzan)


if __name__ == "__main__":
    main()
