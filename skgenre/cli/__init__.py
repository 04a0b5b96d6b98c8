"""The command line: thin calls into the library, and one line for each error.

What takes long to import is imported where it is used, so that ``--help`` is instant.
"""

from __future__ import annotations

import click

from .errors import Commands
from .evaluate import evaluate
from .extract import extract
from .predict import predict
from .timeline import timeline
from .train import train


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--traceback",
    "show_traceback",
    is_flag=True,
    help="Show where an error comes from, not only one line.",
)
@click.version_option(package_name="skgenre")
def main(show_traceback: bool) -> None:
    """Classify music by genre."""


for command in (extract, train, evaluate, predict, timeline):
    main.add_command(command)
