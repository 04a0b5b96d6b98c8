"""The command line: thin calls into the library, and one line for each error.

What takes long to import is imported where it is used, so that ``--help`` is at once there.
"""

from __future__ import annotations

import os
import sys
import warnings

import click


class _Commands(click.Group):
    """Commands whose errors and warnings are lines, not tracebacks."""

    def invoke(self, ctx: click.Context):
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except (ValueError, OSError, ImportError) as error:
                raise click.ClickException(_one_line(error)) from error


def _one_line(message) -> str:
    return " ".join(str(message).split())


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    click.echo(f"Warning: {_one_line(message)}", err=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="skgenre")
def main() -> None:
    """Tell the genre of music."""


def _audio_files(sources: tuple[str, ...]) -> list[str]:
    """Files as they were given, and all audio files of folders."""
    from .datasets import list_audio

    paths: list[str] = []
    for source in sources:
        if not os.path.exists(source):
            raise FileNotFoundError(f"there is no file or folder {source}")
        found = list_audio(source) if os.path.isdir(source) else [source]
        if not found:
            raise ValueError(f"{source} holds no audio files; give files, or a folder with some")
        paths += found
    return paths


def _on_a_terminal() -> bool:
    """Whether to show progress."""
    return sys.stderr.isatty()


_jobs = click.option(
    "--jobs", type=int, default=-1, show_default="all cores", help="Files read at once."
)
_strict = click.option(
    "--strict", is_flag=True, help="End with an error if a file cannot be used, not a warning."
)


@main.command()
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
@_strict
@_jobs
def extract(sources, output, segments, placement, strict, jobs) -> None:
    """Compute the MFCC segments of audio files into a store.

    Begun stores go on where they ended. skgenre.load_store opens a finished one.
    """
    from .segmenter import MFCCSegmenter
    from .store import extract_store

    segmenter = MFCCSegmenter(
        n_segments=segments,
        placement=placement,
        on_error="raise" if strict else "warn",
        n_jobs=jobs,
        verbose=int(_on_a_terminal()),
    )
    store = extract_store(segmenter, _audio_files(sources), output)
    click.echo(f"{output}: {len(store.data)} tracks, {store.data.nbytes / 1e6:.1f} MB")
