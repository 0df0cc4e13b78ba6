"""Approximate nearest neighbours."""

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_equal, assert_within, noise

pytestmark = needs("flann")

LINEAR, KD_TREES, LSH = 0, 1, 6


def data():
    random = np.random.RandomState(0)
    return random.standard_normal((800, 8)).astype(np.float32), random.standard_normal((40, 8)).astype(
        np.float32
    )


def nearest(points, queries, count):
    distance = ((queries[:, None].astype(float) - points[None]) ** 2).sum(axis=2)
    order = np.argsort(distance, axis=1)[:, :count]
    return order, np.take_along_axis(distance, order, axis=1)


def test_exhaustive_search_is_exact():
    points, queries = data()
    order, distance = nearest(points, queries, 3)
    found, squared = cv2.flann_Index(points, {"algorithm": LINEAR}).knnSearch(queries, 3, params={})
    assert_equal(found, order)
    assert_within(squared, distance, 1e-4)


def test_trees_find_the_nearest_when_they_may_look_everywhere():
    points, queries = data()
    order, distance = nearest(points, queries, 3)
    index = cv2.flann_Index(points, {"algorithm": KD_TREES, "trees": 4})
    found, squared = index.knnSearch(queries, 3, params={"checks": 800})
    assert np.mean(found == order) > 0.98
    hasty, _ = index.knnSearch(queries, 3, params={"checks": 32})
    assert np.mean(hasty[:, 0] == order[:, 0]) > 0.5
    # Never nearer than the nearest, and what is said of a distance is true.
    assert (squared[:, 0] >= distance[:, 0] - 1e-4).all()
    assert_within(squared, ((queries[:, None] - points[found]) ** 2).sum(axis=2), 1e-4)


@pytest.mark.modules("features2d")
def test_matcher_for_binary_descriptors():
    train = noise((300, 32))
    query = train[::10].copy()
    query[:, 0] ^= 1
    matcher = cv2.FlannBasedMatcher(
        {"algorithm": LSH, "table_number": 12, "key_size": 12, "multi_probe_level": 1}, {}
    )
    found = {m[0].queryIdx: (m[0].trainIdx, m[0].distance) for m in matcher.knnMatch(query, train, k=1) if m}
    right = [number for number, match in found.items() if match == (10 * number, 1)]
    assert len(right) >= 28
