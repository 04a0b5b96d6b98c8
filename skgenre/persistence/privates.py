"""The private names of scikit-learn of which fitted models consist, for those that are made anew.

The tests make and use each of them on the lowest and the highest version that is supported.
"""

from sklearn._loss.loss import HalfBinomialLoss, HalfMultinomialLoss
from sklearn.calibration import (
    _CalibratedClassifier as CalibratedClassifier,
    _SigmoidCalibration as SigmoidCalibration,
)
from sklearn.ensemble._hist_gradient_boosting.binning import _BinMapper as BinMapper
from sklearn.ensemble._hist_gradient_boosting.common import PREDICTOR_RECORD_DTYPE
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.model_selection._search import BaseSearchCV
from sklearn.tree._tree import NODE_DTYPE, Tree

#: Calibrators and their fitted attributes.
CALIBRATORS: dict[type, tuple[str, ...]] = {SigmoidCalibration: ("a_", "b_")}
try:
    from sklearn.calibration import _TemperatureScaling as TemperatureScaling
except ImportError:  # scikit-learn 1.7
    pass
else:
    CALIBRATORS[TemperatureScaling] = ("beta_",)

__all__ = [
    "CALIBRATORS",
    "NODE_DTYPE",
    "PREDICTOR_RECORD_DTYPE",
    "BaseSearchCV",
    "BinMapper",
    "CalibratedClassifier",
    "HalfBinomialLoss",
    "HalfMultinomialLoss",
    "Tree",
    "TreePredictor",
]
