"""
A custom network
================

A convolutional recurrent network: a convolution detects short events, and a recurrent layer
models their order. A subclass of :class:`skgenre.NetworkClassifier` stores its parameters and
overrides ``hidden_layers``. Cross-validation, grid search, saving and prediction without
TensorFlow then work as with the other networks.
"""
# sphinx_gallery_thumbnail_path = 'images/history.png'

import tempfile

import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skgenre import MFCCSegmenter, NetworkClassifier, SegmentScaler, layers
from skgenre.datasets import make_tracks
from skgenre.plotting import HistoryDisplay


class CRNNClassifier(NetworkClassifier):
    """Convolutional recurrent network.

    Parameters
    ----------
    filters : int, default=16
        Filters of the convolution.
    units : int, default=32
        Units of the LSTM layer.
    epochs : int, default=30
        Number of epochs.
    random_state : int, RandomState instance or None, default=None
        Seed of the weights, the batches and dropout.
    """

    def __init__(self, filters=16, units=32, *, epochs=30, random_state=None):
        super().__init__(epochs=epochs, random_state=random_state)
        self.filters = filters
        self.units = units

    def hidden_layers(self, input_shape):
        """List the layers between a segment and the softmax over the classes."""
        n_frames, n_coefficients = input_shape
        conv = layers.Conv2D(self.filters, "relu", (3, n_coefficients))
        pool = layers.MaxPooling2D((4, 1), strides=4)
        n_steps, width, channels = pool.output_shape(
            conv.output_shape((n_frames, n_coefficients, 1))
        )
        return [
            layers.Reshape((n_frames, n_coefficients, 1)),
            conv,
            pool,
            layers.BatchNormalization(),
            layers.Reshape((n_steps, width * channels)),
            layers.LSTM(self.units),
            layers.Dropout(0.3),
        ]


folder = tempfile.TemporaryDirectory()
tracks = make_tracks(6, genres=4, duration=10, random_state=0, folder=folder.name)
X = MFCCSegmenter().transform(tracks.data)

# %%
# Grid search
# -----------
# The class is a scikit-learn estimator.

search = GridSearchCV(
    make_pipeline(SegmentScaler(with_std=False), CRNNClassifier(epochs=10, random_state=0)),
    {"crnnclassifier__units": [16, 32]},
    cv=3,
)
search.fit(X, tracks.target)
print(f"{search.best_params_}: accuracy {search.best_score_:.2f} over tracks (chance 0.25)")

# %%
# Layers
# ------
# The layers, their output shapes and their parameters:

search.best_estimator_[-1].summary()

# %%
# Training history
# ----------------

_ = HistoryDisplay.from_estimator(search.best_estimator_)
plt.show()
folder.cleanup()
