"""Knowledge distillation (Hinton, Vinyals and Dean, 2015, arXiv:1503.02531)."""

import numpy as np
import tensorflow as tf

from fireclay import _keras


def _weight(alpha):
    alpha = _keras.real("alpha", alpha)
    if not 0 <= alpha <= 1:
        raise ValueError("alpha must be from 0 to 1, got {!r}".format(alpha))
    return alpha


def _precise(x):
    """float16 has too few digits for the logarithms of a loss."""
    x = _keras.floating(x)
    return tf.cast(x, tf.float32) if x.dtype.size < 4 else x


def _cross_entropy(targets, logits):
    return -tf.reduce_sum(targets * tf.nn.log_softmax(logits), axis=-1)


def softmax_with_temperature(logits, temperature=1.0):
    """softmax(logits / temperature) over the last axis.

    Args:
        logits: a floating-point tensor (..., classes).
        temperature: above 0; 1 is softmax, more is softer.

    Returns:
        A tensor of the shape and type of logits, whose last axis sums to 1.
    """
    temperature = _keras.positive("temperature", temperature)
    return tf.nn.softmax(_keras.floating(logits) / temperature)


@_keras.serializable
class TemperatureSoftmax(tf.keras.layers.Layer):
    """softmax_with_temperature as a layer. Input and output: (..., classes)."""

    def __init__(self, temperature=1.0, **kwargs):
        super().__init__(**kwargs)
        self.temperature = _keras.positive("temperature", temperature)

    def call(self, inputs):
        return softmax_with_temperature(inputs, self.temperature)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        config = super().get_config()
        config.update(temperature=self.temperature)
        return config


def distillation_loss(labels, soft_targets, logits, temperature=4.0, alpha=0.1):
    """alpha * CE(labels, softmax(z)) + (1 - alpha) * T^2 * CE(soft targets, softmax(z / T)), an example at a time.

    T^2 keeps the size of the soft targets' gradient, which falls as 1 / T^2, about the same for every temperature.

    Args:
        labels: (batch, classes), rows with a single 1, or of zeros where the label is unknown: then only the
            second term counts.
        soft_targets: (batch, classes), the teacher's probabilities at this temperature. No gradient reaches them.
        logits: (batch, classes), the student's, before any softmax.
        temperature: T, above 0.
        alpha: the labels' weight, from 0 to 1.

    Returns:
        (batch,) in nats, float32 or the type of logits if that is wider.
    """
    temperature, alpha = _keras.positive("temperature", temperature), _weight(alpha)
    logits = _precise(logits)
    labels = tf.stop_gradient(tf.cast(labels, logits.dtype))
    soft_targets = tf.stop_gradient(tf.cast(soft_targets, logits.dtype))
    hard = _cross_entropy(labels, logits)
    soft = _cross_entropy(soft_targets, logits / temperature)
    return alpha * hard + (1 - alpha) * temperature**2 * soft


@_keras.serializable
class DistillationLoss(tf.keras.losses.Loss):
    """distillation_loss for Keras, whose targets are (batch, 2 * classes): labels, then soft targets."""

    def __init__(self, temperature=4.0, alpha=0.1, name="distillation_loss", **kwargs):
        super().__init__(name=name, **kwargs)
        self.temperature, self.alpha = _keras.positive("temperature", temperature), _weight(alpha)

    def call(self, y_true, y_pred):
        labels, soft_targets = tf.split(y_true, 2, axis=-1)
        return distillation_loss(labels, soft_targets, y_pred, self.temperature, self.alpha)

    def get_config(self):
        config = super().get_config()
        config.update(temperature=self.temperature, alpha=self.alpha)
        return config


