"""Video files by FFmpeg: films of many codecs and containers read picture by picture, films written, and broken ones.

What a film must show is computed (films_reference.py); films/make.py says how each was made.
"""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

import build_info
import known
from build_info import needs
from films_reference import COUNT, HEIGHT, RATE, WIDTH, number_of, picture
from reference import psnr

pytestmark = needs("videoio", "imgproc")
if build_info.option("FFMPEG") is False:
    pytest.skip("FFmpeg was not asked for", allow_module_level=True)

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "films")
# What is left of a picture by its codec, in dB: with colours in half the resolution 32. A neighbour has at most 17.
FILMS = {
    "animation.gif": 18,
    "faststart.mp4": 30,
    "ffv1.mkv": 60,
    "flv1.flv": 30,
    "h264-10bit.mkv": 30,
    "h264-444.mp4": 38,
    "h264.avi": 30,
    "h264.flv": 30,
    "h264.mkv": 30,
    "h264.mov": 30,
    "h264.mp4": 30,
    "h264.ts": 30,
    "hevc-10bit.mp4": 30,
    "hevc.mkv": 30,
    "hevc.mp4": 30,
    "irregular.mkv": 30,
    "irregular.mp4": 30,
    "mjpeg.avi": 30,
    "mjpeg.mov": 30,
    "mpeg1.mpg": 30,
    "mpeg2.mpg": 30,
    "mpeg2.ts": 30,
    "mpeg4.avi": 30,
    "mpeg4.mp4": 30,
    "png-alpha.mov": 60,
    "png.mov": 60,
    "prores.mov": 30,
    "rle-alpha.mov": 60,
    "vp8.webm": 30,
    "vp9-alpha.webm": 30,
    "vp9.mp4": 30,
    "vp9.webm": 30,
    "wmv2.wmv": 30,
}


def path(name):
    return os.path.join(FOLDER, name)


def opened(name, backend=cv2.CAP_FFMPEG):
    capture = cv2.VideoCapture(path(name), backend)
    assert capture.isOpened(), name
    return capture


def rest(capture):
    while True:
        more, found = capture.read()
        if not more:
            return
        yield found


def test_ffmpeg_is_in_the_build_information():
    assert build_info.value("FFMPEG").startswith("YES")
    assert cv2.CAP_FFMPEG in cv2.videoio_registry.getBackends()


@pytest.mark.parametrize("name", sorted(FILMS))
def test_every_picture_is_read_in_its_order(name, record_property):
    found = list(rest(opened(name)))
    assert [number_of(each) for each in found] == list(range(COUNT))
    assert {each.shape for each in found} == {(HEIGHT, WIDTH, 3)}
    worst = min(psnr(each, picture(number)) for number, each in enumerate(found))
    record_property("least dB", "{:.1f}".format(worst))
    assert worst > FILMS[name]


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mkv", "vp9.webm", "mpeg4.avi"])
def test_no_backend_has_to_be_named(name):
    capture = cv2.VideoCapture(path(name))
    assert capture.getBackendName() == "FFMPEG"
    assert len(list(rest(capture))) == COUNT


@pytest.mark.parametrize(
    "name",
    [
        "h264.mp4",
        "h264.mov",
        "h264.mkv",
        "hevc.mp4",
        "vp9.webm",
        "vp9.mp4",
        "mpeg4.avi",
        "mpeg4.mp4",
        "mjpeg.avi",
    ],
)
def test_a_film_says_its_size_rate_and_length(name):
    capture = opened(name)
    assert (capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)) == (WIDTH, HEIGHT)
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(RATE)
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == COUNT


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("h264.mp4", "avc1"),
        ("hevc.mp4", "hev1"),
        ("mpeg4.mp4", "mp4v"),
        ("mpeg4.avi", "FMP4"),
        ("mjpeg.avi", "MJPG"),
    ],
)
def test_a_film_says_its_codec(name, code):
    number = int(opened(name).get(cv2.CAP_PROP_FOURCC))
    assert number.to_bytes(4, "little").decode() == code


