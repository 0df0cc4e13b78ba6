"""Arithmetic, sums and transforms on NVIDIA's GPUs, against numpy's."""

import cv2
import numpy as np
import pytest

import build_info
from gpu import on, sent
from reference import assert_equal, assert_within, correlate, noise

pytestmark = build_info.needs("cudaarithm")


@on("cudaarithm")
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "divide", "absdiff", "max", "min"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arithmetic_of_two_pictures(name, dtype):
    first, second = noise((53, 71), dtype), noise((53, 71), dtype, seed=1) + dtype(0.5)
    expected = {
        "add": first + second,
        "subtract": first - second,
        "multiply": first * second,
        "divide": first / second,
        "absdiff": np.abs(first - second),
        "max": np.maximum(first, second),
        "min": np.minimum(first, second),
    }[name]
    assert_within(getattr(cv2.cuda, name)(sent(first), sent(second)).download(), expected, 1e-6)


@on("cudaarithm")
def test_whole_numbers_stop_at_their_limits():
    first, second = noise((50, 64)), noise((50, 64), seed=1)
    sums = first.astype(int) + second
    assert_equal(cv2.cuda.add(sent(first), sent(second)).download(), np.clip(sums, 0, 255))
    differences = first.astype(int) - second
    assert_equal(cv2.cuda.subtract(sent(first), sent(second)).download(), np.clip(differences, 0, 255))
    assert_equal(cv2.cuda.add(sent(first), sent(second), dtype=cv2.CV_16S).download(), sums)
    mixed = cv2.cuda.addWeighted(sent(first), 0.25, sent(second), 0.5, 3).download()
    assert_within(mixed, first * 0.25 + second * 0.5 + 3, 0.51)


@on("cudaarithm")
def test_a_mask_chooses_the_places():
    first, second, mask = noise((40, 33)), noise((40, 33), seed=1), noise((40, 33), seed=2) // 128
    there = sent(np.full((40, 33), 9, np.uint8))
    found = cv2.cuda.bitwise_xor(sent(first), sent(second), there, sent(mask)).download()
    assert_equal(found, np.where(mask, first ^ second, 9))


@on("cudaarithm")
def test_bits():
    first, second = noise((31, 45), np.int32), noise((31, 45), np.int32, seed=1)
    assert_equal(cv2.cuda.bitwise_and(sent(first), sent(second)).download(), first & second)
    assert_equal(cv2.cuda.bitwise_or(sent(first), sent(second)).download(), first | second)
    assert_equal(cv2.cuda.bitwise_not(sent(first)).download(), ~first)


@on("cudaarithm")
@pytest.mark.parametrize(
    ("name", "of_numpy"),
    [("exp", np.exp), ("log", np.log), ("sqrt", np.sqrt), ("sqr", np.square), ("abs", np.abs)],
)
def test_functions_of_one_picture(name, of_numpy):
    picture = noise((60, 90), np.float32) + np.float32(0.01)
    assert_within(getattr(cv2.cuda, name)(sent(picture)).download(), of_numpy(picture), 1e-5)


@on("cudaarithm")
def test_powers():
    picture = noise((60, 90), np.float32) + np.float32(0.1)
    assert_within(cv2.cuda.pow(sent(picture), 2.5).download(), picture**2.5, 1e-4)


@on("cudaarithm")
def test_directions_and_lengths():
    x, y = noise((40, 70), np.float32) - 0.5, noise((40, 70), np.float32, seed=1) - 0.5
    length, angle = cv2.cuda.cartToPolar(sent(x), sent(y))
    assert_within(length.download(), np.hypot(x, y), 1e-6)
    assert_within(np.exp(1j * angle.download()).real, np.cos(np.arctan2(y, x)), 1e-3)
    back_x, back_y = cv2.cuda.polarToCart(length, angle)
    assert_within(back_x.download(), x, 1e-3)
    assert_within(back_y.download(), y, 1e-3)


@on("cudaarithm")
def test_thresholds_and_comparisons():
    picture = noise((48, 80))
    limit, found = cv2.cuda.threshold(sent(picture), 100, 255, cv2.THRESH_BINARY)
    assert limit == 100
    assert_equal(found.download(), np.where(picture > 100, 255, 0))
    _, cut = cv2.cuda.threshold(sent(picture), 100, 255, cv2.THRESH_TRUNC)
    assert_equal(cut.download(), np.minimum(picture, 100))
    other = noise((48, 80), seed=1)
    assert_equal(
        cv2.cuda.compare(sent(picture), sent(other), cv2.CMP_LE).download(),
        np.where(picture <= other, 255, 0),
    )


@on("cudaarithm")
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [(90, 110), (1080, 1920)])
def test_sums_are_those_of_numpy(dtype, shape):
    picture = noise(shape, dtype)
    there = sent(picture)
    exact = picture.astype(np.float64)
    near = 1e-12 if dtype is np.uint8 else 1e-5
    assert cv2.cuda.sum(there)[0] == pytest.approx(exact.sum(), rel=near)
    assert cv2.cuda.sqrSum(there)[0] == pytest.approx((exact**2).sum(), rel=near)
    assert cv2.cuda.norm(there, cv2.NORM_L2) == pytest.approx(np.sqrt((exact**2).sum()), rel=1e-5)
    assert cv2.cuda.norm(there, cv2.NORM_INF) == pytest.approx(exact.max())
    if dtype is np.uint8:
        assert cv2.cuda.countNonZero(there) == np.count_nonzero(picture)
        mean, deviation = cv2.cuda.meanStdDev(there).download()[0]
        assert (mean, deviation) == (pytest.approx(exact.mean()), pytest.approx(exact.std()))


