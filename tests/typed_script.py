"""A user's script, for `make lint`: mypy accepts what is right and finds each planted typo.

mypy warns of an ignored error that is not there, so each ``type: ignore`` below asserts one.
"""

from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

import skgenre

from skgenre import CNNClasifier  # type: ignore[attr-defined] # isort: skip
from skgenre import (
    CNNClassifier,
    MFCCSegmenter,
    SegmentScaler,
    SegmentSummary,
    make_baseline,
)
from skgenre.datasets import load_folder, load_gtzan_features
from skgenre.plotting import GenreTimelineDisplay


def right() -> None:
    tracks = load_folder("music")
    segmenter = MFCCSegmenter(n_jobs=2)
    pipe = make_pipeline(segmenter, SegmentScaler(), CNNClassifier(epochs=5, dropout=0.2))
    cv = StratifiedGroupKFold(5)
    scores = cross_val_score(pipe, tracks.data, tracks.target, groups=tracks.groups, cv=cv)
    grid = {"cnnclassifier__dropout": [0.1, 0.3]}
    search = GridSearchCV(pipe, grid, cv=3).fit(tracks.data, tracks.target)
    skgenre.save(search.best_estimator_, "model.skgenre", description=f"{scores.mean():.2f}")
    model = skgenre.load("model.skgenre")
    model.predict(["song.mp3"])
    tensor = segmenter.transform(tracks.data)
    clf = CNNClassifier(filters=(16, 16), random_state=0).fit(tensor, tracks.target)
    clf.predict_proba(tensor).argmax(axis=1)
    clf.set_params(epochs=3).summary()
    table = load_gtzan_features("features.csv")
    baselines = {"svm": make_baseline("svm")}
    split = skgenre.datasets.filtered_split(table.track_ids)
    skgenre.compare_models(baselines, table.data, table.target, cv=split)
    SegmentSummary().fit_transform(tensor)
    GenreTimelineDisplay.from_estimator(model, "song.mp3").figure_.savefig("timeline.png")
    skgenre.layers.Dense(3)
    skgenre.features.mfcc(skgenre.load_audio("song.mp3")).mean()


def wrong() -> None:
    CNNClasifier()
    CNNClassifier(epochs="x")  # type: ignore[arg-type]
    MFCCSegmenter(n_mfc=13)  # type: ignore[call-arg]
    skgenre.lod("model.skgenre")  # type: ignore[attr-defined]
    skgenre.load_audio("song.mp3", durration=3)  # type: ignore[call-arg]
    skgenre.save("model.skgenre")  # type: ignore[call-arg]
