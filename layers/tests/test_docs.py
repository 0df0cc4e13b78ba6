"""What README.md shows is what the code computes."""

import os
import re
import subprocess
import sys

import pytest
import tensorflow as tf

import fireclay

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def readme():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        return file.read()


def program(name):
    """A program of the folder docs, as a module."""
    pytest.importorskip("matplotlib.pyplot")
    pytest.importorskip("sklearn.metrics")
    sys.path.insert(0, os.path.join(ROOT, "docs"))
    try:
        return __import__(name)
    finally:
        sys.path.pop(0)


def test_table_of_the_threshold():
    assert "\n".join(program("figures").threshold_table()) in readme()


@pytest.mark.slow
def test_table_of_the_gradients():
    """Each release of TensorFlow draws other weights: the sizes are the same, the digits are not."""
    table = re.search(r"<!-- gradients: .*?<!-- end of gradients -->", readme(), re.DOTALL).group()
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")][2:]
    figures = program("figures")
    for (_, *shown), (batch_norm, scale) in zip(rows, [(False, "glorot_uniform"), (True, "he_normal")]):
        for number, kind in zip(shown, ["plain", 1, 2]):
            computed = figures.gradient_norms(kind, batch_norm, scale)[0]
            assert 1 / 5 < computed / float(number) < 5, (kind, batch_norm)


def test_corner_of_a_white_image_is_the_one_that_readme_names():
    found = fireclay.GaussianFilter(3)(tf.ones((1, 8, 8, 1))).numpy()[0, 0, 0, 0]
    assert "{:.3f} in the corner of a white image, for 3 taps".format(found) in readme()


@pytest.mark.parametrize("name", fireclay.__all__)
def test_every_public_name_is_told_of(name):
    if name != "LabelledAccuracy":  # the Distiller's own metric
        assert "`{}`".format(name) in readme()


def test_api_page_is_what_the_docstrings_say():
    api = program("api")
    with open(api.PAGE, encoding="utf-8") as file:
        assert file.read() == api.page()
    named = {name for _, module, names in api.CHAPTERS for name in names if module == "fireclay"}
    assert named == set(fireclay.__all__)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#]+)", readme()))
def test_what_readme_links_to_is_there(link):
    assert os.path.exists(os.path.join(ROOT, link))


@pytest.mark.slow
def test_student_with_teachers_beats_the_one_without_where_labels_are_few():
    pytest.importorskip("sklearn.datasets")
    program = os.path.join(ROOT, "examples", "distillation_digits.py")
    environment = dict(os.environ, PYTHONPATH=os.path.dirname(os.path.dirname(fireclay.__file__)))
    output = subprocess.check_output([sys.executable, "-W", "ignore", program, "3"], env=environment).decode()
    lines = [line.strip("| ").split(" | ") for line in output.splitlines() if line.startswith("|")]
    accuracies = {line[0]: [float(value) for value in line[3:]] for line in lines[2:]}
    assert [len(values) for values in accuracies.values()] == [3] * 6
    few, taught = accuracies["a tenth of the labels"], accuracies["a tenth of the labels and teachers"]
    assert all(with_teachers > alone + 3 for with_teachers, alone in zip(taught, few))
    assert min(accuracies["teachers only"]) > 94
