"""Saving and loading of models without pickle, such that files from untrusted sources are safe.

A model file is a zip archive with ``manifest.json`` and plain arrays. The manifest is a tree of
estimators with their classes, parameters and fitted attributes. Loading creates only instances of
the classes listed in ``allowed.py``, with the parameters and attributes that the list allows.
No code from the file is executed.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from .._files import expand, replace_file
from .._warnings import warn
from ..features import FrontEnd
from .allowed import ALLOWED, RANGES, AllowedClass, allow_custom, public_name
from .archive import (
    FORMAT,
    ArrayReader,
    ArrayWriter,
    ModelFileError,
    Refused,
    check_text,
    message_of,
    open_archive,
    read_manifest,
    to_bytes,
)
from .attributes import check_range, from_json, to_json

#: Limits of the estimators in a file: their number, and how deep they are nested.
MAX_ESTIMATORS, MAX_NESTING = 100, 8

#: Parameters that depend on the machine or session and are not saved.
_OF_A_MACHINE = frozenset({"memory", "n_jobs", "verbose", "callbacks"})

#: Default values of deprecated parameters in scikit-learn, which may be missing in other versions.
_PLACEHOLDERS = ("deprecated", "warn")

_VERSIONS = ("skgenre", "scikit-learn", "numpy")


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
    ``verbose`` and ``callbacks``, RandomState instances passed as ``random_state``, metadata
    requests, and the state of the optimizer of networks are not saved. If the training of a loaded
    network is continued, it starts from the saved weights with a new optimizer. Functions in
    `augment`, see :class:`skgenre.FrontEnd`, cannot be saved; set it to None, which does not change
    predictions.

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
    saver = _Saver()
    try:
        check_text(description, allow_lines=True)
        manifest = {
            "format": FORMAT,
            "description": description,
            "versions": {name: version(name) for name in _VERSIONS},
            "model": saver.save_estimator(model),
        }
        # Load the file, so that models which cannot be loaded are rejected now.
        content = to_bytes(manifest, saver.arrays)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _load(archive, len(content), saver.custom)
    except Exception as error:  # parts of the model may raise anything
        raise ModelFileError(str(path), f"cannot be written: {message_of(error)}") from error
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
        Loaded model. Prediction does not require TensorFlow, except for models of ``build_model``.

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
    custom = _allow_trusted(trusted)
    with open_archive(path) as (archive, size):
        manifest, model = _load(archive, size, custom)
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
        Dictionary with the keys ``format``, ``description``, ``versions`` (of the packages that
        wrote the file) and ``model`` (classes, parameters and fitted attributes of all estimators,
        and layers of networks; arrays are given by the names of their ``.npy`` files).

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
    with open_archive(expand(path)) as (archive, _):
        return read_manifest(archive)


def _allow_trusted(trusted: Sequence[type]) -> dict[str, AllowedClass]:
    """Return what is allowed for trusted classes, by their names."""
    if isinstance(trusted, str) or not all(isinstance(cls, type) for cls in trusted):
        raise TypeError(f"trusted must be a sequence of classes; got {trusted!r}.")
    try:
        return {public_name(cls): allow_custom(cls) for cls in trusted}
    except Refused as error:
        raise TypeError(f"trusted={trusted!r}: {error}") from error


def _load(archive: zipfile.ZipFile, size: int, custom: dict[str, AllowedClass]) -> tuple[dict, Any]:
    manifest = read_manifest(archive)
    loader = _Loader(ArrayReader(archive, size), custom)
    model = loader.load_estimator(manifest["model"])
    loader.arrays.check_all_taken()
    return manifest, model


# ---------------------------------------------------------------- estimators to JSON and back


@contextlib.contextmanager
def _inside(name: str) -> Iterator[None]:
    """Add the name of a part of the model to errors that are raised in a ``with`` block.

    Other errors than `Refused` are converted to it.
    """
    try:
        yield
    except Exception as error:
        refused = error if isinstance(error, Refused) else Refused(f"{message_of(error):.500}")
        refused.where.insert(0, name)
        if refused is error:
            raise
        raise refused from error


def _parameters_of(cls: type) -> dict[str, inspect.Parameter]:
    """Return the parameters of a class that are saved."""
    return {
        name: parameter
        for name, parameter in inspect.signature(cls).parameters.items()
        if name not in _OF_A_MACHINE and parameter.kind is not parameter.VAR_KEYWORD
    }


class _Saver:
    """Converts estimators to JSON and arrays. The attribute `custom` collects custom classes."""

    def __init__(self) -> None:
        self.arrays = ArrayWriter()
        self.custom: dict[str, AllowedClass] = {}

    def save_estimator(self, estimator: Any) -> dict:
        cls = type(estimator)
        class_name = public_name(cls)
        if class_name not in ALLOWED:
            if hasattr(estimator, "best_estimator_"):
                raise Refused(f"a {cls.__name__} cannot be saved; save its best_estimator_")
            self.custom[class_name] = allow_custom(cls)
        allowed = ALLOWED.get(class_name) or self.custom[class_name]
        parameters, fitted = {}, {}
        with _inside(cls.__name__):
            for name, parameter in _parameters_of(cls).items():
                value, default = getattr(estimator, name), parameter.default
                if isinstance(value, np.random.RandomState) or (
                    default in _PLACEHOLDERS and str(value) == default
                ):
                    continue
                with _inside(name):
                    save = self._save_nested if name == allowed.nested else to_json
                    if name == "cv" and not isinstance(value, Integral | None):
                        raise Refused(
                            f"is {value!r:.100} and cannot be saved; set an integer such as "
                            f"cv={getattr(value, 'n_splits', 5)}"
                        )
                    parameters[name] = save(value)
            node = {"class": class_name, "parameters": parameters}
            if allowed.fitted and hasattr(estimator, next(iter(allowed.fitted))):
                for name, attribute in allowed.fitted.items():
                    with _inside(name):
                        value = getattr(estimator, name, None)
                        if value is not None:
                            fitted[name] = attribute.save(value, self)
                        elif hasattr(estimator, name):
                            fitted[name] = None
                node["fitted"] = fitted
            if "_sklearn_output_config" in vars(estimator):
                node["output"] = estimator._sklearn_output_config.get("transform", "default")
        return node

    def _save_nested(self, value: Any) -> Any:
        if isinstance(value, list | tuple):
            pairs = []
            for name, each in value:
                with _inside(name):
                    pairs.append([name, self._save_nested(each)])
            return pairs
        return value if value is None or isinstance(value, str) else self.save_estimator(value)


class _Loader:
    """Creates estimators from JSON and arrays. `custom` contains trusted custom classes."""

    def __init__(self, arrays: ArrayReader, custom: dict[str, AllowedClass]):
        self.arrays = arrays
        self._allowed = {**ALLOWED, **custom}
        self._n_estimators = 0
        #: Number of estimators that contain the one that is being loaded.
        self._nesting = 0
        #: Whether the estimator that is being loaded gets the input of the model.
        self._gets_paths = True

    def load_estimator(self, stored: Any) -> Any:
        keys = {"class", "parameters", "fitted", "output"}
        if not isinstance(stored, dict) or not stored.keys() <= keys:
            raise Refused(f"{str(stored)[:100]} is not an estimator")
        name = stored.get("class")
        if not isinstance(name, str) or name not in self._allowed:
            raise Refused(
                f"{name!r:.100} is not a supported class of a model file. In Python, pass custom "
                "networks and front ends to load(trusted=[...])"
            )
        allowed = self._allowed[name]
        self._n_estimators += 1
        if self._n_estimators > MAX_ESTIMATORS or self._nesting >= MAX_NESTING:
            raise Refused(
                f"has more than {MAX_ESTIMATORS} estimators, or more than {MAX_NESTING} nested ones"
            )
        self._nesting += 1
        with _inside(allowed.cls.__name__):
            if not self._gets_paths and issubclass(allowed.cls, FrontEnd):
                raise Refused("must be the first step, since other steps could pass paths to it")
            estimator = self._create(allowed, stored.get("parameters"))
            if "fitted" in stored:
                self._set_fitted(allowed, estimator, stored["fitted"])
            if "output" in stored:
                if stored["output"] not in ("default", "pandas", "polars"):
                    raise Refused(f"has an invalid output setting {stored['output']!r:.50}")
                # `set_output` would also apply to nested estimators, which have their own setting.
                estimator._sklearn_output_config = {"transform": stored["output"]}
        self._nesting -= 1
        return estimator

    def _create(self, allowed: AllowedClass, parameters: Any) -> Any:
        known = _parameters_of(allowed.cls).keys()
        if not isinstance(parameters, dict) or not parameters.keys() <= known:
            unknown = sorted(set(parameters) - known) if isinstance(parameters, dict) else ""
            raise Refused(f"has unknown parameters (other version?): {unknown!r:.100}")
        values = {}
        for name, stored in parameters.items():
            with _inside(name):
                if name == allowed.nested:
                    values[name] = self._load_nested(stored, is_pipeline=name == "steps")
                    continue
                value = values[name] = from_json(stored)
                check_range(value, RANGES.get(name))
                if name in allowed.options and value not in allowed.options[name]:
                    options = list(allowed.options[name])
                    raise Refused(f"must be one of {options}; got {value!r:.50}")
        estimator = allowed.cls(**values)
        estimator._validate_params()
        return estimator

    def _load_nested(self, stored: Any, *, is_pipeline: bool = False) -> Any:
        """Load an estimator, or a list of names and estimators."""
        if stored in (None, "drop", "passthrough"):
            return stored
        if not isinstance(stored, list):
            return self.load_estimator(stored)
        pairs, gets_paths = [], self._gets_paths
        for i, pair in enumerate(stored):
            if not isinstance(pair, list) or len(pair) != 2 or not isinstance(pair[0], str):
                raise Refused(f"{str(pair)[:100]} is not a name and an estimator")
            self._gets_paths = gets_paths and not (is_pipeline and i > 0)
            with _inside(pair[0]):
                pairs.append((pair[0], self._load_nested(pair[1])))
        self._gets_paths = gets_paths
        return pairs

    def _set_fitted(self, allowed: AllowedClass, estimator: Any, stored: Any) -> None:
        if not isinstance(stored, dict) or not stored.keys() <= allowed.fitted.keys():
            unknown = set(stored) - allowed.fitted.keys() if isinstance(stored, dict) else ""
            raise Refused(f"has unknown fitted attributes {sorted(unknown)!r:.100}")
        sizes: dict[str, int] = {}
        for name, attribute in allowed.fitted.items():
            with _inside(name):
                if stored.get(name) is not None:
                    setattr(estimator, name, attribute.load(stored[name], self, sizes))
                elif not attribute.optional:
                    raise Refused("is missing")
                elif name in stored:
                    setattr(estimator, name, None)
        if allowed.complete is not None:
            allowed.complete(estimator)


def _warn_of_versions(path: str, versions: dict[str, str]) -> None:
    installed = version("scikit-learn")
    found = versions.get("scikit-learn", "an unknown version")
    if found.split(".")[:2] != installed.split(".")[:2]:
        warn(
            f"{path} was written with scikit-learn {found:.50}, but version {installed} is "
            "installed. Predictions may differ. Train and save the model again with this version."
        )
