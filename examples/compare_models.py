"""
A network and a classical model on the same folds
=================================================

Set ``FOLDER`` to a folder that contains one folder for each genre.
"""
# sphinx_gallery_thumbnail_path = 'images/leakage.png'

from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

from skgenre import genre_pipeline
from skgenre.datasets import load_folder

FOLDER = "music"

tracks = load_folder(FOLDER)
folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)  # splits by artist
for name in ("cnn", "svm"):
    pipe = genre_pipeline(name, memory="features", random_state=0)
    scores = cross_val_score(pipe, tracks.data, tracks.target, groups=tracks.groups, cv=folds)
    print(f"{name}: {scores.mean():.2f} +- {scores.std():.2f}")
