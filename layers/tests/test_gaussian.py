"""The Gaussian filter against numpy, scipy.ndimage and OpenCV."""

import math

import numpy as np
import pytest
import tensorflow as tf
from filtering import correlate

from fireclay import GaussianFilter, gaussian_filter_block, gaussian_kernel

# Our padding, scipy.ndimage's mode, OpenCV's border.
BORDERS = [
    ("same", "constant", "BORDER_CONSTANT"),
    ("reflect", "mirror", "BORDER_REFLECT_101"),
    ("symmetric", "reflect", "BORDER_REFLECT"),
    ("edge", "nearest", "BORDER_REPLICATE"),
]
KERNELS = [(3, 3.0), ((5, 7), (3.0, 2.0)), ((1, 9), 2.5), (4, 3.0)]


def images(*shape, dtype="float32"):
    return np.random.RandomState(5).uniform(0, 1, shape).astype(dtype)


def definition(size, nsig):
    """The kernel as the words say it: differences of the normal CDF, root of the outer product, sum 1."""

    def axis(taps, sigmas):
        half_cell = (2 * sigmas + 1) / taps / 2
        edges = np.linspace(-sigmas - half_cell, sigmas + half_cell, taps + 1)
        return np.diff([(1 + math.erf(edge / math.sqrt(2))) / 2 for edge in edges])

    rows, columns = size if isinstance(size, tuple) else (size, size)
    down, across = nsig if isinstance(nsig, tuple) else (nsig, nsig)
    kernel = np.sqrt(np.outer(axis(rows, down), axis(columns, across)))
    return kernel / kernel.sum()


@pytest.mark.parametrize("size, nsig", [*KERNELS, (21, 4.0)])
def test_kernel_is_what_the_definition_says(size, nsig):
    kernel = gaussian_kernel(size, nsig)
    np.testing.assert_allclose(kernel, definition(size, nsig), atol=1e-12)
    assert kernel.sum() == pytest.approx(1, abs=1e-15)
    np.testing.assert_array_equal(kernel, kernel[::-1, ::-1])


@pytest.mark.parametrize("size, centre, deviation", [(3, 0.377168, 0.6212), (5, 0.150616, 0.9871)])
def test_kernel_has_the_documented_width(size, centre, deviation):
    kernel = gaussian_kernel(size, 3)
    assert kernel[size // 2, size // 2] == pytest.approx(centre, abs=1e-6)
    offsets = np.arange(size) - size // 2
    assert np.sqrt(np.sum(kernel.sum(axis=0) * offsets**2)) == pytest.approx(deviation, abs=1e-4)


@pytest.fixture
def cv2():
    return pytest.importorskip("cv2")


@pytest.mark.parametrize("padding", ["same", "reflect", "symmetric", "edge"])
@pytest.mark.parametrize("size, nsig", KERNELS)
def test_filter_is_the_kernel_applied(mode, size, nsig, padding):
    x = images(2, 17, 23, 3)
    layer = GaussianFilter(size, nsig, padding=padding)
    expected = correlate(x, layer.kernel, padding.replace("same", "constant"))
    np.testing.assert_allclose(mode.run(layer, x), expected, atol=1e-6)


@pytest.mark.parametrize("padding, scipy_mode, _", BORDERS)
@pytest.mark.parametrize("size, nsig", KERNELS)
def test_filter_is_scipys(size, nsig, padding, scipy_mode, _):
    ndimage = pytest.importorskip("scipy.ndimage")
    picture = images(17, 23)
    layer = GaussianFilter(size, nsig, padding=padding)
    # TensorFlow has the smaller half of an even kernel before the pixel, scipy the larger.
    origin = tuple(-1 if taps % 2 == 0 else 0 for taps in layer.kernel_size)
    theirs = ndimage.correlate(picture.astype("float64"), layer.kernel, mode=scipy_mode, origin=origin)
    np.testing.assert_allclose(by_layer(layer, picture), theirs, atol=1e-6)


@pytest.mark.parametrize("padding, _, border", BORDERS)
@pytest.mark.parametrize("size, nsig", KERNELS)
def test_filter_is_opencvs(cv2, size, nsig, padding, _, border):
    picture = images(17, 23)
    layer = GaussianFilter(size, nsig, padding=padding)
    rows, columns = layer.kernel_size
    anchor = ((columns - 1) // 2, (rows - 1) // 2)
    theirs = cv2.filter2D(picture, cv2.CV_32F, layer.kernel, anchor=anchor, borderType=getattr(cv2, border))
    np.testing.assert_allclose(by_layer(layer, picture), theirs, atol=1e-6)


def by_layer(layer, picture):
    return layer(tf.constant(picture[np.newaxis, :, :, np.newaxis])).numpy()[0, :, :, 0]


@pytest.mark.parametrize("size, tolerance", [(11, 0.008), (21, 0.002), (41, 0.0005)])
def test_large_kernel_is_the_sampled_bell_of_gaussian_blur(cv2, size, tolerance):
    picture = images(60, 70)
    # Standard deviations a pixel, from the definition; the square root makes the bell wider by the root of 2.
    deviation = np.sqrt(2) * size / (2 * 4 + (2 * 4 + 1) / size)
    theirs = cv2.GaussianBlur(picture, (size, size), deviation)
    np.testing.assert_allclose(by_layer(GaussianFilter(size, 4, padding="reflect"), picture), theirs, atol=tolerance)


@pytest.mark.parametrize("nsig", [2.0, 3.0])
def test_separable_filter_of_opencv_gives_the_same(cv2, nsig):
    picture = images(31, 29)
    profile = gaussian_kernel(7, nsig).sum(axis=0)
    theirs = cv2.sepFilter2D(picture, cv2.CV_32F, profile, profile)
    np.testing.assert_allclose(by_layer(GaussianFilter(7, nsig, padding="reflect"), picture), theirs, atol=1e-6)


def test_sum_of_the_image_is_kept(mode):
    x = images(2, 12, 15, 3, dtype="float64")
    y = mode.run(GaussianFilter(5, 3, padding="symmetric", dtype="float64"), x)
    np.testing.assert_allclose(y.sum(axis=(1, 2)), x.sum(axis=(1, 2)), rtol=1e-13)
    framed = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), "constant")
    y = mode.run(GaussianFilter(5, 3, padding="same", dtype="float64"), framed)
    np.testing.assert_allclose(y.sum(axis=(1, 2)), x.sum(axis=(1, 2)), rtol=1e-13)


