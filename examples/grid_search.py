"""
Grid search over architecture and dropout
=========================================

Set ``FOLDER`` to a folder that contains one folder for each genre.
"""
# sphinx_gallery_thumbnail_path = 'images/grid_search.png'

from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skgenre import CNNClassifier, MFCCSegmenter, SegmentScaler
from skgenre.datasets import load_folder

FOLDER = "music"

tracks = load_folder(FOLDER)
pipe = make_pipeline(
    MFCCSegmenter(memory="features"), SegmentScaler(with_std=False), CNNClassifier(epochs=10)
)
grid = {"cnnclassifier__filters": [(16, 16), (32, 32, 32)], "cnnclassifier__dropout": [0.1, 0.3]}
search = GridSearchCV(pipe, grid, cv=StratifiedGroupKFold(3))
search.fit(tracks.data, tracks.target, groups=tracks.groups)
print(f"{search.best_score_:.2f} with {search.best_params_}")
