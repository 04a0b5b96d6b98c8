"""Escaping of untrusted text before it is printed."""

from __future__ import annotations

import unicodedata

#: Characters that change the direction of text and can disguise a file name.
_ORDER = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

#: Unicode categories that a terminal may interpret, or that cannot be encoded.
_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""Escape control characters, for example as ``\x1b``.

    File names and strings in model files are untrusted: printed unescaped, they could change the
    title of a terminal, fill the clipboard or clear the screen.
    """
    return "".join(_escape(c) if _is_unsafe(c) else c for c in text)


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE or character in _ORDER


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # an undecodable byte of a file name
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
