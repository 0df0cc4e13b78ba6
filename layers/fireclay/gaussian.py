"""A fixed Gaussian filter."""

import math
from typing import Any, Dict, Optional, Sequence, Tuple, Union

import numpy as np
import tensorflow as tf

from fireclay import _keras
from fireclay._array import Array

PADDINGS = ("same", "valid", "reflect", "symmetric", "edge")
NSIG = 3.0

Pixels = Union[int, Sequence[int]]
Number = Union[float, Sequence[float]]
Margins = Sequence[Tuple[int, int]]


def sampled_profile(size: int, sigma: float) -> Array:
    """The normal density of a standard deviation in pixels, at the pixels around its middle, scaled to sum 1: float64.

    It is OpenCV's getGaussianKernel.
    """
    size, sigma = _keras.integer("kernel_size", size), _keras.positive("sigma", sigma)
    offsets = np.abs(np.arange(size) - (size - 1) / 2)
    # Relative to the innermost tap, which stays 1 however narrow the bell.
    with np.errstate(over="ignore"):
        taps = np.exp(-(offsets**2 - offsets.min() ** 2) / 2 / sigma / sigma)
    return np.asarray(taps / taps.sum())


def gaussian_profile(size: int, nsig: float) -> Array:
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
    return np.asarray(taps / taps.sum())


def _widths(nsig: Optional[Number], sigma: Optional[Number]) -> Tuple[Any, Any]:
    """(nsig, sigma) as pairs, one of them None."""
    if sigma is None:
        return _keras.pair("nsig", NSIG if nsig is None else nsig, _keras.positive), None
    if nsig is not None:
        raise ValueError("give nsig or sigma, not both: got {!r} and {!r}".format(nsig, sigma))
    return None, _keras.pair("sigma", sigma, _keras.positive)


def gaussian_kernel(kernel_size: Pixels, nsig: Optional[Number] = None, sigma: Optional[Number] = None) -> Array:
    """The filter of GaussianFilter: a float64 array (rows, columns) of sum 1.

    With nsig it is the square root of the outer product of two axes' differences of the normal distribution function,
    scaled to sum 1. The root widens the bell: with nsig 3 its standard deviation is 0.62 pixels for 3 taps, 0.99 for 5.
    With sigma it is the normal density at the pixels, scaled to sum 1, as in OpenCV's GaussianBlur.

    Args:
        kernel_size: pixels, an integer or (rows, columns).
        nsig: how many standard deviations the kernel spans to each side, a number or (rows, columns); 3 unless given.
        sigma: instead of nsig, the standard deviation in pixels, a number or (rows, columns).
    """
    rows, columns = _keras.pair("kernel_size", kernel_size, _keras.integer)
    by_nsig, by_sigma = _widths(nsig, sigma)
    profile, (down, across) = (gaussian_profile, by_nsig) if by_sigma is None else (sampled_profile, by_sigma)
    return np.outer(profile(rows, down), profile(columns, across))


def _pad_edge(x: _keras.Tensor, axis: int, before: int, after: int) -> _keras.Tensor:
    """Repeats the border: unlike tf.pad's modes, for any size from 1 pixel on."""
    first, last = (x[:, :1], x[:, -1:]) if axis == 1 else (x[:, :, :1], x[:, :, -1:])
    return tf.concat([first] * before + [x] + [last] * after, axis=axis)


def pad(x: _keras.Tensor, margins: Margins, mode: str) -> _keras.Tensor:
    """The images (batch, rows, columns, channels) with ((above, below), (left, right)) more pixels."""
    if mode == "edge":
        for axis, (before, after) in zip((1, 2), margins):
            x = _pad_edge(x, axis, before, after)
        return x
    return tf.pad(x, [[0, 0], list(margins[0]), list(margins[1]), [0, 0]], mode.upper())


def depthwise(
    x: _keras.Tensor,
    kernels: Array,
    strides: int = 1,
    dilation_rate: Sequence[int] = (1, 1),
    padding: str = "VALID",
) -> _keras.Tensor:
    """Filters each channel by itself; kernels (rows, columns, n) give n results a channel, next to each other."""
    channels = x.shape[-1]
    channels = getattr(channels, "value", channels)
    weights = tf.constant(kernels[:, :, np.newaxis, :], x.dtype)
    weights = tf.tile(weights, [1, 1, tf.shape(x)[-1] if channels is None else channels, 1])
    rate = {"rate" if _keras.IS_TF1 else "dilations": list(dilation_rate)}
    return tf.nn.depthwise_conv2d(x, weights, [1, strides, strides, 1], padding, **rate)