@on("cudaarithm")
def test_sums_of_the_channels():
    picture = noise((70, 90, 3))
    assert cv2.cuda.sum(sent(picture))[:3] == tuple(picture.sum(axis=(0, 1)))


@on("cudaarithm")
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_extremes_and_their_places(dtype):
    picture = (noise((90, 110)) // 2 + 50).astype(dtype)
    picture[17, 23], picture[60, 99] = 3, 250
    values, places = cv2.cuda.findMinMaxLoc(sent(picture))
    assert_equal(values.download().ravel(), [3, 250])
    # Counted through the rows.
    assert_equal(places.download().ravel(), [17 * 110 + 23, 60 * 110 + 99])


@on("cudaarithm")
def test_rows_and_columns_are_reduced():
    picture = noise((35, 64), np.float32)
    for axis in (0, 1):
        sums = cv2.cuda.reduce(sent(picture), axis, cv2.REDUCE_SUM).download().ravel()
        assert_within(sums, picture.sum(axis=axis, dtype=np.float64), 1e-4)
        largest = cv2.cuda.reduce(sent(picture), axis, cv2.REDUCE_MAX).download().ravel()
        assert_equal(largest, picture.max(axis=axis))


@on("cudaarithm")
def test_sums_of_all_above_and_to_the_left():
    for shape in ((37, 53), (480, 640)):
        picture = noise(shape)
        found = cv2.cuda.integral(sent(picture)).download()
        assert_equal(found[1:, 1:], picture.astype(np.int64).cumsum(axis=0).cumsum(axis=1))
        assert not found[0].any() and not found[:, 0].any()


@on("cudaarithm")
def test_a_range_is_stretched():
    picture = noise((50, 60), np.float32)
    found = cv2.cuda.normalize(sent(picture), 2, 5, cv2.NORM_MINMAX, -1).download()
    expected = (picture - picture.min()) / (picture.max() - picture.min()) * 3 + 2
    assert_within(found, expected, 1e-5)


@on("cudaarithm")
def test_channels_are_taken_apart_and_put_together():
    picture = noise((42, 57, 3))
    parts = cv2.cuda.split(sent(picture))
    for channel, part in enumerate(parts):
        assert_equal(part.download(), picture[..., channel])
    assert_equal(cv2.cuda.merge(parts[::-1]).download(), picture[..., ::-1])


@on("cudaarithm")
def test_pictures_are_turned_and_framed():
    picture = noise((42, 57))
    assert_equal(cv2.cuda.transpose(sent(picture)).download(), picture.T)
    assert_equal(cv2.cuda.flip(sent(picture), 0).download(), picture[::-1])
    assert_equal(cv2.cuda.flip(sent(picture), 1).download(), picture[:, ::-1])
    framed = cv2.cuda.copyMakeBorder(sent(picture), 3, 4, 5, 6, cv2.BORDER_REFLECT_101).download()
    assert_equal(framed, np.pad(picture, ((3, 4), (5, 6)), mode="reflect"))


@on("cudaarithm")
def test_a_table_is_looked_up():
    picture, table = noise((60, 80)), noise((1, 256), seed=3)
    assert_equal(cv2.cuda.createLookUpTable(table).transform(sent(picture)).download(), table[0][picture])


@on("cudaarithm")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_product_of_matrices(dtype):
    first, second = noise((33, 65), dtype), noise((65, 17), dtype, seed=1)
    addend = noise((33, 17), dtype, seed=2)
    found = cv2.cuda.gemm(sent(first), sent(second), 2.0, sent(addend), -1.0).download()
    expected = 2 * first.astype(np.float64).dot(second) - addend
    assert_within(found, expected, 1e-4 if dtype is np.float32 else 1e-12)


@on("cudaarithm")
def test_a_fourier_transform_and_back():
    picture = noise((64, 32), np.float32)
    found = cv2.cuda.dft(sent(picture), (32, 64))
    expected = np.fft.rfft2(picture)
    assert_within(found.download()[..., 0], expected.real, 1e-3)
    assert_within(found.download()[..., 1], expected.imag, 1e-3)
    back = cv2.cuda.dft(found, (32, 64), flags=cv2.DFT_INVERSE | cv2.DFT_REAL_OUTPUT | cv2.DFT_SCALE)
    assert_within(back.download(), picture, 1e-5)


@on("cudaarithm")
def test_correlation_by_spectra():
    picture, kernel = noise((120, 150), np.float32), noise((9, 9), np.float32, seed=1)
    found = cv2.cuda.createConvolution().convolve(sent(picture), sent(kernel), ccorr=True).download()
    assert_within(found, correlate(picture, kernel)[4:-4, 4:-4], 1e-3)
