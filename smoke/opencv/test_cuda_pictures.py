"""Filters, colours, histograms, edges and warps on NVIDIA's GPUs, against the processor's."""

import cv2
import numpy as np
import pytest

import build_info
from gpu import on, sent
from reference import assert_equal, assert_within, bilinear, correlate, noise, psnr, texture, waves

pytestmark = build_info.needs("cudaarithm")

KINDS = {np.uint8: cv2.CV_8UC1, np.float32: cv2.CV_32FC1}
# What lies at the border may be made of other neighbours there and here.
INSIDE = np.s_[8:-8, 8:-8]


def alike(actual, expected):
    """The share of places at which two pictures agree."""
    return np.mean(actual == expected)


# --- filters -----------------------------------------------------------------------------------------------------


@on("cudafilters")
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize(("size", "sigma"), [(3, 0.8), (5, 1.2), (15, 3.0), (31, 6.0)])
def test_gaussian_blur(dtype, size, sigma):
    picture, kind = noise((80, 120), dtype), KINDS[dtype]
    found = cv2.cuda.createGaussianFilter(kind, kind, (size, size), sigma).apply(sent(picture)).download()
    assert_within(found, cv2.GaussianBlur(picture, (size, size), sigma), 4 if dtype is np.uint8 else 1e-4)


@on("cudafilters")
def test_gaussian_blur_of_colours():
    picture = noise((80, 120, 4))
    filter = cv2.cuda.createGaussianFilter(cv2.CV_8UC4, cv2.CV_8UC4, (5, 5), 1.2)
    assert_within(filter.apply(sent(picture)).download(), cv2.GaussianBlur(picture, (5, 5), 1.2), 4)


@on("cudafilters")
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_correlation_with_a_kernel(dtype):
    picture, kernel = noise((71, 93), dtype), noise((5, 5), np.float32, seed=1)
    kernel = (kernel - 0.2) / kernel.sum()
    found = cv2.cuda.createLinearFilter(KINDS[dtype], KINDS[dtype], kernel).apply(sent(picture)).download()
    expected = correlate(picture, kernel)
    if dtype is np.uint8:
        assert_within(found, np.clip(expected, 0, 255), 1)
    else:
        assert_within(found, expected, 1e-5)


@on("cudafilters")
def test_derivatives():
    picture = noise((72, 96), np.float32)
    there, kind = sent(picture), cv2.CV_32FC1
    for dx, dy in ((1, 0), (0, 1), (1, 1)):
        found = cv2.cuda.createSobelFilter(kind, kind, dx, dy, 5).apply(there).download()
        assert_within(found, cv2.Sobel(picture, cv2.CV_32F, dx, dy, ksize=5), 1e-4)
    found = cv2.cuda.createScharrFilter(kind, kind, 1, 0).apply(there).download()
    assert_within(found, cv2.Scharr(picture, cv2.CV_32F, 1, 0), 1e-4)
    found = cv2.cuda.createLaplacianFilter(kind, kind, 3).apply(there).download()
    assert_within(found, cv2.Laplacian(picture, cv2.CV_32F, ksize=3), 1e-4)


@on("cudafilters")
def test_mean_of_a_box():
    picture = noise((70, 90))
    found = cv2.cuda.createBoxFilter(cv2.CV_8UC1, cv2.CV_8UC1, (5, 5)).apply(sent(picture)).download()
    assert_within(found, cv2.blur(picture, (5, 5)), 1)


@on("cudafilters")
@pytest.mark.parametrize("operation", [cv2.MORPH_ERODE, cv2.MORPH_DILATE, cv2.MORPH_OPEN, cv2.MORPH_GRADIENT])
def test_morphology(operation):
    picture = noise((70, 90))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    found = cv2.cuda.createMorphologyFilter(operation, cv2.CV_8UC1, kernel).apply(sent(picture)).download()
    assert_equal(found[INSIDE], cv2.morphologyEx(picture, operation, kernel)[INSIDE])