@_keras.serializable
class GaussianFilter(_keras.FloatingLayer):
    """Blurs every channel with gaussian_kernel, as a fixed depthwise convolution: the layer has no weights.

    Input: (batch, rows, columns, channels), or (batch, channels, rows, columns) for "channels_first"; every size
    but the number of axes may be unknown until run time. Output: the same order, rows and columns divided by strides
    and rounded up; for padding "valid" first reduced by the kernel's extent less 1. The type is the layer's dtype, as in
    Keras's own layers: on TensorFlow 2 that is float32 unless given, and a float64 input comes back as float32.

    Args:
        kernel_size: pixels, an integer or (rows, columns).
        nsig: standard deviations from the kernel's centre to its end, a number or (rows, columns); 3 unless given.
        strides: pixels from one result to the next, an integer; a pair must be equal, since TensorFlow's depthwise
            convolution knows no other.
        dilation_rate: pixels from one tap to the next, an integer or (rows, columns); above 1 only with strides 1.
        padding: what lies beyond the border. "same": zeros, placed as TensorFlow does, which darkens the border;
            "valid": nothing is computed there; "reflect": dcb|abcd|cba, OpenCV's default; "symmetric": cba|abcd|dcb,
            which keeps the sum of the image; "edge": aaa|abcd|ddd. "reflect" wants images larger than half the
            kernel, "symmetric" at least as large, "valid" as large as the kernel.
        data_format: "channels_last", "channels_first", or None for Keras's own setting.
        sigma: instead of nsig, the standard deviation in pixels, a number or (rows, columns): see gaussian_kernel.

    Raises:
        ValueError: for an argument outside what is said here, an input that is not of rank 4, or images too small for
            the padding; of a size known only at run time TensorFlow's own error.
    """

    def __init__(
        self,
        kernel_size: Pixels = 3,
        nsig: Optional[Number] = None,
        strides: Pixels = 1,
        dilation_rate: Pixels = 1,
        padding: str = "same",
        data_format: Optional[str] = None,
        sigma: Optional[Number] = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = _keras.pair("kernel_size", kernel_size, _keras.integer)
        self.nsig, self.sigma = _widths(nsig, sigma)
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
    def kernel(self) -> Array:
        """The filter's taps, a float64 array (rows, columns)."""
        return gaussian_kernel(self.kernel_size, self.nsig, self.sigma)

    def build(self, input_shape: Any) -> None:
        self._size(input_shape)
        super().build(input_shape)

    def call(self, inputs: _keras.Tensor) -> _keras.Tensor:
        x = _keras.floating(inputs)
        self._size(x.shape)
        x = _keras.to_channels_last(x, self.data_format)
        padding = "SAME" if self.padding == "same" else "VALID"
        # TensorFlow's SAME wants the image's size beforehand when taps are apart; strides are 1 then.
        zeros = self.padding == "same" and max(self.dilation_rate) > 1
        if zeros or self.padding not in ("same", "valid"):
            x, padding = pad(x, self._margins(), "constant" if zeros else self.padding), "VALID"
        x = depthwise(x, self.kernel[:, :, np.newaxis], self.strides[0], self.dilation_rate, padding)
        return _keras.from_channels_last(x, self.data_format)

    def _extent(self, axis: int) -> int:
        return (self.kernel_size[axis] - 1) * self.dilation_rate[axis] + 1

    def _margins(self) -> Margins:
        extents = [self._extent(axis) for axis in (0, 1)]
        return [((extent - 1) // 2, extent // 2) for extent in extents]

    def _size(self, shape: Any) -> _keras.Size:
        """(rows, columns) of the result; ValueError for an image that is too small."""
        rows, columns = _keras.spatial(_keras.image_shape(shape, "GaussianFilter"), self.data_format)
        return self._pixels(0, rows), self._pixels(1, columns)

    def _pixels(self, axis: int, pixels: Optional[int]) -> Optional[int]:
        if pixels is None:
            return None
        extent = self._extent(axis)
        least = {"valid": extent, "reflect": extent // 2 + 1, "symmetric": extent // 2}.get(self.padding, 1)
        least = max(1, least)
        if pixels < least:
            raise ValueError(
                "GaussianFilter with padding {!r} and a kernel of {} pixels wants images of at least {}, got {} {}".format(
                    self.padding, extent, least, pixels, ("rows", "columns")[axis]
                )
            )
        lost = extent - 1 if self.padding == "valid" else 0
        return -(-(pixels - lost) // self.strides[axis])

    def compute_output_shape(self, input_shape: Any) -> Tuple[Optional[int], ...]:
        shape = _keras.image_shape(input_shape, "GaussianFilter")
        return _keras.with_spatial(shape, self._size(shape), self.data_format)

    def get_config(self) -> Dict[str, Any]:
        config: Dict[str, Any] = super().get_config()
        for name in ("kernel_size", "nsig", "strides", "dilation_rate", "padding", "data_format", "sigma"):
            config[name] = getattr(self, name)
        return config


def gaussian_filter_block(
    x: _keras.Tensor,
    kernel_size: Pixels = 3,
    nsig: Optional[Number] = None,
    strides: Pixels = 1,
    dilation_rate: Pixels = 1,
    padding: str = "same",
    data_format: Optional[str] = None,
    name: Optional[str] = None,
    sigma: Optional[Number] = None,
) -> _keras.Tensor:
    """Applies a new GaussianFilter to the tensor x of a Keras model; the arguments are the layer's."""
    layer = GaussianFilter(kernel_size, nsig, strides, dilation_rate, padding, data_format, sigma, name=name)
    return layer(x)
