"""Handling of the Keras callbacks that are passed to a network."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence

from .._sklearn import _clone_parametrized


def make_callbacks(callbacks: Sequence | Callable[[], Sequence] | None) -> list:
    """Create the callbacks of one fit by calling `callbacks` or by copying them deeply."""
    if callbacks is None:
        return []
    if not callable(callbacks):
        with _explaining_copies():
            return list(copy.deepcopy(callbacks))
    made = callbacks()
    if not isinstance(made, list | tuple):
        raise TypeError(
            f"callbacks={callbacks!r} must return a list of Keras callbacks; it returned {made!r}."
        )
    return list(made)


@contextlib.contextmanager
def _explaining_copies() -> Iterator[None]:
    """Raise TypeError with the remedy if callbacks cannot be copied."""
    try:
        yield
    except Exception as error:  # callbacks may raise anything when they are copied
        raise TypeError(
            f"The callbacks cannot be copied for a fit: {error}. Pass a function that creates "
            "them for each fit: callbacks=lambda: [...]."
        ) from error


class WithCallbacks:
    """Mixin that copies an estimator with its callbacks and pickles it without them.

    By default, both `copy` and `pickle` use ``__getstate__``. Therefore the methods for copying
    are implemented separately.
    """

    def __copy__(self):
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        return new

    def __deepcopy__(self, memo):
        new = memo[id(self)] = copy.copy(self)
        for name, value in self.__dict__.items():
            if name == "callbacks":
                with _explaining_copies():
                    new.__dict__[name] = copy.deepcopy(value, memo)
            elif name != "callbacks_":  # some callbacks cannot be copied after a fit
                new.__dict__[name] = copy.deepcopy(value, memo)
        return new

    def __sklearn_clone__(self):
        try:
            return _clone_parametrized(self)
        except Exception:
            if not callable(self.callbacks):
                make_callbacks(self.callbacks)  # raises the error that explains, if they cause it
            raise

    def __getstate__(self):
        state = super().__getstate__()
        if "weights_" in state:
            # A fitted estimator does not need callbacks. An unfitted one keeps them, since it
            # may be sent to a worker process that fits it.
            state = {name: value for name, value in state.items() if name != "callbacks_"}
            state["callbacks"] = None
        return state
