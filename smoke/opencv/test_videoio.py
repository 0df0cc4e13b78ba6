"""Films to files and back."""

import cv2
import numpy as np

from build_info import needs
from reference import psnr, waves

pytestmark = needs("videoio", "imgcodecs")


def frames():
    base = cv2.merge([waves(96, 128)] * 3)
    return [np.roll(base, 5 * number, axis=1) for number in range(12)]


def read_all(capture):
    while True:
        more, frame = capture.read()
        if not more:
            return
        yield frame


def test_motion_jpeg_needs_no_library(tmp_path):
    path = str(tmp_path / "film.avi")
    writer = cv2.VideoWriter(path, cv2.CAP_OPENCV_MJPEG, cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (128, 96))
    assert writer.isOpened()
    for frame in frames():
        writer.write(frame)
    writer.release()
    capture = cv2.VideoCapture(path, cv2.CAP_OPENCV_MJPEG)
    assert capture.isOpened()
    assert capture.get(cv2.CAP_PROP_FPS) == 25
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    assert (capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (128, 96)
    back = list(read_all(capture))
    assert len(back) == 12
    # Each frame is a JPEG picture of quality 95; the next frame is more than 10 dB away.
    assert all(psnr(found, frame) > 38 for found, frame in zip(back, frames()))


def test_numbered_pictures_are_a_film(tmp_path):
    for number, frame in enumerate(frames()):
        assert cv2.imwrite(str(tmp_path / "{:03d}.png".format(number)), frame)
    capture = cv2.VideoCapture(str(tmp_path / "%03d.png"), cv2.CAP_IMAGES)
    back = list(read_all(capture))
    assert len(back) == 12
    assert all((found == frame).all() for found, frame in zip(back, frames()))


def test_absent_film_is_not_opened(tmp_path):
    assert not cv2.VideoCapture(str(tmp_path / "absent.avi")).isOpened()


def test_built_in_backends_are_registered():
    assert {cv2.CAP_IMAGES, cv2.CAP_OPENCV_MJPEG} <= set(cv2.videoio_registry.getBackends())
