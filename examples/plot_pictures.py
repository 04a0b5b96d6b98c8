"""
Pictures of tracks and of models
================================

Every picture that :mod:`skgenre.plotting` draws, of a small model trained on synthetic tracks.
"""

import tempfile

from sklearn.metrics import ConfusionMatrixDisplay

from skgenre import genre_pipeline
from skgenre.datasets import make_tracks
from skgenre.plotting import (
    GenreTimelineDisplay,
    HistoryDisplay,
    MelSpectrogramDisplay,
    MFCCDisplay,
)

folder = tempfile.TemporaryDirectory()
genres = ["classical", "disco", "metal"]
tracks = make_tracks(8, genres=genres, duration=12, random_state=0, folder=folder.name)
song = make_tracks(1, genres=["disco"], duration=20, random_state=1, folder=f"{folder.name}/new")
[path] = song.data

# %%
# A track
# -------
# Its mel spectrogram, as in GTZAN's folder of images:

MelSpectrogramDisplay.from_path(path)

# %%
# Its segments, as a network sees them:

pipe = genre_pipeline("cnn", n_jobs=2, random_state=0)
MFCCDisplay.from_estimator(pipe, path)

# %%
# A network
# ---------
# How it learnt, on tracks that it trained on and tracks that were held out:

pipe[-1].set_params(early_stopping=True, validation_fraction=0.25, epochs=12)
pipe.fit(tracks.data, tracks.target)
HistoryDisplay.from_estimator(pipe)

# %%
# Its layers:

pipe[-1].summary()

# %%
# The genre of a song over its time:

GenreTimelineDisplay.from_estimator(pipe, path)

# %%
# A confusion matrix is scikit-learn's, straight from paths:

new = make_tracks(4, genres=genres, duration=9, random_state=2, folder=f"{folder.name}/unseen")
ConfusionMatrixDisplay.from_estimator(pipe, new.data, new.target, cmap="cividis")
folder.cleanup()
