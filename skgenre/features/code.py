"""Hashes of the code of front ends, which are part of the keys of caches and stores.

Texts are read when a class is defined and kept in the class, because files may be edited while they
are in use, and workers of joblib do not have the text of the classes of scripts. Values, which may
change later, are hashed whenever a key is computed.
"""

from __future__ import annotations

import contextlib
import dis
import linecache
import re
import sys
import sysconfig
from functools import cached_property, singledispatchmethod
from importlib.util import resolve_name
from types import CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import joblib
from joblib.hashing import NumpyHasher

if TYPE_CHECKING:
    from .front_end import FrontEnd

#: Modules of Python to which classes that are made by calling a metaclass seem to belong.
_PYTHON = {"abc", "types"}

#: Packages whose code is identified by :func:`.cache.versions`, and Python's other modules.
_VERSIONED = {"skgenre", "sklearn", *sys.stdlib_module_names} - _PYTHON

#: Folders of installed packages.
_INSTALLED = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})

#: Prefixes of class attributes that do not affect the result.
_IGNORED = ("_abc_impl", "_parameter_constraints", "_sklearn", "_texts")

#: Attributes of code that are the same in the workers of joblib.
_CODE = ("co_code", "co_consts", "co_names", "co_varnames", "co_exceptiontable")


def class_key(cls: type[FrontEnd]) -> str:
    """Hash a class by its name and, for classes defined by users, by its code.

    The code consists of

    - the texts of :func:`read_texts`;
    - class attributes, defaults and variables in closures, with the functions and classes in them;
    - for functions that are in none of these texts, such as those of a notebook, the global
      variables that they use.

    Raises
    ------
    ValueError
        If a value cannot be hashed.
    """
    members = [
        (name, hash_value(cls, f"{base.__qualname__}.{name}", value))
        for base in cls.__mro__
        if _is_of_user(base.__module__, cls)
        for name, value in sorted(_members(base).items())
    ]
    # The qualified name of a local class is another in workers.
    names = [(base.__module__, base.__name__) for base in cls.__mro__]
    return joblib.hash((names, cls._texts, members))


def hash_value(cls: type[FrontEnd], name: str, value: Any) -> str:
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


def read_texts(cls: type[FrontEnd], *names: str) -> dict[str, str]:
    """Hash the text of modules of the user, and of those that they have imported.

    By default, these are the modules of a class and its bases.
    """
    texts: dict[str, str] = {}
    left: list[Any] = list(names) or [base.__module__ for base in cls.__mro__]
    while left:
        name = left.pop()
        module = sys.modules.get(name) if isinstance(name, str) else None
        if module is None or name in texts or name in _PYTHON or not _is_of_user(name, cls):
            continue
        file = getattr(module, "__file__", None) or ""
        linecache.checkcache(file)
        text = "".join(linecache.getlines(file))  # empty for notebooks
        texts[name] = joblib.hash(text) if text else ""
        for value in list(vars(module).values()):
            is_module = isinstance(value, ModuleType)
            left.append(value.__name__ if is_module else getattr(value, "__module__", None))
        for origin in re.findall(r"^\s*from\s+(\S+)\s+import\b", text, re.MULTILINE):
            with contextlib.suppress(ImportError):  # in a docstring
                left.append(resolve_name(origin, module.__package__))
    return {name: text for name, text in texts.items() if text}


def _is_of_user(name: str | None, cls: type[FrontEnd]) -> bool:
    """Check whether a module is not installed, or of the package of a front end."""
    package = (name or "builtins").partition(".")[0]
    if package in _VERSIONED or package == "__main__":  # that of a worker is installed
        return package == "__main__"
    file = getattr(sys.modules.get(name or ""), "__file__", None) or ""
    fronts = [base for base in cls.__mro__ if hasattr(base, "_texts")]
    packages = {front.__module__.partition(".")[0] for front in fronts}
    return package in packages or not file.startswith(_INSTALLED)


def _members(cls: type) -> dict[str, Any]:
    """Return what a class defines. Special attributes, such as __doc__, do not affect the result.

    Workers of joblib do not have values that are the same object in a base.
    """
    inherited = {k: v for base in cls.__mro__[:0:-1] for k, v in vars(base).items()}
    return {
        name: value
        for name, value in vars(cls).items()
        if not name.startswith(_IGNORED)
        and (name[:2] != "__" or callable(value))
        and inherited.get(name, inherited) is not value
    }


class _CodeHasher(NumpyHasher):
    """Hasher of joblib that takes functions, classes and modules of the user by their content.

    joblib takes them by their names, and cannot hash properties and the like.

    Parameters
    ----------
    cls : type
        Class of the front end.
    """

    def __init__(self, cls: type[FrontEnd]):
        super().__init__("md5")
        self._cls, self._texts = cls, cls._texts
        #: Functions and classes by identity, which may refer to each other.
        self._saved: dict[int, Any] = {}

    def memoize(self, obj: Any) -> None:
        """Remember an object, but no tuple: workers have copies of what is one tuple here."""
        if not isinstance(obj, tuple):
            super().memoize(obj)

    def save(self, obj: Any) -> None:
        """Pickle an object into the hash."""
        if isinstance(obj, property):
            obj = "property", obj.fget
        elif isinstance(obj, cached_property | singledispatchmethod):
            obj = type(obj).__name__, obj.func
        elif isinstance(obj, frozenset):
            obj = "frozenset", set(obj)  # joblib sorts only sets
        elif isinstance(obj, CodeType):
            obj = [getattr(obj, name) for name in _CODE]
        elif isinstance(obj, ModuleType):
            obj = obj.__name__, self._texts.get(obj.__name__) or read_texts(self._cls, obj.__name__)
        elif isinstance(obj, FunctionType | type):
            obj = self._content(obj)
        elif hasattr(type(obj), "__wrapped__") or "__wrapped__" in getattr(obj, "__dict__", ()):
            obj = type(obj).__name__, obj.__wrapped__  # static and class methods, functools.cache
        super().save(obj)

    def _content(self, obj: FunctionType | type) -> Any:
        name = obj.__module__, obj.__name__
        if id(obj) in self._saved:
            return name
        # Libraries make functions with values of the user in closures.
        is_local = isinstance(obj, FunctionType) and "<locals>" in obj.__qualname__
        if not (is_local or _is_of_user(obj.__module__, self._cls)):
            return obj.__module__, obj.__qualname__
        self._saved[id(obj)] = obj
        if isinstance(obj, type):
            return name, obj.__bases__, _members(obj)
        cells = [cell.cell_contents for cell in obj.__closure__ or ()]
        values = obj.__code__, obj.__defaults__, obj.__kwdefaults__, cells, vars(obj)
        module = obj.__globals__.get("__name__")
        has_text = "__file__" in obj.__globals__ and module in self._texts
        if has_text or not _is_of_user(module, self._cls):
            return name, values
        used = _names(obj.__code__) & obj.__globals__.keys()
        return name, values, [(key, obj.__globals__[key]) for key in sorted(used)]


def _names(code: CodeType) -> set[str]:
    """Return the names of the global variables in code and in the code inside it."""
    found = {i.argval for i in dis.get_instructions(code) if i.opname.endswith("_GLOBAL")}
    return found.union(*(_names(c) for c in code.co_consts if isinstance(c, CodeType)))
