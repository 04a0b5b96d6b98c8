"""Write the page on speed and its charts from the figures in ``docs/speed.json``.

``benchmarks/speed.py`` measures the figures and calls this; ``python benchmarks/speed_page.py``
writes the page again without measuring.
"""

import json
from pathlib import Path

from charts import bars, image, table

DOCS = Path(__file__).parent.parent / "docs"
FIGURES = DOCS / "speed.json"
GROUPS = ("Features", "Training", "Prediction")

HEAD = """\
.. Written by benchmarks/speed_page.py.

Speed
=====

The charts compare skgenre with alternatives that compute the same results. A value of 2 means
that skgenre takes half the time. The times are measured by ``make bench``
(``benchmarks/speed.py``) on {n_tracks} {tracks} ({machine}, Python {python}).
Unless a row specifies otherwise, one thread is used. For each row, skgenre and the alternative
are run alternately after a warm-up, and the median times are reported. The
search is run only once. Rows may be from different runs, and of different machines of this kind;
the two times of a row are always of the same run.
"""

TAIL = """
Processes and memory
--------------------

{process}

- The table lists the time and memory of a new process that loads a saved CNN pipeline and predicts
  one song. With scikeras and librosa, the time is {time:.1f} times as long and the peak memory is
  {memory:.1f} times as large as with skgenre.
- In a grid search with 6 candidates and 3 folds, each file is decoded {cached} if the segmenter
  has a cache (``memory=``), and {uncached} otherwise.
- The extraction of a thousand tracks has a peak memory of {peak:.0f} MB. The resulting
  tensor accounts for {output:.0f} MB of it.

Rates
-----

On one thread, this machine multiplies matrices at {gemm:.0f} Gflop/s (sgemm) and copies memory at
{copy:.0f} GB/s. The table compares the rates of skgenre with these limits.

- Gflop/s: the floating-point operations of Fourier transforms (2.5 N log2 N for length N) and
  networks, per second. A training step is counted as three forward passes. The forward pass of a
  segment takes {ANN:.1f} Mflop in the ANN, {CNN:.1f} in the CNN and {LSTM:.1f} in the LSTM.
- GB/s: the bytes read per second, which are 16-bit samples or cached arrays.

.. dropdown:: Table

{rates}
"""


def group_of(what):
    """Return the section of a row."""
    if what.startswith(("fit ", "24-fit")):
        return "Training"
    return "Prediction" if what.startswith("predict") else "Features"


def count(n):
    return {1: "once", 2: "twice"}.get(round(n), f"{n:.0f} times")


def milliseconds(ms):
    return f"{ms:,.0f}" if ms >= 100 else f"{ms:.1f}"


def card(rows):
    """Draw the small chart of the front page."""
    times = {(row["what"], row["against"].split(",")[0]): row["times"] for row in rows}
    chosen = {
        "MFCCs, librosa": times["MFCCs of a 30 s track", "librosa"],
        "with MP3 decoding": times["MFCCs of a 30 s MP3 file", "librosa.load"],
        "grid search, scikeras": times["24-fit search, LSTM", "scikeras"],
        "prediction, scikeras": times["predict_proba of one track, CNN", "scikeras"],
    }
    texts = [f"{ratio:.0f} times as fast" for ratio in chosen.values()]
    bars("speed_card", list(chosen), list(chosen.values()), texts, base=1, axis="", width=2.6)


def page(figures):
    """Return the page in reStructuredText; its charts are drawn on the way."""
    rows = figures["rows"]
    card(rows)
    text = HEAD.format(
        n_tracks=figures["n_tracks"],
        tracks="recordings of GTZAN" if figures["recordings"] else "synthetic tracks",
        machine=figures["machine"],
        python=figures["python"],
    )
    for group in GROUPS:
        chosen = [row for row in rows if group_of(row["what"]) == group]
        ratios = [row["times"] for row in chosen]
        bars(
            f"speed_{group.lower()}",
            [f"{row['what']} vs. {row['against']}" for row in chosen],
            ratios,
            [
                f"{ratio:.0f}" if ratio > 10 else f"{ratio:.{1 if ratio > 1 else 2}f}"
                for ratio in ratios
            ],
            base=1,
            axis="times as fast",
            emphasis=lambda ratio: ratio < 1,
        )
        cells = [
            [
                row["what"],
                row["against"],
                milliseconds(row["ours_ms"]),
                milliseconds(row["theirs_ms"]),
                f"{ratio:.2f}",
            ]
            for row, ratio in zip(chosen, ratios, strict=True)
        ]
        head = ["operation", "alternative", "skgenre (ms)", "alternative (ms)", "times as fast"]
        alt = f"Speed of skgenre relative to the alternatives: {group.lower()}"
        text += f"\n{group}\n{'-' * len(group)}\n\n{image(f'speed_{group.lower()}', alt)}\n"
        text += f".. dropdown:: Table\n\n{table(head, cells, '   ')}\n"
    rates = [
        [
            row["what"],
            f"{row['gflop_per_s']:.1f}" if row["gflop_per_s"] else "",
            f"{row['of_sgemm']:.0%}" if row["gflop_per_s"] else "",
            f"{row['gb_per_s']:.2f}" if row["gb_per_s"] else "",
            f"{row['of_copying']:.1%}" if row["gb_per_s"] else "",
        ]
        for row in rows
        if row["gflop_per_s"] or row["gb_per_s"]
    ]
    process = figures["process"]
    names = {"skgenre": "skgenre", "scikeras": "scikeras and librosa"}
    return text + TAIL.format(
        process=table(
            ["new process, one song", "seconds", "peak memory (MB)"],
            [[names[name], f"{process[name][0]:.1f}", f"{process[name][1]:.0f}"] for name in names],
        ),
        time=process["times"][0],
        memory=process["times"][1],
        cached=count(figures["opened"]["cached"]),
        uncached=count(figures["opened"]["uncached"]),
        peak=figures["extraction"]["peak_mb"],
        output=figures["extraction"]["output_mb"],
        gemm=figures["gemm"],
        copy=figures["copy"],
        **figures["mflop"],
        rates=table(
            ["operation", "Gflop/s", "share of sgemm", "GB/s", "share of copying"], rates, "   "
        ),
    )


def main():
    (DOCS / "speed.rst").write_text(page(json.loads(FIGURES.read_text())))


if __name__ == "__main__":
    main()
