"""Write the figures of the page on scale and its charts from ``docs/scale.json``.

``benchmarks/scale.py`` measures the figures and calls this; ``python benchmarks/scale_page.py``
writes them again without measuring.
"""

import json
from pathlib import Path

from charts import bars, image, table

DOCS = Path(__file__).parent.parent / "docs"
FIGURES = DOCS / "scale.json"
N_TRACKS = (1_000, 100_000, 10_000_000)

TEXT = """\
.. Written by benchmarks/scale_page.py.

Time
----

Processing time for 100,000 tracks on one thread:

{time_chart}
.. dropdown:: Table

{time_table}

Memory and disk
---------------

Sizes for 100,000 tracks:

{size_chart}
.. dropdown:: Table

{size_table}

Many fits in one process
------------------------

Each network is fitted {n_last} times in one process. The table lists the memory of the process
after {n_first} and after {n_last} fits, and the median time of the last five fits.

{fits}

In a search over 60 architectures (120 fits), each of joblib's workers uses between
{architectures[smallest]:.0f} and {architectures[largest]:,.0f} MB.

Parallel searches
-----------------

A search with 24 fits takes {search[one]:.1f} s with one worker and {search[two]:.1f} s with two.
With loky and with Dask, the scores {scores} those of one worker.

Interrupted extraction
----------------------

The extraction of {extraction[n_files]:,} files of half a second takes
{extraction[seconds]:.0f} s and uses {extraction[mb]:.0f} MB. In a second run, the
process was killed twice and the extraction was resumed each time. The resulting store
{bytes} the store of the uninterrupted run. Number of files opened twice:
{extraction[twice]}. Number of files never opened: {extraction[never]}.

Training from a store
---------------------

The memory of a process is {store[tiny]:.0f} MB after it has fitted a CNN on a few tracks. While the
process trains a CNN on a store of {store[gb]:g} GB, the memory peaks at {store[peak]:.0f} MB,
which is {store[added]:.0f} MB more. If the same tensor is loaded into memory, the peak is
{store[in_memory]:,.0f} MB. The weights of the two networks {weights}.

These figures are from {machine}, Python {python}.
"""


def duration(seconds):
    """Format a time."""
    for name, unit in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s" if seconds >= 1 else "under 1 s"


def size(n_bytes):
    """Format a number of bytes."""
    for name, unit in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= unit:
            return f"{n_bytes / unit:.3g} {name}"
    return f"{n_bytes / 1e3:.3g} kB"


def page(figures):
    """Return the part of the page in reStructuredText; its charts are drawn on the way."""
    cost, sizes = figures["ms_per_track"], figures["bytes_per_track"]
    n = N_TRACKS[1]
    names = sorted(cost, key=cost.get, reverse=True)
    hours = [cost[name] * n / 3.6e6 for name in names]
    texts = [duration(3600 * value) for value in hours]
    base = 0.8 * min(hours)
    bars("scale_time", names, hours, texts, base=base, axis="hours for 100,000 tracks")
    size_names = sorted(sizes, key=sizes.get, reverse=True)
    gb = [sizes[name] * n / 1e9 for name in size_names]
    texts = [size(1e9 * value) for value in gb]
    base = 0.5 * min(gb)
    bars("scale_size", size_names, gb, texts, base=base, axis="GB for 100,000 tracks")
    head = [f"{n_tracks:,} tracks" for n_tracks in N_TRACKS]
    fits = figures["fits"]
    equal = {True: "are equal to", False: "differ from"}
    return TEXT.format(
        time_chart=image("scale_time", "Time for 100,000 tracks at each stage"),
        time_table=table(
            ["stage", "ms per track", *head],
            [
                [name, f"{ms:.1f}", *(duration(ms / 1000 * n_tracks) for n_tracks in N_TRACKS)]
                for name, ms in cost.items()
            ],
            "   ",
        ),
        size_chart=image("scale_size", "Memory and disk space for 100,000 tracks"),
        size_table=table(
            ["data", "bytes per track", *head],
            [
                [name, f"{n_bytes:,.0f}", *(size(n_bytes * n_tracks) for n_tracks in N_TRACKS)]
                for name, n_bytes in sizes.items()
            ],
            "   ",
        ),
        n_first=10,
        n_last=figures["n_fits"],
        fits=table(
            ["network", "MB after 10", f"MB after {figures['n_fits']}", "s per fit"],
            [
                [name, f"{fit['mb']:.0f}", f"{fit['last_mb']:.0f}", f"{fit['last_s']:.2f}"]
                for name, fit in fits.items()
            ],
        ),
        architectures=figures["architectures"],
        search=figures["search"],
        scores=equal[figures["search"]["equal"]],
        extraction=figures["extraction"],
        bytes="is byte-identical to" if figures["extraction"]["equal"] else "differs from",
        store=figures["store"],
        weights="are equal" if figures["store"]["equal"] else "differ",
        machine=figures["machine"],
        python=figures["python"],
    )


def main():
    (DOCS / "scale_figures.txt").write_text(page(json.loads(FIGURES.read_text())))


if __name__ == "__main__":
    main()