@pytest.mark.parametrize(
    "name", ["h264.mp4", "h264.mkv", "hevc.mp4", "vp9.webm", "mpeg4.avi", "ffv1.mkv", "mjpeg.mov"]
)
@pytest.mark.parametrize("wanted", [7, 3, 0, 11, 6])
def test_any_picture_can_be_sought(name, wanted):
    capture = opened(name)
    assert capture.read()[0]
    assert capture.set(cv2.CAP_PROP_POS_FRAMES, wanted)
    assert capture.get(cv2.CAP_PROP_POS_FRAMES) == wanted
    more, found = capture.read()
    assert more and number_of(found) == wanted
    assert [number_of(each) for each in rest(capture)] == list(range(wanted + 1, COUNT))


def test_a_time_can_be_sought():
    capture = opened("h264.mp4")
    assert capture.set(cv2.CAP_PROP_POS_MSEC, 8 * 1000 / RATE)
    assert number_of(capture.read()[1]) == 8


def test_grab_and_retrieve_are_the_two_halves_of_read():
    capture = opened("h264.mp4")
    for _ in range(5):
        assert capture.grab()
    more, found = capture.retrieve()
    assert more and number_of(found) == 4


@pytest.mark.parametrize("name", ["irregular.mkv", "irregular.mp4"])
def test_pictures_that_come_at_irregular_times_are_each_read_once(name):
    capture = opened(name)
    numbers, times = [], []
    while capture.grab():
        numbers.append(number_of(capture.retrieve()[1]))
        times.append(capture.get(cv2.CAP_PROP_POS_MSEC))
    assert numbers == list(range(COUNT))
    assert times == sorted(times)


def test_a_film_that_is_to_be_turned_is_read_as_it_is_in_the_file():
    # OpenCV turns films by what they say since 4.5.
    found = list(rest(opened("turned.mp4")))
    assert [number_of(each) for each in found] == list(range(COUNT))
    assert {each.shape for each in found} == {(HEIGHT, WIDTH, 3)}


def test_pictures_as_they_are_in_the_file():
    capture = opened("h264.mp4")
    if not capture.set(cv2.CAP_PROP_CONVERT_RGB, 0):
        pytest.skip("this release always converts")
    more, found = capture.read()
    assert more and found.size == WIDTH * HEIGHT * 3 // 2


@pytest.mark.parametrize(
    ("name", "code", "least"),
    [
        ("film.mp4", "mp4v", 30),
        ("film.mov", "mp4v", 30),
        ("film.mkv", "mp4v", 30),
        ("film.avi", "XVID", 30),
        ("film.avi", "DIVX", 30),
        ("film.avi", "MJPG", 30),
        ("film.mkv", "MJPG", 30),
        ("film.webm", "VP80", 28),
        ("film.webm", "VP90", 28),
        ("film.avi", "FFV1", 60),
        ("film.mkv", "FFV1", 60),
        ("film.avi", "HFYU", 45),
        ("film.mpg", "PIM1", 28),
        ("film.flv", "FLV1", 28),
        ("film.wmv", "WMV2", 28),
    ],
)
def test_a_film_is_written_and_read(tmp_path, name, code, least):
    target = str(tmp_path / name)
    writer = cv2.VideoWriter(target, cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*code), RATE, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for number in range(COUNT):
        writer.write(picture(number))
    writer.release()
    capture = cv2.VideoCapture(target, cv2.CAP_FFMPEG)
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(RATE, abs=0.1)
    found = list(rest(capture))
    assert [number_of(each) for each in found] == list(range(COUNT))
    assert min(psnr(each, picture(number)) for number, each in enumerate(found)) > least


def test_grey_pictures_are_written_where_colour_is_off(tmp_path):
    target = str(tmp_path / "grey.avi")
    writer = cv2.VideoWriter(
        target, cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"FFV1"), RATE, (WIDTH, HEIGHT), False
    )
    assert writer.isOpened()
    for number in range(COUNT):
        writer.write(cv2.cvtColor(picture(number), cv2.COLOR_BGR2GRAY))
    writer.release()
    found = list(rest(cv2.VideoCapture(target, cv2.CAP_FFMPEG)))
    assert [number_of(each) for each in found] == list(range(COUNT))


