"""What imgproc measures in a picture: sums, shapes, distances, matches; and what it draws."""

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_equal, assert_within, noise, texture, waves

pytestmark = needs("imgproc")


def test_integral_is_the_sum_above_and_to_the_left():
    a = noise((57, 83))
    sums, squares, tilted = cv2.integral3(a)
    expected = np.zeros((58, 84))
    expected[1:, 1:] = a.cumsum(axis=0).cumsum(axis=1)
    assert_equal(sums, expected)
    expected[1:, 1:] = (a.astype(np.float64) ** 2).cumsum(axis=0).cumsum(axis=1)
    assert_equal(squares, expected)
    y, x = np.mgrid[0:57, 0:83]
    for row, column in ((30, 40), (20, 60), (57, 41)):
        assert tilted[row, column] == a[(y < row) & (np.abs(x - column + 1) <= row - y - 1)].sum()


def windows(image, height, width):
    """Every window of this size, as an array of rows x columns x height x width."""
    shape = (image.shape[0] - height + 1, image.shape[1] - width + 1, height, width)
    return np.lib.stride_tricks.as_strided(image, shape, image.strides * 2)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("size", [(9, 11), (24, 30)])
def test_template_matching_scores(dtype, size):
    a = texture(70, 90).astype(dtype)
    template = a[20 : 20 + size[0], 33 : 33 + size[1]].copy()
    scenes = windows(a.astype(np.float64), *size)
    t = template.astype(np.float64)
    energy = (scenes**2).sum(axis=(2, 3))
    product = np.einsum("ijkl,kl->ij", scenes, t)
    centred = np.einsum("ijkl,kl->ij", scenes - scenes.mean(axis=(2, 3), keepdims=True), t - t.mean())
    expected = {
        cv2.TM_CCORR: product,
        cv2.TM_CCORR_NORMED: product / np.sqrt(energy * (t**2).sum()),
        cv2.TM_SQDIFF: energy - 2 * product + (t**2).sum(),
        # OpenCV gives 1 for what is worse than 1.
        cv2.TM_SQDIFF_NORMED: np.minimum(
            (energy - 2 * product + (t**2).sum()) / np.sqrt(energy * (t**2).sum()), 1
        ),
        cv2.TM_CCOEFF: centred,
        cv2.TM_CCOEFF_NORMED: centred / np.sqrt(scenes.var(axis=(2, 3)) * t.var()) / t.size,
    }
    for method, scores in expected.items():
        # The products are summed in spectra of float32: an error relative to the largest energy, 4 in a million.
        normed = method in (cv2.TM_CCORR_NORMED, cv2.TM_SQDIFF_NORMED, cv2.TM_CCOEFF_NORMED)
        bound = 4e-4 if normed else 4e-6 * energy.max()
        found = cv2.matchTemplate(a, template, method)
        assert_within(found, scores, bound)
        _, _, lowest_at, highest_at = cv2.minMaxLoc(found)
        if method in (cv2.TM_SQDIFF, cv2.TM_SQDIFF_NORMED):
            assert lowest_at == (33, 20)
        elif method != cv2.TM_CCORR:
            assert highest_at == (33, 20)


def test_shift_between_two_pictures():
    a = texture(128, 128).astype(np.float64)
    (dx, dy), response = cv2.phaseCorrelate(a, np.roll(a, (5, -9), axis=(0, 1)))
    assert (dx, dy) == pytest.approx((-9, 5), abs=0.1)
    assert response > 0.5


# --- shapes -----------------------------------------------------------------------------------------------------


def blocks():
    """A block with a hole that holds a block, and a second block."""
    picture = np.zeros((100, 120), np.uint8)
    picture[10:60, 10:70] = 255
    picture[20:50, 20:60] = 0
    picture[30:40, 30:50] = 255
    picture[70:90, 80:110] = 255
    return picture


