"""Networks as scikit-learn classifiers: trained with Keras, kept as arrays, run in NumPy."""

from .base import SegmentClassifier
from .classifiers import ANNClassifier, CNNClassifier, LSTMClassifier
from .mel import MelCNNClassifier

__all__ = [
    "ANNClassifier",
    "CNNClassifier",
    "LSTMClassifier",
    "MelCNNClassifier",
    "SegmentClassifier",
]
