"""What the parts of a model file may hold: plain values, and kinds of fitted attributes.

A kind checks a value when a model is saved, and again when it is loaded. Sizes are named, so that
the arrays of an estimator have to fit each other: ``"n"`` is the number of features and ``"k"`` of
classes; another name stands for the size of the first array that has it.
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

#: Sizes that follow from others.
_DERIVED: dict[str, Callable[[dict[str, int]], int]] = {
    # Rows of linear coefficients, and pairs of classes.
    "rows": lambda sizes: 1 if sizes["k"] == 2 else sizes["k"],
    "k - 1": lambda sizes: sizes["k"] - 1,
    "pairs": lambda sizes: sizes["k"] * (sizes["k"] - 1) // 2,
}

#: Bounds of numbers that have no narrower ones.
_LARGEST_INTEGER, _LARGEST_REAL = 10**6, 1e15

#: Items of a list or dict in a parameter.
_MOST_ITEMS = 1000

#: Classes of a classifier, and characters of all of their labels in NumPy's array.
_MOST_CLASSES, _MOST_CHARACTERS = 10_000, 1 << 20

#: What a prediction takes at most, of all parts of a model together; see :meth:`Loading.spend`.
_MOST_WORK = 1 << 34

FLOATS = ("f8", "f4")


def fit_size(size: int | str, found: int, sizes: dict[str, int]) -> None:
    """Check a size against a number or name, or note it under a name that is new.

    Raises
    ------
    Refused
        If it is another.
    """
    if isinstance(size, str):
        size = _DERIVED[size](sizes) if size in _DERIVED else sizes.setdefault(size, found)
    if found != size:
        raise Refused(f"has size {found}, expected {size}")


# ---------------------------------------------------------------- plain values


def to_plain(value: Any) -> Any:
    """Turn a value of a parameter into JSON.

    Raises
    ------
    Refused
        If it is none of: None, numbers, text, and lists, tuples, arrays and dicts of them.
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
        f"is a {type(value).__name__}, where a model file holds numbers, text, lists and dicts"
    )


def from_plain(value: Any) -> Any:
    """Turn JSON back into the value of a parameter.

    Raises
    ------
    Refused
        If :func:`to_plain` has not made it.
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
    raise Refused(f"{str(value)[:100]} is no value of a parameter")


def _is_key(value: Any) -> bool:
    return isinstance(value, str | int | float)


def check_range(value: Any, bounds: tuple[float, float] | None = None) -> None:
    """Check every number in a plain value, and how many there are.

    Parameters
    ----------
    value : object
    bounds : tuple of float, default=None
        Lowest and highest number. None takes wide ones, and allows for infinity and NaN.

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
    """A model on its way into a file."""

    def __init__(self, arrays: ArrayWriter):
        self.arrays = arrays

    @abstractmethod
    def pack(self, estimator: Any) -> dict:
        """Turn an estimator into JSON."""


class Loading(ABC):
    """A model on its way out of a file."""

    def __init__(self, arrays: ArrayReader):
        self.arrays = arrays
        #: How many parts around the present one are given what others have computed.
        self.inside = 0
        self._work = 0.0
        #: What takes long, and is done when nothing else can be refused.
        self.later: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def behind(self, apply: bool = True) -> Iterator[None]:
        """Note that the parts in the block get what others have computed, and no paths."""
        self.inside += apply
        try:
            yield
        finally:
            self.inside -= apply

    def spend(self, work: float) -> None:
        """Count what a part takes of a prediction.

        Parameters
        ----------
        work : float
            Multiplications, or what takes as long, for a segment, a row or a second of audio.

        Raises
        ------
        Refused
            If all parts together take too much.
        """
        self._work += work
        if self._work > _MOST_WORK:
            raise Refused(f"the parts of the model take more than {_MOST_WORK} multiplications")

    @abstractmethod
    def unpack(self, node: Any) -> Any:
        """Turn JSON into an estimator."""


@dataclass(frozen=True, kw_only=True)
class Kind(ABC):
    """A kind of fitted attribute.

    Parameters
    ----------
    optional : bool, default=False
        The attribute may be None, or not be there.
    """

    optional: bool = False

    @abstractmethod
    def pack(self, value: Any, saving: Saving) -> Any:
        """Turn a value into JSON."""

    @abstractmethod
    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        """Turn JSON back into a value, or raise Refused."""


