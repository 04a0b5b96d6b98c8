"""Genre and artist by the tags of audio files, with mutagen (``pip install skgenre[tags]``)."""

from __future__ import annotations

from typing import Any


def _mutagen() -> Any:
    try:
        import mutagen
    except ImportError as error:
        raise ImportError(
            "Tags need mutagen: pip install skgenre[tags], or pip install mutagen"
        ) from error
    return mutagen


#: Keys of a field: of Vorbis comments, APE and mutagen's easy interface, then of ASF.
_KEYS = {"genre": ("genre", "WM/Genre"), "artist": ("artist", "Author")}
#: Frames of ID3 where there is no easy interface, as in wav and aiff.
_FRAMES = {"genre": "TCON", "artist": "TPE1"}


def read_tags(path: str) -> dict[str, str]:
    """Read genre and artist of a file.

    Parameters
    ----------
    path : str

    Returns
    -------
    tags : dict
        With ``"genre"`` and ``"artist"``, the first of each where there are several; ``""`` where
        there is none, or the file cannot be read.

    Raises
    ------
    ImportError
        If mutagen is not installed.
    """
    mutagen = _mutagen()
    try:
        file = mutagen.File(path, easy=True)
    except (mutagen.MutagenError, OSError):
        file = None
    tags = None if file is None else file.tags
    return {field: "" if tags is None else _first(tags, field) for field in _KEYS}


def _first(tags: Any, field: str) -> str:
    if hasattr(tags, "getall"):
        # `genres` spells out the numbers of ID3's first version, such as (17).
        name = "genres" if field == "genre" else "text"
        found = [value for frame in tags.getall(_FRAMES[field]) for value in getattr(frame, name)]
    else:
        found = [value for key in _KEYS[field] if key in tags for value in _values(tags[key])]
    return next((text for value in found if (text := str(value).strip())), "")


def _values(value: Any) -> list:
    return [value] if isinstance(value, str) else list(value)
