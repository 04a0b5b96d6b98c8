"""Saving and loading of models without pickle, such that files from untrusted sources are safe.

A model file is a zip archive with ``manifest.json`` and plain arrays. The manifest is a tree of
estimators with their classes, parameters and fitted attributes. Loading creates only instances of
the classes listed in ``entries.py``, with the parameters and attributes that their entries allow.
No code from the file is executed.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._files import expand, replace_file
from .._sklearn import SIMPLE_METHODS
from .._warnings import warn
from ..features import FrontEnd
from .archive import (
    FORMAT,
    ArrayReader,
    ArrayWriter,
    ModelFileError,
    Refused,
    check_text,
    one_line,
    open_archive,
    read_manifest,
    to_bytes,
)
from .entries import BOUNDS, ENTRIES, find_entry, own_entry
from .entry import attributes, type_name
from .sklearn_entries import OPTIONS
from .values import Loading, Saving, check_range, from_plain, to_plain

#: Parameters that depend on the machine or session and are not saved.
_OF_A_MACHINE = frozenset({"memory", "n_jobs", "verbose", "callbacks"})

#: Default values of deprecated parameters in scikit-learn, which may be missing in other versions.
_PLACEHOLDERS = ("deprecated", "warn")

#: Maximum number of estimators in a file.
_MOST_ESTIMATORS = 1000

_VERSIONS = ("skgenre", "scikit-learn", "numpy", "keras")

# ---------------------------------------------------------------- the public functions


def save(model: BaseEstimator, path: str | os.PathLike, *, description: str = "") -> None:
    """Save a model to a file that can be loaded safely.

    Parameters
    ----------
    model : estimator
        Model to save, usually a fitted pipeline. Supported are all pipelines of
        :func:`skgenre.genre_pipeline`, and compositions of the classes listed in the
        documentation.
    path : str or path-like
        Path of the file, such as ``model.skgenre``. An existing file is replaced atomically: it
        is not changed if saving fails or is interrupted.
    description : str, default=""
        Description of the model, such as the training data and the accuracy.

    Raises
    ------
    ModelFileError
        If a part of the model is not supported. The message contains the name of this part, and
        no file is written.
    TypeError
        If `model` is not an estimator.

    See Also
    --------
    load : Load a model from a file.
    describe : Read the description of a model file.

    Notes
    -----
    The file contains all data required for prediction. The parameters ``memory``, ``n_jobs``,
    ``verbose`` and ``callbacks``, RandomState instances passed as ``random_state``, and the state
    of the optimizer of networks are not saved. If the training of a loaded network is continued,
    it starts from the saved weights with a new optimizer.

    Examples
    --------
    >>> import os, tempfile
    >>> import skgenre
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = skgenre.make_baseline("logistic").fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.skgenre")
    ...     skgenre.save(model, path, description="Logistic regression on iris")
    ...     loaded = skgenre.load(path)
    >>> bool((loaded.predict(X) == model.predict(X)).all())
    True
    """
    path = Path(expand(path))
    if not isinstance(model, BaseEstimator):
        raise TypeError(f"model must be an estimator; got {model!r}.")
    saving = _Saving(ArrayWriter())
    try:
        check_text(description, several_lines=True)
        manifest = {
            "format": FORMAT,
            "description": description,
            "versions": {name: _version(name) for name in _VERSIONS},
            "model": saving.pack(model),
        }
        # Load the file, so that models which cannot be loaded are rejected now.
        content = to_bytes(manifest, saving.arrays)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _load(archive, len(content), saving.own)
    except Exception as error:  # parts of the model may raise anything
        raise ModelFileError(str(path), f"cannot be written: {one_line(error)}") from error
    replace_file(path, content)


def load(path: str | os.PathLike, *, trusted: Sequence[type] = ()) -> Any:
    """Load a model from a file.

    Files from untrusted sources can be loaded, since no code from the file is executed.

    Parameters
    ----------
    path : str or path-like
        Path of a file that was written by :func:`save`.
    trusted : sequence of type, default=()
        Custom classes that the file may contain: subclasses of
        :class:`skgenre.NetworkClassifier` and :class:`skgenre.FrontEnd`. Their code is
        executed when the model is loaded and used.

    Returns
    -------
    model : estimator
        Loaded model. Prediction does not require TensorFlow.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ModelFileError
        If the file is not a model file, is damaged, was written by a later version, or contains
        anything that is not allowed. The message contains the reason.
    TypeError
        If `trusted` is not a sequence of such classes.

    Warns
    -----
    UserWarning
        If the file was written with another version of scikit-learn.

    See Also
    --------
    save : Save a model to a file.
    describe : Read the description of a model file.
    """
    path = expand(path)
    own = _names(trusted)
    with open_archive(path) as (archive, size):
        manifest, model = _load(archive, size, own)
    _warn_of_versions(path, manifest["versions"])
    return model


def describe(path: str | os.PathLike) -> dict:
    """Read the description of a model file without loading the model.

    Parameters
    ----------
    path : str or path-like
        Path of a file that was written by :func:`save`.

    Returns
    -------
    manifest : dict
        Dictionary with the keys ``format``, ``description``, ``versions``, ``model`` (classes,
        parameters and fitted attributes of all estimators, and layers of networks) and ``arrays``
        (types, shapes and checksums).

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ModelFileError
        If the file is not a model file, or its manifest is invalid.

    See Also
    --------
    load : Load a model from a file.

    Examples
    --------
    >>> import os, tempfile
    >>> import skgenre
    >>> from sklearn.datasets import load_iris
    >>> model = skgenre.make_baseline("lda").fit(*load_iris(return_X_y=True))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.skgenre")
    ...     skgenre.save(model, path, description="Linear discriminant analysis of iris")
    ...     skgenre.describe(path)["description"]
    'Linear discriminant analysis of iris'
    """
    with open_archive(expand(path)) as (archive, size):
        return read_manifest(archive, size)


def _names(trusted: Sequence[type]) -> dict[str, type]:
    """Return the trusted classes by name."""
    if isinstance(trusted, str) or not all(isinstance(cls, type) for cls in trusted):
        raise TypeError(f"trusted must be a sequence of classes; got {trusted!r}.")
    try:
        return {type_name(own_entry(cls).cls): cls for cls in trusted}
    except Refused as error:
        raise TypeError(f"trusted={trusted!r}: {error}") from error


def _load(archive: zipfile.ZipFile, size: int, own: dict[str, type]) -> tuple[dict, Any]:
    manifest = read_manifest(archive, size)
    loading = _Loading(ArrayReader(archive, manifest["arrays"]), own)
    model = loading.unpack(manifest["model"])
    if not isinstance(model, BaseEstimator):
        raise Refused("does not contain an estimator")
    loading.arrays.check_all_taken()
    for finish in loading.later:
        finish()
    return manifest, model


# ---------------------------------------------------------------- estimators to JSON and back


@contextlib.contextmanager
def _at(name: str) -> Iterator[None]:
    """Add the name of a part of the model to errors that are raised in a ``with`` block.

    Other errors than `Refused` are converted to it.
    """
    try:
        yield
    except Exception as error:
        refused = error if isinstance(error, Refused) else Refused(f"{one_line(error):.500}")
        refused.where.insert(0, name)
        if refused is error:
            raise
        raise refused from error


def _parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator, or of a splitter, which has no `get_params`.

    Parameters that depend on the machine or session are left out, and so are parameters of classes
    of scikit-learn with a placeholder as the default and as the value.
    """
    names = inspect.signature(type(estimator).__init__).parameters
    placeholders = _PLACEHOLDERS if type(estimator).__module__.startswith("sklearn.") else ()
    return {
        name: getattr(estimator, name)
        for name, parameter in names.items()
        if name not in _OF_A_MACHINE | {"self"}
        and parameter.kind is not parameter.VAR_KEYWORD
        and hasattr(estimator, name)
        and not (
            parameter.default in placeholders and str(getattr(estimator, name)) == parameter.default
        )
    }


