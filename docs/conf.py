"""Configuration of Sphinx."""

import os
import sys
import warnings
from pathlib import Path

import matplotlib
import numpydoc.xref
from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

import skgenre

sys.path.insert(0, str(Path(__file__).parent))
import inventories

project = "skgenre"
author = "The skgenre developers"
copyright = "2026, the skgenre developers"
version = release = skgenre.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "myst_parser",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "code"

html_theme = "pydata_sphinx_theme"
html_title = f"skgenre {version}"
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_static_path = ["_static"]
html_css_files = ["skgenre.css"]
html_show_sourcelink = False
html_domain_indices = False
html_math_renderer = "mathml"
html_theme_options = {
    "logo": {"text": f"skgenre {version}"},
    "navigation_with_keys": False,
    "show_prev_next": True,
    "header_links_before_dropdown": 6,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_center": ["source"],
    "footer_end": ["sphinx-version"],
    "secondary_sidebar_items": {
        "**": ["page-toc", "sg_download_links"],
        "index": [],
    },
}
# A page outside the sections has no pages beside it to list.
html_sidebars = {name: [] for name in ("index", "getting_started", "search", "genindex")}

autosummary_generate = True
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # numpydoc's sections contain the types
numpydoc_show_class_members = False  # the template of a class lists its members
numpydoc_class_members_toctree = False
numpydoc.xref.DEFAULT_LINKS.clear()  # int, bool and the like are not linked
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"
numpydoc_xref_aliases = {
    "ndarray": "numpy.ndarray",
    "DataFrame": "pandas.DataFrame",
    "RandomState": "numpy.random.RandomState",
    "Bunch": "sklearn.utils.Bunch",
    "Pipeline": "sklearn.pipeline.Pipeline",
}

# Sites that cannot be reached, or that have no inventory, are linked by inventories of the names
# in these pages. Their addresses are formed as those sites form them.
intersphinx_timeout = 5
intersphinx_mapping = {
    name: (url, (None, str(path)) if name not in inventories.WITHOUT else str(path))
    for name, (url, path) in inventories.write(Path(__file__).parent).items()
}
intersphinx_disabled_reftypes = ["std:doc"]

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
copybutton_selector = "div:not(.sphx-glr-script-out) > div.highlight > pre"

_first = [
    "plot_quickstart.py",
    "train_pipeline.py",
    "predict_files.py",
    "compare_models.py",
    "grid_search.py",
]


def _by_use(path):
    """Sort the scripts of a group in the order of their use, and others by name."""
    name = Path(path).name
    return (_first.index(name) if name in _first else len(_first), name)


def _small_figures(gallery_conf, fname):
    """Draw figures at the size at which pages and thumbnails show them."""
    matplotlib.rcParams.update({"figure.figsize": (4, 3), "figure.constrained_layout.use": True})


sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "plot_",
    "ignore_pattern": r"(__init__|demo)\.py",
    "subsection_order": ["../examples/evaluate", "../examples/extend", "../examples/pictures"],
    "within_subsection_order": _by_use,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "remove_config_comments": True,
    "reset_modules": ("matplotlib", "seaborn", _small_figures),
    "show_memory": False,
    "write_computation_times": False,
    "doc_module": ("skgenre",),
    "backreferences_dir": "generated/backreferences",
}

# The settings of the gallery contain a function, which Sphinx cannot store.
suppress_warnings = ["config.cache"]

# Examples run without TensorFlow's log, as they do for users.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore", category=DeprecationWarning)


def _visit_math(self, node):
    """Write a formula as MathML, which browsers show without a script from another site."""
    self.body.append(tex2mathml(node.astext(), as_block=isinstance(node, nodes.math_block)))
    raise nodes.SkipNode


def setup(app):
    """Register the renderer of formulas."""
    app.add_html_math_renderer("mathml", (_visit_math, None), (_visit_math, None))
