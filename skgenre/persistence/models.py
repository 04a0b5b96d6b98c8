"""Saving and loading whole pipelines without pickle: files from strangers can be opened.

A model file is a zip. ``manifest.json`` says in words what is in it: versions, classes,
parameters, the layers of networks, and a checksum of every other member. Networks are plain
arrays; the rest is in the format of skops, of which only types that are trusted are made.
Arrays whose numbers compiled code follows without looking (the nodes of trees, the counts of a
support vector machine) are checked before the model is handed out.
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import io
import json
import os
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.metrics import get_scorer, get_scorer_names

from .._paths import expand
from .._warnings import warn
from ..networks import SegmentClassifier
from ..networks.layers import LAYERS, Architecture, Layer
from .archive import FORMAT, SCHEMA, ModelFileError, one_line, read, to_bytes, write
from .compiled import check_compiled

#: Types that are made from a file, beside scikit-learn's estimators and NumPy's arrays.
TRUSTED = (
    "numpy.dtype",
    "skgenre.calibration.GroupCalibratedClassifier",
    "skgenre.networks.classifiers.ANNClassifier",
    "skgenre.networks.classifiers.CNNClassifier",
    "skgenre.networks.classifiers.LSTMClassifier",
    "skgenre.networks.mel.MelCNNClassifier",
    "skgenre.features.descriptors.TrackDescriptors",
    "skgenre.features.gtzan.TrackFeatures",
    "skgenre.features.mel.MelSegmenter",
    "skgenre.features.mfcc.MFCCSegmenter",
    "skgenre.features.musicnn.MusicnnEmbedder",
    "skgenre.preprocessing.SegmentScaler",
    "skgenre.preprocessing.SegmentSummary",
    "skgenre.voting.SegmentVotingClassifier",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.model_selection._split.GroupKFold",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.StratifiedGroupKFold",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
    # What these index with is checked, see check_compiled.
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
)

#: The ways of making an object that models need. Among those left out are methods and partial
#: functions; functions are those of scorers.
_LOADERS = frozenset(
    f"{name}Node"
    for name in (
        *("Json", "Dict", "DefaultDict", "List", "Tuple", "Set", "Slice", "Bytes", "Type"),
        *("Object", "NdArray", "MaskedArray", "DType", "RandomState", "RandomGenerator"),
        *("Tree", "Loss", "Cached"),
    )
)

_VERSIONS = ("skgenre", "scikit-learn", "numpy", "scipy", "skops", "keras")

# ---------------------------------------------------------------- saving


def save(model: BaseEstimator, path: str | os.PathLike, *, description: str = "") -> None:
    """Save a model, most often a fitted pipeline, to a file that strangers can load safely.

    Parameters
    ----------
    model : estimator
        Networks, transformers and pipelines of skgenre, and what scikit-learn makes of them and
        of its own estimators.
    path : str or path-like
        The file, ``model.skgenre``, say. It is replaced whole: if saving is interrupted, the
        earlier file is as it was.
    description : str, default=""
        Words for whoever opens it: what it was trained on, and how well it does.

    Raises
    ------
    ModelFileError
        If part of the model cannot be saved without pickle, such as a function of one's own.
    TypeError
        If it is no estimator.

    Notes
    -----
    ``memory=`` of transformers and pipelines, a folder of this machine, is not saved. Callbacks of
    fitted networks are not either.

    See Also
    --------
    load : Load it.
    describe : Read what a file says about itself.

    Examples
    --------
    >>> import skgenre
    >>> skgenre.save(pipe, "model.skgenre")  # doctest: +SKIP
    >>> skgenre.load("model.skgenre").predict(["song.mp3"])  # doctest: +SKIP
    """
    from skops.io import dumps

    path = Path(expand(path))
    if not isinstance(model, BaseEstimator):
        raise TypeError(f"Expected an estimator, got {model!r}")
    model = copy.deepcopy(model)
    members: dict[str, bytes] = {}
    networks: list[dict] = []
    for item in _walk(model):
        if getattr(item, "memory", None) is not None and isinstance(item, BaseEstimator):
            item.memory = None
        if isinstance(item, SegmentClassifier) and hasattr(item, "weights_"):
            networks.append(_take_network(item, f"networks/{len(networks)}", members))
    try:
        packed = dumps(model)
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            for name in archive.namelist():
                members[f"model/{name}"] = archive.read(name)
        _check_loaders(members[SCHEMA], _scores())
    except Exception as error:  # whatever the parts of the model raise
        raise ModelFileError(str(path), f"cannot be written: {one_line(error)}") from error
    manifest = {
        "format": FORMAT,
        "description": description,
        "versions": {name: _version(name) for name in _VERSIONS},
        "model": {
            "class": _type_name(model),
            "parameters": {name: repr(value) for name, value in model.get_params().items()},
        },
        "networks": networks,
    }
    write(path, manifest, members)


def _take_network(classifier: SegmentClassifier, folder: str, members: dict[str, bytes]) -> dict:
    """Take the arrays out of a classifier, and say what they are of."""
    architecture = classifier.__dict__.pop("architecture_")
    arrays = {
        "weights": classifier.__dict__.pop("weights_"),
        "state": classifier.__dict__.pop("_state", None),
    }
    for kind, values in arrays.items():
        for i, value in enumerate(values or ()):
            members[f"{folder}/{kind}/{i}.npy"] = to_bytes(value)
    classifier.callbacks = None
    classifier.__dict__.pop("callbacks_", None)
    classifier.network_ = folder
    return {
        "folder": folder,
        "class": _type_name(classifier),
        "input_shape": list(architecture.input_shape),
        "layers": [
            {"layer": type(layer).__name__, **dataclasses.asdict(layer)}
            for layer in architecture.layers
        ],
        "arrays": {kind: None if v is None else len(v) for kind, v in arrays.items()},
    }


# ---------------------------------------------------------------- loading


def load(path: str | os.PathLike, *, trusted: Sequence[str] = ()) -> Any:
    """Load a model from a file, whoever made it: nothing of the file is run.

    Parameters
    ----------
    path : str or path-like
        A file that :func:`save` wrote.
    trusted : sequence of str, default=()
        Names of further types, such as ``"mymodule.MyNetwork"``, that the file may make objects
        of. Loading and using a model runs the code of its types.

    Returns
    -------
    model : estimator
        It answers without TensorFlow.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If the file is not a model, is damaged, was made by a later version, or holds what no
        model needs; the reason says which.

    Warns
    -----
    UserWarning
        If it was made with another version of scikit-learn.
    """
    path = expand(path)
    manifest, members = read(path)
    try:
        networks = {
            entry["folder"]: _make_network(entry, members) for entry in manifest["networks"]
        }
        model = _make_model(members, tuple(trusted), manifest["versions"])
        for item in _walk(model):
            _add_new_parameters(item)
            check_compiled(item)
            if getattr(item, "memory", None) is not None and isinstance(item, BaseEstimator):
                raise ValueError("it names a folder of its own as memory")
            if isinstance(item, SegmentClassifier) and "network_" in vars(item):
                folder = item.__dict__.pop("network_")
                name, architecture, item.weights_, item._state = networks[folder]
                if name != _type_name(item) or architecture.shapes[-1] != item.classes_.shape:
                    raise ValueError(f"{folder} is of another classifier")
                item.architecture_ = architecture
    except ModelFileError:
        raise
    except Exception as error:  # what a hostile or foreign file makes the parts raise
        raise ModelFileError(path, f"is refused: {one_line(error)}") from error
    if not isinstance(model, BaseEstimator):
        raise ModelFileError(path, f"holds a {_type_name(model)}, which is no model")
    _warn_of_versions(path, manifest["versions"])
    return model


def describe(path: str | os.PathLike) -> dict:
    """Read what a model file says about itself; makes nothing of it.

    Parameters
    ----------
    path : str or path-like
        A file that :func:`save` wrote.

    Returns
    -------
    manifest : dict
        With ``format``, ``description``, ``versions``, ``model`` (class and parameters),
        ``networks`` (their layers) and ``members`` (checksums).

    Raises
    ------
    ModelFileError
        As :func:`load`.
    """
    return read(expand(path))[0]


def _make_network(entry: dict, members: dict[str, bytes]) -> tuple:
    architecture = Architecture(
        _integers(entry["input_shape"]), tuple(_make_layer(**layer) for layer in entry["layers"])
    )
    arrays: dict[str, Any] = {
        kind: None
        if n is None
        else [np.load(io.BytesIO(members[f"{entry['folder']}/{kind}/{i}.npy"])) for i in range(n)]
        for kind, n in entry["arrays"].items()
    }
    shapes = [weight.shape for layer in architecture.weights for weight in layer]
    if [w.shape for w in arrays["weights"]] != shapes or any(
        w.dtype != np.float32 or not np.isfinite(w).all() for w in arrays["weights"]
    ):
        raise ValueError(f"the weights of {entry['folder']} do not fit its layers")
    return entry["class"], architecture, arrays["weights"], arrays["state"]


def _make_layer(layer: str, **sizes) -> Layer:
    if layer not in LAYERS:
        raise ValueError(f"unknown layer {layer!r}; the known ones are {sorted(LAYERS)}")
    for name, value in sizes.items():
        if isinstance(value, list):
            # In the shape that a Reshape makes, one -1 stands for what is left.
            free = layer == "Reshape" and value.count(-1) == 1
            sizes[name] = _integers(value, also=-1 if free else 1)
        elif not isinstance(value, int | float | str):
            raise TypeError(f"{name}={value!r} of a {layer} layer is neither number nor word")
    return LAYERS[layer](**sizes)


def _integers(values, also: int = 1) -> tuple[int, ...]:
    if not all(isinstance(n, int) and (0 < n < 2**31 or n == also) for n in values):
        raise ValueError(f"{values!r} must be integers above 0")
    return tuple(values)


def _make_model(members: dict[str, bytes], trusted: tuple[str, ...], versions: dict):
    """Have skops make the model, from types and in ways that are trusted."""
    from skops.io import get_untrusted_types, loads

    trusted = (*TRUSTED, *_scores(), *trusted)
    _check_loaders(members[SCHEMA], trusted)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in members.items():
            if name.startswith("model/"):
                archive.writestr(name.removeprefix("model/"), content)
    data = packed.getvalue()
    unknown = sorted(set(get_untrusted_types(data=data)) - set(trusted))
    if unknown:
        raise ValueError(
            f"it holds types that are not trusted: {unknown}. If you know that their code may "
            f"run, pass trusted={unknown}"
        )
    with warnings.catch_warnings():
        # One warning of ours stands for one of each part.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        try:
            return loads(data, trusted=trusted)
        except Exception as error:
            made, here = versions.get("scikit-learn"), version("scikit-learn")
            if made != here:
                raise ValueError(
                    f"{one_line(error)}; it was made with scikit-learn {made}, and this is {here}"
                ) from error
            raise


@cache
def _scores() -> tuple[str, ...]:
    """Names of the functions that scikit-learn's scorers compute, for searches."""
    functions = {get_scorer(name)._score_func for name in get_scorer_names()}
    return tuple(f"{function.__module__}.{function.__qualname__}" for function in functions)


