"""Checks of the arrays that compiled code indexes with, before a model is handed out.

scikit-learn checks neither the children of a tree's nodes nor libsvm's counts: wrong ones are
followed out of the arrays, or for ever.
"""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.tree import BaseDecisionTree

from .._sklearn import BaseForest, BaseLibSVM


def check_compiled(item) -> None:
    """Check one part of a model.

    Raises
    ------
    ValueError
        If its arrays do not fit each other; names the relation that fails.
    """
    if isinstance(item, BaseLibSVM) and hasattr(item, "support_vectors_"):
        _check_libsvm(item)
    elif isinstance(item, BaseDecisionTree) and hasattr(item, "tree_"):
        tree = item.tree_
        leaf = tree.children_left == -1
        _check_nodes(tree.children_left, tree.children_right, tree.feature, leaf, tree.n_features)
        _check(tree.n_features == item.n_features_in_, "a tree is of other features")
    elif isinstance(item, BaseForest) and hasattr(item, "estimators_"):
        same = all(tree.n_features_in_ == item.n_features_in_ for tree in item.estimators_)
        _check(same, "the trees of a forest differ in features")
    elif isinstance(item, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        for predictors in getattr(item, "_predictors", ()):
            for predictor in predictors:
                nodes = predictor.nodes
                leaf = nodes["is_leaf"].astype(bool)
                children = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
                _check_nodes(*children, nodes["feature_idx"], leaf, item.n_features_in_)
                _check(not nodes["is_categorical"].any(), "a tree splits on categories")


def _check_nodes(left, right, feature, leaf, n_features: int) -> None:
    """Children lie behind their parent, as scikit-learn writes them, so there is no circle."""
    node = np.arange(len(left))
    for child in (left, right):
        behind = leaf | ((child > node) & (child < len(node)))
        _check(behind.all(), "a tree's node has a child that is not behind it")
    known = leaf | ((feature >= 0) & (feature < n_features))
    _check(len(node) > 0 and known.all(), "a tree asks for features that there are not")


def _check_libsvm(svm: BaseLibSVM) -> None:
    """Check what libsvm relies on; each relation with the words for where it fails."""
    n_vectors, n_features = svm.support_vectors_.shape
    n_classes = len(svm._n_support)
    n_pairs = n_classes * (n_classes - 1) // 2
    counts = svm._n_support.astype(np.int64)
    coefficients = (n_classes - 1, n_vectors)
    relations = {
        "is no classifier of the kinds known": svm._impl in ("c_svc", "nu_svc"),
        "was fitted on sparse data": svm._sparse is False,
        "has negative counts of support vectors": (svm._n_support >= 0).all(),
        "has counts that do not add up to its support vectors": counts.sum() == n_vectors,
        "has more or fewer support indices than vectors": len(svm.support_) == n_vectors,
        "has dual coefficients of another shape": (
            svm._dual_coef_.shape == svm.dual_coef_.shape == coefficients
        ),
        "has not one intercept a pair of classes": svm._intercept_.shape == (n_pairs,),
        "has probability parameters of different shapes": svm._probA.shape == svm._probB.shape,
        "has not one probability parameter a pair of classes": svm._probA.size in (0, n_pairs),
        "has support vectors of other features": (
            n_features == svm.n_features_in_ == svm.shape_fit_[1]
        ),
        "has counts for other classes": len(svm.classes_) == n_classes,
    }
    for words, holds in relations.items():
        _check(holds, f"a support vector machine {words}")


def _check(condition, reason: str) -> None:
    if not condition:
        raise ValueError(reason)
