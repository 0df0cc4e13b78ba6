"""Networks' operations: convolution, pooling, normalisation, recurrence, control flow."""

import numpy as np
import pytest
import tensorflow as tf

from reference import assert_equal, assert_within, convolution, depthwise, noise, sigmoid, windows

SETTINGS = [("VALID", 1), ("SAME", 1), ("SAME", 2), ("VALID", 3)]


@pytest.mark.parametrize("dtype, tolerance", [("float16", 0.1), ("float32", 1e-4), ("float64", 1e-12)])
@pytest.mark.parametrize("padding, stride", SETTINGS)
@pytest.mark.parametrize("size", [(1, 1), (3, 3), (5, 2)])
def test_convolution_of_images(run, size, padding, stride, dtype, tolerance):
    x, kernel = noise(2, 11, 13, 5, dtype=dtype), noise(size[0], size[1], 5, 7, dtype=dtype, seed=1)
    y = run(lambda s, t: tf.nn.conv2d(s, t, strides=stride, padding=padding), x, kernel)
    assert y.dtype == dtype
    assert_within(y, convolution(x, kernel, (stride, stride), padding), tolerance)


@pytest.mark.parametrize("padding, stride", SETTINGS)
def test_depthwise_and_separable_convolution(run, padding, stride):
    x, kernel, points = noise(2, 10, 9, 4), noise(3, 3, 4, 2, seed=1), noise(1, 1, 8, 6, seed=2)
    expected = depthwise(x, kernel, (stride, stride), padding)
    strides = [1, stride, stride, 1]
    assert_within(run(lambda s, t: tf.nn.depthwise_conv2d(s, t, strides, padding), x, kernel), expected, 1e-5)
    both = run(lambda s, t, u: tf.nn.separable_conv2d(s, t, u, strides, padding), x, kernel, points)
    assert_within(both, expected.dot(points[0, 0]), 1e-4)


@pytest.mark.parametrize("padding, stride", SETTINGS)
def test_convolution_of_volumes_and_of_lines(run, padding, stride):
    x, kernel = noise(1, 6, 7, 8, 3), noise(3, 2, 3, 3, 4, seed=1)
    y = run(lambda s, t: tf.nn.conv3d(s, t, [1, stride, stride, stride, 1], padding), x, kernel)
    assert_within(y, convolution(x, kernel, (stride,) * 3, padding), 1e-4)
    x, kernel = noise(2, 20, 3), noise(4, 3, 5, seed=1)
    y = run(lambda s, t: tf.nn.conv1d(s, t, stride, padding), x, kernel)
    assert_within(y, convolution(x, kernel, (stride,), padding), 1e-4)


def test_dilated_convolution_spreads_the_taps(run):
    x, kernel = noise(1, 12, 12, 3), noise(3, 3, 3, 4, seed=1)
    spread = np.zeros((5, 7, 3, 4))
    spread[::2, ::3] = kernel
    y = run(lambda s, t: tf.nn.convolution(s, t, "VALID", dilations=[2, 3]), x, kernel)
    assert_within(y, convolution(x, spread, (1, 1), "VALID"), 1e-4)


@pytest.mark.parametrize("padding, stride", SETTINGS)
def test_gradients_of_convolution_are_its_transposes(run, padding, stride):
    """<dy, conv(dx)> = <conv'(dy), dx>, and the same for the kernel."""
    x, kernel, dx, dk = (
        noise(2, 9, 8, 3),
        noise(3, 3, 3, 4, seed=1),
        noise(2, 9, 8, 3, seed=2),
        noise(3, 3, 3, 4, seed=3),
    )
    dy = noise(*convolution(x, kernel, (stride, stride), padding).shape, seed=4)

    def gradients(s, t):
        return tf.gradients(tf.nn.conv2d(s, t, strides=stride, padding=padding), [s, t], dy)

    to_x, to_kernel = run(gradients, x, kernel)
    assert np.sum(to_x * dx) == pytest.approx(
        np.sum(dy * convolution(dx, kernel, (stride, stride), padding)), rel=1e-3
    )
    assert np.sum(to_kernel * dk) == pytest.approx(
        np.sum(dy * convolution(x, dk, (stride, stride), padding)), rel=1e-3
    )


@pytest.mark.parametrize("padding, stride", SETTINGS)
def test_pooling(run, padding, stride):
    x = noise(2, 9, 10, 3)
    highest = windows(x, (3, 2), (stride, stride), padding, fill=-np.inf).max(axis=-2)
    assert_equal(run(lambda t: tf.nn.max_pool2d(t, [3, 2], stride, padding), x), highest.astype(np.float32))
    inside = windows(np.ones_like(x), (3, 2), (stride, stride), padding).sum(axis=-2)
    mean = windows(x, (3, 2), (stride, stride), padding).sum(axis=-2) / inside
    assert_within(run(lambda t: tf.nn.avg_pool2d(t, [3, 2], stride, padding), x), mean, 1e-6)


def test_batch_normalisation(run):
    x, scale, offset = 3 * noise(4, 5, 6, 8) + 1, noise(8, seed=1), noise(8, seed=2)
    mean, variance = x.mean(axis=(0, 1, 2)), x.var(axis=(0, 1, 2))
    expected = (x - mean) / np.sqrt(variance + 1e-3) * scale + offset
    y, found_mean, found_variance = run(
        lambda s, t, u: tf.compat.v1.nn.fused_batch_norm(s, t, u), x, scale, offset
    )
    assert_within(y, expected, 1e-5)
    assert_within(found_mean, mean, 1e-5)
    count = x.size // 8
    assert_within(found_variance, variance * count / (count - 1), 1e-4)
    plain = run(lambda t: tf.nn.batch_normalization(t, mean, variance, offset, scale, 1e-3), x)
    assert_within(plain, expected, 1e-5)