@on("cudafilters")
def test_extremes_of_a_box():
    picture, square = noise((70, 90)), np.ones((3, 3), np.uint8)
    found = cv2.cuda.createBoxMaxFilter(cv2.CV_8UC1, (3, 3)).apply(sent(picture)).download()
    assert_equal(found[INSIDE], cv2.dilate(picture, square)[INSIDE])
    found = cv2.cuda.createBoxMinFilter(cv2.CV_8UC1, (3, 3)).apply(sent(picture)).download()
    assert_equal(found[INSIDE], cv2.erode(picture, square)[INSIDE])


@on("cudafilters")
def test_median():
    picture = noise((128, 160))
    found = cv2.cuda.createMedianFilter(cv2.CV_8UC1, 5).apply(sent(picture)).download()
    assert_within(found[INSIDE], cv2.medianBlur(picture, 5)[INSIDE], 1)


# --- colours and histograms ------------------------------------------------------------------------------------------


@on("cudaimgproc")
@pytest.mark.parametrize(
    "name",
    [
        "BGR2GRAY",
        "BGR2RGB",
        "BGR2BGRA",
        "BGR2YCrCb",
        "BGR2YUV",
        "BGR2XYZ",
        "BGR2HSV",
        "BGR2HLS",
        "BGR2Lab",
        "BGR2Luv",
    ],
)
def test_colours_are_those_of_the_processor(name):
    picture, code = noise((64, 96, 3)), getattr(cv2, "COLOR_" + name)
    found = cv2.cuda.cvtColor(sent(picture), code).download().astype(int)
    difference = np.abs(found - cv2.cvtColor(picture, code))
    if name in ("BGR2HSV", "BGR2HLS"):
        # Hue is a circle of 180 steps.
        difference[..., 0] = np.minimum(difference[..., 0], 180 - difference[..., 0])
    # Tables and fixed point there, floating point here.
    assert difference.max() <= (3 if name in ("BGR2Lab", "BGR2Luv") else 2)


@on("cudaimgproc")
def test_colours_of_a_sensor():
    picture = np.kron(texture(40, 60), np.ones((2, 2), np.uint8))
    found = cv2.cuda.demosaicing(sent(picture), cv2.COLOR_BayerBG2BGR).download()
    assert_within(found[INSIDE], cv2.cvtColor(picture, cv2.COLOR_BayerBG2BGR)[INSIDE], 1)


@on("cudaimgproc")
def test_histograms():
    picture = noise((113, 147))
    counted = np.bincount(picture.ravel(), minlength=256)
    assert_equal(cv2.cuda.calcHist(sent(picture)).download().ravel(), counted)
    even = cv2.cuda.histEven(sent(picture), 16, 0, 256).download().ravel()
    assert_equal(even, counted.reshape(16, 16).sum(axis=1))


