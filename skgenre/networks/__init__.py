"""Neural networks as scikit-learn classifiers, trained with Keras and run by ONNX Runtime."""

from .base import NetworkClassifier
from .classifiers import ANNClassifier, CNNClassifier, LSTMClassifier
from .mel import MelCNNClassifier

__all__ = [
    "ANNClassifier",
    "CNNClassifier",
    "LSTMClassifier",
    "MelCNNClassifier",
    "NetworkClassifier",
]
