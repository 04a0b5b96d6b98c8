"""Errors and warnings on single lines, and exit codes of the commands."""

from __future__ import annotations

import sys
import traceback
import warnings
from pathlib import Path

import click

from .._printable import printable

#: Exit code after Ctrl-C, as in shells.
_INTERRUPTED = 130

_PACKAGE = str(Path(__file__).parent.parent)


class Commands(click.Group):
    """Group of commands that print errors and warnings as single lines.

    Expected errors are printed without traceback: any OSError, and a ValueError or ImportError
    that is raised by skgenre itself, for example for a file that cannot be used. Other errors,
    such as a TypeError or a ValueError raised by another library, are bugs in skgenre and are
    printed with their traceback.
    """

    def make_context(self, *args, **kwargs):
        """Parse the options of the group."""
        try:
            return super().make_context(*args, **kwargs)
        except click.ClickException as error:
            raise _with_printable_message(error) from None

    def invoke(self, ctx: click.Context):
        """Run a command."""
        with warnings.catch_warnings():
            warnings.simplefilter("default", UserWarning)
            # Raised by the default preset for few tracks. The user cannot avoid it.
            warnings.filterwarnings("ignore", message="n_quantiles .* is greater than the total")
            # Raised by linear discriminant analysis for one track of a genre; train names it.
            warnings.filterwarnings("ignore", message="Only one sample available")
            warnings.showwarning = _show_warning
            try:
                return super().invoke(ctx)
            except click.ClickException as error:
                raise _with_printable_message(error) from None
            except (click.exceptions.Exit, click.Abort, BrokenPipeError):
                raise  # click ends without a message
            except KeyboardInterrupt:
                sys.exit(_INTERRUPTED)
            except Exception as error:
                if ctx.params.get("show_traceback") or not is_expected(error):
                    for line in "".join(traceback.format_exception(error)).splitlines():
                        click.echo(printable(line), err=True)
                    sys.exit(1)
                raise click.ClickException(_message(error)) from error


def _message(error: Exception) -> str:
    """Return the message of an error in one line, without the number of an OSError."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return single_line(f"{error.filename}: {error.strerror}")
    return single_line(error) or type(error).__name__


def single_line(message) -> str:
    """Return a message without line breaks and control characters."""
    return printable(" ".join(str(message).split()))


def is_expected(error: Exception) -> bool:
    """Return whether an error is caused by the input and explained by its message."""
    if isinstance(error, OSError):
        return True
    if not isinstance(error, ValueError | ImportError):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].filename.startswith(_PACKAGE)


def _with_printable_message(error: click.ClickException) -> click.ClickException:
    """Escape control characters in the message of an error, and return the error."""
    vars(error)["message"] = printable(error.message)
    return error


def _show_warning(message, category, filename, lineno, file=None, line=None) -> None:
    click.echo(f"Warning: {single_line(message)}", err=True)
