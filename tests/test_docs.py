"""The documentation says what the code does: signatures, names, and code that people paste."""

import inspect
import re
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline

import skgenre
from skgenre import datasets, evaluation, features, plotting
from skgenre.layers import LAYERS
from skgenre.pipelines import PRESETS

numpydoc = pytest.importorskip("numpydoc.docscrape", reason="needs numpydoc, of the extra docs")

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
CLASSES = [
    *(
        getattr(skgenre, name)
        for name in skgenre.__all__
        if inspect.isclass(getattr(skgenre, name))
    ),
    *(
        member
        for name, member in inspect.getmembers(plotting, inspect.isclass)
        if name.endswith("Display")
    ),
]
FUNCTIONS = [
    *(
        getattr(skgenre, name)
        for name in skgenre.__all__
        if inspect.isfunction(getattr(skgenre, name))
    ),
    features.mfcc,
    features.segment_mfcc,
    *(getattr(datasets, name) for name in datasets.__all__),
]
METHODS = [
    member
    for cls in CLASSES
    for name, member in inspect.getmembers(cls, inspect.isfunction)
    if not name.startswith("_")
    and member.__module__.startswith("skgenre")
    and "metadata" not in name
    and not name.startswith("set_")
]


def documented_parameters(doc):
    return [
        name.strip("* ")
        for parameter in doc["Parameters"]
        for name in parameter.name.replace("\\", "").split(",")
        if name.strip()
    ]


def parameters(function):
    return [
        name
        for name in inspect.signature(function).parameters
        if name not in ("self", "args", "kwargs")
    ]


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_classes_document_their_parameters(cls):
    doc = numpydoc.NumpyDocString(inspect.getdoc(cls))
    assert doc["Summary"][0].endswith(".")
    if not issubclass(cls, Exception):
        assert sorted(documented_parameters(doc)) == sorted(parameters(cls))


@pytest.mark.parametrize(
    "cls",
    [cls for cls in CLASSES if issubclass(cls, BaseEstimator)],
    ids=lambda cls: cls.__name__,
)
def test_estimators_link_to_the_user_guide(cls):
    [label] = re.findall(r"Read more in the :ref:`User Guide <(\w+)>`\.", inspect.getdoc(cls))
    assert any(f".. _{label}:" in page.read_text() for page in (DOCS / "guide").glob("*.rst"))


@pytest.mark.parametrize("name", ["ann", "cnn", "lstm", "mel"])
def test_networks_begin_with_the_steps_of_their_preset(name):
    preset = skgenre.genre_pipeline(name)
    code = re.search(r"^    (make_pipeline\(.*\))$", inspect.getdoc(type(preset[-1])), re.MULTILINE)
    shown = eval(
        code[1],
        {name: getattr(skgenre, name) for name in skgenre.__all__}
        | {"make_pipeline": make_pipeline},
    )
    assert [type(step) for _, step in shown.steps] == [type(step) for _, step in preset.steps]
    assert shown[1].with_std is preset[1].with_std


@pytest.mark.parametrize("function", [*FUNCTIONS, *METHODS], ids=lambda f: f.__qualname__)
def test_functions_document_parameters_and_results(function):
    doc = numpydoc.NumpyDocString(inspect.getdoc(function))
    assert doc["Summary"], function
    assert doc["Summary"][0].endswith("."), doc["Summary"]
    assert documented_parameters(doc) == parameters(function)
    assert doc["Returns"] or inspect.signature(function).return_annotation == "None"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_documented_defaults_are_the_defaults(cls):
    signature = inspect.signature(cls).parameters
    for parameter in numpydoc.NumpyDocString(inspect.getdoc(cls))["Parameters"]:
        match = re.search(r"default=(.*)$", parameter.type)
        if match and "," not in parameter.name:
            assert match[1] == repr(signature[parameter.name].default).replace("'", '"')


def test_every_layer_is_documented():
    for name, layer in LAYERS.items():
        assert inspect.getdoc(layer), name


def test_every_public_name_is_in_the_reference():
    reference = (DOCS / "api.rst").read_text()
    public = {*skgenre.__all__} - {"datasets", "evaluation", "features", "plotting"}
    for module in (datasets, evaluation, plotting):
        public |= {f"{module.__name__.partition('.')[2]}.{name}" for name in module.__all__}
    public.remove("evaluation.compare_models")  # listed as skgenre.compare_models
    for name in public:
        assert re.search(rf"^   {re.escape(name)}$", reference, re.MULTILINE), name


#: Words of other libraries on the page of troubles.
NOT_OURS = (
    "libmpg123",
    "A worker stopped",
    "[CV]",
    "[groups]",
    "Unable to cache",
    "This optimizer",
)


def test_troubles_are_listed_by_the_words_of_the_errors():
    page = (DOCS / "troubleshooting.rst").read_text()
    source = "".join(path.read_text() for path in (ROOT / "skgenre").rglob("*.py"))
    source = re.sub(r'"\s+f?"', "", source)  # strings that go over lines
    entries = re.findall(r"^``(.*?)``", page, re.MULTILINE)
    assert len(entries) > 15
    for entry in entries:
        if entry.startswith(NOT_OURS) or any(words in entry for words in NOT_OURS):
            continue
        # What stands between values.
        parts = re.split(
            r"[\d.]+|'[^']*'|\[.*?\]|CNNClassifier|GridSearchCV|\bNaN\b|\.\.\.|\(.*?\)", entry
        )
        longest = max(parts, key=len).strip(" ;:,")
        assert longest in source, entry


def test_versions_are_said_once():
    """The lowest versions tested are those that setup.cfg allows."""
    pins = dict(
        line.split("==")
        for line in (ROOT / "constraints-minimum.txt").read_text().splitlines()
        if "==" in line
    )
    setup = (ROOT / "setup.cfg").read_text()
    options = setup.partition("[options]")[2].partition("[options.packages.find]")[0]
    bounds = dict(re.findall(r"^    ([\w-]+) >= ([\d.]+)$", options, re.MULTILINE))
    assert len(bounds) == 17
    for name, bound in bounds.items():
        assert pins[name].startswith(bound), name


def test_the_first_preset_to_try_is_the_same_everywhere():
    """In the README, on the front page and in the guide; `skgenre train --help` lists PRESETS."""
    first = inspect.signature(skgenre.genre_pipeline).parameters["name"].default
    assert first == PRESETS[0]
    assert f"default, `{first}`" in (ROOT / "README.md").read_text()
    assert f'genre_pipeline("{first}"' in (DOCS / "index.rst").read_text()
    guide = (DOCS / "guide" / "choosing.rst").read_text()
    bullets = re.findall(r"^- (``.*?):(?: |$)", guide, re.MULTILINE)
    named = re.findall(r'``"(\w+)"``', " ".join(bullets))
    assert tuple(dict.fromkeys(named)) == PRESETS


@pytest.mark.parametrize("name", ["descriptors", "musicnn", "mel", "cnn"])
def test_accuracies_of_the_table_of_models_are_those_measured(name):
    """Copied from the page on accuracy, which a command writes."""
    measured = (DOCS / "accuracy.rst").read_text()
    # In the table of presets, and in that of learning curves, with five tracks.
    row = rf"^   \* - {name}\n     - ([\d.]+)(?: \([\d.]+\))?$"
    figures = re.findall(row, measured, re.MULTILINE)
    table = (DOCS / "guide" / "which_model.txt").read_text()
    row = table.partition(f"``{name}``")[2].partition("   * -")[0]
    stated = re.findall(r"0\.\d+", row)
    assert stated
    assert stated == [f"{float(figure):.2f}" for figure in figures][: len(stated)]
