"""
Predict with a saved pipeline
=============================

Run ``python predict_files.py FILE ...`` after ``train_pipeline.py``. TensorFlow is not imported.
"""
# sphinx_gallery_thumbnail_path = 'images/timeline.png'

import sys

import joblib

pipe = joblib.load("model.joblib")
paths = sys.argv[1:]
for path, proba in zip(paths, pipe.predict_proba(paths), strict=True):
    print(f"{path}: {pipe.classes_[proba.argmax()]} ({proba.max():.2f})")
