"""TensorFlow on NVIDIA's GPUs: what runs there, and the same answers as on the processor."""

import json

import numpy as np
import pytest
import tensorflow as tf

import known
from reference import assert_equal, assert_within, noise

if not tf.test.is_built_with_cuda():
    pytest.skip("this wheel is for the processor", allow_module_level=True)


def gpus():
    from tensorflow.python.client import device_lib

    return [each for each in device_lib.list_local_devices() if each.device_type == "GPU"]


@pytest.fixture(autouse=True)
def gpu():
    found = gpus()
    if not found:
        pytest.skip("no GPU of NVIDIA's and its driver here: only imported, not computed")
    return found[0]


def positive(x):
    """Symmetric matrices whose eigenvalues are far from zero, out of any of this shape."""
    return tf.matmul(x, x, transpose_b=True) + 10 * tf.eye(8)


IMAGE, KERNEL = noise(2, 12, 14, 8), noise(3, 3, 8, 16, seed=1)
MATRIX, OTHER = noise(40, 56), noise(56, 24, seed=1)
STACK = noise(5, 8, 8)
PLACES = np.random.RandomState(3).randint(0, 40, 30)
# Name -> (function, its arrays). What cuBLAS, cuDNN, cuFFT, cuSOLVER, cuSPARSE and TensorFlow's kernels compute.
OPERATIONS = {
    "matmul": (tf.matmul, MATRIX, OTHER),
    "matmul of a stack": (tf.matmul, STACK, STACK[::-1].copy()),
    "einsum": (lambda x, y: tf.einsum("bij,bkj->bik", x, y), STACK, STACK[::-1].copy()),
    "conv2d": (lambda x, k: tf.nn.conv2d(x, k, strides=2, padding="SAME"), IMAGE, KERNEL),
    "conv2d, dilated": (
        lambda x, k: tf.nn.conv2d(x, k, strides=1, padding="SAME", dilations=2),
        IMAGE,
        KERNEL,
    ),
    "conv2d, gradients": (
        lambda x, k: tf.gradients(tf.nn.conv2d(x, k, strides=1, padding="VALID") ** 2, [x, k]),
        IMAGE,
        KERNEL,
    ),
    "conv2d_transpose": (
        lambda x, k: tf.nn.conv2d_transpose(x, k, [2, 24, 28, 4], 2),
        IMAGE,
        noise(3, 3, 4, 8, seed=1),
    ),
    "conv3d": (
        lambda x, k: tf.nn.conv3d(x, k, [1, 1, 1, 1, 1], "SAME"),
        noise(1, 6, 7, 8, 3),
        noise(3, 3, 3, 3, 4),
    ),
    "depthwise_conv2d": (
        lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 1, 1, 1], "SAME"),
        IMAGE,
        noise(3, 3, 8, 2, seed=1),
    ),
    "max_pool and its gradient": (
        lambda x: tf.gradients(tf.nn.max_pool2d(x, 2, 2, "VALID") ** 2, x)[0],
        IMAGE,
    ),
    "avg_pool": (lambda x: tf.nn.avg_pool2d(x, 3, 2, "SAME"), IMAGE),
    "fused_batch_norm": (
        lambda x: tf.compat.v1.nn.fused_batch_norm(x, tf.ones(8) * 1.5, tf.ones(8) * 0.25)[0],
        IMAGE,
    ),
    "local_response_normalization": (tf.nn.local_response_normalization, IMAGE),
    "bias and relu": (lambda x: tf.nn.relu(tf.nn.bias_add(x, tf.range(8.0) / 10)), IMAGE),
    "softmax": (tf.nn.softmax, MATRIX),
    "cross entropy": (
        lambda x: tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tf.range(40), logits=x),
        MATRIX,
    ),
    "functions": (lambda x: [tf.exp(x), tf.tanh(x), tf.math.erf(x), tf.math.lgamma(tf.abs(x) + 1)], MATRIX),
    "sums": (lambda x: [tf.reduce_sum(x, axis) for axis in (None, 0, 1)], MATRIX),
    "extremes": (lambda x: [tf.reduce_max(x, 0), tf.reduce_min(x, 1), tf.argmax(x, 1)], MATRIX),
    "cumsum": (lambda x: tf.cumsum(x, axis=1, reverse=True), MATRIX),
    "top_k": (lambda x: tf.nn.top_k(x, 5).values, MATRIX),
    "transpose, concat, slice": (
        lambda x: tf.concat([tf.transpose(x, [0, 2, 1]), x[:, ::-1, 1:7]], axis=2),
        STACK,
    ),
    "gather": (lambda x: tf.gather(x, PLACES), MATRIX),
    "scatter_nd": (
        lambda x: tf.scatter_nd(PLACES[:, None].astype(np.int32), x, [40, 56]),
        noise(30, 56, seed=4),
    ),
    "unsorted_segment_sum": (lambda x: tf.math.unsorted_segment_sum(x, PLACES, 40), noise(30, 56, seed=4)),
    "where": (lambda x: tf.where(x > 0.5, x, -x), MATRIX),
    "where, places": (lambda x: tf.where(x > 0.5), MATRIX),
    "fft2d": (lambda x: tf.abs(tf.signal.fft2d(tf.cast(x, tf.complex64))), STACK),
    "rfft and back": (lambda x: tf.signal.irfft(tf.signal.rfft(x)), MATRIX),
    "cholesky": (lambda x: tf.linalg.cholesky(positive(x)), STACK),
    "matrix_solve": (lambda x: tf.linalg.solve(positive(x), x), STACK),
    "eigenvalues": (lambda x: tf.linalg.eigvalsh(positive(x)), STACK),
    "singular values": (lambda x: tf.linalg.svd(x, compute_uv=False), STACK),
    "sparse_tensor_dense_matmul": (
        lambda x: tf.sparse.sparse_dense_matmul(tf.sparse.from_dense(tf.constant(np.eye(40)[::-1] > 0, tf.float32)), x),
        MATRIX,
    ),
    "resize_bilinear": (lambda x: tf.image.resize(x, [20, 9]), IMAGE),
    "doubles": (lambda x: tf.matmul(x, x), noise(30, 30, dtype=np.float64)),
    "halves": (lambda x: tf.matmul(x, x), (noise(30, 30) / 6).astype(np.float16)),
}  # fmt: skip


