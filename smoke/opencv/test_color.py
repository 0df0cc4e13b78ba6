"""Colour conversions of imgproc against their formulas, and thresholds."""

import colorsys

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_equal, assert_within, correlate, noise, waves

pytestmark = needs("imgproc")


def test_gray_is_the_weighted_sum():
    a = noise((64, 48, 3))
    blue, green, red = (a[..., i].astype(np.float64) for i in range(3))
    expected = 0.299 * red + 0.587 * green + 0.114 * blue
    # Weights of 14 or 15 bits.
    assert_within(cv2.cvtColor(a, cv2.COLOR_BGR2GRAY), expected, 0.52)
    assert_within(cv2.cvtColor(a[..., ::-1].copy(), cv2.COLOR_RGB2GRAY), expected, 0.52)
    floats = cv2.cvtColor(a.astype(np.float32) / 255, cv2.COLOR_BGR2GRAY)
    assert_within(floats, expected / 255, 1e-6)


def test_channels_are_reordered_and_added():
    a = noise((30, 40, 3))
    assert_equal(cv2.cvtColor(a, cv2.COLOR_BGR2RGB), a[..., ::-1])
    with_alpha = cv2.cvtColor(a, cv2.COLOR_BGR2BGRA)
    assert_equal(with_alpha, np.dstack([a, np.full((30, 40), 255)]))
    assert_equal(cv2.cvtColor(with_alpha, cv2.COLOR_BGRA2BGR), a)
    gray = a[..., 0].copy()
    assert_equal(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), np.dstack([gray] * 3))


def test_hue_saturation_and_value():
    a = noise((20, 20, 3)) / np.float32(255)
    hue, saturation, value = cv2.split(cv2.cvtColor(a, cv2.COLOR_BGR2HSV))
    expected = np.array([colorsys.rgb_to_hsv(*pixel[::-1]) for pixel in a.reshape(-1, 3).tolist()])
    turned = (hue.ravel() - 360 * expected[:, 0] + 180) % 360 - 180
    assert_within(turned, np.zeros(400), 0.01)
    assert_within(saturation.ravel(), expected[:, 1], 1e-4)
    assert_within(value.ravel(), expected[:, 2], 1e-6)
    assert_within(cv2.cvtColor(cv2.cvtColor(a, cv2.COLOR_BGR2HSV), cv2.COLOR_HSV2BGR), a, 1e-4)


def test_8_bit_hue_counts_to_180():
    pure = np.array(
        [[[0, 0, 255], [0, 255, 255], [0, 255, 0], [255, 255, 0], [255, 0, 0], [255, 0, 255]]], np.uint8
    )
    hsv = cv2.cvtColor(pure, cv2.COLOR_BGR2HSV)
    assert_equal(hsv[0, :, 0], [0, 30, 60, 90, 120, 150])
    assert_equal(hsv[0, :, 1:], np.full((6, 2), 255))


def test_luma_and_chroma():
    a = noise((40, 40, 3))
    blue, green, red = (a[..., i].astype(np.float64) for i in range(3))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    expected = np.dstack([luma, (red - luma) * 0.713 + 128, (blue - luma) * 0.564 + 128])
    assert_within(cv2.cvtColor(a, cv2.COLOR_BGR2YCrCb), np.clip(expected, 0, 255), 1)
    back = cv2.cvtColor(cv2.cvtColor(a, cv2.COLOR_BGR2YCrCb), cv2.COLOR_YCrCb2BGR)
    # Chroma rounded to whole steps, of which one is worth up to 1.8.
    assert_within(back, a, 3)


def test_lab_is_the_cie_formula_for_d65():
    a = noise((25, 25, 3), np.float32)
    linear = np.where(a > 0.04045, ((a + 0.055) / 1.055) ** 2.4, a / 12.92)[..., ::-1].astype(np.float64)
    to_xyz = np.array(
        [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
    )
    x, y, z = np.moveaxis(linear.dot(to_xyz.T) / (0.950456, 1, 1.088754), 2, 0)

    def f(t):
        return np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)

    expected = np.dstack([116 * f(y) - 16, 500 * (f(x) - f(y)), 200 * (f(y) - f(z))])
    # OpenCV reads the cube root and the gamma from tables of some thousand entries.
    assert_within(cv2.cvtColor(a, cv2.COLOR_BGR2Lab), expected, 1)
    assert_within(cv2.cvtColor(cv2.cvtColor(a, cv2.COLOR_BGR2Lab), cv2.COLOR_Lab2BGR), a, 0.02)


def test_video_colours_are_bt_601_with_chroma_of_four_pixels():
    # One colour for each block of 2 x 2 pixels, so that halving the chroma loses nothing.
    blocks = noise((10, 16, 3))
    a = blocks.repeat(2, axis=0).repeat(2, axis=1)
    packed = cv2.cvtColor(a, cv2.COLOR_BGR2YUV_I420)
    assert packed.shape == (30, 32)
    blue, green, red = (a[..., i].astype(np.float64) for i in range(3))
    assert_within(packed[:20], 16 + 0.257 * red + 0.504 * green + 0.098 * blue, 1)
    assert_within(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420), a, 4)


def test_raw_sensor_pattern_of_one_colour():
    pattern = np.empty((20, 24), np.uint8)
    pattern[::2, ::2], pattern[1::2, 1::2] = 200, 40
    pattern[::2, 1::2] = pattern[1::2, ::2] = 120
    picture = cv2.cvtColor(pattern, cv2.COLOR_BayerBG2BGR)
    assert_equal(picture, np.broadcast_to((40, 120, 200), (20, 24, 3)))


