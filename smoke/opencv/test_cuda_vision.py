"""Features, motion, depth and detection on NVIDIA's GPUs, on pictures that were moved on purpose."""

import cv2
import numpy as np
import pytest

import build_info
from gpu import on, sent
from reference import assert_within, moved_pictures, noise, places, texture

pytestmark = build_info.needs("cudaarithm")

INSIDE = np.s_[25:-25, 25:-25]


# --- features and their matches --------------------------------------------------------------------------------------


@on("cudafeatures2d")
@pytest.mark.parametrize("norm", [cv2.NORM_L2, cv2.NORM_L1, cv2.NORM_HAMMING])
@pytest.mark.parametrize("width", [32, 64, 128])
def test_nearest_descriptors_are_those_of_the_processor(norm, width):
    dtype = np.uint8 if norm == cv2.NORM_HAMMING else np.float32
    query, train = noise((130, width), dtype, seed=1), noise((250, width), dtype, seed=2)
    matcher = cv2.cuda_DescriptorMatcher.createBFMatcher(norm)
    found = matcher.knnMatch(sent(query), sent(train), 2)
    expected = cv2.BFMatcher(norm).knnMatch(query, train, k=2)
    assert_within(
        [[match.distance for match in pair] for pair in found],
        [[match.distance for match in pair] for pair in expected],
        1e-4,
    )
    best = matcher.match(sent(query), sent(train))
    assert_within([match.distance for match in best], [pair[0].distance for pair in expected], 1e-4)
    # More than two neighbours take another way.
    three = matcher.knnMatch(sent(query), sent(train), 3)
    expected = cv2.BFMatcher(norm).knnMatch(query, train, k=3)
    assert_within(
        [[match.distance for match in row] for row in three],
        [[match.distance for match in row] for row in expected],
        1e-4,
    )


@on("cudafeatures2d", "features2d")
def test_corners_by_fast():
    picture = texture(160, 200)
    detector = cv2.cuda_FastFeatureDetector.create(30, True)
    found = places(detector.convert(detector.detectAsync(sent(picture))))
    expected = places(cv2.FastFeatureDetector_create(30, True).detect(picture))
    assert len(expected) > 20
    assert sorted(map(tuple, found)) == sorted(map(tuple, expected))


@on("cudafeatures2d", "cudafilters", "cudaimgproc", "cudawarping")
def test_descriptors_find_the_shift_between_two_pictures():
    scene = texture(260, 300)
    orb = cv2.cuda_ORB.create(500)
    keypoints, words = zip(
        *(
            orb.detectAndComputeAsync(sent(part.copy()), None)
            for part in (scene[20:220, 30:270], scene[8:208, 13:253])
        )
    )
    first, second = (places(orb.convert(each)) for each in keypoints)
    matches = cv2.cuda_DescriptorMatcher.createBFMatcher(cv2.NORM_HAMMING).match(*words)
    assert len(matches) > 50
    moved = second[[m.trainIdx for m in matches]] - first[[m.queryIdx for m in matches]]
    right = np.hypot(*(moved - (17, 12)).T) < 2
    assert right.mean() > 0.5
    assert_within(np.median(moved, axis=0), (17, 12), 0.3)


# --- motion ------------------------------------------------------------------------------------------------------------


@on("cudaoptflow", "cudaimgproc", "cudawarping")
@pytest.mark.parametrize("shift", [(3.0, -2.0), (0.5, 0.25), (-9.0, 7.0)])
def test_lucas_kanade_follows_points(shift):
    first, second = moved_pictures(*shift)
    points = cv2.goodFeaturesToTrack(first[30:-30, 30:-30], 50, 0.05, 10) + 30
    flow = cv2.cuda_SparsePyrLKOpticalFlow.create()
    found, status, _ = flow.calc(sent(first), sent(second), sent(points.reshape(1, -1, 2)), None)
    moved = found.download()[0] - points[:, 0]
    followed = status.download()[0].astype(bool)
    assert followed.mean() > 0.95
    assert_within(np.median(moved[followed], axis=0), shift, 0.03)
    assert (np.hypot(*(moved[followed] - shift).T) < 0.25).mean() > 0.95


