"""Element by element, along axes, and linear algebra."""

import math

import numpy as np
import pytest
import tensorflow as tf

from reference import assert_equal, assert_within, noise, sigmoid, softmax

# The function, its values, and the numbers that it is for.
UNARY = {
    "abs": (tf.abs, np.abs, (-3, 3)),
    "ceil": (tf.math.ceil, np.ceil, (-3, 3)),
    "cos": (tf.cos, np.cos, (-3, 3)),
    "erf": (tf.math.erf, np.vectorize(math.erf), (-3, 3)),
    "exp": (tf.exp, np.exp, (-8, 4)),
    "expm1": (tf.math.expm1, np.expm1, (-3, 1)),
    "floor": (tf.floor, np.floor, (-3, 3)),
    "lgamma": (tf.math.lgamma, np.vectorize(math.lgamma), (0.1, 5)),
    "log": (tf.math.log, np.log, (1e-3, 9)),
    "log1p": (tf.math.log1p, np.log1p, (-0.9, 9)),
    "rsqrt": (tf.math.rsqrt, lambda x: 1 / np.sqrt(x), (0.05, 9)),
    "sigmoid": (tf.sigmoid, sigmoid, (-9, 9)),
    "sign": (tf.sign, np.sign, (-3, 3)),
    "sin": (tf.sin, np.sin, (-3, 3)),
    "softplus": (tf.nn.softplus, lambda x: np.log1p(np.exp(x)), (-9, 9)),
    "sqrt": (tf.sqrt, np.sqrt, (0, 9)),
    "square": (tf.square, np.square, (-3, 3)),
    "tan": (tf.tan, np.tan, (-1, 1)),
    "tanh": (tf.tanh, np.tanh, (-9, 9)),
}
# 37 elements: whole vector registers of every width, and a rest.
TOLERANCE = {"float16": 4e-3, "float32": 2e-6, "float64": 1e-13}


@pytest.mark.parametrize("dtype", sorted(TOLERANCE))
@pytest.mark.parametrize("name", sorted(UNARY))
def test_function_of_one_number(run, name, dtype):
    function, expected, (low, high) = UNARY[name]
    x = np.linspace(low, high, 37).astype(dtype)
    y = run(function, x)
    assert y.dtype == dtype
    reference = expected(x.astype(np.float64))
    assert_within(
        y / np.maximum(1, np.abs(reference)), reference / np.maximum(1, np.abs(reference)), TOLERANCE[dtype]
    )


@pytest.mark.parametrize("dtype", ["float32", "float64", "int32", "int64", "uint8", "complex64"])
def test_arithmetic_broadcasts(run, dtype):
    a = np.arange(1, 43).reshape(6, 7).astype(dtype)
    b = np.arange(1, 8).astype(dtype)
    assert_equal(run(tf.add, a, b), a + b)
    assert_equal(run(tf.multiply, a, b), a * b)
    assert_equal(run(tf.subtract, b, a), b - a)


