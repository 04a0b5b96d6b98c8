"""The command line: thin calls into the library, and one line for each error.

What takes long to import is imported where it is used, so that ``--help`` is instant.
"""

from __future__ import annotations

import warnings

import click

from .evaluate import evaluate
from .extract import extract
from .options import one_line
from .predict import predict
from .train import train


class _Commands(click.Group):
    """Commands whose errors and warnings are lines, not tracebacks."""

    def invoke(self, ctx: click.Context):
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except (ValueError, TypeError, OSError, ImportError) as error:
                raise click.ClickException(one_line(error)) from error


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    click.echo(f"Warning: {one_line(message)}", err=True)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="skgenre")
def main() -> None:
    """Classify music by genre."""


for command in (extract, train, evaluate, predict):
    main.add_command(command)
