"""Loading of music folders."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from typing import Literal, overload

import numpy as np
from sklearn.utils import Bunch

from .._paths import expand
from .._warnings import warn
from ._collections import check_min_tracks, make_collection
from ._tags import read_tags
from .facts import artist_groups

#: Suffixes of audio files, in lower case.
AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
    *(".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".m4a", ".m4b", ".mp4", ".aac", ".wma"),
    *(".ape", ".wv", ".mka", ".ac3", ".amr", ".dsf", ".mpc", ".tta", ".webm"),
)

#: Folder names that do not denote an artist, without spaces and punctuation.
_NO_ARTIST = frozenset(
    f"{name}{plural}"
    for name in (
        *("va", "various", "variousartist", "unknown", "unknownartist", "untitled"),
        *("compilation", "sampler", "soundtrack", "ost", "single", "mixed", "misc"),
        *("miscellaneous", "other", "playlist", "noartist", "track", "song", "album"),
    )
    for plural in ("", "s")
)

#: Folder names for parts of an album, such as "CD1", "Disc 2" and "Vol. 3".
_PART = re.compile(r"(cd|dvd|disc|disk|side|part|vol|volume)([0-9]+|[a-d]|one|two|three|four)?")


def list_audio(folder: str | os.PathLike) -> list[str]:
    """List the audio files in a folder and its subfolders, identified by their suffixes.

    Parameters
    ----------
    folder : str or path-like
        The folder. Symbolic links to subfolders are not followed.

    Returns
    -------
    paths : list of str
        Sorted paths. Hidden folders and hidden files, such as the ``._song.mp3`` of some systems,
        are ignored.

    Raises
    ------
    NotADirectoryError
        If `folder` is not a folder.

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
    paths = []
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [
            os.path.join(root, name)
            for name in files
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES
        ]
    return sorted(paths)


@overload
def load_folder(
    folder: str | os.PathLike,
    *,
    genre_from: str = "folder",
    min_tracks: int = 1,
    return_X_y: Literal[False] = False,
) -> Bunch: ...
@overload
def load_folder(
    folder: str | os.PathLike,
    *,
    genre_from: str = "folder",
    min_tracks: int = 1,
    return_X_y: Literal[True],
) -> tuple[list[str], np.ndarray]: ...
def load_folder(
    folder: str | os.PathLike,
    *,
    genre_from: str = "folder",
    min_tracks: int = 1,
    return_X_y: bool = False,
) -> Bunch | tuple[list[str], np.ndarray]:
    """Load the paths and genres of the tracks in a music folder. No audio is decoded.

    Parameters
    ----------
    folder : str or path-like
        Each subfolder is a genre; its tracks are all audio files below it, at any depth. With
        ``genre_from="tags"``, the folder structure is ignored.
    genre_from : {"folder", "tags"}, default="folder"
        Source of the genres. ``"tags"`` reads the first genre tag of each file, which requires
        mutagen (extra ``skgenre[tags]``).
    min_tracks : int, default=1
        Genres with fewer tracks are excluded.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch object.

    Returns
    -------
    tracks : Bunch
        Dictionary-like object, sorted by path, with the following attributes. If `return_X_y` is
        True, a tuple of the first two is returned instead.

        data : list of str
            Paths, for example for :class:`skgenre.MFCCSegmenter`.
        target : ndarray of str, shape (n_tracks,)
            Genres.
        target_names : list of str
            Sorted names of the genres.
        groups : ndarray of str, shape (n_tracks,)
            Groups for cross-validation: the subfolder of the genre that contains the track
            (``rock/Artist/Album/song.mp3``), the artist for tracks of GTZAN, or otherwise the
            track itself. See the Notes.
        excluded : list of str
            Paths of files without a genre tag, and of genres with fewer than `min_tracks` tracks.

    Raises
    ------
    ImportError
        If `genre_from` is ``"tags"`` and mutagen is not installed.
    NotADirectoryError
        If `folder` is not a folder.
    ValueError
        If no audio files have a genre, or no genre has at least `min_tracks` tracks.

    Warns
    -----
    UserWarning
        If files have no genre tag; they are excluded.

    See Also
    --------
    load_table : Load a table of paths and genres.
    load_gtzan : Load a local copy of GTZAN.

    Notes
    -----
    The subfolder of a genre is taken for an artist, who forms one group across genres:
    ``rock/Prince`` and ``pop/prince`` belong to the group ``"prince"``. Names are compared in the
    Unicode normal form NFKC, ignoring case and repeated spaces.

    The following names do not denote an artist. They form a group within their genre only, such as
    ``"rock/various artists"``:

    - Various Artists, Various, VA, V.A.;
    - Unknown, Unknown Artist, No Artist, Untitled;
    - Compilations, Samplers, Soundtracks, OST, Singles, Playlists;
    - Mixed, Misc, Miscellaneous, Other, Tracks, Songs, Albums;
    - parts of an album: CD1, CD 2, Disc 1, Disk 1, DVD 1, Side A, Part 1, Vol. 1, Volume 1.

    They are also compared ignoring spaces, punctuation and a plural s.

    With ``genre_from="tags"``, the group is the artist tag, by the same rules. Files without this
    tag are grouped by file name: the artist for tracks of GTZAN, otherwise the track itself.
    Genres are normalized like artists and converted to lower case, so that ``Hip-Hop`` and
    ``hip-hop`` are one genre.

    Examples
    --------
    >>> import tempfile
    >>> from skgenre.datasets import load_folder, make_tracks
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = make_tracks(1, genres=["jazz", "metal"], duration=1, folder=folder)
    ...     tracks = load_folder(folder)
    >>> tracks.target.tolist()
    ['jazz', 'metal']
    """
    check_min_tracks(min_tracks)
    if genre_from not in ("folder", "tags"):
        raise ValueError(f"genre_from={genre_from!r} must be 'folder' or 'tags'")
    root = expand(folder)
    list_tracks = _by_tags if genre_from == "tags" else _by_folder
    paths, target, groups, excluded = list_tracks(root)
    tracks = make_collection(
        paths, target, groups, where=root, min_tracks=min_tracks, excluded=excluded
    )
    return (tracks.data, tracks.target) if return_X_y else tracks


def _by_folder(root: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """List audio files with genres and groups by folder. The list of excluded files is empty."""
    paths = list_audio(root)
    parts = [Path(path).relative_to(root).parts for path in paths]
    paths = [path for path, names in zip(paths, parts, strict=True) if len(names) > 1]
    if not paths:
        found = f"its {len(parts)} audio files are not in genre folders" if parts else "no audio"
        raise ValueError(
            f"{root} contains no genre folders with audio ({found}); expected one folder per "
            "genre, such as rock/song.mp3 and jazz/song.mp3"
        )
    parts = [names for names in parts if len(names) > 1]
    return paths, [names[0] for names in parts], [_group(names) for names in parts], []


def _by_tags(root: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """List audio files with genres and groups by tag, and the files without a genre tag."""
    paths = list_audio(root)
    tags = [read_tags(path) for path in paths]
    known = [
        (path, _normal(tag["genre"]), _normal(tag["artist"]))
        for path, tag in zip(paths, tags, strict=True)
        if tag["genre"]
    ]
    excluded = [path for path, tag in zip(paths, tags, strict=True) if not tag["genre"]]
    if not known:
        found = f"its {len(paths)} audio files have none" if paths else "no audio"
        raise ValueError(
            f"{root} contains no audio files with a genre tag ({found}); tag the files, or use "
            "genre folders and genre_from='folder'"
        )
    if excluded:
        warn(
            f"{len(excluded)} of the {len(paths)} audio files of {root} have no genre tag and are "
            f"excluded, such as {excluded[0]}"
        )
    groups = [
        _artist_group(genre, artist) if artist else group_by_name((path,))
        for path, genre, artist in known
    ]
    return [path for path, _, _ in known], [genre for _, genre, _ in known], groups, excluded


def _group(names: tuple[str, ...]) -> str:
    """Return the group of a track from the components of its path relative to the root."""
    if len(names) > 2:
        return _artist_group(names[0], _normal(names[1]))
    return group_by_name(names)


def _artist_group(genre: str, artist: str) -> str:
    """Return the group of a normalized artist name, which may not denote an artist."""
    return f"{genre}/{artist}" if _is_no_artist(artist) else artist


def group_by_name(names: tuple[str, ...]) -> str:
    """Return the group of a track from its file name: the artist for GTZAN, else the track itself.

    Parameters
    ----------
    names : tuple of str
        Components of the path.

    Returns
    -------
    group : str
        Name of the group.
    """
    try:
        return str(artist_groups(names[-1:])[0])
    except ValueError:  # not a file name of GTZAN
        return "/".join(names)


def _normal(name: str) -> str:
    """Normalize Unicode, case and whitespace of a name."""
    # Case folding can undo the Unicode normalization, so it is repeated.
    name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(name.split())


def _is_no_artist(name: str) -> bool:
    letters = "".join(filter(str.isalnum, name))
    return not letters or letters in _NO_ARTIST or _PART.fullmatch(letters) is not None
