"""Geometry of cameras, on points whose truth is known."""

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_within, rotation, texture

pytestmark = needs("calib3d")

CAMERA = np.array([[800.0, 0, 320], [0, 790, 240], [0, 0, 1]])
DISTORTION = np.array([-0.2, 0.05, 0.001, -0.002, 0.01])


def project(points, turn, shift, distortion=(0, 0, 0, 0, 0)):
    """The pinhole camera with radial and tangential distortion, written out."""
    x, y, z = (points.dot(rotation(turn).T) + shift).T
    x, y = x / z, y / z
    k1, k2, p1, p2, k3 = distortion
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    bent_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
    bent_y = y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
    return np.stack([CAMERA[0, 0] * bent_x + CAMERA[0, 2], CAMERA[1, 1] * bent_y + CAMERA[1, 2]], axis=1)


def cloud(count=40, seed=0):
    return np.random.RandomState(seed).uniform(-1, 1, (count, 3))


TURN, SHIFT = np.array([0.3, -0.2, 0.5]), np.array([0.1, -0.2, 5.0])


def test_rodrigues_formula_both_ways():
    matrix, _ = cv2.Rodrigues(TURN)
    assert_within(matrix, rotation(TURN), 1e-12)
    assert_within(cv2.Rodrigues(matrix)[0].ravel(), TURN, 1e-9)


def test_points_are_projected():
    found, _ = cv2.projectPoints(cloud(), TURN, SHIFT, CAMERA, DISTORTION)
    assert_within(found[:, 0], project(cloud(), TURN, SHIFT, DISTORTION), 1e-9)


@pytest.mark.parametrize("method", [cv2.SOLVEPNP_ITERATIVE, cv2.SOLVEPNP_EPNP])
def test_pose_from_points(method):
    image = project(cloud(), TURN, SHIFT, DISTORTION)
    solved, turn, shift = cv2.solvePnP(cloud(), image, CAMERA, DISTORTION, flags=method)
    assert solved
    # Undistortion stops after five rounds, a little short of the exact point.
    assert_within(turn.ravel(), TURN, 1e-4)
    assert_within(shift.ravel(), SHIFT, 1e-3)


def test_pose_from_four_points_on_a_plane():
    square = np.array([[-1.0, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]])
    image = project(square, TURN, SHIFT)
    # P3P multiplies the last bits of its input: a change of 1e-13 in the picture moves its pose by 4e-5.
    for method, bound in ((cv2.SOLVEPNP_AP3P, 1e-9), (cv2.SOLVEPNP_P3P, 1e-3), (cv2.SOLVEPNP_IPPE, 1e-9)):
        solved, turn, shift = cv2.solvePnP(square, image, CAMERA, None, flags=method)
        assert solved
        assert_within(turn.ravel(), TURN, bound)
        assert_within(shift.ravel(), SHIFT, bound)


def test_pose_in_spite_of_outliers():
    image = project(cloud(100), TURN, SHIFT)
    image[::5] += 60
    solved, turn, shift, inliers = cv2.solvePnPRansac(cloud(100), image, CAMERA, None)
    assert solved
    assert not set(inliers.ravel()) & set(range(0, 100, 5))
    assert len(inliers) == 80
    assert_within(turn.ravel(), TURN, 1e-4)
    assert_within(shift.ravel(), SHIFT, 1e-3)


HOMOGRAPHY = np.array([[1.2, 0.1, 30], [-0.2, 0.9, 20], [1e-4, -2e-4, 1]])


def mapped(matrix, points):
    lifted = np.hstack([points, np.ones((len(points), 1))]).dot(matrix.T)
    return lifted[:, :2] / lifted[:, 2:]


@pytest.mark.parametrize("method", [0, cv2.RANSAC, cv2.LMEDS, cv2.RHO])
def test_homography(method):
    points = np.random.RandomState(0).uniform(0, 500, (80, 2))
    image = mapped(HOMOGRAPHY, points)
    if method:
        image[::4] += 100
    found, mask = cv2.findHomography(points, image, method, 3.0)
    if method:
        assert not mask.ravel()[::4].any()
    assert_within(mapped(found, points), mapped(HOMOGRAPHY, points), 0.05)


def test_affine_transforms():
    points = np.random.RandomState(0).uniform(0, 500, (60, 2))
    similarity = np.hstack([1.5 * rotation((0, 0, 0.4))[:2, :2], [[10], [20]]])
    image = points.dot(similarity[:, :2].T) + similarity[:, 2]
    image[::6] += 80
    for estimate in (cv2.estimateAffine2D, cv2.estimateAffinePartial2D):
        found, inliers = estimate(points, image)
        assert_within(found, similarity, 1e-3)
        assert inliers.sum() == 50


def two_views():
    """One cloud seen by two cameras, of which the second is turned and moved."""
    points = cloud(60) + (0, 0, 5)
    turn, shift = np.array([0.02, -0.15, 0.03]), np.array([-1.0, 0.1, 0.05])
    first = points.dot(CAMERA.T)
    second = (points.dot(rotation(turn).T) + shift).dot(CAMERA.T)
    return points, turn, shift, first[:, :2] / first[:, 2:], second[:, :2] / second[:, 2:]


@pytest.mark.parametrize("method", [cv2.FM_8POINT, cv2.FM_RANSAC, cv2.FM_LMEDS])
def test_fundamental_matrix_relates_the_two_views(method):
    _, turn, shift, first, second = two_views()
    found, _ = cv2.findFundamentalMat(first, second, method)
    cross = np.array([[0, -shift[2], shift[1]], [shift[2], 0, -shift[0]], [-shift[1], shift[0], 0]])
    inverse = np.linalg.inv(CAMERA)
    truth = inverse.T.dot(cross).dot(rotation(turn)).dot(inverse)
    truth, found = truth / np.linalg.norm(truth), found / np.linalg.norm(found)
    assert min(np.abs(truth - found).max(), np.abs(truth + found).max()) < 1e-4


