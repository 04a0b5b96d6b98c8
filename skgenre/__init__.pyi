# Public names, read by lazy_loader, type checkers and editors. `as` marks a name as exported.
from . import (
    datasets as datasets,
    evaluation as evaluation,
    features as features,
    layers as layers,
    plotting as plotting,
)
from .audio import (
    AudioError as AudioError,
    AudioFile as AudioFile,
    load_audio as load_audio,
)
from .calibration import GroupCalibratedClassifier as GroupCalibratedClassifier
from .evaluation import compare_models as compare_models
from .features import (
    FrontEnd as FrontEnd,
    GTZANFeatures as GTZANFeatures,
    MelSegmenter as MelSegmenter,
    MFCCSegmenter as MFCCSegmenter,
    MusicnnEmbedder as MusicnnEmbedder,
    TrackDescriptors as TrackDescriptors,
    UnreadableTracksError as UnreadableTracksError,
    extract_store as extract_store,
    gtzan_features as gtzan_features,
    load_store as load_store,
)
from .networks import (
    ANNClassifier as ANNClassifier,
    CNNClassifier as CNNClassifier,
    LSTMClassifier as LSTMClassifier,
    MelCNNClassifier as MelCNNClassifier,
    NetworkClassifier as NetworkClassifier,
)
from .persistence import (
    ModelFileError as ModelFileError,
    describe as describe,
    load as load,
    save as save,
)
from .pipelines import (
    genre_pipeline as genre_pipeline,
    make_baseline as make_baseline,
    param_grid as param_grid,
    starter_model as starter_model,
)
from .preprocessing import (
    SegmentScaler as SegmentScaler,
    SegmentSummary as SegmentSummary,
)
from .report import (
    EvaluationReport as EvaluationReport,
    evaluation_report as evaluation_report,
)
from .timeline import genre_timeline as genre_timeline
from .voting import SegmentVotingClassifier as SegmentVotingClassifier

__version__: str