def _check_loaders(schema: bytes, functions: Sequence[str]) -> None:
    """Refuse what would be made in a way that models do not need."""
    for node in _walk(json.loads(schema)):
        if isinstance(node, dict) and "__loader__" in node:
            name, loader = f"{node['__module__']}.{node['__class__']}", node["__loader__"]
            if loader not in _LOADERS and not (loader == "FunctionNode" and name in functions):
                raise ValueError(f"it holds {name} as a {loader}, which is not trusted")


def _add_new_parameters(item) -> None:
    """Give defaults to parameters that the version which made the file did not have."""
    if isinstance(item, BaseEstimator):
        for name, parameter in inspect.signature(type(item)).parameters.items():
            if not hasattr(item, name) and parameter.default is not parameter.empty:
                setattr(item, name, parameter.default)


def _warn_of_versions(path: str, made: dict[str, str]) -> None:
    here = version("scikit-learn")
    found = made.get("scikit-learn", "an unknown version")
    if found.split(".")[:2] != here.split(".")[:2]:
        warn(
            f"{path} was made with scikit-learn {found}, and this is {here}: predictions may "
            "differ. Train and save it anew with this version."
        )


# ---------------------------------------------------------------- small things


def _walk(root) -> Iterator:
    """Every object that a model consists of, once."""
    seen: dict[int, object] = {}
    stack = [root]
    while stack:
        item = stack.pop()
        if id(item) in seen or isinstance(item, str | bytes | type):
            continue
        seen[id(item)] = item  # kept, so that no other object gets its id
        yield item
        if isinstance(item, dict):
            stack += item.values()
        elif isinstance(item, list | tuple | set | frozenset):
            stack += item
        elif isinstance(item, np.ndarray):
            if item.dtype == object:
                stack += item.ravel().tolist()
        elif hasattr(item, "__dict__"):
            stack += vars(item).values()


def _type_name(item) -> str:
    return f"{type(item).__module__}.{type(item).__qualname__}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # Keras, where models only answer
        return "not installed"
