"""Random forests and gradient boosting in model files.

The nodes of all trees are concatenated to plain arrays.

The compiled code of scikit-learn does not check the indices of children and features. Invalid
indices may cause reads outside of arrays or infinite loops. In valid trees, children always follow
their parents; other files are rejected, so that each path ends at a leaf.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from .archive import Refused
from .privates import (
    NODE_DTYPE,
    PREDICTOR_RECORD_DTYPE,
    BinMapper,
    HalfBinomialLoss,
    HalfMultinomialLoss,
    Tree,
    TreePredictor,
)
from .values import Array, Kind, Number

_NODES = ("nodes",)

#: Maximum number of trees of gradient boosting, for all iterations and classes.
_MOST_TREES = 20_000

#: Fields of the nodes of a random forest, by their names in scikit-learn.
_FOREST_NODES: dict[str, Kind] = {
    "left_child": Array(_NODES, "i4"),
    "right_child": Array(_NODES, "i4"),
    "feature": Array(_NODES, "i4"),
    "threshold": Array(_NODES, "f8", finite=False),  # infinite if only missing values split
    "missing_go_to_left": Array(_NODES, "u1", high=1),
    "impurity": Array(_NODES, "f8"),
    "n_node_samples": Array(_NODES, "i8", low=0),
    "weighted_n_node_samples": Array(_NODES, "f8", low=0),
}

FOREST: dict[str, Kind] = {
    "n_nodes": Array(("trees",), "i8", low=1),
    **_FOREST_NODES,
    "values": Array(("nodes", "k"), "f8"),
}


def collect_forest(forest) -> dict[str, Any]:
    """Return the nodes of all trees of a fitted random forest."""
    if forest.n_outputs_ != 1:
        raise Refused("has several outputs")
    trees = [tree.tree_.__getstate__() for tree in forest.estimators_]
    nodes = np.concatenate([tree["nodes"] for tree in trees])
    return {
        "n_nodes": [len(tree["nodes"]) for tree in trees],
        **{name: nodes[name] for name in _FOREST_NODES},
        "values": np.concatenate([tree["values"][:, 0] for tree in trees]),
    }


def restore_forest(forest, state: dict[str, Any]) -> None:
    """Create the trees of a random forest."""
    k = len(state["classes_"])
    nodes = np.zeros(len(state["feature"]), NODE_DTYPE)
    for name in _FOREST_NODES:
        nodes[name] = state.pop(name)
    values, n_nodes = state.pop("values"), state.pop("n_nodes")
    if len(n_nodes) != forest.n_estimators:
        raise Refused(f"has {len(n_nodes)} trees, expected n_estimators={forest.n_estimators}")
    trees = []
    for part in _parts(n_nodes, len(nodes)):
        node = nodes[part]
        leaf = node["left_child"] == -1
        depth = _check_nodes(
            node["left_child"], node["right_child"], node["feature"], leaf, state["n_features_in_"]
        )
        tree = DecisionTreeClassifier(**{p: getattr(forest, p) for p in forest.estimator_params})
        tree.n_features_in_, tree.n_outputs_, tree.n_classes_ = state["n_features_in_"], 1, k
        tree.classes_ = np.arange(k, dtype=np.float64)
        tree.tree_ = Tree(state["n_features_in_"], np.array([k], np.intp), 1)
        tree.tree_.__setstate__(
            {
                "max_depth": depth,
                "node_count": len(node),
                "nodes": node,
                "values": np.ascontiguousarray(values[part, None]),
            }
        )
        trees.append(tree)
    vars(forest).update(state, estimators_=trees, estimator_=DecisionTreeClassifier())
    forest.n_outputs_, forest.n_classes_ = 1, k


#: Fields of the nodes of gradient boosting, by their names in scikit-learn.
_BOOSTING_NODES: dict[str, Kind] = {
    "left": Array(_NODES, "i8", low=0),
    "right": Array(_NODES, "i8", low=0),
    "feature_idx": Array(_NODES, "i8", low=0),
    "num_threshold": Array(_NODES, "f8", finite=False),  # infinite if only missing values split
    "missing_go_to_left": Array(_NODES, "u1", high=1),
    "is_leaf": Array(_NODES, "u1", high=1),
    "value": Array(_NODES, "f8"),
    "count": Array(_NODES, "i8", low=0, high=2**32 - 1),
}

BOOSTING: dict[str, Kind] = {
    "n_nodes": Array(("iterations", "rows"), "i8", low=1),
    **_BOOSTING_NODES,
    "_baseline_prediction": Array((1, "rows"), "f8"),
    "do_early_stopping_": Number(0, 1, integer=True),
}


def collect_boosting(model) -> dict[str, Any]:
    """Return the nodes of all trees of a fitted gradient boosting model."""
    if model.is_categorical_ is not None:
        raise Refused("has categorical features")
    trees = [[predictor.nodes for predictor in each] for each in model._predictors]
    nodes = np.concatenate([tree for each in trees for tree in each])
    return {
        "n_nodes": [[len(tree) for tree in each] for each in trees],
        **{name: nodes[name] for name in _BOOSTING_NODES},
        "_baseline_prediction": model._baseline_prediction,
        "do_early_stopping_": model.do_early_stopping_,
    }


def restore_boosting(model, state: dict[str, Any]) -> None:
    """Create the trees of a gradient boosting model."""
    n_features, k = state["n_features_in_"], len(state["classes_"])
    nodes = np.zeros(len(state["feature_idx"]), PREDICTOR_RECORD_DTYPE)
    fields = {name: state.pop(name) for name in _BOOSTING_NODES}
    n_nodes = state.pop("n_nodes")
    if n_nodes.size > _MOST_TREES or len(n_nodes) > model.max_iter:
        raise Refused(f"has {n_nodes.shape} trees, expected at most max_iter={model.max_iter}")
    for part in (parts := _parts(n_nodes.ravel(), len(nodes))):
        _check_nodes(
            fields["left"][part],
            fields["right"][part],
            fields["feature_idx"][part],
            fields["is_leaf"][part] == 1,
            n_features,
        )
    for name, values in fields.items():
        nodes[name] = values
    none = np.zeros((0, 8), np.uint32)
    predictors = iter([TreePredictor(nodes[part], none, none) for part in parts])
    vars(model).update(state, is_categorical_=None, _preprocessor=None)
    model.do_early_stopping_ = bool(model.do_early_stopping_)
    model.n_trees_per_iteration_ = n_nodes.shape[1]
    model._predictors = [[next(predictors) for _ in row] for row in n_nodes]
    model._loss = HalfBinomialLoss() if k == 2 else HalfMultinomialLoss(n_classes=k)
    model._bin_mapper = BinMapper()
    model._bin_mapper.is_categorical_ = np.zeros(n_features, np.uint8)
    model._bin_mapper.bin_thresholds_ = [np.zeros(0)] * n_features


def _parts(n_nodes: np.ndarray, n_all: int) -> list[slice]:
    """Return the slices of the nodes of each tree."""
    stops = np.cumsum(n_nodes)
    if (n_nodes > n_all).any() or stops[-1] != n_all:
        raise Refused(f"has an n_nodes that does not sum up to the number of nodes, {n_all}")
    return [slice(int(stop - n), int(stop)) for n, stop in zip(n_nodes, stops, strict=True)]


def _check_nodes(left, right, feature, leaf, n_features: int) -> int:
    """Check that each path of a tree ends at a leaf, and return the depth of the tree."""
    node = np.arange(len(left))
    for child in (left, right):
        if not (leaf | ((child > node) & (child < len(node)))).all():
            raise Refused("has a tree with a child that does not follow its parent")
    if not (leaf | ((feature >= 0) & (feature < n_features))).all():
        raise Refused(f"has a tree with a feature index outside of the {n_features} features")
    depth = [0] * len(node)
    inner = ~leaf
    children = zip(node[inner].tolist(), left[inner].tolist(), right[inner].tolist(), strict=True)
    for parent, *both in children:  # parents precede their children
        for child in both:
            depth[child] = max(depth[child], depth[parent] + 1)
    return max(depth)
