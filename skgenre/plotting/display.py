"""Base class of the displays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

import numpy as np


def import_pyplot():
    """Import matplotlib, or say how to install it."""
    try:
        import matplotlib.pyplot
    except ImportError as error:
        raise ImportError(
            "Plotting requires matplotlib: pip install skgenre[plot], or pip install matplotlib"
        ) from error
    return matplotlib.pyplot


class Display:
    """Base class of the displays.

    Subclasses implement ``_draw``. After :meth:`plot`, the axes and the figure are available as
    ``ax_`` and ``figure_``.
    """

    #: Size of a new figure in inches, and its number of axes.
    _size, _n_axes = (9.0, 3.4), 1

    def plot(self, ax=None) -> Self:
        """Plot the visualization.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            Axes to plot on; displays with two panels take an array of two. If None, a new figure
            is created.

        Returns
        -------
        display : object
            The display itself, with ``ax_`` and ``figure_`` set.
        """
        if ax is None:
            _, ax = import_pyplot().subplots(
                1, self._n_axes, figsize=self._size, layout="constrained"
            )
        self._draw(ax)
        self.ax_ = ax
        self.figure_ = np.ravel(ax)[0].figure
        return self

    _draw: Callable[..., None]
