"""Make the two pictures of the README: ``make pictures GTZAN=<folder>``.

The song is synthetic, three genres one after the other; the leakage is that of the 10-second
feature table in the folder.
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
import soundfile

from skgenre import genre_pipeline, make_baseline
from skgenre.datasets import load_gtzan_features, make_tracks
from skgenre.plotting import GenreTimelineDisplay, LeakageDisplay

IMAGES = Path(__file__).parent / "images"
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


def leakage(gtzan):
    models = {name: make_baseline(name, random_state=0) for name in ("knn", "svm", "forest")}
    table = load_gtzan_features(gtzan / "features_10_sec.csv")
    display = LeakageDisplay.from_estimator(models, table)
    display.ax_.set_title("GTZAN, 10-second pieces")
    display.figure_.savefig(IMAGES / "leakage.png", dpi=100)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gtzan", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        timeline(Path(folder))
    leakage(args.gtzan)


if __name__ == "__main__":
    main()
