"""Arrays, arithmetic, transforms and linear algebra."""

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_equal, assert_within, noise, waves

pytestmark = needs("core")


def wide(array):
    return array.astype(np.int64)


# --- arithmetic ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
@pytest.mark.parametrize("shape", [(37, 53), (20, 31, 3)])
def test_integer_sums_and_differences_saturate(dtype, shape):
    a, b = noise(shape, dtype, seed=1), noise(shape, dtype, seed=2)
    lowest, highest = np.iinfo(dtype).min, np.iinfo(dtype).max
    assert_equal(cv2.add(a, b), np.clip(wide(a) + wide(b), lowest, highest))
    assert_equal(cv2.subtract(a, b), np.clip(wide(a) - wide(b), lowest, highest))
    assert_equal(cv2.absdiff(a, b), np.clip(np.abs(wide(a) - wide(b)), lowest, highest))
    # OpenCV multiplies 16 bits in int, where a product above 2^31 wraps.
    half = b // 2
    assert_equal(cv2.multiply(a, half), np.clip(wide(a) * wide(half), lowest, highest))


def test_sum_under_a_mask_leaves_the_rest_as_it_was():
    a, b, mask = (
        noise((30, 40), seed=1),
        noise((30, 40), seed=2),
        (noise((30, 40), seed=3) > 128).astype(np.uint8),
    )
    before = noise((30, 40), seed=4)
    after = cv2.add(a, b, dst=before.copy(), mask=mask)
    assert_equal(after, np.where(mask, np.minimum(wide(a) + b, 255), before))