def test_division_and_remainder_of_integers(run):
    a, b = np.int32([7, -7, 7, -7, 6]), np.int32([3, 3, -3, -3, 3])
    assert_equal(run(tf.math.floordiv, a, b), a // b)
    assert_equal(run(tf.math.floormod, a, b), a % b)
    assert_equal(run(tf.truediv, a, b), a / b)


def test_not_a_number_and_infinity(run):
    x = np.float32([np.nan, np.inf, -np.inf, 0, -0.0, 1e-40])
    assert_equal(run(tf.math.is_nan, x), np.isnan(x))
    assert_equal(run(tf.math.is_inf, x), np.isinf(x))
    with np.errstate(divide="ignore", invalid="ignore"):
        assert_equal(run(lambda t: 1 / t[:5], x), 1 / x[:5])
    assert_equal(run(tf.exp, x[1:3]), [np.inf, 0])


@pytest.mark.parametrize("axis", [None, 0, 1, (0, 2)])
@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod"])
def test_reduction(run, name, axis):
    x = noise(5, 17, 9, dtype=np.float64)
    found = run(lambda t: getattr(tf, "reduce_" + name)(t, axis=axis), x)
    assert_within(found, getattr(np, name)(x, axis=axis), 1e-12)


def test_sum_of_many_numbers_is_exact_enough(run):
    x = np.full(1 << 20, 0.1, np.float32)
    assert run(tf.reduce_sum, x) == pytest.approx((1 << 20) * float(np.float32(0.1)), rel=1e-5)


def test_cumulative_sums_sorting_and_largest(run):
    x = noise(4, 23)
    assert_within(run(lambda t: tf.cumsum(t, axis=1), x), np.cumsum(x, axis=1), 1e-5)
    assert_equal(run(lambda t: tf.sort(t, axis=1), x), np.sort(x, axis=1))
    values, indices = run(lambda t: tf.nn.top_k(t, 5), x)
    assert_equal(indices, np.argsort(-x, axis=1)[:, :5])
    assert_equal(values, np.take_along_axis(x, indices, axis=1))
    assert_equal(run(lambda t: tf.argmax(t, axis=0), x), x.argmax(axis=0))


@pytest.mark.parametrize("dtype, tolerance", [("float16", 0.3), ("float32", 1e-4), ("float64", 1e-11)])
@pytest.mark.parametrize("size", [(1, 1, 1), (3, 5, 7), (64, 64, 64), (65, 130, 33), (1, 300, 1)])
def test_product_of_matrices(run, size, dtype, tolerance):
    rows, inner, columns = size
    a, b = noise(rows, inner, dtype=dtype), noise(inner, columns, dtype=dtype, seed=1)
    expected = a.astype(np.float64).dot(b.astype(np.float64))
    assert_within(run(tf.matmul, a, b), expected, tolerance)
    turned = run(lambda s, t: tf.matmul(s, t, transpose_a=True, transpose_b=True), a.T.copy(), b.T.copy())
    assert_within(turned, expected, tolerance)


def test_product_of_integers_is_exact(run):
    a, b = np.arange(600).reshape(20, 30).astype(np.int32), np.arange(600).reshape(30, 20).astype(np.int32)
    assert_equal(run(tf.matmul, a, b), a.dot(b))


def test_products_in_a_batch_and_by_einsum(run):
    a, b = noise(2, 3, 4, 5), noise(2, 3, 5, 6, seed=1)
    assert_within(run(tf.matmul, a, b), np.matmul(a, b), 1e-5)
    assert_within(run(lambda s, t: tf.einsum("bhij,bhjk->bhik", s, t), a, b), np.matmul(a, b), 1e-5)
    assert_within(
        run(lambda s, t: tf.tensordot(s, t, [[3], [2]]), a, b), np.tensordot(a, b, [[3], [2]]), 1e-5
    )


@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-4), ("float64", 1e-11)])
def test_linear_algebra(run, dtype, tolerance):
    square = noise(8, 8, dtype=dtype)
    positive = square.dot(square.T) + np.eye(8, dtype=dtype)
    right = noise(8, 2, dtype=dtype, seed=1)
    assert_within(run(tf.linalg.inv, positive), np.linalg.inv(positive), tolerance)
    assert_within(run(tf.linalg.cholesky, positive), np.linalg.cholesky(positive), tolerance)
    assert_within(run(tf.linalg.solve, positive, right), np.linalg.solve(positive, right), tolerance)
    assert_within(run(tf.linalg.det, positive) / np.linalg.det(positive), 1.0, tolerance)
    values, vectors = run(tf.linalg.eigh, positive)
    assert_within(values, np.linalg.eigvalsh(positive), tolerance * 10)
    assert_within((vectors * values).dot(vectors.T), positive, tolerance * 10)
    tall = noise(9, 5, dtype=dtype)
    s, u, v = run(tf.linalg.svd, tall)
    assert_within(s, np.linalg.svd(tall, compute_uv=False), tolerance)
    assert_within((u * s).dot(v.T), tall, tolerance)
    q, r = run(tf.linalg.qr, tall)
    assert_within(q.dot(r), tall, tolerance)
    assert_within(q.T.dot(q), np.eye(5), tolerance)


def test_fourier_transforms(run):
    x = noise(3, 60)
    assert_within(np.abs(run(tf.signal.rfft, x) - np.fft.rfft(x)), np.zeros((3, 31)), 1e-4)
    z = (noise(16, 12) + 1j * noise(16, 12, seed=1)).astype(np.complex64)
    assert_within(np.abs(run(tf.signal.fft2d, z) - np.fft.fft2(z)), np.zeros((16, 12)), 1e-4)
    assert_within(
        np.abs(run(lambda t: tf.signal.ifft2d(tf.signal.fft2d(t)), z) - z), np.zeros((16, 12)), 1e-5
    )


def test_gathering_scattering_and_segments(run):
    x = noise(7, 3)
    rows = np.int32([6, 0, 0, 3])
    assert_equal(run(tf.gather, x, rows), x[rows])
    assert_equal(run(tf.gather_nd, x, np.int32([[1, 2], [6, 0]])), x[[1, 6], [2, 0]])
    total = np.zeros((7, 3))
    np.add.at(total, rows, x[:4])
    assert_within(run(lambda t: tf.scatter_nd(rows[:, None], t, [7, 3]), x[:4]), total, 1e-6)
    groups = np.int32([0, 0, 1, 1, 1, 3, 3])
    sums = run(lambda t: tf.math.segment_sum(t, groups), x)
    assert_within(sums, [x[groups == group].sum(axis=0) for group in range(4)], 1e-6)
    assert_equal(run(lambda t: tf.boolean_mask(t, t[:, 0] > 0), x), x[x[:, 0] > 0])
    assert_equal(run(lambda t: tf.one_hot(t, 8), rows), np.eye(8)[rows])