@on("cudaimgproc")
def test_histograms_are_levelled():
    picture = (noise((128, 160)) // 3 + waves(128, 160) // 4).astype(np.uint8)
    assert_within(cv2.cuda.equalizeHist(sent(picture)).download(), cv2.equalizeHist(picture), 3)
    found = cv2.cuda.createCLAHE(4, (8, 8)).apply(sent(picture), cv2.cuda_Stream.Null()).download()
    assert_within(found, cv2.createCLAHE(4, (8, 8)).apply(picture), 1)


@on("cudaimgproc")
def test_pictures_are_blended_by_their_weights():
    first, second = noise((40, 50, 3)), noise((40, 50, 3), seed=1)
    weight, other = noise((40, 50), np.float32, seed=2) + 0.1, noise((40, 50), np.float32, seed=3) + 0.1
    weight, other = weight.astype(np.float32), other.astype(np.float32)
    found = cv2.cuda.blendLinear(sent(first), sent(second), sent(weight), sent(other)).download()
    share = (weight / (weight + other))[..., None]
    assert_within(found, first * share + second * (1 - share), 1.01)


# --- edges, lines, corners -------------------------------------------------------------------------------------------


@on("cudaimgproc", "cudafilters")
def test_edges():
    picture = texture(200, 240)
    found = cv2.cuda.createCannyEdgeDetector(60, 150).detect(sent(picture)).download()
    expected = cv2.Canny(picture, 60, 150)
    assert expected.any()
    assert alike(found, expected) > 0.98


@on("cudaimgproc")
def test_lines():
    picture = np.zeros((200, 240), np.uint8)
    picture[70, 20:220] = 255
    picture[20:180, 130] = 255
    detector = cv2.cuda.createHoughLinesDetector(1, np.pi / 180, 120)
    found = detector.detect(sent(picture)).download()[0]
    expected = [(70, np.pi / 2), (130, 0)]
    assert len(found) >= 2
    for rho, theta in expected:
        assert (np.hypot(found[:, 0] - rho, (found[:, 1] - theta) * 100) < 3).any()
    segments = cv2.cuda.createHoughSegmentDetector(1, np.pi / 180, 100, 5).detect(sent(picture)).download()
    along = [
        abs(x1 - x2) for x1, y1, x2, y2 in segments.reshape(-1, 4) if max(abs(y1 - 70), abs(y2 - 70)) <= 2
    ]
    assert max(along) > 180


@on("cudaimgproc", "cudafilters")
def test_circles():
    picture = np.zeros((200, 240), np.uint8)
    cv2.circle(picture, (90, 110), 40, 255, 2)
    cv2.circle(picture, (180, 60), 25, 255, 2)
    found = (
        cv2.cuda.createHoughCirclesDetector(1, 30, 100, 30, 15, 60)
        .detect(sent(picture))
        .download()
        .reshape(-1, 3)
    )
    for circle in ((90, 110, 40), (180, 60, 25)):
        assert (np.abs(found - circle).max(axis=1) <= 3).any()


@on("cudaimgproc", "cudafilters")
def test_corners():
    picture = texture(160, 200)
    found = cv2.cuda.createHarrisCorner(cv2.CV_8UC1, 5, 3, 0.04).compute(sent(picture)).download()
    expected = cv2.cornerHarris(picture, 5, 3, 0.04)
    assert_within(found[INSIDE], expected[INSIDE], 1e-3 * np.abs(expected).max())
    found = cv2.cuda.createMinEigenValCorner(cv2.CV_8UC1, 5, 3).compute(sent(picture)).download()
    expected = cv2.cornerMinEigenVal(picture, 5, ksize=3)
    assert_within(found[INSIDE], expected[INSIDE], 1e-3 * np.abs(expected).max())
    detector = cv2.cuda.createGoodFeaturesToTrackDetector(cv2.CV_8UC1, 60, 0.05, 10)
    found = detector.detect(sent(picture)).download().reshape(-1, 2)
    expected = cv2.goodFeaturesToTrack(picture, 60, 0.05, 10).reshape(-1, 2)
    near = np.hypot(*(expected[:, None] - found[None]).transpose(2, 0, 1)).min(axis=1) < 1
    assert near.mean() > 0.9


# --- matching and smoothing -----------------------------------------------------------------------------------------


@on("cudaimgproc")
@pytest.mark.parametrize("method", [cv2.TM_SQDIFF, cv2.TM_CCORR_NORMED, cv2.TM_CCOEFF, cv2.TM_CCOEFF_NORMED])
@pytest.mark.parametrize("size", [8, 40])
def test_a_template_is_found(method, size):
    picture = texture(150, 190)
    template = picture[60 : 60 + size, 90 : 90 + size].copy()
    matching = cv2.cuda.createTemplateMatching(cv2.CV_8UC1, method)
    found = matching.match(sent(picture), sent(template)).download()
    expected = cv2.matchTemplate(picture, template, method)
    assert_within(found, expected, 1e-3 * np.abs(expected).max())
    # Without a norm the brightest place may be the best.
    if method != cv2.TM_CCOEFF:
        best = found.argmin() if method == cv2.TM_SQDIFF else found.argmax()
        assert np.unravel_index(best, found.shape) == (60, 90)


@on("cudaimgproc")
def test_edges_are_kept_by_the_bilateral_filter():
    picture = texture(100, 120)
    found = cv2.cuda.bilateralFilter(sent(picture), 9, 30, 3).download()
    assert psnr(found[INSIDE], cv2.bilateralFilter(picture, 9, 30, 3)[INSIDE]) > 40


@on("cudaimgproc")
def test_mean_shift_makes_regions_flat():
    picture = np.full((64, 96, 4), 60, np.uint8)
    picture[:, 48:] = 180
    noisy = (picture + noise(picture.shape) % 17 - 8).astype(np.uint8)
    found = cv2.cuda.meanShiftFiltering(sent(noisy), 10, 40).download()[..., :3].astype(int)
    assert np.abs(found[:, :40].mean() - 60) < 1 and np.abs(found[:, 56:].mean() - 180) < 1
    assert found[8:-8, 8:40].std() < noisy[8:-8, 8:40, :3].std() / 2


# --- warps ----------------------------------------------------------------------------------------------------------


def smooth(*shape):
    return cv2.GaussianBlur(noise(shape), (9, 9), 3)


@on("cudawarping")
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("method", [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC])
@pytest.mark.parametrize("size", [(60, 50), (211, 173)])
def test_sizes(dtype, method, size):
    picture = smooth(100, 120).astype(dtype)
    found = cv2.cuda.resize(sent(picture), size, interpolation=method).download()
    assert found.dtype == dtype
    # On the GPU the corners of the first pixels lie on one another, on the processor the pictures' corners do.
    y, x = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float64)
    x, y = x * 120 / size[0], y * 100 / size[1]
    if method == cv2.INTER_NEAREST:
        x, y = np.floor(x), np.floor(y)
    assert psnr(found[INSIDE], bilinear(picture, x, y)[INSIDE]) > (50 if method == cv2.INTER_LINEAR else 40)


