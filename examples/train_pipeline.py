"""
Train a pipeline from audio files and save it
=============================================

``python train_pipeline.py FOLDER``, where the folder holds a folder for each genre.
"""

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
