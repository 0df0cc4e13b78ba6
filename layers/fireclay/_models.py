"""What a Distiller looks at in the models that it is given."""

from typing import Any, List, NamedTuple, Optional, Sequence, Union

import tensorflow as tf

from fireclay import _keras
from fireclay.distillation import TemperatureSoftmax


class Subject(NamedTuple):
    """A model, what it is there ("the student"), and whether it gives logits."""

    keras: Any
    what: str
    logits: Any

    @property
    def who(self) -> str:
        return "{} {}".format(self.what, self.keras.name)


def classes(model: Subject) -> int:
    """How many; ValueError for what is not a Keras model of one known output."""
    if not isinstance(model.keras, tf.keras.Model):
        raise ValueError("{} must be a Keras model, got {!r}".format(model.what, model.keras))
    outputs = getattr(model.keras, "outputs", None)
    if not outputs or not hasattr(outputs[0], "_keras_history"):
        raise ValueError("{} must be a functional or sequential model with a known input shape".format(model.who))
    shape = _keras.as_list(outputs[0].shape)
    if len(outputs) != 1 or len(shape) != 2 or shape[1] is None:
        raise ValueError("{} must have one output (batch, classes), got {}".format(model.who, shape))
    return shape[1]


def same_inputs(student: Subject, teacher: Subject) -> None:
    """ValueError where two models do not take the same."""
    shapes = [[_keras.as_list(each.shape) for each in model.keras.inputs] for model in (student, teacher)]
    fits = len(shapes[0]) == len(shapes[1]) and all(
        tf.TensorShape(one).is_compatible_with(other) for one, other in zip(*shapes)
    )
    if not fits:
        raise ValueError("{} and {} must take the same inputs, got {} and {}".format(student.who, teacher.who, *shapes))


def said(from_logits: Union[bool, Sequence[bool], None], models: int) -> List[Optional[bool]]:
    """from_logits for each model; ValueError where it is none of what a Distiller takes."""
    if from_logits is None or isinstance(from_logits, bool):
        return [from_logits] * models
    said = list(from_logits)
    if len(said) != models or not all(isinstance(each, bool) for each in said):
        raise ValueError(
            "from_logits must be None, a bool, or {} of them, the student's first, got {!r}".format(models, from_logits)
        )
    return list(said)


def gives_logits(model: Subject) -> bool:
    """Whether the operation that gives a model's answers, inside models in it too, is not a softmax."""
    operation, _, place = model.keras.outputs[0]._keras_history
    while isinstance(operation, tf.keras.Model):
        operation, _, place = operation.outputs[place]._keras_history
    if isinstance(operation, TemperatureSoftmax) and operation.temperature != 1:
        raise ValueError("{} ends in TemperatureSoftmax: give the model without that layer".format(model.who))
    # A layer of its own or with an activation, a function as a layer, and in TensorFlow 1.15 an operation as a layer.
    functions = [getattr(operation, "activation", None), getattr(operation, "function", None)]
    names = [type(operation).__name__, getattr(getattr(operation, "node_def", None), "op", "")]
    names += [getattr(function, "__name__", "") for function in functions]
    softmax = isinstance(operation, TemperatureSoftmax) or any(
        name in ("softmax", "softmax_v2", "Softmax") for name in names
    )
    return not softmax
