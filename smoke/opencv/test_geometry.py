"""Resampling of imgproc: sizes, warps and remaps against the interpolation formulas."""

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_equal, assert_within, bilinear, noise, waves

pytestmark = needs("imgproc")


def weights_of(kernel, radius, before, after):
    """The matrix that resamples one axis: pixel centres are at .5, what lies outside repeats the border."""
    matrix = np.zeros((after, before))
    for i in range(after):
        centre = (i + 0.5) * before / after - 0.5
        first = int(np.floor(centre)) - radius + 1
        for j in range(first, first + 2 * radius):
            matrix[i, min(max(j, 0), before - 1)] += kernel(abs(centre - j))
    return matrix


def linear(distance):
    return max(0.0, 1 - distance)


def cubic(distance, a=-0.75):
    if distance < 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * (distance**3 - 5 * distance**2 + 8 * distance - 4) if distance < 2 else 0.0


def resampled(image, kernel, radius, height, width):
    down = weights_of(kernel, radius, image.shape[0], height)
    across = weights_of(kernel, radius, image.shape[1], width)
    return down.dot(image.astype(np.float64)).dot(across.T)


SHAPES = [(96, 128), (31, 47), (72, 40)]  # from 48 x 64: twice as large, smaller, and one axis each way


@pytest.mark.parametrize(("height", "width"), SHAPES)
@pytest.mark.parametrize("kernel", [linear, cubic])
def test_linear_and_cubic_resize(height, width, kernel):
    radius, method = (1, cv2.INTER_LINEAR) if kernel is linear else (2, cv2.INTER_CUBIC)
    a = noise((48, 64))
    expected = resampled(a, kernel, radius, height, width)
    # Places are computed in float32: 1e-5 of a pixel here, between values up to 255 apart.
    floats = cv2.resize(a.astype(np.float32), (width, height), interpolation=method)
    assert_within(floats, expected, 0.02)
    # uint8: weights of 11 bits in each direction, rounded once.
    assert_within(cv2.resize(a, (width, height), interpolation=method), np.clip(expected, 0, 255), 1)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_nearest_resize(height, width):
    a = noise((48, 64, 3))
    rows = (np.arange(height) * (48 / height)).astype(int)
    columns = (np.arange(width) * (64 / width)).astype(int)
    expected = a[rows][:, columns]
    assert_equal(cv2.resize(a, (width, height), interpolation=cv2.INTER_NEAREST), expected)


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_area_resize_by_a_whole_factor_is_the_mean(factor, dtype):
    a = noise((24 * factor, 20 * factor), dtype)
    mean = a.astype(np.float64).reshape(24, factor, 20, factor).mean(axis=(1, 3))
    found = cv2.resize(a, (20, 24), interpolation=cv2.INTER_AREA)
    assert_within(found, mean, 0.5 + 1e-3 if dtype == np.uint8 else 1e-6)


def test_area_resize_weighs_pixels_by_the_area_they_share():
    a = noise((50, 70), np.float32)

    def shares(before, after):
        edges = np.arange(after + 1) * before / after
        j = np.arange(before)
        overlap = np.minimum(edges[1:, None], j + 1) - np.maximum(edges[:-1, None], j)
        return np.clip(overlap, 0, None) * after / before

    expected = shares(50, 20).dot(a).dot(shares(70, 40).T)
    assert_within(cv2.resize(a, (40, 20), interpolation=cv2.INTER_AREA), expected, 1e-5)


def test_lanczos_resize_keeps_a_smooth_picture():
    a = waves(60, 80, np.float64).astype(np.float32)
    twice = cv2.resize(a, (160, 120), interpolation=cv2.INTER_LANCZOS4)
    expected = resampled(a, cubic, 2, 120, 160)
    assert_within(twice[16:-16, 16:-16], expected[16:-16, 16:-16], 1)
    assert_within(cv2.resize(a, (80, 60), interpolation=cv2.INTER_LANCZOS4), a, 1e-4)


# --- warps ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("method", [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC])
def test_shift_by_whole_pixels_moves_values_unchanged(dtype, method):
    a = noise((40, 50), dtype)
    shift = np.array([[1.0, 0, 7], [0, 1, -4]])
    expected = np.zeros_like(a)
    expected[:-4, 7:] = a[4:, :-7]
    assert_within(
        cv2.warpAffine(a, shift, (50, 40), flags=method), expected, 0 if dtype == np.uint8 else 1e-6
    )


def test_quarter_turn_about_the_centre():
    a = noise((33, 33, 3))
    turn = cv2.getRotationMatrix2D((16, 16), 90, 1)
    assert_equal(cv2.warpAffine(a, turn, (33, 33), flags=cv2.INTER_NEAREST), np.rot90(a))


