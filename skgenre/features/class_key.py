"""Keys of the classes of front ends, which are part of the keys of caches and stores.

A key is a hash of the code that is loaded. The code of skgenre and of installed packages is
identified by names only, since :func:`.cache.versions` has the versions. Names and order of what is
hashed are the same in the workers of joblib, which have copies of the classes of scripts.
"""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from joblib.hashing import NumpyHasher

#: Packages whose code is identified by :func:`.cache.versions`. Classes that are made by calling a
#: metaclass seem to belong to the module abc.
_VERSIONED = {"skgenre", "sklearn", *sys.stdlib_module_names} - {"abc", "types"}

#: Folders of installed packages.
_INSTALLED = tuple({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})

#: Prefixes of class attributes that do not affect the result.
_IGNORED = ("_abc_impl", "_parameter_constraints", "_sklearn")

#: Types that cannot be pickled, and their attributes with the function of the user.
_WRAPPERS: dict[type, str] = {
    property: "fget",
    functools.cached_property: "func",
    staticmethod: "__wrapped__",
    classmethod: "__wrapped__",
    functools._lru_cache_wrapper: "__wrapped__",
}

#: Attributes of code that are the same in the workers of joblib.
_CODE = ("co_code", "co_consts", "co_names", "co_varnames", "co_exceptiontable")


def class_key(cls: type) -> str:
    """Hash a class by its name and, for classes of the user, by its code.

    The code consists of the methods and class attributes of the class and of its bases, and of the
    functions, classes and values to which they refer, in the user's own modules.

    Raises
    ------
    ValueError
        If a value cannot be hashed.
    """
    hasher = _CodeHasher(cls)
    own = [base for base in cls.__mro__ if hasher.is_own(base.__module__)]
    members = [
        (name, hash_value(cls, f"{base.__qualname__}.{name}", value))
        for base in own
        for name, value in sorted(_members(base).items())
    ]
    # The qualified name of a local class is another in workers.
    names = [(base.__module__, base.__name__) for base in cls.__mro__]
    return hasher.hash((names, members))


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
    """Hasher of joblib that takes the user's functions and classes by their content.

    joblib takes them by their names, and cannot hash properties and the like.

    Parameters
    ----------
    cls : type
        Class of the front end, whose packages are the user's, even if they are installed.
    """

    def __init__(self, cls: type):
        super().__init__("md5")
        self._packages = {base.__module__.partition(".")[0] for base in cls.__mro__} - _VERSIONED
        #: Functions and classes by identity, which may refer to each other.
        self._saved: dict[int, Any] = {}

    def is_own(self, module: str | None) -> bool:
        """Check whether a module is the user's: not installed, or of the package of the class."""
        package = (module or "builtins").partition(".")[0]
        if package in _VERSIONED or package == "__main__":  # that of a worker is installed
            return package == "__main__"
        file = getattr(sys.modules.get(module or ""), "__file__", None) or ""
        return package in self._packages or not file.startswith(_INSTALLED)

    def memoize(self, obj: Any) -> None:
        """Remember an object, but no tuple: workers have copies of what is one tuple here."""
        if not isinstance(obj, tuple):
            super().memoize(obj)

    def save(self, obj: Any) -> None:
        """Pickle an object into the hash."""
        if type(obj) in _WRAPPERS:
            obj = type(obj).__name__, getattr(obj, _WRAPPERS[type(obj)])
        elif isinstance(obj, frozenset):
            obj = "frozenset", set(obj)  # joblib sorts only sets
        elif isinstance(obj, CodeType):
            obj = [getattr(obj, name) for name in _CODE]
        elif isinstance(obj, ModuleType):
            obj = obj.__name__
        elif isinstance(obj, FunctionType | type):
            obj = self._content(obj)
        super().save(obj)

    def _content(self, obj: FunctionType | type) -> Any:
        name = obj.__module__, obj.__name__
        if id(obj) in self._saved:
            return name
        # Libraries make functions with values of the user in closures.
        is_local = isinstance(obj, FunctionType) and "<locals>" in obj.__qualname__
        if not (is_local or self.is_own(obj.__module__)):
            return obj.__module__, obj.__qualname__
        self._saved[id(obj)] = obj
        if isinstance(obj, type):
            return name, obj.__bases__, _members(obj)
        cells = [cell.cell_contents for cell in obj.__closure__ or ()]
        values = list(self._globals(obj))
        return name, obj.__code__, obj.__defaults__, obj.__kwdefaults__, cells, values

    def _globals(self, function: FunctionType) -> Iterator[tuple[str, Any]]:
        """Yield the global variables that a function uses, and those of the user's modules."""
        variables = function.__globals__
        if not self.is_own(variables.get("__name__")):
            return
        codes = list(_nested(function.__code__))
        found = {i.argval for c in codes for i in dis.get_instructions(c) if "GLOBAL" in i.opname}
        left = [(name, variables[name]) for name in sorted(found & variables.keys())]
        names = {name for code in codes for name in code.co_names}
        modules = set()
        for name, value in left:  # grows
            yield name, value
            if isinstance(value, ModuleType) and self.is_own(value.__name__):
                used = names & vars(value).keys() if value not in modules else set()
                modules.add(value)
                left += [(name, vars(value)[name]) for name in sorted(used)]


def _nested(code: CodeType) -> Iterator[CodeType]:
    """Yield code and the code of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
