"""Parameters and fitted attributes in model files.

A :class:`Kind` converts a fitted attribute to JSON, and validates it when a model is loaded. The
shapes of the arrays of an estimator must be consistent. They are given by names: ``"n"`` is the
number of features and ``"k"`` the number of classes; the size of other names is set by the first
array in which they occur.
"""

from __future__ import annotations

import contextlib
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from scipy.sparse import issparse

from .archive import ArrayReader, ArrayWriter, Refused

#: Sizes that are computed from other sizes.
_DERIVED: dict[str, Callable[[dict[str, int]], int]] = {
    # Rows of linear coefficients.
    "rows": lambda sizes: 1 if sizes["k"] == 2 else sizes["k"],
    "k - 1": lambda sizes: sizes["k"] - 1,
    "pairs": lambda sizes: sizes["k"] * (sizes["k"] - 1) // 2,
}

#: Default bounds of numbers.
_LARGEST_INTEGER, _LARGEST_REAL = 10**6, 1e15

#: Maximum number of items of a list or dict in a parameter.
_MOST_ITEMS = 1000

#: Maximum number of classes, and maximum size of the array of their labels in characters.
_MOST_CLASSES, _MOST_CHARACTERS = 10_000, 1 << 20

#: Maximum cost of a prediction for all parts of a model, see :meth:`Loading.spend`.
_MOST_WORK = 1 << 34

FLOATS = ("f8", "f4")


def fit_size(size: int | str, found: int, sizes: dict[str, int]) -> None:
    """Check a size of an array, or store it if its name is new.

    Parameters
    ----------
    size : int or str
        Expected size, or its name.
    found : int
        Actual size.
    sizes : dict of str to int
        Sizes by name, which is modified in place.

    Raises
    ------
    Refused
        If the size differs from the expected size.
    """
    if isinstance(size, str):
        size = _DERIVED[size](sizes) if size in _DERIVED else sizes.setdefault(size, found)
    if found != size:
        raise Refused(f"has size {found}, expected {size}")


# ---------------------------------------------------------------- plain values


def to_plain(value: Any) -> Any:
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
        return {"tuple": [to_plain(item) for item in value]}
    if isinstance(value, list) or (hasattr(value, "tolist") and getattr(value, "ndim", True)):
        return [to_plain(item) for item in (value if isinstance(value, list) else value.tolist())]
    if isinstance(value, dict):
        return {"dict": [[to_plain(key), to_plain(item)] for key, item in value.items()]}
    raise Refused(
        f"is a {type(value).__name__}, but must be a number, string, list or dict to be saved"
    )


def from_plain(value: Any) -> Any:
    """Convert JSON to the value of a parameter.

    Raises
    ------
    Refused
        If the value was not created by :func:`to_plain`.
    """
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value:
        case {"number": "nan" | "inf" | "-inf" as text, **rest} if not rest:
            return float(text)
        case {"tuple": list(items), **rest} if not rest:
            return tuple(from_plain(items))
        case {"dict": list(pairs), **rest} if not rest:
            if all(isinstance(p, list) and len(p) == 2 and _is_key(p[0]) for p in pairs):
                return {key: from_plain(item) for key, item in pairs}
    raise Refused(f"{str(value)[:100]} is not a value of a parameter")


def _is_key(value: Any) -> bool:
    return isinstance(value, str | int | float)


def check_range(value: Any, bounds: tuple[float, float] | None = None) -> None:
    """Check all numbers in the value of a parameter, and the lengths of lists.

    Parameters
    ----------
    value : object
        Value of a parameter.
    bounds : tuple of float, default=None
        Minimum and maximum. None uses wide bounds and also allows infinity and NaN.

    Raises
    ------
    Refused
        If a number is out of bounds, or a list is too long.
    """
    if isinstance(value, list | tuple | dict):
        if len(value) > _MOST_ITEMS:
            raise Refused(f"has {len(value)} items, more than {_MOST_ITEMS}")
        for item in value.values() if isinstance(value, dict) else value:
            check_range(item, bounds)
    elif not isinstance(value, int | float) or isinstance(value, bool):
        return
    elif bounds is None:
        largest = _LARGEST_INTEGER if isinstance(value, Integral) else _LARGEST_REAL
        finite = isinstance(value, Integral) or math.isfinite(value)
        if finite and not -largest <= value <= largest:
            raise Refused(f"{value!r:.50} is not between {-largest} and {largest}")
    elif not bounds[0] <= value <= bounds[1]:
        raise Refused(f"{value!r:.50} is not between {bounds[0]} and {bounds[1]}")


