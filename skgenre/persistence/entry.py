"""Entries of the closed list of classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .values import Kind


@dataclass(frozen=True)
class Entry:
    """Description of a class that is allowed in model files.

    Parameters
    ----------
    cls : type
        Class of the estimator.
    nested : tuple of str, default=()
        Names of parameters that contain estimators or splitters.
    fitted : dict of str to Kind
        Fitted attributes that are saved.
    collect : callable, default=None
        Function that returns the values of `fitted` for a fitted estimator. None uses the
        attributes of the estimator.
    restore : callable, default=None
        Function that sets the fitted attributes of an estimator from such values. None sets the
        attributes directly.
    check : callable, default=None
        Function that raises Refused for inconsistent parameters.
    finish : callable, default=None
        Time-consuming function that completes an estimator after the whole file was validated.
    work : callable, default=None
        Function that returns the computational cost of a prediction, see
        :meth:`.values.Loading.spend`. None if the cost is small or proportional to the size of
        the arrays.
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
    """Return the public name of a class, including the public module."""
    parts = cls.__module__.split(".")
    if parts[0] == "skgenre":
        return f"skgenre.{cls.__qualname__}"
    if parts[0] == "sklearn":
        private = [i for i, part in enumerate(parts) if part.startswith("_")]
        parts = parts[: private[0]] if private else parts
    return f"{'.'.join(parts)}.{cls.__qualname__}"


def attributes(estimator, kinds: Mapping[str, Kind]) -> dict:
    """Return the attributes of an estimator in `kinds`, except for missing ones."""
    return {name: getattr(estimator, name) for name in kinds if hasattr(estimator, name)}
