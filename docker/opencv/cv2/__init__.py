"""OpenCV's Python module."""

import typing as _typing

from . import cv2 as _native
from . import data as data

# Static, so that tools which read this file without running it find the compiled module.
from .cv2 import *  # noqa: F403

if _typing.TYPE_CHECKING:
    from ._names import *  # noqa: F403

# The star leaves out names that start with an underscore; __name__ and the like stay this module's own.
globals().update({name: value for name, value in vars(_native).items() if not name.startswith("__")})
__version__ = _native.__version__
