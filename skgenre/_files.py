"""Files that are replaced whole, so that none is ever seen half written."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time
from pathlib import Path

#: Temporary files, which only a killed process leaves behind.
_TEMPORARY = re.compile(r"\.skgenre-[0-9a-f]{16}\.tmp")

#: Age in seconds from which on a temporary file is nobody's: writing one takes seconds.
_ABANDONED = 3600


def replace_file(path: str | os.PathLike, content) -> None:
    """Write a file whole: whoever opens it sees the earlier content or all of the new.

    The content goes to a temporary file of its own in the same folder, which then takes the
    place of the file, so that two processes may write one path at a time. A link stays and the
    file that it names is replaced; an existing file keeps its mode. Temporary files that killed
    processes have left in the folder are removed an hour later.

    Parameters
    ----------
    path : str or path-like
    content : bytes-like

    Raises
    ------
    OSError
        If it cannot be written; an earlier file is as it was.
    """
    # Through links, and the mode of what they name; a missing file has none.
    target = Path(os.path.realpath(path))
    mode = None
    with contextlib.suppress(FileNotFoundError):
        mode = os.stat(target).st_mode
    if mode is not None and not stat.S_ISREG(mode):
        target.write_bytes(content)  # a pipe or a device cannot be replaced
        return
    new = target.with_name(f".skgenre-{secrets.token_hex(8)}.tmp")
    try:
        _write(new, content, mode)
        os.replace(new, target)
    except OSError as error:
        # The user knows the file by this name, not by the temporary one.
        error.filename = os.fspath(path)
        del error.filename2
        raise
    finally:
        with contextlib.suppress(OSError):
            new.unlink()  # there is none if all went well
    _remove_abandoned(target.parent)


def _write(new: Path, content, mode: int | None) -> None:
    # "x": never a file that is there already. Its mode is what the umask leaves.
    with open(new, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if mode is not None:
        os.chmod(new, stat.S_IMODE(mode))


def _remove_abandoned(folder: Path) -> None:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if _TEMPORARY.fullmatch(entry.name):
                with contextlib.suppress(OSError):
                    if time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED:
                        os.unlink(entry.path)
