"""TensorFlow's own Python tests of the parts that most programs use."""

import os

TREE = "tensorflow"
_FOLDERS = ("autograph", "data", "framework", "keras", "kernel_tests", "ops")
KNOWN = {}

# A file is run as a program, but the modules beside it must not be found in place of the installed ones.
_RUN = "import runpy, sys; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"


def files(tree):
    for part in _FOLDERS:
        for folder, _, names in os.walk(os.path.join(tree, "tensorflow/python", part)):
            for name in names:
                if name.endswith("_test.py"):
                    yield os.path.relpath(os.path.join(folder, name), tree)


def command(python, file, tree, report):
    variables = {"TF_CPP_MIN_LOG_LEVEL": "1", "CUDA_VISIBLE_DEVICES": "", "TEST_SRCDIR": tree}
    return [python, "-c", _RUN, os.path.join(tree, file), "--xml_output_file=" + report], variables
