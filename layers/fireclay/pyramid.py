"""The Laplacian pyramid (Burt and Adelson, "The Laplacian Pyramid as a Compact Image Code", 1983)."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
import tensorflow as tf

from fireclay import _keras
from fireclay._array import Array
from fireclay.gaussian import depthwise, gaussian_kernel, gaussian_profile, pad


def _half(pixels: Optional[int]) -> Optional[int]:
    return None if pixels is None else (pixels + 1) // 2


def reduce(x: _keras.Tensor, kernel_size: int, nsig: float) -> _keras.Tensor:
    """Blurs the images (batch, rows, columns, channels) and keeps every other pixel, from the first on."""
    kernel = gaussian_kernel(kernel_size, nsig)
    margin = kernel_size // 2
    padded = pad(x, [(margin, margin)] * 2, "edge")
    return depthwise(padded, kernel[:, :, np.newaxis], strides=2)


def _phases(kernel_size: int, nsig: float) -> Array:
    """The taps on the small image that give an even and an odd pixel of the large one, each pair of sum 1.

    A pixel of the large image sees only every other tap of the blur, for the rest lie on the zeros between the
    small image's pixels; scaled to sum 1 they leave a flat image flat.
    """
    taps = np.pad(gaussian_profile(kernel_size, nsig), 2, "constant")
    centre, reach = len(taps) // 2, (kernel_size // 2 + 1) // 2
    phases = taps[centre + 2 * np.arange(-reach, reach + 1) - np.array([[0], [1]])]
    return np.asarray(phases / phases.sum(axis=1, keepdims=True))


def expand(x: _keras.Tensor, like: _keras.Tensor, kernel_size: int, nsig: float) -> _keras.Tensor:
    """The small images on the grid of `like`, whose size is twice theirs or one less."""
    phases = _phases(kernel_size, nsig)
    reach = phases.shape[1] // 2
    # No comprehension: AutoGraph of TensorFlow 1.15, which rewrites a layer's call, gets two loops in one wrong.
    kernels = np.einsum("pi,qj->ijpq", phases, phases).reshape(phases.shape[1], phases.shape[1], 4)
    grown = depthwise(pad(x, [(reach, reach)] * 2, "edge"), kernels)
    rows, columns, channels = (tf.shape(x)[axis] for axis in (1, 2, 3))
    grown = tf.reshape(grown, tf.stack([-1, rows, columns, channels, 4]))
    # Each channel has four results: even and odd rows, even and odd columns within them. Two small transposes
    # of 5 axes rather than one of 6, which not every converter takes.
    grown = tf.transpose(grown, [0, 1, 2, 4, 3])
    grown = tf.reshape(grown, tf.stack([-1, columns, 2, 2, channels]))
    grown = tf.transpose(grown, [0, 2, 1, 3, 4])
    grown = tf.reshape(grown, tf.stack([-1, 2 * rows, 2 * columns, channels]))
    return grown[:, : tf.shape(like)[1], : tf.shape(like)[2], :]


class _Laplacian(_keras.FloatingLayer):
    def __init__(
        self, kernel_size: int = 5, nsig: float = 3.0, data_format: Optional[str] = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kernel_size = _keras.integer("kernel_size", kernel_size, least=3)
        if self.kernel_size % 2 == 0:
            raise ValueError("kernel_size must be odd, got {!r}".format(kernel_size))
        self.nsig = _keras.positive("nsig", nsig)
        self.data_format = _keras.data_format(data_format)

    def _expand(self, x: _keras.Tensor, like: _keras.Tensor) -> _keras.Tensor:
        grown = expand(x, like, self.kernel_size, self.nsig)
        grown.set_shape(like.shape)
        return grown

    def get_config(self) -> Dict[str, Any]:
        config: Dict[str, Any] = super().get_config()
        config.update(kernel_size=self.kernel_size, nsig=self.nsig, data_format=self.data_format)
        return config


@_keras.serializable
class LaplacianAnalysis(_Laplacian):
    """Splits images into bands of detail, one octave each, and what is left.

    Input: (batch, rows, columns, channels), or (batch, channels, rows, columns) for "channels_first"; any size
    from 1 pixel on, odd or even, which may be unknown until run time. Output: a list of levels + 1 tensors in the
    same order of axes: first the finest band, of the input's size, each next half its size, rounded up; the last
    is the small blurred image. LaplacianSynthesis puts them together again.

    Args:
        levels: the number of bands, at least 1.
        kernel_size, nsig: of the blur, see gaussian_kernel; an odd integer of at least 3, and a number.
        data_format: "channels_last", "channels_first", or None for Keras's own setting.

    Raises:
        ValueError: for an argument outside what is said here, or an input that is not of rank 4.
    """

    def __init__(
        self, levels: int = 3, kernel_size: int = 5, nsig: float = 3.0, data_format: Optional[str] = None, **kwargs: Any
    ) -> None:
        super().__init__(kernel_size, nsig, data_format, **kwargs)
        self.levels = _keras.integer("levels", levels)

    def __call__(self, *args: Any, **kwargs: Any) -> List[_keras.Tensor]:
        # A list of the caller's own: Keras keeps the one it returns, and a band replaced there would break the model.
        return list(super().__call__(*args, **kwargs))

    def build(self, input_shape: Any) -> None:
        _keras.image_shape(input_shape, "LaplacianAnalysis")
        super().build(input_shape)

    def call(self, inputs: _keras.Tensor) -> List[_keras.Tensor]:
        image = _keras.to_channels_last(_keras.floating(inputs), self.data_format)
        bands = []
        for _ in range(self.levels):
            small = reduce(image, self.kernel_size, self.nsig)
            bands.append(image - self._expand(small, image))
            image = small
        return [_keras.from_channels_last(band, self.data_format) for band in [*bands, image]]

    def compute_output_shape(self, input_shape: Any) -> List[Tuple[Optional[int], ...]]:
        shape = _keras.image_shape(input_shape, "LaplacianAnalysis")
        size = _keras.spatial(shape, self.data_format)
        shapes = []
        for _ in range(self.levels + 1):
            shapes.append(_keras.with_spatial(shape, size, self.data_format))
            size = _half(size[0]), _half(size[1])
        return shapes

    def get_config(self) -> Dict[str, Any]:
        config: Dict[str, Any] = super().get_config()
        config.update(levels=self.levels)
        return config


@_keras.serializable
class LaplacianSynthesis(_Laplacian):
    """The images from the list of bands that LaplacianAnalysis gave, for any number of levels.

    Input: that list, in that order, with the bands changed or not. Output: one tensor of the first band's shape. With the
    same kernel_size and nsig and unchanged bands it is the original but for rounding: to 1e-6 of the largest value in
    float32.

    Args and errors: as LaplacianAnalysis; ValueError also for an input that is not a list of at least two tensors, or
    whose sizes do not halve from each to the next. Sizes that are known only at run time are checked there.
    """

    def build(self, input_shape: Any) -> None:
        if not isinstance(input_shape, (list, tuple)) or len(input_shape) < 2 or _is_shape(input_shape):
            raise ValueError("LaplacianSynthesis takes the list of at least 2 bands that LaplacianAnalysis gives")
        _check_bands(input_shape, self.data_format)
        super().build(input_shape)

    def call(self, inputs: Sequence[_keras.Tensor]) -> _keras.Tensor:
        bands = [_keras.floating(band) for band in inputs]
        _check_bands([band.shape for band in bands], self.data_format)
        bands = [_keras.to_channels_last(band, self.data_format) for band in bands]
        image = bands[-1]
        for band in reversed(bands[:-1]):
            with tf.control_dependencies(_checks(band, image)):
                image = tf.identity(image)
            image = band + self._expand(image, band)
        return _keras.from_channels_last(image, self.data_format)

    def compute_output_shape(self, input_shape: Any) -> Tuple[Optional[int], ...]:
        _check_bands(input_shape, self.data_format)
        return tuple(_keras.image_shape(input_shape[0], "LaplacianSynthesis"))


def _is_shape(value: Any) -> bool:
    return all(isinstance(each, int) or each is None for each in value)


def _check_bands(shapes: Sequence[Any], order: str) -> None:
    """ValueError where a known size of a band is not half that of the one before, or images and channels differ."""
    shapes = [_keras.image_shape(shape, "LaplacianSynthesis") for shape in shapes]
    for number, (large, small) in enumerate(zip(shapes, shapes[1:])):
        half = [_half(pixels) for pixels in _keras.spatial(large, order)]
        wanted = _keras.with_spatial(large, (half[0], half[1]), order)
        if any(size != other for size, other in zip(small, wanted) if size is not None and other is not None):
            raise ValueError(
                "LaplacianSynthesis takes the bands in LaplacianAnalysis's order, each half the size of the one before: "
                "after {} band {} must be {}, got {}".format(tuple(large), number + 1, wanted, tuple(small))
            )


def _checks(large: _keras.Tensor, small: _keras.Tensor) -> List[Any]:
    """The same for sizes that are not known before run time, of images in channels_last."""
    if None not in _keras.as_list(large.shape) + _keras.as_list(small.shape):
        return []
    sizes = tf.shape(large)
    wanted = tf.stack([sizes[0], (sizes[1] + 1) // 2, (sizes[2] + 1) // 2, sizes[3]])
    message = "LaplacianSynthesis takes the bands in LaplacianAnalysis's order, each half the size of the one before"
    return [tf.debugging.assert_equal(tf.shape(small), wanted, message=message)]
