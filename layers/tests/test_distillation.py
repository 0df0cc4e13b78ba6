"""Distillation: the loss by hand, its gradients, and students that learn."""

import numpy as np
import pytest
import tensorflow as tf

from fireclay import Distiller, TemperatureSoftmax, distillation_loss, softmax_with_temperature
from fireclay.distillation import one_hot_labels


def softmax(logits, temperature=1.0):
    odds = np.exp(np.asarray(logits, np.float64) / temperature)
    return odds / odds.sum(axis=-1, keepdims=True)


def logits_of(rows, classes, seed=9, dtype="float32"):
    return np.random.RandomState(seed).normal(0, 2, (rows, classes)).astype(dtype)


@pytest.mark.parametrize("dtype, tolerance", [("float16", 1e-3), ("float32", 1e-6), ("float64", 1e-14)])
@pytest.mark.parametrize("temperature", [0.5, 1, 4])
def test_softmax_with_temperature(mode, temperature, dtype, tolerance):
    z = logits_of(5, 7, dtype=dtype)
    y = mode.run(lambda t: softmax_with_temperature(t, temperature), z)
    assert y.dtype == dtype
    np.testing.assert_allclose(y.astype("float64"), softmax(z, temperature), atol=tolerance)
    layer = mode.run(TemperatureSoftmax(temperature, dtype=dtype), z)
    np.testing.assert_array_equal(layer, y)


@pytest.mark.parametrize("alpha", [0, 0.3, 1])
@pytest.mark.parametrize("temperature", [1, 2.5, 10])
def test_loss_is_the_weighted_sum(mode, alpha, temperature):
    z, soft = logits_of(6, 4), softmax(logits_of(6, 4, seed=1), temperature).astype("float32")
    labels = np.array([0, 3, -1, 1, 2, -1])
    hard = one_hot_labels(labels, 6, 4)
    loss = mode.run(lambda *t: distillation_loss(t[0], t[1], t[2], temperature, alpha), hard, soft, z)
    first = np.where(labels < 0, 0, -np.log(softmax(z)[np.arange(6), labels]))
    second = -(soft * np.log(softmax(z, temperature))).sum(axis=1)
    np.testing.assert_allclose(loss, alpha * first + (1 - alpha) * temperature**2 * second, rtol=1e-5)


def test_loss_of_large_logits_is_finite_in_half_precision(mode):
    z = np.array([[6e4, -6e4, 0]], "float16")
    hard, soft = np.array([[0, 1, 0]], "float16"), np.array([[0, 0.5, 0.5]], "float16")
    loss = mode.run(lambda *t: distillation_loss(*t), hard, soft, z)
    assert loss.dtype == "float32" and np.isfinite(loss).all() and loss[0] > 1e4


def test_no_gradient_reaches_the_targets(mode):
    hard, soft, z = (softmax(logits_of(3, 4, seed)).astype("float32") for seed in range(3))
    gradient = mode.gradient(lambda t: distillation_loss(hard, soft, t), z)
    assert np.abs(gradient).max() > 0
    if mode.name == "eager":
        with tf.GradientTape() as tape:
            given = tf.constant(soft)
            tape.watch(given)
            loss = distillation_loss(hard, given, z)
        assert tape.gradient(loss, given) is None


def test_squared_temperature_keeps_the_size_of_the_gradient(mode):
    z, teacher = logits_of(64, 10, seed=2), logits_of(64, 10, seed=3)

    def norm(temperature):
        soft = softmax(teacher, temperature).astype("float32")
        nothing = np.zeros_like(soft)
        gradient = mode.gradient(lambda t: distillation_loss(nothing, soft, t, temperature, alpha=0), z)
        return np.linalg.norm(gradient, axis=1).mean()

    scaled = [norm(temperature) for temperature in (4, 10, 40)]
    assert max(scaled) / min(scaled) < 1.3
    assert norm(40) / 40**2 < norm(4) / 4**2 / 50


def blobs(count, seed=4):
    """Three classes of points in the plane, 10% of the area in doubt."""
    random = np.random.RandomState(seed)
    labels = random.randint(0, 3, count)
    centres = np.array([[0, 1], [0.9, -0.5], [-0.9, -0.5]])
    return (centres[labels] + random.normal(0, 0.45, (count, 2))).astype("float32"), labels


def network(width):
    layers = tf.keras.layers
    return tf.keras.Sequential([layers.Dense(width, activation="relu", input_shape=(2,)), layers.Dense(3)])


