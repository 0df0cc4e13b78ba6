"""Motion: optical flow, tracking and background models on pictures that were moved on purpose."""

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_within, moved_pictures, noise, texture

pytestmark = needs("video", "imgproc")


@pytest.mark.parametrize("shift", [(3.0, -2.0), (0.5, 0.25), (-9.0, 7.0)])
def test_lucas_kanade_follows_points(shift):
    first, second = moved_pictures(*shift)
    points = cv2.goodFeaturesToTrack(first[30:-30, 30:-30], 50, 0.05, 10) + 30
    found, status, error = cv2.calcOpticalFlowPyrLK(first, second, points, None)
    assert status.all() and len(points) > 20
    # The second picture was interpolated and rounded: some hundredths of a pixel.
    assert_within(np.median((found - points)[:, 0], axis=0), shift, 0.03)
    # A point may be lost where the pictures look alike, as in the coarsest of the pyramid's levels.
    right = np.hypot(*(found - points - np.float32(shift))[:, 0].T) < 0.25
    assert right.mean() > 0.95
    assert error[right].max() < 10


def test_dense_flow():
    first, second = moved_pictures(2.0, -1.0)
    inside = np.s_[25:-25, 25:-25]
    farneback = cv2.calcOpticalFlowFarneback(first, second, None, 0.5, 3, 21, 5, 7, 1.5, 0)
    assert_within(farneback[inside], np.broadcast_to((2.0, -1.0), farneback[inside].shape), 0.5)
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, None)
    assert_within(dis[inside], np.broadcast_to((2.0, -1.0), dis[inside].shape), 0.5)


def test_alignment_by_correlation():
    first, second = moved_pictures(2.5, -1.5)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 100, 1e-6)
    score, warp = cv2.findTransformECC(
        first, second, np.eye(2, 3, dtype=np.float32), cv2.MOTION_TRANSLATION, criteria, None, 5
    )
    assert score > 0.99
    assert_within(warp, [[1, 0, 2.5], [0, 1, -1.5]], 0.05)


@pytest.mark.parametrize("name", ["createBackgroundSubtractorMOG2", "createBackgroundSubtractorKNN"])
def test_background_is_learned_and_a_new_object_stands_out(name):
    subtractor = getattr(cv2, name)(detectShadows=False)
    ground = texture(80, 100)
    for seed in range(40):
        subtractor.apply((ground // 2 + noise((80, 100), seed=seed) // 32).astype(np.uint8))
    picture = (ground // 2 + noise((80, 100), seed=99) // 32).astype(np.uint8)
    picture[30:50, 40:70] = 240
    found = subtractor.apply(picture, learningRate=0)
    assert (found[30:50, 40:70] == 255).all()
    found[30:50, 40:70] = 0
    assert np.mean(found > 0) < 0.01
    # A mean or a sample of what it saw: half the ground, and noise of 0 to 7.
    assert_within(subtractor.getBackgroundImage(), ground // 2 + 3.5, 3.5)


def test_kalman_filter_learns_the_speed():
    kalman = cv2.KalmanFilter(2, 1)
    kalman.transitionMatrix = np.array([[1, 1], [0, 1]], np.float32)
    kalman.measurementMatrix = np.array([[1, 0]], np.float32)
    kalman.processNoiseCov = 1e-5 * np.eye(2, dtype=np.float32)
    kalman.measurementNoiseCov = np.array([[0.1]], np.float32)
    kalman.errorCovPost = np.eye(2, dtype=np.float32)
    state, covariance = np.zeros(2), np.eye(2)
    transition, measure = np.array([[1.0, 1], [0, 1]]), np.array([[1.0, 0]])
    for step in range(1, 60):
        kalman.predict()
        found = kalman.correct(np.array([[3.0 * step]], np.float32))
        state, covariance = (
            transition.dot(state),
            transition.dot(covariance).dot(transition.T) + 1e-5 * np.eye(2),
        )
        gain = covariance.dot(measure.T) / (measure.dot(covariance).dot(measure.T) + 0.1)
        state = state + gain.dot(3.0 * step - measure.dot(state))
        covariance = (np.eye(2) - gain.dot(measure)).dot(covariance)
        assert_within(found.ravel(), state, 1e-3 * step)
    assert found[1, 0] == pytest.approx(3, abs=0.01)


def test_mean_shift_climbs_to_the_object():
    likelihood = np.zeros((120, 160), np.uint8)
    likelihood[60:90, 80:120] = 255
    _, window = cv2.meanShift(
        likelihood, (45, 40, 40, 30), (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 0.5)
    )
    # It stops where a step would be less than a pixel; it started 35 and 20 pixels away.
    assert_within(window, (80, 60, 40, 30), 3)
    box, _ = cv2.CamShift(
        likelihood, (60, 50, 40, 30), (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 0.5)
    )
    assert box[0] == pytest.approx((99.5, 74.5), abs=1)