@pytest.mark.parametrize("padding, corner", [("same", 0.651), ("reflect", 1), ("symmetric", 1), ("edge", 1)])
def test_flat_image_stays_flat_but_for_zeros_around_it(mode, padding, corner):
    y = mode.run(GaussianFilter(3, 3, padding=padding), np.ones((1, 8, 8, 2), "float32"))
    np.testing.assert_allclose(y[:, 1:-1, 1:-1], np.ones((1, 6, 6, 2)), atol=1e-6)
    np.testing.assert_allclose(y[0, 0, 0], [corner, corner], atol=1e-3)


@pytest.mark.parametrize("size, corner", [(3, 0.651), (5, 0.482), (9, 0.367)])
def test_corner_of_a_white_image_with_zeros_around(mode, size, corner):
    y = mode.run(GaussianFilter(size), np.ones((1, 20, 20, 1), "float32"))
    assert y[0, 0, 0, 0] == pytest.approx(corner, abs=1e-3)


@pytest.mark.parametrize("size, sigma", [(3, 0.8), ((5, 7), (1.2, 2.0)), (9, 0.1), (31, 4.5)])
def test_sigma_is_in_pixels_as_opencvs(cv2, size, sigma):
    rows, columns = size if isinstance(size, tuple) else (size, size)
    down, across = sigma if isinstance(sigma, tuple) else (sigma, sigma)
    expected = cv2.getGaussianKernel(rows, down).dot(cv2.getGaussianKernel(columns, across).T)
    np.testing.assert_allclose(gaussian_kernel(size, sigma=sigma), expected, atol=1e-9)
    picture = images(31, 40)
    theirs = cv2.GaussianBlur(picture, (columns, rows), across, sigmaY=down)
    found = by_layer(GaussianFilter(size, sigma=sigma, padding="reflect"), picture)
    np.testing.assert_allclose(found, theirs, atol=1e-5)


def test_sigma_is_the_standard_deviation_where_the_kernel_holds_the_bell():
    profile = gaussian_kernel((1, 41), sigma=3.0)[0]
    assert np.sqrt(np.sum(profile * (np.arange(41) - 20.0) ** 2)) == pytest.approx(3.0, abs=1e-6)


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("sigma", [1e-320, 1e-3, 1e300])
def test_kernel_of_any_sigma_has_the_sum_1(size, sigma):
    kernel = gaussian_kernel(size, sigma=sigma)
    assert kernel.sum() == pytest.approx(1) and np.isfinite(kernel).all()
    np.testing.assert_array_equal(kernel, kernel[::-1, ::-1])


@pytest.mark.parametrize("padding, least", [("valid", 7), ("reflect", 4), ("symmetric", 3), ("edge", 1), ("same", 1)])
def test_image_that_is_too_small_is_told_when_the_model_is_built(mode, padding, least):
    layer = GaussianFilter((1, 7), padding=padding)
    y = mode.run(layer, images(1, 1, least, 2))
    assert y.shape == tuple(layer.compute_output_shape((1, 1, least, 2)))
    if least > 1:
        message = "kernel of 7 pixels wants images of at least {}, got {} columns".format(least, least - 1)
        with pytest.raises(ValueError, match=message):
            GaussianFilter((1, 7), padding=padding)(tf.keras.Input((1, least - 1, 2)))
        with pytest.raises(ValueError, match=message):
            layer.compute_output_shape((None, 1, least - 1, 2))
        first = GaussianFilter((1, 7), padding=padding, data_format="channels_first")
        with pytest.raises(ValueError, match=message):
            first.compute_output_shape((None, 2, 1, least - 1))