FLOWS = {
    "FarnebackOpticalFlow": (np.uint8, 1),
    "DensePyrLKOpticalFlow": (np.uint8, 1),
    "BroxOpticalFlow": (np.float32, 255),
    "OpticalFlowDual_TVL1": (np.uint8, 1),
}


@on("cudaoptflow", "cudaimgproc", "cudawarping")
@pytest.mark.parametrize("name", sorted(FLOWS))
def test_dense_flow(name):
    dtype, scale = FLOWS[name]
    first, second = ((each / scale).astype(dtype) for each in moved_pictures(2.0, -1.0))
    found = getattr(cv2, "cuda_" + name).create().calc(sent(first), sent(second), None).download()[INSIDE]
    assert_within(np.median(found, axis=(0, 1)), (2.0, -1.0), 0.1)
    assert (np.abs(found - (2.0, -1.0)).max(axis=2) < 0.5).mean() > 0.97


@on("cudabgsegm")
@pytest.mark.parametrize("name", ["createBackgroundSubtractorMOG", "createBackgroundSubtractorMOG2"])
def test_background_is_learned_and_a_new_object_stands_out(name):
    stream = cv2.cuda_Stream.Null()
    options = {"detectShadows": False} if name.endswith("2") else {}
    subtractor = getattr(cv2.cuda, name)(**options)
    ground = texture(80, 100)
    for seed in range(40):
        frame = (ground // 2 + noise((80, 100), seed=seed) // 32).astype(np.uint8)
        subtractor.apply(sent(frame), -1, stream)
    picture = (ground // 2 + noise((80, 100), seed=99) // 32).astype(np.uint8)
    picture[30:50, 40:70] = 250
    found = subtractor.apply(sent(picture), 0.001, stream).download()
    assert (found[30:50, 40:70] == 255).mean() > 0.95
    found[28:52, 38:72] = 0
    assert (found == 255).mean() < 0.02


# --- depth -------------------------------------------------------------------------------------------------------------


@on("cudastereo")
@pytest.mark.parametrize(
    "name", ["createStereoBM", "createStereoBeliefPropagation", "createStereoConstantSpaceBP"]
)
def test_disparity_of_a_shifted_picture(name):
    right = texture(120, 200)
    left = np.roll(right, 12, axis=1)
    matcher = cv2.cuda.createStereoBM(32, 15) if name == "createStereoBM" else getattr(cv2.cuda, name)(32)
    found = matcher.compute(sent(left), sent(right), cv2.cuda_Stream.Null()).download()
    # In whole pixels.
    assert (np.abs(found[15:-15, 50:-15].astype(int) - 12) <= 1).mean() > 0.9


# --- detection ---------------------------------------------------------------------------------------------------------


@on("cudaobjdetect", "cudaimgproc", "cudawarping", "objdetect")
def test_oriented_gradients_are_those_of_the_processor():
    picture = texture(128, 64)
    hog = cv2.cuda_HOG.create()
    hog.setDescriptorFormat(cv2.HOGDescriptor_DESCR_FORMAT_COL_BY_COL)
    found = hog.compute(sent(picture)).download().ravel()
    expected = cv2.HOGDescriptor().compute(picture).ravel()
    assert np.linalg.norm(found - expected) < 0.05 * np.linalg.norm(expected)


@on("cudaobjdetect", "cudaimgproc", "cudawarping", "objdetect")
def test_the_detector_of_people_answers_as_on_the_processor():
    picture = texture(256, 192)
    there, here = cv2.cuda_HOG.create(), cv2.HOGDescriptor()
    there.setSVMDetector(there.getDefaultPeopleDetector())
    here.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
    there.setHitThreshold(-10)
    there.setGroupThreshold(0)
    found, scores = there.detect(sent(picture))
    expected, weights = here.detect(picture, hitThreshold=-10, winStride=(8, 8))
    assert len(expected) > 100
    scores = dict(zip(map(tuple, np.asarray(found).reshape(-1, 2)), np.ravel(scores)))
    weights = dict(zip(map(tuple, np.asarray(expected).reshape(-1, 2)), np.ravel(weights)))
    assert set(scores) == set(weights)
    both = np.array([(scores[place], weights[place]) for place in sorted(scores)])
    assert np.abs(both[:, 0] - both[:, 1]).mean() < 0.1
    assert np.corrcoef(both.T)[0, 1] > 0.99
