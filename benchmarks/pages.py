"""Bar charts and tables of the pages that benchmarks write; charts for light and dark pages."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

IMAGES = Path(__file__).parent.parent / "docs" / "images"
TICKS = [m * 10**e for e in range(-4, 5) for m in (1, 2, 5)]
THEMES = {"light": ("#222832", "#2f6fb0", "#b04a2f"), "dark": ("#ced6dd", "#6aa9e9", "#e98f6a")}


def bars(name, labels, values, texts, *, base, axis, emphasis=None, width=5.2):
    """Draw horizontal bars on a logarithmic axis, each under its label.

    Labels stand above the bars, so that the chart is narrow enough for a phone.

    Parameters
    ----------
    name : str
        The charts are ``docs/images/<name>_light.svg`` and ``<name>_dark.svg``.
    labels, values, texts : list
        A label, the length and the text at the end of each bar.
    base : float
        Value at which the bars start.
    axis : str
        Label of the axis.
    emphasis : callable, default=None
        Whether a value is drawn in the second color.
    width : float, default=5.2
        Width of the chart in inches.
    """
    for theme, (ink, color, other) in THEMES.items():
        style = {
            **dict.fromkeys(
                ("text.color", "axes.labelcolor", "xtick.color", "axes.edgecolor"), ink
            ),
            "font.size": 9,
            "svg.hashsalt": name,
            "svg.fonttype": "none",  # text and not outlines, a tenth of the size
            "font.family": "sans-serif",
            "font.sans-serif": ["Arial", "DejaVu Sans", "sans-serif"],
        }
        with plt.rc_context(style):
            figure, ax = plt.subplots(
                figsize=(width, 0.42 * len(labels) + 0.55), layout="constrained"
            )
            colors = [other if emphasis and emphasis(value) else color for value in values]
            rows = range(len(labels))
            ax.barh(rows, [value - base for value in values], 0.38, left=base, color=colors)
            ax.set_xscale("log")
            low, high = min(*values, base), max(*values, base)
            ax.set_xlim(low / (1.05 if low == base else 1.6), high * (high / low) ** 0.14)
            left = ax.get_xlim()[0]
            for row, (label, value, text) in enumerate(zip(labels, values, texts, strict=True)):
                ax.text(left, row - 0.26, label, va="bottom")
                ax.annotate(
                    text, (max(value, base), row), (3, 0), textcoords="offset points", va="center"
                )
            if low < base:
                ax.vlines(
                    [base] * len(labels),
                    [row - 0.22 for row in rows],
                    [row + 0.22 for row in rows],
                    color=ink,
                    linewidth=0.8,
                )
            ticks = [t for t in TICKS if ax.get_xlim()[0] <= t <= ax.get_xlim()[1]]
            ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            ax.set_xticks([], minor=True)
            ax.set_ylim(len(labels) - 0.6, -0.75)
            ax.set_yticks([])
            ax.set_xlabel(axis)
            ax.spines[["top", "right", "left"]].set_visible(False)
            figure.savefig(
                IMAGES / f"{name}_{theme}.svg", transparent=True, metadata={"Date": None}
            )
            plt.close(figure)


def save_svg(figure, name):
    """Save a figure as ``docs/images/<name>.svg``, with text and not outlines of it."""
    with plt.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)


def image(name, alt):
    """Return the reStructuredText that shows the chart of the page's theme."""
    return "\n".join(
        f".. image:: images/{name}_{theme}.svg\n   :class: only-{theme} chart\n   :alt: {alt}\n"
        for theme in THEMES
    )


def table(head, rows, indent=""):
    """Return a table in reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in (head, *rows):
        lines += [f"   {'*' if i == 0 else ' '} - {cell}".rstrip() for i, cell in enumerate(row)]
    return "\n".join(indent + line if line else line for line in lines)


def records_table(records):
    """Return a table of rows that are mappings of column to cell."""
    return table(list(records[0]), [list(record.values()) for record in records])


def frame_table(frame, form, corner):
    """Return a table of a DataFrame of numbers, whose index is in the first column."""
    rows = [
        [name, *map(form.format, row)]
        for name, row in zip(frame.index, frame.to_numpy(), strict=True)
    ]
    return table([corner, *frame.columns], rows)
