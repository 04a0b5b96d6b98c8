"""Small models that together hold every class of the closed list, made in seconds."""

import numpy as np
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, StandardScaler
from sklearn.svm import SVC

from skgenre import (
    GroupCalibratedClassifier,
    GTZANFeatures,
    MelSegmenter,
    MFCCSegmenter,
    MusicnnEmbedder,
    SegmentScaler,
    SegmentSummary,
    SegmentVotingClassifier,
    TrackDescriptors,
)
from skgenre.layers import Architecture, Dense

from .conftest import make_sound, make_tensor, write_sound
from .registry import NETWORKS, OwnNetwork

X, Y = make_tensor(30)
TABLE = X.mean(axis=(1, 2))
TWO = np.isin(Y, ["genre0", "genre1"])
GROUPS = np.arange(30) // 3


def untrained(network, shape):
    """A network with random weights: what a fit gives, without TensorFlow."""
    model = clone(network)
    rng = np.random.default_rng(0)
    if isinstance(network, OwnNetwork):
        return model.set_params(epochs=1).fit(*make_tensor(30, n_frames=shape[0]))
    architecture = Architecture(shape, (*model.hidden_layers(shape), Dense(3, "softmax")))
    vars(model).update(
        n_features_in_=shape[-1],
        classes_=np.unique(Y),
        class_prior_=np.full(3, 1 / 3),
        _class_weights_seen=np.full(3, 10.0),
        history_={"loss": [1.0, 0.5], "accuracy": [0.5, 0.75]},
        n_iter_=2,
        architecture_=architecture,
        weights_=[
            abs(rng.normal(size=weight.shape)).astype(np.float32) / 4
            for weights in architecture.weights
            for weight in weights
        ],
    )
    return model


def tables():
    """Models of tables of four columns."""
    svc = make_pipeline(QuantileTransformer(n_quantiles=5), SVC(C=10))
    eigen = LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")
    for name, model in {
        "scaled": make_pipeline(StandardScaler(), LogisticRegression(class_weight={"genre1": 2})),
        "svd": LinearDiscriminantAnalysis(),
        "lsqr": LinearDiscriminantAnalysis(solver="lsqr"),
        "power": make_pipeline(PowerTransformer(), eigen),
        "quantiles": svc,
        "polynomial": SVC(kernel="poly", degree=2),
        "neighbors": make_pipeline(
            SimpleImputer(strategy="median"), KNeighborsClassifier(3, algorithm="kd_tree")
        ),
        "cosines": KNeighborsClassifier(3, metric="cosine", weights="distance"),
        "forest": RandomForestClassifier(3, random_state=0),
        "boosting": HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=4),
    }.items():
        yield name, model.fit(TABLE, Y)
    yield "two", clone(svc).fit(TABLE[TWO], Y[TWO])
    yield "two boosted", HistGradientBoostingClassifier(max_iter=2).fit(TABLE[TWO], Y[TWO])


def tensors():
    """Models of track tensors, of classes that a reader need not trust."""
    for name, network in NETWORKS.items():
        if name == "own":
            continue
        scaler = SegmentScaler().fit(X)
        yield name, make_pipeline(scaler, untrained(network, X.shape[2:]))
    rows = SegmentSummary(statistics=("mean", "covariance"))
    lda = make_pipeline(rows, LinearDiscriminantAnalysis())
    pair = [("lda", lda), ("knn", make_pipeline(clone(rows), KNeighborsClassifier(3)))]
    for name, model in {
        "soft": VotingClassifier(pair, voting="soft", weights=[1, 2]),
        "hard": VotingClassifier([*pair, ("none", "drop")]),
        "segments": SegmentVotingClassifier(make_pipeline(StandardScaler(), LogisticRegression())),
        "votes": SegmentVotingClassifier(SVC(), aggregation="vote"),
    }.items():
        yield name, model.fit(X, Y)
    yield "calibrated", GroupCalibratedClassifier(lda, cv=2).fit(X, Y, groups=GROUPS)


def front_ends():
    """Models of audio files of 3.2 seconds."""
    mfcc = MFCCSegmenter(segment_duration=1.0, n_segments=4, hop_length=2048)
    mel = MelSegmenter(segment_duration=4.0, n_mels=16, hop_length=1024)
    descriptors = TrackDescriptors(families=("timbre", "rhythm"))
    features = GTZANFeatures(columns=("rms_mean", "mfcc1_mean", "spectral_centroid_var"))
    for name, front_end, network in [("mfcc", mfcc, "cnn"), ("levels", mel, "mel")]:
        _, *shape = front_end.track_shape
        scaler = SegmentScaler().fit(np.random.default_rng(0).normal(size=(5, 1, *shape)))
        yield (
            f"files of {name}",
            make_pipeline(front_end, scaler, untrained(NETWORKS[network], tuple(shape))),
        )
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 1, *descriptors.track_shape[1:]))
    yield (
        "files of descriptors",
        make_pipeline(descriptors, SegmentVotingClassifier(LogisticRegression()).fit(rows, Y)),
    )
    model = LogisticRegression().fit(rng.normal(size=(30, 3)), Y)
    yield "files of features", make_pipeline(features, model)
    model = LogisticRegression().fit(rng.normal(size=(30, 200)), Y)
    yield "files of musicnn", make_pipeline(MusicnnEmbedder(), SegmentVotingClassifier(model))


def save_all(folder):
    """Save all models, and a track for those of files; their paths by name."""
    from skgenre import save

    write_sound(folder / "track.wav", make_sound(3.2, 22050))
    paths = {}
    for models in (tables, tensors, front_ends):
        for name, model in models():
            paths[name] = folder / f"{name}.skgenre"
            save(model, paths[name])
    return paths
