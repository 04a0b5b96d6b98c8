"""Track tensors of training tracks, whose last segments are those of changed copies."""

from __future__ import annotations

from typing import Any

import numpy as np


class Augmented(np.ndarray):
    """Track tensor of shape ``(n_tracks, n_segments, n_frames, n_coefficients)`` with copies.

    Indexing of tracks, as in cross-validation, copying and pickling keep the attribute. An array
    whose other axes have other sizes is an ordinary one, as is any other result, such as that of
    ``np.concatenate``.

    Attributes
    ----------
    n_recorded : int or None
        Number of segments, from the first, that are of the recording itself. None in ordinary
        arrays.
    """

    n_recorded: int | None = None

    def __array_finalize__(self, obj: Any) -> None:
        if isinstance(obj, Augmented) and self.ndim == 4 and self.shape[1:] == obj.shape[1:]:
            self.n_recorded = obj.n_recorded

    def __reduce__(self) -> tuple:
        # Not the reduction of arrays, which leaves out attributes.
        return with_copies, (self.view(np.ndarray), self.n_recorded)


def with_copies(X: np.ndarray, n_recorded: int | None) -> np.ndarray:
    """View a tensor as one whose segments from `n_recorded` on are of copies, if not None."""
    if n_recorded is None:
        return X
    augmented = X.view(Augmented)
    augmented.n_recorded = n_recorded
    return augmented


def count_recorded(X: Any) -> int | None:
    """Return the number of segments of the recording itself; None if all of them are."""
    return X.n_recorded if isinstance(X, Augmented) else None


def without_copies(X: Any) -> Any:
    """Return the segments of the recordings themselves, as an ordinary array."""
    return np.asarray(X)[:, : X.n_recorded] if isinstance(X, Augmented) else X
