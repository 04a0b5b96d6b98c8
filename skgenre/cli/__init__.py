"""Command-line interface.

Modules that take long to import are imported inside the functions that use them, so that
``--help`` is fast.
"""

from __future__ import annotations

import click

from .errors import Commands
from .evaluate import evaluate
from .extract import extract
from .info import info
from .predict import predict, timeline
from .train import train


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--traceback",
    "show_traceback",
    is_flag=True,
    help="Show the full traceback of errors.",
)
@click.version_option(package_name="skgenre")
def main(show_traceback: bool) -> None:
    """Classify music by genre."""


for command in (extract, train, evaluate, predict, timeline, info):
    main.add_command(command)
