"""The private names of scikit-learn that skgenre uses, each with its reason.

Those of which fitted models consist are in ``persistence/privates.py``.
"""

# The decorator by which scikit-learn validates parameters before a fit.
from sklearn.base import _fit_context

# The constraints of which `_parameter_constraints`, scikit-learn's parameter tables, are made.
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

# A box of the diagram that notebooks show, for the layers of a network in it.
try:
    from sklearn.utils._repr_html.estimator import _VisualBlock
except ImportError:  # scikit-learn 1.6
    from sklearn.utils._estimator_html_repr import _VisualBlock

# The routing of metadata that an estimator asks for, with `set_fit_request`, say.
# Rows of whatever scikit-learn takes: arrays, lists, tables.
from sklearn.utils import _safe_indexing
from sklearn.utils._metadata_requests import SIMPLE_METHODS

# What `set_output` does, for transformers whose output is a table only some of the time.
from sklearn.utils._set_output import _wrap_data_with_container

# The rules of `partial_fit(classes=...)`.
from sklearn.utils.multiclass import _check_partial_fit_first_call

# The rules of `sample_weight`, and of `y` where X is no table.
from sklearn.utils.validation import _check_sample_weight, _check_y

__all__ = [
    "SIMPLE_METHODS",
    "HasMethods",
    "Interval",
    "StrOptions",
    "_VisualBlock",
    "_check_partial_fit_first_call",
    "_check_sample_weight",
    "_check_y",
    "_fit_context",
    "_safe_indexing",
    "_wrap_data_with_container",
]