def test_motion_between_two_views():
    _, turn, shift, first, second = two_views()
    essential, _ = cv2.findEssentialMat(first, second, CAMERA, cv2.RANSAC, 0.999, 1.0)
    count, matrix, direction, _ = cv2.recoverPose(essential, first, second, CAMERA)
    assert count == 60
    assert_within(matrix, rotation(turn), 1e-5)
    assert_within(direction.ravel(), shift / np.linalg.norm(shift), 1e-4)


def test_points_from_two_views():
    points, turn, shift, first, second = two_views()
    left = CAMERA.dot(np.eye(3, 4))
    right = CAMERA.dot(np.hstack([rotation(turn), shift[:, None]]))
    found = cv2.triangulatePoints(left, right, first.T, second.T)
    assert_within((found[:3] / found[3]).T, points, 1e-6)


def test_distortion_is_undone():
    points = cloud()
    bent = project(points, TURN, SHIFT, DISTORTION)
    straight = cv2.undistortPoints(bent[:, None], CAMERA, DISTORTION, P=CAMERA)[:, 0]
    assert_within(straight, project(points, TURN, SHIFT), 0.01)


def grid():
    return np.array([(x, y, 0) for y in range(6) for x in range(9)], np.float32)


POSES = [((0.1, 0.2, 0.1), (-4, -2.5, 15)), ((-0.4, 0.1, 0), (-4, -2, 14)), ((0.2, -0.5, 0.3), (-3, -3, 16))]
POSES += [
    ((0.5, 0.3, -0.2), (-4, -3, 17)),
    ((-0.2, -0.4, 0.1), (-5, -2, 18)),
    ((0.3, 0.6, 0.4), (-3, -2, 15)),
]


def test_calibration_finds_camera_and_distortion():
    views = [project(grid(), turn, shift, DISTORTION).astype(np.float32) for turn, shift in POSES]
    error, camera, distortion, turns, shifts = cv2.calibrateCamera(
        [grid()] * 6, views, (640, 480), None, None
    )
    assert error < 1e-3
    assert_within(camera, CAMERA, 0.2)
    assert_within(distortion.ravel()[:2], DISTORTION[:2], 0.02)
    assert_within(np.array(turns)[:, :, 0], [turn for turn, _ in POSES], 1e-3)
    assert_within(np.array(shifts)[:, :, 0], [shift for _, shift in POSES], 0.02)


def test_chess_board_corners_are_found():
    size = 30
    y, x = np.mgrid[0 : 7 * size, 0 : 10 * size] // size
    board = np.where((x + y) % 2, 0, 255).astype(np.uint8)
    picture = np.full((400, 500), 255, np.uint8)
    picture[70 : 70 + 7 * size, 90 : 90 + 10 * size] = board
    found, corners = cv2.findChessboardCorners(picture, (9, 6))
    assert found
    expected = np.array([(90 + i * size, 70 + j * size) for j in range(1, 7) for i in range(1, 10)]) - 0.5
    corners = corners[:, 0] if corners[0, 0, 1] < corners[-1, 0, 1] else corners[::-1, 0]
    assert_within(corners, expected, 0.3)


@pytest.mark.parametrize("matcher", ["StereoBM", "StereoSGBM"])
def test_disparity_of_a_shifted_picture(matcher):
    right = texture(120, 200)
    left = np.roll(right, 12, axis=1)
    if matcher == "StereoBM":
        disparity = cv2.StereoBM_create(numDisparities=32, blockSize=15).compute(left, right)
    else:
        disparity = cv2.StereoSGBM_create(0, 32, 7).compute(left, right)
    # In sixteenths of a pixel; the left margin and the border of a block have none.
    inside = disparity[15:-15, 50:-15]
    assert np.mean(np.abs(inside - 12 * 16) <= 4) > 0.99


def test_projection_matrix_is_taken_apart():
    matrix = CAMERA.dot(np.hstack([rotation(TURN), SHIFT[:, None]]))
    camera, turn, centre = cv2.decomposeProjectionMatrix(matrix)[:3]
    assert_within(camera / camera[2, 2], CAMERA, 1e-6)
    assert_within(turn, rotation(TURN), 1e-9)
    assert_within((centre[:3] / centre[3]).ravel(), -rotation(TURN).T.dot(SHIFT), 1e-9)


def test_undistortion_map_of_the_ideal_camera_is_the_identity():
    x, y = cv2.initUndistortRectifyMap(CAMERA, np.zeros(5), np.eye(3), CAMERA, (64, 48), cv2.CV_32FC1)
    expected_y, expected_x = np.mgrid[0:48, 0:64]
    assert_within(x, expected_x, 1e-3)
    assert_within(y, expected_y, 1e-3)


def test_fisheye_points_go_there_and_back():
    points = np.random.RandomState(1).uniform(-0.5, 0.5, (20, 1, 2))
    coefficients = np.array([0.1, -0.02, 0.003, 0.0005])
    bent = cv2.fisheye.distortPoints(points, CAMERA, coefficients)
    radius = np.linalg.norm(points, axis=2, keepdims=True)
    angle = np.arctan(radius)
    powers = angle ** np.array([2, 4, 6, 8])
    scaled = points * angle * (1 + (powers * coefficients).sum(axis=2, keepdims=True)) / radius
    assert_within(bent, scaled * (800, 790) + (320, 240), 1e-9)
    assert_within(cv2.fisheye.undistortPoints(bent, CAMERA, coefficients), points, 1e-6)
