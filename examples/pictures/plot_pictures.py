"""
Pictures of tracks and of models
================================

Plots of tracks and of a small network that is trained on synthetic tracks.
"""

import tempfile

import matplotlib.pyplot as plt
from sklearn.metrics import ConfusionMatrixDisplay

from skgenre import genre_pipeline
from skgenre.datasets import make_tracks
from skgenre.plotting import (
    GenreTimelineDisplay,
    HistoryDisplay,
    MelSpectrogramDisplay,
    MFCCDisplay,
)

# sphinx_gallery_thumbnail_path = 'images/mfcc.png'
folder = tempfile.TemporaryDirectory()
genres = ["classical", "disco", "metal"]
tracks = make_tracks(8, genres=genres, duration=12, random_state=0, folder=folder.name)
song = make_tracks(1, genres=["disco"], duration=20, random_state=1, folder=f"{folder.name}/new")
[path] = song.data

# %%
# A track
# -------
# The mel spectrogram:

_ = MelSpectrogramDisplay.from_path(path)
plt.show()

# %%
# The MFCC segments, which are the input of the networks:

pipe = genre_pipeline("cnn", n_jobs=2, random_state=0)
_ = MFCCDisplay.from_estimator(pipe, path)
plt.show()

# %%
# A network
# ---------
# The loss and accuracy of each epoch, on the training tracks and on held-out tracks:

pipe[-1].set_params(early_stopping=True, validation_fraction=0.25, epochs=12)
pipe.fit(tracks.data, tracks.target)
_ = HistoryDisplay.from_estimator(pipe)
plt.show()

# %%
# The layers:

pipe[-1].summary()

# %%
# Predictions
# -----------
# The genre of a song over time:

_ = GenreTimelineDisplay.from_estimator(pipe, path)
plt.show()

# %%
# scikit-learn's confusion matrix takes paths, too:

new = make_tracks(4, genres=genres, duration=9, random_state=2, folder=f"{folder.name}/unseen")
_ = ConfusionMatrixDisplay.from_estimator(pipe, new.data, new.target)
plt.show()
folder.cleanup()
