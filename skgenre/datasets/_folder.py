"""Anybody's music folder."""

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

#: Endings, in lower case, of files that are taken for audio.
AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
    *(".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".m4a", ".m4b", ".mp4", ".aac", ".wma"),
    *(".ape", ".wv", ".mka", ".ac3", ".amr", ".dsf", ".mpc", ".tta", ".webm"),
)

#: Names of folders that are no artist's, in letters alone.
_NO_ARTIST = frozenset(
    f"{name}{plural}"
    for name in (
        *("va", "various", "variousartist", "unknown", "unknownartist", "untitled"),
        *("compilation", "sampler", "soundtrack", "ost", "single", "mixed", "misc"),
        *("miscellaneous", "other", "playlist", "noartist", "track", "song", "album"),
    )
    for plural in ("", "s")
)

#: Parts of an album, such as "CD1", "Disc 2" and "Vol. 3".
_PART = re.compile(r"(cd|dvd|disc|disk|side|part|vol|volume)([0-9]+|[a-d]|one|two|three|four)?")


def list_audio(folder: str | os.PathLike) -> list[str]:
    """List the audio files in a folder and the folders in it, by their endings.

    Parameters
    ----------
    folder : str or path-like
        Links to folders in it are not followed.

    Returns
    -------
    paths : list of str
        Sorted. Hidden files, such as the ``._song.mp3`` that some systems leave behind, and
        hidden folders are left out.

    Raises
    ------
    NotADirectoryError
        If it is no folder.
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
    """List a music folder with the genre of each track; decodes no audio.

    Parameters
    ----------
    folder : str or path-like
        Each folder in it is a genre, and the audio files below it, at any depth, its tracks.
        With ``genre_from="tags"`` folders mean nothing.
    genre_from : {"folder", "tags"}, default="folder"
        Where the genres come from. ``"tags"`` reads them from the files with mutagen, of the
        extra ``skgenre[tags]``; the first, of a file with several.
    min_tracks : int, default=1
        Genres with fewer tracks are left out.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` in place of a Bunch.

    Returns
    -------
    tracks : Bunch
        Sorted by path, with these attributes; or the first two, with `return_X_y`.

        data : list of str
            Paths, for :class:`skgenre.MFCCSegmenter`.
        target : ndarray of str, shape (n_tracks,)
            Genres.
        target_names : list of str
            The genres, sorted.
        groups : ndarray of str, shape (n_tracks,)
            What cross-validation should keep together: the folder directly below the genre's
            (``rock/Artist/Album/song.mp3``), the artist of GTZAN's tracks, or else the track
            alone; see the notes.
        excluded : list of str
            Paths of files without a genre's tag, and of genres with fewer than `min_tracks`
            tracks.

    Raises
    ------
    ImportError
        If `genre_from` is ``"tags"`` and mutagen is not installed.
    NotADirectoryError
        If it is no folder.
    ValueError
        If there are no audio files in folders of it, or none with a genre's tag, or no genre has
        `min_tracks` tracks.

    Warns
    -----
    UserWarning
        If files have no genre's tag; they are left out.

    See Also
    --------
    load_table : List the tracks of a table.
    load_gtzan : List a local copy of GTZAN.

    Notes
    -----
    The folder directly below the genre's is taken for an artist, who is one group in all genres:
    ``rock/Prince`` and ``pop/prince`` are both ``"prince"``. Names are compared in Unicode's
    normal form NFKC, without regard to case and repeated spaces.

    Some names are no artist's, and are a group of their genre alone, such as
    ``"rock/various artists"``:

    - Various Artists, Various, VA, V.A.;
    - Unknown, Unknown Artist, No Artist, Untitled;
    - Compilations, Samplers, Soundtracks, OST, Singles, Playlists;
    - Mixed, Misc, Miscellaneous, Other, Tracks, Songs, Albums;
    - parts of an album: CD1, CD 2, Disc 1, Disk 1, DVD 1, Side A, Part 1, Vol. 1, Volume 1.

    They too are compared without regard to case, spaces, punctuation and a plural s.

    With ``genre_from="tags"`` the group is the artist's tag by the same rules, and the track alone
    where there is none. Genres are compared as artists are, and given in lower case: ``Hip-Hop``
    and ``hip-hop`` are one.

    Examples
    --------
    >>> from skgenre.datasets import load_folder
    >>> tracks = load_folder("~/Music")  # doctest: +SKIP
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
    """List the audio files in folders, with genres and groups; none is excluded."""
    paths = list_audio(root)
    parts = [Path(path).relative_to(root).parts for path in paths]
    paths = [path for path, names in zip(paths, parts, strict=True) if len(names) > 1]
    if not paths:
        found = f"its {len(parts)} audio files are in no genre's folder" if parts else "no audio"
        raise ValueError(
            f"{root} holds no genre folders with audio ({found}); expected a folder for each "
            "genre, such as rock/song.mp3 and jazz/song.mp3"
        )
    parts = [names for names in parts if len(names) > 1]
    return paths, [names[0] for names in parts], [_group(names) for names in parts], []


def _by_tags(root: str) -> tuple[list[str], list[str], list[str], list[str]]:
    """List the audio files with a genre's tag, with genres and groups, and those without."""
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
            f"{root} holds no audio with a genre's tag ({found}); tag the files, or sort them into "
            "genre folders and use genre_from='folder'"
        )
    if excluded:
        warn(
            f"{len(excluded)} of the {len(paths)} audio files of {root} have no genre's tag and "
            f"are left out, such as {excluded[0]}"
        )
    groups = [
        _artist_group(genre, artist) if artist else group_by_name((path,))
        for path, genre, artist in known
    ]
    return [path for path, _, _ in known], [genre for _, genre, _ in known], groups, excluded


def _group(names: tuple[str, ...]) -> str:
    """Group of a track, by the names of its folders below the root and its own."""
    if len(names) > 2:
        return _artist_group(names[0], _normal(names[1]))
    return group_by_name(names)


def _artist_group(genre: str, artist: str) -> str:
    """Group of an artist in the normal form, who may be none."""
    return f"{genre}/{artist}" if _is_no_artist(artist) else artist


def group_by_name(names: tuple[str, ...]) -> str:
    """Group of a track by its file name alone: GTZAN's artist, or else the track.

    Parameters
    ----------
    names : tuple of str
        Parts of its path.

    Returns
    -------
    group : str
    """
    try:
        return str(artist_groups(names[-1:])[0])
    except ValueError:  # no name of GTZAN's
        return "/".join(names)


def _normal(name: str) -> str:
    """Bring a name to the form that all ways to write it share."""
    # Casefolding may undo the normal form, so it is brought to it again.
    name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(name.split())


def _is_no_artist(name: str) -> bool:
    letters = "".join(filter(str.isalnum, name))
    return not letters or letters in _NO_ARTIST or _PART.fullmatch(letters) is not None
