"""Reading of genre and artist tags with mutagen (extra ``skgenre[tags]``)."""

from __future__ import annotations

from typing import Any


def _mutagen() -> Any:
    try:
        import mutagen
    except ImportError as error:
        raise ImportError(
            "Reading tags requires mutagen: pip install skgenre[tags], or pip install mutagen"
        ) from error
    return mutagen


#: Keys of each field: those of Vorbis comments, APE and mutagen's easy interface, and of ASF.
_KEYS = {"genre": ("genre", "WM/Genre"), "artist": ("artist", "Author")}
#: ID3 frames of each field for formats without an easy interface, such as wav and aiff.
_FRAMES = {"genre": "TCON", "artist": "TPE1"}


def read_tags(path: str) -> dict[str, str]:
    """Read the genre and artist tags of a file.

    Parameters
    ----------
    path : str
        Path of the file.

    Returns
    -------
    tags : dict
        First value of ``"genre"`` and ``"artist"``. It is ``""`` if there is no such tag or the
        file cannot be read.

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
        # `genres` converts the genre numbers of ID3v1, such as (17), to names.
        name = "genres" if field == "genre" else "text"
        found = [value for frame in tags.getall(_FRAMES[field]) for value in getattr(frame, name)]
    else:
        found = [value for key in _KEYS[field] if key in tags for value in _values(tags[key])]
    return next((text for value in found if (text := str(value).strip())), "")


def _values(value: Any) -> list:
    return [value] if isinstance(value, str) else list(value)