def test_contours_have_the_area_and_the_nesting_of_the_shapes():
    contours, hierarchy = cv2.findContours(blocks(), cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[-2:]
    # A contour runs through pixel centres: a block of w x h pixels encloses (w - 1)(h - 1).
    # A hole's runs through the pixels around it and cuts its corners: (w + 1)(h + 1) - 2.
    areas = [cv2.contourArea(contour) for contour in contours]
    assert sorted(areas) == [19 * 9, 29 * 19, 41 * 31 - 2, 59 * 49]
    parent = {area: hierarchy[0, i, 3] for i, area in enumerate(areas)}
    assert parent[29 * 19] == parent[59 * 49] == -1
    assert areas[parent[41 * 31 - 2]] == 59 * 49
    assert areas[parent[19 * 9]] == 41 * 31 - 2


def test_outer_contours_only():
    contours = cv2.findContours(blocks(), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[-2]
    assert sorted(len(contour) for contour in contours) == [2 * (29 + 19), 2 * (59 + 49)]
    assert sorted(cv2.boundingRect(contour) for contour in contours) == [(10, 10, 60, 50), (80, 70, 30, 20)]


def test_filled_contours_give_the_picture_back():
    contours = cv2.findContours(blocks(), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)[-2]
    canvas = np.zeros((100, 120), np.uint8)
    assert_equal(cv2.drawContours(canvas, contours, -1, 255, cv2.FILLED), blocks())


def star():
    angle = np.pi * np.arange(10) / 5
    radius = np.where(np.arange(10) % 2, 40, 90)
    return np.stack([100 + radius * np.cos(angle), 100 + radius * np.sin(angle)], axis=1).astype(np.float32)


def test_area_and_length_of_a_polygon():
    points = star()
    following = np.roll(points, -1, axis=0)
    area = 0.5 * (points[:, 0] * following[:, 1] - following[:, 0] * points[:, 1]).sum()
    assert cv2.contourArea(points, oriented=True) == pytest.approx(area, rel=1e-5)
    length = np.hypot(*(following - points).T).sum()
    assert cv2.arcLength(points, True) == pytest.approx(length, rel=1e-5)


def test_hull_keeps_the_outer_corners():
    hull = cv2.convexHull(star(), returnPoints=False)
    assert sorted(hull.ravel()) == [0, 2, 4, 6, 8]
    assert not cv2.isContourConvex(star())
    assert cv2.isContourConvex(cv2.convexHull(star()))
    contour = star().astype(np.int32)[:, None]
    defects = cv2.convexityDefects(contour, cv2.convexHull(contour, returnPoints=False))
    assert sorted(defects[:, 0, 2]) == [1, 3, 5, 7, 9]


def test_distance_from_a_polygon():
    square = np.array([[10, 10], [50, 10], [50, 50], [10, 50]], np.float32)
    assert cv2.pointPolygonTest(square, (20, 30), True) == pytest.approx(10)
    assert cv2.pointPolygonTest(square, (53, 54), True) == pytest.approx(-5)
    assert cv2.pointPolygonTest(square, (10, 30), False) == 0


def test_smallest_enclosing_shapes():
    turned = cv2.boxPoints(((60, 40), (50, 20), 30))
    (centre, size, _) = cv2.minAreaRect(turned)
    assert centre == pytest.approx((60, 40), abs=1e-3)
    assert sorted(size) == pytest.approx([20, 50], abs=1e-3)
    centre, radius = cv2.minEnclosingCircle(turned)
    assert centre == pytest.approx((60, 40), abs=1e-2)
    assert radius == pytest.approx(np.hypot(50, 20) / 2, abs=1e-2)


def test_fitted_line_and_ellipse():
    t = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    c, s = np.cos(np.radians(25)), np.sin(np.radians(25))
    x, y = 40 * np.cos(t), 15 * np.sin(t)
    points = np.stack([100 + c * x - s * y, 80 + s * x + c * y], axis=1).astype(np.float32)
    centre, axes, angle = cv2.fitEllipse(points)
    assert centre == pytest.approx((100, 80), abs=0.01)
    assert axes == pytest.approx((30, 80), abs=0.05)
    assert (angle - 90) % 180 == pytest.approx(25, abs=0.1)
    line = np.stack([np.arange(20.0), 3 + 0.5 * np.arange(20)], axis=1).astype(np.float32)
    vx, vy, x0, y0 = cv2.fitLine(line, cv2.DIST_L2, 0, 0.01, 0.01).ravel()
    assert vy / vx == pytest.approx(0.5, abs=1e-4)
    assert y0 - 0.5 * x0 == pytest.approx(3, abs=1e-3)


def test_polygon_is_simplified_within_the_tolerance():
    t = np.arange(0, 50)
    rough = np.concatenate([np.stack([t, t % 2], 1), np.stack([np.full(50, 50), t], 1), [[50, 50], [0, 50]]])
    simple = cv2.approxPolyDP(rough.astype(np.int32), 2, True)
    assert len(simple) == 4


def test_moments_are_sums_of_powers():
    a = waves(40, 60)
    y, x = np.mgrid[0:40, 0:60].astype(np.float64)
    moments = cv2.moments(a)
    for p, q in ((0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3)):
        assert moments["m%d%d" % (p, q)] == pytest.approx((x**p * y**q * a).sum(), rel=1e-9)
    cx = moments["m10"] / moments["m00"]
    assert moments["mu20"] == pytest.approx(((x - cx) ** 2 * a).sum(), rel=1e-9)
    hu = cv2.HuMoments(moments).ravel()
    assert hu[0] == pytest.approx(moments["nu20"] + moments["nu02"])
    # Hu's moments do not change under a quarter turn.
    assert_within(cv2.HuMoments(cv2.moments(np.rot90(a).copy())).ravel()[:6], hu[:6], 1e-12)


def test_connected_components():
    count, labels, stats, centres = cv2.connectedComponentsWithStats(blocks())
    assert count == 4
    found = {tuple(row) for row in stats.tolist()[1:]}
    assert found == {(10, 10, 60, 50, 3000 - 1200), (30, 30, 20, 10, 200), (80, 70, 30, 20, 600)}
    for label in range(1, 4):
        y, x = np.nonzero(labels == label)
        assert len(y) == stats[label, cv2.CC_STAT_AREA]
        assert_within(centres[label], (x.mean(), y.mean()), 1e-9)
    assert_equal(labels > 0, blocks() > 0)


def test_diagonal_neighbours_are_connected_in_8_directions_only():
    diagonal = np.eye(20, dtype=np.uint8)
    assert cv2.connectedComponents(diagonal, connectivity=8)[0] == 2
    assert cv2.connectedComponents(diagonal, connectivity=4)[0] == 21


def test_distance_to_the_nearest_zero():
    a = np.ones((40, 50), np.uint8)
    zeros = np.array([[5, 5], [30, 44], [20, 10], [39, 0]])
    a[zeros[:, 0], zeros[:, 1]] = 0
    y, x = np.mgrid[0:40, 0:50]
    d = np.stack([(y - zy, x - zx) for zy, zx in zeros])
    euclidean = np.hypot(d[:, 0], d[:, 1]).min(axis=0)
    assert_within(cv2.distanceTransform(a, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), euclidean, 1e-3)
    # The 5 x 5 mask is documented as an approximation, good to 2 percent.
    assert_within(cv2.distanceTransform(a, cv2.DIST_L2, 5), euclidean, 0.025 * euclidean.max())
    assert_within(cv2.distanceTransform(a, cv2.DIST_L1, 3), np.abs(d).sum(axis=1).min(axis=0), 1e-3)
    assert_within(cv2.distanceTransform(a, cv2.DIST_C, 3), np.abs(d).max(axis=1).min(axis=0), 1e-3)


def test_flood_stays_inside_the_walls():
    picture = blocks()
    area, filled, _, box = cv2.floodFill(picture.copy(), None, (65, 15), 77)
    assert area == 3000 - 1200
    assert box == (10, 10, 60, 50)
    label = cv2.connectedComponents(picture)[1]
    assert_equal(filled, np.where(label == label[15, 65], 77, picture))


def test_watershed_meets_on_the_ridge():
    x = np.arange(81)
    profile = (200 - 4 * np.abs(x - 40)).astype(np.uint8)
    picture = np.dstack([np.tile(profile, (40, 1))] * 3)
    markers = np.zeros((40, 81), np.int32)
    markers[:, :3], markers[:, -3:] = 1, 2
    found = cv2.watershed(picture, markers)
    assert (found[1:-1, 1:38] == 1).all() and (found[1:-1, 43:-1] == 2).all()


def test_grabcut_finds_a_bright_object_on_a_dark_ground():
    picture = (noise((60, 80, 3)) // 8).astype(np.uint8)
    picture[20:45, 25:60] += 180
    mask = np.zeros((60, 80), np.uint8)
    cv2.grabCut(
        picture, mask, (15, 12, 55, 40), np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_RECT
    )
    expected = np.zeros((60, 80), bool)
    expected[20:45, 25:60] = True
    assert_equal((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD), expected)


# --- features ---------------------------------------------------------------------------------------------------


def board(squares=8, size=16):
    """A chess board, white at the top left."""
    y, x = np.mgrid[0 : squares * size, 0 : squares * size] // size
    return np.where((x + y) % 2, 0, 255).astype(np.uint8)


def test_corners_of_a_chess_board():
    a = board()
    corners = cv2.goodFeaturesToTrack(a, 100, 0.1, 8).reshape(-1, 2)
    expected = np.array([(x, y) for y in range(16, 128, 16) for x in range(16, 128, 16)]) - 0.5
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-4)
    refined = cv2.cornerSubPix(a, corners[:, None].copy(), (4, 4), (-1, -1), criteria).reshape(-1, 2)
    assert len(corners) == 49
    nearest = np.hypot(*(expected[:, None] - refined[None]).transpose(2, 0, 1)).min(axis=1)
    assert nearest.max() < 0.05


def test_corner_response_is_harris_formula():
    a = texture(40, 50).astype(np.float32) / 255
    dx = cv2.Sobel(a, cv2.CV_32F, 1, 0) / 12
    dy = cv2.Sobel(a, cv2.CV_32F, 0, 1) / 12
    xx, yy, xy = (cv2.boxFilter(p, -1, (3, 3), normalize=False) for p in (dx * dx, dy * dy, dx * dy))
    expected = xx * yy - xy**2 - 0.04 * (xx + yy) ** 2
    assert_within(cv2.cornerHarris(a, 3, 3, 0.04), expected, 1e-5 * np.abs(expected).max())
    smaller = (xx + yy) / 2 - np.sqrt(((xx - yy) / 2) ** 2 + xy**2)
    assert_within(cv2.cornerMinEigenVal(a, 3, 3), smaller, 1e-5 * np.abs(smaller).max())


def test_straight_lines_and_circles_are_found():
    a = np.zeros((200, 200), np.uint8)
    cv2.line(a, (20, 50), (180, 50), 255)
    rho, theta = cv2.HoughLines(a, 1, np.pi / 180, 120)[0, 0]
    assert (rho, theta) == pytest.approx((50, np.pi / 2), abs=1e-3)
    segment = cv2.HoughLinesP(a, 1, np.pi / 180, 100, minLineLength=100)[0, 0]
    assert sorted(segment[[0, 2]]) == [20, 180] and set(segment[[1, 3]]) == {50}
    ring = np.zeros((200, 200), np.uint8)
    cv2.circle(ring, (90, 110), 40, 255, 2)
    found = cv2.HoughCircles(
        ring, cv2.HOUGH_GRADIENT, 1, 100, param1=100, param2=20, minRadius=30, maxRadius=50
    )
    assert found.shape[1] == 1
    assert_within(found[0, 0], (90, 110, 40), 2)


# --- drawing ------------------------------------------------------------------------------------------------------


def test_filled_rectangle_covers_both_corners():
    canvas = cv2.rectangle(np.zeros((50, 60, 3), np.uint8), (10, 20), (30, 40), (1, 2, 3), cv2.FILLED)
    expected = np.zeros((50, 60, 3))
    expected[20:41, 10:31] = (1, 2, 3)
    assert_equal(canvas, expected)


def test_lines_are_connected_and_thick():
    thin = cv2.line(np.zeros((50, 60), np.uint8), (5, 5), (50, 30), 255)
    assert np.count_nonzero(thin) == 46 and thin[5, 5] and thin[30, 50]
    thick = cv2.line(np.zeros((50, 60), np.uint8), (5, 25), (50, 25), 255, 7)
    assert_within(np.count_nonzero(thick[:, 20:40], axis=0), np.full(20, 8), 1)


def test_areas_of_filled_shapes():
    disc = cv2.circle(np.zeros((200, 200), np.uint8), (100, 100), 80, 255, cv2.FILLED)
    assert np.count_nonzero(disc) == pytest.approx(np.pi * 80**2, rel=0.02)
    oval = cv2.ellipse(np.zeros((200, 200), np.uint8), (100, 100), (90, 40), 30, 0, 360, 255, cv2.FILLED)
    assert np.count_nonzero(oval) == pytest.approx(np.pi * 90 * 40, rel=0.02)
    assert_within(np.argwhere(oval).mean(axis=0), (100, 100), 0.5)
    kite = np.array([[[100, 20], [180, 100], [100, 180], [20, 100]]], np.int32)
    filled = cv2.fillPoly(np.zeros((200, 200), np.uint8), kite, 255)
    assert np.count_nonzero(filled) == 160 * 160 // 2 + 160 + 1
    assert_equal(cv2.fillConvexPoly(np.zeros((200, 200), np.uint8), kite, 255), filled)


def test_text_fits_the_size_foretold():
    (width, height), baseline = cv2.getTextSize("Kiln", cv2.FONT_HERSHEY_SIMPLEX, 2, 3)
    canvas = cv2.putText(
        np.zeros((200, 400), np.uint8), "Kiln", (50, 100), cv2.FONT_HERSHEY_SIMPLEX, 2, 255, 3
    )
    y, x = np.nonzero(canvas)
    assert abs(x.max() - x.min() - width) < 20
    assert 100 - height - 5 <= y.min() and y.max() <= 100 + baseline
    assert x.min() >= 50


def test_triangulation_covers_the_hull():
    points = noise((30, 2), np.float32) * 80 + 10
    subdivision = cv2.Subdiv2D((0, 0, 100, 100))
    subdivision.insert(points.tolist())
    triangles = subdivision.getTriangleList().reshape(-1, 3, 2)
    triangles = triangles[((triangles >= 0) & (triangles <= 100)).all(axis=(1, 2))]
    a, b = (triangles[:, i] - triangles[:, 0] for i in (1, 2))
    covered = 0.5 * np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    hull = cv2.contourArea(cv2.convexHull(points))
    # The triangles of the outer square's corners may cut a sliver off the hull.
    assert 0.97 * hull <= covered <= hull * (1 + 1e-5)
    # Delaunay: no point inside the circle of a triangle.
    for triangle in triangles:
        (x, y), radius = circumscribed(triangle.astype(np.float64))
        assert (np.hypot(points[:, 0] - x, points[:, 1] - y) > radius * (1 - 1e-3)).all()


def circumscribed(triangle):
    """Centre and radius of the circle through three points."""
    centre = np.linalg.solve(
        2 * (triangle[1:] - triangle[0]), (triangle[1:] ** 2 - triangle[0] ** 2).sum(axis=1)
    )
    return centre, np.hypot(*(triangle[0] - centre))
