"""Descriptions of the code of front ends, which are part of the keys of caches and stores."""

from __future__ import annotations

import dis
import linecache
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cached_property, partial, partialmethod, singledispatchmethod
from types import (
    CellType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    WrapperDescriptorType,
)
from typing import Any

import joblib

#: Packages whose code is identified by :func:`.cache.versions`, and Python's own modules, except
#: those to which classes that are made by calling a metaclass seem to belong.
_VERSIONED = {"skgenre", "sklearn", *sys.stdlib_module_names} - {"abc", "types"}

#: Folders of installed packages.
_INSTALLED = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})

#: Prefixes of class attributes that do not affect the result.
_IGNORED = ("_abc_impl", "_parameter_constraints", "_sklearn", "_sources")

#: Attributes of objects that contain functions.
_PARTS: dict[type, tuple[str, ...]] = {
    property: ("fget",),
    cached_property: ("func",),
    singledispatchmethod: ("func",),
    staticmethod: ("__func__",),
    classmethod: ("__func__",),
    MethodType: ("__func__", "__self__"),
    partial: ("func", "args", "keywords"),
    partialmethod: ("func", "args", "keywords"),
}

#: Objects that are identified by their name.
_NAMED = (
    ModuleType,
    GetSetDescriptorType,
    MemberDescriptorType,
    MethodDescriptorType,
    WrapperDescriptorType,
)

#: Types that are identified by their name and representation.
_PLAIN = (type(None), bool, int, float, complex, str, bytes)


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
        If the code contains a value that cannot be hashed.
    """
    return joblib.hash(_Description(cls).of_class(cls))


def hash_value(cls: type, value: Any) -> str:
    """Hash the value of a parameter of a class, including the code of functions in it.

    Raises
    ------
    ValueError
        If the value cannot be hashed.
    """
    return joblib.hash(_Description(cls).of_named(f"a parameter of {cls.__qualname__}", value))


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


class _Description:
    """Descriptions of values by tuples, lists and strings, which are equal in all processes.

    Parameters
    ----------
    cls : type
        Class of the front end, whose package is not considered a library.
    """

    def __init__(self, cls: type):
        self._sources: dict[str, str] = getattr(cls, "_sources", {})
        self._packages = {_package(base) for base in cls.__mro__} - _VERSIONED
        #: Functions, classes and objects by identity, which may refer to each other.
        self._described: dict[int, Any] = {}

    def of_class(self, cls: type) -> list:
        self._described[id(cls)] = cls
        return [
            (base.__module__, base.__qualname__, list(self._of_members(base)))
            for base in cls.__mro__
        ]

    def _of_members(self, cls: type) -> Iterator[tuple]:
        if _package(cls) not in _VERSIONED:
            for name, value in sorted(vars(cls).items()):
                # Other special attributes, such as __doc__, do not affect the result.
                if not name.startswith(_IGNORED) and (name[:2] != "__" or callable(value)):
                    yield name, self.of_named(f"{cls.__qualname__}.{name}", value)

    def of_named(self, name: str, value: Any) -> Any:
        try:
            return self._of(value)
        except Exception as error:
            raise ValueError(
                f"the value {value!r:.100} of {name} cannot be hashed ({error}); create it in "
                "extract_track"
            ) from error

    def _of(self, value: Any) -> Any:
        if type(value) in _PLAIN:
            return type(value).__name__, repr(value)
        if isinstance(value, FunctionType | type):
            return self._of_code(value)
        for kind, names in _PARTS.items():
            if isinstance(value, kind):
                return kind.__name__, [self._of(getattr(value, name)) for name in names]
        if isinstance(value, _NAMED):
            return type(value).__name__, value.__name__
        if isinstance(value, dict):
            return [self._of(item) for item in value.items()]
        if isinstance(value, list | tuple):
            return type(value).__name__, [self._of(item) for item in value]
        if isinstance(value, set | frozenset):  # their order differs between processes
            return type(value).__name__, sorted(joblib.hash(self._of(item)) for item in value)
        return self._of_instance(value)

    def _of_instance(self, value: Any) -> tuple:
        """Describe an object by its class and state, which may contain functions."""
        kind = self._of_code(type(value))
        if hasattr(value, "__wrapped__"):  # for example of functools.cache or Numba
            return kind, self._of(value.__wrapped__)
        if id(value) in self._described:
            return (kind,)
        state = None
        if hasattr(value, "__dict__") and not self._is_of_library(type(value)):
            self._described[id(value)] = value
            state = self._of(vars(value))
        try:
            return kind, state, joblib.hash(value)
        except Exception:
            if state is None:
                raise
            return kind, state

    def _of_code(self, value: FunctionType | type) -> Any:
        name = value.__module__, value.__qualname__
        if id(value) in self._described or self._is_of_library(value):
            return name
        if isinstance(value, type):
            return self.of_class(value)
        self._described[id(value)] = value
        source = self._sources.get(value.__code__.co_filename) or _read_text(value)
        cells = [cell.cell_contents for cell in value.__closure__ or () if not _is_empty(cell)]
        values = [value.__defaults__, value.__kwdefaults__, cells, vars(value)]
        # The text alone does not tell lambdas apart, and is missing for generated code.
        return name, source, _describe(value.__code__), self._of(values), self._of_others(value)

    def _is_of_library(self, value: FunctionType | type) -> bool:
        package = _package(value)
        if package in self._packages or "<locals>" in value.__qualname__:
            return False
        file = getattr(sys.modules.get(value.__module__), "__file__", None) or ""
        return package in _VERSIONED or file.startswith(_INSTALLED)

    def _of_others(self, function: FunctionType) -> list:
        """Describe the values that a function of a notebook, which has no file, refers to."""
        known = {} if "__file__" in function.__globals__ else function.__globals__
        names = sorted(set(_global_names([function.__code__])) & known.keys())
        return [(name, self._of(known[name])) for name in names]


def _is_empty(cell: CellType) -> bool:
    try:
        return cell.cell_contents is cell
    except ValueError:
        return True


def _global_names(constants: Iterable) -> Iterator[str]:
    for code in constants:
        if isinstance(code, CodeType):
            for instruction in dis.get_instructions(code):
                if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
                    yield instruction.argval
            yield from _global_names(code.co_consts)


def _describe(code: CodeType) -> tuple:
    constants = [
        _describe(c)
        if isinstance(c, CodeType)
        else sorted(map(repr, c))
        if isinstance(c, frozenset)
        else repr(c)
        for c in code.co_consts
    ]
    return code.co_code, code.co_exceptiontable, code.co_names, code.co_varnames, constants