@dataclass(frozen=True)
class Array(Kind):
    """An array of numbers.

    Parameters
    ----------
    shape : tuple of int or str
        Sizes.
    dtype : {"f", "f8", "i8", "i4", "u1"}, default="f"
        In the file. "f" is f8 or f4, whichever the array has.
    low, high : float or str, default=None
        Bounds of the values; a name stands for one less than the size of that name.
    finite : bool, default=True
        Refuse NaN and infinity.
    increasing : bool, default=False
        Refuse values that are below the one before, along the first axis.
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
            raise Refused("is no array")
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
            raise Refused("has values that do not increase")
        return array


@dataclass(frozen=True)
class Number(Kind):
    """A number between bounds; its size is noted under `name`."""

    low: float = 0
    high: float = _LARGEST_INTEGER
    integer: bool = False
    name: str | None = None

    def pack(self, value: Any, saving: Saving) -> Any:
        return to_plain(int(value) if self.integer else float(value))

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if type(value) is not int and (self.integer or type(value) is not float):
            raise Refused(f"{value!r:.50} is no {'integer' if self.integer else 'number'}")
        check_range(value, (self.low, self.high))
        if self.name is not None:
            fit_size(self.name, int(value), sizes)
        return value


#: Number of features, the ``n`` of shapes.
FEATURES = Number(1, 1 << 20, integer=True, name="n")


@dataclass(frozen=True)
class Labels(Kind):
    """Class labels: text, integers, floats or booleans, sorted; their number is ``k``."""

    _TYPES: ClassVar = {"U": str, "O": str, "i": int, "u": int, "f": float, "b": bool}

    def pack(self, value: Any, saving: Saving) -> Any:
        value = np.asarray(value)
        return {"dtype": value.dtype.str.lstrip("<|"), "labels": value.tolist()}

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, dict) or value.keys() != {"dtype", "labels"}:
            raise Refused("are no labels")
        labels, dtype = value["labels"], value["dtype"]
        found = re.fullmatch("O|([Uiufb])([1-9][0-9]{0,4})", dtype) if type(dtype) is str else None
        if found is None:
            raise Refused(f"has the dtype {dtype!r:.50}")
        kind = self._TYPES[dtype[0]]
        if not isinstance(labels, list) or not all(type(label) is kind for label in labels):
            raise Refused(f"has labels of other types than {kind.__name__}")
        if not 2 <= len(labels) <= _MOST_CLASSES:
            raise Refused(f"has {len(labels)} labels, expected 2 to {_MOST_CLASSES}")
        width = int(found[2] or 1)
        if kind is str:
            longest = max(map(len, labels))
            if dtype != "O" and not longest <= width <= _MOST_CHARACTERS // len(labels):
                raise Refused(f"has the dtype {dtype!r} for labels of {longest} characters")
        if kind is float and not all(map(math.isfinite, labels)):
            raise Refused("has labels that are not finite")
        if any(a >= b for a, b in pairwise(labels)):
            raise Refused("has labels that are not sorted, or occur twice")
        fit_size("k", len(labels), sizes)
        return np.array(labels, dtype)


@dataclass(frozen=True)
class Names(Kind):
    """Names of the features, or whatever else there are `size` of."""

    size: int | str = "n"

    def pack(self, value: Any, saving: Saving) -> Any:
        return [to_plain(name) for name in value]

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, list) or not all(type(name) is str for name in value):
            raise Refused("are no names")
        fit_size(self.size, len(value), sizes)
        return np.array(value, dtype=object)


@dataclass(frozen=True)
class Words(Kind):
    """A list of words, each one of some."""

    size: str
    options: tuple[str, ...]

    def pack(self, value: Any, saving: Saving) -> Any:
        return [to_plain(word) for word in value]

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, list) or not all(word in self.options for word in value):
            raise Refused(f"{value!r:.100} are not all among {list(self.options)}")
        fit_size(self.size, len(value), sizes)
        return value


@dataclass(frozen=True)
class Part(Kind):
    """A fitted estimator.

    Parameters
    ----------
    same_classes : bool, default=False
        Refuse one that is fitted to another number of classes.
    types : tuple of type, default=(object,)
        Refuse one that is none of these.
    behind : bool, default=False
        It gets what other parts have computed.
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
            raise Refused(f"{type(estimator).__name__} has no place here")
        if self.same_classes:
            classes = getattr(estimator, "classes_", None)
            if classes is None or len(classes) != sizes["k"]:
                raise Refused(f"{type(estimator).__name__} is not fitted to {sizes['k']} classes")
        return estimator


@dataclass(frozen=True)
class Parts(Kind):
    """A list of fitted estimators."""

    size: str
    same_classes: bool = False
    types: tuple[type, ...] = (object,)

    def pack(self, value: Any, saving: Saving) -> Any:
        return [saving.pack(each) for each in value]

    def unpack(self, value: Any, loading: Loading, sizes: dict[str, int]) -> Any:
        if not isinstance(value, list) or not value:
            raise Refused("is no list of estimators")
        fit_size(self.size, len(value), sizes)
        part = Part(self.same_classes, self.types)
        return [part.unpack(each, loading, sizes) for each in value]
