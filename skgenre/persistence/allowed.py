"""The closed list of the classes that are allowed in model files.

To allow another class, add an :class:`AllowedClass` with the fitted attributes that its methods
require, and think of what its compiled code does with each of them: an index must exist, a size
must match, and a loop must end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    LabelEncoder,
    PowerTransformer,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVC
from sklearn.utils import Bunch

from ..calibration import GroupCalibratedClassifier
from ..features import (
    FrontEnd,
    GTZANFeatures,
    MelSegmenter,
    MFCCSegmenter,
    MusicnnEmbedder,
    TrackDescriptors,
)
from ..networks import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    MelCNNClassifier,
    NetworkClassifier,
)
from ..preprocessing import SegmentScaler, SegmentSummary
from ..voting import SegmentVotingClassifier
from .archive import Refused
from .attributes import (
    ArrayAttribute,
    Attribute,
    EstimatorAttribute,
    EstimatorsAttribute,
    LabelsAttribute,
    NamesAttribute,
    NoneAttribute,
    NumberAttribute,
    ValueAttribute,
)
from .networks import ArchitectureAttribute, WeightsAttribute, complete_network
from .trees import BoostingAttribute, ForestAttribute, complete_boosting, complete_forest


@dataclass(frozen=True)
class AllowedClass:
    """A class that is allowed in model files.

    Parameters
    ----------
    cls : type
        Class of the estimator.
    nested : str, default=""
        Name of the parameter that contains an estimator, or a list of names and estimators.
    options : dict of str to tuple, default={}
        Allowed values of parameters for which scikit-learn accepts more.
    fitted : dict of str to Attribute, default={}
        Fitted attributes that are saved. An estimator is fitted if it has the first of them.
    complete : callable, default=None
        Function that is called after the fitted attributes were set. It raises Refused if they are
        inconsistent, and sets attributes that follow from them.
    """

    cls: type
    nested: str = ""
    options: Mapping[str, tuple] = field(default_factory=dict)
    fitted: Mapping[str, Attribute] = field(default_factory=dict)
    complete: Callable[[Any], None] | None = None


#: Ranges of numeric parameters of any class, by name.
RANGES: dict[str, tuple[float, float]] = {
    "sample_rate": (1000, 192_000),
    "n_fft": (2, 1 << 15),
    "hop_length": (16, 1 << 16),
    "n_mels": (1, 1024),
    "n_mfcc": (1, 1024),
    "segment_duration": (0.01, 3600),
    "n_segments": (1, 1000),
    "max_duration": (0.01, 86_400),
    "frames_per_step": (1, 10_000),
    "random_state": (0, 2**32 - 1),
}

#: Maximum number of training samples of nearest neighbors, which are searched again.
MAX_NEIGHBORS = 200_000


# ---------------------------------------------------------------- consistent attributes


def _complete_imputer(imputer) -> None:
    imputer._fit_dtype = imputer._fill_dtype = imputer.statistics_.dtype
    imputer.indicator_ = None


def _complete_scaler(scaler) -> None:
    scaler.n_samples_seen_ = np.asarray(scaler.n_samples_seen_)[()]  # may be one for each feature


def _complete_power(transformer) -> None:
    scaler, n = getattr(transformer, "_scaler", None), transformer.n_features_in_
    is_scaler = isinstance(scaler, StandardScaler) and getattr(scaler, "n_features_in_", 0) == n
    if transformer.standardize and not is_scaler:
        raise Refused(f"has a _scaler that is not a StandardScaler fitted to {n} features")


def _complete_svc(svc) -> None:
    if svc._n_support.sum(dtype=np.int64) != len(svc.support_) or not len(svc.support_):
        raise Refused("has an _n_support that does not sum up to the number of support vectors")
    if len(svc._probA) not in (0, len(svc._intercept_)):
        raise Refused("must have one value of _probA for each pair of classes")
    svc._sparse, svc.fit_status_ = False, 0
    # libsvm uses the opposite order for two classes.
    sign = -1 if len(svc.classes_) == 2 else 1
    svc.intercept_, svc.dual_coef_ = sign * svc._intercept_, sign * svc._dual_coef_
    svc._effective_probability = svc._probA.size > 0


def _complete_neighbors(knn) -> None:
    """Fit again, since the search index is not saved."""
    if not knn.n_neighbors <= len(knn._y) <= MAX_NEIGHBORS:
        raise Refused(
            f"has {len(knn._y)} training samples, expected n_neighbors={knn.n_neighbors} to "
            f"{MAX_NEIGHBORS}"
        )
    if len(np.unique(knn._y)) < len(knn.classes_):
        raise Refused("has a class without samples in classes_")
    names = vars(knn).pop("feature_names_in_", None)
    knn.fit(knn._fit_X, knn.classes_[knn._y])
    if names is not None:
        knn.feature_names_in_ = names


def _complete_voting(model) -> None:
    members = [(name, each) for name, each in model.estimators if each != "drop"]
    if len(members) != len(model.estimators_):
        raise Refused(f"has {len(model.estimators_)} estimators_, expected {len(members)}")
    encoded = np.arange(len(model.classes_))
    for each in model.estimators_:
        # The size of the array in which votes are counted depends on the largest label.
        if not np.array_equal(getattr(each, "classes_", ()), encoded):
            raise Refused("has a member in estimators_ with other classes than 0, 1, ...")
    model.named_estimators_ = Bunch(**dict(model.estimators))
    names = [name for name, _ in members]
    model.named_estimators_.update(zip(names, model.estimators_, strict=True))
    model.le_ = LabelEncoder().fit(model.classes_)


def _check_classes(model) -> None:
    if not np.array_equal(getattr(model.estimator_, "classes_", ()), model.classes_):
        raise Refused("has an estimator_ that is not fitted to the same classes")


# ---------------------------------------------------------------- the list

_FEATURES = NumberAttribute(1, 1 << 20, integer=True, name="n")
_X = {"n_features_in_": _FEATURES, "feature_names_in_": NamesAttribute(optional=True)}
_XY = {**_X, "classes_": LabelsAttribute()}
_MAYBE_COLUMN = ArrayAttribute(("n",), optional=True)
_PRIOR = ArrayAttribute(("k",), "f8", low=0, high=1)

_MOMENTS = {
    **_X,
    "mean_": _MAYBE_COLUMN,
    "var_": ArrayAttribute(("n",), low=0, optional=True),
    "scale_": ArrayAttribute(("n",), low=1e-300, optional=True),  # values are divided by it
    "n_samples_seen_": ValueAttribute(),
}

_LINEAR = {
    **_XY,
    "coef_": ArrayAttribute(("rows", "n")),
    "intercept_": ArrayAttribute(("rows",), finite=False),  # -inf for classes with a prior of 0
}

#: Base classes of custom classes, see ``trusted`` in :func:`skgenre.load`.
_FRONT_END = AllowedClass(FrontEnd)
_NETWORK = AllowedClass(
    NetworkClassifier,
    fitted={
        **_XY,
        "class_prior_": _PRIOR,
        "_class_weights_seen": ArrayAttribute(("k",), "f8", low=0),
        "history_": ValueAttribute(),
        "weights_": WeightsAttribute(),
        "architecture_": ArchitectureAttribute(),
    },
    complete=complete_network,
)

_CLASSES = [
    AllowedClass(Pipeline, "steps"),
    AllowedClass(StandardScaler, fitted=_MOMENTS, complete=_complete_scaler),
    AllowedClass(
        PowerTransformer,
        fitted={
            **_X,
            "lambdas_": ArrayAttribute(("n",)),
            "_scaler": EstimatorAttribute(optional=True),
        },
        complete=_complete_power,
    ),
    AllowedClass(
        QuantileTransformer,
        fitted={
            **_X,
            "n_quantiles_": NumberAttribute(1, 10**6, integer=True, name="quantiles"),
            "references_": ArrayAttribute(("quantiles",), low=0, high=1),
            "quantiles_": ArrayAttribute(("quantiles", "n")),
        },
    ),
    AllowedClass(
        SimpleImputer,
        options={"add_indicator": (False,)},
        # Statistics are NaN for columns without any values.
        fitted={**_X, "statistics_": ArrayAttribute(("n",), finite=False)},
        complete=_complete_imputer,
    ),
    AllowedClass(LogisticRegression, fitted=_LINEAR),
    AllowedClass(
        LinearDiscriminantAnalysis,
        fitted={
            **_LINEAR,
            "xbar_": _MAYBE_COLUMN,
            "scalings_": ArrayAttribute(("n", "directions"), optional=True),
            "_max_components": NumberAttribute(0, 10**6, integer=True, optional=True),
        },
    ),
    AllowedClass(
        SVC,
        options={"kernel": ("linear", "poly", "rbf", "sigmoid")},
        fitted={
            **_XY,
            "support_": ArrayAttribute(("vectors",), "i4", low=0),
            "support_vectors_": ArrayAttribute(("vectors", "n"), "f8"),
            "_n_support": ArrayAttribute(("k",), "i4", low=0),
            "_dual_coef_": ArrayAttribute(("k - 1", "vectors"), "f8"),
            "_intercept_": ArrayAttribute(("pairs",), "f8"),
            "_probA": ArrayAttribute(("probabilities",), "f8"),
            "_probB": ArrayAttribute(("probabilities",), "f8"),
            "_gamma": NumberAttribute(0, 1e15),
        },
        complete=_complete_svc,
    ),
    AllowedClass(
        KNeighborsClassifier,
        options={
            "metric": ("minkowski", "euclidean", "l2", "manhattan", "l1", "chebyshev", "cosine"),
            "metric_params": (None,),
        },
        fitted={
            **_XY,
            "_fit_X": ArrayAttribute(("samples", "n")),
            "_y": ArrayAttribute(("samples",), "i8", low=0),
        },
        complete=_complete_neighbors,
    ),
    AllowedClass(
        RandomForestClassifier,
        fitted={**_XY, "estimators_": ForestAttribute()},
        complete=complete_forest,
    ),
    AllowedClass(
        HistGradientBoostingClassifier,
        fitted={
            **_XY,
            "is_categorical_": NoneAttribute(),
            "_predictors": BoostingAttribute(),
            "_baseline_prediction": ArrayAttribute((1, "rows"), "f8"),
            "do_early_stopping_": NumberAttribute(0, 1, integer=True),
        },
        complete=complete_boosting,
    ),
    AllowedClass(
        VotingClassifier,
        "estimators",
        fitted={
            "classes_": LabelsAttribute(),
            "feature_names_in_": NamesAttribute(optional=True),
            "estimators_": EstimatorsAttribute(),
        },
        complete=_complete_voting,
    ),
    *(
        replace(_FRONT_END, cls=cls)
        for cls in (MFCCSegmenter, MelSegmenter, MusicnnEmbedder, TrackDescriptors, GTZANFeatures)
    ),
    *(
        replace(_NETWORK, cls=cls)
        for cls in (ANNClassifier, CNNClassifier, LSTMClassifier, MelCNNClassifier)
    ),
    AllowedClass(SegmentScaler, fitted=_MOMENTS, complete=_complete_scaler),
    AllowedClass(SegmentSummary, fitted=_X),
    AllowedClass(
        SegmentVotingClassifier,
        "estimator",
        fitted={**_XY, "class_prior_": _PRIOR, "estimator_": EstimatorAttribute()},
        complete=_check_classes,
    ),
    AllowedClass(
        GroupCalibratedClassifier,
        "estimator",
        fitted={
            "classes_": LabelsAttribute(),
            "n_features_in_": replace(_FEATURES, optional=True),
            "feature_names_in_": NamesAttribute(optional=True),
            "estimator_": EstimatorAttribute(),
            "temperature_": NumberAttribute(1e-3, 1e3),
            "threshold_": NumberAttribute(0, 1, optional=True),
            "location_": ArrayAttribute(("columns",), "f8", optional=True),
            "precision_": ArrayAttribute(("columns", "columns"), "f8", optional=True),
            "max_distance_": NumberAttribute(0, 1e15, optional=True),
        },
        complete=_check_classes,
    ),
]


def public_name(cls: type) -> str:
    """Return the name of a class in model files, which includes its public module."""
    modules = cls.__module__.split(".")
    if modules[0] == "skgenre":
        modules = modules[:1]
    elif modules[0] == "sklearn":
        private = [i for i, module in enumerate(modules) if module.startswith("_")]
        modules = modules[: private[0]] if private else modules
    return ".".join([*modules, cls.__qualname__])


ALLOWED: dict[str, AllowedClass] = {public_name(each.cls): each for each in _CLASSES}


def allow_custom(cls: type) -> AllowedClass:
    """Return what is allowed for a custom network or front end.

    Raises
    ------
    Refused
        If the class is not derived from NetworkClassifier or FrontEnd.
    """
    if cls is NetworkClassifier:
        raise Refused(
            "a NetworkClassifier with a function in build cannot be saved, since model files do "
            "not contain code. Override build_model in a subclass, which load(trusted=[...]) "
            "takes, or use joblib.dump for files that are not shared"
        )
    for base in (_NETWORK, _FRONT_END):
        if issubclass(cls, base.cls):
            return replace(base, cls=cls)
    raise Refused(
        f'{public_name(cls)} is not a supported class of a model file. See the page "Security and '
        'trust model" for the list of classes, or use joblib.dump for files that are not shared'
    )
