"""Every estimator that takes tensors or tables, with arguments that make it fast.

The checks of scikit-learn that cannot pass are here too, with the reason.
"""

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skgenre import (
    ANNClassifier,
    CNNClassifier,
    LSTMClassifier,
    MFCCSegmenter,
    SegmentScaler,
    SegmentSummary,
    make_baseline,
)
from skgenre.pipelines import _BASELINES

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

#: Arguments for scikit-learn's checks, whose data are tables.
CHECKED = [
    ANNClassifier(hidden_units=(16,), dropout=0, epochs=20, learning_rate=0.01, random_state=0),
    CNNClassifier(
        filters=(8,), dense_units=16, dropout=0, epochs=20, learning_rate=0.02, random_state=0
    ),
    LSTMClassifier(
        units=(8,), dense_units=16, dropout=0, epochs=20, learning_rate=0.02, random_state=0
    ),
    *TRANSFORMERS.values(),
    # The steps of the ready classical pipelines: scikit-learn's own, with our parameters.
    *{
        type(step).__name__: step for baseline in BASELINES.values() for _, step in baseline.steps
    }.values(),
]

_MINIBATCHES = (
    "a weight of 2 is one larger gradient in one minibatch, a repeated sample is two in two; "
    "test_weights_count_as_repetitions_in_one_batch holds what can be held"
)
_SCIKIT_LEARNS = "of scikit-learn itself, whose own tests expect it: draws or rounds otherwise"
_WEIGHTS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)
EXPECTED_FAILURES = {
    **{
        name: {_WEIGHTS[0]: _MINIBATCHES}
        for name in ("ANNClassifier", "CNNClassifier", "LSTMClassifier")
    },
    **{name: dict.fromkeys(_WEIGHTS, _SCIKIT_LEARNS) for name in ("SVC", "RandomForestClassifier")},
    "LinearDiscriminantAnalysis": {
        "check_classifiers_one_label": 'of scikit-learn itself: the solver "eigen", which '
        "shrinkage needs here, raises an IndexError"
    },
}
