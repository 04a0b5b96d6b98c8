"""
Predict with a saved pipeline
=============================

Run ``train_pipeline.py`` before. TensorFlow is not imported.
"""
# sphinx_gallery_thumbnail_path = 'images/timeline.png'

import joblib

PATHS = ["song.wav"]

pipe = joblib.load("model.joblib")
for path, proba in zip(PATHS, pipe.predict_proba(PATHS), strict=True):
    print(f"{path}: {pipe.classes_[proba.argmax()]} ({proba.max():.2f})")