def test_two_films_are_read_in_turn():
    first, second = opened("h264.mp4"), opened("vp9.webm")
    for number in range(COUNT):
        assert number_of(first.read()[1]) == number
        assert number_of(second.read()[1]) == number


# A process of its own opens each file that is named, reads what it can, and says how many pictures there were.
READER = """
import sys
import cv2
cv2.setNumThreads(1)
for name in sys.argv[1:]:
    capture = cv2.VideoCapture(name, cv2.CAP_FFMPEG)
    count = 0
    while capture.isOpened() and count < 1000 and capture.read()[0]:
        count += 1
    capture.set(cv2.CAP_PROP_POS_FRAMES, 5)
    capture.read()
    capture.release()
    print(count)
"""


def counts(*names):
    """How many pictures were read of each file; an end by a signal, or after too long a time, is a failure."""
    done = subprocess.run(
        [sys.executable, "-c", READER, *names], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300
    )
    assert done.returncode == 0, names
    return [int(line) for line in done.stdout.split()]


def broken(folder, name, content):
    target = str(folder / name)
    with open(target, "wb") as file:
        file.write(content)
    return target


def content(name):
    with open(path(name), "rb") as file:
        return file.read()


SHORT = ["h264.ts", "h264.mkv", "h264.flv", "faststart.mp4", "mpeg4.avi", "vp9.webm", "mpeg2.mpg", "wmv2.wmv"]


@pytest.mark.parametrize("name", SHORT)
def test_of_a_film_that_is_cut_off_the_beginning_is_read(tmp_path, name):
    whole = content(name)
    (count,) = counts(broken(tmp_path, name, whole[: len(whole) * 2 // 3]))
    assert 0 < count < COUNT


def test_a_film_without_its_index_is_not_opened(tmp_path):
    whole = content("h264.mp4")
    assert counts(broken(tmp_path, "h264.mp4", whole[: len(whole) // 2])) == [0]


@pytest.mark.parametrize(
    "junk", [b"", b"\0" * 5000, b"not a film\n" * 400, b"RIFF\xff\xff\xff\xffAVI LIST" * 60]
)
def test_what_is_not_a_film_is_not_opened(tmp_path, junk):
    assert counts(broken(tmp_path, "junk.mp4", junk)) == [0]


@pytest.mark.parametrize("name", sorted(FILMS))
def test_damaged_films_end_no_process(tmp_path, name):
    whole = np.frombuffer(content(name), np.uint8)
    random = np.random.RandomState(len(whole))
    targets = []
    for number in range(8):
        damaged = whole.copy()
        places = random.randint(0, len(whole), size=1 + len(whole) * number // 400)
        damaged[places] = random.randint(0, 256, size=len(places))
        targets.append(broken(tmp_path, "{}-{}".format(number, name), damaged.tobytes()))
    assert len(counts(*targets)) == 8


def test_a_playlist_reads_no_file_of_another_kind(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret\n")
    text = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{}\n#EXT-X-ENDLIST\n".format(secret)
    assert counts(broken(tmp_path, "list.m3u8", text.encode())) == [0]


def test_its_libraries_have_names_of_their_own():
    known.asked_for("KILN_OPT_FFMPEG")
    libraries = [
        place for _, place, _, _ in known.files() if os.path.basename(place).startswith(("libav", "libsw"))
    ]
    assert len(libraries) == 5
    for place in libraries:
        # The other FFmpeg of a process has neither these names nor these versions of symbols.
        assert "-" in os.path.basename(place)
        with open(place, "rb") as file:
            assert b"KILN_LIB" in file.read()


def test_its_licence_and_the_offer_of_its_source_are_in_the_wheel():
    known.asked_for("KILN_OPT_FFMPEG")
    texts = {os.path.basename(name): place for name, place, _, _ in known.files() if "/licenses/" in name}
    assert {"ffmpeg-COPYING.LGPLv3", "ffmpeg-SOURCE.txt", "libvpx-copyright"} <= set(texts)
    with open(texts["ffmpeg-SOURCE.txt"]) as file:
        offer = file.read()
    assert "ffmpeg-4.3.7.tar.xz" in offer and "--disable-gpl" in offer and "KILN_LIBAVCODEC_MAJOR" in offer
