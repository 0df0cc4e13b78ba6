"""The package as a whole."""

import ast
import glob
import inspect
import os
import subprocess
import sys

import pytest

import fireclay

PACKAGE = os.path.dirname(fireclay.__file__)


@pytest.mark.parametrize("path", sorted(glob.glob(os.path.join(PACKAGE, "*.py"))), ids=os.path.basename)
def test_modules_import_what_they_may(path):
    allowed = {"collections", "math", "numbers", "numpy", "tensorflow", "fireclay"}
    allowed |= {"measures.py": {"sklearn"}, "plots.py": {"sklearn", "matplotlib"}}.get(os.path.basename(path), set())
    with open(path, encoding="utf-8") as source:
        tree = ast.parse(source.read())
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    found |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in found} <= allowed


def test_import_needs_neither_scikit_learn_nor_matplotlib():
    # Keras 3 imports some of them by itself.
    program = """
import sys
import tensorflow as tf
tf.keras.layers.Layer
before = set(sys.modules)
import fireclay
print(sorted({"sklearn", "matplotlib", "scipy"} & (set(sys.modules) - before)))
"""
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE))
    output = subprocess.check_output([sys.executable, "-W", "ignore", "-c", program], env=environment)
    assert output.decode().strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", fireclay.__all__)
def test_public_name_is_documented(name):
    assert len(inspect.getdoc(getattr(fireclay, name))) > 40
