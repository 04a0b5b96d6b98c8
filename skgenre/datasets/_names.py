"""What the names of files and folders say: the track of a piece, the artist of GTZAN, the genre.

Two rules decide doubtful cases. Too many files in one group cost little, but a recording that is
split over two groups leaks from the training set to the test set. And a number alone says nothing:
``track_12`` is a track, and only a second number or a word makes it a piece.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..audio import name_of

#: The genres of GTZAN, each with 100 tracks.
GTZAN_GENRES = (
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
)

#: Suffixes of audio files, in lower case.
AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
    *(".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".m4a", ".m4b", ".mp4", ".aac", ".wma"),
    *(".ape", ".wv", ".mka", ".ac3", ".amr", ".dsf", ".mpc", ".tta", ".webm"),
)

#: A separator: a space, or a dot, underscore, hash or dash.
_S = r"[\s._#\-\u2010-\u2015]"
#: A number. It is possessive, so that no pattern tries to divide it.
_N = r"[0-9]++"
_PIECE = (
    r"(?:part|pt|piece|segment|seg|chunk|clip|slice|split|window|win|section|excerpt|snippet"
    r"|fragment|frag)s?"
)
_DATE = rf"(?:19|20)[0-9]{{2}}{_S}[01][0-9]{_S}[0-3][0-9]"

# Suffixes can be chained, as in "blues.00000.au.wav". Images of spectrograms are named likewise.
_SUFFIX = rf"\s*\.(?:{'|'.join(suffix[1:] for suffix in AUDIO_SUFFIXES)}|png)"
_COPY = (
    rf"{_S}+\(?(?:another |{_N}(?:st|nd|rd|th) )?(?:copy|copie|copia|kopie)"
    rf"(?:{_S}*\(?{_N}\)?)?\)?"
)
_NUMBERED_COPY = rf"\s*\({_N}\)"
_COPY_OF = re.compile(r"(?:^|(?<=[/\\]))(?:copy of|copie de|copia de|kopie von) ", re.IGNORECASE)
_ENDING = re.compile(rf"(?<=[^/\\])(?:{_SUFFIX}|{_COPY})+$", re.IGNORECASE)
_NUMBERED_ENDING = re.compile(
    rf"(?<=[^/\\])(?:{_SUFFIX}|{_COPY}|{_NUMBERED_COPY})+$", re.IGNORECASE
)

#: A track of GTZAN, a piece of it, or a file in a folder that is named as the track.
_GTZAN = re.compile(
    rf"(?:.*[/\\])?(?P<genre>{'|'.join(GTZAN_GENRES)}){_S}*(?P<number>[0-9]{{5}})"
    rf"(?P<piece>[/\\][^/\\]+|(?![0-9])[^/\\]*[0-9][^/\\]*|{_S}*{_PIECE})?",
    re.IGNORECASE | re.DOTALL,
)

#: A piece by a word and a number: "song_part3", "song (chunk 3 of 9)", "songClip3", "song_3_of_9",
#: "song12/segment 3".
_WORDED = re.compile(
    rf"(?P<track>.*?[^/\\\s._#\-\u2010-\u2015])"
    rf"(?:{_S}+|(?<=[0-9])[/\\]?|(?-i:(?<=[a-z])(?=[A-Z])))"
    rf"[(\[]?(?:{_PIECE}{_S}*{_N}(?:{_S}*of{_S}*{_N})?|(?<![0-9]){_N}{_S}*of{_S}*{_N})[)\]]?"
    rf"(?:{_NUMBERED_COPY})*",
    re.IGNORECASE | re.DOTALL,
)

#: A piece by a number after the number of the track: "track012_3", "a.00016.p0", "take 7 (2)",
#: "song12_0-30". A date and a track on a disc, as in "2019-05-04" and "1-01", are no pieces.
_NUMBERED = re.compile(
    rf"(?P<folder>(?>(?:.*[/\\])?))(?!(?:.*[^0-9])?{_DATE}$|[0-9]{{1,2}}{_S}+[0-9]{{2}}$)"
    rf"(?P<stem>[^/\\]*?(?:{_DATE}|(?<![0-9]){_N}))"
    rf"(?:{_S}+[pscw]?{_N}(?:{_S}*of{_S}*{_N}|s|sec|ms)?|\s*[(\[]{_N}[)\]])+",
    re.IGNORECASE | re.DOTALL,
)


class GtzanName(NamedTuple):
    """What the file name of a track of GTZAN says.

    Attributes
    ----------
    track : str
        Track id, such as ``"blues.00000"``.
    is_piece : bool
        Whether the file is a piece of the track.
    piece : int
        Number of the piece. It is 0 for whole tracks and for pieces without a number.
    """

    track: str
    is_piece: bool
    piece: int


def parse_gtzan(name: str) -> GtzanName | None:
    """Parse the file name or path of a track of GTZAN or a piece of one; else return None."""
    match = _GTZAN.fullmatch(_NUMBERED_ENDING.sub("", _COPY_OF.sub("", name)))
    if match is None:
        return None
    piece = match["piece"] or ""
    number = re.search(_N, piece)
    return GtzanName(
        f"{match['genre']}.{match['number']}".lower(), bool(piece), int(number[0] if number else 0)
    )


def tracks_of(names: Iterable[str]) -> list[str]:
    """Return the track that each file is or is a piece of, as its name says.

    Parameters
    ----------
    names : iterable of str
        Paths.

    Returns
    -------
    tracks : list of str
        The track id for tracks of GTZAN, otherwise the path without the suffix, the number of the
        piece and the mark of a copy.
    """
    tracks = [_track(name) for name in names]
    # "rock (1)" and "rock (2)" are copies only if there is an original: many collections number
    # their tracks like this.
    known = {normal(track) for track in tracks}
    originals = [_NUMBERED_ENDING.sub("", track) for track in tracks]
    return one_spelling(
        original if normal(original) in known else track
        for track, original in zip(tracks, originals, strict=True)
    )


def _track(name: str) -> str:
    """Return the track of a path, whatever other paths there are."""
    if (gtzan := parse_gtzan(name)) is not None:
        return gtzan.track
    track = _ENDING.sub("", _COPY_OF.sub("", name))
    # Pieces can be cut into pieces: "song_part1_chunk2".
    while True:
        if match := _WORDED.fullmatch(track):
            track = match["track"]
        elif match := _NUMBERED.fullmatch(track):
            track = match["folder"] + match["stem"]
        else:
            return track


def artists_known(paths: Sequence, groups) -> bool:
    """Return whether groups say more about tracks than their names do.

    Parameters
    ----------
    paths : sequence of str, path-like or file objects, length n_tracks
        Paths or track ids.
    groups : array-like of shape (n_tracks,)
        Groups, such as artists.

    Returns
    -------
    known : bool
        True if a group contains two tracks, or is named differently from its track. Files that are
        pieces, copies or other formats of a track according to their names count as one.
    """
    groups = np.asarray(groups).tolist()
    tracks = tracks_of(name_of(path) for path in paths)
    if len(set(zip(groups, tracks, strict=True))) > len(set(groups)):
        return True
    # Groups that are taken from names end the path of the track.
    return any(
        isinstance(group, str) and not f"/{normal(track)}".endswith(f"/{normal(group)}")
        for group, track in zip(groups, tracks, strict=True)
    )


def one_spelling(names: Iterable[str]) -> list[str]:
    """Return names in the spelling of the first that is equal after :func:`normal`."""
    first: dict[str, str] = {}
    return [first.setdefault(normal(name), name) for name in names]


def normal(name: str) -> str:
    """Normalize Unicode, case and whitespace of a name."""
    # Case folding can undo the Unicode normalization, so it is repeated.
    name = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return " ".join(name.split())


def is_audio(name: str | os.PathLike) -> bool:
    """Return whether the suffix of a file name is that of an audio file."""
    return os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES
