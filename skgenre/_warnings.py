"""Warnings that point at the user's code."""

from __future__ import annotations

import os
import sys
import warnings

import joblib
import sklearn

#: Packages that stand between the user's code and the warning.
_INTERNAL = tuple(
    os.path.dirname(file) + os.sep for file in (__file__, sklearn.__file__, joblib.__file__)
)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning at the first frame outside skgenre, scikit-learn and joblib."""
    frame = sys._getframe(1)
    level = 2  # the caller of `warn`
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INTERNAL):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
