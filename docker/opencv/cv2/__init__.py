"""OpenCV's Python module."""

import importlib

from . import data as data

_native = importlib.import_module("cv2.cv2")
# The names of the compiled module, those with one leading underscore too; its identity (__name__, ...) stays its own.
globals().update({name: value for name, value in vars(_native).items() if not name.startswith("__")})
__version__ = _native.__version__
