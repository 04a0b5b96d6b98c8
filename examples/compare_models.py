"""
A network and a classical model on the same folds
=================================================

Set ``FOLDER`` to a folder that contains one folder for each genre.
"""
# sphinx_gallery_thumbnail_path = 'images/leakage.png'

from skgenre import compare_models, genre_pipeline
from skgenre.datasets import load_folder

FOLDER = "music"

tracks = load_folder(FOLDER)
models = {name: genre_pipeline(name, memory="features", random_state=0) for name in ("cnn", "svm")}
comparison = compare_models(  # in 3 folds by artist
    models, tracks.data, tracks.target, cv=3, groups=tracks.groups, reference="svm"
)
for row in comparison.table.itertuples():
    print(f"{row.model}: {row.accuracy:.2f} +- {row.accuracy_std:.2f}")
    low, high = row.accuracy_difference_low, row.accuracy_difference_high
    print(f"difference {row.accuracy_difference:+.2f}, 95 % interval {low:+.2f} to {high:+.2f}")
