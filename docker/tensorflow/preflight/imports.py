"""Imports what the generator of the public API and setup.py import at the end of a build, and says the versions."""

import importlib
import sys

# Modules, and the distributions that are pinned for them.
WANTED = (
    "numpy", "h5py", "keras_applications", "keras_preprocessing.image", "keras_preprocessing.sequence",
    "keras_preprocessing.text", "six", "mock", "google.protobuf", "setuptools", "wheel", "distutils.sysconfig",
    "ctypes", "ssl", "sqlite3", "zlib", "bz2", "lzma",
)  # fmt: skip


def main() -> int:
    missing = []
    for name in WANTED:
        try:
            module = importlib.import_module(name)
        except ImportError as error:
            missing.append("{} ({})".format(name, error))
            continue
        version = getattr(module, "__version__", None)
        if version:
            print("{} {}".format(name, version))
    if missing:
        print("cannot be imported: {}".format(", ".join(missing)))
        return 1

    import numpy

    sys.path.insert(0, "")
    import extension

    if extension.twice(numpy.arange(5, dtype=numpy.float32)).tolist() != [0, 2, 4, 6, 8]:
        print("a Python extension computes wrongly")
        return 1
    print("a Python extension runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
