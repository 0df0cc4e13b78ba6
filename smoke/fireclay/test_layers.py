"""The layer library's own tests, on the installed wheel."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
LAYERS = os.path.join(os.path.dirname(os.path.dirname(HERE)), "layers")


@pytest.fixture
def python(tmp_path):
    """Runs Python in an empty folder, without what this suite has put in the way: its exit status and output."""

    def run(*arguments):
        done = subprocess.run(
            [sys.executable, "-B", *arguments],
            cwd=str(tmp_path),
            env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        return done.returncode, done.stdout.decode("utf-8", "replace")

    return run


def test_library_is_the_installed_one(python):
    status, output = python("-c", "import fireclay; print(fireclay.__file__)")
    assert status == 0, output
    assert output.splitlines()[-1].startswith(os.path.join(sys.prefix, "lib")), output


def test_library_passes_its_own_tests(python, tmp_path, record_property):
    report, tests = str(tmp_path / "layers.xml"), os.path.join(LAYERS, "tests")
    status, output = python(
        *["-m", "pytest", "-c", os.path.join(LAYERS, "setup.cfg"), tests, "-m", "not slow"],
        # They are about the library's pages, which are not in a wheel.
        "--ignore=" + os.path.join(tests, "test_docs.py"),
        *["-p", "no:cacheprovider", "--junitxml", report],
    )
    cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314, our own report
    skipped = [case for case in cases if case.find("skipped") is not None]
    record_property("layer tests", len(cases))
    record_property("layer tests skipped", len(skipped))
    assert status == 0, output[-6000:]
    assert len(cases) - len(skipped) > 700