def test_activations_and_dropout(run):
    x = noise(50, 40)
    assert_equal(run(tf.nn.relu, x), np.maximum(x, 0))
    assert_equal(run(tf.nn.relu6, 5 * x), np.clip(5 * x, 0, 6))
    assert_within(run(tf.nn.elu, x), np.where(x > 0, x, np.expm1(x)), 1e-6)
    assert_within(run(tf.nn.leaky_relu, x), np.where(x > 0, x, 0.2 * x), 1e-6)
    dropped = run(lambda t: tf.nn.dropout(t, rate=0.25, seed=1), np.ones((400, 400), np.float32))
    assert set(np.unique(dropped)) == {0, np.float32(1 / 0.75)}
    assert np.mean(dropped == 0) == pytest.approx(0.25, abs=0.01)


def lstm_by_numpy(x, kernel, recurrent, bias):
    """Keras's LSTM: gates in the order input, forget, cell, output."""
    hidden = np.zeros((x.shape[0], recurrent.shape[0]))
    cell = np.zeros_like(hidden)
    for step in range(x.shape[1]):
        gates = x[:, step].dot(kernel) + hidden.dot(recurrent) + bias
        taken, kept, new, shown = np.split(gates, 4, axis=1)
        cell = sigmoid(kept) * cell + sigmoid(taken) * np.tanh(new)
        hidden = sigmoid(shown) * np.tanh(cell)
    return hidden


def test_recurrent_layer(run):
    x, kernel, recurrent, bias = noise(3, 7, 4), noise(4, 20, seed=1), noise(5, 20, seed=2), noise(20, seed=3)
    layer = tf.keras.layers.LSTM(
        5,
        recurrent_activation="sigmoid",
        kernel_initializer=tf.compat.v1.constant_initializer(kernel),
        recurrent_initializer=tf.compat.v1.constant_initializer(recurrent),
        bias_initializer=tf.compat.v1.constant_initializer(bias),
        unit_forget_bias=False,
    )
    assert_within(run(layer, x), lstm_by_numpy(x, kernel, recurrent, bias), 1e-5)


def test_basic_cell_over_lengths_that_differ(run):
    x, lengths = noise(3, 6, 4), np.int32([6, 2, 0])
    cell = tf.compat.v1.nn.rnn_cell.BasicRNNCell(5, name="cell")
    outputs, state = run(
        lambda s, t: tf.compat.v1.nn.dynamic_rnn(cell, s, sequence_length=t, dtype=tf.float32), x, lengths
    )
    for row, length in enumerate(lengths):
        assert_equal(outputs[row, length:], np.zeros((6 - length, 5)))
        assert_equal(state[row], outputs[row, length - 1] if length else np.zeros(5))


def test_loops_and_branches(run):
    """The steps of Collatz's sequence from each number to 1."""

    def steps(start):
        def body(number, count):
            half = lambda: number // 2  # noqa: E731
            triple = lambda: 3 * number + 1  # noqa: E731
            return tf.cond(tf.equal(number % 2, 0), half, triple), count + 1

        return tf.while_loop(lambda number, _: number > 1, body, [start, tf.constant(0)])[1]

    found = run(lambda t: tf.map_fn(steps, t), np.int32([1, 2, 3, 7, 27]))
    assert_equal(found, [0, 1, 7, 16, 111])


def test_loop_is_differentiated_and_arrays_are_written(run):
    def power(x):
        return tf.while_loop(lambda i, _: i < 5, lambda i, y: (i + 1, y * x), [0, tf.ones_like(x)])[1]

    x = np.float64([1, 2, -3])
    assert_within(run(power, x), x**5, 1e-12)
    assert_within(run(lambda t: tf.gradients(power(t), t)[0], x), 5 * x**4, 1e-10)
    doubled = run(lambda t: tf.scan(lambda total, each: total + each, t), x)
    assert_equal(doubled, np.cumsum(x))


def test_function_in_a_graph_and_by_autograph(run):
    @tf.function
    def alternating(x):
        total = tf.zeros_like(x[0])
        for index in tf.range(tf.shape(x)[0]):
            if tf.equal(index % 2, 0):
                total += x[index]
            else:
                total -= x[index]
        return total

    x = noise(9, dtype=np.float64)
    assert run(alternating, x) == pytest.approx(np.sum(x * np.where(np.arange(9) % 2, -1, 1)))


def test_errors_are_python_exceptions_that_name_the_operation(session):
    shape = tf.compat.v1.placeholder(tf.int32, [2])
    with pytest.raises(tf.errors.InvalidArgumentError, match="the_name"):
        session.run(tf.reshape(tf.zeros([6]), shape, name="the_name"), {shape: [4, 2]})
    with pytest.raises(tf.errors.InvalidArgumentError, match="not a number"):
        session.run(tf.debugging.check_numerics(tf.math.log(-1.0), "not a number"))


def test_eager_mode_in_a_process_of_its_own():
    import subprocess
    import sys

    program = """
import tensorflow as tf
tf.compat.v1.enable_eager_execution()
w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
with tf.GradientTape() as tape:
    y = tf.reduce_sum(tf.matmul(w, w))
print(tape.gradient(y, w).numpy().tolist())
"""
    said = subprocess.check_output([sys.executable, "-W", "ignore", "-c", program], stderr=subprocess.DEVNULL)
    assert said.decode().strip().splitlines()[-1] == "[[7.0, 11.0], [9.0, 13.0]]"
