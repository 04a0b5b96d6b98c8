"""Networks as scikit-learn classifiers: trained with Keras, kept as arrays, run in NumPy."""

from .base import SegmentClassifier
from .classifiers import ANNClassifier, CNNClassifier, LSTMClassifier

__all__ = ["ANNClassifier", "CNNClassifier", "LSTMClassifier", "SegmentClassifier"]
