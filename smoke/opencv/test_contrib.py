"""Modules of opencv_contrib, in builds that were asked for them."""

import cv2
import numpy as np
import pytest

import build_info
from reference import assert_equal, assert_within, noise, texture, waves

# What opencv_contrib has without a toolkit of its own (CUDA, VTK, Qt, HDF5, ...) in every version of 4.x from 4.1.
MODULES = (
    "aruco",
    "bgsegm",
    "bioinspired",
    "ccalib",
    "datasets",
    "dnn_objdetect",
    "dpm",
    "face",
    "fuzzy",
    "hfs",
    "img_hash",
    "line_descriptor",
    "optflow",
    "phase_unwrapping",
    "plot",
    "quality",
    "reg",
    "rgbd",
    "saliency",
    "shape",
    "stereo",
    "structured_light",
    "superres",
    "surface_matching",
    "text",
    "tracking",
    "videostab",
    "xfeatures2d",
    "ximgproc",
    "xobjdetect",
    "xphoto",
)


# What cudaoptflow is built on: there in every build for NVIDIA's GPUs that has it.
NEEDED_BY_CUDA = {"optflow", "ximgproc"}


@pytest.fixture(autouse=True)
def contrib(request):
    asked = build_info.option("CONTRIB")
    if asked is None:
        asked = "xfeatures2d" in build_info.built_modules()
    if not asked and request.function is not test_contrib_is_absent_when_declined:
        pytest.skip("opencv_contrib was not asked for")


def needs(module):
    """Skips where the module was left out on purpose; else a test that needs it fails without it."""
    if module not in build_info.built_modules() and build_info.declined(module):
        pytest.skip("this build was asked to leave out " + module)


@pytest.mark.parametrize("module", MODULES)
def test_every_promised_module_is_built(module):
    needs(module)
    assert module in build_info.built_modules()


def test_contrib_is_absent_when_declined():
    if build_info.option("CONTRIB") is not False:
        pytest.skip("opencv_contrib was not declined")
    built = build_info.built_modules()
    assert set(MODULES) & built <= (NEEDED_BY_CUDA if "cudaoptflow" in built else set())


def test_guided_filter_is_the_published_formula():
    needs("ximgproc")
    guide = waves(40, 50, np.float64).astype(np.float32) / 255
    source = noise((40, 50), np.float32)

    def mean(picture):
        return cv2.blur(picture.astype(np.float64), (7, 7), borderType=cv2.BORDER_REFLECT)

    slope = (mean(guide * source) - mean(guide) * mean(source)) / (mean(guide**2.0) - mean(guide) ** 2 + 0.01)
    expected = mean(slope) * guide + mean(mean(source) - slope * mean(guide))
    assert_within(cv2.ximgproc.guidedFilter(guide, source, 3, 0.01), expected, 1e-3)


def test_thinning_leaves_the_middle_line():
    needs("ximgproc")
    bar = np.zeros((40, 60), np.uint8)
    bar[17:24, 10:50] = 255
    thin = cv2.ximgproc.thinning(bar)
    assert (np.count_nonzero(thin[:, 18:42], axis=0) == 1).all()
    assert set(np.nonzero(thin[:, 18:42])[0]) <= {19, 20, 21}


def test_markers_are_found_and_named():
    needs("aruco")
    words = cv2.aruco.Dictionary_get(cv2.aruco.DICT_4X4_50)
    scene = np.full((200, 300), 255, np.uint8)
    scene[50:130, 40:120] = cv2.aruco.drawMarker(words, 7, 80)
    scene[60:140, 180:260] = cv2.aruco.drawMarker(words, 23, 80)
    corners, numbers, _ = cv2.aruco.detectMarkers(scene, words)
    found = dict(zip(numbers.ravel().tolist(), (corner[0, 0] for corner in corners)))
    assert set(found) == {7, 23}
    assert_within(found[7], (40, 50), 1)
    assert_within(found[23], (180, 60), 1)


