"""Entries of the classes of scikit-learn."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
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

from . import trees
from .archive import Refused
from .entry import Entry, attributes
from .privates import CALIBRATORS, CalibratedClassifier
from .values import FEATURES, Array, Kind, Labels, Names, Number, Part, Parts, Words

#: Allowed values of parameters for which scikit-learn also accepts other types, such as functions.
OPTIONS: dict[type, dict[str, tuple]] = {
    SVC: {"kernel": ("linear", "poly", "rbf", "sigmoid")},
    KNeighborsClassifier: {
        "metric": ("minkowski", "euclidean", "l2", "manhattan", "l1", "chebyshev", "cosine"),
        "metric_params": (None,),
        "weights": ("uniform", "distance", None),
    },
    HistGradientBoostingClassifier: {
        "categorical_features": (None, "from_dtype"),
        "interaction_cst": (None,),
        "monotonic_cst": (None,),
        "scoring": (None, "loss", "accuracy", "balanced_accuracy", "f1_macro"),
        "warm_start": (False,),  # the state of the random number generator is not saved
    },
    RandomForestClassifier: {"oob_score": (False, True), "monotonic_cst": (None,)},
    FunctionTransformer: {"func": (None,), "inverse_func": (None,)},
    SimpleImputer: {
        "add_indicator": (False,),
        "strategy": ("mean", "median", "most_frequent", "constant"),
    },
}

X = {"n_features_in_": FEATURES, "feature_names_in_": Names(optional=True)}
XY = {**X, "classes_": Labels()}
_COLUMN = Array(("n",))
_MAYBE_COLUMN = Array(("n",), optional=True)


class _Seen(Number):
    """A number of samples, either for all columns or for each column."""

    def pack(self, value, saving):
        return Array(("n",), "i8").pack(value, saving) if np.ndim(value) else int(value)

    def unpack(self, value, loading, sizes):
        if isinstance(value, dict):
            return Array(("n",), "i8", low=0).unpack(value, loading, sizes)
        return Number(0, 2**53, integer=True).unpack(value, loading, sizes)


MOMENTS = {
    **X,
    "mean_": _MAYBE_COLUMN,
    "var_": Array(("n",), low=0, optional=True),
    "scale_": _MAYBE_COLUMN,
    "n_samples_seen_": _Seen(),
}

_LINEAR = {
    **XY,
    "coef_": Array(("rows", "n")),
    "intercept_": Array(("rows",), finite=False),  # -inf for classes with a prior of 0
}


def _restore_imputer(imputer, state: dict) -> None:
    vars(imputer).update(state, indicator_=None)
    imputer._fit_dtype = imputer._fill_dtype = state["statistics_"].dtype


def _restore_svc(svc, state: dict) -> None:
    counts, n = state["_n_support"], state["n_features_in_"]
    if counts.sum(dtype=np.int64) != len(state["support_"]):
        raise Refused("has an _n_support that does not sum up to the number of support vectors")
    if not len(state["support_"]):
        raise Refused("has no support vectors")
    if len(state["_probA"]) not in (0, len(state["_intercept_"])):
        raise Refused("must have one value of _probA for each pair of classes")
    vars(svc).update(state, _sparse=False, shape_fit_=(state["n_samples"], n), fit_status_=0)
    del svc.n_samples
    # libsvm uses the opposite order for two classes.
    sign = -1 if len(svc.classes_) == 2 else 1
    svc.intercept_, svc.dual_coef_ = sign * svc._intercept_, sign * svc._dual_coef_
    svc._effective_probability = svc._probA.size > 0


def _restore_neighbors(knn, state: dict) -> None:
    """Restore the training data. The search index is not saved, but built by fitting again."""
    if len(state["_y"]) > _MOST_NEIGHBORS:
        raise Refused(f"has {len(state['_y'])} training rows, more than {_MOST_NEIGHBORS}")
    if len(np.unique(state["_y"])) < len(state["classes_"]):
        raise Refused("has a class without samples in classes_")
    vars(knn).update(state)


def _fit_neighbors(knn) -> None:
    names = vars(knn).pop("feature_names_in_", None)
    knn.fit(knn._fit_X, knn.classes_[knn._y])
    if names is not None:
        knn.feature_names_in_ = names


def _collect_isotonic(isotonic) -> dict:
    return {"X_thresholds_": isotonic.X_thresholds_, "y_thresholds_": isotonic.y_thresholds_}


def _restore_isotonic(isotonic, state: dict) -> None:
    x, y = state["X_thresholds_"], state["y_thresholds_"]
    vars(isotonic).update(state, X_min_=x.min(), X_max_=x.max(), increasing_=bool(y[-1] >= y[0]))
    isotonic._build_f(x, y)


def _collect_calibrated(model) -> dict:
    found = model.calibrated_classifiers_
    return {
        **attributes(model, XY),
        "estimators": [each.estimator for each in found],
        "calibrators": [calibrator for each in found for calibrator in each.calibrators],
    }


def _restore_calibrated(model, state: dict) -> None:
    estimators, calibrators = state.pop("estimators"), state.pop("calibrators")
    each = len(calibrators) // len(estimators)
    if each * len(estimators) != len(calibrators) or not each:
        raise Refused("must have the same number of calibrators for each estimator")
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
    encoded = np.arange(len(model.classes_))
    if isinstance(model, VotingClassifier) and not all(
        np.array_equal(each.classes_, encoded) for each in model.estimators_
    ):
        # The size of the array in which votes are counted depends on the largest label.
        raise Refused("has a member in estimators_ with other classes than 0, 1, ...")
    if len(kept) != len(model.estimators_):
        raise Refused(f"has {len(model.estimators_)} members in estimators_, expected {len(kept)}")
    model.named_estimators_ = Bunch(
        **{name: each if isinstance(each, str) else next(fitted) for name, each in model.estimators}
    )
    encoder = LabelEncoder().fit(model.classes_)
    setattr(model, "le_" if isinstance(model, VotingClassifier) else "_label_encoder", encoder)


def _check_names(name: str) -> Callable:
    """Return a function that checks a parameter with a list of (name, estimator) tuples."""

    def check(model) -> None:
        pairs = getattr(model, name)
        if not isinstance(pairs, list | tuple) or not pairs:
            raise Refused(f"must have a list of names and estimators as {name}")
        for pair in pairs:
            named = isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)
            known = named and (hasattr(pair[1], "fit") or pair[1] in _WITHOUT)
            if not known:
                raise Refused(f"must have a list of names and estimators as {name}")
        if _widening(model) > _MOST_WIDENING:
            raise Refused(f"creates more than {_MOST_WIDENING} columns from each column")

    return check


def _widening(estimator) -> int:
    """Return the number of columns that unions create from each column.

    The numbers of the steps of a pipeline are multiplied.
    """
    if isinstance(estimator, FeatureUnion):
        return sum(_widening(each) for _, each in estimator.transformer_list)
    if isinstance(estimator, Pipeline):
        return math.prod(_widening(each) for _, each in estimator.steps)
    return 1


#: Maximum number of columns that unions create from each column.
_MOST_WIDENING = 32

#: Cost of copying a table of maximum width, see :meth:`.values.Loading.spend`.
_COPY = 1 << 26

#: Maximum number of training samples of nearest neighbors, which are fitted again.
_MOST_NEIGHBORS = 200_000

#: Cost of a function call for each tree or pair of classes, and for each column that is transformed
#: separately.
_CALL, _OWN_COLUMN = 1 << 20, 1 << 17


def _count_columns(transformer) -> float:
    return _OWN_COLUMN * getattr(transformer, "n_features_in_", 0)


_WITHOUT = ("drop", "passthrough", None)
_METHODS = ("predict_proba", "decision_function", "predict")

_SVC: dict[str, Kind] = {
    **XY,
    "n_samples": Number(1, 2**31 - 1, integer=True, name="samples"),
    "support_": Array(("vectors",), "i4", low=0, high="samples"),
    "support_vectors_": Array(("vectors", "n"), "f8"),
    "_n_support": Array(("k",), "i4", low=0),
    "_dual_coef_": Array(("k - 1", "vectors"), "f8"),
    "_intercept_": Array(("pairs",), "f8"),
    "_probA": Array(("probabilities",), "f8"),
    "_probB": Array(("probabilities",), "f8"),
    "_gamma": Number(0, 1e15),
    "class_weight_": Array(("k",), "f8", low=0),
}

SKLEARN = [
    Entry(Pipeline, ("steps",), check=_check_names("steps")),
    Entry(
        FeatureUnion,
        ("transformer_list",),
        check=_check_names("transformer_list"),
        work=lambda union: _COPY,
    ),
    Entry(FrozenEstimator, ("estimator",)),
    # Created by scikit-learn for "passthrough" in a union.
    Entry(FunctionTransformer, fitted=X, work=lambda transformer: _COPY),
    Entry(StandardScaler, fitted=MOMENTS),
    Entry(
        MinMaxScaler,
        fitted={
            **X,
            **dict.fromkeys(("min_", "scale_", "data_min_", "data_max_", "data_range_"), _COLUMN),
            "n_samples_seen_": _Seen(),
        },
    ),
    Entry(RobustScaler, fitted={**X, "center_": _MAYBE_COLUMN, "scale_": _MAYBE_COLUMN}),
    Entry(
        PowerTransformer,
        fitted={**X, "lambdas_": _COLUMN, "_scaler": Part(optional=True, types=(StandardScaler,))},
        work=_count_columns,
    ),
    Entry(
        QuantileTransformer,
        fitted={
            **X,
            "n_quantiles_": Number(1, 10**6, integer=True, name="quantiles"),
            "references_": Array(("quantiles",), low=0, high=1, increasing=True),
            "quantiles_": Array(("quantiles", "n"), increasing=True),
        },
        work=_count_columns,
    ),
    Entry(
        PCA,
        fitted={
            **X,
            "n_components_": Number(1, 10**6, integer=True, name="components"),
            "mean_": _COLUMN,
            "components_": Array(("components", "n")),
            "explained_variance_": Array(("components",), low=0),
            "explained_variance_ratio_": Array(("components",)),
            "singular_values_": Array(("components",)),
            "noise_variance_": Number(0, 1e15),
        },
    ),
    Entry(
        SimpleImputer,
        fitted={**X, "statistics_": Array(("n",), finite=False)},
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
        work=lambda svc: _CALL * len(getattr(svc, "_intercept_", ())),
    ),
    Entry(
        KNeighborsClassifier,
        fitted={
            **XY,
            "_fit_X": Array(("samples", "n")),
            "_y": Array(("samples",), "i8", low=0, high="k"),
        },
        restore=_restore_neighbors,
        finish=_fit_neighbors,
    ),
    Entry(
        RandomForestClassifier,
        fitted={**XY, **trees.FOREST},
        collect=lambda model: {**attributes(model, XY), **trees.collect_forest(model)},
        restore=trees.restore_forest,
        work=lambda model: _CALL * len(getattr(model, "estimators_", ())),
    ),
    Entry(
        HistGradientBoostingClassifier,
        fitted={**XY, **trees.BOOSTING},
        collect=lambda model: {**attributes(model, XY), **trees.collect_boosting(model)},
        restore=trees.restore_boosting,
        work=lambda model: _CALL // 2 * sum(map(len, getattr(model, "_predictors", ()))),
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
            "final_estimator_": Part(same_classes=True, behind=True),
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
            "calibrators": Parts("calibrators", types=(IsotonicRegression, *CALIBRATORS)),
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

SPLITTERS = [
    Entry(cls)
    for cls in (KFold, StratifiedKFold, GroupKFold, StratifiedGroupKFold, LeaveOneGroupOut)
]
