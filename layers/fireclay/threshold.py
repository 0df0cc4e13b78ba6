"""A threshold that keeps the gradient."""

from typing import Any, Dict, Tuple

import numpy as np
import tensorflow as tf

from fireclay import _keras

STRAIGHT_THROUGH, MASKED = "straight-through", "masked"


def _checked(min_value: Any, max_value: Any, gradient: str) -> Tuple[float, float, str]:
    low, high = _keras.real("min_value", min_value), _keras.real("max_value", max_value)
    if low > high:
        raise ValueError("min_value must not be above max_value, got {!r} and {!r}".format(min_value, max_value))
    return low, high, _keras.one_of("gradient", gradient, (STRAIGHT_THROUGH, MASKED))


def threshold_min_max_value(
    x: Any, min_value: float, max_value: float, gradient: str = STRAIGHT_THROUGH
) -> _keras.Tensor:
    """Values >= max_value become max_value, values <= min_value become min_value, the rest stays; NaN stays NaN.

    Args:
        x: a floating-point tensor of any shape, of a Keras model in the making too.
        min_value, max_value: numbers, in the unit of x; an infinity leaves that side open.
        gradient: "straight-through": dy/dx is 1 for every finite x, inside, on and outside the bounds
            (Bengio, Leonard and Courville, 2013, arXiv:1308.3432), so that a value outside can be trained to
            come back. "masked": dy/dx is 1 strictly inside, and 0 on the bounds and outside.
            In both forms it is 0 where x is infinite or, straight-through, NaN.

    Returns:
        A tensor of the shape and type of x. The values are exact and equal in both forms, but for denormal numbers,
        which TensorFlow takes for 0. They are finite even where x is infinite, if the bounds are finite in x's type:
        1e6 is infinite in float16.

    Raises:
        ValueError: the bounds are no numbers or in the wrong order, x is not floating-point, or the gradient's
            name is unknown.
    """
    low, high, gradient = _checked(min_value, max_value, gradient)
    if _keras.is_symbolic(x):
        return ThresholdMinMax(low, high, gradient, dtype=_keras.symbolic_dtype(x))(x)
    x = _keras.floating(x)
    with np.errstate(over="ignore"):
        least, most = (np.asarray(bound).astype(x.dtype.as_numpy_dtype) for bound in (low, high))
    ones = tf.ones_like(x)
    # tf.where, unlike a product with a mask, makes no NaN of an infinity, and passes the gradient only inside.
    values = tf.where(x >= most, ones * most, tf.where(x <= least, ones * least, x))
    if gradient == MASKED:
        return values
    # Only operations that TensorFlow knows: tf.custom_gradient cannot be differentiated after a SavedModel of 1.15
    # was loaded. The difference is exactly 0, which x + stop_gradient(values - x) is not for large x; and for an
    # infinite x it would be NaN.
    finite = tf.clip_by_value(x, x.dtype.min, x.dtype.max)
    return tf.stop_gradient(values) + (finite - tf.stop_gradient(finite))


@_keras.serializable
class ThresholdMinMax(_keras.FloatingLayer):
    """threshold_min_max_value as a layer.

    Input and output: any shape, floating-point. Args and errors: see threshold_min_max_value. Like Keras's own, the layer
    works in its dtype: on TensorFlow 2 that is float32 unless given, and a float64 input comes back as float32.
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, gradient: str = STRAIGHT_THROUGH, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.min_value, self.max_value, self.gradient = _checked(min_value, max_value, gradient)

    def call(self, inputs: _keras.Tensor) -> _keras.Tensor:
        return threshold_min_max_value(inputs, self.min_value, self.max_value, self.gradient)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> Dict[str, Any]:
        config: Dict[str, Any] = super().get_config()
        config.update(min_value=self.min_value, max_value=self.max_value, gradient=self.gradient)
        return config
