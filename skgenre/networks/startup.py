"""Lines that TensorFlow writes to standard error while it starts, which say nothing of a mistake.

They are written before TensorFlow reads ``TF_CPP_MIN_LOG_LEVEL``, by its libraries in C++.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

#: What is left out, as an extended regular expression: the announcement of messages, all those of
#: the level INFO, and errors about a GPU where there is none.
_USUAL = (
    "^WARNING: All log messages before absl::InitializeLog|^I[0-9]{4} |"
    "^[EW][0-9]{4} .*(failed call to cuInit|Unable to register cu|computation placer already)"
)


@contextlib.contextmanager
def without_usual_lines() -> Iterator[None]:
    """Leave out the usual lines of what is written to file descriptor 2 in a ``with`` block.

    Another process does it, so that all other lines are shown even if this process crashes, for
    example because TensorFlow does not support the processor. Lines of other threads are shown,
    too. Without the program ``grep``, nothing is left out.
    """
    try:
        saved = os.dup(2)
    except OSError:  # closed
        yield
        return
    try:
        # In its own session, so that Ctrl-C does not end it before what is still to be shown.
        filtering = subprocess.Popen(
            ["grep", "-a", "-E", "-v", _USUAL],
            stdin=subprocess.PIPE,
            stdout=saved,
            start_new_session=True,
        )
    except OSError:
        os.close(saved)
        yield
        return
    assert filtering.stdin is not None
    os.dup2(filtering.stdin.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        filtering.stdin.close()
        # Processes that other threads started meanwhile may keep their standard error open.
        with contextlib.suppress(subprocess.TimeoutExpired):
            filtering.wait(timeout=1)
