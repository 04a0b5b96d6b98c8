"""Paths passed by users, and atomic replacement of files."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time
from pathlib import Path

#: Names of temporary files. They remain only if the process is killed while writing.
_TEMPORARY = re.compile(r"\.skgenre-[0-9a-f]{16}\.tmp")

#: Age in seconds after which a temporary file is considered abandoned.
_ABANDONED = 3600


def expand(path: str | os.PathLike) -> str:
    """Convert a path to a string and expand ``~`` to the home directory."""
    return os.path.expanduser(os.fsdecode(path))


def replace_file(path: str | os.PathLike, content) -> None:
    """Write a file atomically, so that readers see either the old or the new content.

    The content is written to a temporary file in the same folder, which then replaces the file;
    two processes can write to the same path at a time. Symbolic links are followed, and an
    existing file keeps its mode. Temporary files left behind by killed processes are removed once
    they are an hour old.

    Parameters
    ----------
    path : str or path-like
    content : bytes-like
        New content of the file.

    Raises
    ------
    OSError
        If the file cannot be written. An existing file is left unchanged.
    """
    target = Path(os.path.realpath(path))
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(target).st_mode
    if mode is not None and not stat.S_ISREG(mode):
        target.write_bytes(content)  # pipes and devices cannot be replaced
        return
    new = target.with_name(f".skgenre-{secrets.token_hex(8)}.tmp")
    try:
        with open(new, "xb") as file:  # never overwrites an existing file
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(new, stat.S_IMODE(mode))
        os.replace(new, target)
    except OSError as error:
        # Report the path that the user passed, not the temporary file.
        error.filename = os.fspath(path)
        del error.filename2
        raise
    finally:
        with contextlib.suppress(OSError):
            new.unlink()  # fails if the file was moved, as it normally is
    _remove_abandoned(target.parent)


def _remove_abandoned(folder: Path) -> None:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED:
                        os.unlink(entry.path)
