"""The folder of the trained cascades of OpenCV, with a separator at its end, as `cv2.data.haarcascades`."""

import os

haarcascades: str = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
