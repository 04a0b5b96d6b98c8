"""The closed list of classes that a model file may hold, and the state of each that it keeps.

An :class:`Entry` lists what is stored of a fitted estimator: what its methods need, and no more.
Parameters are checked by the constraints of their class; here are the narrower bounds, so that no
parameter of a file can make a prediction take hours or gigabytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    StratifiedGroupKFold,
    StratifiedKFold,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelEncoder,
    MinMaxScaler,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.utils import Bunch

from ..calibration import GroupCalibratedClassifier
from ..features import (
    MelSegmenter,
    MFCCSegmenter,
    MusicnnEmbedder,
    TrackDescriptors,
    TrackExtractor,
    TrackFeatures,
)
from ..features.bands import MelExtractor
from ..networks import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    MelCNNClassifier,
    SegmentClassifier,
)
from ..networks.layers import LAYERS, Architecture, Weight
from ..preprocessing import SegmentScaler, SegmentSummary
from ..voting import SegmentVotingClassifier
from . import trees
from .archive import Refused
from .networks import History, Network
from .privates import CALIBRATORS, BaseSearchCV, CalibratedClassifier
from .values import FEATURES, Array, Kind, Labels, Names, Number, Part, Parts, Words

#: Bounds of numbers, in whichever class the parameter is.
BOUNDS: dict[str, tuple[float, float]] = {
    "sample_rate": (1000, 192_000),
    "n_fft": (2, 1 << 15),
    "hop_length": (16, 1 << 16),
    "n_mels": (1, 1024),
    "n_mfcc": (1, 1024),
    "segment_duration": (0.01, 3600),
    "n_segments": (1, 10_000),
    "window": (0.01, 3600),
    "n_windows": (1, 10_000),
    "max_duration": (0.01, 86_400),
    "patches": (1, 10_000),
    "frames_per_step": (1, 10_000),
    "n_estimators": (1, 10_000),
    "max_iter": (-1, 100_000),
    "cv": (2, 1000),
    "cache_size": (1, 4000),
    "degree": (0, 100),
    "random_state": (0, 2**32 - 1),
}

#: Words of parameters that scikit-learn also takes other things for, such as functions.
OPTIONS: dict[type, dict[str, tuple]] = {
    SVC: {"kernel": ("linear", "poly", "rbf", "sigmoid")},
    KNeighborsClassifier: {
        "metric": ("minkowski", "euclidean", "manhattan", "chebyshev", "cosine"),
        "metric_params": (None,),
        "weights": ("uniform", "distance", None),
    },
    HistGradientBoostingClassifier: {
        "categorical_features": (None, "from_dtype"),
        "interaction_cst": (None,),
        "monotonic_cst": (None,),
        "scoring": (None, "loss", "accuracy", "balanced_accuracy", "f1_macro"),
    },
    RandomForestClassifier: {"oob_score": (False,), "monotonic_cst": (None,)},
    FunctionTransformer: {"func": (None,), "inverse_func": (None,)},
    SimpleImputer: {"add_indicator": (False,), "strategy": ("mean", "median", "constant")},
}

#: Values that an extractor may compute in a second of audio, and of a track of fixed shape.
_MOST_A_SECOND, _MOST_A_TRACK = 1 << 20, 1 << 23


@dataclass(frozen=True)
class Entry:
    """What is kept of one class.

    Parameters
    ----------
    cls : type
    nested : tuple of str
        Parameters that hold estimators or splitters.
    fitted : dict of str to Kind
        Attributes of a fitted estimator that are stored.
    collect : callable, default=None
        Maps a fitted estimator to the values of `fitted`; without it they are its attributes.
    restore : callable, default=None
        Gives an estimator its fitted attributes from such values; without it they are set.
    check : callable, default=None
        Raises Refused for parameters that do not fit each other.
    """

    cls: type
    nested: tuple[str, ...] = ()
    fitted: Mapping[str, Kind] = field(default_factory=dict)
    collect: Callable[[Any], dict] | None = None
    restore: Callable[[Any, dict], None] | None = None
    check: Callable[[Any], None] | None = None


def type_name(cls: type) -> str:
    """Public name of a class: where it is imported from, and what it is called."""
    parts = cls.__module__.split(".")
    if parts[0] == "skgenre":
        return f"skgenre.{cls.__qualname__}"
    if parts[0] == "sklearn":
        private = [i for i, part in enumerate(parts) if part.startswith("_")]
        parts = parts[: private[0]] if private else parts
    return f"{'.'.join(parts)}.{cls.__qualname__}"


def attributes(estimator, kinds: Mapping[str, Kind]) -> dict:
    """Attributes of an estimator that it has, of those listed."""
    return {name: getattr(estimator, name) for name in kinds if hasattr(estimator, name)}


# ---------------------------------------------------------------- scikit-learn

_X = {"n_features_in_": FEATURES, "feature_names_in_": Names(optional=True)}
_XY = {**_X, "classes_": Labels()}
_COLUMN = Array(("n",))
_MAYBE_COLUMN = Array(("n",), optional=True)


class _Seen(Number):
    """A number of samples, one for all columns or one for each."""

    def pack(self, value, saving):
        return Array(("n",), "i8").pack(value, saving) if np.ndim(value) else int(value)

    def unpack(self, value, loading, sizes):
        if isinstance(value, dict):
            return Array(("n",), "i8", low=0).unpack(value, loading, sizes)
        return Number(0, 2**53, integer=True).unpack(value, loading, sizes)


_MOMENTS = {
    **_X,
    "mean_": _MAYBE_COLUMN,
    "var_": Array(("n",), low=0, optional=True),
    "scale_": _MAYBE_COLUMN,
    "n_samples_seen_": _Seen(),
}

_LINEAR = {
    **_XY,
    "coef_": Array(("rows", "n")),
    "intercept_": Array(("rows",), finite=False),  # the logarithm of a prior of 0
}


def _restore_imputer(imputer, state: dict) -> None:
    vars(imputer).update(state, indicator_=None)
    imputer._fit_dtype = imputer._fill_dtype = state["statistics_"].dtype


def _restore_svc(svc, state: dict) -> None:
    counts, n = state["_n_support"], state["n_features_in_"]
    if counts.sum(dtype=np.int64) != len(state["support_"]):
        raise Refused("_n_support does not add up to the number of support vectors")
    if len(state["_probA"]) not in (0, len(state["_intercept_"])):
        raise Refused("_probA has not one value for each pair of classes")
    vars(svc).update(state, _sparse=False, shape_fit_=(state["n_samples"], n), fit_status_=0)
    del svc.n_samples
    # libsvm orders two classes the other way.
    sign = -1 if len(svc.classes_) == 2 else 1
    svc.intercept_, svc.dual_coef_ = sign * svc._intercept_, sign * svc._dual_coef_
    svc._effective_probability = svc._probA.size > 0


def _restore_neighbors(knn, state: dict) -> None:
    """Fit again: nearest neighbours are their training data, and so no index has to be trusted."""
    if len(np.unique(state["_y"])) < len(state["classes_"]):
        raise Refused("classes_ has a class without samples")
    knn.fit(state["_fit_X"], state["classes_"][state["_y"]])
    if "feature_names_in_" in state:
        knn.feature_names_in_ = state["feature_names_in_"]


def _collect_isotonic(isotonic) -> dict:
    return {"X_thresholds_": isotonic.X_thresholds_, "y_thresholds_": isotonic.y_thresholds_}


def _restore_isotonic(isotonic, state: dict) -> None:
    x, y = state["X_thresholds_"], state["y_thresholds_"]
    vars(isotonic).update(state, X_min_=x.min(), X_max_=x.max(), increasing_=bool(y[-1] >= y[0]))
    isotonic._build_f(x, y)


def _collect_calibrated(model) -> dict:
    found = model.calibrated_classifiers_
    return {
        **attributes(model, _XY),
        "estimators": [each.estimator for each in found],
        "calibrators": [calibrator for each in found for calibrator in each.calibrators],
    }


def _restore_calibrated(model, state: dict) -> None:
    estimators, calibrators = state.pop("estimators"), state.pop("calibrators")
    each = len(calibrators) // len(estimators)
    if each * len(estimators) != len(calibrators) or not each:
        raise Refused("the calibrators cannot be shared evenly by the estimators")
    vars(model).update(state)
    model.calibrated_classifiers_ = [
        CalibratedClassifier(
            estimator,
            calibrators[i * each : (i + 1) * each],
            classes=model.classes_,
            method=model.method,
        )
        for i, estimator in enumerate(estimators)
    ]


def _restore_ensemble(model, state: dict) -> None:
    vars(model).update(state)
    fitted = iter(model.estimators_)
    kept = [name for name, each in model.estimators if not isinstance(each, str)]
    if len(kept) != len(model.estimators_):
        raise Refused(f"estimators_ has {len(model.estimators_)} for {len(kept)} in estimators")
    model.named_estimators_ = Bunch(
        **{name: each if isinstance(each, str) else next(fitted) for name, each in model.estimators}
    )
    encoder = LabelEncoder().fit(model.classes_)
    setattr(model, "le_" if isinstance(model, VotingClassifier) else "_label_encoder", encoder)


def _check_names(name: str) -> Callable:
    """Check a parameter that is a list of pairs of a name and an estimator."""

    def check(model) -> None:
        pairs = getattr(model, name)
        if not isinstance(pairs, list | tuple) or not pairs:
            raise Refused(f"{name} is no list of names and estimators")
        for pair in pairs:
            named = isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)
            known = named and (hasattr(pair[1], "fit") or pair[1] in _WITHOUT)
            if not known:
                raise Refused(f"{name} is no list of names and estimators")

    return check


_WITHOUT = ("drop", "passthrough", None)
_METHODS = ("predict_proba", "decision_function", "predict")

_SVC: dict[str, Kind] = {
    **_XY,
    "n_samples": Number(1, 2**31 - 1, integer=True, name="samples"),
    "support_": Array(("vectors",), "i4", low=0, high="samples"),
    "support_vectors_": Array(("vectors", "n")),
    "_n_support": Array(("k",), "i4", low=0),
    "_dual_coef_": Array(("k - 1", "vectors")),
    "_intercept_": Array(("pairs",)),
    "_probA": Array(("probabilities",)),
    "_probB": Array(("probabilities",)),
    "_gamma": Number(0, 1e15),
    "class_weight_": Array(("k",), low=0),
}

_SKLEARN = [
    Entry(Pipeline, ("steps",), check=_check_names("steps")),
    Entry(FeatureUnion, ("transformer_list",), check=_check_names("transformer_list")),
    Entry(FunctionTransformer),  # what "passthrough" is in a union
    Entry(StandardScaler, fitted=_MOMENTS),
    Entry(
        MinMaxScaler,
        fitted={
            **_X,
            **dict.fromkeys(("min_", "scale_", "data_min_", "data_max_", "data_range_"), _COLUMN),
            "n_samples_seen_": _Seen(),
        },
    ),
    Entry(RobustScaler, fitted={**_X, "center_": _MAYBE_COLUMN, "scale_": _MAYBE_COLUMN}),
    Entry(
        PowerTransformer,
        fitted={**_X, "lambdas_": _COLUMN, "_scaler": Part(optional=True)},
    ),
    Entry(
        QuantileTransformer,
        fitted={
            **_X,
            "n_quantiles_": Number(1, 10**6, integer=True, name="quantiles"),
            "references_": Array(("quantiles",), low=0, high=1, increasing=True),
            "quantiles_": Array(("quantiles", "n"), increasing=True),
        },
    ),
    Entry(
        SimpleImputer,
        fitted={**_X, "statistics_": Array(("n",), finite=False)},
        restore=_restore_imputer,
    ),
    Entry(
        LogisticRegression,
        fitted={**_LINEAR, "n_iter_": Array(("solvers",), "i4", low=0)},
    ),
    Entry(
        LinearDiscriminantAnalysis,
        fitted={
            **_LINEAR,
            "priors_": Array(("k",), low=0),
            "means_": Array(("k", "n")),
            "xbar_": _MAYBE_COLUMN,
            "scalings_": Array(("n", "directions"), optional=True),
            "explained_variance_ratio_": Array(("ratios",), optional=True),
            "_max_components": Number(0, 10**6, integer=True, optional=True),
        },
    ),
    Entry(
        SVC,
        fitted=_SVC,
        collect=lambda svc: {**attributes(svc, _SVC), "n_samples": svc.shape_fit_[0]},
        restore=_restore_svc,
    ),
    Entry(
        KNeighborsClassifier,
        fitted={
            **_XY,
            "_fit_X": Array(("samples", "n")),
            "_y": Array(("samples",), "i8", low=0, high="k"),
        },
        restore=_restore_neighbors,
    ),
    Entry(
        RandomForestClassifier,
        fitted={**_XY, **trees.FOREST},
        collect=lambda model: {**attributes(model, _XY), **trees.collect_forest(model)},
        restore=trees.restore_forest,
    ),
    Entry(
        HistGradientBoostingClassifier,
        fitted={**_XY, **trees.BOOSTING},
        collect=lambda model: {**attributes(model, _XY), **trees.collect_boosting(model)},
        restore=trees.restore_boosting,
    ),
    Entry(
        VotingClassifier,
        ("estimators",),
        fitted={
            "classes_": Labels(),
            "feature_names_in_": Names("names", optional=True),
            "estimators_": Parts("members", same_classes=True),
        },
        restore=_restore_ensemble,
        check=_check_names("estimators"),
    ),
    Entry(
        StackingClassifier,
        ("estimators", "final_estimator", "cv"),
        fitted={
            "classes_": Labels(),
            "feature_names_in_": Names("names", optional=True),
            "estimators_": Parts("members", same_classes=True),
            "stack_method_": Words("members", _METHODS),
            "final_estimator_": Part(same_classes=True),
        },
        restore=_restore_ensemble,
        check=_check_names("estimators"),
    ),
    Entry(
        CalibratedClassifierCV,
        ("estimator", "cv"),
        fitted={
            "n_features_in_": replace(FEATURES, optional=True),
            "feature_names_in_": Names(optional=True),
            "classes_": Labels(),
            "estimators": Parts("members"),
            "calibrators": Parts("calibrators"),
        },
        collect=_collect_calibrated,
        restore=_restore_calibrated,
    ),
    Entry(
        IsotonicRegression,
        fitted={
            "X_thresholds_": Array(("thresholds",), increasing=True),
            "y_thresholds_": Array(("thresholds",)),
        },
        restore=_restore_isotonic,
    ),
    *(
        Entry(cls, fitted={name: Number(-1e15, 1e15) for name in names})
        for cls, names in CALIBRATORS.items()
    ),
]

_SPLITTERS = [
    Entry(cls)
    for cls in (KFold, StratifiedKFold, GroupKFold, StratifiedGroupKFold, LeaveOneGroupOut)
]

# ---------------------------------------------------------------- skgenre


def _check_cost(extractor: TrackExtractor) -> None:
    """Bound what a track takes, by what parameters that are in bounds come to together."""
    if isinstance(extractor, MelExtractor):
        frames = extractor.sample_rate / extractor.hop_length
        if frames * max(extractor.n_fft, extractor.n_mels) > _MOST_A_SECOND:
            raise Refused(
                f"n_fft={extractor.n_fft}, n_mels={extractor.n_mels} and hop_length="
                f"{extractor.hop_length} take more than {_MOST_A_SECOND} values a second"
            )
    sizes = [1 if size is None else size for size in extractor.track_shape]
    if np.prod(sizes, dtype=float) > _MOST_A_TRACK:
        raise Refused(f"a track takes {sizes} values, more than {_MOST_A_TRACK} in all")


def _collect_network(model: SegmentClassifier) -> dict:
    return {
        **attributes(model, _NETWORK),
        "network": (model.architecture_, model.weights_),
    }


def _restore_network(model: SegmentClassifier, state: dict) -> None:
    architecture, weights = state.pop("network")
    model.__dict__.update(state, architecture_=architecture, weights_=weights)
    model.n_iter_ = len(model.history_["loss"])
    model._state = None


_NETWORK: dict[str, Kind] = {
    **_XY,
    "class_prior_": Array(("k",), "f8", low=0, high=1),
    "_class_weights_seen": Array(("k",), "f8", low=0),
    "history_": History(),
    "network": Network(),
}

#: The bases of users' own classes; see ``trusted`` of :func:`skgenre.load`.
EXTRACTOR = Entry(TrackExtractor, check=_check_cost)
NETWORK = Entry(
    SegmentClassifier, fitted=_NETWORK, collect=_collect_network, restore=_restore_network
)

_SKGENRE = [
    *(
        replace(EXTRACTOR, cls=cls)
        for cls in (MFCCSegmenter, MelSegmenter, MusicnnEmbedder, TrackDescriptors, TrackFeatures)
    ),
    *(
        replace(NETWORK, cls=cls)
        for cls in (ANNClassifier, CNNClassifier, LSTMClassifier, MelCNNClassifier)
    ),
    Entry(SegmentScaler, fitted=_MOMENTS),
    Entry(SegmentSummary, fitted=_X),
    Entry(
        SegmentVotingClassifier,
        ("estimator",),
        fitted={
            **_XY,
            "class_prior_": Array(("k",), "f8", low=0, high=1),
            "estimator_": Part(same_classes=True),
        },
    ),
    Entry(
        GroupCalibratedClassifier,
        ("estimator", "cv"),
        fitted={
            "n_features_in_": replace(FEATURES, optional=True),
            "feature_names_in_": Names(optional=True),
            "classes_": Labels(),
            "estimator_": Part(same_classes=True),
            "temperature_": Number(1e-3, 1e3),
            "threshold_": Number(0, 1, optional=True),
        },
    ),
]

ENTRIES: dict[str, Entry] = {
    type_name(entry.cls): entry for entry in (*_SKLEARN, *_SPLITTERS, *_SKGENRE)
}

#: Types that readers of skops files, such as mlflow's, have to trust to load estimators of skgenre.
SKOPS_TYPES = tuple(
    f"{cls.__module__}.{cls.__qualname__}"
    for cls in (*(entry.cls for entry in _SKGENRE), Architecture, Weight, *LAYERS.values())
)


def find_entry(name: Any, trusted: Mapping[str, type]) -> Entry:
    """Entry of a class by its name in a file.

    Raises
    ------
    Refused
        If the class is neither in the list nor trusted.
    """
    if isinstance(name, str) and name in ENTRIES:
        return ENTRIES[name]
    if isinstance(name, str) and name in trusted:
        return own_entry(trusted[name])
    raise Refused(
        f"{name!r:.100} is not a class that a model file may hold; load(trusted=[...]) allows for "
        "networks and front ends of your own"
    )


def own_entry(cls: type) -> Entry:
    """Entry of a network or front end that a user has written.

    Raises
    ------
    Refused
        If it is a subclass of neither.
    """
    for entry in (NETWORK, EXTRACTOR):
        if issubclass(cls, entry.cls):
            return replace(entry, cls=cls)
    if issubclass(cls, BaseSearchCV):
        raise Refused(f"a {cls.__name__} cannot be saved; save its best_estimator_")
    raise Refused(
        f"{type_name(cls)} is not a class that a model file may hold. The page on model files "
        "lists them; use joblib.dump for files that stay on your machines"
    )
