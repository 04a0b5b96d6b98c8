"""
A network and a classical model on the same folds
=================================================

``python compare_models.py FOLDER``, where the folder holds a folder for each genre.
"""

import sys

from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

from skgenre import genre_pipeline
from skgenre.datasets import load_folder

tracks = load_folder(sys.argv[1])
folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)  # an artist is on one side
for name in ("cnn", "svm"):
    pipe = genre_pipeline(name, memory="features", random_state=0)
    scores = cross_val_score(pipe, tracks.data, tracks.target, groups=tracks.groups, cv=folds)
    print(f"{name}: {scores.mean():.2f} +- {scores.std():.2f}")
