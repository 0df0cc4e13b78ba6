"""Windows on a screen, with keys and mouse; and what happens where there is no screen."""

import os
import subprocess
import sys

import cv2
import display
import numpy as np
import pytest

import build_info
from build_info import needs

pytestmark = needs("highgui")

TOOLKIT = build_info.toolkit()
COLOURS = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0), "yellow": (0, 255, 255)}
SIZE = 80, 120

ALONE = """\
import sys
import cv2, numpy
picture = numpy.zeros((40, 60, 3), numpy.uint8)
calls = {
    "namedWindow": lambda: cv2.namedWindow("w"),
    "imshow": lambda: cv2.imshow("w", picture),
    "trackbar": lambda: cv2.createTrackbar("t", "w", 0, 10, lambda value: None),
}
for name in sys.argv[1:]:
    try:
        calls[name]()
    except cv2.error as error:
        print(name, "raised", error.err)
    else:
        print(name, "works")
print("alive")
"""


def alone(*calls, **variables):
    """What a process of its own prints that makes these calls, without the variables of this one's display."""
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    }
    command = [sys.executable, "-c", ALONE, *calls]
    done = subprocess.run(
        command, env=dict(environment, **variables), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    lines = done.stdout.decode().splitlines()
    assert done.returncode == 0 and lines[-1] == "alive", (done.returncode, lines, done.stderr.decode())
    return lines[:-1]


def test_toolkit_is_the_one_that_was_asked_for():
    asked = os.environ.get("KILN_OPT_GUI")
    if asked is None:
        pytest.skip("the wheel was not built by Kiln, and nothing was asked of it")
    assert asked == TOOLKIT


@pytest.mark.parametrize("name", ["", ":4711"])
def test_without_a_display_a_window_is_an_error_and_the_process_goes_on(name):
    variables = {"DISPLAY": name} if name else {}
    first, second = alone("namedWindow", "imshow", **variables)
    assert first.startswith("namedWindow raised ") and second.startswith("imshow raised ")
    if TOOLKIT != "none":
        assert 'DISPLAY="{}"'.format(name) in first
        # The second time it is said again: nothing is left half made.
        assert first.partition(" raised ")[2] == second.partition(" raised ")[2]


def test_qt_shows_windows_nowhere_when_it_is_asked_to():
    if TOOLKIT != "qt":
        pytest.skip("the wheel was built without Qt")
    assert alone("namedWindow", "imshow", "trackbar", QT_QPA_PLATFORM="offscreen") == [
        "namedWindow works", "imshow works", "trackbar works",
    ]  # fmt: skip
    assert alone("imshow", QT_QPA_PLATFORM="xcb;offscreen") == ["imshow works"]
    (said,) = alone("imshow", QT_QPA_PLATFORM="nosuch")
    assert "the platform nosuch" in said


def test_waiting_for_a_key_without_a_window_ends():
    if TOOLKIT == "none":
        pytest.skip("the wheel was built without a toolkit for windows")
    assert cv2.waitKey(1) == -1


@pytest.fixture(scope="session")
def screen(tmp_path_factory):
    """The display that the windows of this process are on, as long as it runs."""
    if TOOLKIT == "none":
        pytest.skip("the wheel was built without a toolkit for windows")
    if not display.is_there():
        pytest.skip("there is no Xvfb, or no xdotool: no window was shown")
    found = display.Display(tmp_path_factory.mktemp("display"))
    os.environ["DISPLAY"] = found.name
    yield found
    found.stop()


@pytest.fixture
def window(screen):
    """The name of a window that shows the picture; all windows are gone at the end."""
    # The mouse's arrow is on the screen, too.
    screen.do("mousemove", display.WIDTH - 1, display.HEIGHT - 1)
    cv2.imshow("kiln", picture())
    wait(lambda: area(screen) is not None)
    yield "kiln"
    cv2.destroyAllWindows()
    wait(lambda: area(screen) is None)


def picture():
    """A picture of four colours, of 80 rows and 120 columns."""
    found = np.zeros((*SIZE, 3), np.uint8)
    rows, columns = SIZE[0] // 2, SIZE[1] // 2
    found[:rows, :columns], found[:rows, columns:] = COLOURS["red"], COLOURS["green"]
    found[rows:, :columns], found[rows:, columns:] = COLOURS["blue"], COLOURS["yellow"]
    return found


def wait(condition):
    """What a condition gives once it gives something true, while events are handled."""

    def handled():
        cv2.waitKey(20)
        return condition()

    return display.until(handled)


def area(screen, *names):
    """Where on the screen all the colours are, as x, y, width, height; None where one is missing."""
    found = screen.screen()
    masks = [(found == COLOURS[name]).all(axis=2) for name in names or COLOURS]
    if not all(mask.any() for mask in masks):
        return None
    return cv2.boundingRect(np.any(masks, axis=0).astype(np.uint8))


def test_picture_is_on_the_screen_as_it_is(screen, window):
    x, y, width, height = area(screen)
    assert (height, width) == SIZE
    assert np.array_equal(screen.screen()[y : y + height, x : x + width], picture())


def test_another_picture_takes_the_place_of_the_first(screen, window):
    cv2.imshow(window, np.full((*SIZE, 3), COLOURS["green"], np.uint8))
    wait(lambda: area(screen, "red") is None and area(screen, "green")[2:] == SIZE[::-1])


@pytest.mark.parametrize("value", [200, 60000, 0.8])
def test_pictures_of_other_types_are_shown_in_grey(screen, window, value):
    kinds = {200: np.uint8, 60000: np.uint16, 0.8: np.float32}
    grey = {200: 200, 60000: 60000 // 256, 0.8: int(0.8 * 255)}[value]
    cv2.imshow(window, np.full(SIZE, value, kinds[value]))

    def shown():
        return (np.abs(screen.screen().astype(int) - grey) <= 1).all(axis=2).sum() >= SIZE[0] * SIZE[1]

    wait(shown)


def test_keys_are_returned(screen, window):
    screen.do("windowfocus", "--sync", screen.windows(window)[-1])
    for name, code in (("a", ord("a")), ("Return", 13), ("Escape", 27), ("7", ord("7"))):
        screen.do("key", name)
        assert display.until(lambda: max(cv2.waitKey(20), 0)) & 0xFF == code
    assert cv2.waitKey(1) == -1


def test_mouse_is_followed(screen, window):
    seen = []
    cv2.setMouseCallback(window, lambda *event: seen.append(event[:4]))
    x, y, _, _ = area(screen)
    screen.do("mousemove", x + 30, y + 20)
    wait(lambda: (cv2.EVENT_MOUSEMOVE, 30, 20, 0) in seen)
    screen.do("mousedown", 1)
    wait(lambda: any(event[:3] == (cv2.EVENT_LBUTTONDOWN, 30, 20) for event in seen))
    screen.do("mousemove", x + 50, y + 40)
    wait(lambda: (cv2.EVENT_MOUSEMOVE, 50, 40, cv2.EVENT_FLAG_LBUTTON) in seen)
    screen.do("mouseup", 1)
    wait(lambda: any(event[:3] == (cv2.EVENT_LBUTTONUP, 50, 40) for event in seen))
    screen.do("click", 3)
    wait(lambda: any(event[0] == cv2.EVENT_RBUTTONDOWN for event in seen))


def test_trackbar_has_a_value_that_program_and_mouse_change(screen, window):
    seen = []
    cv2.createTrackbar("bar", window, 3, 10, seen.append)
    assert cv2.getTrackbarPos("bar", window) == 3
    cv2.setTrackbarPos("bar", window, 7)
    wait(lambda: 7 in seen)
    assert cv2.getTrackbarPos("bar", window) == 7
    cv2.setTrackbarMax("bar", window, 20)
    cv2.setTrackbarPos("bar", window, 20)
    wait(lambda: 20 in seen)
    # The keys of a slider that has the focus.
    x, y, width, height = area(screen)
    del seen[:]
    for row in (*range(y - 8, max(y - 60, 0), -8), *range(y + height + 4, y + height + 60, 8)):
        screen.do("mousemove", x + width // 2, row, "click", 1)
        cv2.waitKey(30)
        if seen:
            break
    assert seen and cv2.getTrackbarPos("bar", window) == seen[-1] != 20


def test_window_is_moved_resized_and_renamed(screen, window):
    cv2.destroyWindow(window)
    cv2.namedWindow(window, cv2.WINDOW_NORMAL)
    cv2.imshow(window, picture())
    before = wait(lambda: area(screen))
    cv2.resizeWindow(window, 240, 160)
    _, _, width, height = wait(lambda: area(screen) and area(screen)[2:] != before[2:] and area(screen))
    assert abs(width / height - SIZE[1] / SIZE[0]) < 0.05
    assert cv2.getWindowImageRect(window)[2:] == (width, height)
    cv2.moveWindow(window, 20, 10)
    wait(lambda: area(screen) and area(screen)[0] < 100)
    left, top, _, _ = area(screen)
    cv2.moveWindow(window, 120, 60)
    wait(lambda: area(screen) and area(screen)[:2] == (left + 100, top + 50))
    cv2.setWindowTitle(window, "another title")
    wait(lambda: screen.windows("another title"))


def test_properties_of_a_window(screen, window):
    cv2.namedWindow("second", cv2.WINDOW_NORMAL)
    assert cv2.getWindowProperty(window, cv2.WND_PROP_AUTOSIZE) == cv2.WINDOW_AUTOSIZE
    assert cv2.getWindowProperty("second", cv2.WND_PROP_AUTOSIZE) == cv2.WINDOW_NORMAL
    cv2.destroyWindow("second")
    assert cv2.getWindowProperty("second", cv2.WND_PROP_AUTOSIZE) == -1


def test_two_windows_are_independent(screen, window):
    def count():
        return np.count_nonzero((screen.screen() == (255, 0, 255)).all(axis=2))

    cv2.imshow("second", np.full((*SIZE, 3), (255, 0, 255), np.uint8))
    cv2.moveWindow("second", 300, 300)
    wait(lambda: count() == SIZE[0] * SIZE[1] and area(screen))
    cv2.destroyWindow("second")
    wait(lambda: count() == 0)
    assert area(screen)[2:] == SIZE[::-1]


def test_overlay_and_text_by_qt(screen, window):
    if TOOLKIT != "qt":
        pytest.skip("the wheel was built without Qt")
    # Qt remembers the size of a window by its name.
    plain = np.full((200, 300, 3), (10, 200, 90), np.uint8)
    cv2.imshow("plain", plain)

    def count():
        return np.count_nonzero((screen.screen() == (10, 200, 90)).all(axis=2))

    wait(lambda: count() == 200 * 300)
    cv2.displayOverlay("plain", "overlay", 0)
    cv2.imshow("plain", plain)
    wait(lambda: count() < 190 * 300)
    cv2.displayStatusBar("plain", "status", 100)
    written = picture()
    cv2.addText(written, "text", (10, 30), "DejaVu Sans", 20, (255, 255, 255))
    assert not np.array_equal(written, picture())
    cv2.destroyWindow("plain")


def test_toolbar_of_qt_has_its_pictures(screen, window):
    if TOOLKIT != "qt":
        pytest.skip("the wheel was built without Qt")
    _, top, _, _ = area(screen)
    bar = screen.screen()[:top, : SIZE[1]]
    assert len(np.unique(bar.reshape(-1, 3), axis=0)) > 30
