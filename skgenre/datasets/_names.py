"""What the names of files and folders say: the track of a part, the track of GTZAN, the genre.

Two rules decide doubtful cases. Too many files in one group cost little, but a recording that is
split over two groups leaks from the training set to the test set. And a number alone says nothing:
``track_12`` is a track, and only a second number or a word makes it a part.

A file name is split into words, numbers and separators, each written as one character (see
:data:`_KINDS`). The rules are patterns of these characters.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

#: The genres of GTZAN, each with 100 tracks.
GTZAN_GENRES = (
    *("blues", "classical", "country", "disco", "hiphop"),
    *("jazz", "metal", "pop", "reggae", "rock"),
)

#: Suffixes of audio files, in lower case.
AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".rf64", ".w64", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf"),
    *(".flac", ".ogg", ".oga", ".opus", ".mp3", ".mp2", ".m4a", ".m4b", ".mp4", ".aac", ".wma"),
    *(".ape", ".wv", ".mka", ".ac3", ".amr", ".dsf", ".mpc", ".tta", ".webm"),
)

#: A separator.
_S = r"[\s._#,:;+=@~\-\u2010-\u2015]"
#: A number. It is possessive, so that no pattern tries to divide it.
_N = r"[0-9]++"
_LETTER = r"[^\W\d_]"
_PART = (
    r"(?:part|pt|piece|segment|seg|chunk|clip|slice|split|window|win|section|excerpt|snippet"
    r"|fragment|frag|sample|block|crop|frame|start|offset)s?"
)
#: Discs and sides of an album.
DISC = r"(?:cd|dvd|disc|disk|side|vol|volume)"
_TIME = r"(?:(?:\d+(?:ms|sec|min|h|m|s))+(?![^\W_])|\d+)"
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

#: A track of GTZAN, a part of it, or a file in a folder that is named as the track. The prefix
#: may contain numbers and the names of folders, as in "0_rock.00016" and "rock_rock.00016".
_GENRE = "|".join(GTZAN_GENRES).replace("hiphop", f"hip{_S}?hop")
_GTZAN = re.compile(
    rf"(?:.*[/\\])?(?P<prefix>(?:(?:gtzan|genres|original|{_GENRE}|{_LETTER}*{_S}*{_N}){_S}+)*)"
    rf"(?P<genre>{_GENRE}){_S}*(?P<number>[0-9]{{5}})"
    rf"(?P<part>[/\\][^/\\]+|(?![0-9])[^/\\]*[0-9][^/\\]*|{_S}*{_PART})?",
    re.IGNORECASE | re.DOTALL,
)

#: The kinds of tokens, in the order in which they are tried. Words end before a digit, and before
#: a capital in "songPart3". A date is one number, and so is a time, such as "30s" and "00m03s".
_WORD_ENDS = rf"(?:(?<=[a-z])(?=[A-Z])|(?!{_LETTER}))"
_KINDS = {
    "n": rf"{_DATE}(?!\d)|{_TIME}",
    "(": r"\s*[(\[]",
    ")": r"[)\]]",
    " ": rf"{_S}*\s{_S}*",
    "-": rf"{_S}+",
    "p": rf"(?i:{_PART}){_WORD_ENDS}",
    "d": rf"(?i:{DISC}){_WORD_ENDS}",
    "t": rf"(?i:track|song|title){_WORD_ENDS}",
    "o": rf"(?i:of){_WORD_ENDS}",
    "a": rf"[A-Za-z]{_WORD_ENDS}",
    "w": rf"{_LETTER}+?{_WORD_ENDS}",
    "?": r".",
}
_ORDER = "".join(_KINDS)
_TOKEN = re.compile("|".join(f"({pattern})" for pattern in _KINDS.values()), re.DOTALL)

_OF = "[- ]?o[- ]?n"
#: Parts by a word: "part3_song", and "song_part3", "song (chunk 3 of 9)", "song seg a",
#: "song_3_of_9".
_WORDED = [
    re.compile(rf"p[- ]?n(?:{_OF})?[- ](?!p[- ]?n)(?P<track>.*[npdtoaw].*)"),
    re.compile(
        rf"(?P<track>.*?[^- (])[- ]?\(?(?:p[- ]?[na](?:{_OF})?|(?<![twp])(?<!p[- ])n{_OF})\)?"
        r"(?:\(n\))*"
    ),
]
#: Parts by a number, or any word and a number, after the number of the track: "track012_3",
#: "a.00016.p0", "track012_crop1", "take 7 (2)". The number of the track is not that of a disc, and
#: no space precedes it: the numbers of "Studio 54-01" and "Top 100 - 01" are those of a title and
#: a track. The number in "album1_track2" is that of a track.
_NUMBERED = [
    re.compile(r"(?P<track>(?:.* (?=[pdtoaw]))?[^ (]*(?<!d)(?<!d-)na?)(?:-n|-?[wap]-?[na])"),
    re.compile(r"(?P<track>.*n)\(n\)"),
]
#: A disc and a track, as in "1-01", or a track and a title, as in "01_song2".
_POSITION = re.compile(rf"0?[1-9][.\-](?!00)\d\d|\d\d?{_S}?{_LETTER}{{2,}}{_S}?(?:\d+|{_LETTER})")
#: A range of time, as in "song_0-30", and a letter of a track, as in "track012a".
_RANGE = re.compile(rf"(?<={_LETTER}){_S}{_TIME}(?:\.\d+)?{_S}{_TIME}(?:\.\d+)?$")
_LETTERED = re.compile(rf"(?<=\d){_S}?[A-Za-z]$")


class GtzanName(NamedTuple):
    """What the file name of a track of GTZAN says.

    Attributes
    ----------
    track : str
        Track id, such as ``"blues.00000"``.
    is_part : bool
        Whether the file is a part of the track.
    number : int
        Number of the part. It is 0 for whole tracks and for parts without a number.
    """

    track: str
    is_part: bool
    number: int


def parse_gtzan(name: str) -> GtzanName | None:
    """Parse the file name or path of a track of GTZAN or a part of one; else return None."""
    match = _GTZAN.fullmatch(_NUMBERED_ENDING.sub("", _COPY_OF.sub("", name)))
    if match is None:
        return None
    genre = "".join(filter(str.isalpha, match["genre"]))
    number = re.search(_N, f"{match['part'] or ''} {match['prefix']}")
    return GtzanName(
        f"{genre}.{match['number']}".lower(),
        bool(match["part"] or number),
        int(number[0] if number else 0),
    )


def tracks_of(names: Sequence[str], genres: Sequence[str] | None = None) -> list[str]:
    """Return the track that each file is or is a part of, as its name says.

    Parameters
    ----------
    names : sequence of str
        Paths.
    genres : sequence of str, default=None
        Genre of each path. If all files of a genre would be one track by their numbers, these are
        the numbers of tracks, and only words make parts.

    Returns
    -------
    tracks : list of str
        The track id for tracks of GTZAN, otherwise the path without the suffix, the number of the
        part and the mark of a copy.
    """
    rules = _NUMBERED + _WORDED
    worded = worded_tracks_of(names)
    tracks = [_strip(name, rules) for name in _without(worded, _RANGE, _continue_each_other)]
    tracks = [_strip(name, rules) for name in _without(tracks, _LETTERED, _are_several)]
    tracks = _originals(tracks)
    if genres is None:
        return tracks
    found: defaultdict[str, set[str]] = defaultdict(set)
    for genre, track in zip(genres, tracks, strict=True):
        found[genre].add(track)
    return [
        track if len(found[genre]) > 1 else by_word
        for genre, track, by_word in zip(genres, tracks, worded, strict=True)
    ]


def worded_tracks_of(names: Sequence[str]) -> list[str]:
    """Return the track of each file like :func:`tracks_of`, with parts by words only."""
    return _originals([_strip(_ENDING.sub("", _COPY_OF.sub("", name)), _WORDED) for name in names])


def _strip(track: str, rules: Sequence[re.Pattern]) -> str:
    """Return a path without what the rules know as a part, or the id of a track of GTZAN."""
    # Parts can be cut into parts: "song_part1_chunk2".
    while (gtzan := parse_gtzan(track)) is None:
        folder, stem = split_folder(track)
        shape, ends = _shape(stem)
        if rules is not _WORDED and _POSITION.fullmatch(stem):
            rules = _WORDED
        if match := next(filter(None, (rule.fullmatch(shape) for rule in rules)), None):
            start, end = match.span("track")
            track = folder + stem[ends[start] : ends[end]]
        elif folder[-2:-1].isdecimal() and _WORDED[1].fullmatch(f"n-{shape}"):
            track = folder[:-1]  # "song12/segment 3"
        else:
            return track
    return gtzan.track


def _shape(stem: str) -> tuple[str, list[int]]:
    """Return the kinds of the tokens of a name, and where each begins, with the length."""
    tokens = list(_TOKEN.finditer(stem))
    shape = "".join([_ORDER[(token.lastindex or 0) - 1] for token in tokens])
    return shape, [*(token.start() for token in tokens), len(stem)]


def _without(tracks: list[str], ending: re.Pattern, are_parts: Callable) -> list[str]:
    """Strip endings that are those of parts if they are taken together, for each track."""
    bases = [ending.sub("", track) for track in tracks]
    endings: defaultdict[str, set[str]] = defaultdict(set)
    for track, base in zip(tracks, bases, strict=True):
        if track != base:
            endings[normal(base)].add(normal(track[len(base) :]))
    return [
        base if are_parts(endings[normal(base)]) else track
        for track, base in zip(tracks, bases, strict=True)
    ]


def _are_several(letters: set[str]) -> bool:
    return len(letters) > 1


def _continue_each_other(ranges: set[str]) -> bool:
    """Return whether ranges cover a track: "0-30" and "30-60", also with "15-45" between them."""
    numbers = sorted([int(number) for number in re.findall(r"\d+", text)] for text in ranges)
    split = [(times[: len(times) // 2], times[len(times) // 2 :]) for times in numbers]
    return any(begin == split[0][1] for begin, _ in split) and all(
        one[0] < other[0] <= one[1] < other[1] for one, other in pairwise(split)
    )


def _originals(tracks: Sequence[str]) -> list[str]:
    """Return the originals of numbered copies, each in one spelling."""
    # "rock (1)" and "rock (2)" are copies only if there is an original: many collections number
    # their tracks like this.
    known = {normal(track) for track in tracks}
    originals = [_NUMBERED_ENDING.sub("", track) for track in tracks]
    return one_spelling(
        original if normal(original) in known else track
        for track, original in zip(tracks, originals, strict=True)
    )


def split_folder(path: str) -> tuple[str, str]:
    """Split a path after the last slash or backslash."""
    start = max(path.rfind("/"), path.rfind("\\")) + 1
    return path[:start], path[start:]


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
