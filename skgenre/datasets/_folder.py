"""Listing and loading of music folders; genres and artists from names of folders or from tags.

Tags are read with mutagen (extra ``skgenre[tags]``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sklearn.utils import Bunch

from .._checks import AT_LEAST_1, check_number, list_names
from .._files import expand
from .._warnings import warn
from ._groups import is_no_artist, make_collection
from ._names import is_audio, normal, parse_gtzan

#: Keys of each field: those of Vorbis comments, APE and mutagen's easy interface, and of ASF.
_KEYS = {"genre": ("genre", "WM/Genre"), "artist": ("artist", "Author")}
#: ID3 frames of each field for formats without an easy interface, such as wav and aiff.
_FRAMES = {"genre": "TCON", "artist": "TPE1"}


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
    once: at its real path if this is below `folder`, otherwise by the first link in alphabetical
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
    found: dict[str, str] = {}  # paths by real path
    errors: list[OSError] = []
    links = [folder]
    # Real folders come before links, and these before the links in their targets.
    while links:
        starts, links = sorted(links), []
        for start in starts:
            paths = _walk(start, visited, errors) if os.path.isdir(start) else [start]
            for path in paths:
                if path != start and os.path.islink(path):
                    links.append(path)
                elif is_audio(path) and os.path.isfile(path):
                    found.setdefault(os.path.realpath(path), path)
    if any(error.filename == folder for error in errors):
        raise errors[0]
    if errors:
        named = sorted(f"{error.filename} ({error.strerror})" for error in errors)
        warn(
            f"Folders of {folder} cannot be read: {list_names(named)}. Their files are left out; "
            "change the permissions to include them."
        )
    return sorted(found.values())


def _walk(folder: str, visited: set[str], errors: list[OSError]) -> Iterator[str]:
    """Iterate over visible files, folders and links in folders that have not been visited."""
    for parent, folders, names in os.walk(folder, onerror=errors.append):
        real = os.path.realpath(parent)
        folders[:] = [name for name in folders if not name.startswith(".") and real not in visited]
        if real not in visited:
            visited.add(real)
            visible = (name for name in (*folders, *names) if not name.startswith("."))
            yield from (os.path.join(parent, name) for name in visible)


def load_folder(
    folder: str | os.PathLike,
    *,
    genre_from: str = "folder",
    min_tracks: int = 1,
    return_X_y: bool = False,
) -> Bunch:
    """Load the paths and genres of the tracks in a music folder. No audio is decoded.

    Parameters
    ----------
    folder : str or path-like
        Each subfolder is a genre; its tracks are all audio files below it, at any depth. Symbolic
        links are followed; see :func:`list_audio`. With ``genre_from="tags"``, the folder structure
        is ignored.
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
            track itself, together with its parts. See the Notes.
        excluded : list of str
            Paths of files without a genre tag, and of genres with fewer than `min_tracks` tracks.

    Raises
    ------
    ImportError
        If `genre_from` is ``"tags"`` and mutagen is not installed.
    NotADirectoryError
        If `folder` is not a folder.
    OSError
        If `folder` cannot be read, for example a PermissionError.
    ValueError
        If no audio files have a genre, the name of a genre folder is blank, or no genre has at
        least `min_tracks` tracks.

    Warns
    -----
    UserWarning
        If files have no genre tag, or if subfolders cannot be read. They are left out.

    See Also
    --------
    load_table : Load a table of paths and genres.
    load_gtzan : Load a local copy of GTZAN.

    Notes
    -----
    Genres are converted to lower case and the Unicode normal form NFKC, without repeated spaces, so
    that the folders ``Jazz`` and ``jazz`` are one genre. Groups are compared in the same way.

    The subfolder of a genre is taken for an artist, who forms one group across genres:
    ``rock/Prince`` and ``pop/prince`` belong to the group ``"prince"``.

    The following names do not denote an artist. They form a group within their genre only, such as
    ``"rock/various artists"``:

    - Various Artists, Various, VA, V.A.;
    - Unknown, Unknown Artist, No Artist, Untitled;
    - Compilations, Samplers, Soundtracks, OST, Singles, Playlists;
    - Mixed, Misc, Miscellaneous, Other, Tracks, Songs, Albums;
    - discs and sides of an album: CD1, CD 2, Disc 1, Disk 1, DVD 1, Side A, Part 1, Vol. 1,
      Volume 1.

    They are also compared ignoring spaces, punctuation and a plural s.

    Tracks without an artist are grouped by file name, ignoring the suffix:

    - Tracks of GTZAN and their parts, such as ``blues.00000.au`` and ``blues_00000_part3.wav``,
      belong to the artist, or to the track if its artist is unknown. The name may have a prefix,
      as in ``0_blues.00000.wav``.
    - A part belongs to the group of the rest of its path: ``rock/song_part3.wav``,
      ``rock/part3_song.wav``, ``rock/song (chunk 2 of 9).wav``, ``rock/song_3_of_9.wav`` and
      ``rock/song.mp3`` belong to ``"rock/song"``. These parts are named by one of the words part,
      piece, segment, section, chunk, clip, slice, split, window, excerpt, snippet, fragment,
      sample, block, crop, frame, start and offset, or pt, seg, win and frag, with a number, or with
      a letter at the end.
    - After the number of a track, a number, or any word with a number or a letter, is a part:
      ``track012_3.wav``, ``track012,3.wav``, ``track012_t30.wav``, ``track012-00m03s.wav`` and
      ``take 7 (2).wav``. So is a letter if the track has several, as ``track012a.wav`` and
      ``track012b.wav``. No space may precede the number of the track, which is otherwise part of a
      title (``Studio 54-01.mp3``).
    - Ranges that continue each other, as ``song_0-30.wav`` and ``song_30-60.wav``, are parts.
    - A number alone (``track_12.wav``), a date, a disc and a track (``1-01.mp3``,
      ``cd1_track02.mp3``), and a number before a title (``01_mambo5.mp3``) make no parts. If
      numbers would make all files of a genre one track, only words make parts in this genre.
    - A copy, such as ``song - Copy.mp3``, belongs to the group of its original. ``song (1).mp3``
      does if ``song.mp3`` exists.
    - Other tracks are their own groups.

    With ``genre_from="tags"``, the group is the artist tag, by the same rules. Files without this
    tag are grouped by file name.

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
    check_number("min_tracks", min_tracks, AT_LEAST_1)
    if genre_from not in ("folder", "tags"):
        raise ValueError(f"genre_from={genre_from!r} must be 'folder' or 'tags'")
    root = expand(folder)
    list_tracks = _by_tags if genre_from == "tags" else _by_folder
    paths, target, artists, names, excluded = list_tracks(root)
    tracks = make_collection(
        paths, target, artists, names, where=root, min_tracks=min_tracks, excluded=excluded
    )
    return (tracks.data, tracks.target) if return_X_y else tracks


