"""Knowledge distillation (Hinton, Vinyals and Dean, 2015, arXiv:1503.02531): softmax with a temperature, and the loss."""

from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import tensorflow as tf

from fireclay import _keras
from fireclay._array import Array

CROSS_ENTROPY, KL = "cross-entropy", "kl"
Tensor = _keras.Tensor


def checked(temperature: Any, alpha: Any, form: str) -> Tuple[float, float, str]:
    """The settings of the loss; ValueError for one that is out of its range."""
    temperature, alpha = _keras.positive("temperature", temperature), _keras.real("alpha", alpha)
    if not 0 <= alpha <= 1:
        raise ValueError("alpha must be from 0 to 1, got {!r}".format(alpha))
    return temperature, alpha, _keras.one_of("form", form, (CROSS_ENTROPY, KL))


def _precise(x: Tensor) -> Tensor:
    """float16 has too few digits for the logarithms of a loss."""
    x = _keras.floating(x)
    return tf.cast(x, tf.float32) if x.dtype.size < 4 else x


def logarithm(probabilities: Tensor) -> Tensor:
    """Logits that have these probabilities; a probability of 0 counts as the smallest normal float32."""
    return tf.math.log(tf.maximum(_precise(probabilities), tf.float32.as_numpy_dtype(2.0**-126)))


def _expected(targets: Tensor, values: Tensor) -> Tensor:
    """The sum of targets * values over the last axis, where a target of 0 makes 0 of every value, infinities too."""
    return tf.reduce_sum(tf.where(tf.equal(targets, 0), tf.zeros_like(values), targets * values), axis=-1)


def _soft_loss(targets: Tensor, logits: Tensor, form: str) -> Tensor:
    values = -tf.nn.log_softmax(logits)
    if form == KL:
        values += tf.math.log(tf.where(tf.equal(targets, 0), tf.ones_like(targets), targets))
    return _expected(targets, values)


def softmax_with_temperature(logits: Tensor, temperature: float = 1.0) -> Tensor:
    """softmax(logits / temperature) over the last axis.

    Args:
        logits: a floating-point tensor (..., classes), of a Keras model in the making too.
        temperature: above 0; 1 is softmax, more is softer.

    Returns:
        A tensor of the shape and type of logits, whose last axis sums to 1.
    """
    temperature = _keras.positive("temperature", temperature)
    if _keras.is_symbolic(logits):
        return TemperatureSoftmax(temperature, dtype=_keras.symbolic_dtype(logits))(logits)
    return tf.nn.softmax(_keras.floating(logits) / temperature)


