"""Plain numpy versions of what TensorFlow computes, in float64 and without regard to speed."""

import numpy as np


def assert_within(actual, expected, tolerance):
    """Fails unless both have one shape, and no element differs by more than the tolerance."""
    actual, expected = np.asarray(actual), np.asarray(expected)
    assert actual.shape == expected.shape
    difference = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    assert not np.isnan(difference).any()
    if difference.size:
        worst = np.unravel_index(difference.argmax(), difference.shape) if difference.ndim else ()
        assert difference[worst] <= tolerance, "{} instead of {} at {}".format(
            actual[worst], expected[worst], worst
        )


def assert_equal(actual, expected):
    np.testing.assert_array_equal(actual, expected)


def noise(*shape, **options):
    """Normal numbers, the same for the same seed."""
    random = np.random.RandomState(options.get("seed", 0))
    return random.standard_normal(shape).astype(options.get("dtype", np.float32))


def psnr(actual, expected):
    """Peak signal-to-noise ratio of 8-bit pictures in dB."""
    return 10 * np.log10(255.0**2 / np.mean((actual.astype(np.float64) - expected.astype(np.float64)) ** 2))


def windows(x, size, strides, padding, fill=0.0):
    """The windows of x (batch, *space, channels): (batch, *outputs, taps, channels). Padding as TensorFlow places it."""
    margins, outputs = [(0, 0)], []
    for pixels, taps, stride in zip(x.shape[1:], size, strides):
        if padding == "SAME":
            count = -(-pixels // stride)
            lacking = max((count - 1) * stride + taps - pixels, 0)
            margins.append((lacking // 2, lacking - lacking // 2))
        else:
            count = (pixels - taps) // stride + 1
            margins.append((0, 0))
        outputs.append(count)
    padded = np.pad(x.astype(np.float64), [*margins, (0, 0)], "constant", constant_values=fill)
    result = np.empty((x.shape[0], *outputs, *size, x.shape[-1]))
    for place in np.ndindex(*outputs):
        start = [index * stride for index, stride in zip(place, strides)]
        cut = tuple(slice(begin, begin + taps) for begin, taps in zip(start, size))
        result[(slice(None), *place)] = padded[(slice(None), *cut)]
    return result.reshape(x.shape[0], *outputs, int(np.prod(size)), x.shape[-1])


def convolution(x, kernel, strides, padding):
    """kernel (*size, in, out), as in tf.nn.convolution: not flipped."""
    size = kernel.shape[:-2]
    taken = windows(x, size, strides, padding)
    return np.tensordot(taken, kernel.astype(np.float64).reshape(-1, *kernel.shape[-2:]), axes=2)


def depthwise(x, kernel, strides, padding):
    taken = windows(x, kernel.shape[:2], strides, padding)
    taps = kernel.astype(np.float64).reshape(-1, *kernel.shape[-2:])
    result = np.einsum("...kc,kcm->...cm", taken, taps)
    return result.reshape(*result.shape[:-2], -1)


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, np.float64)))


def softmax(x):
    odds = np.exp(np.asarray(x, np.float64) - np.max(x, axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)
