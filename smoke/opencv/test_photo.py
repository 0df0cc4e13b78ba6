"""Repair and composition of photographs."""

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_equal, assert_within, noise, psnr, texture, waves

pytestmark = needs("photo", "imgproc")


def ramp():
    y, x = np.mgrid[0:60, 0:80]
    return (40 + 1.5 * x + y).astype(np.uint8)


@pytest.mark.parametrize("method", [cv2.INPAINT_TELEA, cv2.INPAINT_NS])
def test_hole_is_filled_from_its_surroundings(method):
    mask = np.zeros((60, 80), np.uint8)
    mask[25:33, 30:42] = 255
    damaged = np.where(mask, 0, ramp()).astype(np.uint8)
    repaired = cv2.inpaint(damaged, mask, 5, method)
    assert_equal(repaired[mask == 0], damaged[mask == 0])
    assert_within(repaired, ramp(), 12)


def noisy(picture, strength=12, seed=1):
    disturbed = picture + np.random.RandomState(seed).normal(0, strength, picture.shape)
    return np.clip(np.rint(disturbed), 0, 255).astype(np.uint8)


def test_noise_is_reduced_and_the_picture_kept():
    clean = waves(60, 80)
    before = noisy(clean)
    after = cv2.fastNlMeansDenoising(before, None, 18, 5, 15)
    assert psnr(after, clean) > psnr(before, clean) + 4
    colour = np.dstack([clean, 255 - clean, clean])
    after = cv2.fastNlMeansDenoisingColored(noisy(colour), None, 10, 10, 5, 15)
    assert psnr(after, colour) > psnr(noisy(colour), colour) + 3


def test_noise_in_a_sequence_is_reduced():
    clean = waves(48, 64)
    frames = [noisy(clean, seed=seed) for seed in range(5)]
    after = cv2.fastNlMeansDenoisingMulti(frames, 2, 5, None, 18, 5, 11)
    assert psnr(after, clean) > psnr(frames[2], clean) + 5


def test_total_variation_is_reduced():
    clean = np.where(np.mgrid[0:50, 0:60][1] < 30, 60, 180).astype(np.uint8)
    before, after = noisy(clean), np.empty_like(clean)
    cv2.denoise_TVL1([before], after, 1.0, 60)

    def variation(picture):
        return np.abs(np.diff(picture.astype(float), axis=1)).sum()

    assert variation(after) < 0.5 * variation(before)
    assert np.abs(after.astype(float) - clean).mean() < np.abs(before.astype(float) - clean).mean()


def test_edges_survive_smoothing():
    step = np.where(np.mgrid[0:50, 0:60][1] < 30, 60, 180).astype(np.uint8)
    picture = np.dstack([noisy(step, 6)] * 3)
    smooth = cv2.edgePreservingFilter(picture, flags=1, sigma_s=20, sigma_r=0.3)
    assert smooth[:, :25].std() < picture[:, :25].std() / 2
    assert smooth[:, 35:].mean() - smooth[:, :25].mean() > 110


def test_pasted_object_takes_the_light_of_its_new_place():
    source = np.full((40, 40, 3), 120, np.uint8)
    source[15:25, 15:25] = 160
    target = np.full((100, 100, 3), 60, np.uint8)
    mask = np.zeros((40, 40), np.uint8)
    mask[5:35, 5:35] = 255
    result = cv2.seamlessClone(source, target, mask, (50, 50), cv2.NORMAL_CLONE)
    # The gradient is pasted: the block is 40 brighter than what surrounds it, which is 60 here.
    assert_within(result[:20, :20], target[:20, :20], 0)
    assert_within(result[37, 37], (60, 60, 60), 3)
    assert_within(result[50, 50], (100, 100, 100), 4)


def test_gray_keeps_colours_of_one_brightness_apart():
    picture = np.empty((240, 240, 3), np.uint8)
    picture[:, :120], picture[:, 120:] = (40, 40, 200), (40, 121, 40)
    # Of a picture with two colours only, OpenCV's solver makes plain black.
    picture += noise((240, 240, 3)) // 12
    plain = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(float)
    gray, _ = cv2.decolor(picture)
    assert abs(plain[:, :120].mean() - plain[:, 120:].mean()) < 2
    assert abs(gray[:, :120].mean() - gray[:, 120:].mean()) > 20


def exposures():
    """One scene of radiances from 0.02 to 2 taken with four exposure times, through a camera of gamma 2.2."""
    radiance = np.exp(np.linspace(np.log(0.02), np.log(2), 120)).reshape(1, 120, 1) * np.ones((60, 1, 3))
    times = np.array([0.25, 1, 4, 16], np.float32)
    pictures = [np.clip(255 * (radiance * time / 4) ** (1 / 2.2), 0, 255).astype(np.uint8) for time in times]
    return radiance, times, pictures


def test_radiance_from_exposures():
    radiance, times, pictures = exposures()
    response = cv2.createCalibrateDebevec(samples=40).process(pictures, times)
    merged = cv2.createMergeDebevec().process(pictures, times, response)
    ratio = (merged / radiance)[:, 10:-10]
    assert ratio.std() / ratio.mean() < 0.1


def test_fused_exposures_show_dark_and_bright_parts():
    _, _, pictures = exposures()
    fused = cv2.createMergeMertens().process(pictures)
    row = fused.mean(axis=(0, 2))
    assert row[:10].mean() > 2 * pictures[0].mean(axis=(0, 2))[:10].mean() / 255
    assert row[-10:].mean() < 0.98 * pictures[3].mean(axis=(0, 2))[-10:].mean() / 255
    assert_within(cv2.createMergeMertens().process([pictures[1]] * 3), pictures[1] / 255, 0.02)


def test_tone_mapping_is_the_gamma_curve():
    picture = noise((30, 40, 3), np.float32)
    span = (picture - picture.min()) / (picture.max() - picture.min())
    mapped = cv2.createTonemap(2.0).process(picture.copy())
    # The darkest value may come out a hair below zero, of which there is no root.
    assert_within(np.where(span == 0, 0, mapped), np.sqrt(span), 1e-3)


def test_shifted_exposures_are_aligned():
    scene = cv2.resize(texture(80, 80), (320, 320), interpolation=cv2.INTER_CUBIC)
    darker = np.roll(scene // 2, (3, -5), axis=(0, 1))
    align = cv2.createAlignMTB()
    shift = align.calculateShift(scene, darker)
    assert shift == (5, -3)
    assert_equal(align.shiftMat(darker, shift)[:-3, 5:], scene[:-3, 5:] // 2)
