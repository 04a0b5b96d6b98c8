"""Ready pipelines and grids by name, and the model that comes with the package."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

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

from .calibration import GroupCalibratedClassifier
from .features import MelSegmenter, MFCCSegmenter, MusicnnEmbedder, TrackDescriptors
from .networks import ANNClassifier, CNNClassifier, LSTMClassifier, MelCNNClassifier
from .persistence import load
from .preprocessing import SegmentScaler, SegmentSummary
from .voting import SegmentVotingClassifier

#: The model that comes with the package; ``benchmarks/starter_model.py`` makes it.
STARTER = Path(__file__).parent / "data" / "starter.skgenre"


def _even_out():
    """Take out the skew that features have, variances above all."""
    # Scaled before, since powers of large numbers overflow.
    return [StandardScaler(), PowerTransformer()]


def _knn(random_state):
    # Brute force: no slower at this size, and a model file can hold it (see persistence.py).
    return [StandardScaler(), KNeighborsClassifier(n_neighbors=1, algorithm="brute")]


def _svm(random_state):
    return [StandardScaler(), SVC(C=10, random_state=random_state)]


def _logistic(random_state):
    return [*_even_out(), LogisticRegression(C=0.1, max_iter=1000)]


def _lda(random_state):
    # Shrunken, since there are about as many features as tracks of a genre.
    return [*_even_out(), LinearDiscriminantAnalysis(solver="eigen", shrinkage="auto")]


def _forest(random_state):
    return [RandomForestClassifier(n_estimators=500, random_state=random_state)]


def _boosting(random_state):
    return [HistGradientBoostingClassifier(random_state=random_state)]


#: Steps of each baseline behind the imputer.
_BASELINES = {
    "knn": _knn,
    "svm": _svm,
    "logistic": _logistic,
    "lda": _lda,
    "forest": _forest,
    "boosting": _boosting,
}


def make_baseline(name: str = "svm", *, random_state: Any = None) -> Pipeline:
    """Make a classical model with the scaling that suits it, for tables of features.

    Parameters
    ----------
    name : str, default="svm"
        Which model:

        - ``"knn"``: standard scaling, the nearest neighbour;
        - ``"svm"``: standard scaling, support vectors with a Gaussian kernel and C=10;
        - ``"logistic"``: standard scaling, power transform, logistic regression with C=0.1;
        - ``"lda"``: standard scaling, power transform, linear discriminants with Ledoit and
          Wolf's shrinkage;
        - ``"forest"``: 500 random trees;
        - ``"boosting"``: histogram gradient boosting.
    random_state : int, RandomState instance or None, default=None
        Seed of the models that draw random numbers.

    Returns
    -------
    model : Pipeline
        Takes rows of features: a table of :func:`skgenre.datasets.load_gtzan_features`, or
        what :class:`skgenre.TrackFeatures` or :class:`skgenre.SegmentSummary` give, behind
        which it can stand in a pipeline. Missing values, as the rows of unreadable files, are
        filled with the means of the training rows.

    Raises
    ------
    ValueError
        For an unknown name.

    Notes
    -----
    How they fare on GTZAN is in the documentation, page "Figures measured on GTZAN".

    Examples
    --------
    >>> from skgenre import MFCCSegmenter, SegmentSummary, make_baseline
    >>> from sklearn.pipeline import make_pipeline
    >>> model = make_pipeline(MFCCSegmenter(), SegmentSummary(), make_baseline("logistic"))
    """
    if name not in _BASELINES:
        raise ValueError(f"There is no baseline {name!r}; there are {list(_BASELINES)}")
    return make_pipeline(SimpleImputer(), *_BASELINES[name](random_state))


def _descriptors(front: dict, random_state) -> Pipeline:
    # Minimum, quartiles and maximum even out a column's skew; finer quantiles follow the few
    # artists that there are. Calibrated, since discriminants of so many columns are too certain.
    lda = make_pipeline(
        QuantileTransformer(n_quantiles=5, random_state=random_state),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    )
    model = GroupCalibratedClassifier(SegmentVotingClassifier(lda))
    return make_pipeline(TrackDescriptors(**front), model)


def _mel(front: dict, random_state) -> Pipeline:
    return make_pipeline(
        MelSegmenter(**front), SegmentScaler(), MelCNNClassifier(random_state=random_state)
    )


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
    """Spread ten segments over each track: clips are taken whole, songs are not their intros."""
    return MFCCSegmenter(placement="spread", **front)


#: The published networks, on MFCCs that are centred and not divided: unit variance would give the
#: high coefficients the weight of the low ones, and costs accuracy on unseen artists. With the few
#: tracks that a folder has, batches of 32 would be too few steps for the CNN's running means to
#: settle.
_PUBLISHED = {
    "ann": lambda random_state: ANNClassifier(random_state=random_state),
    "cnn": lambda random_state: CNNClassifier(batch_size=8, random_state=random_state),
    "lstm": lambda random_state: LSTMClassifier(random_state=random_state),
}

#: Presets whose front end is their own.
_PIPELINES: dict[str, Callable] = {
    "descriptors": _descriptors,
    "mel": _mel,
    "blend": _blend,
    "musicnn": _musicnn,
}

#: Names of the presets, the default first.
PRESETS = (*_PIPELINES, *_PUBLISHED, *_BASELINES)

_VOTING = "groupcalibratedclassifier__estimator"
_LDA = f"{_VOTING}__estimator__lineardiscriminantanalysis"

_GRIDS: dict[str, dict[str, list]] = {
    "descriptors": {
        f"{_LDA}__shrinkage": ["auto", 0.3],
        "trackdescriptors__window": [10.0, 30.0],
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
) -> Pipeline | VotingClassifier:
    """Make a pipeline from audio files to genres.

    Parameters
    ----------
    name : str, default="descriptors"
        - ``"descriptors"``: :class:`TrackDescriptors` of windows of 30 seconds, their quantiles,
          linear discriminants with Ledoit and Wolf's shrinkage, calibrated probabilities;
        - ``"mel"``: :class:`MelCNNClassifier` on log-mel spectra of the same windows;
        - ``"blend"``: the mean of the probabilities of these two;
        - ``"musicnn"``: logistic regression on the embeddings of :class:`MusicnnEmbedder`, which
          needs the package musicnn;
        - ``"ann"``, ``"cnn"``, ``"lstm"``: the networks of the published system on MFCCs;
        - or a classical model of :func:`make_baseline`, on summaries of the same MFCCs.
    memory : str, path-like or joblib.Memory, default=None
        Where to keep features; see :class:`TrackExtractor`.
    n_jobs : int, default=None
        Files to read at once.
    random_state : int, RandomState instance or None, default=None
        Seed of the models that draw random numbers.

    Returns
    -------
    pipeline : Pipeline, or VotingClassifier of two for ``"blend"``
        It takes a list of paths. Songs are taken from end to end; files that cannot be used are
        left out of training with a warning, or filled with means by ``"knn"`` to ``"boosting"``.

    Raises
    ------
    ValueError
        For an unknown name.

    See Also
    --------
    param_grid : What to search over.

    Notes
    -----
    Accuracies on unseen artists are in the documentation, page "Figures measured on GTZAN".
    ``"descriptors"`` and ``"musicnn"`` are calibrated out of fold; hand them the artists, so that
    their folds keep them together: ``pipeline.fit(paths, genres,
    groupcalibratedclassifier__groups=artists)``, or with metadata routing
    ``pipeline.fit(paths, genres, groups=artists)``, which also reaches the members of ``"blend"``.
    Networks are not calibrated.

    ``"descriptors"`` trains on every window of a track alike, since linear discriminants take no
    weights: an hour counts as 120 clips. The others share a track's weight among its segments.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV
    >>> from skgenre import genre_pipeline, param_grid
    >>> search = GridSearchCV(genre_pipeline("cnn", memory="cache"), param_grid("cnn"))
    >>> search.fit(paths, genres)  # doctest: +SKIP
    """
    _check_preset(name)
    front = {"on_error": "warn", "memory": memory, "n_jobs": n_jobs}
    if name in _PIPELINES:
        return _PIPELINES[name](front, random_state)
    if name in _PUBLISHED:
        scaler = SegmentScaler(with_std=False)
        return make_pipeline(_segmenter(front), scaler, _PUBLISHED[name](random_state))
    baseline = make_baseline(name, random_state=random_state)
    return make_pipeline(_segmenter(front), SegmentSummary(), baseline)


def param_grid(name: str = "descriptors") -> dict[str, list]:
    """Grid of parameters for a pipeline of :func:`genre_pipeline`.

    Parameters
    ----------
    name : str, default="descriptors"
        As for :func:`genre_pipeline`.

    Returns
    -------
    grid : dict of str to list
        For :class:`sklearn.model_selection.GridSearchCV`; up to six candidates.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    _check_preset(name)
    return {parameter: list(values) for parameter, values in _GRIDS[name].items()}


def _check_preset(name: str) -> None:
    if name not in PRESETS:
        near = get_close_matches(str(name), PRESETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no preset {name!r}; there are {list(PRESETS)}{hint}")


def starter_model() -> Pipeline:
    """Load the model that comes with the package, which predicts without any training.

    Returns
    -------
    pipeline : Pipeline
        From paths to one of GTZAN's ten genres: logistic regression on 52 columns of GTZAN's
        table, whose probabilities are averaged over the 30-second windows of a track.
        ``describe(skgenre.pipelines.STARTER)["description"]`` says what it was trained on, and
        its accuracy on unseen artists, about 55 %.

    Examples
    --------
    >>> from skgenre import starter_model
    >>> starter_model().classes_[:3].tolist()
    ['blues', 'classical', 'country']
    """
    with warnings.catch_warnings():
        # It is tried with all versions that are allowed.
        warnings.filterwarnings("ignore", message=".* was written with scikit-learn")
        return load(STARTER)
