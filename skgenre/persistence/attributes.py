"""Parameters and fitted attributes in model files.

An :class:`Attribute` converts a fitted attribute to JSON and arrays, and validates it when a model
is loaded. The shapes of the arrays of an estimator must be consistent. They are given by names:
``"n"`` is the number of features and ``"k"`` the number of classes; the size of other names is set
by the first array in which they occur.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, Protocol

import numpy as np
from scipy.sparse import issparse

from .archive import ArrayReader, ArrayWriter, Refused

#: Limits of integers and of other numbers in parameters.
MAX_INTEGER, MAX_REAL = 10**6, 1e15

#: Limits of the class labels: their number, and the characters of each.
MAX_CLASSES, MAX_CHARACTERS = 10_000, 200

#: Sizes that are computed from other sizes.
_DERIVED: dict[str, Callable[[dict[str, int]], int]] = {
    # Rows of linear coefficients.
    "rows": lambda sizes: 1 if sizes["k"] == 2 else sizes["k"],
    "k - 1": lambda sizes: sizes["k"] - 1,
    "pairs": lambda sizes: sizes["k"] * (sizes["k"] - 1) // 2,
}

Sizes = dict[str, int]


def check_size(size: int | str, found: int, sizes: Sizes) -> None:
    """Check a size of an array, or store it in `sizes` if its name is new.

    Raises
    ------
    Refused
        If the size differs from the expected size.
    """
    if isinstance(size, str):
        size = _DERIVED[size](sizes) if size in _DERIVED else sizes.setdefault(size, found)
    if found != size:
        raise Refused(f"has size {found}, expected {size}")


# ---------------------------------------------------------------- values of parameters


def to_json(value: Any) -> Any:
    """Convert the value of a parameter to JSON.

    Raises
    ------
    Refused
        If the value is not None, a number, a string, or a list, tuple, array or dict of these.
    """
    if value is None or isinstance(value, bool | np.bool_):
        return value if value is None else bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else {"number": str(number)}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, tuple):
        return {"tuple": [to_json(item) for item in value]}
    if isinstance(value, list) or (hasattr(value, "tolist") and getattr(value, "ndim", True)):
        return [to_json(item) for item in (value if isinstance(value, list) else value.tolist())]
    if isinstance(value, dict):
        return {"dict": [[to_json(key), to_json(item)] for key, item in value.items()]}
    raise Refused(
        f"is a {type(value).__name__}, but must be a number, string, list or dict to be saved"
    )


def from_json(value: Any) -> Any:
    """Convert JSON to the value of a parameter.

    Raises
    ------
    Refused
        If the value was not created by :func:`to_json`.
    """
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"number": "nan" | "inf" | "-inf" as text, **rest} if not rest:
            return float(text)
        case {"tuple": list(items), **rest} if not rest:
            return tuple(from_json(items))
        case {"dict": list(pairs), **rest} if not rest:
            if all(isinstance(p, list) and len(p) == 2 and _is_key(p[0]) for p in pairs):
                return {key: from_json(item) for key, item in pairs}
    raise Refused(f"{str(value)[:100]} is not a value of a parameter")


def _is_key(value: Any) -> bool:
    return isinstance(value, str | int | float)


def check_range(value: Any, limits: tuple[float, float] | None = None) -> None:
    """Check all numbers in the value of a parameter.

    Parameters
    ----------
    value : object
        Value of a parameter.
    limits : tuple of float, default=None
        Minimum and maximum. None uses wide limits and also allows infinity and NaN.

    Raises
    ------
    Refused
        If a number is out of the limits.
    """
    if isinstance(value, list | tuple | dict):
        for item in value.values() if isinstance(value, dict) else value:
            check_range(item, limits)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        largest = MAX_INTEGER if isinstance(value, int) else MAX_REAL
        low, high = limits or (-largest, largest)
        is_special = limits is None and not math.isfinite(value)
        if not (low <= value <= high or is_special):
            raise Refused(f"{value!r:.50} is not between {low} and {high}")


# ---------------------------------------------------------------- fitted attributes


class Saver(Protocol):
    """What attributes need while a model is saved."""

    arrays: ArrayWriter

    def save_estimator(self, estimator: Any) -> dict:
        """Convert an estimator to JSON and arrays."""


class Loader(Protocol):
    """What attributes need while a model is loaded."""

    arrays: ArrayReader

    def load_estimator(self, stored: Any) -> Any:
        """Create an estimator from JSON and arrays."""


@dataclass(frozen=True, kw_only=True)
class Attribute(ABC):
    """Base class of the kinds of fitted attributes.

    Parameters
    ----------
    optional : bool, default=False
        Whether the attribute may be None or missing.
    """

    optional: bool = False

    @abstractmethod
    def save(self, value: Any, saver: Saver) -> Any:
        """Convert a value to JSON and arrays."""

    @abstractmethod
    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> Any:
        """Convert JSON and arrays to a value, or raise Refused if they are not valid."""


@dataclass(frozen=True)
class ArrayAttribute(Attribute):
    """An array of numbers.

    Parameters
    ----------
    shape : tuple of int or str
        Expected sizes, or their names.
    dtype : dtype or {"f", "f8", "i8", "i4"}, default="f"
        Data type in the file. "f" is f4 for float32 arrays and f8 for others.
    low, high : float, default=None
        Limits of the values.
    finite : bool, default=True
        Whether to reject NaN and infinity.
    """

    shape: tuple[int | str, ...]
    dtype: str | np.dtype = "f"
    low: float | None = None
    high: float | None = None
    finite: bool = True

    def save(self, value: Any, saver: Saver) -> Any:
        if issparse(value):
            raise Refused("is sparse; fit the model to a dense array")
        value = np.asarray(value)
        dtype = self.dtype
        if dtype == "f":
            dtype = "f4" if value.dtype == np.float32 else "f8"
        return {"array": saver.arrays.add(value.astype(dtype))}

    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> np.ndarray:
        if not isinstance(stored, dict) or stored.keys() != {"array"}:
            raise Refused("is not an array")
        dtypes = ("f8", "f4") if self.dtype == "f" else (self.dtype,)
        array = loader.arrays.take(stored["array"], dtypes)
        if array.ndim != len(self.shape):
            raise Refused(f"has {array.ndim} axes, expected {len(self.shape)}")
        for size, found in zip(self.shape, array.shape, strict=True):
            check_size(size, found, sizes)
        if self.finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Refused("has values that are not finite")
        if self.low is not None and (array < self.low).any():
            raise Refused(f"has values below {self.low}")
        if self.high is not None and (array > self.high).any():
            raise Refused(f"has values above {self.high}")
        return array


@dataclass(frozen=True)
class NumberAttribute(Attribute):
    """A number.

    Parameters
    ----------
    low, high : float
        Limits of the number.
    integer : bool, default=False
        Whether the number must be an integer.
    name : str, default=None
        Name of a size that the number specifies.
    """

    low: float = 0
    high: float = MAX_INTEGER
    integer: bool = False
    name: str | None = None

    def save(self, value: Any, saver: Saver) -> Any:
        return to_json(int(value) if self.integer else float(value))

    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> Any:
        if type(stored) is not int and (self.integer or type(stored) is not float):
            raise Refused(f"{stored!r:.50} is not {'an integer' if self.integer else 'a number'}")
        check_range(stored, (self.low, self.high))
        if self.name is not None:
            check_size(self.name, int(stored), sizes)
        return stored


@dataclass(frozen=True)
class ValueAttribute(Attribute):
    """A value as of a parameter, which no method uses as a size or an index."""

    def save(self, value: Any, saver: Saver) -> Any:
        return to_json(value)

    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> Any:
        return from_json(stored)


@dataclass(frozen=True)
class LabelsAttribute(Attribute):
    """Sorted class labels: strings, integers, floats or booleans. Their number is the size "k"."""

    def save(self, value: Any, saver: Saver) -> Any:
        return np.asarray(value).tolist()

    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> np.ndarray:
        if not isinstance(stored, list) or not 2 <= len(stored) <= MAX_CLASSES:
            raise Refused(f"is not a list of 2 to {MAX_CLASSES} labels")
        types = set(map(type, stored))
        if len(types) > 1 or not types <= {str, int, float, bool}:
            raise Refused("has labels that are neither all strings nor all numbers")
        if types == {str} and (longest := max(map(len, stored))) > MAX_CHARACTERS:
            raise Refused(
                f"has labels of {longest} characters; at most {MAX_CHARACTERS} are allowed"
            )
        if not all(a < b for a, b in pairwise(stored)):  # NaN is never less
            raise Refused("has labels that are not sorted or not unique")
        check_size("k", len(stored), sizes)
        labels = np.array(stored)
        loader.arrays.count(labels.nbytes)
        return labels


@dataclass(frozen=True)
class NamesAttribute(Attribute):
    """Names of the features."""

    def save(self, value: Any, saver: Saver) -> Any:
        return [to_json(name) for name in value]

    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> np.ndarray:
        if not isinstance(stored, list) or not all(type(name) is str for name in stored):
            raise Refused("is not a list of strings")
        check_size("n", len(stored), sizes)
        return np.array(stored, dtype=object)


@dataclass(frozen=True)
class NoneAttribute(Attribute):
    """An attribute for what cannot be saved, which must be None."""

    optional: bool = True

    def save(self, value: Any, saver: Saver) -> Any:
        raise Refused("must be None to be saved")

    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> Any:
        raise Refused("must be None")


@dataclass(frozen=True)
class EstimatorAttribute(Attribute):
    """A fitted estimator of any allowed class."""

    def save(self, value: Any, saver: Saver) -> Any:
        return saver.save_estimator(value)

    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> Any:
        return loader.load_estimator(stored)


@dataclass(frozen=True)
class EstimatorsAttribute(Attribute):
    """A list of fitted estimators."""

    def save(self, value: Any, saver: Saver) -> Any:
        return [saver.save_estimator(each) for each in value]

    def load(self, stored: Any, loader: Loader, sizes: Sizes) -> list:
        if not isinstance(stored, list):
            raise Refused("is not a list of estimators")
        return [loader.load_estimator(each) for each in stored]