@_keras.serializable
class LabelledAccuracy(tf.keras.metrics.Mean):
    """The share of right answers among the examples that have a label; targets as for DistillationLoss."""

    def __init__(self, name="accuracy", **kwargs):
        super().__init__(name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        labels, _ = tf.split(tf.cast(y_true, tf.float32), 2, axis=-1)
        right = tf.cast(tf.equal(tf.argmax(labels, -1), tf.argmax(y_pred, -1)), tf.float32)
        weight = tf.reduce_sum(labels, axis=-1)
        if sample_weight is not None:
            weight *= tf.reshape(tf.cast(sample_weight, tf.float32), [-1])
        return super().update_state(right, sample_weight=weight)


class Distiller:
    """Trains a student on what a teacher, or an ensemble of them, says, and on labels where there are any.

        distiller = Distiller(student, [teacher, other_teacher], temperature=4, alpha=0.1)
        distiller.compile("adam")
        distiller.fit(images, labels, epochs=20)      # labels: class numbers, -1 for unknown; or None at all
        student.predict(images)

    Student and teachers are functional or sequential Keras models from the same inputs to (batch, classes) logits.
    The student is trained in place; it can be compiled, saved and used by itself before and after. Teachers answer
    once, before the training begins: so x is an array, not a generator.

    Args:
        student: the model to train.
        teachers: one model or several; of several the mean of the probabilities is taken.
        temperature, alpha: see distillation_loss.

    Raises:
        ValueError: no teacher, models with different numbers of classes or without an input shape, or a number
            out of its range.
    """

    def __init__(self, student, teachers, temperature=4.0, alpha=0.1):
        self.student = student
        self.teachers = list(teachers) if isinstance(teachers, (list, tuple)) else [teachers]
        self.temperature, self.alpha = _keras.positive("temperature", temperature), _weight(alpha)
        if not self.teachers:
            raise ValueError("a Distiller needs at least one teacher")
        shapes = [_logits_shape(model) for model in [student, *self.teachers]]
        if len(set(shapes)) > 1:
            raise ValueError(
                "student and teachers must have the same number of classes, got {}".format(
                    ", ".join(str(classes) for classes in shapes)
                )
            )
        self.classes = shapes[0]
        # A model of its own around the student's layers leaves the student's loss and optimizer as they are.
        self._training = tf.keras.Model(student.inputs, student.outputs[0])

    def soft_targets(self, x, batch_size=256):
        """The teachers' mean probabilities at the temperature: a float32 array (examples, classes)."""
        total = 0
        for teacher in self.teachers:
            logits = np.asarray(teacher.predict(x, batch_size=batch_size, verbose=0), np.float64) / self.temperature
            odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
            total = total + odds / odds.sum(axis=-1, keepdims=True)
        return (total / len(self.teachers)).astype(np.float32)

    def compile(self, optimizer="adam", **kwargs):
        """Sets the optimizer; other arguments go to Model.compile."""
        loss = DistillationLoss(self.temperature, self.alpha)
        self._training.compile(optimizer=optimizer, loss=loss, metrics=[LabelledAccuracy()], **kwargs)

    def fit(self, x, y=None, validation_data=None, **kwargs):
        """Trains the student; returns Keras's History.

        Args:
            x: an array (examples, ...).
            y: (examples,) class numbers from 0, -1 where unknown; None if all are.
            validation_data: (x, y) of that kind.
            kwargs: go to Model.fit: epochs, batch_size, verbose, callbacks, ...

        Raises:
            ValueError: labels that are no class numbers, or not one an example.
        """
        if validation_data is not None:
            held_out, held_out_labels = validation_data
            kwargs["validation_data"] = (held_out, self._targets(held_out, held_out_labels))
        return self._training.fit(x, self._targets(x, y), **kwargs)

    def _targets(self, x, y):
        soft = self.soft_targets(x)
        return np.concatenate([one_hot_labels(y, len(soft), self.classes), soft], axis=1)


def one_hot_labels(y, examples, classes):
    """float32 (examples, classes); rows of zeros where y is -1, everywhere if y is None."""
    labels = np.full(examples, -1) if y is None else np.asarray(y)
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


def _logits_shape(model):
    outputs = getattr(model, "outputs", None)
    if not outputs:
        raise ValueError("{} must be a functional or sequential model with a known input shape".format(model.name))
    shape = tf.TensorShape(outputs[0].shape).as_list()
    if len(outputs) != 1 or len(shape) != 2 or shape[1] is None:
        raise ValueError("{} must have one output (batch, classes), got {}".format(model.name, shape))
    return shape[1]