@pytest.mark.parametrize(
    "name", ["VGG_create", "BoostDesc_create", "DAISY_create", "BriefDescriptorExtractor_create"]
)
def test_learned_descriptors_have_their_tables(name):
    needs("xfeatures2d")
    scene = texture(200, 240)
    keypoints = cv2.ORB_create(100).detect(scene[10:-10, 10:-10].copy())
    extractor = getattr(cv2.xfeatures2d, name)()
    _, first = extractor.compute(scene[10:-10, 10:-10].copy(), keypoints)
    assert len(first) > 20
    # A brighter copy has nearly the same descriptors, other places have others.
    brighter = np.clip(scene[10:-10, 10:-10] * 0.8 + 40, 0, 255).astype(np.uint8)
    _, second = extractor.compute(brighter, keypoints)
    norm = cv2.NORM_HAMMING if first.dtype == np.uint8 else cv2.NORM_L2
    matches = cv2.BFMatcher(norm).match(first, second)
    assert np.mean([m.queryIdx == m.trainIdx for m in matches]) > 0.8


def test_faces_are_recognised():
    needs("face")
    people = [texture(60, 60, seed=seed) for seed in range(3)]
    pictures = [
        np.clip(person + noise((60, 60), seed=i) / 16.0, 0, 255).astype(np.uint8)
        for i, person in enumerate(people * 3)
    ]
    recogniser = cv2.face.LBPHFaceRecognizer_create()
    recogniser.train(pictures, np.array([0, 1, 2] * 3))
    assert [recogniser.predict(person)[0] for person in people] == [0, 1, 2]


def test_perceptual_hash_knows_a_picture_again():
    needs("img_hash")
    scene, other = texture(128, 128), texture(128, 128, seed=8)
    dimmed = (scene * 0.7).astype(np.uint8)
    hashing = cv2.img_hash.PHash_create()
    same = hashing.compare(hashing.compute(scene), hashing.compute(dimmed))
    different = hashing.compare(hashing.compute(scene), hashing.compute(other))
    assert same <= 4 < 16 < different


def test_white_balance_removes_a_cast():
    needs("xphoto")
    gray = waves(60, 80)
    cast = np.dstack([gray * 0.6, gray * 0.8, gray]).astype(np.uint8)
    balanced = cv2.xphoto.createGrayworldWB().balanceWhite(cast)
    means = balanced.mean(axis=(0, 1))
    assert np.ptp(cast.mean(axis=(0, 1))) > 40 and np.ptp(means) < 3


def test_every_channel_is_multiplied_by_its_gain():
    needs("xphoto")
    picture, gains = noise((48, 64, 3)), np.array([1, 0.5, 0.9])
    balanced = cv2.xphoto.applyChannelGains(picture, *gains)
    # Gains are fixed-point numbers of 8 bits, and what is below is cut off.
    assert_equal(balanced, (picture * np.rint(gains * 256).astype(int)) >> 8)


def test_object_is_tracked():
    needs("tracking")
    frames = []
    for step in range(8):
        frame = np.full((160, 200), 60, np.uint8)
        frame[40 + 2 * step : 80 + 2 * step, 50 + 4 * step : 90 + 4 * step] = texture(40, 40)
        frames.append(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
    tracker = cv2.TrackerKCF_create()
    tracker.init(frames[0], (50, 40, 40, 40))
    for step in range(1, 8):
        found, box = tracker.update(frames[step])
        assert found
        assert_within(box, (50 + 4 * step, 40 + 2 * step, 40, 40), 5)


def test_structural_similarity():
    needs("quality")
    picture = waves(60, 80)
    assert cv2.quality.QualitySSIM_compute(picture, picture)[0][0] == pytest.approx(1, abs=1e-6)
    shifted = cv2.add(picture, 20)
    assert cv2.quality.QualityMSE_compute(picture, shifted)[0][0] == pytest.approx(
        np.mean((shifted.astype(float) - picture) ** 2), rel=1e-6
    )


def test_phase_is_unwrapped():
    needs("phase_unwrapping")
    y, x = np.mgrid[0:60, 0:80]
    truth = (0.3 * x + 0.1 * y).astype(np.float32)
    wrapped = np.arctan2(np.sin(truth), np.cos(truth)).astype(np.float32)
    parameters = cv2.phase_unwrapping_HistogramPhaseUnwrapping_Params()
    parameters.width, parameters.height = 80, 60
    found = cv2.phase_unwrapping.HistogramPhaseUnwrapping_create(parameters).unwrapPhaseMap(wrapped)
    difference = (found - truth)[5:-5, 5:-5]
    # Known but for a multiple of a whole turn.
    assert np.ptp(difference) < 0.1
