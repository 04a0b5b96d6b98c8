"""Private classes of scikit-learn that are required to restore fitted estimators.

The tests cover them with the lowest and the highest supported version of scikit-learn.
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

#: Calibrators and the names of their fitted attributes.
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
