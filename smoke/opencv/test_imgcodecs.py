"""Pictures to files and back, and files that are damaged."""

import os
import struct

import cv2
import numpy as np
import pytest

import build_info
from build_info import needs
from reference import assert_equal, assert_within, noise, psnr, waves

pytestmark = needs("imgcodecs")


def codec(name):
    """Skips where a build with the system's libraries lacks this codec; a build with its own has them all."""
    if build_info.value(name) in (None, "NO") and os.environ.get("KILN_OPT_CODECS") == "system":
        pytest.skip("the system has no library for " + name)


def there_and_back(suffix, picture, parameters=()):
    written, data = cv2.imencode(suffix, picture, list(parameters))
    assert written
    back = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    assert back is not None
    assert back.dtype == picture.dtype
    return back


def colours(height=60, width=80):
    return np.dstack([waves(height, width), waves(width, height).T, 255 - waves(height, width)])


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".ras"])
def test_lossless_formats_keep_every_bit(suffix):
    for picture in (noise((41, 37, 3)), noise((1, 1, 3)), colours()):
        assert_equal(there_and_back(suffix, picture), picture)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".pgm"])
def test_lossless_formats_keep_gray(suffix):
    assert_equal(there_and_back(suffix, noise((41, 37))), noise((41, 37)))


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pgm"])
def test_formats_with_16_bits(suffix):
    picture = noise((41, 37), np.uint16)
    assert_equal(there_and_back(suffix, picture), picture)


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".webp"])
def test_formats_with_transparency(suffix):
    picture = noise((41, 37, 4))
    picture[..., 3] |= 1  # WebP forgets the colour of what is wholly transparent
    # Above quality 100, WebP is lossless.
    assert_equal(there_and_back(suffix, picture, (cv2.IMWRITE_WEBP_QUALITY, 101)), picture)


def test_compression_levels_of_png():
    picture = colours()
    sizes = []
    for level in (0, 9):
        parameters = [cv2.IMWRITE_PNG_COMPRESSION, level]
        assert_equal(there_and_back(".png", picture, parameters), picture)
        sizes.append(cv2.imencode(".png", picture, parameters)[1].size)
    assert sizes[1] < sizes[0] / 2


@pytest.mark.parametrize(
    ("suffix", "flag"), [(".jpg", cv2.IMWRITE_JPEG_QUALITY), (".webp", cv2.IMWRITE_WEBP_QUALITY)]
)
def test_quality_decides_loss_and_size(suffix, flag):
    picture = cv2.merge([waves(96, 128)] * 3)
    low, high = (there_and_back(suffix, picture, (flag, quality)) for quality in (20, 95))
    # A smooth grey picture at quality 95 loses less than two grey levels (40 dB).
    assert psnr(high, picture) > 40
    assert 25 < psnr(low, picture) < psnr(high, picture)
    small, large = (cv2.imencode(suffix, picture, [flag, quality])[1].size for quality in (20, 95))
    assert small < large < picture.size


def test_jpeg_keeps_the_order_of_the_channels():
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:] = (200, 100, 30)
    # One colour: what is left is the rounding of the colour conversion.
    assert_within(there_and_back(".jpg", picture), picture, 3)


@pytest.mark.parametrize("channels", [1, 3])
def test_openexr_keeps_floats(channels):
    codec("OpenEXR")
    picture = noise((33, 45) if channels == 1 else (33, 45, 3), np.float32) * 1000 - 1
    assert_equal(there_and_back(".exr", picture), picture)


def test_jpeg_2000_loses_next_to_nothing_by_default():
    codec("JPEG 2000")
    # OpenCV lets a file be as large as the picture's values, which is enough for all but noise.
    assert_within(there_and_back(".jp2", colours()), colours(), 1)
    assert_within(there_and_back(".jp2", waves(60, 80)), waves(60, 80), 1)
    deep = waves(60, 80, np.uint16) * 200
    assert_within(there_and_back(".jp2", deep), deep, 16)


def test_radiance_keeps_brightness_to_one_percent():
    picture = np.exp(6 * noise((30, 40, 1), np.float32)) * np.ones(3, np.float32)
    back = there_and_back(".hdr", picture)
    # One exponent for three mantissas of 8 bits.
    assert_within(back / picture, np.ones(picture.shape), 0.01)