def test_every_channel_is_filtered_by_itself(mode):
    x = np.zeros((1, 7, 7, 3), "float32")
    x[0, 3, 3] = [1, 2, 0]
    layer = GaussianFilter(3, 3)
    y = mode.run(layer, x)
    for channel, factor in enumerate([1, 2, 0]):
        np.testing.assert_allclose(y[0, 2:5, 2:5, channel], factor * layer.kernel, atol=1e-6)


@pytest.mark.parametrize("padding", ["same", "valid", "reflect", "symmetric", "edge"])
@pytest.mark.parametrize("size, strides, dilation", [(3, 2, 1), ((3, 5), 3, 1), (3, 1, 2), ((5, 3), 1, (1, 3))])
def test_size_of_the_result_is_the_one_computed(mode, padding, size, strides, dilation):
    x = images(2, 16, 13, 2)
    layer = GaussianFilter(size, strides=strides, dilation_rate=dilation, padding=padding)
    y = mode.run(layer, x)
    assert tuple(layer.compute_output_shape(x.shape)) == y.shape
    assert tuple(layer.compute_output_shape((None, None, None, 2))) == (None, None, None, 2)


@pytest.mark.parametrize("padding", ["reflect", "symmetric", "edge"])
def test_strides_take_every_nth_pixel_and_dilation_spreads_the_taps(mode, padding):
    x = images(1, 16, 13, 2)
    kernel = gaussian_kernel(5)
    y = mode.run(GaussianFilter(5, strides=3, padding=padding), x)
    np.testing.assert_allclose(y, correlate(x, kernel, padding)[:, ::3, ::3], atol=1e-6)
    spread = np.zeros((9, 13))
    spread[::2, ::3] = kernel
    y = mode.run(GaussianFilter(5, dilation_rate=(2, 3), padding=padding), x)
    np.testing.assert_allclose(y, correlate(x, spread, padding), atol=1e-6)


@pytest.mark.parametrize("padding", ["same", "valid", "reflect", "edge"])
def test_channels_first_gives_the_same_transposed(mode, padding):
    x = images(2, 9, 11, 3)
    last = mode.run(GaussianFilter((3, 5), padding=padding, data_format="channels_last"), x)
    layer = GaussianFilter((3, 5), padding=padding, data_format="channels_first")
    first = mode.run(layer, np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    np.testing.assert_array_equal(first.transpose(0, 2, 3, 1), last)
    assert tuple(layer.compute_output_shape((2, 3, 9, 11))) == first.shape


@pytest.mark.parametrize("dtype, tolerance", [("float16", 2e-3), ("float32", 1e-6), ("float64", 1e-14)])
def test_filter_works_in_its_type(mode, dtype, tolerance):
    x = images(1, 9, 9, 2, dtype=dtype)
    layer = GaussianFilter(5, padding="reflect", dtype=dtype)
    y = mode.run(layer, x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.astype("float64"), correlate(x, layer.kernel, "reflect"), atol=tolerance)


def test_gradient_is_the_filter_turned_around(mode):
    x = images(1, 8, 8, 1)
    layer = GaussianFilter((3, 5), padding="same")
    gradient = mode.gradient(lambda t: layer(t)[:, 4, 4], x)
    np.testing.assert_allclose(gradient[0, 3:6, 2:7, 0], layer.kernel, atol=1e-6)
    assert np.count_nonzero(gradient) == 15


def test_nothing_in_it_is_trained(mode):
    inputs = tf.keras.Input((None, None, 3))
    model = tf.keras.Model(inputs, gaussian_filter_block(inputs, 5, name="blur"))
    assert model.weights == [] and model.get_layer("blur").kernel_size == (5, 5)
    x = images(2, 10, 12, 3)
    np.testing.assert_allclose(model.predict(x, verbose=0), correlate(x, gaussian_kernel(5), "constant"), atol=1e-6)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"kernel_size": 0}, "kernel_size must be an integer of at least 1, got 0"),
        ({"kernel_size": 2.5}, "kernel_size must be an integer"),
        ({"kernel_size": (3, 3, 3)}, "kernel_size must be one value or a pair"),
        ({"nsig": 0}, "nsig must be positive and finite, got 0"),
        ({"sigma": 0}, "sigma must be positive and finite, got 0"),
        ({"sigma": 1, "nsig": 3}, "give nsig or sigma, not both: got 3 and 1"),
        ({"nsig": (1, float("inf"))}, "nsig must be positive and finite"),
        ({"strides": (1, 2)}, "strides must be equal for rows and columns"),
        ({"strides": 2, "dilation_rate": 2}, "cannot both be above 1"),
        ({"padding": "full"}, "padding must be one of 'same', 'valid', 'reflect', 'symmetric', 'edge', got 'full'"),
        ({"data_format": "NCHW"}, "data_format must be 'channels_last' or 'channels_first', got 'NCHW'"),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianFilter(**arguments)


def test_input_that_is_no_image_batch_is_told(mode):
    with pytest.raises(ValueError, match="GaussianFilter works on images, of rank 4"):
        mode.run(GaussianFilter(), images(4, 4, 3))
