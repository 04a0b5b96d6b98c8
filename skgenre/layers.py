"""The layers of which networks are made, for an architecture of one's own."""

from .networks.layers import (
    ACTIVATIONS,
    LAYERS,
    LSTM,
    Architecture,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    MaxPooling2D,
    Reshape,
    Weight,
    ann_layers,
    cnn_layers,
    lstm_layers,
)

__all__ = [
    "ACTIVATIONS",
    "LAYERS",
    "Architecture",
    "BatchNormalization",
    "Conv2D",
    "Dense",
    "Dropout",
    "Flatten",
    "LSTM",
    "Layer",
    "MaxPooling2D",
    "Reshape",
    "Weight",
    "ann_layers",
    "cnn_layers",
    "lstm_layers",
]
