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
import hashlib
import inspect
import io
import json
import os
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble._forest import BaseForest
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.svm._base import BaseLibSVM
from sklearn.tree import BaseDecisionTree

from .classifiers import SegmentClassifier
from .layers import LAYERS, Architecture, Layer

#: Raised with every change that an earlier release could not read.
FORMAT = 1

#: Types that are made from a file, beside scikit-learn's estimators and NumPy's arrays.
TRUSTED = (
    "numpy.dtype",
    "skgenre.classifiers.ANNClassifier",
    "skgenre.classifiers.CNNClassifier",
    "skgenre.classifiers.LSTMClassifier",
    "skgenre.features.TrackFeatures",
    "skgenre.model_selection.FilteredSplit",
    "skgenre.segmenter.MFCCSegmenter",
    "skgenre.tensors.SegmentScaler",
    "skgenre.tensors.SegmentSummary",
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
    # What these index with is checked, see _check_compiled.
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

_MANIFEST, _SCHEMA = "manifest.json", "model/schema.json"
_VERSIONS = ("skgenre", "scikit-learn", "numpy", "scipy", "skops", "keras")

#: The model that comes with the package; ``benchmarks/starter_model.py`` makes it.
STARTER = Path(__file__).parent / "data" / "starter.skgenre"

#: What a file may hold unpacked: so many bytes, or so many times its own size.
_MOST_BYTES, _MOST_TIMES = 1 << 26, 100


class ModelFileError(ValueError):
    """A model file that cannot be written, or that is refused.

    Parameters
    ----------
    path : str
        The file.
    reason : str
        What is wrong with it.
    """

    def __init__(self, path: str, reason: str):
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class _Refused(ValueError):
    """Why an archive is not unpacked, although it could be."""


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

    path = Path(path)
    if not isinstance(model, BaseEstimator):
        raise TypeError(f"Expected an estimator, got {model!r}")
    model = copy.deepcopy(model)
    members: dict[str, bytes] = {}
    networks = []
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
        _check_loaders(members[_SCHEMA], _scores())
    except Exception as error:  # whatever the parts of the model raise
        raise ModelFileError(str(path), f"cannot be written: {_said(error)}") from error
    manifest = {
        "format": FORMAT,
        "description": description,
        "versions": {name: _version(name) for name in _VERSIONS},
        "model": {
            "class": _type_name(model),
            "parameters": {name: repr(value) for name, value in model.get_params().items()},
        },
        "networks": networks,
        "members": {name: _checksum(content) for name, content in members.items()},
    }
    # NumPy's numbers, which a search may have set, are written as Python's.
    text = json.dumps(manifest, indent=1, default=lambda number: number.item())
    members = {_MANIFEST: text.encode(), **members}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    _replace(path, file.getbuffer())


def _replace(path: Path, content) -> None:
    """Write a file so that it is never seen half written."""
    new = path.with_name(path.name + ".new")  # one name, so that kills do not pile them up
    try:
        with open(new, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def _take_network(classifier: SegmentClassifier, folder: str, members: dict[str, bytes]) -> dict:
    """Take the arrays out of a classifier, and say what they are of."""
    architecture = classifier.__dict__.pop("architecture_")
    arrays = {
        "weights": classifier.__dict__.pop("weights_"),
        "state": classifier.__dict__.pop("_state", None),
    }
    for kind, values in arrays.items():
        for i, value in enumerate(values or ()):
            members[f"{folder}/{kind}/{i}.npy"] = _to_bytes(value)
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


def _to_bytes(value: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, value, allow_pickle=False)
    return file.getvalue()


# ---------------------------------------------------------------- loading


def load(path: str | os.PathLike, *, trusted: Sequence[str] = ()) -> BaseEstimator:
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
    path = os.fspath(path)
    manifest, members = _read(path)
    try:
        networks = {
            entry["folder"]: _make_network(entry, members) for entry in manifest["networks"]
        }
        model = _make_model(members, tuple(trusted), manifest["versions"])
        for item in _walk(model):
            _add_new_parameters(item)
            _check_compiled(item)
            if getattr(item, "memory", None) is not None and isinstance(item, BaseEstimator):
                raise ValueError("it names a folder of its own as memory")
            if isinstance(item, SegmentClassifier) and "network_" in vars(item):
                folder = vars(item).pop("network_")
                name, architecture, item.weights_, item._state = networks[folder]
                if name != _type_name(item) or architecture.shapes[-1] != item.classes_.shape:
                    raise ValueError(f"{folder} is of another classifier")
                item.architecture_ = architecture
    except ModelFileError:
        raise
    except Exception as error:  # what a hostile or foreign file makes the parts raise
        raise ModelFileError(path, f"is refused: {_said(error)}") from error
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
    return _read(os.fspath(path))[0]


def starter_model() -> BaseEstimator:
    """Load the model that comes with the package, and answers without any training.

    Returns
    -------
    pipeline : Pipeline
        From paths to one of GTZAN's ten genres: features of the whole track and logistic
        regression. ``describe(skgenre.persistence.STARTER)["description"]`` says what it was
        trained on and how often it is right on artists that it had not heard: about half the
        time.

    Examples
    --------
    >>> from skgenre import starter_model
    >>> starter_model().classes_[:3].tolist()
    ['blues', 'classical', 'country']
    """
    with warnings.catch_warnings():
        # It is tried with all versions that are allowed.
        warnings.filterwarnings("ignore", message=".* was made with scikit-learn")
        return load(STARTER)


def _read(path: str) -> tuple[dict, dict[str, bytes]]:
    """Unpack a file and check it as far as that goes without making anything of it."""
    content = Path(path).read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = _unpack(archive, len(content))
    except _Refused as error:
        raise ModelFileError(path, f"is refused: {error}") from error
    except Exception as error:  # zipfile and zlib have many
        raise ModelFileError(path, f"is not a model file, or damaged ({_said(error)})") from error
    try:
        manifest = json.loads(members.pop(_MANIFEST, b""))
        found = manifest["format"]
        if isinstance(found, int) and found > FORMAT:
            raise ModelFileError(
                path, f"is of format {found}, of a later skgenre; this one knows {FORMAT}"
            )
        _check_manifest(manifest, members)
    except ModelFileError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ModelFileError(path, f"is not a model file, or damaged ({_said(error)})") from error
    return manifest, members


def _unpack(archive: zipfile.ZipFile, size: int) -> dict[str, bytes]:
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    for name in names:
        parts = PurePosixPath(name).parts
        if not parts or parts[0] == "/" or ".." in parts or "\\" in name or ":" in name:
            raise _Refused(f"the member {name!r} lies outside the archive")
    if len(set(names)) < len(names):
        raise _Refused("two members have the same name")
    unpacked = sum(entry.file_size for entry in entries)
    if unpacked > max(_MOST_BYTES, _MOST_TIMES * size):
        raise _Refused(f"{size} bytes would unpack to {unpacked}: a zip bomb")
    return {entry.filename: archive.read(entry) for entry in entries}


def _check_manifest(manifest: dict, members: dict[str, bytes]) -> None:
    if manifest["format"] != FORMAT:
        raise ValueError(f"format {manifest['format']!r} is not known")
    listed = manifest["members"]
    if listed.keys() != members.keys():
        differing = sorted(listed.keys() ^ members.keys())
        raise ValueError(f"the manifest and the members differ in {differing[:5]}")
    if _SCHEMA not in members:
        raise ValueError(f"there is no {_SCHEMA}")
    for name, content in members.items():
        if _checksum(content) != listed[name]:
            raise ValueError(f"the checksum of {name} is wrong")
        if name.endswith(".npy"):
            _check_array(name, content)
        elif name != _SCHEMA:
            raise ValueError(f"{name} is neither an array nor the schema")
    if not all(
        isinstance(v, str) for v in [manifest["description"], *manifest["versions"].values()]
    ):
        raise TypeError("the description and the versions must be text")
    if not isinstance(manifest["networks"], list):
        raise TypeError("networks must be a list")


def _check_array(name: str, content: bytes) -> None:
    """See that a header promises what follows it, before memory is taken on its word."""
    file = io.BytesIO(content)
    try:
        major = np.lib.format.read_magic(file)[0]
        read_header = getattr(np.lib.format, f"read_array_header_{major}_0")
        shape, _, dtype = read_header(file)
    except Exception as error:  # ast and tokenize have their own
        raise ValueError(f"{name} is no array ({_said(error)})") from error
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which would be pickled")
    n_values = 1
    for n in shape:
        n_values *= int(n)
    if min(shape, default=0) < 0 or n_values * dtype.itemsize != len(content) - file.tell():
        raise ValueError(f"{name} promises {shape} of {dtype} and is of another size")


def _make_network(entry: dict, members: dict[str, bytes]) -> tuple:
    architecture = Architecture(
        _integers(entry["input_shape"]), tuple(_make_layer(**layer) for layer in entry["layers"])
    )
    arrays = {
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
            sizes[name] = _integers(value)
        elif not isinstance(value, int | float | str):
            raise TypeError(f"{name}={value!r} of a {layer} layer is neither number nor word")
    return LAYERS[layer](**sizes)


def _integers(values) -> tuple[int, ...]:
    if not all(isinstance(n, int) and 0 < n < 2**31 for n in values):
        raise ValueError(f"{values!r} must be integers above 0")
    return tuple(values)


def _make_model(members: dict[str, bytes], trusted: tuple[str, ...], versions: dict):
    """Have skops make the model, from types and in ways that are trusted."""
    from skops.io import get_untrusted_types, loads

    trusted = (*TRUSTED, *_scores(), *trusted)
    _check_loaders(members[_SCHEMA], trusted)
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
                    f"{_said(error)}; it was made with scikit-learn {made}, and this is {here}"
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
        warnings.warn(
            f"{path} was made with scikit-learn {found}, and this is {here}: answers may differ. "
            "Train and save it anew with this version.",
            UserWarning,
            stacklevel=3,
        )


# ---------------------------------------------------------------- what compiled code relies on


def _check_compiled(item) -> None:
    """Refuse numbers that compiled code would follow out of its arrays, or for ever.

    scikit-learn looks neither at the children of a tree's nodes nor at libsvm's counts.
    """
    if isinstance(item, BaseLibSVM):
        _check_libsvm(item)
    elif isinstance(item, BaseDecisionTree) and hasattr(item, "tree_"):
        tree = item.tree_
        leaf = tree.children_left == -1
        _check_nodes(tree.children_left, tree.children_right, tree.feature, leaf, tree.n_features)
        _check(tree.n_features == item.n_features_in_, "a tree is of other features")
    elif isinstance(item, BaseForest) and hasattr(item, "estimators_"):
        same = all(tree.n_features_in_ == item.n_features_in_ for tree in item.estimators_)
        _check(same, "the trees of a forest differ in features")
    elif isinstance(item, HistGradientBoostingClassifier | HistGradientBoostingRegressor):
        for predictors in getattr(item, "_predictors", ()):
            for predictor in predictors:
                nodes = predictor.nodes
                leaf = nodes["is_leaf"].astype(bool)
                children = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
                _check_nodes(*children, nodes["feature_idx"], leaf, item.n_features_in_)
                _check(not nodes["is_categorical"].any(), "a tree splits on categories")


def _check_nodes(left, right, feature, leaf, n_features: int) -> None:
    """Children lie behind their parent, as scikit-learn writes them, so there is no circle."""
    node = np.arange(len(left))
    for child in (left, right):
        _check((leaf | ((child > node) & (child < len(node)))).all(), "a tree's nodes lead astray")
    known = leaf | ((feature >= 0) & (feature < n_features))
    _check(len(node) > 0 and known.all(), "a tree asks for features that there are not")


def _check_libsvm(svm: BaseLibSVM) -> None:
    if not hasattr(svm, "support_vectors_"):
        return
    n_vectors, n_features = svm.support_vectors_.shape
    n_classes = len(svm._n_support)
    n_pairs = n_classes * (n_classes - 1) // 2
    fits = (
        svm._impl in ("c_svc", "nu_svc")
        and svm._sparse is False
        and (svm._n_support >= 0).all()
        and svm._n_support.astype(np.int64).sum() == n_vectors == len(svm.support_)
        and svm._dual_coef_.shape == svm.dual_coef_.shape == (n_classes - 1, n_vectors)
        and svm._intercept_.shape == (n_pairs,)
        and svm._probA.shape == svm._probB.shape
        and svm._probA.size in (0, n_pairs)
        and n_features == svm.n_features_in_ == svm.shape_fit_[1]
        and len(svm.classes_) == n_classes
    )
    _check(fits, "the arrays of a support vector machine do not fit each other")


def _check(condition, reason: str) -> None:
    if not condition:
        raise ValueError(reason)


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


def _checksum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _said(error: Exception) -> str:
    """Put an error in one line; some say nothing."""
    return " ".join(str(error).split()) or type(error).__name__