# ---------------------------------------------------------------- kinds of fitted attributes


class Saving(ABC):
    """Base class for converting models to JSON and arrays."""

    def __init__(self, arrays: ArrayWriter):
        self.arrays = arrays

    @abstractmethod
    def pack(self, estimator: Any) -> dict:
        """Convert an estimator to JSON."""


class Loading(ABC):
    """Base class for restoring models from JSON and arrays."""

    def __init__(self, arrays: ArrayReader):
        self.arrays = arrays
        #: Number of enclosing parts whose input is the output of other parts.
        self.inside = 0
        self._work = 0.0
        #: Time-consuming functions to call after the whole file was validated.
        self.later: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def behind(self, apply: bool = True) -> Iterator[None]:
        """Mark the parts in a ``with`` block as having the output of other parts as input.

        Front ends, which read files, are not allowed in such a block.
        """
        self.inside += apply
        try:
            yield
        finally:
            self.inside -= apply

    def spend(self, work: float) -> None:
        """Add the computational cost of a part to that of the model.

        Parameters
        ----------
        work : float
            Number of multiplications, or of operations that take as long, per segment, sample or
            second of audio.

        Raises
        ------
        Refused
            If the total cost is too high.
        """
        self._work += work
        if self._work > _MOST_WORK:
            raise Refused(f"requires more than {_MOST_WORK} multiplications for all of its parts")

    @abstractmethod
    def unpack(self, node: Any) -> Any:
        """Convert JSON to an estimator."""


@dataclass(frozen=True, kw_only=True)
class Kind(ABC):
    """Base class of the kinds of fitted attributes.

    Parameters
    ----------
    optional : bool, default=False
        Whether the attribute may be None or missing.
    """

    optional: bool = False

    @abstractmethod
    def pack(self, value: Any, saving: Saving) -> Any:
        """Convert a value to JSON."""

    @abstractmethod
    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        """Convert JSON to a value, or raise Refused if it is not valid."""


@dataclass(frozen=True)
class Array(Kind):
    """An array of numbers.

    Parameters
    ----------
    shape : tuple of int or str
        Expected sizes, or their names.
    dtype : {"f", "f8", "i8", "i4", "u1"}, default="f"
        Data type in the file. "f" is f4 for float32 arrays and f8 for others.
    low, high : float or str, default=None
        Bounds of the values. For `high`, the name of a size stands for this size minus one.
    finite : bool, default=True
        Whether to reject NaN and infinity.
    increasing : bool, default=False
        Whether to reject values that decrease along the first axis.
    """

    shape: tuple[int | str, ...]
    dtype: str = "f"
    low: float | None = None
    high: float | str | None = None
    finite: bool = True
    increasing: bool = False

    def pack(self, value: Any, saving: Saving) -> Any:
        if issparse(value):
            raise Refused("is sparse; fit the model to a dense array")
        value = np.asarray(value)
        kept = value.dtype in (np.float32, np.float64)
        dtype = self.dtype if self.dtype != "f" else value.dtype.str[1:] if kept else "f8"
        return {"array": saving.arrays.add(value.astype(f"<{dtype}"))}

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, dict) or value.keys() != {"array"}:
            raise Refused("is not an array")
        array = loading.arrays.take(value["array"], FLOATS if self.dtype == "f" else (self.dtype,))
        if array.ndim != len(self.shape):
            raise Refused(f"has {array.ndim} axes, expected {len(self.shape)}")
        for size, found in zip(self.shape, array.shape, strict=True):
            fit_size(size, found, sizes)
        if self.finite and array.dtype.kind == "f" and not np.isfinite(array).all():
            raise Refused("has values that are not finite")
        high = sizes[self.high] - 1 if isinstance(self.high, str) else self.high
        if (self.low is not None and (array < self.low).any()) or (
            high is not None and (array > high).any()
        ):
            raise Refused(f"has values that are not between {self.low} and {high}")
        if self.increasing and (array[1:] < array[:-1]).any():
            raise Refused("has values that are not in increasing order")
        return array


@dataclass(frozen=True)
class Number(Kind):
    """A number.

    Parameters
    ----------
    low, high : float
        Bounds of the number.
    integer : bool, default=False
        Whether the number must be an integer.
    name : str, default=None
        Name of a size that the number specifies.
    """

    low: float = 0
    high: float = _LARGEST_INTEGER
    integer: bool = False
    name: str | None = None

    def pack(self, value: Any, saving: Saving) -> Any:
        return to_plain(int(value) if self.integer else float(value))

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if type(value) is not int and (self.integer or type(value) is not float):
            kind = "an integer" if self.integer else "a number"
            raise Refused(f"{value!r:.50} is not {kind}")
        check_range(value, (self.low, self.high))
        if self.name is not None:
            fit_size(self.name, int(value), sizes)
        return value


