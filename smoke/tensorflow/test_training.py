"""Models learn, and optimizers make the steps of their papers."""

import numpy as np
import pytest
import tensorflow as tf

from reference import assert_within, noise


def sgd(w, gradients):
    for gradient in gradients:
        w = w - 0.1 * gradient
    return w


def momentum(w, gradients):
    speed = 0
    for gradient in gradients:
        speed = 0.9 * speed + gradient
        w = w - 0.1 * speed
    return w


def adam(w, gradients):
    first = second = 0
    for step, gradient in enumerate(gradients, 1):
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        w = w - 0.1 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step) * first / (np.sqrt(second) + 1e-8)
    return w


def adagrad(w, gradients):
    total = 0.1
    for gradient in gradients:
        total = total + gradient**2
        w = w - 0.1 * gradient / np.sqrt(total)
    return w


def rmsprop(w, gradients):
    mean = 1
    for gradient in gradients:
        mean = 0.9 * mean + 0.1 * gradient**2
        w = w - 0.1 * gradient / np.sqrt(mean + 1e-10)
    return w


OPTIMIZERS = [
    (lambda train: train.GradientDescentOptimizer(0.1), sgd),
    (lambda train: train.MomentumOptimizer(0.1, 0.9), momentum),
    (lambda train: train.AdamOptimizer(0.1), adam),
    (lambda train: train.AdagradOptimizer(0.1), adagrad),
    (lambda train: train.RMSPropOptimizer(0.1), rmsprop),
]


@pytest.mark.parametrize("make, expected", OPTIMIZERS, ids=[function.__name__ for _, function in OPTIMIZERS])
def test_optimizer_makes_the_steps_of_its_formula(session, make, expected):
    start, gradients = noise(7, dtype=np.float64), noise(5, 7, dtype=np.float64, seed=1)
    w = tf.compat.v1.get_variable("w", initializer=start)
    given = tf.compat.v1.placeholder(tf.float64, [7])
    step = make(tf.compat.v1.train).apply_gradients([(given, w)])
    session.run(tf.compat.v1.global_variables_initializer())
    for gradient in gradients:
        session.run(step, {given: gradient})
    # The rates are float32 in every type.
    assert_within(session.run(w), expected(start, gradients), 1e-5)


def test_linear_model_finds_the_least_squares(session):
    x, noise_of_y = noise(200, 3), 0.1 * noise(200, 1, seed=1)
    y = x.dot(np.float32([[1], [-2], [0.5]])) + 3 + noise_of_y
    w, b = tf.Variable(tf.zeros([3, 1])), tf.Variable(0.0)
    loss = tf.reduce_mean(tf.square(tf.matmul(x, w) + b - y))
    step = tf.compat.v1.train.GradientDescentOptimizer(0.2).minimize(loss)
    session.run(tf.compat.v1.global_variables_initializer())
    for _ in range(200):
        session.run(step)
    solution = np.linalg.lstsq(np.hstack([x, np.ones((200, 1))]), y, rcond=None)[0]
    assert_within(np.append(session.run(w), session.run(b)), solution[:, 0], 1e-4)


def shapes(count, seed):
    """Pictures of 12x12 pixels: a disc, a square or a cross somewhere in noise."""
    random = np.random.RandomState(seed)
    y, x = np.mgrid[0:12, 0:12]
    labels, pictures = random.randint(0, 3, count), 0.3 * random.standard_normal((count, 12, 12, 1))
    for picture, label in zip(pictures, labels):
        row, column = random.randint(4, 8, 2)
        down, across = np.abs(y - row), np.abs(x - column)
        disc, square, cross = (
            down**2 + across**2 <= 9,
            np.maximum(down, across) <= 2,
            np.minimum(down, across) < 1,
        )
        picture[..., 0] += (disc, square, cross & (np.maximum(down, across) <= 3))[label]
    return pictures.astype(np.float32), labels


def test_convolutional_network_learns_to_tell_shapes(session):
    tf.compat.v1.keras.backend.set_session(session)
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [
            layers.Conv2D(8, 3, activation="relu", input_shape=(12, 12, 1)),
            layers.BatchNormalization(momentum=0.9),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(tf.keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(*shapes(2000, seed=1), epochs=8, batch_size=32, verbose=0)
    loss, accuracy = model.evaluate(*shapes(500, seed=2), verbose=0)
    assert accuracy > 0.9 and loss < 0.3


def test_recurrent_network_learns_to_remember(session):
    """Whether the first of 10 numbers is above the last."""
    tf.compat.v1.keras.backend.set_session(session)
    x = noise(512, 10, 1)
    labels = (x[:, 0, 0] > x[:, -1, 0]).astype(np.float32)
    model = tf.keras.Sequential(
        [tf.keras.layers.LSTM(8, input_shape=(10, 1)), tf.keras.layers.Dense(1, "sigmoid")]
    )
    model.compile(tf.keras.optimizers.Adam(0.03), "binary_crossentropy")
    history = model.fit(x, labels, epochs=25, batch_size=64, verbose=0)
    assert history.history["loss"][-1] < 0.15


def test_training_is_repeated_by_its_seed():
    def once():
        with tf.Graph().as_default():
            tf.compat.v1.set_random_seed(5)
            config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
            with tf.compat.v1.Session(config=config) as session:
                tf.compat.v1.keras.backend.set_session(session)
                model = tf.keras.Sequential(
                    [tf.keras.layers.Dense(8, "tanh", input_shape=(4,)), tf.keras.layers.Dense(1)]
                )
                model.compile("adam", "mse")
                model.fit(noise(64, 4), noise(64, 1, seed=1), epochs=3, verbose=0, shuffle=False)
                return model.get_weights()

    for one, other in zip(once(), once()):
        np.testing.assert_array_equal(one, other)


def test_estimator_learns_from_columns(tmp_path):
    random = np.random.RandomState(0)
    age, town = random.uniform(20, 60, 400).astype(np.float32), random.choice([b"a", b"b"], 400)
    labels = ((age > 40) ^ (town == b"b")).astype(np.int32)

    def data():
        return tf.data.Dataset.from_tensor_slices(({"age": age, "town": town}, labels)).repeat(30).batch(50)

    columns = [
        tf.feature_column.numeric_column("age", normalizer_fn=lambda x: (x - 40) / 10),
        tf.feature_column.indicator_column(
            tf.feature_column.categorical_column_with_vocabulary_list("town", ["a", "b"])
        ),
    ]
    options = tf.estimator.RunConfig(tf_random_seed=1, model_dir=str(tmp_path))
    estimator = tf.estimator.DNNClassifier(
        [16], columns, optimizer=tf.compat.v1.train.AdamOptimizer(0.03), config=options
    )
    estimator.train(data)
    assert estimator.evaluate(data, steps=8)["accuracy"] > 0.9