@_keras.serializable
class TemperatureSoftmax(_keras.FloatingLayer):
    """softmax_with_temperature as a layer. Input and output: (..., classes)."""

    def __init__(self, temperature: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.temperature = _keras.positive("temperature", temperature)

    def call(self, inputs: Tensor) -> Tensor:
        return softmax_with_temperature(inputs, self.temperature)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> Dict[str, Any]:
        config: Dict[str, Any] = super().get_config()
        config.update(temperature=self.temperature)
        return config


def one_hot(labels: Any, classes: Any, dtype: Any) -> Tensor:
    """(batch, classes), rows of zeros for -1, from class numbers of (batch,) or (batch, 1), or from such rows.

    Args:
        classes: how many, a number or a tensor.

    Raises:
        ValueError: labels of another shape, or, eagerly, a class number that is not from -1 to classes - 1; in a graph
            it is TensorFlow's InvalidArgumentError when it runs.
    """
    labels = tf.convert_to_tensor(labels)
    shape = labels.shape.as_list() if labels.shape.ndims is not None else [None, None]
    if len(shape) == 1:
        return _rows(labels, classes, dtype)
    if len(shape) != 2:
        raise ValueError("labels must be of shape (batch,), (batch, 1) or (batch, classes), got {}".format(shape))
    if shape[1] == 1 and classes != 1:
        return _rows(labels[:, 0], classes, dtype)
    if shape[1] is not None:
        return tf.cast(labels, dtype)
    sparse = tf.equal(tf.shape(labels)[1], 1)
    return tf.cond(sparse, lambda: _rows(labels[:, 0], classes, dtype), lambda: tf.cast(labels, dtype))


def one_hot_labels(y: Any, examples: int, classes: int) -> Array:
    """float32 (examples, classes) from class numbers of (examples,) or (examples, 1), or from such rows; rows of zeros
    where y is -1, everywhere if y is None."""
    labels = np.full(examples, -1) if y is None else np.asarray(y)
    if labels.shape == (examples, classes) and classes > 1:
        if labels.dtype.kind not in "biuf" or not np.isin(labels, (0, 1)).all() or labels.sum(axis=1).max() > 1:
            raise ValueError("rows of labels must hold a single 1, or zeros where the label is unknown")
        return labels.astype(np.float32)
    if labels.shape == (examples, 1):
        labels = labels[:, 0]
    if labels.shape != (examples,) or labels.dtype.kind not in "iu":
        raise ValueError(
            "labels must be {} class numbers, one an example, got {} of shape {}".format(
                examples, labels.dtype, labels.shape
            )
        )
    if examples and (labels.min() < -1 or labels.max() >= classes):
        raise ValueError(
            "labels must be from 0 to {}, or -1 for unknown, got {} to {}".format(
                classes - 1, labels.min(), labels.max()
            )
        )
    return (labels[:, np.newaxis] == np.arange(classes)).astype(np.float32)


def _rows(labels: Tensor, classes: Any, dtype: Any) -> Tensor:
    whole = tf.cast(labels, tf.int32)
    right = tf.reduce_all(tf.equal(tf.cast(whole, labels.dtype), labels) & (whole >= -1) & (whole < classes))
    message = "labels must be class numbers, from 0 to one less than the classes, or -1 for unknown"
    if tf.executing_eagerly():
        if not right:
            raise ValueError("{}, got {}".format(message, labels.numpy()))
        return tf.one_hot(whole, classes, dtype=dtype)
    with tf.control_dependencies([tf.debugging.Assert(right, [message, labels])]):
        return tf.one_hot(tf.identity(whole), classes, dtype=dtype)


def _same_shape(name: str, x: Tensor, logits: Tensor) -> Tensor:
    """x; ValueError where its shape is not that of logits, so that nothing is stretched."""
    if not x.shape.is_compatible_with(logits.shape):
        raise ValueError("{} must be of the shape of logits, {}, got {}".format(name, logits.shape, x.shape))
    if x.shape.is_fully_defined() and logits.shape.is_fully_defined():
        return x
    message = "{} must be of the shape of logits".format(name)
    with tf.control_dependencies([tf.debugging.assert_equal(tf.shape(x), tf.shape(logits), message=message)]):
        return tf.identity(x)


def distillation_loss(
    labels: Any,
    soft_targets: Any,
    logits: Any,
    temperature: float = 4.0,
    alpha: float = 0.1,
    form: str = CROSS_ENTROPY,
    from_logits: bool = True,
) -> Tensor:
    """alpha * CE(labels, softmax(z)) + (1 - alpha) * T^2 * CE(soft targets, softmax(z / T)), an example at a time.

    T^2 keeps the size of the soft targets' gradient, which falls as 1 / T^2, about the same for every temperature.

    Args:
        labels: (batch,) or (batch, 1), class numbers, -1 where the label is unknown: then only the second term counts;
            or (batch, classes), rows with a single 1, or of zeros where it is unknown.
        soft_targets: (batch, classes), the teacher's probabilities at this temperature. No gradient reaches them.
        logits: z, (batch, classes), the student's, before any softmax; minus infinity for a class that is masked out.
        temperature: T, above 0.
        alpha: the labels' weight, from 0 to 1.
        form: "cross-entropy", as above, or "kl": the Kullback-Leibler divergence in place of the second CE. It is less by
            the soft targets' own entropy, so that it is 0 for a student that equals the teacher; the gradient is the same.
        from_logits: False takes `logits` as probabilities, after a softmax, and their logarithm as z.

    Returns:
        (batch,) in nats, float32 or the type of logits if that is wider.

    Raises:
        ValueError: an argument outside what is said here. Shapes and class numbers that are known only when a graph runs
            are checked there: InvalidArgumentError.
    """
    temperature, alpha, form = checked(temperature, alpha, form)
    if any(map(_keras.is_symbolic, (labels, soft_targets, logits))):
        raise ValueError("distillation_loss takes no tensors of a model in the making: compile with DistillationLoss")
    z = _precise(logits) if from_logits else logarithm(logits)
    classes = z.shape.as_list()[-1] if z.shape.ndims else None
    rows = one_hot(labels, tf.shape(z)[-1] if classes is None else classes, z.dtype)
    labels = tf.stop_gradient(_same_shape("labels", rows, z))
    soft_targets = tf.stop_gradient(_same_shape("soft_targets", tf.cast(soft_targets, z.dtype), z))
    hard = _expected(labels, -tf.nn.log_softmax(z))
    soft = _soft_loss(soft_targets, z / temperature, form)
    return alpha * hard + (1 - alpha) * temperature**2 * soft


@_keras.serializable
class DistillationLoss(tf.keras.losses.Loss):
    """distillation_loss for Keras, whose targets are (batch, 2 * classes): labels, then soft targets."""

    def __init__(
        self,
        temperature: float = 4.0,
        alpha: float = 0.1,
        name: str = "distillation_loss",
        form: str = CROSS_ENTROPY,
        from_logits: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.temperature, self.alpha, self.form = checked(temperature, alpha, form)
        self.from_logits = bool(from_logits)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        labels, soft_targets = halves(y_true)
        return distillation_loss(
            labels, soft_targets, y_pred, self.temperature, self.alpha, self.form, self.from_logits
        )

    def get_config(self) -> Dict[str, Any]:
        config: Dict[str, Any] = super().get_config()
        config.update(temperature=self.temperature, alpha=self.alpha, form=self.form, from_logits=self.from_logits)
        return config


def halves(x: Tensor) -> List[Tensor]:
    """(batch, 2 * classes) as two of (batch, classes)."""
    width: Optional[int] = x.shape.as_list()[-1] if x.shape.ndims else None
    if width is not None and width % 2:
        raise ValueError("targets must be (batch, 2 * classes), labels and then soft targets, got {}".format(x.shape))
    parts: List[Tensor] = tf.split(x, 2, axis=-1)
    return parts


@_keras.serializable
class LabelledAccuracy(tf.keras.metrics.Mean):
    """The share of right answers among the examples that have a label, NaN without any; targets as for
    DistillationLoss."""

    def __init__(self, name: str = "accuracy", **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> Any:
        labels, _ = tf.split(tf.cast(y_true, tf.float32), 2, axis=-1)
        right = tf.cast(tf.equal(tf.argmax(labels, -1), tf.argmax(y_pred, -1)), tf.float32)
        weight = tf.reduce_sum(labels, axis=-1)
        if sample_weight is not None:
            weight *= tf.reshape(tf.cast(sample_weight, tf.float32), [-1])
        return super().update_state(right, sample_weight=weight)

    def result(self) -> Tensor:
        return self.total / self.count
