"""Layers for building custom network architectures."""

from .networks.layers import (
    LSTM as LSTM,
    Activation as Activation,
    Architecture as Architecture,
    BatchNormalization as BatchNormalization,
    Conv2D as Conv2D,
    Dense as Dense,
    Dropout as Dropout,
    Flatten as Flatten,
    Layer as Layer,
    MaxPooling2D as MaxPooling2D,
    Reshape as Reshape,
    TimePooling as TimePooling,
    Weight as Weight,
)