@on("cudawarping")
def test_a_third_of_the_size_by_areas():
    picture = noise((90, 120))
    found = cv2.cuda.resize(sent(picture), (40, 30), interpolation=cv2.INTER_AREA).download()
    assert_within(found, picture.reshape(30, 3, 40, 3).mean(axis=(1, 3)), 1)


@on("cudawarping")
@pytest.mark.parametrize("method", [cv2.INTER_LINEAR, cv2.INTER_CUBIC])
def test_a_turned_picture(method):
    picture = smooth(100, 120)
    matrix = cv2.getRotationMatrix2D((60, 50), 20, 1.1)
    found = cv2.cuda.warpAffine(sent(picture), matrix, (120, 100), flags=method).download()
    assert (
        psnr(found[20:-20, 20:-20], cv2.warpAffine(picture, matrix, (120, 100), flags=method)[20:-20, 20:-20])
        > 40
    )


@on("cudawarping")
def test_a_tilted_picture_of_colours():
    picture = np.stack([smooth(100, 120), smooth(100, 120)[::-1], smooth(100, 120)[:, ::-1]], axis=2)
    matrix = np.float64([[1.1, 0.1, -8], [-0.05, 1.2, -6], [1e-4, 5e-4, 1]])
    found = cv2.cuda.warpPerspective(sent(picture), matrix, (120, 100)).download()
    expected = cv2.warpPerspective(picture, matrix, (120, 100))
    assert psnr(found[20:-20, 20:-20], expected[20:-20, 20:-20]) > 40


@on("cudawarping")
def test_every_pixel_from_its_own_place():
    picture = smooth(100, 120)
    y, x = np.mgrid[0:100, 0:120].astype(np.float32)
    bent = x + 4 * np.sin(y / 9), y + 4 * np.cos(x / 9)
    found = cv2.cuda.remap(sent(picture), sent(bent[0]), sent(bent[1]), cv2.INTER_LINEAR).download()
    assert psnr(found[INSIDE], cv2.remap(picture, bent[0], bent[1], cv2.INTER_LINEAR)[INSIDE]) > 40


@on("cudawarping")
def test_the_steps_of_a_pyramid():
    picture = smooth(100, 120)
    assert_within(cv2.cuda.pyrDown(sent(picture)).download(), cv2.pyrDown(picture), 1)
    assert_within(cv2.cuda.pyrUp(sent(picture)).download()[INSIDE], cv2.pyrUp(picture)[INSIDE], 1)


@on("cudawarping")
def test_a_quarter_turn():
    picture = noise((64, 64))
    found = cv2.cuda.rotate(
        sent(picture), (64, 64), 90, yShift=63, interpolation=cv2.INTER_NEAREST
    ).download()
    assert_equal(found[INSIDE], np.rot90(picture)[INSIDE])
