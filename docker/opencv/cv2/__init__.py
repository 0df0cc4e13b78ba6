"""OpenCV's Python module."""

import importlib

from . import data as data

_native = importlib.import_module("cv2.cv2")
# All names of the compiled module, also those with one leading underscore; __name__ and the like stay its own.
globals().update({name: value for name, value in vars(_native).items() if not name.startswith("__")})
__version__ = _native.__version__
