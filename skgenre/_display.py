"""What displays share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np


def _pyplot():
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError(
            "Pictures need matplotlib: pip install skgenre[plot], or pip install matplotlib"
        ) from error
    return matplotlib.pyplot


class Display:
    """What displays share: `plot` draws on given or new axes and keeps both."""

    #: Width and height of a new figure, in inches, and number of its axes.
    _size, _n_axes = (9.0, 3.4), 1

    def plot(self, ax=None) -> Self:
        """Draw it.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure. An array of two for histories.

        Returns
        -------
        display : object
            The display itself.
        """
        return self._plot(ax)

    def _plot(self, ax, **options) -> Self:
        if ax is None:
            _, ax = _pyplot().subplots(1, self._n_axes, figsize=self._size, layout="constrained")
        self._draw(ax, **options)
        self.ax_ = ax
        self.figure_ = np.ravel(ax)[0].figure
        return self

    _draw: Callable[..., None]
