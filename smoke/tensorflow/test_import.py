"""The wheel is what it says, and computes: in a graph, eagerly, backwards, and after saving and loading."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

VALUES = np.linspace(-2, 2, 24, dtype=np.float32).reshape(4, 6)


def softmax(values: np.ndarray) -> np.ndarray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def eagerly(code: str) -> str:
    """What a fresh process prints that computes eagerly: this one may have built a graph."""
    start = "import numpy as np\nimport tensorflow as tf\ntf.compat.v1.enable_eager_execution()\n"
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", start + code],
        env=environment, stdout=subprocess.PIPE, check=True, universal_newlines=True,
    )  # fmt: skip
    return done.stdout.strip()


def test_the_version_is_the_wheels_own() -> None:
    version = tf.__version__
    import pkg_resources

    owners = [found for found in pkg_resources.working_set if found.has_metadata("top_level.txt")]
    named = [found for found in owners if "tensorflow_core" in found.get_metadata("top_level.txt").split()]
    assert [found.version for found in named] == [version]
    if "KILN_VERSION" in os.environ:  # a wheel from elsewhere was made where git said something else
        assert "v" + version == tf.version.GIT_VERSION
    assert "unknown" not in tf.version.COMPILER_VERSION


def test_a_graph_computes_what_numpy_computes() -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        given = tf.compat.v1.placeholder(tf.float32, [None, 6])
        product = tf.matmul(given, given, transpose_b=True)
        computed = session.run([product, tf.nn.softmax(given)], {given: VALUES})
    np.testing.assert_allclose(computed[0], VALUES @ VALUES.T, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(computed[1], softmax(VALUES), rtol=1e-5)


def test_a_convolution_is_the_sum_of_its_products() -> None:
    picture = np.arange(49, dtype=np.float32).reshape(1, 7, 7, 1)
    kernel = np.arange(9, dtype=np.float32).reshape(3, 3, 1, 1)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        computed = session.run(tf.nn.conv2d(picture, kernel, strides=1, padding="VALID"))[0, :, :, 0]
    wanted = [
        [(picture[0, i : i + 3, j : j + 3, 0] * kernel[:, :, 0, 0]).sum() for j in range(5)] for i in range(5)
    ]
    np.testing.assert_allclose(computed, wanted, rtol=1e-6)


def test_eager_execution_computes_what_numpy_computes() -> None:
    printed = eagerly("print(tf.executing_eagerly(), float(tf.reduce_sum(tf.exp(tf.range(4.0)))))")
    state, value = printed.split()
    assert state == "True"
    assert float(value) == pytest.approx(np.exp(np.arange(4.0)).sum(), rel=1e-6)


def test_a_gradient_is_the_derivative() -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        given = tf.constant(VALUES)
        computed = session.run(tf.gradients(tf.reduce_sum(tf.sigmoid(given)), given)[0])
    sigmoid = 1 / (1 + np.exp(-VALUES))
    np.testing.assert_allclose(computed, sigmoid * (1 - sigmoid), rtol=1e-5)


def test_bfloat16_rounds_as_its_extension_says() -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        computed = session.run(tf.cast(tf.cast(tf.constant([1.00390625, 3.0]), tf.bfloat16), tf.float32))
    assert computed.tolist() == [1.0, 3.0]


@pytest.mark.parametrize("form", ["h5", "tf"])
def test_a_trained_model_is_the_same_after_saving_and_loading(form: str, tmp_path) -> None:
    tf.compat.v1.reset_default_graph()
    tf.compat.v1.keras.backend.clear_session()
    model = tf.keras.Sequential(
        [tf.keras.layers.Dense(3, activation="tanh", input_shape=(6,)), tf.keras.layers.Dense(1)]
    )
    model.compile(optimizer="sgd", loss="mse")
    wanted = VALUES.sum(axis=1, keepdims=True)
    before = model.evaluate(VALUES, wanted, verbose=0)
    model.fit(VALUES, wanted, epochs=20, verbose=0)
    assert model.evaluate(VALUES, wanted, verbose=0) < before
    predicted = model.predict(VALUES)
    path = str(tmp_path / ("model.h5" if form == "h5" else "model"))
    model.save(path, save_format=form)
    tf.compat.v1.keras.backend.clear_session()
    loaded = tf.keras.models.load_model(path)
    np.testing.assert_array_equal(loaded.predict(VALUES), predicted)
