"""
Train a pipeline from audio files and save it
=============================================

Set ``FOLDER`` to a folder that contains one folder for each genre.
"""
# sphinx_gallery_thumbnail_path = 'images/history.png'

import joblib
from sklearn.pipeline import make_pipeline

from skgenre import LSTMClassifier, MFCCSegmenter, SegmentScaler
from skgenre.datasets import load_folder

FOLDER = "music"

tracks = load_folder(FOLDER)
pipe = make_pipeline(
    MFCCSegmenter(n_segments=10), SegmentScaler(with_std=False), LSTMClassifier(random_state=0)
)
pipe.fit(tracks.data, tracks.target)
joblib.dump(pipe, "model.joblib")
