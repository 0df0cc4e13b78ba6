"""The module for windows. Which toolkit draws them is a choice of the build; no window is opened here."""

import cv2

from build_info import needs

pytestmark = needs("highgui")


def test_window_functions_are_there():
    for name in ("imshow", "namedWindow", "waitKey", "destroyAllWindows", "createTrackbar", "selectROI"):
        assert callable(getattr(cv2, name))
    assert cv2.WINDOW_AUTOSIZE == 1