class _Saving(Saving):
    """Convert estimators to JSON. The attribute `own` collects custom classes."""

    def __init__(self, arrays: ArrayWriter):
        super().__init__(arrays)
        self.own: dict[str, type] = {}

    def pack(self, estimator: Any) -> dict:
        cls = type(estimator)
        entry = ENTRIES.get(type_name(cls))
        if entry is None or entry.cls is not cls:
            entry = own_entry(cls)
            self.own[type_name(cls)] = cls
        node: dict[str, Any] = {"class": type_name(cls), "parameters": {}}
        with _at(cls.__name__):
            for name, value in _parameters(estimator).items():
                if isinstance(value, np.random.RandomState):
                    continue
                with _at(name):
                    node["parameters"][name] = (
                        self._pack_nested(value) if name in entry.nested else to_plain(value)
                    )
            if cls in self.own.values():
                _check_own(entry, estimator)
            fitted = self._pack_fitted(entry, estimator)
            if fitted is not None:
                node["fitted"] = fitted
            node.update(_extras(estimator))
        return node

    def _pack_nested(self, value: Any) -> Any:
        splitter = hasattr(value, "split") and not isinstance(value, str)
        if isinstance(value, BaseEstimator) or splitter:
            return self.pack(value)
        if isinstance(value, list | tuple):
            if len(value) == 2 and isinstance(value[0], str):
                with _at(value[0]):
                    return [value[0], self._pack_nested(value[1])]
            return [self._pack_nested(item) for item in value]
        return to_plain(value)

    def _pack_fitted(self, entry, estimator) -> dict | None:
        needed = [name for name, kind in entry.fitted.items() if not kind.optional]
        first = next((name for name in needed if name.endswith("_")), None)
        if first is None or not hasattr(estimator, first):
            return None
        collect = entry.collect or (lambda estimator: attributes(estimator, entry.fitted))
        found = collect(estimator)
        fitted = {}
        for name, kind in entry.fitted.items():
            if name not in found:
                continue  # if it is required, loading raises an error
            with _at(name):
                value = found[name]
                fitted[name] = None if value is None else kind.pack(value, self)
        return fitted


