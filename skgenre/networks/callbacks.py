"""Users' Keras callbacks: made for each fit, kept by copies, left out of pickles."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence


def make_callbacks(callbacks: Sequence | Callable[[], Sequence] | None) -> list:
    """Make the callbacks of one fit: by a call, or as deep copies of those given."""
    if callbacks is None:
        return []
    if not callable(callbacks):
        return list(copy.deepcopy(callbacks))
    made = callbacks()
    if not isinstance(made, list | tuple):
        raise TypeError(
            f"callbacks={callbacks!r} returned {made!r}; it must return a list of Keras callbacks"
        )
    return list(made)


class WithCallbacks:
    """How an estimator with the parameter `callbacks` is copied and pickled.

    `copy` and `pickle` would both ask ``__getstate__``, and only a pickle is to be without them.
    """

    def __copy__(self):
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __deepcopy__(self, memo):
        new = memo[id(self)] = copy.copy(self)
        for name, value in self.__dict__.items():
            if name != "callbacks_":  # a record of the fit; some callbacks cannot be copied
                new.__dict__[name] = copy.deepcopy(value, memo)
        return new

    def __getstate__(self):
        state = super().__getstate__()
        if "weights_" in state:
            # Keras objects, not needed for prediction; an unfitted copy in a worker needs them.
            state = {name: value for name, value in state.items() if name != "callbacks_"}
            state["callbacks"] = None
        return state
