"""Random forests and gradient boosting in model files.

The nodes of all trees are concatenated to one array, whose fields are those of scikit-learn.

The compiled code of scikit-learn does not check the indices of children and features. Invalid
indices may cause reads outside of arrays or infinite loops. In valid trees, children always follow
their parents; other files are rejected, so that each path ends at a leaf.

The private classes of scikit-learn that are needed to create trees are imported here and not in
``skgenre/_sklearn.py``, since importing them takes longer than importing a front end.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from sklearn._loss.loss import HalfBinomialLoss, HalfMultinomialLoss
from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import NODE_DTYPE, Tree

from .archive import Refused
from .attributes import ArrayAttribute, Attribute, Loader, Saver, Sizes

#: Memory that a tree takes beside its nodes, in bytes.
_TREE_BYTES = 5000


@dataclass(frozen=True)
class _TreesAttribute(Attribute):
    """The trees of an ensemble."""

    #: The arrays that are saved: the nodes, the number of nodes of each tree, and others.
    arrays: ClassVar[Mapping[str, ArrayAttribute]]

    @abstractmethod
    def collect(self, trees: Any) -> dict[str, Any]:
        """Return the arrays of the trees of an estimator."""

    @abstractmethod
    def create(self, arrays: dict[str, np.ndarray], sizes: Sizes) -> Any:
        """Create the trees, or raise Refused if they are not valid."""

    def save(self, value: Any, saver: Saver) -> Any:
        found = self.collect(value)
        return {name: array.save(found[name], saver) for name, array in self.arrays.items()}

    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> Any:
        if not isinstance(stored, dict) or stored.keys() != self.arrays.keys():
            raise Refused(f"must consist of {sorted(self.arrays)}")
        arrays = {
            name: array.load(stored[name], loader, sizes) for name, array in self.arrays.items()
        }
        loader.arrays.count(arrays["n_nodes"].size * _TREE_BYTES)
        return self.create(arrays, sizes)


@dataclass(frozen=True)
class ForestAttribute(_TreesAttribute):
    """The trees of a random forest."""

    arrays = {
        "n_nodes": ArrayAttribute(("trees",), "i8", low=1),
        "nodes": ArrayAttribute(("nodes",), NODE_DTYPE),
        "values": ArrayAttribute(("nodes", "k"), "f8", low=0),
    }

    def collect(self, trees):
        states = [tree.tree_.__getstate__() for tree in trees]
        return {
            "n_nodes": [len(state["nodes"]) for state in states],
            "nodes": np.concatenate([state["nodes"] for state in states]),
            "values": np.concatenate([state["values"][:, 0] for state in states]),
        }

    def create(self, arrays, sizes):
        n_features, k = sizes["n"], sizes["k"]
        trees = []
        for part in _parts(arrays["n_nodes"], sizes["nodes"]):
            nodes, values = arrays["nodes"][part], arrays["values"][part, None]
            left, right = nodes["left_child"], nodes["right_child"]
            depth = _check_nodes(left, right, nodes["feature"], left == -1, n_features)
            tree = DecisionTreeClassifier()
            tree.n_features_in_, tree.n_outputs_, tree.n_classes_ = n_features, 1, k
            tree.classes_ = np.arange(k, dtype=np.float64)
            tree.tree_ = Tree(n_features, np.array([k], np.intp), 1)
            state = {"nodes": nodes, "node_count": len(nodes), "max_depth": depth}
            tree.tree_.__setstate__({**state, "values": np.ascontiguousarray(values)})
            trees.append(tree)
        return trees


def complete_forest(forest) -> None:
    """Set the other attributes of a random forest."""
    if forest.n_estimators != len(forest.estimators_):
        raise Refused(
            f"has {len(forest.estimators_)} trees, expected n_estimators={forest.n_estimators}"
        )
    for tree in forest.estimators_:
        tree.set_params(**{name: getattr(forest, name) for name in forest.estimator_params})
    forest.estimator_ = DecisionTreeClassifier()
    forest.n_outputs_, forest.n_classes_ = 1, len(forest.classes_)


@dataclass(frozen=True)
class BoostingAttribute(_TreesAttribute):
    """The trees of gradient boosting, by iteration and class."""

    arrays = {
        "n_nodes": ArrayAttribute(("iterations", "rows"), "i8", low=1),
        "nodes": ArrayAttribute(("nodes",), PREDICTOR_RECORD_DTYPE),
    }

    def collect(self, trees):
        return {
            "n_nodes": [[len(tree.nodes) for tree in iteration] for iteration in trees],
            "nodes": np.concatenate([tree.nodes for iteration in trees for tree in iteration]),
        }

    def create(self, arrays, sizes):
        # Bit sets of categories, to which nodes would refer, are not saved.
        arrays["nodes"]["is_categorical"] = 0
        no_categories = np.zeros((0, 8), np.uint32)
        trees = []
        for part in _parts(arrays["n_nodes"].ravel(), sizes["nodes"]):
            nodes = arrays["nodes"][part]
            left, right, is_leaf = nodes["left"], nodes["right"], nodes["is_leaf"] != 0
            _check_nodes(left, right, nodes["feature_idx"], is_leaf, sizes["n"])
            trees.append(TreePredictor(nodes, no_categories, no_categories))
        n_rows = arrays["n_nodes"].shape[1]
        return [trees[i : i + n_rows] for i in range(0, len(trees), n_rows)]


def complete_boosting(model) -> None:
    """Set the other attributes of a gradient boosting model."""
    n_features, k = model.n_features_in_, len(model.classes_)
    model.is_categorical_ = model._preprocessor = None
    model.do_early_stopping_ = bool(model.do_early_stopping_)
    model.n_trees_per_iteration_ = 1 if k == 2 else k
    model._loss = HalfBinomialLoss() if k == 2 else HalfMultinomialLoss(n_classes=k)
    model._bin_mapper = _BinMapper()
    model._bin_mapper.is_categorical_ = np.zeros(n_features, np.uint8)
    model._bin_mapper.bin_thresholds_ = [np.zeros(0)] * n_features


def _parts(n_nodes: np.ndarray, n_all: int) -> list[slice]:
    """Return the slices of the nodes of each tree."""
    stops = np.cumsum(n_nodes)
    if not stops.size or (n_nodes > n_all).any() or stops[-1] != n_all:
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
