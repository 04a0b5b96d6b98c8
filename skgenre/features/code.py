"""Hashes of the code of front ends, which are part of the keys of caches and stores."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from collections.abc import Iterator
from functools import cached_property, singledispatchmethod
from types import CodeType, FunctionType, ModuleType
from typing import Any

import joblib
from joblib.hashing import NumpyHasher

#: Packages whose code is identified by :func:`.cache.versions`, and Python's own modules, except
#: those to which classes that are made by calling a metaclass seem to belong.
_VERSIONED = {"skgenre", "sklearn", *sys.stdlib_module_names} - {"abc", "types"}

#: Folders of installed packages.
_INSTALLED = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})

#: Prefixes of class attributes that do not affect the result.
_IGNORED = ("_abc_impl", "_parameter_constraints", "_sklearn", "_sources")


def class_key(cls: type) -> str:
    """Hash a class by its name and, for classes defined by users, by its code.

    The code consists of

    - the text of the files, or cells of a notebook, that define the methods of the class and of its
      bases, and the functions and classes in the values below;
    - the values of class attributes, of defaults, and of variables in closures;
    - in a notebook, the functions and values in other cells to which the functions refer.

    Other modules that these files import are not included, nor are the versions of packages other
    than those in :func:`.cache.versions`.

    Raises
    ------
    ValueError
        If a value cannot be hashed, or the text of a function is not available.
    """
    return joblib.hash(
        [(c.__module__, c.__qualname__, list(_members(c, cls))) for c in cls.__mro__]
    )


def _members(base: type, cls: type) -> Iterator[tuple[str, str]]:
    if _package(base) not in _VERSIONED:
        for name, value in sorted(vars(base).items()):
            # Other special attributes, such as __doc__, do not affect the result.
            if not name.startswith(_IGNORED) and (name[:2] != "__" or callable(value)):
                yield name, hash_value(cls, f"{base.__qualname__}.{name}", value)


def hash_value(cls: type, name: str, value: Any) -> str:
    """Hash the value of an attribute or parameter of a class, including the functions in it.

    Raises
    ------
    ValueError
        If the value cannot be hashed. The message contains `name`.
    """
    try:
        return _CodeHasher(cls).hash(value)
    except Exception as error:  # pickling can raise anything
        raise ValueError(
            f"the value {value!r:.100} of {name} cannot be hashed ({error}); create it in "
            "extract_track"
        ) from error


def hash_sources(cls: type) -> dict[str, str]:
    """Hash the text of the files that define a class and its bases.

    This is called when the class is defined, because the files may be edited while they are in use,
    and because workers of joblib do not have the files of a notebook.
    """
    functions = [
        value
        for base in cls.__mro__
        if _package(base) not in _VERSIONED
        for value in vars(base).values()
        if isinstance(value, FunctionType)
    ]
    texts = {function.__code__.co_filename: _read_text(function) for function in functions}
    return {name: joblib.hash(text) for name, text in texts.items() if text}


def _package(value: FunctionType | type) -> str:
    return (value.__module__ or "").partition(".")[0]


def _read_text(function: FunctionType) -> str:
    """Return the text of a file, or of a cell of a notebook; empty for generated code."""
    name = function.__code__.co_filename
    linecache.checkcache(name)
    return "".join(linecache.getlines(name, function.__globals__))


class _CodeHasher(NumpyHasher):
    """Hasher of joblib that takes functions and classes of the user by their content.

    joblib takes them by their names, and cannot hash properties and the like.

    Parameters
    ----------
    cls : type
        Class of the front end, whose package is not considered a library.
    """

    def __init__(self, cls: type):
        super().__init__("md5")
        self._sources: dict[str, str] = getattr(cls, "_sources", {})
        self._packages = {_package(base) for base in cls.__mro__} - _VERSIONED
        #: Functions and classes by identity, which may refer to each other.
        self._saved: dict[int, Any] = {}

    def save(self, obj: Any) -> None:
        """Pickle an object into the hash."""
        if isinstance(obj, property):
            obj = "property", obj.fget
        elif isinstance(obj, cached_property | singledispatchmethod):
            obj = type(obj).__name__, obj.func
        elif isinstance(obj, staticmethod | classmethod):
            obj = type(obj).__name__, obj.__func__
        elif isinstance(obj, frozenset):
            obj = "frozenset", set(obj)  # joblib sorts only sets
        elif isinstance(obj, FunctionType | type):
            obj = self._content(obj)
        elif hasattr(type(obj), "__wrapped__") or "__wrapped__" in getattr(obj, "__dict__", ()):
            obj = type(obj).__name__, obj.__wrapped__  # of functools.cache, Numba and others
        super().save(obj)

    def _content(self, obj: FunctionType | type) -> Any:
        name = obj.__module__, obj.__qualname__
        if id(obj) in self._saved or self._is_of_library(obj):
            return name
        self._saved[id(obj)] = obj
        if isinstance(obj, FunctionType):
            return name, self._of_function(obj)
        return (
            name,
            obj.__bases__,
            {
                key: value
                for key, value in vars(obj).items()
                if not key.startswith(_IGNORED) and (key[:2] != "__" or callable(value))
            },
        )

    def _of_function(self, function: FunctionType) -> tuple:
        code = function.__code__
        text = self._sources.get(code.co_filename) or _read_text(function)
        if not text:
            raise ValueError(f"the text of {function.__qualname__} is not available")
        # The place in the text tells functions of the same name apart.
        where = list(code.co_positions())
        cells = [cell.cell_contents for cell in function.__closure__ or () if not _is_empty(cell)]
        values = function.__defaults__, function.__kwdefaults__, cells, vars(function)
        # A function of a notebook, which has no file, may refer to other cells.
        known = {} if "__file__" in function.__globals__ else function.__globals__
        others = {
            name: known[name]
            for name in sorted(_names(code))
            if name in known and not isinstance(known[name], ModuleType)
        }
        return text, where, values, others

    def _is_of_library(self, value: FunctionType | type) -> bool:
        package = _package(value)
        if package in self._packages or "<locals>" in value.__qualname__:
            return False
        file = getattr(sys.modules.get(value.__module__), "__file__", None) or ""
        return package in _VERSIONED or file.startswith(_INSTALLED)


def _is_empty(cell) -> bool:
    try:
        return cell.cell_contents is cell
    except ValueError:
        return True


def _names(code: CodeType) -> set[str]:
    """Return the names of global variables and attributes in code and in the code inside it."""
    inner = (_names(constant) for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*inner)
