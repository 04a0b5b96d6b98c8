"""Draw pictures of the README and the documentation: ``make pictures GTZAN=<folder>``.

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
from skgenre.plotting import GenreTimelineDisplay, LeakageDisplay, MFCCDisplay

IMAGES = Path(__file__).parent.parent / "docs" / "images"
GENRES = ["classical", "disco", "hiphop", "jazz", "metal", "reggae"]


def timeline(folder):
    tracks = make_tracks(8, genres=GENRES, duration=15, random_state=0, folder=folder / "known")
    new = make_tracks(1, genres=GENRES, duration=12, random_state=7, folder=folder / "new")
    pipe = genre_pipeline("cnn", n_jobs=2, random_state=0).fit(tracks.data, tracks.target)
    parts = [soundfile.read(new.data[i]) for i in (3, 1, 4)]
    path = folder / "medley.wav"
    soundfile.write(path, np.concatenate([y for y, _ in parts]), parts[0][1])
    display = GenreTimelineDisplay.from_estimator(pipe, path)
    display.figure_.savefig(IMAGES / "timeline.png", dpi=100)


def mfcc(folder):
    [path] = make_tracks(
        1, genres=["disco"], duration=12, random_state=1, folder=folder / "one"
    ).data
    segmenter = MFCCSegmenter(n_segments=3)
    display = MFCCDisplay.from_estimator(segmenter, path)
    display.figure_.savefig(IMAGES / "mfcc.png", dpi=100)


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
    figure, ax = plt.subplots(figsize=(4.8, 3.2), layout="constrained")
    picture = ax.imshow(scores, cmap="cividis", aspect="auto")
    middle = (scores.min() + scores.max()) / 2
    for (i, j), score in np.ndenumerate(scores):
        color = "white" if score < middle else "black"
        ax.text(j, i, f"{score:.2f}", ha="center", va="center", color=color)
    ax.set_xticks(range(len(dropout)), dropout)
    ax.set_yticks(range(len(filters)), ["-".join(map(str, sizes)) for sizes in filters])
    ax.set(xlabel="dropout", ylabel="filters", title="Grid search of the CNN")
    figure.colorbar(picture, label="accuracy")
    figure.savefig(IMAGES / "grid_search.png", dpi=100)


def leakage(gtzan):
    models = {name: make_baseline(name, random_state=0) for name in ("knn", "svm", "forest")}
    table = load_gtzan_features(gtzan / "features_10_sec.csv")
    display = LeakageDisplay.from_estimator(models, table)
    display.ax_.set_title("GTZAN, 10-second pieces")
    display.figure_.savefig(IMAGES / "leakage.png", dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gtzan", type=Path, nargs="?")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        timeline(Path(folder))
        mfcc(Path(folder))
        grid_search(Path(folder))
    if args.gtzan:
        leakage(args.gtzan)


if __name__ == "__main__":
    main()
