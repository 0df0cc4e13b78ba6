"""A plugin of pytest: what OpenCV's tests of 2020 need to run from their source tree with a NumPy of today."""

import os
import random

import numpy

# Names that only the tests themselves use; NumPy 1.24 does not have them any more.
for name, kind in {"bool": bool, "float": float, "int": int, "object": object, "str": str}.items():
    if name not in vars(numpy):
        setattr(numpy, name, kind)


def pytest_collection_finish(session):
    for item in session.items:
        if hasattr(item, "cls") and hasattr(item.cls, "repoPath"):
            item.cls.repoPath = os.environ["OPENCV_SAMPLES"]
    random.seed(0)
