"""``skgenre extract``."""

from __future__ import annotations

import click

from .._printable import printable
from .options import (
    UserPath,
    count_tracks,
    count_unusable,
    jobs_option,
    on_a_terminal,
    sources_argument,
)

#: Maximum number of segments, which corresponds to 24 hours. A store allocates this number of
#: segments for each track, independent of its duration.
_MAX_SEGMENTS = 28_800


@click.command()
@sources_argument
@click.option(
    "-o",
    "--output",
    required=True,
    type=UserPath(),
    help="Folder of the store. It is created if it is missing.",
)
@click.option(
    "--features",
    type=click.Choice(["mfcc", "mel", "descriptors", "musicnn"]),
    default="mfcc",
    show_default=True,
    help="Features to compute: MFCCs of 3-second segments, log-mel spectrograms or descriptors of "
    "30-second segments, or musicnn embeddings of 3-second segments.",
)
@click.option(
    "--segments",
    type=click.IntRange(1, _MAX_SEGMENTS),
    help="Maximum number of segments per track, for which disk space is allocated.  [default: 10 "
    "segments of 3 seconds, 1 segment of 30 seconds]",
)
@click.option(
    "--placement",
    type=click.Choice(["start", "spread"]),
    help="Whether segments are at the start of the track or spread evenly over it.  [default: "
    "start; spread for musicnn]",
)
@click.option(
    "--strict", is_flag=True, help="Raise an error instead of a warning if a file cannot be used."
)
@jobs_option
def extract(sources, output, features, segments, placement, strict, jobs) -> None:
    """Compute features of audio files and write them to a store.

    An interrupted extraction is resumed by the same command. Use skgenre.load_store to open the
    store. The exit code is 1 if no file can be used.
    """
    import numpy as np

    from .. import features as front_ends
    from .inputs import audio_files

    front = {
        "mfcc": front_ends.MFCCSegmenter,
        "mel": front_ends.MelSegmenter,
        "descriptors": front_ends.TrackDescriptors,
        "musicnn": front_ends.MusicnnEmbedder,
    }[features]()
    front.set_params(
        n_segments=segments or (1 if features in ("mel", "descriptors") else 10),
        placement=placement or front.placement,
        on_error="raise" if strict else "warn",
        n_jobs=jobs,
        verbose=int(on_a_terminal()),
    )
    try:
        store = front_ends.extract_store(front, audio_files(sources), output)
    except front_ends.UnreadableTracksError as error:
        raise ValueError(f"{error.summary}\nRemove them, or omit --strict.") from error
    n = len(store.data)
    # All segments of unusable tracks are NaN.
    n_used = n - int(np.isnan(store.data[:, :, 0, 0]).all(axis=1).sum())
    if not n_used:
        every = count_tracks(n, n)
        raise ValueError(f"{output}: none of {every} can be used; see the warnings above")
    size = f"{store.data.nbytes / 1e6:.1f} MB"
    click.echo(printable(f"{output}: {count_tracks(n_used, n)}, {size}{count_unusable(n_used, n)}"))
