"""OpenCV's own Python tests, modules/python/test of its source tree."""

import os

TREE = "opencv"
_FOLDER = "modules/python/test"
_DATA = "it reads a file of the repository opencv_extra, which is not in the source tree"
KNOWN = {
    _FOLDER + "/" + name: _DATA
    for name in (
        "test_copytomask.py::copytomask_test::test_copytomask",
        "test_grabcut.py::grabcut_test::test_grabcut",
        "test_mser.py::mser_test::test_mser",
        "test_umat.py::UMat::test_umat_merge_mertens",
        "test_watershed.py::watershed_test::test_watershed",
    )
}


def files(tree):
    return [
        _FOLDER + "/" + name
        for name in os.listdir(os.path.join(tree, _FOLDER))
        if name.startswith("test_") and name.endswith(".py")
    ]


def command(python, file, tree, report):
    # A file's own start sets where samples are; pytest does the rest, and writes the report.
    plugin = os.path.dirname(os.path.abspath(__file__))
    arguments = ["-p", "upstream_plugin", "-p", "no:cacheprovider", "-q", "--rootdir", "."]
    arguments += ["-c", os.devnull, "--junitxml", report, os.path.join(tree, file)]
    variables = {"OPENCV_SAMPLES": tree, "OPENCV_SAMPLES_DATA_PATH": os.path.join(tree, "samples/data")}
    return [python, "-m", "pytest", *arguments], {**variables, "PYTHONPATH": plugin}
