"""Configuration of Sphinx."""

import os
import tempfile
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
templates_path = ["_templates"]
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

# The demo trains for minutes; on its page it runs at toy size.
_demo = ["--toy", "--output", tempfile.mkdtemp(prefix="skgenre-docs-")]
sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": "plot_",
    "reset_argv": lambda conf, script: _demo if "quickstart" in script["src_file"] else [],
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "doc_module": ("skgenre",),
    "backreferences_dir": "generated/backreferences",
    "within_subsection_order": "FileNameSortKey",
}

# That setting holds a function, which is no reason to worry.
suppress_warnings = ["config.cache"]

# Examples see TensorFlow as users do, without its log.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
warnings.filterwarnings("ignore", category=DeprecationWarning)
