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
    allowed = {"collections", "importlib", "math", "numbers", "numpy", "tensorflow", "typing", "fireclay"}
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


WITHOUT = """
import sys
sys.modules["tensorflow"] = None
import fireclay
from fireclay import measures, plots
print(measures.summary([0, 1, 1], [0.1, 0.4, 0.3])["ROC AUC"], plots.plot_roc([0, 1], [0.1, 0.4]).get_title())
try:
    fireclay.GaussianFilter
except (ImportError, AttributeError) as error:
    print(error)
"""


def test_measures_and_plots_need_no_tensorflow():
    pytest.importorskip("sklearn.metrics")
    pytest.importorskip("matplotlib.pyplot")
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(PACKAGE))
    output = subprocess.check_output([sys.executable, "-W", "ignore", "-c", WITHOUT], env=environment)
    numbers, error = output.decode().strip().splitlines()[-2:]
    assert numbers == "1.0 ROC, area 1.000"
    if sys.version_info >= (3, 7):
        assert error == "fireclay.GaussianFilter needs TensorFlow, which is not installed: install tensorflow"


def test_package_is_typed_and_has_a_licence():
    assert os.path.exists(os.path.join(PACKAGE, "py.typed"))
    licence = os.path.join(os.path.dirname(PACKAGE), "LICENSE")
    if os.path.exists(licence):  # beside the sources; in a wheel it is in another folder
        with open(licence, encoding="utf-8") as file:
            assert "Apache License" in file.read()
    for name in fireclay.__all__:
        thing = getattr(fireclay, name)
        function = thing.__init__ if inspect.isclass(thing) else thing
        named = [each for each in inspect.signature(function).parameters.values() if each.name != "self"]
        assert all(each.annotation is not each.empty for each in named), name


@pytest.mark.slow
def test_types_are_right_by_mypy(tmp_path):
    pytest.importorskip("mypy.api")
    root = os.path.dirname(PACKAGE)
    command = [sys.executable, "-m", "mypy", "--config-file", "setup.cfg", "--cache-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("name", fireclay.__all__)
def test_public_name_is_documented(name):
    assert len(inspect.getdoc(getattr(fireclay, name))) > 40
