"""The layer library's own tests, on this wheel."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
# Where the library is: beside this suite in the source tree, else where KILN_LAYERS says.
LAYERS = os.environ.get("KILN_LAYERS", os.path.join(os.path.dirname(os.path.dirname(HERE)), "layers"))


def test_layer_library_passes_its_own_tests(tmp_path, record_property):
    if not os.path.isdir(os.path.join(LAYERS, "tests")):
        pytest.skip("the layer library is not at {}: set KILN_LAYERS to its folder".format(LAYERS))
    report = str(tmp_path / "layers.xml")
    command = [
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "tests",
        "-q",
        "-m",
        "not slow",
        # They are about the library's pages, which are not here.
        "--ignore=tests/test_docs.py",
        "-p",
        "no:cacheprovider",
    ]
    environment = dict(os.environ, PYTHONPATH=LAYERS)
    done = subprocess.run(
        [*command, "--junitxml", report],
        cwd=LAYERS,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314, our own report
    skipped = [case for case in cases if case.find("skipped") is not None]
    record_property("layer tests", len(cases))
    record_property("layer tests skipped", len(skipped))
    assert done.returncode == 0, done.stdout.decode()[-6000:]
    assert len(cases) - len(skipped) > 400
