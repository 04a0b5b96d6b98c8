"""Keys of the classes of front ends, which are part of the keys of caches and stores.

The code of skgenre and of installed packages is part of a key by its name only, since
:func:`.cache.versions` has the versions. Classes and functions of the user are part of it by what
was loaded: bytecode, default values, variables of closures, and the global variables that they use.

The key of a class is the same in all processes, including the workers of joblib. These have copies
of the classes of scripts and notebooks, in which some objects are not the same object as in the
original, but equal.
"""

from __future__ import annotations

import dis
import functools
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

from joblib.hashing import NumpyHasher

#: Packages whose code is identified by :func:`.cache.versions`. Classes that are made by calling a
#: metaclass seem to belong to the module abc.
_VERSIONED = {"skgenre", "sklearn", *sys.stdlib_module_names} - {"abc", "types"}

#: Folders of installed packages.
_INSTALLED = (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))

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


def class_key(cls: type, parameters: Mapping[str, Any] | None = None) -> str:
    """Hash the code of a class, and the values of parameters.

    Raises
    ------
    ValueError
        If a value cannot be hashed.
    """
    try:
        return _CodeHasher(cls).hash((cls, parameters))
    except Exception as error:  # pickling can raise anything
        raise ValueError(
            f"a value that {cls.__qualname__} uses cannot be hashed ({error}); create it in "
            "extract_track"
        ) from error


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
        #: Functions and classes whose content is in the hash, as they may refer to each other.
        self._hashed: dict[int, Any] = {}

    def memoize(self, obj: Any) -> None:
        """Remember an object, but no tuple: workers have copies of what is one tuple here."""
        if not isinstance(obj, tuple):
            super().memoize(obj)

    def save(self, obj: Any) -> None:
        """Add an object to the hash."""
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

    def _is_users(self, module: str | None) -> bool:
        """Check whether a module is the user's: not installed, or of the package of the class."""
        package = (module or "builtins").partition(".")[0]
        if package in _VERSIONED:
            return False
        file = getattr(sys.modules.get(module or ""), "__file__", None) or ""
        # The __main__ of a worker is a module of joblib.
        return package in {*self._packages, "__main__"} or not file.startswith(_INSTALLED)

    def _content(self, obj: FunctionType | type) -> Any:
        # The qualified name of a local class is another in workers.
        name = obj.__module__, obj.__name__
        if id(obj) in self._hashed:
            return name
        # Libraries make functions with values of the user in closures.
        is_local = isinstance(obj, FunctionType) and "<locals>" in obj.__qualname__
        if not (is_local or self._is_users(obj.__module__)):
            return obj.__module__, obj.__qualname__
        self._hashed[id(obj)] = obj
        if isinstance(obj, type):
            return name, obj.__bases__, _members(obj)
        cells = [cell.cell_contents for cell in obj.__closure__ or ()]
        return name, obj.__code__, obj.__defaults__, obj.__kwdefaults__, cells, self._globals(obj)

    def _globals(self, function: FunctionType) -> list[tuple[str, Any]]:
        """Return the global variables that a function of the user uses."""
        variables = function.__globals__
        if not self._is_users(variables.get("__name__")):
            return []
        codes = list(_nested(function.__code__))
        used = {i.argval for c in codes for i in dis.get_instructions(c) if "GLOBAL" in i.opname}
        return list(self._find(used, {name for c in codes for name in c.co_names}, variables))

    def _find(
        self, names: set[str], attributes: set[str], variables: Mapping[str, Any]
    ) -> Iterator[tuple[str, Any]]:
        """Yield the variables with some names, and those of the user's modules among them."""
        for name in sorted(names & variables.keys()):
            value = variables[name]
            yield name, value
            if isinstance(value, ModuleType) and self._is_users(value.__name__):
                attributes = attributes - {name}
                yield from self._find(attributes, attributes, vars(value))


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


def _nested(code: CodeType) -> Iterator[CodeType]:
    """Yield code and the code of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
