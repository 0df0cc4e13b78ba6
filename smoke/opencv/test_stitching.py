"""Panoramas."""

import cv2
import numpy as np

from build_info import needs
from reference import texture

pytestmark = needs("stitching", "features2d", "calib3d")


def test_overlapping_scans_become_one_picture():
    scene = cv2.cvtColor(texture(300, 520), cv2.COLOR_GRAY2BGR)
    status, whole = cv2.Stitcher_create(cv2.Stitcher_SCANS).stitch(
        [scene[:, :320].copy(), scene[:, 200:].copy()]
    )
    assert status == cv2.Stitcher_OK
    height, width = whole.shape[:2]
    assert abs(height - 300) <= 6 and abs(width - 520) <= 8
    # Found again in the scene, away from the seam's exposure correction: it is the same picture.
    for column in (60, 400):
        patch = scene[100:180, column : column + 60]
        scores = cv2.matchTemplate(whole, patch, cv2.TM_CCOEFF_NORMED)
        _, best, _, (x, y) = cv2.minMaxLoc(scores)
        assert best > 0.95
        assert np.hypot(x - column, y - 100) < 6
