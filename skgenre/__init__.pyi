# Public names, read by lazy_loader, type checkers and editors. `as` marks a name as exported.
from . import datasets as datasets, layers as layers, mfcc as mfcc, plotting as plotting
from .audio import (
    AudioError as AudioError,
    AudioFile as AudioFile,
    load_audio as load_audio,
)
from .calibration import GroupCalibratedClassifier as GroupCalibratedClassifier
from .datasets.facts import (
    artist_groups as artist_groups,
    track_groups as track_groups,
)
from .evaluation import (
    bootstrap_score as bootstrap_score,
    calibration_error as calibration_error,
    compare_models as compare_models,
    coverage_curve as coverage_curve,
    filtered_split as filtered_split,
    leakage_report as leakage_report,
    read_splits as read_splits,
    robustness_report as robustness_report,
    write_splits as write_splits,
)
from .features import (
    MelSegmenter as MelSegmenter,
    MFCCSegmenter as MFCCSegmenter,
    MusicnnEmbedder as MusicnnEmbedder,
    TrackDescriptors as TrackDescriptors,
    TrackExtractor as TrackExtractor,
    TrackFeatures as TrackFeatures,
    UnreadableTracksError as UnreadableTracksError,
    extract_store as extract_store,
    load_store as load_store,
    track_features as track_features,
)
from .networks import (
    ANNClassifier as ANNClassifier,
    CNNClassifier as CNNClassifier,
    LSTMClassifier as LSTMClassifier,
    MelCNNClassifier as MelCNNClassifier,
    SegmentClassifier as SegmentClassifier,
)
from .persistence import (
    SKOPS_TYPES as SKOPS_TYPES,
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
from .tensor import pieces_to_tracks as pieces_to_tracks
from .timeline import genre_timeline as genre_timeline
from .voting import SegmentVotingClassifier as SegmentVotingClassifier

__version__: str
