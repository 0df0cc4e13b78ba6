"""Filters of imgproc: every pixel against the sum, the median or the extremum of its neighbours."""

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_equal, assert_within, correlate, gaussian, neighbourhoods, noise, waves

pytestmark = needs("imgproc")


def rounded(values):
    return np.clip(np.rint(values), 0, 255)


# The larger kernels are past the size from which OpenCV multiplies spectra instead.
@pytest.mark.parametrize("size", [3, 5, 9, 15])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_correlation_with_a_kernel(size, dtype):
    a, kernel = noise((71, 93), dtype), noise((size, size), np.float32, seed=size)
    kernel = (kernel - 0.2) / kernel.sum()
    expected = correlate(a, kernel)
    if dtype == np.uint8:
        # Accumulated in float32, or with IPP and SSE in fixed point: half a unit of rounding and a little more.
        assert_within(cv2.filter2D(a, -1, kernel), rounded(expected), 1)
    else:
        assert_within(cv2.filter2D(a, -1, kernel), expected, 1e-5)


def test_correlation_is_not_convolution():
    impulse = np.zeros((9, 9), np.float32)
    impulse[4, 4] = 1
    kernel = np.arange(9, dtype=np.float32).reshape(3, 3)
    assert_equal(cv2.filter2D(impulse, -1, kernel)[3:6, 3:6], kernel[::-1, ::-1])


def test_separable_correlation():
    a = noise((60, 80), np.float32)
    across, down = gaussian(7, 1.5), np.array([-1.0, 0, 2])
    assert_within(cv2.sepFilter2D(a, -1, across, down), correlate(a, np.outer(down, across)), 1e-5)


@pytest.mark.parametrize(("size", "sigma"), [(3, 0.8), (5, 1.1), (11, 2.5), (31, 6.0)])
def test_gaussian_blur(size, sigma):
    kernel = np.outer(gaussian(size, sigma), gaussian(size, sigma))
    a = noise((67, 90, 3))
    blurred = cv2.GaussianBlur(a, (size, size), sigma)
    floats = cv2.GaussianBlur(a.astype(np.float32), (size, size), sigma)
    for channel in range(3):
        expected = correlate(a[..., channel], kernel)
        # 8-bit weights, one rounding for each direction.
        assert_within(blurred[..., channel], expected, 2)
        assert_within(floats[..., channel], expected, 255 * 1e-5)
    # What is off is off in both directions.
    whole = np.stack([correlate(a[..., channel], kernel) for channel in range(3)], axis=2)
    assert abs((blurred - whole).mean()) < 0.25


def test_gaussian_kernel():
    assert_within(cv2.getGaussianKernel(9, 1.7).ravel(), gaussian(9, 1.7), 1e-12)


@pytest.mark.parametrize("size", [(3, 3), (5, 7), (15, 1)])
def test_box_blur(size):
    a = noise((50, 70))
    mean = correlate(a, np.full(size[::-1], 1.0 / (size[0] * size[1])))
    assert_within(cv2.blur(a, size), mean, 0.5 + 1e-3)
    sums = cv2.boxFilter(a, cv2.CV_32S, size, normalize=False)
    assert_equal(sums, np.rint(mean * size[0] * size[1]))


@pytest.mark.parametrize("size", [3, 5, 9])
def test_median(size):
    a = noise((64, 83))
    assert_equal(cv2.medianBlur(a, size), np.median(neighbourhoods(a, np.ones((size, size))), axis=0))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_bilateral_filter(dtype):
    a = waves(40, 50) if dtype == np.uint8 else waves(40, 50, np.float64).astype(np.float32)
    near, alike = 2.0, 30.0
    y, x = np.mgrid[-2:3, -2:3]
    disc = np.hypot(x, y) <= 2
    values = neighbourhoods(a.astype(np.float64), disc, "reflect")
    weights = np.exp(-((x**2 + y**2)[disc]) / (2 * near**2))[:, None, None]
    weights = weights * np.exp(-((values - a) ** 2) / (2 * alike**2))
    expected = (values * weights).sum(axis=0) / weights.sum(axis=0)
    # uint8: IPP cuts off the fraction; float32: the weights are read from a table with linear interpolation.
    assert_within(cv2.bilateralFilter(a, 5, alike, near), expected, 1.001 if dtype == np.uint8 else 0.05)


DERIVATIVES = {1: [-1, 0, 1], 3: [-1, 0, 1], 5: [-1, -2, 0, 2, 1]}
SMOOTHING = {1: [1], 3: [1, 2, 1], 5: [1, 4, 6, 4, 1]}