def evaluated(session, device, function, arrays):
    with tf.device(device):
        inputs = [tf.compat.v1.placeholder(array.dtype, array.shape) for array in arrays]
        outputs = function(*inputs)
    return session.run(outputs, dict(zip(inputs, arrays)))


def in_a_list(found):
    return found if isinstance(found, (list, tuple)) else [found]


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_a_gpu_answers_as_the_processor(session, name):
    function, arrays = OPERATIONS[name][0], OPERATIONS[name][1:]
    here = in_a_list(evaluated(session, "/cpu:0", function, arrays))
    there = in_a_list(evaluated(session, "/gpu:0", function, arrays))
    assert len(here) == len(there)
    near = 1e-12 if name == "doubles" else 2e-2 if name == "halves" else 1e-4
    for found, expected in zip(there, here):
        assert found.dtype == expected.dtype
        assert_within(found, expected, near * max(1, np.abs(expected).max()))


def test_what_is_not_told_otherwise_is_computed_on_the_gpu(session):
    x = tf.compat.v1.placeholder(tf.float32, MATRIX.shape)
    product = tf.matmul(x, tf.constant(OTHER), name="product")
    traced = tf.compat.v1.RunMetadata()
    options = tf.compat.v1.RunOptions(trace_level=tf.compat.v1.RunOptions.SOFTWARE_TRACE)
    session.run(product, {x: MATRIX}, options=options, run_metadata=traced)
    devices = [
        each.device
        for each in traced.step_stats.dev_stats
        for node in each.node_stats
        if "product" in node.node_name
    ]
    assert any("GPU:0" in device or "gpu:0" in device for device in devices)


def test_the_wheel_has_code_for_this_gpu(gpu, record_property):
    record_property("GPU", gpu.physical_device_desc)
    said = known.distribution().read_text("cuda.json")
    if not said:
        pytest.skip("the wheel says nothing of its CUDA")
    here = tuple(int(part) for part in gpu.physical_device_desc.rpartition("capability: ")[2].split("."))
    wheel = json.loads(said)
    native = [tuple(map(int, each.split("."))) for each in wheel["native"]]
    assert (
        any(each[0] == here[0] and each <= here for each in native)
        or tuple(map(int, wheel["ptx"].split("."))) <= here
    )


def test_random_numbers_have_their_distribution(session):
    with tf.device("/gpu:0"):
        normal, uniform = tf.random.normal([200000]), tf.random.uniform([200000])
    found, even = session.run([normal, uniform])
    assert abs(found.mean()) < 0.02 and abs(found.std() - 1) < 0.02
    assert abs(even.mean() - 0.5) < 0.01 and even.min() >= 0 and even.max() < 1


def test_a_recurrent_layer_of_cudnn_answers_as_that_of_the_processor():
    from tensorflow.python.keras.saving import hdf5_format

    x = noise(4, 9, 6)
    fast = tf.keras.layers.CuDNNLSTM(7, return_sequences=True)
    slow = tf.keras.layers.LSTM(7, return_sequences=True, recurrent_activation="sigmoid")
    first, second = (tf.keras.Sequential([layer]) for layer in (fast, slow))
    first.build(x.shape)
    with tf.device("/cpu:0"):
        second.build(x.shape)
    fast.set_weights([noise(*each.shape, seed=number) / 3 for number, each in enumerate(fast.get_weights())])
    slow.set_weights(hdf5_format.preprocess_weights_for_loading(slow, fast.get_weights()))
    assert_within(first.predict(x), second.predict(x), 1e-4)


def test_a_network_is_trained_on_the_gpu():
    x = noise(64, 16, 16, 3)
    y = (x.mean(axis=(1, 2, 3)) > 0).astype(np.int32)
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Conv2D(8, 3, activation="relu"),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.GlobalAveragePooling2D(),
            tf.keras.layers.Dense(2, activation="softmax"),
        ]
    )
    model.compile(tf.keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy")
    losses = model.fit(x, y, epochs=20, batch_size=32, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0]


def test_two_runs_of_one_product_are_the_same(session):
    x = tf.compat.v1.placeholder(tf.float32, MATRIX.shape)
    with tf.device("/gpu:0"):
        product = tf.matmul(x, tf.constant(OTHER))
    assert_equal(session.run(product, {x: MATRIX}), session.run(product, {x: MATRIX}))
