"""Private names of scikit-learn used by skgenre, and the reason for each.

The private classes of trees are imported in ``persistence/trees.py``.
"""

# Clone networks with an error that explains callbacks; validate parameters before `fit`.
from sklearn.base import _clone_parametrized, _fit_context

# Constraints in `_parameter_constraints`.
from sklearn.utils._param_validation import HasMethods, Interval as _Interval, StrOptions

# Show the layers of a network in the HTML diagram of an estimator.
try:
    from sklearn.utils._repr_html.estimator import _VisualBlock
except ImportError:  # scikit-learn 1.6
    from sklearn.utils._estimator_html_repr import _VisualBlock

# Index arrays, lists and DataFrames by row.
from sklearn.utils import _safe_indexing

# Apply `set_output` in transformers that return a table only for some inputs.
from sklearn.utils._set_output import _wrap_data_with_container

# Validate `classes` in `partial_fit`.
from sklearn.utils.multiclass import _check_partial_fit_first_call

# Select rows of metadata; validate `sample_weight`, and `y` of X with more than two dimensions; get
# the column names of a table.
from sklearn.utils.validation import (
    _check_method_params,
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
    "_VisualBlock",
    "_check_method_params",
    "_check_partial_fit_first_call",
    "_check_sample_weight",
    "_check_y",
    "_clone_parametrized",
    "_fit_context",
    "_get_feature_names",
    "_safe_indexing",
    "_wrap_data_with_container",
]