def test_affine_warp_samples_the_source_at_the_inverse_place():
    a = waves(90, 120, np.float64).astype(np.float32)
    matrix = cv2.getRotationMatrix2D((60, 45), 17, 1.3)
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    y, x = np.mgrid[0:90, 0:120]
    sx, sy, _ = np.tensordot(inverse, np.stack([x, y, np.ones_like(x)]), axes=1)
    inside = (sx >= 1) & (sx <= 118) & (sy >= 1) & (sy <= 88)
    assert inside.sum() > 5000
    # Places are rounded to 1/32 of a pixel, the slope of the picture is below 14 a pixel in each direction.
    found = cv2.warpAffine(a, matrix, (120, 90))
    assert_within(found[inside], bilinear(a, sx, sy)[inside], 14 * 2 / 64 + 1e-3)
    # Rounding errs to both sides.
    assert abs((found - bilinear(a, sx, sy))[inside].mean()) < 0.02


def test_perspective_warp_samples_the_source_at_the_inverse_place():
    a = waves(90, 120, np.float64).astype(np.float32)
    corners = np.array([[0, 0], [119, 0], [119, 89], [0, 89]], np.float32)
    moved = np.array([[10, 5], [110, 0], [119, 85], [3, 80]], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    y, x = np.mgrid[0:90, 0:120]
    sx, sy, w = np.tensordot(np.linalg.inv(matrix), np.stack([x, y, np.ones_like(x)]), axes=1)
    sx, sy = sx / w, sy / w
    inside = (sx >= 1) & (sx <= 118) & (sy >= 1) & (sy <= 88)
    assert inside.sum() > 5000
    found = cv2.warpPerspective(a, matrix, (120, 90))
    assert_within(found[inside], bilinear(a, sx, sy)[inside], 14 * 2 / 64 + 1e-3)
    assert abs((found - bilinear(a, sx, sy))[inside].mean()) < 0.02


def test_matrices_of_warps_map_the_given_points():
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], np.float32)
    target = np.array([[3, 1], [14, 2], [12, 15], [1, 9]], np.float32)
    matrix = cv2.getPerspectiveTransform(square, target)
    lifted = np.hstack([square, np.ones((4, 1))]).dot(matrix.T)
    assert_within(lifted[:, :2] / lifted[:, 2:], target, 1e-4)
    affine = cv2.getAffineTransform(square[:3], target[:3])
    assert_within(np.hstack([square[:3], np.ones((3, 1))]).dot(affine.T), target[:3], 1e-4)
    there_and_back = np.vstack([affine, [0, 0, 1]]).dot(
        np.vstack([cv2.invertAffineTransform(affine), [0, 0, 1]])
    )
    assert_within(there_and_back, np.eye(3), 1e-9)


def test_rotation_matrix():
    c, s = 1.5 * np.cos(np.radians(30)), 1.5 * np.sin(np.radians(30))
    expected = [[c, s, (1 - c) * 20 - s * 10], [-s, c, s * 20 + (1 - c) * 10]]
    assert_within(cv2.getRotationMatrix2D((20, 10), 30, 1.5), expected, 1e-9)


def test_remap_reads_where_the_map_says():
    a = noise((40, 50, 3))
    y, x = np.mgrid[0:40, 0:50].astype(np.float32)
    assert_equal(cv2.remap(a, 49 - x, 39 - y, cv2.INTER_NEAREST), a[::-1, ::-1])
    between = cv2.remap(a, x[:, :49] + np.float32(0.5), y[:, :49], cv2.INTER_LINEAR)
    assert_within(between, (a[:, :-1].astype(float) + a[:, 1:]) / 2, 0.5)
    outside = cv2.remap(a, x + 100, y, cv2.INTER_LINEAR, borderValue=(1, 2, 3))
    assert_equal(outside, np.broadcast_to((1, 2, 3), a.shape))


def test_fixed_point_maps_give_the_same_as_float_maps():
    a = noise((40, 50))
    y, x = np.mgrid[0:40, 0:50].astype(np.float32)
    bent = x + 3 * np.sin(y / 5), y + 2 * np.cos(x / 7)
    fixed = cv2.convertMaps(bent[0], bent[1], cv2.CV_16SC2)
    direct = cv2.remap(a, bent[0], bent[1], cv2.INTER_LINEAR)
    assert_within(cv2.remap(a, fixed[0], fixed[1], cv2.INTER_LINEAR), direct, 1)


def test_polar_warp_puts_rings_on_columns():
    y, x = np.mgrid[0:101, 0:101]
    distance = np.hypot(x - 50, y - 50)
    a = (4 * distance).clip(0, 255).astype(np.float32)
    polar = cv2.warpPolar(a, (50, 180), (50, 50), 50, cv2.INTER_LINEAR)
    assert_within(polar[:, 1:49], np.broadcast_to(4.0 * np.arange(1, 49), (180, 48)), 0.6)


def test_patch_at_a_fractional_place():
    a = waves(50, 60, np.float64).astype(np.float32)
    y, x = np.mgrid[0:9, 0:11]
    patch = cv2.getRectSubPix(a, (11, 9), (30.25, 20.5))
    assert_within(patch, bilinear(a, x + 30.25 - 5, y + 20.5 - 4), 1e-3)