def _check_own(entry, estimator: Any) -> None:
    """Raise Refused if a custom class has fitted attributes that would not be saved."""
    kept = {*entry.fitted, "callbacks_"}
    made = {"architecture_", "weights_", "n_iter_"} if entry.fitted else set()
    lost = [
        name
        for name in vars(estimator)
        if name.endswith("_") and not name.startswith("_") and name not in kept | made
    ]
    if lost:
        raise Refused(f"has fitted attributes that cannot be saved: {lost}")


class _Loading(Loading):
    """Create estimators from JSON. `own` contains trusted custom classes."""

    def __init__(self, arrays: ArrayReader, own: dict[str, type]):
        super().__init__(arrays)
        self._own = own
        self._left = _MOST_ESTIMATORS

    def unpack(self, node: Any) -> Any:
        self._left -= 1
        keys = {"class", "parameters", "fitted", "requests", "output"}
        if self._left < 0 or not isinstance(node, dict) or not node.keys() <= keys:
            raise Refused(f"{str(node)[:100]} is not an estimator, or there are too many of them")
        entry = find_entry(node.get("class"), self._own)
        with _at(entry.cls.__name__):
            if self.inside and issubclass(entry.cls, FrontEnd):
                raise Refused("must be the first step, since other steps could pass paths to it")
            estimator = self._make(entry, node.get("parameters"))
            if "fitted" in node:
                self._restore(entry, estimator, node["fitted"])
            _restore_extras(estimator, node)
            if entry.work is not None:
                self.spend(entry.work(estimator))
        return estimator

    def _make(self, entry, parameters: Any) -> Any:
        known = inspect.signature(entry.cls.__init__).parameters.keys() - {"self"} - _OF_A_MACHINE
        if not isinstance(parameters, dict) or not parameters.keys() <= known:
            unknown = (
                sorted(set(parameters) - known) if isinstance(parameters, dict) else parameters
            )
            raise Refused(f"has unknown parameters (other version?): {unknown!r:.100}")
        options = OPTIONS.get(entry.cls, {})
        made = {}
        for name, value in parameters.items():
            with _at(name):
                if name in entry.nested:
                    made[name] = self._unpack_nested(value, consecutive=name == "steps")
                    continue
                made[name] = from_plain(value)
                check_range(made[name], BOUNDS.get(name))
                if name in options and made[name] not in options[name]:
                    raise Refused(f"must be one of {list(options[name])}; got {made[name]!r:.50}")
        estimator = entry.cls(**made)
        if hasattr(type(estimator), "_parameter_constraints"):
            estimator._validate_params()
        if entry.check is not None:
            entry.check(estimator)
        return estimator

    def _unpack_nested(self, value: Any, *, consecutive: bool = False) -> Any:
        if isinstance(value, dict) and "class" in value:
            return self.unpack(value)
        if isinstance(value, list):
            items = []
            for i, item in enumerate(value):
                with self.behind(consecutive and i > 0):
                    # scikit-learn expects (name, estimator) tuples.
                    pair = isinstance(item, list)
                    items.append(tuple(map(self._unpack_nested, item)) if pair else item)
            return items
        plain = from_plain(value)
        check_range(plain, BOUNDS["cv"])
        return plain

    def _restore(self, entry, estimator, fitted: Any) -> None:
        if not isinstance(fitted, dict) or not fitted.keys() <= entry.fitted.keys():
            unknown = (
                sorted(fitted.keys() - entry.fitted.keys()) if isinstance(fitted, dict) else ""
            )
            raise Refused(f"has unknown fitted attributes {unknown}")
        sizes: dict[str, int] = {}
        state = {}
        for name, kind in entry.fitted.items():
            with _at(name):
                if fitted.get(name) is not None:
                    state[name] = kind.unpack(fitted[name], self, sizes)
                elif not kind.optional:
                    raise Refused("is missing")
                elif name in fitted:
                    state[name] = None
        if entry.restore is None:
            vars(estimator).update(state)
        else:
            entry.restore(estimator, state)
        if entry.finish is not None:
            self.later.append(partial(_finish, entry, estimator))


