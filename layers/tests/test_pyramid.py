"""The Laplacian pyramid: bands, sizes and reconstruction."""

import numpy as np
import pytest
import tensorflow as tf
from filtering import correlate

from fireclay import LaplacianAnalysis, LaplacianSynthesis, gaussian_kernel

SIZES = [(32, 32), (33, 47), (1, 1), (2, 3), (1, 17), (64, 5)]


def images(*shape, dtype="float32"):
    return np.random.RandomState(6).uniform(0, 1, shape).astype(dtype)


def halved(pixels, times):
    for _ in range(times):
        pixels = (pixels + 1) // 2
    return pixels


@pytest.mark.parametrize("levels", [1, 3, 6])
@pytest.mark.parametrize("size", SIZES)
def test_synthesis_gives_the_image_back(mode, size, levels):
    x = images(2, size[0], size[1], 3)
    bands = mode.run(LaplacianAnalysis(levels), x)
    assert [band.shape for band in bands] == [
        (2, halved(size[0], level), halved(size[1], level), 3) for level in range(levels + 1)
    ]
    y = mode.run(lambda *given: LaplacianSynthesis()(list(given)), *bands)
    np.testing.assert_allclose(y, x, atol=1e-6)


@pytest.mark.parametrize("kernel_size, nsig", [(3, 3.0), (7, 2.0), (9, 4.0)])
def test_reconstruction_does_not_depend_on_the_kernel(mode, kernel_size, nsig):
    x = images(1, 21, 30, 2)
    bands = mode.run(LaplacianAnalysis(4, kernel_size, nsig), x)
    y = mode.run(lambda *given: LaplacianSynthesis(kernel_size, nsig)(list(given)), *bands)
    np.testing.assert_allclose(y, x, atol=1e-6)


@pytest.mark.parametrize("dtype, tolerance", [("float16", 2e-3), ("float32", 1e-5), ("float64", 1e-13)])
def test_reconstruction_in_each_type(mode, dtype, tolerance):
    x = images(1, 19, 26, 2, dtype=dtype)
    bands = mode.run(LaplacianAnalysis(3, dtype=dtype), x)
    y = mode.run(lambda *given: LaplacianSynthesis(dtype=dtype)(list(given)), *bands)
    assert [each.dtype for each in [*bands, y]] == [dtype] * 5
    np.testing.assert_allclose(y.astype("float64"), x.astype("float64"), atol=tolerance)


def by_numpy(image, kernel_size, nsig):
    """One level as Burt and Adelson define it: blur, decimate; zeros between the pixels, blur, normalise."""
    kernel = gaussian_kernel(kernel_size, nsig)
    small = correlate(image, kernel, "edge")[:, ::2, ::2]
    # Three pixels of border repeated around the small image stand for what lies beyond it.
    margin = 3
    around = np.pad(small, [(0, 0), (margin, margin), (margin, margin), (0, 0)], "edge")
    spread, ones = np.zeros((2, 1, 2 * around.shape[1], 2 * around.shape[2], 1))
    spread[:, ::2, ::2], ones[:, ::2, ::2] = around, 1
    grown = correlate(spread, kernel, "wrap") / correlate(ones, kernel, "wrap")
    grown = grown[:, 2 * margin :, 2 * margin :][:, : image.shape[1], : image.shape[2]]
    return image - grown, small


@pytest.mark.parametrize("kernel_size, nsig", [(3, 3.0), (5, 3.0), (7, 2.0)])
@pytest.mark.parametrize("size", [(16, 16), (13, 22)])
def test_bands_are_those_of_the_paper(mode, size, kernel_size, nsig):
    image = images(1, *size, 1, dtype="float64")
    bands = mode.run(LaplacianAnalysis(2, kernel_size, nsig, dtype="float64"), image)
    for band in bands[:-1]:
        expected, image = by_numpy(image, kernel_size, nsig)
        np.testing.assert_allclose(band, expected, atol=1e-12)
    np.testing.assert_allclose(bands[-1], image, atol=1e-12)


def test_flat_image_has_no_detail_up_to_its_border(mode):
    x = np.full((1, 13, 18, 2), 0.7, "float32")
    bands = mode.run(LaplacianAnalysis(3), x)
    for band in bands[:-1]:
        np.testing.assert_allclose(band, np.zeros(band.shape), atol=1e-6)
    np.testing.assert_allclose(bands[-1], np.full(bands[-1].shape, 0.7), atol=1e-6)


