"""Listing of audio files."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from .._files import expand
from .._warnings import warn
from ._names import is_audio

#: Maximum number of folders named in a warning.
_MAX_NAMED = 3


def list_audio(folder: str | os.PathLike) -> list[str]:
    """List the audio files in a folder and its subfolders, identified by their suffixes.

    Parameters
    ----------
    folder : str or path-like
        The folder.

    Returns
    -------
    paths : list of str
        Sorted paths. Hidden folders and hidden files, such as the ``._song.mp3`` of some systems,
        are ignored.

    Raises
    ------
    NotADirectoryError
        If `folder` is not a folder.
    OSError
        If `folder` cannot be read, for example a PermissionError.

    Warns
    -----
    UserWarning
        If subfolders cannot be read. The other files are listed.

    Notes
    -----
    Symbolic links are followed. A file that is reached more than once by symbolic links is listed
    once: at its real path if this is in a subfolder, otherwise by the first link in alphabetical
    order. Hard links are listed as files of their own. Broken links, and links to a folder that
    contains `folder`, are ignored.

    Examples
    --------
    >>> import os, tempfile
    >>> from skgenre.datasets import list_audio, make_tracks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tracks = make_tracks(1, genres=["jazz"], duration=1, folder=folder)
    ...     [os.path.relpath(path, folder) for path in list_audio(folder)]
    ['jazz/jazz_artist_0/jazz.00000.wav']
    """
    folder = expand(folder)
    if not os.path.isdir(folder):
        raise NotADirectoryError(f"{folder} is not a folder")
    # Real paths of folders. A link to a parent of the folder leads back here.
    visited = set(map(str, Path(os.path.realpath(folder)).parents))
    # Paths by real path. Files that are not in a subfolder come last, since they have no genre.
    top = os.path.dirname(os.path.join(folder, ""))
    found: dict[str, str] = {}
    loose: dict[str, str] = {}
    unreadable: dict[str, OSError] = {}
    links = [folder]
    # Real folders come before links, and these before the links in their targets.
    while links:
        starts, links = sorted(links), []
        for start in starts:
            try:
                mode = os.stat(start).st_mode
            except PermissionError as error:
                unreadable[start] = error
                continue
            except OSError:  # a broken link, or a circle of links
                continue
            paths = [start] if stat.S_ISREG(mode) else []
            if stat.S_ISDIR(mode):
                for entry in _walk(start, visited, unreadable):
                    (links if entry.is_symlink() else paths).append(entry.path)
            for path in filter(is_audio, paths):
                paths_by_place = loose if os.path.dirname(path) == top else found
                paths_by_place.setdefault(os.path.realpath(path), path)
    handle_unreadable(folder, unreadable)
    return sorted((loose | found).values())


def _walk(folder: str, visited: set[str], unreadable: dict[str, OSError]) -> Iterator[os.DirEntry]:
    """Iterate over files and links below a folder."""
    folders = [folder]
    while folders:
        parent = folders.pop()
        real = os.path.realpath(parent)
        if real in visited:
            continue
        visited.add(real)
        for entry in visible(parent, unreadable):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                yield entry


def visible(folder: str, unreadable: dict[str, OSError]) -> list[os.DirEntry]:
    """List a folder without hidden names, or add its error to `unreadable`."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        unreadable[folder] = error
        return []


def handle_unreadable(folder: str, unreadable: dict[str, OSError]) -> None:
    """Raise the error of a folder that cannot be read, or warn of its subfolders."""
    if folder in unreadable:
        raise unreadable[folder]
    if unreadable:
        named = [
            f"{path} ({error.strerror or error})" for path, error in sorted(unreadable.items())
        ]
        more = f" and {len(named) - _MAX_NAMED} more" if len(named) > _MAX_NAMED else ""
        warn(
            f"{len(named)} {'folder' if len(named) == 1 else 'folders'} of {folder} cannot be "
            f"read: {', '.join(named[:_MAX_NAMED])}{more}. Their files are left out; change the "
            "permissions to include them."
        )
