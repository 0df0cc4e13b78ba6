"""Tests of a finished OpenCV wheel: its answers against numpy's.

A test names the OpenCV modules that it needs: `pytestmark = build_info.needs("imgproc")`. Where one of
them was left out on purpose the test is skipped; where the build promised it, its absence is a failure.
"""

import os
import sys

# OpenCV keeps its JPEG 2000 codec switched off until it is asked for; this is read at the first use.
os.environ.setdefault("OPENCV_IO_ENABLE_JASPER", "1")
# Switched off by default in later versions of 4.x.
os.environ.setdefault("OPENCV_IO_ENABLE_OPENEXR", "1")

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "common"))

import cv2
import pytest

import build_info


def pytest_configure(config):
    config.addinivalue_line(
        "markers", "modules(*names): the OpenCV modules without which the test has no meaning"
    )


def pytest_runtest_setup(item):
    needed = {name for mark in item.iter_markers("modules") for name in mark.args}
    missing = needed - build_info.built_modules()
    promised = missing & build_info.wanted_modules()
    if promised:
        pytest.fail(
            "the build promised these modules and lacks them: " + ", ".join(sorted(promised)), pytrace=False
        )
    if missing:
        pytest.skip("this build was asked to leave out " + ", ".join(sorted(missing)))


@pytest.fixture(autouse=True)
def same_random_numbers():
    cv2.setRNGSeed(20200403)
