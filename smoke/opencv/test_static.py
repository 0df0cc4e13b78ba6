"""Tools that read the package without running it: bundlers, linters, completion."""

import modulefinder
import os
import sys

import cv2

import known


def test_a_bundler_finds_the_compiled_module(tmp_path):
    script = tmp_path / "program.py"
    script.write_text("import cv2\n")
    # The standard library's finder reads imports, and runs nothing, as PyInstaller's does.
    site = os.path.dirname(os.path.dirname(cv2.__file__))
    finder = modulefinder.ModuleFinder(path=[site, *sys.path], excludes=["os", "typing"])
    finder.run_script(str(script))
    assert "cv2.cv2" in finder.modules


def test_the_module_has_every_name_of_the_compiled_one_and_a_name_and_file_of_its_own():
    known.asked_for("KILN_CPU_FEATURES")
    native = sys.modules["cv2.cv2"]
    missing = [name for name in vars(native) if not name.startswith("__") and not hasattr(cv2, name)]
    assert not missing
    assert (cv2.__name__, os.path.basename(cv2.__file__)) == ("cv2", "__init__.py")
