"""``skgenre extract``."""

from __future__ import annotations

import click

from .._printable import printable
from .options import audio_files, count, jobs_option, left_out, on_a_terminal, strict_option

#: Segments of a day. A store holds as many rows for each track, however short it is.
_MOST_SEGMENTS = 28_800


def _check_segments(ctx: click.Context, param: click.Parameter, value: int | None) -> int | None:
    if value is not None and not 1 <= value <= _MOST_SEGMENTS:
        raise click.BadParameter(
            f"{value} is not in the range from 1 to {_MOST_SEGMENTS}, the segments of 24 hours. "
            "Each track takes the room of so many; give as many as your longest tracks have."
        )
    return value


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE_OR_FOLDER...")
@click.option("-o", "--output", required=True, help="Folder of the store; made if missing.")
@click.option(
    "--features",
    type=click.Choice(["mfcc", "mel", "descriptors", "musicnn"]),
    default="mfcc",
    show_default=True,
    help="MFCCs of segments of 3 seconds, log-mel spectra or descriptors of windows of 30, or "
    "embeddings of musicnn's patches of 3.",
)
@click.option(
    "--segments",
    type=int,
    callback=_check_segments,
    help="The most segments, windows or patches to take of a track.  [default: 10 of 3 seconds, 1 "
    "of 30]",
)
@click.option(
    "--placement",
    type=click.Choice(["start", "spread"]),
    default="start",
    show_default=True,
    help="Take segments from the start, or spread over the whole track; of mfcc only.",
)
@strict_option
@jobs_option
def extract(sources, output, features, segments, placement, strict, jobs) -> None:
    """Compute features of audio files into a store.

    Begun stores go on where they ended. skgenre.load_store opens a finished one. Ends with 1 if no
    file can be used.
    """
    import numpy as np

    from .. import features as front_ends

    segments = segments or (1 if features in ("mel", "descriptors") else 10)
    make = {
        "mfcc": lambda: front_ends.MFCCSegmenter(n_segments=segments, placement=placement),
        "mel": lambda: front_ends.MelSegmenter(n_windows=segments),
        "descriptors": lambda: front_ends.TrackDescriptors(n_windows=segments),
        "musicnn": lambda: front_ends.MusicnnEmbedder(patches=segments),
    }
    if placement != "start" and features != "mfcc":
        raise ValueError(f"--placement={placement} is for mfcc; {features} takes whole tracks")
    extractor = make[features]().set_params(
        on_error="raise" if strict else "warn", n_jobs=jobs, verbose=int(on_a_terminal())
    )
    store = front_ends.extract_store(extractor, audio_files(sources), output)
    n = len(store.data)
    # A track that cannot be used has no first segment.
    n_used = n - int(np.isnan(store.data[:, 0, 0, 0]).sum())
    if not n_used:
        raise ValueError(f"{output}: none of {count(n, n)} can be used; see the warnings before")
    size = f"{store.data.nbytes / 1e6:.1f} MB"
    click.echo(printable(f"{output}: {count(n_used, n)}, {size}{left_out(n_used, n)}"))