def test_channels_first_gives_the_same_transposed(mode):
    x = images(2, 11, 14, 3)
    last = mode.run(LaplacianAnalysis(2, data_format="channels_last"), x)
    first = mode.run(LaplacianAnalysis(2, data_format="channels_first"), np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    for one, other in zip(first, last):
        np.testing.assert_array_equal(one.transpose(0, 2, 3, 1), other)
    y = mode.run(lambda *given: LaplacianSynthesis(data_format="channels_first")(list(given)), *first)
    np.testing.assert_allclose(y.transpose(0, 2, 3, 1), x, atol=1e-6)


def sizes(tensor):
    return tuple(tf.TensorShape(tensor.shape).as_list()[1:])


def test_model_of_unknown_size_takes_any(mode):
    inputs = tf.keras.Input((None, None, 2))
    bands = LaplacianAnalysis(2)(inputs)
    assert [sizes(band) for band in bands] == [(None, None, 2)] * 3
    model = tf.keras.Model(inputs, LaplacianSynthesis()(bands))
    assert model.weights == []
    for size in [(9, 8), (20, 31)]:
        x = images(1, size[0], size[1], 2)
        np.testing.assert_allclose(model.predict(x, verbose=0), x, atol=1e-6)


def test_band_can_be_replaced_in_the_list(mode):
    inputs = tf.keras.Input((None, None, 1))
    bands = LaplacianAnalysis(2)(inputs)
    bands[0] = tf.keras.layers.Activation("relu")(bands[0])
    model = tf.keras.Model(inputs, [LaplacianSynthesis()(bands), bands[0]])
    x = images(1, 9, 8, 1)
    changed, positive = model.predict(x, verbose=0)
    finest = mode.run(LaplacianAnalysis(2), x)[0]
    np.testing.assert_allclose(positive, np.maximum(finest, 0), atol=1e-6)
    np.testing.assert_allclose(changed, x - np.minimum(finest, 0), atol=1e-6)


def test_known_size_is_known_of_every_band(mode):
    bands = LaplacianAnalysis(2)(tf.keras.Input((9, 14, 2)))
    assert [sizes(band) for band in bands] == [(9, 14, 2), (5, 7, 2), (3, 4, 2)]
    assert [tuple(shape) for shape in LaplacianAnalysis(2).compute_output_shape((None, 9, None, 2))] == [
        (None, 9, None, 2),
        (None, 5, None, 2),
        (None, 3, None, 2),
    ]


def test_gradient_of_the_round_trip_is_the_identitys(mode):
    x = images(1, 7, 10, 1)
    gradient = mode.gradient(lambda t: LaplacianSynthesis()(LaplacianAnalysis(2)(t)), x)
    np.testing.assert_allclose(gradient, np.ones_like(x), atol=1e-5)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"levels": 0}, "levels must be an integer of at least 1, got 0"),
        ({"kernel_size": 4}, "kernel_size must be odd, got 4"),
        ({"kernel_size": 1}, "kernel_size must be an integer of at least 3, got 1"),
        ({"nsig": -1}, "nsig must be positive"),
        ({"data_format": "last"}, "data_format must be"),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        LaplacianAnalysis(**arguments)


def wrong_bands():
    """Shapes that LaplacianAnalysis never gives together."""
    right = [(1, 9, 14, 2), (1, 5, 7, 2), (1, 3, 4, 2)]
    yield "reversed", right[::-1]
    yield "swapped", [right[0], right[2], right[1]]
    yield "one left out", [right[0], right[2]]
    yield "rest too large", [*right[:2], (1, 4, 4, 2)]
    yield "rest too small", [*right[:2], (1, 2, 4, 2)]
    yield "columns", [*right[:2], (1, 3, 5, 2)]
    yield "one pixel", [(1, 1, 1, 2), (1, 3, 3, 2)]
    yield "one pixel after many", [(1, 5, 5, 2), (1, 1, 1, 2)]
    yield "channels", [*right[:2], (1, 3, 4, 1)]
    yield "images", [(3, 9, 14, 2), *right[1:]]


@pytest.mark.parametrize("shapes", [shapes for _, shapes in wrong_bands()], ids=[name for name, _ in wrong_bands()])
def test_bands_whose_sizes_do_not_halve_are_refused(mode, shapes):
    """In a graph, where sizes are known only when it runs, by TensorFlow's own kind of error."""
    bands = [images(*shape) for shape in shapes]
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="each half the size of the one before"):
        mode.run(lambda *given: LaplacianSynthesis()(list(given)), *bands)
    first = [np.ascontiguousarray(band.transpose(0, 3, 1, 2)) for band in bands]
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="each half the size of the one before"):
        mode.run(lambda *given: LaplacianSynthesis(data_format="channels_first")(list(given)), *first)


def test_wrong_order_is_told_when_the_model_is_built():
    bands = LaplacianAnalysis(2)(tf.keras.Input((9, 14, 2)))
    message = r"after .*3, 4, 2.* band 1 must be .*2, 2, 2.*, got .*5, 7, 2"
    with pytest.raises(ValueError, match=message):
        LaplacianSynthesis()(bands[::-1])
    with pytest.raises(ValueError, match=message):
        LaplacianSynthesis().compute_output_shape([(None, 3, 4, 2), (None, 5, 7, 2), (None, 9, 14, 2)])


def test_layer_that_was_built_checks_later_sizes_too():
    layer = LaplacianSynthesis()
    layer([tf.zeros((1, 4, 4, 1)), tf.zeros((1, 2, 2, 1))])
    with pytest.raises(ValueError, match="each half the size of the one before"):
        layer([tf.zeros((1, 4, 4, 1)), tf.zeros((1, 4, 4, 1))])


def test_synthesis_of_one_image_is_refused(mode):
    with pytest.raises(ValueError, match="takes the list of at least 2 bands"):
        mode.run(LaplacianSynthesis(), images(1, 4, 4, 1))
