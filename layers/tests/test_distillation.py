"""Distillation: the softmax with a temperature, and the loss by hand and its gradients."""

import numpy as np
import pytest
import tensorflow as tf
from modes import IS_TF1
from teaching import logits_of, softmax

from fireclay import DistillationLoss, TemperatureSoftmax, distillation_loss, softmax_with_temperature
from fireclay.distillation import one_hot_labels


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


def loss_of(mode, labels, soft, z, **options):
    return mode.run(lambda *t: distillation_loss(t[0], t[1], t[2], **options), labels, soft, z)


@pytest.mark.parametrize("dtype", ["int32", "int64", "float32"])
@pytest.mark.parametrize("shape", [(5,), (5, 1)])
def test_class_numbers_are_taken_for_the_rows_that_they_stand_for(mode, shape, dtype):
    z, soft = logits_of(5, 4), softmax(logits_of(5, 4, seed=1), 4).astype("float32")
    labels = np.array([3, 0, -1, 1, 2])
    expected = loss_of(mode, one_hot_labels(labels, 5, 4), soft, z)
    np.testing.assert_array_equal(loss_of(mode, labels.reshape(shape).astype(dtype), soft, z), expected)


@pytest.mark.parametrize("label", [4, -2, 0.5])
def test_what_is_no_class_number_is_told(mode, label):
    z, soft = logits_of(2, 4), softmax(logits_of(2, 4, seed=1), 4).astype("float32")
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="labels must be class numbers"):
        loss_of(mode, np.array([1, label], "float32"), soft, z)


@pytest.mark.parametrize(
    "labels, soft",
    [((5, 3), (5, 4)), ((3,), (5, 4)), ((1, 4), (5, 4)), ((5, 4), (5, 1)), ((5, 4), (1, 4)), ((5, 4), (5, 2))],
)
def test_shapes_that_do_not_fit_are_told_and_not_stretched(mode, labels, soft):
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="must be of the shape of logits"):
        loss_of(mode, np.zeros(labels, "float32"), np.ones(soft, "float32"), logits_of(5, 4))


def test_targets_without_soft_ones_are_told():
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="must be"):
        DistillationLoss()(tf.constant([[1.0, 0, 0]]), tf.constant([[1.0, 2, 3]]))
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="must be of the shape of logits"):
        DistillationLoss()(tf.constant([[1.0, 0, 0, 0]]), tf.constant([[1.0, 2, 3, 4]]))


@pytest.mark.parametrize("form", ["cross-entropy", "kl"])
def test_masked_class_has_no_part_in_loss_and_gradient(mode, form):
    """Logits of minus infinity: as if the class were not there."""
    z, soft = logits_of(3, 4), softmax(logits_of(3, 3, seed=1), 4)
    masked = np.insert(z[:, :3], 1, -np.inf, axis=1)
    wide = np.insert(soft, 1, 0, axis=1).astype("float32")
    labels = np.array([0, 2, -1])
    expected = loss_of(mode, np.array([0, 1, -1]), soft.astype("float32"), z[:, :3], form=form)
    np.testing.assert_allclose(loss_of(mode, labels, wide, masked, form=form), expected, rtol=1e-6)
    gradient = mode.gradient(lambda t: distillation_loss(tf.constant(labels), tf.constant(wide), t, form=form), masked)
    expected = mode.gradient(
        lambda t: distillation_loss(tf.constant([0, 1, -1]), tf.constant(soft.astype("float32")), t, form=form),
        z[:, :3],
    )
    np.testing.assert_array_equal(gradient[:, 1], np.zeros(3))
    np.testing.assert_allclose(np.delete(gradient, 1, axis=1), expected, atol=1e-6)


@pytest.mark.parametrize("temperature", [1, 4])
def test_kl_is_the_cross_entropy_less_the_targets_entropy(mode, temperature):
    z, soft = logits_of(6, 4), softmax(logits_of(6, 4, seed=1), temperature).astype("float32")
    soft[0] = [0, 1, 0, 0]
    nothing = np.zeros((6, 4), "float32")
    options = {"temperature": temperature, "alpha": 0}
    cross = loss_of(mode, nothing, soft, z, **options)
    kl = loss_of(mode, nothing, soft, z, form="kl", **options)
    entropy = -np.sum(soft * np.log(np.where(soft > 0, soft, 1)), axis=1)
    np.testing.assert_allclose(kl, cross - temperature**2 * entropy, atol=1e-4)
    assert (kl > 0).all()
    equal = loss_of(mode, nothing, softmax(z, temperature).astype("float32"), z, form="kl", **options)
    np.testing.assert_allclose(equal, np.zeros(6), atol=1e-5)
    gradients = [
        mode.gradient(lambda t, form=form: distillation_loss(nothing, soft, t, form=form, **options), z)
        for form in ("cross-entropy", "kl")
    ]
    np.testing.assert_allclose(gradients[0], gradients[1], atol=1e-6)


def test_loss_from_probabilities_is_that_from_logits(mode):
    z, soft = logits_of(5, 4), softmax(logits_of(5, 4, seed=1), 4).astype("float32")
    labels = np.array([3, 0, -1, 1, 2])
    expected = loss_of(mode, labels, soft, z)
    found = loss_of(mode, labels, soft, softmax(z).astype("float32"), from_logits=False)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.skipif(IS_TF1 or not hasattr(tf.keras, "KerasTensor"), reason="TensorFlow's functions take these tensors")
def test_tensors_of_a_model_in_the_making_become_a_layer_or_are_told_of_it():
    inputs = tf.keras.Input((4,))
    if hasattr(tf.keras, "ops"):
        with pytest.raises(ValueError, match="compile with DistillationLoss"):
            distillation_loss(inputs, inputs, inputs)
    model = tf.keras.Model(inputs, softmax_with_temperature(inputs, 2))
    z = logits_of(3, 4)
    np.testing.assert_allclose(model.predict(z, verbose=0), softmax(z, 2), atol=1e-6)