def _by_folder(root: str) -> tuple[list[str], list[str], list[str], list[str], list[str]]:
    """List audio files with genres, artists and names by folder; no files are excluded."""
    found = {path: Path(path).relative_to(root).parts for path in list_audio(root)}
    # Names of the folders and the file, of all files in genre folders.
    tracks = {path: names for path, names in found.items() if len(names) > 1}
    if not tracks:
        reason = f"its {len(found)} audio files are not in genre folders" if found else "no audio"
        raise ValueError(
            f"{root} contains no genre folders with audio ({reason}); expected one folder per "
            "genre, such as rock/song.mp3 and jazz/song.mp3"
        )
    paths = list(tracks)
    genres = [normal(names[0]) for names in tracks.values()]
    if "" in genres:
        raise ValueError(
            f"The name of the genre folder of {paths[genres.index('')]} is blank; rename the folder"
        )
    # A folder that is named as a track of GTZAN contains its parts, not the tracks of an artist.
    artists = [
        "" if len(names) == 2 or parse_gtzan(names[1]) else _artist_group(genre, normal(names[1]))
        for genre, names in zip(genres, tracks.values(), strict=True)
    ]
    return paths, genres, artists, ["/".join(names) for names in tracks.values()], []


def _by_tags(root: str) -> tuple[list[str], list[str], list[str], list[str], list[str]]:
    """List audio files with genres, artists and names, and the files without a genre tag."""
    paths = list_audio(root)
    tags = [_read_tags(path) for path in paths]
    genres = [normal(tag["genre"]) for tag in tags]
    known = [path for path, genre in zip(paths, genres, strict=True) if genre]
    excluded = [path for path, genre in zip(paths, genres, strict=True) if not genre]
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
    artists = [
        _artist_group(genre, artist) if (artist := normal(tag["artist"])) else ""
        for genre, tag in zip(genres, tags, strict=True)
        if genre
    ]
    return known, [genre for genre in genres if genre], artists, known, excluded


def _artist_group(genre: str, artist: str) -> str:
    """Return the group of a normalized artist name, which may not denote an artist."""
    return f"{genre}/{artist}" if is_no_artist(artist) else artist


def _read_tags(path: str) -> dict[str, str]:
    """Return the first genre and artist of a file, or ``""`` if it has none or is unreadable."""
    try:
        import mutagen
    except ImportError as error:
        raise ImportError(
            "Reading tags requires mutagen: pip install skgenre[tags], or pip install mutagen"
        ) from error
    try:
        file = mutagen.File(path, easy=True)
    except (mutagen.MutagenError, OSError):
        file = None
    tags = None if file is None else file.tags
    return {field: "" if tags is None else _first(tags, field) for field in _KEYS}


def _first(tags: Any, field: str) -> str:
    if hasattr(tags, "getall"):
        # `genres` converts the genre numbers of ID3v1, such as (17), to names.
        name = "genres" if field == "genre" else "text"
        found = [value for frame in tags.getall(_FRAMES[field]) for value in getattr(frame, name)]
    else:
        found = [value for key in _KEYS[field] if key in tags for value in _values(tags[key])]
    return next((text for value in found if (text := str(value).strip())), "")


def _values(value: Any) -> list:
    return [value] if isinstance(value, str) else list(value)
