"""What an entry of the closed list says of a class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .values import Kind


@dataclass(frozen=True)
class Entry:
    """What is kept of one class.

    Parameters
    ----------
    cls : type
    nested : tuple of str
        Parameters that hold estimators or splitters.
    fitted : dict of str to Kind
        Attributes of a fitted estimator that are stored.
    collect : callable, default=None
        Maps a fitted estimator to the values of `fitted`; without it they are its attributes.
    restore : callable, default=None
        Gives an estimator its fitted attributes from such values; without it they are set.
    check : callable, default=None
        Raises Refused for parameters that do not fit each other.
    finish : callable, default=None
        What a restored estimator still needs, and takes long.
    work : callable, default=None
        What an estimator takes of a prediction, as :meth:`.values.Loading.spend` counts it;
        without it that is small, or as large as its arrays.
    """

    cls: type
    nested: tuple[str, ...] = ()
    fitted: Mapping[str, Kind] = field(default_factory=dict)
    collect: Callable[[Any], dict] | None = None
    restore: Callable[[Any, dict], None] | None = None
    check: Callable[[Any], None] | None = None
    finish: Callable[[Any], None] | None = None
    work: Callable[[Any], float] | None = None


def type_name(cls: type) -> str:
    """Public name of a class: where it is imported from, and what it is called."""
    parts = cls.__module__.split(".")
    if parts[0] == "skgenre":
        return f"skgenre.{cls.__qualname__}"
    if parts[0] == "sklearn":
        private = [i for i, part in enumerate(parts) if part.startswith("_")]
        parts = parts[: private[0]] if private else parts
    return f"{'.'.join(parts)}.{cls.__qualname__}"


def attributes(estimator, kinds: Mapping[str, Kind]) -> dict:
    """Attributes of an estimator that it has, of those listed."""
    return {name: getattr(estimator, name) for name in kinds if hasattr(estimator, name)}
