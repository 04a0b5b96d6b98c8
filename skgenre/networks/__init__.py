"""Neural networks as scikit-learn classifiers, trained with Keras and run by ONNX Runtime."""

from .base import NetworkClassifier
from .mel import MelCNNClassifier
from .published import ANNClassifier, CNNClassifier, LSTMClassifier

__all__ = [
    "ANNClassifier",
    "CNNClassifier",
    "LSTMClassifier",
    "MelCNNClassifier",
    "NetworkClassifier",
]