# --- thresholds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_thresholds(dtype):
    a = noise((45, 55), dtype)
    level, top = (dtype(0.4), dtype(0.9)) if dtype == np.float32 else (dtype(100), dtype(123))
    above = a > level
    expected = {
        cv2.THRESH_BINARY: np.where(above, top, 0),
        cv2.THRESH_BINARY_INV: np.where(above, 0, top),
        cv2.THRESH_TRUNC: np.where(above, level, a),
        cv2.THRESH_TOZERO: np.where(above, a, 0),
        cv2.THRESH_TOZERO_INV: np.where(above, 0, a),
    }
    for kind, picture in expected.items():
        assert_equal(cv2.threshold(a, float(level), float(top), kind)[1], picture)


def test_otsu_threshold_separates_the_classes_best():
    random = np.random.RandomState(0)
    a = np.concatenate([random.normal(70, 12, 3000), random.normal(170, 20, 2000)])
    a = np.clip(a, 0, 255).astype(np.uint8).reshape(50, 100)
    between = np.zeros(256)
    for level in range(256):
        low, high = a[a <= level], a[a > level]
        if low.size and high.size:
            between[level] = low.size * high.size * (low.mean() - high.mean()) ** 2
    found, picture = cv2.threshold(a, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    assert between[int(found)] == pytest.approx(between.max(), rel=1e-9)
    assert_equal(picture, 255 * (a > found))


def test_triangle_threshold_lies_between_the_peak_and_the_tail():
    random = np.random.RandomState(0)
    a = (
        np.concatenate([random.normal(60, 5, 9000), random.uniform(80, 200, 1000)])
        .astype(np.uint8)
        .reshape(100, 100)
    )
    found, _ = cv2.threshold(a, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_TRIANGLE)
    assert 65 <= found <= 90


def test_adaptive_threshold_compares_with_the_mean_around():
    a = noise((50, 60))
    mean = np.rint(correlate(a, np.full((7, 7), 1 / 49.0), "edge"))
    found = cv2.adaptiveThreshold(a, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 7, 5)
    assert_equal(found, 255 * (a > mean - 5))


# --- histograms -----------------------------------------------------------------------------------------------


def test_histogram_counts_values():
    a, mask = noise((60, 70)), (noise((60, 70), seed=1) > 50).astype(np.uint8)
    assert_equal(cv2.calcHist([a], [0], None, [256], [0, 256]).ravel(), np.bincount(a.ravel(), minlength=256))
    bins = np.histogram(a[mask > 0], bins=16, range=(0, 256))[0]
    assert_equal(cv2.calcHist([a], [0], mask, [16], [0, 256]).ravel(), bins)


def test_histogram_of_two_channels():
    a = noise((60, 70, 3))
    counts = np.histogram2d(a[..., 0].ravel(), a[..., 2].ravel(), bins=(8, 4), range=((0, 256), (0, 256)))[0]
    assert_equal(cv2.calcHist([a], [0, 2], None, [8, 4], [0, 256, 0, 256]), counts)
    projected = cv2.calcBackProject([a], [0, 2], counts.astype(np.float32), [0, 256, 0, 256], 0.1)
    expected = np.rint(0.1 * counts[a[..., 0] // 32, a[..., 2] // 64])
    assert_within(projected, np.minimum(expected, 255), 1)


def test_equalised_histogram():
    a = waves(80, 90)
    counts = np.bincount(a.ravel(), minlength=256)
    first = np.nonzero(counts)[0][0]
    cumulated = np.cumsum(counts) - counts[first]
    table = np.rint(cumulated * (255.0 / (a.size - counts[first])))
    # float32 or integer division: a tie may go either way.
    assert_within(cv2.equalizeHist(a), table[a], 1)


def test_contrast_limited_equalisation_evens_out_the_lighting():
    x = np.mgrid[0:128, 0:128][1]
    a = (20 + x / 2 + noise((128, 128)) / 16.0).astype(np.uint8)
    even = cv2.createCLAHE(clipLimit=40, tileGridSize=(8, 8)).apply(a)
    before = abs(a[:, :64].mean() - a[:, 64:].mean())
    after = abs(even[:, :64].astype(float).mean() - even[:, 64:].mean())
    assert before > 25 and after < 12 and even.std() > 2 * a.std()


def test_histograms_are_compared():
    a, b = noise((64,), np.float32, seed=1), noise((64,), np.float32, seed=2)
    assert cv2.compareHist(a, b, cv2.HISTCMP_CORREL) == pytest.approx(np.corrcoef(a, b)[0, 1], abs=1e-6)
    assert cv2.compareHist(a, b, cv2.HISTCMP_INTERSECT) == pytest.approx(np.minimum(a, b).sum(), rel=1e-6)
    assert cv2.compareHist(a, b, cv2.HISTCMP_CHISQR) == pytest.approx(((a - b) ** 2 / a).sum(), rel=1e-5)
    overlap = np.sqrt(a.astype(np.float64) * b).sum() / np.sqrt(a.sum(dtype=float) * b.sum(dtype=float))
    assert cv2.compareHist(a, b, cv2.HISTCMP_BHATTACHARYYA) == pytest.approx(np.sqrt(1 - overlap), rel=1e-4)
