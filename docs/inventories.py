"""Write inventories for intersphinx of the names that this documentation uses.

``conf.py`` calls it, so that links to other projects are resolved without network access.
``python docs/inventories.py`` prints the names and their addresses.
"""

import ast
import importlib
import inspect
import re
import zlib
from pathlib import Path

ROOT = Path(__file__).parent.parent
SITES = {
    "sklearn": "https://scikit-learn.org/stable/",
    "numpy": "https://numpy.org/doc/stable/",
    "librosa": "https://librosa.org/doc/0.11.0/",
    "pandas": "https://pandas.pydata.org/docs/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "matplotlib": "https://matplotlib.org/stable/",
    "joblib": "https://joblib.readthedocs.io/en/stable/",
    "keras": "https://keras.io/",
}
#: Sites that publish no inventory.
WITHOUT = {"keras"}

#: Pages of an object by the longest prefix of its name; $ is the name.
PAGES = {
    "sklearn": "modules/generated/$.html#$",
    "numpy": "reference/generated/$.html#$",
    "numpy.random": "reference/random/generated/$.html#$",
    "numpy.random.Generator": "reference/random/generator.html#$",
    "numpy.random.RandomState": "reference/random/legacy.html#$",
    "numpy.random.default_rng": "reference/random/generator.html#$",
    "librosa": "generated/$.html#$",
    "pandas": "reference/api/$.html#$",
    "scipy": "reference/generated/$.html#$",
    "matplotlib.pyplot": "api/_as_gen/$.html#$",
    "joblib": "generated/$.html#$",
    "keras.Model": "api/models/model/",
    "keras.Sequential": "api/models/sequential/",
    "keras.callbacks.Callback": "api/callbacks/base_callback/",
    "keras.callbacks.EarlyStopping": "api/callbacks/early_stopping/",
    "keras.callbacks.ModelCheckpoint": "api/callbacks/model_checkpoint/",
    "keras.callbacks.ReduceLROnPlateau": "api/callbacks/reduce_lr_on_plateau/",
    "keras.layers.Activation": "api/layers/core_layers/activation/",
    "keras.layers.BatchNormalization": "api/layers/normalization_layers/batch_normalization/",
    "keras.layers.Conv2D": "api/layers/convolution_layers/convolution2d/",
    "keras.layers.Dense": "api/layers/core_layers/dense/",
    "keras.layers.Dropout": "api/layers/regularization_layers/dropout/",
    "keras.layers.Flatten": "api/layers/reshaping_layers/flatten/",
    "keras.layers.LSTM": "api/layers/recurrent_layers/lstm/",
    "keras.layers.MaxPooling2D": "api/layers/pooling_layers/max_pooling2d/",
    "keras.layers.Reshape": "api/layers/reshaping_layers/reshape/",
    "keras.optimizers.Adam": "api/optimizers/adam/",
    "keras.optimizers.AdamW": "api/optimizers/adamw/",
}
ALWAYS = {
    *(name for name in PAGES if name.startswith("keras.")),
    *("numpy.ndarray", "numpy.random.RandomState", "pandas.DataFrame", "sklearn.utils.Bunch"),
    *("sklearn.pipeline.Pipeline", "joblib.Memory"),
}


def names_in_text(text):
    """Names in the roles of reStructuredText."""
    return set(re.findall(r":\w+:`[^`<]*?<?~?((?:" + "|".join(SITES) + r")\.[\w.]+)>?`", text))


def names_in_code(text):
    """Names that Python code imports, or reads from an imported module."""
    aliases, names = {}, set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {f"{node.module}.{item.name}" for item in node.names}
        elif isinstance(node, ast.Import):
            aliases |= {item.asname or item.name: item.name for item in node.names}
        elif isinstance(node, ast.Attribute):
            dotted = ast.unparse(node)
            head, _, rest = dotted.partition(".")
            if re.fullmatch(r"[\w.]+", dotted):
                names.add(f"{aliases.get(head, head)}.{rest}")
    return {name for name in names if name.partition(".")[0] in SITES}


def page_of(name):
    """Return the address of an object within its site, or None."""
    prefix = name
    while prefix and prefix not in PAGES:
        prefix = prefix.rpartition(".")[0]
    return PAGES[prefix].replace("$", name) if prefix else None


def kind_of(name):
    """Return the type of a public object in Sphinx's Python domain, or None."""
    parent, _, last = name.rpartition(".")
    if parent.startswith("keras"):
        return "class"  # without the import of TensorFlow
    try:
        found = getattr(importlib.import_module(parent), last)
    except (ImportError, AttributeError):
        return None
    if inspect.isclass(found):
        return "class"
    return "function" if callable(found) else None


def collect():
    """Collect the names that the pages, docstrings and examples use, as name to type."""
    names = set(ALWAYS)
    for path in sorted((ROOT / "docs").glob("*.rst")):
        names |= names_in_text(path.read_text())
    for path in sorted((ROOT / "skgenre").rglob("*.py")):
        names |= names_in_text(path.read_text())
    for path in sorted((ROOT / "examples").rglob("*.py")):
        names |= names_in_text(path.read_text()) | names_in_code(path.read_text())
    kinds = {name: kind_of(name) for name in sorted(names) if page_of(name)}
    return {name: kind for name, kind in kinds.items() if kind}


def write(folder):
    """Write an inventory for each site; return project to (url, path)."""
    kinds = collect()
    folder = Path(folder) / "_build" / "inventories"
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for project, url in SITES.items():
        head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
        head += "# The remainder of this file is compressed using zlib.\n"
        lines = "".join(
            f"{name} py:{kind} 1 {page_of(name)} -\n"
            for name, kind in kinds.items()
            if name.partition(".")[0] == project
        )
        path = folder / f"{project}.inv"
        path.write_bytes(head.encode() + zlib.compress(lines.encode()))
        written[project] = (url, path)
    return written


if __name__ == "__main__":
    for name, kind in collect().items():
        print(kind, SITES[name.partition(".")[0]] + page_of(name))
