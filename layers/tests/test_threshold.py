"""The threshold's exact values and its two gradients."""

import numpy as np
import pytest
import tensorflow as tf
from modes import IS_TF1

from fireclay import ThresholdMinMax, threshold_min_max_value

DTYPES = ["float16", "float32", "float64"]
FORMS = ["straight-through", "masked"]
LOW, HIGH = 0.1, 0.7


def points(dtype):
    """Both bounds and their neighbours, far and infinite values."""
    low, high = np.array([LOW, HIGH], dtype)
    largest = float(np.finfo(dtype).max)
    around = [np.nextafter(bound, side * np.inf, dtype=dtype) for bound in (low, high) for side in (-1, 1)]
    far = [0, 0.3, 5, -5, 12345.678, 3e38 if largest > 1e38 else 6e4, -1e38 if largest > 1e38 else -6e4]
    return np.array([low, high, *around, *far, largest, -largest, np.inf, -np.inf], dtype)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_values_are_exact_up_to_infinity(mode, dtype, form):
    x = points(dtype)
    y = mode.run(lambda t: threshold_min_max_value(t, LOW, HIGH, form), x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, np.clip(x, *np.array([LOW, HIGH], dtype)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_straight_through_gradient_is_one_for_every_finite_value(mode, dtype):
    x = points(dtype)
    gradient = mode.gradient(lambda t: threshold_min_max_value(t, LOW, HIGH), x)
    np.testing.assert_array_equal(gradient, np.isfinite(x).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_masked_gradient_is_one_inside_and_zero_on_the_bounds_and_outside(mode, dtype):
    x = points(dtype)
    low, high = np.array([LOW, HIGH], dtype)
    gradient = mode.gradient(lambda t: threshold_min_max_value(t, LOW, HIGH, "masked"), x)
    np.testing.assert_array_equal(gradient, ((x > low) & (x < high)).astype(dtype))


def test_forms_differ_from_clip_where_the_table_says(mode):
    x = np.float32([-1, 0, 0.5, 1, 2])
    gradients = [
        mode.gradient(function, x).tolist()
        for function in (
            lambda t: threshold_min_max_value(t, 0, 1),
            lambda t: threshold_min_max_value(t, 0, 1, "masked"),
            lambda t: tf.clip_by_value(t, 0.0, 1.0),
        )
    ]
    assert gradients == [[1, 1, 1, 1, 1], [0, 0, 1, 0, 0], [0, 1, 1, 1, 0]]


@pytest.mark.parametrize("form", FORMS)
def test_nan_stays_nan_wherever_it_stands(mode, form):
    x = np.linspace(-1, 2, 37).astype("float32")
    for place in (0, 5, 36):
        damaged = x.copy()
        damaged[place] = np.nan
        y = mode.run(lambda t: threshold_min_max_value(t, 0, 1, form), damaged)
        assert np.flatnonzero(np.isnan(y)).tolist() == [place]


@pytest.mark.parametrize("form", FORMS)
def test_infinite_bound_leaves_its_side_open(mode, form):
    x = np.float32([-np.inf, -3e38, -1, 0, 3e38, np.inf])
    y = mode.run(lambda t: threshold_min_max_value(t, -np.inf, 0, form), x)
    np.testing.assert_array_equal(y, np.minimum(x, 0))


def test_equal_bounds_give_a_constant(mode):
    x = np.float32([[-1, 0], [0.5, 7]])
    np.testing.assert_array_equal(mode.run(lambda t: threshold_min_max_value(t, 0.5, 0.5), x), np.full((2, 2), 0.5))


def descend(form, start, target):
    """Where gradient descent on (threshold(w) - target)^2 comes from `start`."""
    w = tf.Variable(start)
    for _ in range(100):
        with tf.GradientTape() as tape:
            loss = tf.square(threshold_min_max_value(w, 0, 1, form) - target)
        w.assign_sub(0.1 * tape.gradient(loss, w))
    return float(w.numpy())


def test_value_outside_is_trained_to_come_back():
    assert descend("straight-through", 5.0, 0.5) == pytest.approx(0.5, abs=1e-6)
    assert descend("straight-through", -3.0, 0.5) == pytest.approx(0.5, abs=1e-6)
    assert descend("masked", 5.0, 0.5) == 5.0
    assert descend("masked", 0.9, 0.5) == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("form, learns", [("straight-through", True), ("masked", False)])
def test_model_whose_outputs_all_start_outside(mode, form, learns):
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Dense(1, bias_initializer=tf.keras.initializers.Constant(10.0), input_shape=(2,)),
            ThresholdMinMax(0, 1, gradient=form),
        ]
    )
    x = np.random.RandomState(0).uniform(-1, 1, (256, 2)).astype("float32")
    y = (0.5 + 0.2 * x[:, :1] - 0.1 * x[:, 1:]).astype("float32")
    model.compile(optimizer=tf.keras.optimizers.Adam(0.3), loss="mse")
    before = model.get_weights()
    model.fit(x, y, epochs=25, batch_size=32, verbose=0)
    error = float(model.evaluate(x, y, verbose=0))
    if learns:
        assert error < 1e-3
    else:
        assert error > 0.1
        for old, new in zip(before, model.get_weights()):
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("dtype", DTYPES)
def test_layer_works_in_its_type(mode, dtype):
    layer = ThresholdMinMax(-1, 1, dtype=dtype)
    y = mode.run(layer, np.array([[-3, 0.5, 2]], dtype))
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, [[-1, 0.5, 1]])


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((1, 0), "min_value must not be above max_value"),
        ((float("nan"), 1), "min_value must be a number"),
        ((0, "1"), "max_value must be a number"),
        ((0, 1, "clip"), "gradient must be one of 'straight-through', 'masked', got 'clip'"),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        ThresholdMinMax(*arguments)
    with pytest.raises(ValueError, match=message):
        threshold_min_max_value(np.float32([1]), *arguments)