def expert(scale=5.0):
    """A teacher with fixed weights, towards each class's centre: right about as often as one can be."""
    model = tf.keras.Sequential([tf.keras.layers.Dense(3, input_shape=(2,))])
    model.set_weights([scale * np.float32([[0, 0.9, -0.9], [1, -0.5, -0.5]]), np.zeros(3, "float32")])
    return model


def accuracy(model, x, labels):
    return np.mean(model.predict(x, verbose=0).argmax(axis=1) == labels)


@pytest.mark.parametrize("known", ["all", "some", "none"])
def test_student_learns_from_a_teacher_with_labels_for(mode, known):
    x, labels = blobs(400)
    teacher, student = expert(), network(8)
    distiller = Distiller(student, teacher, temperature=2, alpha=0.2)
    distiller.compile(tf.keras.optimizers.Adam(0.02))
    given = {"all": labels, "some": np.where(np.arange(400) % 4, -1, labels), "none": None}[known]
    history = distiller.fit(x, given, epochs=12, batch_size=32, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert accuracy(student, x, labels) > accuracy(teacher, x, labels) - 0.04
    if known != "none":
        assert history.history["accuracy"][-1] > 0.8
    else:
        np.testing.assert_array_equal(history.history["accuracy"], np.zeros(12))


def test_soft_targets_are_the_ensembles_mean(mode):
    x, _ = blobs(20)
    teachers = [expert(scale) for scale in (1.0, 4.0)]
    soft = Distiller(network(4), teachers, temperature=3).soft_targets(x)
    expected = np.mean([softmax(teacher.predict(x, verbose=0), 3) for teacher in teachers], axis=0)
    np.testing.assert_allclose(soft, expected, atol=1e-6)


def test_validation_and_accuracy_count_the_labelled_alone(mode):
    x, labels = blobs(90)
    teacher = expert()
    student = expert(1.0)
    distiller = Distiller(student, teacher)
    distiller.compile(tf.keras.optimizers.SGD(0.0))
    some = np.where(np.arange(90) % 3, labels, -1)
    history = distiller.fit(x, labels, validation_data=(x, some), batch_size=32, verbose=0)
    assert history.history["accuracy"][0] == pytest.approx(accuracy(student, x, labels), abs=1e-6)
    assert history.history["val_accuracy"][0] == pytest.approx(
        accuracy(student, x[some >= 0], some[some >= 0]), abs=1e-6
    )


def test_teachers_are_left_as_they_were(mode):
    x, labels = blobs(40)
    teacher, student = expert(), network(4)
    before = [model.get_weights() for model in (teacher, student)]
    distiller = Distiller(student, [teacher])
    distiller.compile("sgd")
    distiller.fit(x, labels, verbose=0)
    np.testing.assert_array_equal(teacher.get_weights()[0], before[0][0])
    assert np.abs(student.get_weights()[0] - before[1][0]).max() > 0


def test_student_stays_compiled_as_it_was(mode):
    x, labels = blobs(40)
    student = network(4)
    student.compile(optimizer="sgd", loss="mse")
    distiller = Distiller(student, expert())
    distiller.compile("adam")
    distiller.fit(x, labels, verbose=0)
    assert float(student.evaluate(x, student.predict(x, verbose=0), verbose=0)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0, 1], "labels must be 3 class numbers, one an example, got int64 of shape"),
        ([0.0, 1.0, 2.0], "labels must be 3 class numbers, one an example, got float64"),
        ([0, 1, 3], "labels must be from 0 to 2, or -1 for unknown, got 0 to 3"),
        ([0, -2, 1], "labels must be from 0 to 2, or -1 for unknown, got -2 to 1"),
    ],
)
def test_wrong_labels_are_told(labels, message):
    distiller = Distiller(network(4), expert())
    distiller.compile("sgd")
    with pytest.raises(ValueError, match=message):
        distiller.fit(np.zeros((3, 2), "float32"), np.array(labels), verbose=0)


def test_wrong_models_and_numbers_are_told():
    other = tf.keras.Sequential([tf.keras.layers.Dense(5, input_shape=(2,))])
    image = tf.keras.Sequential([tf.keras.layers.Conv2D(3, 1, input_shape=(4, 4, 1))])
    for arguments, message in [
        ((network(4), []), "at least one teacher"),
        ((network(4), other), "must have the same number of classes, got 3, 5"),
        ((network(4), image), "must have one output"),
        ((tf.keras.Sequential([tf.keras.layers.Dense(3)], name="vague"), expert()), "vague must be a functional"),
        ((network(4), expert(), 0), "temperature must be positive and finite, got 0"),
        ((network(4), expert(), 2, 1.5), "alpha must be from 0 to 1, got 1.5"),
    ]:
        with pytest.raises(ValueError, match=message):
            Distiller(*arguments)
