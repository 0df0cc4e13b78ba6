"""A fixed Gaussian filter."""

import math

import numpy as np
import tensorflow as tf

from fireclay import _keras

PADDINGS = ("same", "valid", "reflect", "symmetric", "edge")


def gaussian_profile(size, nsig):
    """The filter along one axis, float64, of sum 1.

    The normal distribution from -nsig to nsig standard deviations, widened by half a cell on both sides, is cut
    into `size` cells; a tap is the square root of the probability of its cell.
    """
    size, nsig = _keras.integer("kernel_size", size), _keras.positive("nsig", nsig)
    half_cell = (2 * nsig + 1) / size / 2
    edges = np.linspace(-nsig - half_cell, nsig + half_cell, size + 1)
    # The lower half only, mirrored: differences of a function close to 1 would lose the small taps.
    below = np.array([math.erfc(-edge / math.sqrt(2)) / 2 for edge in edges[: size // 2 + 1]])
    lower = np.diff(below)
    middle = [1 - 2 * below[-1]] if size % 2 else []
    taps = np.sqrt(np.concatenate([lower, middle, lower[::-1]]))
    return taps / taps.sum()


def gaussian_kernel(kernel_size, nsig=3.0):
    """The filter of GaussianFilter: a float64 array (rows, columns) of sum 1.

    It is the square root of the outer product of two axes' differences of the normal distribution function, scaled
    to sum 1. The root widens the bell: with nsig 3 its standard deviation is 0.62 pixels for 3 taps, 0.99 for 5.

    Args:
        kernel_size: pixels, an integer or (rows, columns).
        nsig: how many standard deviations the kernel spans to each side, a number or (rows, columns).
    """
    rows, columns = _keras.pair("kernel_size", kernel_size, _keras.integer)
    down, across = _keras.pair("nsig", nsig, _keras.positive)
    return np.outer(gaussian_profile(rows, down), gaussian_profile(columns, across))


def _pad_edge(x, axis, before, after):
    """Repeats the border: unlike tf.pad's modes, for any size from 1 pixel on."""
    first, last = (x[:, :1], x[:, -1:]) if axis == 1 else (x[:, :, :1], x[:, :, -1:])
    return tf.concat([first] * before + [x] + [last] * after, axis=axis)


def pad(x, margins, mode):
    """The images (batch, rows, columns, channels) with ((above, below), (left, right)) more pixels."""
    if mode == "edge":
        for axis, (before, after) in zip((1, 2), margins):
            x = _pad_edge(x, axis, before, after)
        return x
    return tf.pad(x, [[0, 0], list(margins[0]), list(margins[1]), [0, 0]], mode.upper())


def depthwise(x, kernels, strides=1, dilation_rate=(1, 1), padding="VALID"):
    """Filters each channel by itself; kernels (rows, columns, n) give n results a channel, next to each other."""
    channels = x.shape[-1]
    channels = getattr(channels, "value", channels)
    weights = tf.constant(kernels[:, :, np.newaxis, :], x.dtype)
    weights = tf.tile(weights, [1, 1, tf.shape(x)[-1] if channels is None else channels, 1])
    rate = {"rate" if _keras.IS_TF1 else "dilations": list(dilation_rate)}
    return tf.nn.depthwise_conv2d(x, weights, [1, strides, strides, 1], padding, **rate)


@_keras.serializable
class GaussianFilter(tf.keras.layers.Layer):
    """Blurs every channel with gaussian_kernel, as a fixed depthwise convolution: the layer has no weights.

    Input: (batch, rows, columns, channels), or (batch, channels, rows, columns) for "channels_first"; every size
    but the number of axes may be unknown until run time. Output: the same order and type, rows and columns
    divided by strides and rounded up; for padding "valid" first reduced by the kernel's extent less 1.

    Args:
        kernel_size: pixels, an integer or (rows, columns).
        nsig: standard deviations from the kernel's centre to its end, a number or (rows, columns).
        strides: pixels from one result to the next, an integer; a pair must be equal, since TensorFlow's depthwise
            convolution knows no other.
        dilation_rate: pixels from one tap to the next, an integer or (rows, columns); above 1 only with strides 1.
        padding: what lies beyond the border. "same": zeros, placed as TensorFlow does, which darkens the border;
            "valid": nothing is computed there; "reflect": dcb|abcd|cba, OpenCV's default; "symmetric": cba|abcd|dcb,
            which keeps the sum of the image; "edge": aaa|abcd|ddd. "reflect" wants images larger than half the
            kernel, "symmetric" at least as large.
        data_format: "channels_last", "channels_first", or None for Keras's own setting.

    Raises:
        ValueError: for an argument outside what is said here, or an input that is not of rank 4.
    """

    def __init__(self, kernel_size=3, nsig=3.0, strides=1, dilation_rate=1, padding="same", data_format=None, **kwargs):
        super().__init__(**kwargs)
        self.kernel_size = _keras.pair("kernel_size", kernel_size, _keras.integer)
        self.nsig = _keras.pair("nsig", nsig, _keras.positive)
        self.strides = _keras.pair("strides", strides, _keras.integer)
        self.dilation_rate = _keras.pair("dilation_rate", dilation_rate, _keras.integer)
        padding = padding.lower() if isinstance(padding, str) else padding
        self.padding = _keras.one_of("padding", padding, PADDINGS)
        self.data_format = _keras.data_format(data_format)
        if self.strides[0] != self.strides[1]:
            raise ValueError("strides must be equal for rows and columns, got {!r}".format(strides))
        if self.strides[0] > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "strides and dilation_rate cannot both be above 1, got {!r} and {!r}".format(strides, dilation_rate)
            )

    @property
    def kernel(self):
        """The filter's taps, a float64 array (rows, columns)."""
        return gaussian_kernel(self.kernel_size, self.nsig)

    def build(self, input_shape):
        _keras.image_shape(input_shape, "GaussianFilter")
        super().build(input_shape)

    def call(self, inputs):
        x = _keras.to_channels_last(_keras.floating(inputs), self.data_format)
        padding = "SAME" if self.padding == "same" else "VALID"
        # TensorFlow's SAME wants the image's size beforehand when taps are apart; strides are 1 then.
        zeros = self.padding == "same" and max(self.dilation_rate) > 1
        if zeros or self.padding not in ("same", "valid"):
            extents = [self._extent(axis) for axis in (0, 1)]
            margins = [((extent - 1) // 2, extent // 2) for extent in extents]
            x, padding = pad(x, margins, "constant" if zeros else self.padding), "VALID"
        x = depthwise(x, self.kernel[:, :, np.newaxis], self.strides[0], self.dilation_rate, padding)
        return _keras.from_channels_last(x, self.data_format)

    def _extent(self, axis):
        return (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1

    def compute_output_shape(self, input_shape):
        shape = _keras.image_shape(input_shape, "GaussianFilter")
        lost = [self._extent(axis) - 1 if self.padding == "valid" else 0 for axis in (0, 1)]
        size = [
            None if pixels is None else -(-(pixels - less) // self.strides[0])
            for pixels, less in zip(_keras.spatial(shape, self.data_format), lost)
        ]
        return _keras.with_spatial(shape, size, self.data_format)

    def get_config(self):
        config = super().get_config()
        for name in ("kernel_size", "nsig", "strides", "dilation_rate", "padding", "data_format"):
            config[name] = getattr(self, name)
        return config


def gaussian_filter_block(
    x, kernel_size=3, nsig=3.0, strides=1, dilation_rate=1, padding="same", data_format=None, name=None
):
    """Applies a new GaussianFilter to the tensor x of a Keras model; the arguments are the layer's."""
    layer = GaussianFilter(kernel_size, nsig, strides, dilation_rate, padding, data_format, name=name)
    return layer(x)
