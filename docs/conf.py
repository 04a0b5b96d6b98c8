"""Configuration of Sphinx."""

import warnings

import skgenre

project = "skgenre"
author = "The skgenre developers"
copyright = "2026, the skgenre developers"
version = release = skgenre.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
default_role = "code"
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": False, "navigation_with_keys": False}
html_title = "skgenre"
html_show_sourcelink = False

autosummary_generate = True
autodoc_typehints = "none"  # numpydoc's sections say it in words
numpydoc_show_class_members = True
numpydoc_show_inherited_class_members = {
    # scikit-learn documents what it gives; the networks' methods are their base's.
    "skgenre.ANNClassifier": True,
    "skgenre.CNNClassifier": True,
    "skgenre.LSTMClassifier": True,
    "skgenre.SegmentClassifier": True,
}
numpydoc_class_members_toctree = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    # The others take minutes: `make demo` and the tests run them.
    "filename_pattern": "plot_common_pitfalls",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "doc_module": ("skgenre",),
    "backreferences_dir": None,
}

warnings.filterwarnings("ignore", category=DeprecationWarning)