@pytest.mark.parametrize("size", [1, 3, 5])
def test_sobel_derivatives(size):
    a = noise((57, 73))
    across = np.outer(SMOOTHING[size], DERIVATIVES[size])
    assert_equal(cv2.Sobel(a, cv2.CV_16S, 1, 0, ksize=size), correlate(a, across))
    assert_equal(cv2.Sobel(a, cv2.CV_16S, 0, 1, ksize=size), correlate(a, across.T))
    assert_within(cv2.Sobel(a, cv2.CV_32F, 1, 0, ksize=size), correlate(a, across), 1e-3)


def test_scharr_derivative_and_laplacian():
    a = noise((57, 73))
    assert_equal(cv2.Scharr(a, cv2.CV_16S, 1, 0), correlate(a, np.outer([3, 10, 3], [-1, 0, 1])))
    assert_equal(
        cv2.Laplacian(a, cv2.CV_16S, ksize=1), correlate(a, np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]))
    )
    assert_equal(
        cv2.Laplacian(a, cv2.CV_16S, ksize=3), correlate(a, np.array([[2, 0, 2], [0, -8, 0], [2, 0, 2]]))
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("shape", [cv2.MORPH_RECT, cv2.MORPH_CROSS, cv2.MORPH_ELLIPSE])
def test_erosion_and_dilation(dtype, shape):
    a = noise((61, 58), dtype)
    element = cv2.getStructuringElement(shape, (5, 3))
    around = neighbourhoods(a, element)
    assert_equal(cv2.erode(a, element), around.min(axis=0))
    assert_equal(cv2.dilate(a, element), around.max(axis=0))
    assert_equal(cv2.morphologyEx(a, cv2.MORPH_GRADIENT, element), around.max(axis=0) - around.min(axis=0))


def test_opening_removes_specks_and_closing_fills_holes():
    picture = np.zeros((40, 40), np.uint8)
    picture[10:30, 10:30] = 255
    damaged = picture.copy()
    damaged[3, 3] = damaged[35, 20] = 255
    element = np.ones((3, 3), np.uint8)
    assert_equal(cv2.morphologyEx(damaged, cv2.MORPH_OPEN, element), picture)
    damaged = picture.copy()
    damaged[15, 15] = damaged[20, 25] = 0
    assert_equal(cv2.morphologyEx(damaged, cv2.MORPH_CLOSE, element), picture)


def test_pyramid_steps():
    a = noise((48, 64))
    weights = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])
    assert_within(cv2.pyrDown(a), correlate(a, weights / 256.0)[::2, ::2], 0.5 + 1e-6)
    spread = np.zeros((96, 128))
    spread[::2, ::2] = a
    # The last rows and columns depend on how the border is mirrored: compared without them.
    inside = np.s_[4:-4, 4:-4]
    assert_within(cv2.pyrUp(a)[inside], correlate(spread, weights / 64.0)[inside], 0.5 + 1e-6)


# --- Canny: what must hold of any edge detector of that name ----------------------------------------------------


def test_canny_draws_a_step_as_a_line_one_pixel_wide():
    a = np.full((40, 60), 50, np.uint8)
    a[:, 30:] = 200
    edges = cv2.Canny(a, 100, 200)
    assert set(np.unique(edges)) == {0, 255}
    assert_equal(np.count_nonzero(edges, axis=1), np.ones(40))
    assert set(np.nonzero(edges)[1]) <= {29, 30}


def test_canny_compares_the_gradient_with_the_thresholds():
    a = np.full((40, 60), 100, np.uint8)
    a[:, 30:] = 120
    # The Sobel derivative of a step by 20 is 80.
    assert cv2.Canny(a, 79, 79).any()
    assert not cv2.Canny(a, 81, 81).any()
    assert not cv2.Canny(np.full((40, 60), 100, np.uint8), 1, 1).any()


def test_canny_follows_weak_edges_from_strong_ones_only():
    a = np.full((80, 60), 100, np.uint8)
    a[:40, 30:] = 130  # gradient 120, strong for the first 40 rows
    a[40:, 30:] = 115  # gradient 60, weak and connected
    joined = cv2.Canny(a, 50, 100)
    assert joined[5:35].any(axis=1).all() and joined[45:75].any(axis=1).all()
    a[:40] = 100  # only the weak part is left
    a[:45, 30:] = 100
    assert not cv2.Canny(a, 50, 100).any()


def test_canny_finds_less_with_higher_thresholds():
    a = cv2.GaussianBlur(noise((100, 120)), (5, 5), 1)
    few, many = cv2.Canny(a, 150, 250), cv2.Canny(a, 50, 100)
    assert 0 < np.count_nonzero(few) < np.count_nonzero(many)
    assert not (few & ~many).any()
