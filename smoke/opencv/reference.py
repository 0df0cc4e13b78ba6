"""Pictures to test on, and plain numpy versions of what OpenCV computes.

The references are written for clarity, in float64 and without regard to speed. Border pixels are OpenCV's
default, BORDER_REFLECT_101, which numpy's pad calls "reflect".
"""

import numpy as np


def assert_within(actual, expected, tolerance):
    """Fails unless both have one shape, and no element differs by more than the tolerance."""
    actual = np.asarray(actual)
    expected = np.asarray(expected)
    assert actual.shape == expected.shape
    difference = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    assert not np.isnan(difference).any()
    worst = np.unravel_index(difference.argmax(), difference.shape) if difference.ndim else ()
    assert difference[worst] <= tolerance, "{} instead of {} at {}".format(
        actual[worst], expected[worst], worst
    )


def assert_equal(actual, expected):
    assert_within(actual, expected, 0)


def psnr(actual, expected):
    """Peak signal-to-noise ratio of 8-bit pictures in dB."""
    error = np.mean((actual.astype(np.float64) - expected.astype(np.float64)) ** 2)
    return 10 * np.log10(255.0**2 / error) if error else float("inf")


def noise(shape, dtype=np.uint8, seed=0):
    """Every value as likely as any other: 0 to 255 for uint8, the whole range for other integers, 0 to 1 for floats."""
    random = np.random.RandomState(seed)
    if np.dtype(dtype).kind == "f":
        return random.random_sample(shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.randint(limits.min, limits.max + 1, size=shape, dtype=dtype)


def waves(height, width, dtype=np.uint8):
    """A smooth picture from about 27 to 228, with no period that fits the picture: no two places are alike."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    picture = 128 + 45 * np.sin(x / 7.3 + np.cos(y / 11.9)) + 55 * np.cos(y / 9.1 + x / 23.7)
    return picture.astype(dtype)


def texture(height, width, seed=7):
    """Blobs some 5 pixels wide with much contrast, the same at no two places: food for trackers and matchers."""
    random = np.random.RandomState(seed)
    spectrum = np.fft.rfft2(random.standard_normal((height, width)))
    fy = np.fft.fftfreq(height)[:, None]
    fx = np.fft.rfftfreq(width)[None, :]
    picture = np.fft.irfft2(spectrum * np.exp(-(fx**2 + fy**2) / (2 * 0.08**2)), s=(height, width))
    return np.clip(128 + 50 * picture / picture.std(), 0, 255).astype(np.uint8)


def correlate(image, kernel, pad_mode="reflect"):
    """What filter2D computes: the kernel is not flipped, its anchor is its centre."""
    image = image.astype(np.float64)
    rows, columns = kernel.shape
    padded = np.pad(image, ((rows // 2, rows // 2), (columns // 2, columns // 2)), mode=pad_mode)
    height, width = image.shape
    total = np.zeros(image.shape)
    for i in range(rows):
        for j in range(columns):
            total += kernel[i, j] * padded[i : i + height, j : j + width]
    return total


def neighbourhoods(image, mask, pad_mode="edge"):
    """The values under each true element of the mask, stacked along a new first axis."""
    rows, columns = mask.shape
    padded = np.pad(image, ((rows // 2, rows // 2), (columns // 2, columns // 2)), mode=pad_mode)
    height, width = image.shape
    return np.stack([padded[i : i + height, j : j + width] for i, j in zip(*np.nonzero(mask))])


def gaussian(size, sigma):
    """A row of `size` weights with sum 1."""
    x = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(x**2) / (2 * sigma**2))
    return weights / weights.sum()


def bilinear(image, x, y):
    """The picture's value at fractional places that lie inside it."""
    image = image.astype(np.float64)
    left = np.clip(np.floor(x).astype(int), 0, image.shape[1] - 2)
    top = np.clip(np.floor(y).astype(int), 0, image.shape[0] - 2)
    dx, dy = x - left, y - top
    upper = image[top, left] * (1 - dx) + image[top, left + 1] * dx
    lower = image[top + 1, left] * (1 - dx) + image[top + 1, left + 1] * dx
    return upper * (1 - dy) + lower * dy


def moved_pictures(dx, dy):
    """Two pictures of one scene; what is at (x, y) in the first is at (x + dx, y + dy) in the second."""
    scene = texture(200, 240).astype(np.float64)
    y, x = np.mgrid[20:180, 20:220].astype(np.float64)
    first, second = bilinear(scene, x, y), bilinear(scene, x - dx, y - dy)
    return np.rint(first).astype(np.uint8), np.rint(second).astype(np.uint8)


def places(keypoints):
    """The (x, y) of key points, a row each."""
    return np.array([keypoint.pt for keypoint in keypoints])


def rotation(axis_angle):
    """The 3x3 matrix of a rotation by |v| radians about v (Rodrigues' formula)."""
    axis_angle = np.asarray(axis_angle, dtype=np.float64).ravel()
    angle = np.linalg.norm(axis_angle)
    x, y, z = axis_angle / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross.dot(cross)
