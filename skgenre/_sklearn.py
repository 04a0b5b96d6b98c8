"""Private names of scikit-learn used by skgenre, and the reason for each.

The private classes of trees are imported in ``persistence/trees.py``.
"""

# Clone networks with an error that explains callbacks; validate parameters before `fit`.
from sklearn.base import _clone_parametrized, _fit_context

# Index arrays, lists and DataFrames by row.
from sklearn.utils import _safe_indexing

# Constraints of the parameters of estimators and layers.
from sklearn.utils._param_validation import (
    HasMethods,
    Interval as _Interval,
    StrOptions,
    validate_parameter_constraints,
)

# Apply `set_output` in transformers that return a table only for some inputs.
from sklearn.utils._set_output import _wrap_data_with_container

# Split data into training and test sets, also kernel matrices.
from sklearn.utils.metaestimators import _safe_split

# Validate `classes` in `partial_fit`.
from sklearn.utils.multiclass import _check_partial_fit_first_call

# Validate `sample_weight`, and `y` of X with more than two dimensions; get the column names of a
# table.
from sklearn.utils.validation import (
    _check_sample_weight,
    _check_y,
    _get_feature_names,
)


class Interval(_Interval):
    """Range of numbers, without booleans, which are integers in Python."""

    def is_satisfied_by(self, val):
        """Return whether a value is in the range."""
        return not isinstance(val, bool) and super().is_satisfied_by(val)


__all__ = [
    "HasMethods",
    "Interval",
    "StrOptions",
    "_check_partial_fit_first_call",
    "_check_sample_weight",
    "_check_y",
    "_clone_parametrized",
    "_fit_context",
    "_get_feature_names",
    "_safe_indexing",
    "_safe_split",
    "_wrap_data_with_container",
    "validate_parameter_constraints",
]
