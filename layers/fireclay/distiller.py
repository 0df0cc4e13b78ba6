"""Training a student model on what teachers answer."""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import tensorflow as tf

from fireclay import _keras, _models, distillation
from fireclay._array import Array
from fireclay.distillation import CROSS_ENTROPY, DistillationLoss, LabelledAccuracy

Tensor = _keras.Tensor
# What else Keras gives under these names would see the soft targets beside the labels.
OWN = ("loss", "loss_weights", "metrics", "weighted_metrics")


class Distiller:
    """Trains a student on what a teacher, or an ensemble of them, says, and on labels where there are any.

        distiller = Distiller(student, [teacher, other_teacher], temperature=4, alpha=0.1)
        distiller.compile("adam")
        distiller.fit(images, labels, epochs=20)      # labels: class numbers, -1 for unknown; or None at all
        distiller.fit(dataset.map(augment), epochs=20)
        student.predict(images)

    Student and teachers are functional or sequential Keras models from the same inputs to (batch, classes): logits, or
    probabilities by a last softmax, whose logarithm is taken for logits. The student is trained in place; it can be
    compiled, saved and used by itself before and after. Teachers answer once for arrays, before the training begins, and
    at every step for a tf.data.Dataset, a keras.utils.Sequence or a generator, whose images may differ each time.

    Args:
        student: the model to train.
        teachers: one model or several; of several the mean of the probabilities is taken.
        temperature, alpha, form: see distillation_loss.
        from_logits: True: all models give logits; False: all give probabilities; a list, student first, says it for
            each. None: a last softmax is looked for.

    Raises:
        ValueError: no teacher, models that do not fit together or without an input shape, or a number out of its range.
    """

    def __init__(
        self,
        student: Any,
        teachers: Any,
        temperature: float = 4.0,
        alpha: float = 0.1,
        form: str = CROSS_ENTROPY,
        from_logits: Union[bool, Sequence[bool], None] = None,
    ) -> None:
        self.student = student
        self.teachers = list(teachers) if isinstance(teachers, (list, tuple)) else [teachers]
        self.temperature, self.alpha, self.form = distillation.checked(temperature, alpha, form)
        if not self.teachers:
            raise ValueError("a Distiller needs at least one teacher")
        models = [_models.Subject(student, "the student", None)]
        models += [_models.Subject(teacher, "a teacher", None) for teacher in self.teachers]
        sizes = [_models.classes(each) for each in models]
        if len(set(sizes)) > 1:
            raise ValueError(
                "student and teachers must have the same number of classes, got {}".format(", ".join(map(str, sizes)))
            )
        for each in models[1:]:
            _models.same_inputs(models[0], each)
        self.classes = sizes[0]
        self._sure = from_logits is not None
        said = _models.said(from_logits, len(models))
        told = [_models.gives_logits(each) if one is None else one for each, one in zip(models, said)]
        self._student, *self._teachers = (each._replace(logits=one) for each, one in zip(models, told))
        self._optimizer: Any = None
        self._options: Dict[str, Any] = {}
        self._compiled: Dict[bool, Any] = {}

    def soft_targets(self, x: Any, batch_size: int = 256) -> Array:
        """The teachers' mean probabilities at the temperature: a float32 array (examples, classes).

        Raises:
            ValueError: a teacher answers with NaN, or, unless from_logits was given, has no last softmax and yet seems to
                give probabilities.
        """
        total: Any = 0
        for teacher in self._teachers:
            logits = np.asarray(teacher.keras.predict(x, batch_size=batch_size, verbose=0), np.float64)
            self._check(teacher, logits)
            if not teacher.logits:
                logits = np.log(np.maximum(logits, 2.0**-126))
            logits = logits / self.temperature
            odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
            total = total + odds / odds.sum(axis=-1, keepdims=True)
        return np.asarray(total / len(self._teachers), np.float32)

    def compile(self, optimizer: Any = "adam", **kwargs: Any) -> None:
        """Sets the optimizer; other arguments go to Model.compile.

        ValueError for a loss or metrics, which a Distiller has of its own: evaluate the student for others.
        """
        for name in OWN:
            if name in kwargs:
                raise ValueError(
                    "a Distiller has a loss and an accuracy of its own and takes no {}: compile and evaluate the "
                    "student itself for others".format(name)
                )
        self._optimizer, self._options, self._compiled = tf.keras.optimizers.get(optimizer), kwargs, {}

    def fit(
        self,
        x: Any,
        y: Any = None,
        validation_data: Any = None,
        class_weight: Optional[Dict[int, float]] = None,
        sample_weight: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Trains the student; returns Keras's History, whose accuracy is NaN where no example has a label.

        Args:
            x: an array (examples, ...); or a tf.data.Dataset, a Sequence or a generator of batches: x, (x, y) or
                (x, y, sample weights).
            y: (examples,) or (examples, 1), class numbers from 0, -1 where unknown; or (examples, classes), rows with a
                single 1, or of zeros where unknown; None if all are. With batches y is theirs.
            validation_data: (x, y) or (x, y, sample weights) of that kind, or batches.
            class_weight: a dict from class number to the weight of its examples; 1 for other classes and without a label.
            sample_weight: (examples,), with arrays.
            kwargs: go to Model.fit: epochs, batch_size, verbose, callbacks, ...

        Raises:
            ValueError: not compiled yet, or an argument outside what is said here.
        """
        if self._optimizer is None:
            raise ValueError("compile the Distiller before fit")
        held_out = _held_out(validation_data)
        live = _is_batches(x) or (held_out is not None and _is_batches(held_out[0]))
        weights = self._class_weights(class_weight)
        if held_out is not None:
            plain = np.ones(self.classes, np.float32)
            kwargs["validation_data"] = self._data(held_out, live, plain)
            if _is_batches(x) and not _is_batches(held_out[0]):
                # TensorFlow 1.15 takes no arrays beside batches.
                kwargs["validation_data"] = tf.data.Dataset.from_tensor_slices(kwargs["validation_data"]).batch(32)
        if _is_batches(x):
            if y is not None or sample_weight is not None:
                raise ValueError("labels and sample weights come with the batches: leave out y and sample_weight")
            return self._model(live).fit(self._data((x,), live, weights), **kwargs)
        x, targets, *heavy = self._data((x, y, sample_weight), live, weights if class_weight else None)
        return self._model(live).fit(x, targets, sample_weight=heavy[0] if heavy else None, **kwargs)

    def _data(self, data: Tuple[Any, ...], live: bool, weights: Optional[Array]) -> Any:
        """What Keras takes: batches, or (x, targets) or (x, targets, sample weights)."""
        if _is_batches(data[0]):
            return self._batches(data[0], weights)
        return self._element(data, live, weights)

    def _element(self, data: Sequence[Any], live: bool, weights: Optional[Array]) -> Tuple[Any, ...]:
        x, y, sample_weight = [*data, None, None][:3]
        count = len(_first(x))
        labels = distillation.one_hot_labels(y, count, self.classes)
        if not live:
            some = _head(x, 32)
            self._check(self._student, self.student.predict(some, verbose=0))
        soft = np.zeros_like(labels) if live else self.soft_targets(x)
        heavy = None if sample_weight is None else np.asarray(sample_weight, np.float32).reshape(count)
        if weights is not None:
            ours = np.where(labels.any(axis=1), labels.dot(weights), 1).astype(np.float32)
            heavy = ours if heavy is None else ours * heavy
        return (x, np.concatenate([labels, soft], axis=1)) + (() if heavy is None else (heavy,))

    def _batches(self, batches: Any, weights: Optional[Array]) -> Any:
        if isinstance(batches, (tf.data.Dataset, tf.compat.v1.data.Dataset)):
            return batches.map(lambda *element: self._tensors(element, weights))
        if isinstance(batches, tf.keras.utils.Sequence):
            return _Batches(batches, lambda element: self._element(_parts(element), True, weights))
        return (self._element(_parts(element), True, weights) for element in batches)

    def _tensors(self, element: Tuple[Any, ...], weights: Optional[Array]) -> Tuple[Tensor, Tensor, Tensor]:
        x, y, sample_weight = [*_parts(element), None, None][:3]
        count = tf.shape(tf.nest.flatten(x)[0])[0]
        labels = distillation.one_hot(tf.fill([count], -1) if y is None else y, self.classes, tf.float32)
        if not labels.shape.is_compatible_with([None, self.classes]):
            raise ValueError(
                "labels must be class numbers or rows of {} numbers, got the shape {}".format(
                    self.classes, labels.shape
                )
            )
        labels = tf.reshape(labels, [count, self.classes])
        known = tf.reduce_sum(labels, axis=1)
        heavy = tf.ones([count]) if weights is None else tf.reduce_sum(labels * weights, axis=1) + (1 - known)
        if sample_weight is not None:
            heavy *= tf.reshape(tf.cast(sample_weight, tf.float32), [count])
        return x, tf.concat([labels, tf.zeros_like(labels)], axis=1), heavy

    def _class_weights(self, class_weight: Optional[Dict[int, float]]) -> Array:
        weights = np.ones(self.classes, np.float32)
        for number, weight in (class_weight or {}).items():
            if number not in range(self.classes):
                raise ValueError(
                    "class_weight must name classes from 0 to {}, got {!r}".format(self.classes - 1, number)
                )
            weights[number] = weight
        return weights

    def _check(self, model: _models.Subject, answers: Array) -> None:
        if np.isnan(answers).any():
            raise ValueError("{} answers with NaN: look at its weights and its inputs".format(model.who))
        if self._sure or not model.logits or not len(answers):
            return
        if answers.min() >= 0 and np.abs(answers.astype(np.float64).sum(axis=-1) - 1).max() < 5e-3:
            raise ValueError(
                "{} seems to give probabilities, and its last layer is not a softmax that is known: give from_logits, "
                "a list with False for each model that gives probabilities and True for logits".format(model.who)
            )

    def _model(self, live: bool) -> Any:
        """A model of its own around the student's layers leaves the student's loss and optimizer as they are."""
        if live not in self._compiled:
            inputs, answers = self.student.inputs, self.student.outputs[0]
            settings = {"form": self.form, "from_logits": self._student.logits}
            if live:
                dtype = "float64" if tf.as_dtype(answers.dtype) == tf.float64 else "float32"
                answers = _Beside(self._live_targets, dtype=dtype)([answers, *inputs])
            model = tf.keras.Model(inputs, answers)
            loss, metric = (_LiveLoss, _LiveAccuracy) if live else (DistillationLoss, LabelledAccuracy)
            model.compile(
                optimizer=self._optimizer,
                loss=loss(self.temperature, self.alpha, **settings),
                metrics=[metric()],
                **self._options,
            )
            self._compiled[live] = model
        return self._compiled[live]

    def _live_targets(self, inputs: List[Tensor]) -> Tensor:
        total: Any = 0
        for teacher in self._teachers:
            answers = teacher.keras(inputs if len(inputs) > 1 else inputs[0], training=False)
            logits = tf.cast(answers, tf.float32) if teacher.logits else distillation.logarithm(answers)
            total += tf.nn.softmax(tf.cast(logits, tf.float32) / self.temperature)
        return total / len(self._teachers)


class _Beside(tf.keras.layers.Layer):
    """The student's answers and, beside them, the teachers': (batch, 2 * classes).

    Input: a list of the student's answers and the inputs of the models. The teachers are hidden in a function, so that
    Keras neither trains nor saves them.
    """

    def __init__(self, targets: Callable[[List[Tensor]], Tensor], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._targets = targets

    def call(self, inputs: List[Tensor]) -> Tensor:
        answers = inputs[0]
        soft = tf.stop_gradient(self._targets(list(inputs[1:])))
        return tf.concat([answers, tf.cast(soft, answers.dtype)], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Tuple[Optional[int], Optional[int]]:
        batch, classes = _keras.as_list(input_shape[0])
        return batch, 2 * (classes or 0)


def _regrouped(y_true: Tensor, y_pred: Tensor) -> Tuple[Tensor, Tensor]:
    labels, _ = distillation.halves(y_true)
    answers, soft = distillation.halves(y_pred)
    return tf.concat([tf.cast(labels, soft.dtype), soft], axis=-1), answers


class _LiveLoss(DistillationLoss):
    """For targets of (batch, 2 * classes), labels and zeros, and the answers of _Beside."""

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        return DistillationLoss.call(self, *_regrouped(y_true, y_pred))


class _LiveAccuracy(LabelledAccuracy):
    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Any = None) -> Any:
        return super().update_state(*_regrouped(y_true, y_pred), sample_weight=sample_weight)


class _Batches(tf.keras.utils.Sequence):
    """Another Sequence's batches, changed by a function."""

    def __init__(self, batches: Any, change: Callable[[Any], Any]) -> None:
        super().__init__()
        self._batches, self._change = batches, change

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> Any:
        return self._change(self._batches[number])

    def on_epoch_end(self) -> None:
        self._batches.on_epoch_end()


def _is_batches(x: Any) -> bool:
    """Whether x gives batches, and is not the examples themselves."""
    return not (isinstance(x, (list, tuple, dict)) or hasattr(x, "__array__"))


def _parts(element: Any) -> Sequence[Any]:
    parts = element if isinstance(element, (list, tuple)) else (element,)
    if not 1 <= len(parts) <= 3:
        raise ValueError("batches must be x, (x, y) or (x, y, sample weights), got {} parts".format(len(parts)))
    return parts


def _held_out(data: Any) -> Optional[Tuple[Any, ...]]:
    if data is None:
        return None
    if not isinstance(data, (list, tuple)):
        if not _is_batches(data):
            raise ValueError("validation_data must be (x, y), (x, y, sample weights) or batches, got an array")
        return (data,)
    if not 2 <= len(data) <= 3:
        raise ValueError("validation_data must be (x, y) or (x, y, sample weights), got {} parts".format(len(data)))
    return tuple(data)


def _first(x: Any) -> Any:
    """One of the arrays of a model's inputs."""
    if isinstance(x, dict):
        return next(iter(x.values()))
    return x[0] if isinstance(x, (list, tuple)) else x


def _head(x: Any, count: int) -> Any:
    if isinstance(x, dict):
        return {name: each[:count] for name, each in x.items()}
    return [each[:count] for each in x] if isinstance(x, (list, tuple)) else x[:count]
