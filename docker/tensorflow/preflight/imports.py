"""Imports what the generator of the public API and setup.py import at the end of a build, and prints the versions."""

import importlib
import sys
from types import SimpleNamespace

WANTED = (
    "numpy", "h5py", "six", "mock", "google.protobuf", "keras_applications", "keras_preprocessing",
    "keras_preprocessing.image", "keras_preprocessing.sequence", "keras_preprocessing.text",
    "setuptools", "wheel", "distutils.sysconfig", "ctypes", "ssl", "sqlite3", "zlib", "bz2", "lzma",
)  # fmt: skip


def main() -> int:
    missing = []
    for name in WANTED:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            missing.append("{} ({})".format(name, error))
            continue
        if name == "keras_preprocessing":
            # Its other modules can be imported only after TensorFlow has passed it these parts of Keras.
            module.set_keras_submodules(backend=SimpleNamespace(), utils=SimpleNamespace(Sequence=object))
        if hasattr(module, "__version__"):
            print("{} {}".format(name, module.__version__))
    if missing:
        print("cannot be imported: {}".format(", ".join(missing)))
        return 1

    import numpy

    sys.path.insert(0, "")
    import extension

    if extension.twice(numpy.arange(5, dtype=numpy.float32)).tolist() != [0, 2, 4, 6, 8]:
        print("a Python extension computes a wrong result")
        return 1
    print("a Python extension runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
