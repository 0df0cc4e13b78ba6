"""The trained cascades that come with OpenCV: `cv2.data.haarcascades` is their folder, with a trailing separator."""

import os

haarcascades = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")
