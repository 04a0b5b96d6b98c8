"""Predefined pipelines and parameter grids, and the pretrained starter models."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PowerTransformer, QuantileTransformer, StandardScaler
from sklearn.svm import SVC

from .audio.changes import list_changes
from .calibration import GroupCalibratedClassifier
from .features import MelSegmenter, MFCCSegmenter, MusicnnEmbedder, TrackDescriptors
from .features.musicnn import musicnn_is_installed
from .networks import ANNClassifier, CNNClassifier, LSTMClassifier, MelCNNClassifier
from .persistence import load
from .preprocessing import SegmentScaler, SegmentSummary
from .voting import SegmentVotingClassifier

#: The pretrained models shipped with the package, created by ``benchmarks/starter_model.py``.
STARTERS = {
    "musicnn": Path(__file__).parent / "data" / "starter_musicnn.skgenre",
    "table": Path(__file__).parent / "data" / "starter_table.skgenre",
}

#: Steps of each baseline after the imputer, by a function of the random state. Power transforms
#: reduce the skew of features, which is strongest for variances; scaling before them keeps powers
#: of large values from overflowing.
_BASELINES: dict[str, Callable] = {
    # Brute force is no slower at this size, and can be saved in a model file.
    "knn": lambda _: [StandardScaler(), KNeighborsClassifier(n_neighbors=1, algorithm="brute")],
    "svm": lambda random_state: [StandardScaler(), SVC(C=10, random_state=random_state)],
    "logistic": lambda _: [
        *(StandardScaler(), PowerTransformer()),
        LogisticRegression(C=0.1, max_iter=1000),
    ],
    # Shrinkage is needed because there are about as many features as tracks per genre.
    "lda": lambda _: [
        *(StandardScaler(), PowerTransformer()),
        LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto"),
    ],
    "forest": lambda random_state: [
        RandomForestClassifier(n_estimators=500, random_state=random_state)
    ],
    "boosting": lambda random_state: [HistGradientBoostingClassifier(random_state=random_state)],
}


def make_baseline(name: str = "svm", *, random_state: Any = None) -> Pipeline:
    """Create a classical model for feature tables, including suitable scaling.

    Read more in the :ref:`User Guide <classical_models>`.

    Parameters
    ----------
    name : str, default="svm"
        The model:

        - ``"knn"``: standard scaling and 1-nearest-neighbor classification;
        - ``"svm"``: standard scaling and a support vector classifier with an RBF kernel and C=10;
        - ``"logistic"``: standard scaling, power transform and logistic regression with C=0.1;
        - ``"lda"``: standard scaling, power transform and linear discriminant analysis with
          Ledoit-Wolf shrinkage;
        - ``"forest"``: random forest with 500 trees;
        - ``"boosting"``: histogram-based gradient boosting.
    random_state : int, RandomState instance or None, default=None
        Seed of the random number generator, for models that use one.

    Returns
    -------
    model : Pipeline
        A model for tables of features: those of :func:`skgenre.datasets.load_gtzan_features`, or
        the output of :class:`skgenre.GTZANFeatures` or :class:`skgenre.SegmentSummary`, which can
        precede it in a pipeline. Missing values, such as the rows of unreadable files, are imputed
        with the means of the training rows.

    Raises
    ------
    ValueError
        If `name` is unknown.

    Notes
    -----
    See the page "Leakage-free evaluation on GTZAN" of the documentation for accuracies.

    Examples
    --------
    >>> from skgenre import MFCCSegmenter, SegmentSummary, make_baseline
    >>> from sklearn.pipeline import make_pipeline
    >>> model = make_pipeline(MFCCSegmenter(), SegmentSummary(), make_baseline("logistic"))
    """
    if name not in _BASELINES:
        raise ValueError(f"Unknown baseline {name!r}; expected one of {list(_BASELINES)}")
    return make_pipeline(SimpleImputer(), *_BASELINES[name](random_state))


def _descriptors(front: dict, random_state) -> Pipeline:
    # Five quantiles reduce the skew of a column; more would overfit to the few artists. The
    # discriminants are calibrated because they are overconfident with so many columns.
    lda = make_pipeline(
        QuantileTransformer(n_quantiles=5, random_state=random_state),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    )
    model = GroupCalibratedClassifier(SegmentVotingClassifier(lda))
    return make_pipeline(TrackDescriptors(**front), model)


def _mel(front: dict, random_state) -> Pipeline:
    classifier = MelCNNClassifier(random_state=random_state)
    return make_pipeline(MelSegmenter(**front), SegmentScaler(), _with_epochs(classifier, front))


def _with_epochs(network, front: dict):
    """Reduce the epochs of a network if it is trained on copies of the tracks, too."""
    n_copies = len(list_changes(front["augment"]))
    if n_copies:
        network.set_params(epochs=max(1, round(_TRACK_EPOCHS[type(network)] / (1 + n_copies))))
    return network


def _blend(front: dict, random_state) -> VotingClassifier:
    members = [
        ("mel", _mel(front, random_state)),
        ("descriptors", _descriptors(front, random_state)),
    ]
    return VotingClassifier(members, voting="soft")


def _musicnn(front: dict, random_state) -> Pipeline:
    logistic = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    model = GroupCalibratedClassifier(SegmentVotingClassifier(logistic))
    return make_pipeline(MusicnnEmbedder(**front), model)


def _segmenter(front: dict) -> MFCCSegmenter:
    """Create a segmenter of ten segments spread over each track, not only over its beginning."""
    return MFCCSegmenter(placement="spread", **front)


#: The networks of the published system. Their MFCCs are centered but not scaled: unit variance
#: would weigh high coefficients as much as low ones, which lowers the accuracy on unseen artists.
#: The CNN uses small batches because on small collections, batches of 32 would leave too few steps
#: for the running means of batch normalization to converge.
_PUBLISHED = {
    "cnn": lambda random_state: CNNClassifier(batch_size=8, random_state=random_state),
    "lstm": lambda random_state: LSTMClassifier(random_state=random_state),
    "ann": lambda random_state: ANNClassifier(random_state=random_state),
}

#: Number of times that networks see each track in training, unchanged or changed, if there are
#: copies. A fit takes at most twice as long as without copies.
_TRACK_EPOCHS = {ANNClassifier: 42, CNNClassifier: 60, LSTMClassifier: 60, MelCNNClassifier: 150}

#: Presets with their own front end.
_PIPELINES: dict[str, Callable] = {
    "descriptors": _descriptors,
    "musicnn": _musicnn,
    "mel": _mel,
    "blend": _blend,
}

#: Names of all presets, in the order in which to try them, starting with the default.
PRESETS = (*_PIPELINES, *_PUBLISHED, *_BASELINES)

_VOTING = "groupcalibratedclassifier__estimator"
_LDA = f"{_VOTING}__estimator__lineardiscriminantanalysis"

_GRIDS: dict[str, dict[str, list]] = {
    "descriptors": {
        f"{_LDA}__shrinkage": ["auto", 0.3],
        "trackdescriptors__segment_duration": [10.0, 30.0],
    },
    "mel": {
        "melcnnclassifier__filters": [(16, 32, 48, 64), (24, 48, 72, 96)],
        "melcnnclassifier__dropout": [0.2, 0.4],
    },
    "blend": {"weights": [(1, 1), (1, 2), (2, 1)]},
    "musicnn": {
        f"{_VOTING}__estimator__logisticregression__C": [0.001, 0.01, 0.1],
        f"{_VOTING}__aggregation": ["mean", "geometric"],
    },
    "ann": {
        "annclassifier__hidden_units": [(256, 64), (512, 256, 64)],
        "annclassifier__dropout": [0.3, 0.5],
    },
    "cnn": {
        "cnnclassifier__filters": [(16, 16), (32, 32, 32)],
        "cnnclassifier__dropout": [0.1, 0.3],
    },
    "lstm": {"lstmclassifier__units": [(32,), (64, 64)], "lstmclassifier__dropout": [0.1, 0.3]},
    "knn": {"pipeline__kneighborsclassifier__n_neighbors": [1, 5, 9]},
    "svm": {"pipeline__svc__C": [1, 10, 100], "pipeline__svc__gamma": ["scale", 0.002]},
    "logistic": {"pipeline__logisticregression__C": [0.01, 0.1, 1]},
    "lda": {"pipeline__lineardiscriminantanalysis__shrinkage": ["auto", 0.1, 0.5]},
    "forest": {"pipeline__randomforestclassifier__max_features": ["sqrt", 0.3]},
    "boosting": {
        "pipeline__histgradientboostingclassifier__learning_rate": [0.03, 0.1],
        "pipeline__histgradientboostingclassifier__max_leaf_nodes": [7, 31],
    },
}


def genre_pipeline(
    name: str = "descriptors",
    *,
    memory: Any = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    augment: Any = "robust",
) -> Pipeline | VotingClassifier:
    """Create a pipeline that predicts genres from audio files.

    Read more in the :ref:`User Guide <presets>`.

    Parameters
    ----------
    name : str, default="descriptors"
        The preset. In the order in which to try them:

        - ``"descriptors"``: :class:`TrackDescriptors` of 30-second segments, quantile transform and
          linear discriminant analysis with Ledoit-Wolf shrinkage, with calibrated probabilities;
        - ``"musicnn"``: logistic regression on the embeddings of :class:`MusicnnEmbedder`, which
          requires the package musicnn;
        - ``"mel"``: :class:`MelCNNClassifier` on log-mel spectra of 30-second segments;
        - ``"blend"``: the mean of the probabilities of ``"mel"`` and ``"descriptors"``;
        - ``"cnn"``, ``"lstm"``, ``"ann"``: the networks of the published system on MFCCs;
        - or the name of a classical model of :func:`make_baseline`, on summaries of the same
          MFCCs.
    memory : str, path-like or joblib.Memory, default=None
        Used to cache the features; see :class:`FrontEnd`.
    n_jobs : int, default=None
        Number of files to process in parallel.
    random_state : int, RandomState instance or None, default=None
        Seed of the random number generator, for models that use one.
    augment : None, change, or sequence of changes, default="robust"
        Changed copies of each track in training, see :class:`FrontEnd`. None trains on the
        recordings alone, and ``"ann"``, ``"cnn"`` and ``"lstm"`` as published. It has no effect on
        the classical models, ``"knn"`` to ``"boosting"``, which have one row per track.

    Returns
    -------
    pipeline : Pipeline, or VotingClassifier of two pipelines for ``"blend"``
        An estimator for lists of paths. Segments are taken from the whole length of
        each track. Files that cannot be used are excluded from training with a warning; ``"knn"``
        to ``"boosting"`` impute their features with means instead.

    Raises
    ------
    ValueError
        If `name` is unknown.

    See Also
    --------
    param_grid : Parameter grid for a preset.

    Notes
    -----
    See the page "Accuracy of the presets" of the documentation for accuracies on unseen artists.

    ``"descriptors"`` and ``"musicnn"`` are calibrated on out-of-fold probabilities. Pass the
    artists to keep them together in these folds: ``pipeline.fit(paths, genres,
    groupcalibratedclassifier__groups=artists)``, or, with metadata routing enabled,
    ``pipeline.fit(paths, genres, groups=artists)``, which also reaches the members of ``"blend"``.
    Networks are not calibrated.

    ``"descriptors"`` weighs all segments of all tracks equally, since linear discriminant analysis
    does not support sample weights: a one-hour track counts as much as 120 clips. The other
    presets divide the weight of a track among its segments.

    ``"robust"`` makes two copies of each track, ``("robust", n)`` n of them. Extraction takes 1 + n
    times as long, plus about 0.1 s for the changes of each copy of 30 s; features of copies are
    cached, too. Networks are trained for fewer epochs, so that a fit takes at most about twice as
    long.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skgenre import genre_pipeline, param_grid
    >>> search = GridSearchCV(genre_pipeline("cnn", memory="cache"), param_grid("cnn"))
    >>> search.fit(paths, genres)  # doctest: +SKIP
    """
    _check_preset(name)
    front = {"on_error": "warn", "memory": memory, "n_jobs": n_jobs}
    if name in _BASELINES:
        baseline = make_baseline(name, random_state=random_state)
        return make_pipeline(_segmenter(front), SegmentSummary(), baseline)
    front["augment"] = augment
    if name in _PIPELINES:
        return _PIPELINES[name](front, random_state)
    network = _with_epochs(_PUBLISHED[name](random_state), front)
    return make_pipeline(_segmenter(front), SegmentScaler(with_std=False), network)


def param_grid(name: str = "descriptors") -> dict[str, list]:
    """Return a parameter grid for a pipeline of :func:`genre_pipeline`.

    Parameters
    ----------
    name : str, default="descriptors"
        Name of the preset; see :func:`genre_pipeline`.

    Returns
    -------
    grid : dict of str to list
        Grid for :class:`sklearn.model_selection.GridSearchCV`, of at most six candidates.

    Raises
    ------
    ValueError
        If `name` is unknown.

    Examples
    --------
    >>> from skgenre import param_grid
    >>> param_grid("svm")
    {'pipeline__svc__C': [1, 10, 100], 'pipeline__svc__gamma': ['scale', 0.002]}
    """
    _check_preset(name)
    return {parameter: list(values) for parameter, values in _GRIDS[name].items()}


def _check_preset(name: str) -> None:
    if name not in PRESETS:
        near = get_close_matches(str(name), PRESETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"Unknown preset {name!r}; expected one of {list(PRESETS)}{hint}")


def make_tagger(**front: Any) -> Pipeline:
    """Create a fitted transformer from files to the mean probability of each tag over a track.

    The tags are those of the Million Song Dataset, which include genres. `front` are parameters of
    :class:`MusicnnEmbedder`.
    """
    tags = MusicnnEmbedder(weights="MSD", output="tags", **front)
    no_tags = np.zeros((1, 1, 1, len(tags.get_feature_names_out())))
    return make_pipeline(tags, SegmentSummary(statistics="mean").fit(no_tags))


def default_starter() -> str:
    """Return the name of the most accurate starter model that can be used."""
    return "musicnn" if musicnn_is_installed() else "table"


def starter_model(name: str | None = None) -> Pipeline:
    """Load a pretrained model that is shipped with the package.

    Read more in the :ref:`User Guide <starter_models>`.

    Parameters
    ----------
    name : {"musicnn", "table"}, default=None
        The model:

        - ``"musicnn"`` classifies the probabilities of 50 tags, each averaged over a track, of
          :class:`MusicnnEmbedder`. It is right for about 76 % of the tracks by unseen artists. The
          weights of musicnn are not shipped with the package: ``pip install --no-deps
          musicnn==0.1.0``.
        - ``"table"`` classifies 52 columns of the GTZAN feature table, and averages the
          probabilities of 30-second segments. It is right for about 55 %.

        None is ``"musicnn"`` if its weights are installed, and ``"table"`` otherwise.

    Returns
    -------
    pipeline : Pipeline
        Predicts one of the ten genres of GTZAN from paths.
        ``describe(skgenre.pipelines.STARTERS[name])["description"]`` describes its training data
        and evaluation.

    Raises
    ------
    ValueError
        If `name` is unknown.
    ImportError
        In `predict`, if the model needs musicnn and it is not installed.

    Notes
    -----
    musicnn was trained on the Million Song Dataset, which probably contains artists of GTZAN, so
    the accuracy of ``"musicnn"`` may be optimistic.

    Examples
    --------
    >>> from skgenre import starter_model
    >>> starter_model("table").classes_[:3].tolist()
    ['blues', 'classical', 'country']
    """
    name = default_starter() if name is None else name
    if name not in STARTERS:
        raise ValueError(f"Unknown starter model {name!r}; expected one of {list(STARTERS)}")
    with warnings.catch_warnings():
        # The models are tested with all supported versions of scikit-learn.
        warnings.filterwarnings("ignore", message=".* was written with scikit-learn")
        return load(STARTERS[name])
