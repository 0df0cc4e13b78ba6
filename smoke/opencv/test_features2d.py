"""Key points, descriptors and their matches."""

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_equal, assert_within, noise, places, texture

pytestmark = needs("features2d", "imgproc")

DETECTORS = ["ORB", "AKAZE", "BRISK", "KAZE"]


@pytest.mark.parametrize("name", DETECTORS)
def test_descriptors_find_the_shift_between_two_pictures(name):
    scene = texture(260, 300)
    detector = getattr(cv2, name + "_create")()
    first, first_words = detector.detectAndCompute(scene[20:220, 30:270].copy(), None)
    second, second_words = detector.detectAndCompute(scene[8:208, 13:253].copy(), None)
    binary = first_words.dtype == np.uint8
    matcher = cv2.BFMatcher(cv2.NORM_HAMMING if binary else cv2.NORM_L2, crossCheck=True)
    matches = matcher.match(first_words, second_words)
    assert len(matches) > 50
    moved = places(second)[[m.trainIdx for m in matches]] - places(first)[[m.queryIdx for m in matches]]
    right = np.hypot(*(moved - (17, 12)).T) < 2
    assert right.mean() > 0.7
    assert_within(np.median(moved, axis=0), (17, 12), 0.2)


def test_orb_knows_the_turn():
    scene = texture(240, 240)
    orb = cv2.ORB_create(500)
    first, first_words = orb.detectAndCompute(scene, None)
    second, second_words = orb.detectAndCompute(np.rot90(scene, -1).copy(), None)
    assert first_words.shape == (len(first), 32)
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(first_words, second_words)
    x, y = places(first)[[m.queryIdx for m in matches]].T
    right = np.hypot(*(places(second)[[m.trainIdx for m in matches]] - np.stack([239 - y, x], 1)).T) < 2
    assert right.mean() > 0.7
    turned = [second[m.trainIdx].angle - first[m.queryIdx].angle for m, good in zip(matches, right) if good]
    assert np.median(np.mod(turned, 360)) == pytest.approx(90, abs=2)


def test_fast_finds_the_corners_of_a_square():
    picture = np.zeros((60, 60), np.uint8)
    picture[20:40, 20:40] = 255
    found = places(cv2.FastFeatureDetector_create(50, nonmaxSuppression=False).detect(picture))
    corners = np.array([(20, 20), (39, 20), (20, 39), (39, 39)])
    distance = np.hypot(*(found[:, None] - corners[None]).transpose(2, 0, 1))
    assert (distance.min(axis=0) <= 2).all() and (distance.min(axis=1) <= 3).all()


def test_blobs_and_regions():
    picture = np.full((120, 160), 255, np.uint8)
    centres = [(40, 40), (110, 70), (60, 90)]
    for centre in centres:
        cv2.circle(picture, centre, 12, 0, cv2.FILLED)
    blobs = cv2.SimpleBlobDetector_create().detect(picture)
    assert_within(sorted(places(blobs).tolist()), sorted(centres), 1)
    regions, _ = cv2.MSER_create().detectRegions(picture)
    middles = np.array([region.mean(axis=0) for region in regions])
    for centre in centres:
        assert np.hypot(*(middles - centre).T).min() < 1


@pytest.mark.parametrize("norm", [cv2.NORM_L2, cv2.NORM_L1, cv2.NORM_HAMMING])
def test_nearest_descriptors_are_numpys(norm):
    dtype = np.uint8 if norm == cv2.NORM_HAMMING else np.float32
    query, train = noise((30, 32), dtype, seed=1), noise((50, 32), dtype, seed=2)
    if norm == cv2.NORM_HAMMING:
        distance = np.unpackbits(query[:, None] ^ train[None], axis=2).sum(axis=2)
    else:
        difference = query[:, None].astype(float) - train[None]
        distance = np.linalg.norm(difference, 2 if norm == cv2.NORM_L2 else 1, axis=2)
    pairs = cv2.BFMatcher(norm).knnMatch(query, train, k=2)
    # Distances instead of indices: two descriptors may be equally far.
    assert_within([[m.distance for m in pair] for pair in pairs], np.sort(distance, axis=1)[:, :2], 1e-4)
    assert_within(
        [[distance[m.queryIdx, m.trainIdx] for m in pair] for pair in pairs],
        np.sort(distance, 1)[:, :2],
        1e-4,
    )


def test_key_points_are_drawn_where_they_are():
    picture = np.zeros((50, 60, 3), np.uint8)
    drawn = cv2.drawKeypoints(picture, [cv2.KeyPoint(30, 20, 5)], None, (0, 255, 0))
    y, x = np.nonzero(drawn[..., 1])
    assert (x.mean(), y.mean()) == pytest.approx((30, 20), abs=0.5)
    assert_equal(drawn[..., 0], np.zeros((50, 60)))
    side_by_side = cv2.drawMatches(
        picture, [cv2.KeyPoint(30, 20, 5)], picture, [cv2.KeyPoint(10, 20, 5)], [], None
    )
    assert side_by_side.shape == (50, 120, 3) and side_by_side.any()
