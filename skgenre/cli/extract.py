"""``skgenre extract``."""

from __future__ import annotations

import click

from .options import audio_files, jobs_option, on_a_terminal, strict_option


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="FILE_OR_FOLDER...")
@click.option("-o", "--output", required=True, help="Folder of the store; made if missing.")
@click.option(
    "--segments", type=click.IntRange(1), default=10, show_default=True, help="Most of a track."
)
@click.option(
    "--placement",
    type=click.Choice(["start", "spread"]),
    default="start",
    show_default=True,
    help="Take segments from the start, or spread over the whole track.",
)
@strict_option
@jobs_option
def extract(sources, output, segments, placement, strict, jobs) -> None:
    """Compute the MFCC segments of audio files into a store.

    Begun stores go on where they ended. skgenre.load_store opens a finished one.
    """
    from ..features import MFCCSegmenter, extract_store

    segmenter = MFCCSegmenter(
        n_segments=segments,
        placement=placement,
        on_error="raise" if strict else "warn",
        n_jobs=jobs,
        verbose=int(on_a_terminal()),
    )
    store = extract_store(segmenter, audio_files(sources), output)
    click.echo(f"{output}: {len(store.data)} tracks, {store.data.nbytes / 1e6:.1f} MB")