def test_shapes_are_changed(run):
    x = noise(2, 3, 4)
    assert_equal(run(lambda t: tf.transpose(t, [2, 0, 1]), x), x.transpose(2, 0, 1))
    assert_equal(run(lambda t: tf.reshape(t, [4, -1]), x), x.reshape(4, 6))
    assert_equal(run(lambda t: tf.concat([t, t], axis=1), x), np.concatenate([x, x], axis=1))
    assert_equal(run(lambda t: tf.tile(t, [1, 2, 3]), x), np.tile(x, (1, 2, 3)))
    assert_equal(run(lambda t: t[:, ::-1, 1::2], x), x[:, ::-1, 1::2])
    for mode in ("constant", "reflect", "symmetric"):
        padded = run(lambda t, mode=mode: tf.pad(t, [[0, 0], [1, 2], [2, 1]], mode), x)
        assert_equal(padded, np.pad(x, [(0, 0), (1, 2), (2, 1)], mode))
    assert_equal(run(lambda t: tf.stack(tf.unstack(t, axis=1)), x), x.transpose(1, 0, 2))


def test_types_are_converted(run):
    x = np.float32([-1.5, 0, 0.5, 2.75, 300])
    assert_equal(run(lambda t: tf.cast(t, tf.int32), x), x.astype(np.int32))
    assert_equal(run(lambda t: tf.cast(tf.cast(t, tf.float16), tf.float32), x), x)
    # bfloat16 keeps 8 bits of the fraction: 1 + 1/256 is rounded to even.
    fine = np.float32([1, 1 + 1 / 256, 1 + 1 / 128, 3.14159])
    rounded = run(lambda t: tf.cast(tf.cast(t, tf.bfloat16), tf.float32), fine)
    assert_equal(rounded, np.float32([1, 1, 1.0078125, 3.140625]))
    assert_equal(run(lambda t: tf.bitcast(t, tf.int32), x), x.view(np.int32))
    assert_equal(run(lambda t: tf.saturate_cast(t, tf.uint8), x), [0, 0, 0, 2, 255])


def test_softmax_and_cross_entropy(run):
    z = 5 * noise(6, 10)
    labels = np.int32([0, 9, 3, 3, 5, 1])
    assert_within(run(tf.nn.softmax, z), softmax(z), 1e-6)
    assert_within(run(tf.nn.log_softmax, z), np.log(softmax(z)), 1e-5)
    losses = run(lambda t: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=t), z)
    assert_within(losses, -np.log(softmax(z)[np.arange(6), labels]), 1e-5)
    targets = (z > 0).astype(np.float32)
    losses = run(lambda t: tf.nn.sigmoid_cross_entropy_with_logits(labels=targets, logits=t), z)
    assert_within(losses, np.log1p(np.exp(np.where(targets, -z, z))), 1e-5)


def test_gradients_are_the_differences(run):
    x = noise(3, 4, dtype=np.float64)

    def loss(t):
        return tf.reduce_sum(tf.tanh(tf.matmul(t, t, transpose_b=True)) * tf.exp(-tf.square(t[:, :3])))

    gradient = run(lambda t: tf.gradients(loss(t), t)[0], x)
    for place in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-6
        difference = (run(loss, x + step) - run(loss, x - step)) / 2e-6
        assert gradient[place] == pytest.approx(difference, abs=1e-7)
    second = run(lambda t: tf.hessians(tf.reduce_sum(t**3), t)[0], np.float64([1, 2]))
    assert_within(second, np.diag([6, 12]), 1e-12)


def test_random_numbers_are_those_of_every_build(run):
    """Philox counts: the same numbers for the same seeds on every machine."""
    uniform = run(lambda: tf.random.stateless_uniform([5], seed=[1, 2]))
    assert_within(uniform, STATELESS_UNIFORM, 1e-7)
    normal = run(lambda: tf.random.stateless_normal([5], seed=[3, 4]))
    assert_within(normal, STATELESS_NORMAL, 1e-6)
    assert_equal(run(lambda: tf.random.uniform([4], maxval=1000, dtype=tf.int32, seed=7)), SEEDED_INTEGERS)


def test_random_numbers_are_distributed_as_they_should(run):
    uniform, normal, gamma = run(
        lambda: [
            tf.random.uniform([100000], seed=1),
            tf.random.normal([100000], seed=2),
            tf.random.gamma([100000], 3.0, seed=3),
        ]
    )
    assert uniform.min() >= 0 and uniform.max() < 1
    assert (uniform.mean(), uniform.var()) == pytest.approx((1 / 2, 1 / 12), abs=0.01)
    assert (normal.mean(), normal.var()) == pytest.approx((0, 1), abs=0.02)
    assert (gamma.mean(), gamma.var()) == pytest.approx((3, 3), abs=0.1)


# What tensorflow 1.15.5's published wheel gives.
STATELESS_UNIFORM = [0.84406042, 0.19204533, 0.99622321, 0.1603874, 0.27199018]
STATELESS_NORMAL = [-0.17393383, 1.6723547, 0.34817016, -1.7038907, -0.61532463]
SEEDED_INTEGERS = [793, 588, 607, 756]
