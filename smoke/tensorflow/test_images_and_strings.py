"""Pictures and text: codecs against files written by hand, and what is done with them."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf

from reference import assert_equal, assert_within, noise, psnr


def picture(rows=24, columns=32, channels=3):
    """Smooth, with every channel its own."""
    y, x = np.mgrid[0:rows, 0:columns]
    planes = [127 + 100 * np.sin(x / (4.0 + plane) + y / 7.0 + plane) for plane in range(channels)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def png(image):
    """A PNG file by its specification, every line filtered by "up"."""
    lines = image.reshape(image.shape[0], -1)
    above = np.vstack([np.zeros_like(lines[:1]), lines[:-1]])
    data = b"".join(b"\x02" + row.tobytes() for row in (lines - above))

    def chunk(name, content):
        return (
            struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
        )

    depth = 8 * image.dtype.itemsize
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[image.shape[2]]
    head = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], depth, kind, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def gif(frames, palette):
    """A GIF of colour numbers below 128; the table is cleared so often that each code is one byte."""
    rows, columns = frames[0].shape
    file = io.BytesIO()
    file.write(b"GIF89a" + struct.pack("<HHBBB", columns, rows, 0xF6, 0, 0) + palette.tobytes())
    for frame in frames:
        file.write(b"," + struct.pack("<HHHHB", 0, 0, columns, rows, 0) + b"\x07")
        pixels, codes = frame.ravel().tolist(), []
        for start in range(0, len(pixels), 100):
            codes += [128, *pixels[start : start + 100]]
        codes.append(129)
        for start in range(0, len(codes), 255):
            block = codes[start : start + 255]
            file.write(bytes([len(block), *block]))
        file.write(b"\x00")
    file.write(b";")
    return file.getvalue()


def bmp(image):
    rows, columns, _ = image.shape
    width = (3 * columns + 3) // 4 * 4
    lines = [row[:, ::-1].tobytes().ljust(width, b"\0") for row in image[::-1]]
    head = struct.pack("<2sIHHI", b"BM", 54 + width * rows, 0, 0, 54)
    return (
        head
        + struct.pack("<IiiHHIIiiII", 40, columns, rows, 1, 24, 0, width * rows, 0, 0, 0, 0)
        + b"".join(lines)
    )


# 8x8 pixels of the gray 130, by an encoder that is not TensorFlow's.
JPEG = base64.b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwMEAwMEBQgFBQQEBQoHBwYIDAoMDAsKCwsNDhIQDQ4RDgsLEBYQERMU"
    "FRUVDA8XGBYUGBIUFRT/wAALCAAIAAgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUF"
    "BAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW"
    "V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi"
    "4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/AJa//9k="
)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_png(run, channels):
    image = picture(channels=channels)
    assert_equal(run(lambda: tf.image.decode_png(png(image))), image)
    assert_equal(run(lambda: tf.image.decode_image(png(image))), image)
    assert_equal(run(lambda: tf.image.decode_png(tf.image.encode_png(image))), image)


def test_gif(run):
    palette = np.random.RandomState(0).randint(0, 256, (128, 3)).astype(np.uint8)
    frames = [np.random.RandomState(seed).randint(0, 128, (19, 27)).astype(np.uint8) for seed in (1, 2, 3)]
    assert_equal(run(lambda: tf.image.decode_gif(gif(frames, palette))), palette[np.stack(frames)])


def test_bmp(run):
    assert_equal(run(lambda: tf.image.decode_bmp(bmp(picture(9, 7)))), picture(9, 7))


def test_jpeg(run):
    assert_within(run(lambda: tf.image.decode_jpeg(JPEG)), np.full((8, 8, 1), 130), 1)
    image = picture()
    back = run(
        lambda: tf.image.decode_jpeg(tf.image.encode_jpeg(image, quality=95), dct_method="INTEGER_ACCURATE")
    )
    assert psnr(back, image) > 35
    small = run(lambda: tf.image.decode_jpeg(tf.image.encode_jpeg(image, quality=20)))
    assert 20 < psnr(small, image) < psnr(back, image)
    assert_equal(run(lambda: tf.image.extract_jpeg_shape(JPEG)), [8, 8, 1])


def test_damaged_file_is_told(session):
    for decode in (tf.image.decode_png, tf.image.decode_jpeg, tf.image.decode_gif):
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(decode(png(picture())[:60]))


def test_resizing(run):
    image = noise(1, 4, 6, 2)
    near = run(lambda t: tf.image.resize(t, [8, 12], method="nearest"), image)
    assert_equal(near, image.repeat(2, axis=1).repeat(2, axis=2))
    doubled = run(lambda t: tf.compat.v2.image.resize(t, [8, 12]), image)
    # Centres of half pixels: 3/4 of the nearer, 1/4 of the farther.
    corner = image[0, :2, :2]
    assert_within(
        doubled[0, 1, 1], (9 * corner[0, 0] + 3 * (corner[0, 1] + corner[1, 0]) + corner[1, 1]) / 16, 1e-6
    )
    area = run(lambda t: tf.image.resize(t, [2, 3], method="area"), image)
    assert_within(area, image.reshape(1, 2, 2, 3, 2, 2).mean(axis=(2, 4)), 1e-6)


def test_pictures_are_turned_cut_and_coloured(run):
    image = picture().astype(np.float32) / 255
    assert_equal(run(tf.image.flip_left_right, image), image[:, ::-1])
    assert_equal(run(tf.image.rot90, image), np.rot90(image))
    assert_equal(run(lambda t: tf.image.central_crop(t, 0.5), image), image[6:18, 8:24])
    gray = run(tf.image.rgb_to_grayscale, image)
    assert_within(gray[..., 0], image.dot([0.2989, 0.587, 0.114]), 1e-5)
    assert_within(run(lambda t: tf.image.hsv_to_rgb(tf.image.rgb_to_hsv(t)), image), image, 1e-5)
    boxes = np.float32([[0, 0, 1, 1], [0, 0, 0.9, 1], [0, 0, 0.2, 0.2]])
    kept = run(lambda t: tf.image.non_max_suppression(t, np.float32([0.5, 0.9, 0.1]), 3, 0.5), boxes)
    assert_equal(kept, [1, 2])


def test_strings(run):
    words = np.array([b"kiln", b"", "für".encode(), b"a,b,,c"], object)
    assert_equal(run(tf.strings.length, words), [4, 0, 4, 6])
    assert_equal(run(lambda t: tf.strings.length(t, unit="UTF8_CHAR"), words), [4, 0, 3, 6])
    assert_equal(run(lambda t: tf.strings.substr(t, 1, 2), words[:1]), [b"il"])
    assert_equal(run(lambda t: tf.strings.regex_replace(t, "[a-c]", "x"), words[3:]), [b"x,x,,x"])
    assert_equal(run(lambda t: tf.strings.join([t, t], separator="-"), words[:1]), [b"kiln-kiln"])
    assert_equal(run(lambda t: tf.compat.v1.string_split(t, ",").values, words[3:]), [b"a", b"b", b"c"])
    assert_equal(run(lambda: tf.strings.to_number(["1.5", "-2e3"])), [1.5, -2000])
    assert_equal(run(lambda: tf.strings.as_string([1.25], precision=2)), [b"1.25"])
    assert_equal(run(lambda: tf.io.decode_base64(tf.io.encode_base64(words[0]))), b"kiln")


def test_hashes_are_those_of_every_build(run):
    found = run(lambda: tf.strings.to_hash_bucket_fast(["kiln", "clay", ""], 1000000))
    assert_equal(found, HASHES)
    table = run(lambda: tf.compat.v1.strings.unicode_decode(["für"], "UTF-8").values)
    assert_equal(table, [102, 252, 114])


# What tensorflow 1.15.5's published wheel gives.
HASHES = [577327, 382823, 397263]
