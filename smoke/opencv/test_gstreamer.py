"""Video by GStreamer, in builds that were asked for it."""

import cv2
import numpy as np
import pytest

import build_info
from build_info import needs

pytestmark = needs("videoio")
SIZE = 64, 48


@pytest.fixture(autouse=True)
def gstreamer(request):
    there = (build_info.value("GStreamer") or "").startswith("YES")
    if build_info.option("GSTREAMER") is False or (build_info.option("GSTREAMER") is None and not there):
        pytest.skip("GStreamer was not asked for")
    assert there


def frames(pipeline):
    """All pictures of a pipeline, which ends in a sink for programs."""
    film = cv2.VideoCapture(pipeline, cv2.CAP_GSTREAMER)
    assert film.isOpened()
    found = []
    while True:
        there, picture = film.read()
        if not there:
            return film, found
        found.append(picture)


def test_pictures_of_a_pipeline_are_read():
    film, found = frames(
        "videotestsrc num-buffers=7 pattern=white ! video/x-raw,width=64,height=48,framerate=10/1 ! videoconvert "
        "! video/x-raw,format=BGR ! appsink"
    )
    assert film.getBackendName() == "GSTREAMER"
    assert [each.shape for each in found] == [(48, 64, 3)] * 7
    assert min(each.min() for each in found) > 250
    assert film.get(cv2.CAP_PROP_FPS) == 10
    assert (film.get(cv2.CAP_PROP_FRAME_WIDTH), film.get(cv2.CAP_PROP_FRAME_HEIGHT)) == SIZE


def test_what_is_written_into_a_pipeline_is_read_from_its_file(tmp_path):
    path = tmp_path / "film.avi"
    pipeline = "appsrc ! videoconvert ! jpegenc quality=95 ! avimux ! filesink location={}".format(path)
    film = cv2.VideoWriter(pipeline, cv2.CAP_GSTREAMER, 0, 10.0, SIZE)
    assert film.isOpened()
    levels = range(20, 240, 40)
    for level in levels:
        film.write(np.full((48, 64, 3), level, np.uint8))
    film.release()
    for pipeline in (
        "filesrc location={} ! avidemux ! jpegdec ! videoconvert ! video/x-raw,format=BGR ! appsink".format(
            path
        ),
        str(path),
    ):
        _, found = frames(pipeline)
        assert len(found) == len(levels)
        assert np.abs([each.mean() for each in found] - np.array(levels)).max() < 3


def test_a_pipeline_that_cannot_be_is_not_opened():
    assert not cv2.VideoCapture("nosuchelement ! appsink", cv2.CAP_GSTREAMER).isOpened()
    assert not cv2.VideoCapture("videotestsrc ! nosuchsink", cv2.CAP_GSTREAMER).isOpened()