def test_integer_quotient_is_rounded_and_zero_over_zero_is_zero():
    a, b = noise((64, 64), seed=1), np.maximum(noise((64, 64), seed=2), 1)
    b[:, :8] = 0
    quotient = cv2.divide(a, b)
    assert_equal(quotient[:, :8], np.zeros((64, 8)))
    # The last bit of a/b in float32 decides a tie: it may go either way.
    assert_within(quotient[:, 8:], a[:, 8:] / b[:, 8:], 0.5 + 1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float_arithmetic(dtype):
    a, b = noise((41, 33), dtype, seed=1), noise((41, 33), dtype, seed=2) + dtype(0.5)
    bound = 4 * np.finfo(dtype).eps
    assert_within(cv2.add(a, b), a + b, bound)
    assert_within(cv2.subtract(a, b), a - b, bound)
    assert_within(cv2.multiply(a, b, scale=2), 2 * a * b, bound)
    assert_within(cv2.divide(a, b), a / b, bound)
    assert_within(cv2.scaleAdd(a, 3.0, b), 3 * a + b, 2 * bound)


def test_weighted_sum_is_rounded_and_saturates():
    a, b = noise((50, 60), seed=1), noise((50, 60), seed=2)
    expected = np.clip(np.rint(0.7 * a + 0.6 * b - 10), 0, 255)
    # float32 against float64 at a tie.
    assert_within(cv2.addWeighted(a, 0.7, b, 0.6, -10), expected, 1)


def test_convert_scale_abs():
    a = noise((40, 40), np.int16)
    assert_within(
        cv2.convertScaleAbs(a, alpha=0.01, beta=3), np.clip(np.rint(np.abs(a * 0.01 + 3)), 0, 255), 1
    )


def test_bitwise_operations():
    a, b = noise((33, 47), seed=1), noise((33, 47), seed=2)
    assert_equal(cv2.bitwise_and(a, b), a & b)
    assert_equal(cv2.bitwise_or(a, b), a | b)
    assert_equal(cv2.bitwise_xor(a, b), a ^ b)
    assert_equal(cv2.bitwise_not(a), ~a)


def test_comparisons_give_0_or_255():
    a, b = noise((33, 47), seed=1) // 8, noise((33, 47), seed=2) // 8
    assert_equal(cv2.compare(a, b, cv2.CMP_GT), 255 * (a > b))
    assert_equal(cv2.compare(a, b, cv2.CMP_LE), 255 * (a <= b))
    assert_equal(cv2.compare(a, b, cv2.CMP_EQ), 255 * (a == b))
    assert_equal(cv2.min(a, b), np.minimum(a, b))
    assert_equal(cv2.max(a, b), np.maximum(a, b))


def test_in_range_is_true_where_all_channels_are():
    a = noise((60, 50, 3))
    low, high = (20, 60, 100), (220, 180, 250)
    assert_equal(cv2.inRange(a, low, high), 255 * ((a >= low) & (a <= high)).all(axis=2))


def test_lookup_table():
    a, table = noise((64, 48, 3)), noise((256,), seed=5)
    assert_equal(cv2.LUT(a, table), table[a])
    halves = np.sqrt(np.arange(256)).astype(np.float32)
    assert_equal(cv2.LUT(a, halves), halves[a])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_elementary_functions(dtype):
    a = noise((31, 37), dtype) * 5 + dtype(0.1)
    # exp and log are computed from tables: with IPP to some units in the last place, by OpenCV itself to 12 digits.
    bound = max(32 * np.finfo(dtype).eps, 0 if cv2.ipp.useIPP() else 1e-12)
    assert_within(cv2.exp(a) / np.exp(a), np.ones(a.shape), bound)
    assert_within(cv2.log(a), np.log(a), bound)
    assert_within(cv2.sqrt(a), np.sqrt(a), bound)
    assert_within(cv2.pow(a, 3) / a**3, np.ones(a.shape), bound)
    assert_within(cv2.pow(a, -1.5) / a**-1.5, np.ones(a.shape), 8 * bound)


def test_polar_coordinates():
    x, y = noise((40, 30), np.float32, seed=1) - 0.5, noise((40, 30), np.float32, seed=2) - 0.5
    length, angle = cv2.cartToPolar(x, y, angleInDegrees=True)
    assert_within(length, np.hypot(x, y), 1e-6)
    difference = (angle - np.degrees(np.arctan2(y, x)) + 180) % 360 - 180
    # The arctangent is a polynomial that OpenCV documents as good to 0.3 degrees.
    assert_within(difference, np.zeros(angle.shape), 0.3)
    back_x, back_y = cv2.polarToCart(length, angle, angleInDegrees=True)
    assert_within(back_x, x, 0.01)
    assert_within(back_y, y, 0.01)


# --- layout ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_split_and_merge(dtype):
    a = noise((29, 43, 3), dtype)
    planes = cv2.split(a)
    assert len(planes) == 3
    for channel, plane in enumerate(planes):
        assert_equal(plane, a[..., channel])
    assert_equal(cv2.merge(planes), a)
    assert_equal(cv2.extractChannel(a, 1), a[..., 1])


def test_mix_channels_reorders():
    a = noise((20, 30, 3))
    swapped = np.zeros_like(a)
    cv2.mixChannels([a], [swapped], [0, 2, 1, 1, 2, 0])
    assert_equal(swapped, a[..., ::-1])


def test_flips_turns_and_tiles():
    a = noise((27, 41, 3))
    assert_equal(cv2.flip(a, 0), a[::-1])
    assert_equal(cv2.flip(a, 1), a[:, ::-1])
    assert_equal(cv2.flip(a, -1), a[::-1, ::-1])
    assert_equal(cv2.rotate(a, cv2.ROTATE_90_CLOCKWISE), np.rot90(a, -1))
    assert_equal(cv2.transpose(a), a.transpose(1, 0, 2))
    assert_equal(cv2.repeat(a, 2, 3), np.tile(a, (2, 3, 1)))
    assert_equal(cv2.hconcat([a, a]), np.concatenate([a, a], axis=1))
    assert_equal(cv2.vconcat([a, a]), np.concatenate([a, a], axis=0))


@pytest.mark.parametrize(
    ("border", "mode"),
    [
        (cv2.BORDER_REFLECT_101, "reflect"),
        (cv2.BORDER_REFLECT, "symmetric"),
        (cv2.BORDER_REPLICATE, "edge"),
        (cv2.BORDER_WRAP, "wrap"),
        (cv2.BORDER_CONSTANT, "constant"),
    ],
)
def test_borders(border, mode):
    a = noise((17, 23))
    assert_equal(cv2.copyMakeBorder(a, 3, 4, 5, 6, border), np.pad(a, ((3, 4), (5, 6)), mode=mode))


def test_views_of_arrays_are_read_without_a_copy_in_the_wrong_order():
    a = noise((40, 60, 3))
    assert_equal(
        cv2.add(a[5:25, 10:50], a[10:30, 20:60]), np.minimum(wide(a[5:25, 10:50]) + a[10:30, 20:60], 255)
    )
    assert_equal(cv2.bitwise_not(a[::2, ::-1, 1]), ~a[::2, ::-1, 1])


# --- statistics --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_smallest_and_largest_value_with_places(dtype):
    a = noise((61, 83), dtype) // 2 if np.dtype(dtype).kind == "u" else noise((61, 83), dtype)
    a = a + dtype(1)
    a[17, 62], a[44, 5] = 0, a.max() + 1
    lowest, highest, lowest_at, highest_at = cv2.minMaxLoc(a)
    assert (lowest, highest) == (0, a[44, 5])
    assert (lowest_at, highest_at) == ((62, 17), (5, 44))


def test_mean_and_standard_deviation_under_a_mask():
    a, mask = noise((55, 77, 3)), (noise((55, 77), seed=1) > 99).astype(np.uint8)
    mean, deviation = cv2.meanStdDev(a, mask=mask)
    assert_within(mean.ravel(), a[mask > 0].mean(axis=0), 1e-9)
    assert_within(deviation.ravel(), a[mask > 0].std(axis=0), 1e-9)
    assert_within(cv2.mean(a, mask=mask)[:3], a[mask > 0].mean(axis=0), 1e-9)


def test_norms():
    a, b = noise((35, 45), seed=1), noise((35, 45), seed=2)
    d = wide(a) - wide(b)
    assert cv2.norm(a, b, cv2.NORM_INF) == np.abs(d).max()
    assert cv2.norm(a, b, cv2.NORM_L1) == np.abs(d).sum()
    assert cv2.norm(a, b, cv2.NORM_L2) == pytest.approx(np.sqrt((d**2).sum()), rel=1e-12)
    assert cv2.norm(a, b, cv2.NORM_HAMMING) == np.unpackbits(a ^ b).sum()
    f = noise((35, 45), np.float32)
    assert cv2.norm(f, cv2.NORM_L2) == pytest.approx(np.linalg.norm(f.astype(np.float64)), rel=1e-6)
    assert cv2.PSNR(a, b) == pytest.approx(10 * np.log10(255**2 / np.mean(d**2)), rel=1e-9)


def test_sums_counts_and_projections():
    a = noise((31, 43, 3))
    assert_equal(cv2.sumElems(a)[:3], a.sum(axis=(0, 1)))
    binary = a[..., 0] // 100
    assert cv2.countNonZero(binary) == np.count_nonzero(binary)
    assert_equal(cv2.reduce(binary, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S), binary.sum(axis=0)[None])
    assert_equal(cv2.reduce(binary, 1, cv2.REDUCE_MAX), binary.max(axis=1)[:, None])
    assert_equal(cv2.findNonZero(binary)[:, 0], np.argwhere(binary)[:, ::-1])


def test_normalize_stretches_to_the_range():
    a = noise((30, 30), np.float32) * 7 - 3
    span = (a - a.min()) / (a.max() - a.min())
    assert_within(cv2.normalize(a, None, 10, 20, cv2.NORM_MINMAX), 10 + 10 * span, 1e-5)


def test_sorting():
    a = noise((20, 300))
    assert_equal(cv2.sort(a, cv2.SORT_EVERY_ROW | cv2.SORT_DESCENDING), np.sort(a, axis=1)[:, ::-1])
    order = cv2.sortIdx(a, cv2.SORT_EVERY_COLUMN)
    assert_equal(np.take_along_axis(a, order, axis=0), np.sort(a, axis=0))


# --- transforms --------------------------------------------------------------------------------------------------

# A power of two, sizes with factors 3 and 5, primes, and one row.
SIZES = [(64, 128), (60, 75), (37, 53), (1, 240)]


def complex_of(array):
    return array[..., 0] + 1j * array[..., 1]


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fourier_transform_is_numpys(shape, dtype):
    a = noise(shape, dtype) - dtype(0.5)
    spectrum = cv2.dft(a, flags=cv2.DFT_COMPLEX_OUTPUT)
    expected = np.fft.fft2(a.astype(np.float64))
    # Rounding errors grow with the logarithm of the number of elements; 64 epsilon of the energy is generous.
    bound = 64 * np.finfo(dtype).eps * np.linalg.norm(a)
    assert_within(np.abs(complex_of(spectrum) - expected), np.zeros(shape), bound)
    back = cv2.dft(spectrum, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
    assert_within(back, a, 64 * np.finfo(dtype).eps)


def test_fourier_transform_of_complex_rows():
    a = noise((9, 100, 2), np.float64)
    rows = cv2.dft(a, flags=cv2.DFT_ROWS)
    assert_within(np.abs(complex_of(rows) - np.fft.fft(complex_of(a), axis=1)), np.zeros((9, 100)), 1e-12)


def test_product_of_spectra_is_the_circular_convolution():
    a, b = noise((32, 48), np.float64, seed=1), noise((32, 48), np.float64, seed=2)
    spectra = [cv2.dft(x, flags=cv2.DFT_COMPLEX_OUTPUT) for x in (a, b)]
    product = cv2.mulSpectrums(spectra[0], spectra[1], 0)
    convolved = cv2.idft(product, flags=cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)
    assert_within(convolved, np.fft.ifft2(np.fft.fft2(a) * np.fft.fft2(b)).real, 1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cosine_transform_is_the_orthonormal_one(dtype):
    a = noise((16, 24), dtype)

    def matrix(n):
        k, x = np.mgrid[0:n, 0:n]
        return np.where(k == 0, np.sqrt(1.0 / n), np.sqrt(2.0 / n)) * np.cos(
            np.pi * (2 * x + 1) * k / (2 * n)
        )

    expected = matrix(16).dot(a.astype(np.float64)).dot(matrix(24).T)
    assert_within(cv2.dct(a), expected, 64 * np.finfo(dtype).eps)
    assert_within(cv2.idct(cv2.dct(a)), a, 64 * np.finfo(dtype).eps)


# --- linear algebra -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_matrix_product(dtype):
    a, b, c = noise((33, 65), dtype, 1), noise((65, 47), dtype, 2), noise((33, 47), dtype, 3)
    expected = 2 * a.astype(np.float64).dot(b) - 0.5 * c
    # A sum of 65 products below 1: the error is below 65 rounding errors of 65.
    bound = 65 * 65 * np.finfo(dtype).eps
    assert_within(cv2.gemm(a, b, 2, c, -0.5), expected, bound)
    assert_within(cv2.gemm(a.T.copy(), b, 2, c, -0.5, flags=cv2.GEMM_1_T), expected, bound)
    assert_within(cv2.mulTransposed(a, True), a.astype(np.float64).T.dot(a), bound)


def test_eigenvalues_and_vectors_of_a_symmetric_matrix():
    a = noise((12, 12), np.float64)
    a = a + a.T
    found, values, vectors = cv2.eigen(a)
    assert found
    assert_within(values.ravel(), np.linalg.eigvalsh(a)[::-1], 1e-10)
    assert_within(vectors.dot(a), values * vectors, 1e-10)
    assert_within(vectors.dot(vectors.T), np.eye(12), 1e-10)


def test_singular_values():
    a = noise((20, 9), np.float64)
    values, left, right = cv2.SVDecomp(a)
    assert_within(values.ravel(), np.linalg.svd(a, compute_uv=False), 1e-10)
    assert_within((left * values.ravel()).dot(right), a, 1e-10)


@pytest.mark.parametrize("method", [cv2.DECOMP_LU, cv2.DECOMP_SVD, cv2.DECOMP_QR, cv2.DECOMP_CHOLESKY])
def test_systems_of_equations(method):
    a = noise((8, 8), np.float64)
    a = a.dot(a.T) + np.eye(8)
    b = noise((8, 2), np.float64, seed=1)
    solved, x = cv2.solve(a, b, flags=method)
    assert solved
    assert_within(x, np.linalg.solve(a, b), 1e-10)


def test_inverse_and_determinant():
    a = noise((6, 6), np.float64) + np.eye(6)
    condition, inverse = cv2.invert(a)
    assert condition != 0
    assert_within(inverse, np.linalg.inv(a), 1e-9)
    assert cv2.determinant(a) == pytest.approx(np.linalg.det(a), rel=1e-10)
    assert cv2.trace(a)[0] == pytest.approx(np.trace(a))


def test_roots_of_a_polynomial():
    _, roots = cv2.solvePoly(np.array([-6.0, 11, -6, 1]))
    assert_within(np.sort(roots[:, 0, 0]), [1, 2, 3], 1e-6)


def test_principal_components():
    random = np.random.RandomState(0)
    data = random.standard_normal((500, 3)) * (5, 2, 0.5) + (10, 20, 30)
    mean, vectors, values = cv2.PCACompute2(data, mean=None)
    assert_within(mean.ravel(), data.mean(axis=0), 1e-9)
    assert_within(values.ravel(), np.linalg.eigvalsh(np.cov(data.T, bias=True))[::-1], 1e-9)
    back = cv2.PCABackProject(cv2.PCAProject(data, mean, vectors), mean, vectors)
    assert_within(back, data, 1e-9)


def test_covariance_and_mahalanobis_distance():
    data = noise((40, 3), np.float64)
    covariance, mean = cv2.calcCovarMatrix(data, None, cv2.COVAR_NORMAL | cv2.COVAR_ROWS | cv2.COVAR_SCALE)
    assert_within(covariance, np.cov(data.T, bias=True), 1e-12)
    inverse = np.linalg.inv(covariance)
    d = data[0] - data[1]
    assert cv2.Mahalanobis(data[:1], data[1:2], inverse) == pytest.approx(np.sqrt(d.dot(inverse).dot(d)))
    assert_within(mean.ravel(), data.mean(axis=0), 1e-12)


def test_points_are_transformed():
    points = noise((10, 1, 2), np.float64) * 100
    affine = np.array([[1.1, 0.2, 3], [-0.3, 0.9, -4]])
    assert_within(cv2.transform(points, affine)[:, 0], points[:, 0].dot(affine[:, :2].T) + affine[:, 2], 1e-9)
    homography = np.vstack([affine, [1e-3, 2e-3, 1]])
    lifted = np.hstack([points[:, 0], np.ones((10, 1))]).dot(homography.T)
    assert_within(cv2.perspectiveTransform(points, homography)[:, 0], lifted[:, :2] / lifted[:, 2:], 1e-9)


def test_clusters_of_separate_points():
    random = np.random.RandomState(3)
    centres = np.array([[0, 0], [50, 0], [0, 50]])
    truth = np.repeat([0, 1, 2], 40)
    points = (centres[truth] + random.standard_normal((120, 2))).astype(np.float32)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 1e-3)
    compactness, labels, found = cv2.kmeans(points, 3, None, criteria, 5, cv2.KMEANS_PP_CENTERS)
    names = [labels.ravel()[truth == k] for k in range(3)]
    assert all((name == name[0]).all() for name in names)
    means = np.array([points[truth == k].mean(axis=0) for k in range(3)])
    assert_within(found[[name[0] for name in names]], means, 1e-3)
    assert compactness == pytest.approx(((points - means[truth]) ** 2).sum(), rel=1e-4)


# --- the rest --------------------------------------------------------------------------------------------------------


def test_random_numbers_are_uniform_and_repeat_with_the_seed():
    cv2.setRNGSeed(1)
    first = cv2.randu(np.zeros((200, 200), np.float32), 2, 6)
    cv2.setRNGSeed(1)
    assert_equal(cv2.randu(np.zeros((200, 200), np.float32), 2, 6), first)
    assert first.min() >= 2 and first.max() < 6
    # 40,000 numbers: the mean's standard error is 0.006.
    assert first.mean() == pytest.approx(4, abs=0.03)
    normal = cv2.randn(np.zeros((200, 200), np.float64), 10, 3)
    assert normal.mean() == pytest.approx(10, abs=0.08)
    assert normal.std() == pytest.approx(3, abs=0.06)


@pytest.mark.parametrize("suffix", [".yml", ".xml", ".json", ".yml.gz"])
def test_files_keep_matrices(tmp_path, suffix):
    matrix, picture = noise((4, 5), np.float64), noise((6, 7, 3))
    path = str(tmp_path / ("data" + suffix))
    writer = cv2.FileStorage(path, cv2.FILE_STORAGE_WRITE)
    writer.write("matrix", matrix)
    writer.write("picture", picture)
    writer.write("text", "a few words")
    writer.release()
    reader = cv2.FileStorage(path, cv2.FILE_STORAGE_READ)
    assert_equal(reader.getNode("matrix").mat(), matrix)
    assert_equal(reader.getNode("picture").mat(), picture)
    assert reader.getNode("text").string() == "a few words"


def test_umat_gives_the_same_result_as_an_array():
    a, b = noise((50, 50), seed=1), noise((50, 50), seed=2)
    assert_equal(cv2.add(cv2.UMat(a), cv2.UMat(b)).get(), cv2.add(a, b))


def test_clock_runs():
    begin = cv2.getTickCount()
    cv2.dft(waves(256, 256, np.float32))
    assert 0 < (cv2.getTickCount() - begin) / cv2.getTickFrequency() < 60