def test_floats_in_tiff_and_pfm():
    picture = noise((21, 34, 3), np.float32)
    uncompressed = (cv2.IMWRITE_TIFF_COMPRESSION, 1)
    assert_equal(there_and_back(".tiff", picture, uncompressed), picture)
    assert_equal(there_and_back(".pfm", picture), picture)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tiff", ".webp", ".bmp"])
def test_every_common_format_can_be_written(suffix):
    assert cv2.haveImageWriter("x" + suffix)


def test_reading_as_gray_and_reduced():
    picture = cv2.merge([waves(64, 64)] * 3)
    data = cv2.imencode(".png", picture)[1]
    assert_equal(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), picture[..., 0])
    assert_equal(cv2.imdecode(cv2.imencode(".png", picture[..., 0])[1], cv2.IMREAD_COLOR), picture)
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1]
    half = cv2.imdecode(jpeg, cv2.IMREAD_REDUCED_GRAYSCALE_2)
    mean = picture[..., 0].astype(float).reshape(32, 2, 32, 2).mean(axis=(1, 3))
    # The decoder drops high frequencies of the blocks where the mean only damps them.
    assert np.abs(half - mean).mean() < 2


def test_files_on_disk(tmp_path):
    picture = colours()
    path = str(tmp_path / "picture.png")
    assert cv2.imwrite(path, picture)
    assert_equal(cv2.imread(path), picture)
    assert cv2.imread(str(tmp_path / "absent.png")) is None


def tiff(pages):
    """8-bit grey pages as one uncompressed TIFF file: each page's pixels, then its directory."""
    data = struct.pack("<2sHI", b"II", 42, 8 + pages[0].size)
    for number, page in enumerate(pages):
        height, width = page.shape
        tags = [
            (256, width),
            (257, height),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, len(data)),
            (277, 1),
            (278, height),
        ]
        tags.append((279, page.size))
        directory = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
        end = len(data) + page.size + 2 + len(directory) + 4
        following = end + pages[number + 1].size if number + 1 < len(pages) else 0
        data += page.tobytes() + struct.pack("<H", len(tags)) + directory + struct.pack("<I", following)
    return data


def test_tiff_with_several_pages(tmp_path):
    pages = [noise((20, 30), seed=seed) for seed in range(3)]
    path = tmp_path / "pages.tiff"
    path.write_bytes(tiff(pages))
    read, back = cv2.imreadmulti(str(path), flags=cv2.IMREAD_UNCHANGED)
    assert read and len(back) == 3
    for page, found in zip(pages, back):
        assert_equal(found, page)


# --- damage ---------------------------------------------------------------------------------------------------------

FORMATS = [".png", ".jpg", ".tiff", ".webp", ".bmp", ".ppm"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_file_cut_off_in_its_header_is_refused(suffix):
    data = cv2.imencode(suffix, colours())[1].ravel()
    assert cv2.imdecode(data[:12], cv2.IMREAD_COLOR) is None


@pytest.mark.parametrize("suffix", FORMATS)
def test_file_of_nonsense_after_the_signature_is_refused(suffix):
    data = cv2.imencode(suffix, colours())[1].ravel().copy()
    data[8:] = noise((data.size - 8,), seed=9)
    assert cv2.imdecode(data, cv2.IMREAD_COLOR) is None


def test_what_is_no_picture_is_refused():
    assert cv2.imdecode(noise((1000,)), cv2.IMREAD_COLOR) is None
    assert cv2.imdecode(np.frombuffer(b"not a picture at all", np.uint8), cv2.IMREAD_COLOR) is None


def test_png_with_a_wrong_checksum_is_refused():
    data = cv2.imencode(".png", colours())[1].ravel().copy()
    data[20] ^= 1  # the width, which its chunk's checksum covers
    assert cv2.imdecode(data, cv2.IMREAD_COLOR) is None


def test_unknown_suffix_is_an_error():
    with pytest.raises(cv2.error):
        cv2.imencode(".nonsense", colours())
