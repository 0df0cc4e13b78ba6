"""What the wheel says of itself in cv2.getBuildInformation(), and what it was asked to be."""

import os

import cv2
import pytest

# OpenCV 4.x's own modules. python3 and world are packaging, gapi has no Python binding before 4.5.
MODULES = (
    "calib3d",
    "core",
    "dnn",
    "features2d",
    "flann",
    "highgui",
    "imgcodecs",
    "imgproc",
    "ml",
    "objdetect",
    "photo",
    "stitching",
    "video",
    "videoio",
)
# contrib's modules for NVIDIA's GPUs, without cudacodec, which needs NVIDIA's video SDK.
CUDA_MODULES = (
    "cudaarithm",
    "cudabgsegm",
    "cudafeatures2d",
    "cudafilters",
    "cudaimgproc",
    "cudalegacy",
    "cudaobjdetect",
    "cudaoptflow",
    "cudastereo",
    "cudawarping",
    "cudev",
)


def lines():
    """The build information as (key, value) pairs, in order; both stripped."""
    pairs = (line.partition(":") for line in cv2.getBuildInformation().splitlines())
    return [(key.strip(), value.strip()) for key, _, value in pairs]


def value(key):
    """The value of the first line with this key, or None where there is no such line."""
    return next((found for name, found in lines() if name == key), None)


def built_modules():
    return set(value("To be built").split())


def wanted_modules():
    """The modules that the build was asked for; a build from elsewhere (no KILN_OPT_MODULES) promises all."""
    choice = os.environ.get("KILN_OPT_MODULES", "full")
    every = set(MODULES) | set(CUDA_MODULES if "KILN_CUDA" in os.environ else ())
    if choice == "full":
        return every
    if choice == "headless":
        return every - {"highgui"}
    return set(choice.split(","))


def declined(module):
    """Whether a list of modules was asked for and this one, of OpenCV or of contrib, was not on it."""
    choice = os.environ.get("KILN_OPT_MODULES", "full")
    return choice not in ("full", "headless") and module not in choice.split(",")


def needs(*names):
    """The mark of a file of tests that need OpenCV modules: `pytestmark = needs("imgproc")`.

    Where one was left out on purpose, the rest of the file, which names what cv2 then lacks, is not even read.
    """
    left_out = set(names) - built_modules() - wanted_modules()
    if left_out:
        pytest.skip(
            "this build was asked to leave out " + ", ".join(sorted(left_out)), allow_module_level=True
        )
    return pytest.mark.modules(*names)


def option(name):
    """True or False as the build was asked with a yes-or-no option, None where nothing is known of it."""
    given = os.environ.get("KILN_OPT_" + name)
    return None if given is None else given == "1"


def toolkit():
    """What shows windows: qt, gtk or none."""
    if (value("QT") or "").startswith("YES"):
        return "qt"
    return "gtk" if (value("GTK+") or "").startswith("YES") else "none"
