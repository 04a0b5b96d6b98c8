"""Text that can do no harm where it is shown."""

from __future__ import annotations

import unicodedata

#: Characters that order text from right to left, by which a name can pass for another.
_ORDER = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

#: Categories of Unicode that a terminal may act on, or that no encoding knows.
_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    r"""Write control characters as escapes such as ``\x1b``.

    Names of files and texts of model files are anybody's: printed as they are, they could set the
    title bar, fill the clipboard or clear the screen.
    """
    return "".join(_escape(c) if _is_unsafe(c) else c for c in text)


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in _UNSAFE or character in _ORDER


def _escape(character: str) -> str:
    if "\udc80" <= character <= "\udcff":  # a byte of a name that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
