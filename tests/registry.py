"""Every estimator that takes tensors or tables, with arguments that make it fast.

The checks of scikit-learn that cannot pass are here too, with the reason.
"""

from dataclasses import dataclass

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skgenre import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    MelCNNClassifier,
    MFCCSegmenter,
    NetworkClassifier,
    SegmentScaler,
    SegmentSummary,
    make_baseline,
)
from skgenre.pipelines import _BASELINES


@dataclass(kw_only=True, eq=False, repr=False)
class OwnNetwork(NetworkClassifier):
    """A Keras model with residual sums, which no list of known layers can describe."""

    units: int = 8
    dropout: float = 0.1

    def build_model(self, input_shape, n_classes):
        import keras

        x = keras.Input(input_shape)
        first = keras.layers.Conv1D(self.units, 3, padding="same", activation="tanh")(x)
        second = keras.layers.Conv1D(self.units, 3, padding="same", activation="tanh")(first)
        pooled = keras.layers.GlobalAveragePooling1D()(first + second)
        dropped = keras.layers.Dropout(self.dropout)(pooled)
        return keras.Model(x, keras.layers.Dense(n_classes, activation="softmax")(dropped))


# Small batches, so that the CNN's running means settle in few epochs.
NETWORKS = {
    "ann": ANNClassifier(hidden_units=(16,), epochs=8, learning_rate=0.01, random_state=0),
    "cnn": CNNClassifier(
        filters=(8,),
        dense_units=8,
        dropout=0.1,
        epochs=12,
        batch_size=8,
        learning_rate=0.01,
        random_state=0,
    ),
    "lstm": LSTMClassifier(
        units=(8,), dense_units=8, dropout=0.1, epochs=12, learning_rate=0.03, random_state=0
    ),
    "mel": MelCNNClassifier(
        filters=(8, 8),
        dense_units=8,
        dropout=0.1,
        crop_frames=6,
        epochs=20,
        batch_size=8,
        learning_rate=0.03,
        random_state=0,
    ),
    "own": OwnNetwork(units=8, epochs=15, learning_rate=0.03, random_state=0),
}
TRANSFORMERS = {"scaler": SegmentScaler(), "summary": SegmentSummary()}

BASELINES = {name: make_baseline(name, random_state=0) for name in _BASELINES}
BASELINES["forest"].set_params(randomforestclassifier__n_estimators=20)
BASELINES["boosting"].set_params(histgradientboostingclassifier__max_iter=10)

SEGMENTER = MFCCSegmenter(segment_duration=1.0, n_segments=4)
PIPELINES = {
    **{
        name: make_pipeline(
            SEGMENTER,
            SegmentScaler(),
            clf.__class__(**{**clf.get_params(), "epochs": 20, "batch_size": 8}),
        )
        for name, clf in NETWORKS.items()
    },
    "svm": make_pipeline(SEGMENTER, SegmentSummary(), StandardScaler(), SVC(C=10)),
}

#: Arguments for scikit-learn's checks, whose data are tables: few epochs of small batches.
_QUICK = {"dropout": 0, "epochs": 6, "batch_size": 8, "learning_rate": 0.03, "random_state": 0}
CHECKED = [
    ANNClassifier(hidden_units=(16,), **_QUICK),
    CNNClassifier(filters=(8,), dense_units=16, **_QUICK),
    LSTMClassifier(units=(8,), dense_units=16, **_QUICK),
    # Narrow: in float32 the last digit of a product of wider layers depends on the row's place in
    # the batch, and the check of sample order allows less.
    MelCNNClassifier(filters=(4,), dense_units=4, **_QUICK),
    OwnNetwork(units=8, **_QUICK),
    *TRANSFORMERS.values(),
]

_MINIBATCHES = (
    "with minibatches, a sample with a weight of 2 contributes to one gradient step, and a "
    "repeated sample can contribute to two; test_weights_count_as_repetitions_in_one_batch checks "
    "the equivalence within one batch, for networks without batch normalization"
)
EXPECTED_FAILURES = {
    name: {"check_sample_weight_equivalence_on_dense_data": _MINIBATCHES}
    for name in (
        "ANNClassifier",
        "CNNClassifier",
        "LSTMClassifier",
        "MelCNNClassifier",
        "OwnNetwork",
    )
}
