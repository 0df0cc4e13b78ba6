"""Detectors: cascades, oriented gradients, QR codes."""

import glob
import os

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_within, noise

pytestmark = needs("objdetect", "imgproc")

# "KILN 4.3.0", version 1, error correction M, made with another encoder.
QR_CODE = """
#######.#.##..#######
#.....#.#...#.#.....#
#.###.#.#.#.#.#.###.#
#.###.#..####.#.###.#
#.###.#...#...#.###.#
#.....#.#.##..#.....#
#######.#.#.#.#######
........#.#..........
..###.#.#...####..###
##..##..#..###.#.##.#
.##.#.##.#.##.##.#.#.
.#.###...#...####..#.
#.#.#.##..#.##.#.##.#
........###....##.###
#######..##.##...##..
#.....#.........#..#.
#.###.#.#..#..#.####.
#.###.#.#...##.####..
#.###.#.#..#####.....
#.....#..#.####.#.#.#
#######..#####.###...
"""


def qr_picture(size=6, margin=60):
    dark = np.array([[module == "#" for module in row] for row in QR_CODE.split()])
    code = np.where(dark, 0, 255).astype(np.uint8).repeat(size, axis=0).repeat(size, axis=1)
    return np.pad(code, margin, mode="constant", constant_values=255)


def test_qr_code_is_found_and_read():
    text, corners, straight = cv2.QRCodeDetector().detectAndDecode(qr_picture())
    assert text == "KILN 4.3.0"
    expected = np.array([[60, 60], [186, 60], [186, 186], [60, 186]])
    assert_within(corners.reshape(4, 2), expected, 3)
    assert straight.size


def test_turned_qr_code_is_read():
    turn = cv2.getRotationMatrix2D((123, 123), 20, 1)
    picture = cv2.warpAffine(qr_picture(), turn, (246, 246), flags=cv2.INTER_CUBIC, borderValue=255)
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == "KILN 4.3.0"


def test_no_qr_code_in_noise():
    assert cv2.QRCodeDetector().detectAndDecode(noise((200, 200)))[0] == ""


def test_every_cascade_comes_with_the_wheel_and_loads():
    files = glob.glob(os.path.join(cv2.data.haarcascades, "*.xml"))
    names = {os.path.basename(path) for path in files}
    assert {"haarcascade_frontalface_default.xml", "haarcascade_eye.xml", "haarcascade_fullbody.xml"} <= names
    assert len(names) == 17
    for path in files:
        if path.endswith("haarcascade_licence_plate_rus_16stages.xml"):
            continue  # OpenCV 4 refuses its own file: a feature lies outside the window
        cascade = cv2.CascadeClassifier(path)
        assert not cascade.empty()
        width, height = cascade.getOriginalWindowSize()
        assert 10 <= width <= 100 and 10 <= height <= 100


def test_absent_cascade_is_empty(tmp_path):
    assert cv2.CascadeClassifier(str(tmp_path / "absent.xml")).empty()


def drawn_face():
    """A face as a child draws it, with soft shading: bright forehead, cheeks and nose, dark eyes and mouth."""
    picture = np.full((240, 240), 90, np.uint8)
    cv2.ellipse(picture, (120, 125), (62, 82), 0, 0, 360, 190, cv2.FILLED)
    cv2.ellipse(picture, (120, 62), (66, 34), 0, 180, 360, 40, cv2.FILLED)
    for x in (94, 146):
        cv2.ellipse(picture, (x, 104), (19, 8), 0, 0, 360, 80, cv2.FILLED)
        cv2.ellipse(picture, (x, 94), (20, 4), 0, 0, 360, 60, cv2.FILLED)
    cv2.ellipse(picture, (120, 125), (6, 26), 0, 0, 360, 220, cv2.FILLED)
    cv2.ellipse(picture, (120, 152), (13, 4), 0, 0, 360, 120, cv2.FILLED)
    cv2.ellipse(picture, (120, 174), (24, 6), 0, 0, 360, 90, cv2.FILLED)
    return cv2.GaussianBlur(picture, (0, 0), 4)


def test_face_is_found():
    cascade = cv2.CascadeClassifier(
        os.path.join(cv2.data.haarcascades, "haarcascade_frontalface_default.xml")
    )
    scene = np.full((300, 400), 90, np.uint8)
    scene[30:270, 140:380] = drawn_face()
    faces = cascade.detectMultiScale(scene, scaleFactor=1.05, minNeighbors=3, minSize=(80, 80))
    assert len(faces) == 1
    x, y, width, height = faces[0]
    assert (x + width / 2, y + height / 2) == pytest.approx((260, 155), abs=20)
    assert len(cascade.detectMultiScale(scene[:, :130].copy(), 1.05, 3)) == 0


def test_oriented_gradients_of_a_ramp():
    hog = cv2.HOGDescriptor((64, 128), (16, 16), (8, 8), (8, 8), 9)
    assert hog.getDescriptorSize() == 7 * 15 * 36 == 3780
    y, x = np.mgrid[0:128, 0:64]
    for angle in (10, 50, 130):
        ramp = 100 + np.cos(np.radians(angle)) * x + np.sin(np.radians(angle)) * (y - 64)
        # Nine bins of 20 degrees, each with its middle at 10, 30, ...; square roots are a part of OpenCV's default.
        blocks = hog.compute(cv2.GaussianBlur(ramp.astype(np.uint8) // 1, (0, 0), 3)).reshape(7 * 15, 4, 9)
        assert_within(np.linalg.norm(blocks.reshape(105, 36), axis=1), np.ones(105), 0.01)
        assert (blocks.sum(axis=(0, 1)).argmax()) == angle // 20


def test_people_detector_is_complete():
    hog = cv2.HOGDescriptor()
    weights = cv2.HOGDescriptor_getDefaultPeopleDetector()
    assert len(weights) == 3780 + 1
    hog.setSVMDetector(weights)
    found, _ = hog.detectMultiScale(np.full((200, 200), 128, np.uint8))
    assert len(found) == 0


def test_overlapping_rectangles_are_grouped():
    rectangles = [(10, 10, 50, 50), (12, 11, 50, 50), (11, 12, 49, 51), (150, 150, 30, 30)]
    groups, weights = cv2.groupRectangles(rectangles, 1, 0.3)
    assert_within(groups, [(11, 11, 50, 50)], 1)
    assert weights.ravel().tolist() == [3]
