"""Prediction and classical models without the large packages."""

import configparser
from pathlib import Path

import pytest

from .conftest import run_python

ROOT = Path(__file__).parent.parent
LEFT_OUT = {"librosa", "scikeras", "tensorflow"}

WITHOUT = """
import sys
for name in ("keras", "librosa", "scikeras", "tensorflow"):
    sys.modules[name] = None
import numpy as np
from skgenre import ANNClassifier
"""


def requirements(text):
    lines = [line.strip() for line in text.splitlines()]
    return {line for line in lines if line and not line.startswith("#")}


def test_the_small_install_is_the_whole_without_the_large_packages():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    whole = requirements(config["options"]["install_requires"])
    small = requirements((ROOT / "requirements-predict.txt").read_text())
    assert {line.split()[0] for line in whole - small} == LEFT_OUT


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "ANNClassifier().fit(np.zeros((4, 8)), [0, 1, 0, 1])",
            "pip install scikeras tensorflow'",
        ),
    ],
)
def test_what_is_missing_is_named(code, message, tracks):
    code = f"{WITHOUT}\ntry:\n    {code}\nexcept ImportError as error:\n    print(error)"
    assert message in run_python(code, tracks.data[0])