#: Number of features, which is the size ``"n"``.
FEATURES = Number(1, 1 << 20, integer=True, name="n")


@dataclass(frozen=True)
class Labels(Kind):
    """Sorted class labels: strings, integers, floats or booleans. Their number is the size "k"."""

    _TYPES: ClassVar = {"U": str, "O": str, "i": int, "u": int, "f": float, "b": bool}

    def pack(self, value: Any, saving: Saving) -> Any:
        value = np.asarray(value)
        return {"dtype": value.dtype.str.lstrip("<|"), "labels": value.tolist()}

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, dict) or value.keys() != {"dtype", "labels"}:
            raise Refused("does not contain labels")
        labels, dtype = value["labels"], value["dtype"]
        found = re.fullmatch("O|([Uiufb])([1-9][0-9]{0,4})", dtype) if type(dtype) is str else None
        if found is None:
            raise Refused(f"has an invalid dtype {dtype!r:.50}")
        kind = self._TYPES[dtype[0]]
        if not isinstance(labels, list) or not all(type(label) is kind for label in labels):
            raise Refused(f"has labels that are not of type {kind.__name__}")
        if not 2 <= len(labels) <= _MOST_CLASSES:
            raise Refused(f"has {len(labels)} labels, expected 2 to {_MOST_CLASSES}")
        width = int(found[2] or 1)
        if kind is str:
            longest = max(map(len, labels))
            if dtype != "O" and not longest <= width <= _MOST_CHARACTERS // len(labels):
                raise Refused(f"has dtype {dtype!r} for labels of up to {longest} characters")
        if kind is float and not all(map(math.isfinite, labels)):
            raise Refused("has labels that are not finite")
        if any(a >= b for a, b in pairwise(labels)):
            raise Refused("has labels that are not sorted or not unique")
        fit_size("k", len(labels), sizes)
        return np.array(labels, dtype)


@dataclass(frozen=True)
class Names(Kind):
    """Names, by default of the features. Their number is `size`."""

    size: int | str = "n"

    def pack(self, value: Any, saving: Saving) -> Any:
        return [to_plain(name) for name in value]

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, list) or not all(type(name) is str for name in value):
            raise Refused("is not a list of strings")
        fit_size(self.size, len(value), sizes)
        return np.array(value, dtype=object)


@dataclass(frozen=True)
class Words(Kind):
    """A list of strings, each of which is one of `options`. Its length is `size`."""

    size: str
    options: tuple[str, ...]

    def pack(self, value: Any, saving: Saving) -> Any:
        return [to_plain(word) for word in value]

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, list) or not all(word in self.options for word in value):
            raise Refused(f"must be a list of strings in {list(self.options)}; got {value!r:.100}")
        fit_size(self.size, len(value), sizes)
        return value


@dataclass(frozen=True)
class Part(Kind):
    """A fitted estimator.

    Parameters
    ----------
    same_classes : bool, default=False
        Whether it must have the same number of classes.
    types : tuple of type, default=(object,)
        Allowed types.
    behind : bool, default=False
        Whether its input is the output of other parts.
    """

    same_classes: bool = False
    types: tuple[type, ...] = (object,)
    behind: bool = False

    def pack(self, value: Any, saving: Saving) -> Any:
        return saving.pack(value)

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        with loading.behind(self.behind):
            estimator = loading.unpack(value)
        if not isinstance(estimator, self.types):
            raise Refused(f"{type(estimator).__name__} is not allowed here")
        if self.same_classes:
            classes = getattr(estimator, "classes_", None)
            if classes is None or len(classes) != sizes["k"]:
                raise Refused(f"{type(estimator).__name__} must be fitted to {sizes['k']} classes")
        return estimator


@dataclass(frozen=True)
class Parts(Kind):
    """A list of fitted estimators, see `Part`. Its length is `size`."""

    size: str
    same_classes: bool = False
    types: tuple[type, ...] = (object,)

    def pack(self, value: Any, saving: Saving) -> Any:
        return [saving.pack(each) for each in value]

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, list) or not value:
            raise Refused("is not a non-empty list of estimators")
        fit_size(self.size, len(value), sizes)
        part = Part(self.same_classes, self.types)
        return [part.unpack(each, loading, sizes) for each in value]