def _finish(entry, estimator) -> None:
    with _at(entry.cls.__name__):
        entry.finish(estimator)


def _extras(estimator: Any) -> dict[str, Any]:
    """Return the settings of `set_fit_request` and similar methods, and of `set_output`."""
    extras: dict[str, Any] = {}
    if "_metadata_request" in vars(estimator):
        requests = estimator._metadata_request
        asked = {method: dict(getattr(requests, method).requests) for method in SIMPLE_METHODS}
        extras["requests"] = {method: each for method, each in asked.items() if each}
    if "_sklearn_output_config" in vars(estimator):
        extras["output"] = estimator._sklearn_output_config.get("transform", "default")
    return extras


def _restore_extras(estimator: Any, node: dict) -> None:
    if "output" in node:
        if node["output"] not in ("default", "pandas", "polars"):
            raise Refused(f"has an invalid output setting {node['output']!r:.50}")
        # `set_output` would also apply to the parts of a union, which have their own setting.
        estimator._sklearn_output_config = {"transform": node["output"]}
    if "requests" in node:
        requests = estimator._get_metadata_request()
        for method, each in node["requests"].items():
            if method not in SIMPLE_METHODS or not isinstance(each, dict):
                raise Refused(f"requests metadata for an unknown method {method!r:.50}")
            for name, alias in each.items():
                if alias is not None and not isinstance(alias, bool | str):
                    raise Refused(f"requests {name!r:.50} with an invalid alias {alias!r:.50}")
                getattr(requests, method).add_request(param=name, alias=alias)
        estimator._metadata_request = requests


# ---------------------------------------------------------------- versions


def _warn_of_versions(path: str, made: dict[str, str]) -> None:
    here = version("scikit-learn")
    found = made.get("scikit-learn", "an unknown version")
    if found.split(".")[:2] != here.split(".")[:2]:
        warn(
            f"{path} was written with scikit-learn {found:.50}, but version {here} is installed. "
            "Predictions may differ. Train and save the model again with this version."
        )


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # Keras is not required for prediction
        return "not installed"