def test_integers_are_refused():
    with pytest.raises(ValueError, match="expected a floating-point tensor, got uint8: cast it first"):
        threshold_min_max_value(np.uint8([1]), 0, 1)


def test_bounds_are_finite_where_they_are_in_the_type():
    y = threshold_min_max_value(np.float16([-np.inf, 1, np.inf]), -100, 1e6).numpy()
    assert y.tolist() == [-100, 1, np.inf]


@pytest.mark.parametrize("form", FORMS)
def test_denormal_numbers_are_kept_or_taken_for_0(mode, form):
    x = np.float32([1e-40, -1e-40])
    y = mode.run(lambda t: threshold_min_max_value(t, -1, 1, form), x)
    assert all(found in (0, given) for found, given in zip(y, x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_function_on_a_tensor_of_a_model_in_the_making(mode, dtype):
    inputs = tf.keras.Input((3,), dtype=dtype)
    model = tf.keras.Model(inputs, threshold_min_max_value(inputs, -1, 1)) if not IS_TF1 else None
    if IS_TF1:
        model = tf.keras.Model(inputs, tf.keras.layers.Lambda(lambda t: threshold_min_max_value(t, -1, 1))(inputs))
    x = np.array([[-3, 0.5, 2]], dtype)
    y = model.predict(x, verbose=0)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, [[-1, 0.5, 1]])


def test_integers_of_a_model_in_the_making_are_refused():
    with pytest.raises(ValueError, match="expected a floating-point tensor, got int32"):
        threshold_min_max_value(tf.keras.Input((3,), dtype="int32"), 0, 1)


@pytest.mark.skipif(IS_TF1, reason="layers of TensorFlow 1.15 take their input's type")
def test_layer_without_a_dtype_works_in_keras_own(mode):
    y = mode.run(ThresholdMinMax(-1, 1), np.array([[-3, 0.5, 2]], "float64"))
    assert y.dtype == "float32"
