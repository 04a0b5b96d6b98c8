"""
Train a pipeline from audio files and save it
=============================================

Run ``python train_pipeline.py FOLDER``. The folder contains one folder for each genre.
"""
# sphinx_gallery_thumbnail_path = 'images/published_curves_artist.png'

import sys

import joblib
from sklearn.pipeline import make_pipeline

from skgenre import LSTMClassifier, MFCCSegmenter, SegmentScaler
from skgenre.datasets import load_folder

tracks = load_folder(sys.argv[1])
pipe = make_pipeline(
    MFCCSegmenter(n_segments=10), SegmentScaler(with_std=False), LSTMClassifier(random_state=0)
)
pipe.fit(tracks.data, tracks.target)
joblib.dump(pipe, "model.joblib")
