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
_MOST_NAMED = 3


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
    return list_once(expand(folder))[0]


def list_once(folder: str) -> tuple[list[str], dict[str, str]]:
    """List audio files like :func:`list_audio`, and what is not listed since it is elsewhere.

    Returns
    -------
    paths : list of str
        Sorted paths.
    elsewhere : dict of str to str
        For each path of a file or folder that was reached before, the path by which it was reached.
    """
    if not os.path.isdir(folder):
        raise NotADirectoryError(f"{folder} is not a folder")
    # Folders by real path. A link to a parent of the folder leads back here.
    visited = {str(parent): "" for parent in Path(os.path.realpath(folder)).parents}
    elsewhere: dict[str, str] = {}
    # Paths by real path. Files that are not in a subfolder come last, since they have no genre.
    top = os.path.dirname(os.path.join(folder, ""))
    found: dict[str, str] = {}
    loose: dict[str, str] = {}

    def add(real: str, path: str) -> None:
        first = (loose if os.path.dirname(path) == top else found).setdefault(real, path)
        if first != path:
            elsewhere[path] = first

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
            if stat.S_ISREG(mode) and is_audio(start):
                add(os.path.realpath(start), start)
            elif stat.S_ISDIR(mode):
                for real, entry in _walk(start, visited, elsewhere, unreadable):
                    if entry.is_symlink():
                        links.append(entry.path)
                    elif is_audio(entry.name):
                        add(os.path.join(real, entry.name), entry.path)
    report_unreadable(folder, unreadable)
    return sorted((loose | found).values()), elsewhere


def _walk(
    folder: str,
    visited: dict[str, str],
    elsewhere: dict[str, str],
    unreadable: dict[str, OSError],
) -> Iterator[tuple[str, os.DirEntry]]:
    """Iterate over files and links below a folder, with the real path of their folder."""
    folders = [folder]
    while folders:
        parent = folders.pop()
        real = os.path.realpath(parent)
        if real in visited:
            elsewhere[parent] = visited[real]
            continue
        visited[real] = parent
        for entry in visible(parent, unreadable):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.path)
            else:
                yield real, entry


def visible(folder: str, unreadable: dict[str, OSError]) -> list[os.DirEntry]:
    """List a folder without hidden names, or add its error to `unreadable`."""
    try:
        with os.scandir(folder) as entries:
            return [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        unreadable[folder] = error
        return []


def report_unreadable(folder: str, unreadable: dict[str, OSError]) -> None:
    """Raise the error of a folder that cannot be read, or warn of its subfolders."""
    if folder in unreadable:
        raise unreadable[folder]
    if unreadable:
        named = [
            f"{path} ({error.strerror or error})" for path, error in sorted(unreadable.items())
        ]
        more = f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else ""
        warn(
            f"{len(named)} {'folder' if len(named) == 1 else 'folders'} of {folder} cannot be "
            f"read: {', '.join(named[:_MOST_NAMED])}{more}. Their files are left out; change the "
            "permissions to include them."
        )
