"""What the layers share: registration, checked arguments, types, and the order of the axes."""

import numbers
from typing import Any, Callable, Iterable, List, Optional, Sequence, Tuple, TypeVar

import tensorflow as tf

# TensorFlow has no type hints.
Tensor = Any
Kind = TypeVar("Kind", bound=type)
Value = TypeVar("Value")
Size = Tuple[Optional[int], Optional[int]]

PACKAGE = "fireclay"
LAST, FIRST = "channels_last", "channels_first"
IS_TF1 = tf.__version__.startswith("1.")
MIXED = {"float16": "mixed_float16", "bfloat16": "mixed_bfloat16"}


def serializable(cls: Kind) -> Kind:
    """Makes Keras find the class when a model is loaded.

    TensorFlow 2 writes the name with the package's prefix, TensorFlow 1.15 without, as this package's version 0.1 did:
    both are found by both.
    """
    known = tf.keras.utils.get_custom_objects()
    if IS_TF1:
        known["{}>{}".format(PACKAGE, cls.__name__)] = known[cls.__name__] = cls
        # Its SavedModel holds the signature of `call`, and does not know typing's annotations.
        if "call" in vars(cls):
            vars(cls)["call"].__annotations__.clear()
    else:
        tf.keras.utils.register_keras_serializable(PACKAGE)(cls)
        known.setdefault(cls.__name__, cls)
    return cls


def is_symbolic(x: Any) -> bool:
    """Whether x is a tensor of a Keras 3 model in the making, which TensorFlow's functions do not take."""
    return hasattr(tf.keras, "KerasTensor") and isinstance(x, tf.keras.KerasTensor)


def data_format(value: Optional[str]) -> str:
    """The order of the axes: "channels_last" or "channels_first"; None means Keras's own setting."""
    chosen: str = tf.keras.backend.image_data_format() if value is None else value
    if chosen not in (LAST, FIRST):
        raise ValueError("data_format must be {!r} or {!r}, got {!r}".format(LAST, FIRST, value))
    return chosen


def one_of(name: str, value: Value, choices: Iterable[Value]) -> Value:
    if value not in choices:
        raise ValueError("{} must be one of {}, got {!r}".format(name, ", ".join(map(repr, choices)), value))
    return value


def integer(name: str, value: Any, least: int = 1) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError("{} must be an integer of at least {}, got {!r}".format(name, least, value))
    return int(value)


def real(name: str, value: Any) -> float:
    """A Python float that is not NaN; infinities are let through."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or value != value:
        raise ValueError("{} must be a number, got {!r}".format(name, value))
    return float(value)


def positive(name: str, value: Any) -> float:
    number = real(name, value)
    if not 0 < number < float("inf"):
        raise ValueError("{} must be positive and finite, got {!r}".format(name, value))
    return number


def pair(name: str, value: Any, check: Callable[[str, Any], Value]) -> Tuple[Value, Value]:
    """One value for both axes, or (rows, columns); each goes through check(name, value)."""
    both = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(both) != 2:
        raise ValueError("{} must be one value or a pair (rows, columns), got {!r}".format(name, value))
    return check(name, both[0]), check(name, both[1])


def floating(x: Any) -> Tensor:
    """The argument as a tensor; ValueError unless it holds floating-point numbers."""
    x = tf.convert_to_tensor(x)
    if not x.dtype.is_floating:
        raise ValueError("expected a floating-point tensor, got {}: cast it first".format(x.dtype.name))
    return x


def symbolic_dtype(x: Tensor) -> str:
    """The type of a tensor for which is_symbolic holds; ValueError unless it is a floating-point one."""
    name: str = tf.as_dtype(x.dtype).name
    if not tf.as_dtype(name).is_floating:
        raise ValueError("expected a floating-point tensor, got {}: cast it first".format(name))
    return name


class FloatingLayer(tf.keras.layers.Layer):
    """A layer of floating-point tensors: it refuses others when the model is built."""

    def compute_output_spec(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """What Keras 3 calls while a model is made; it would run `call`, which refuses them too, with the model alone."""
        for x in tf.nest.flatten(inputs):
            symbolic_dtype(x)
        return super().compute_output_spec(inputs, *args, **kwargs)


def dtype_name(dtype: Any) -> str:
    """The name of a floating-point type, or of one of Keras's policies of mixed types.

    Raises:
        ValueError: another type, or a mixed one on TensorFlow 1.15, whose layers do not work in it.
    """
    name = getattr(dtype, "name", dtype)
    if name in MIXED.values():
        if IS_TF1:
            raise ValueError("dtype {!r} needs TensorFlow 2: Keras's layers in 1.15 do not work in it".format(name))
        return str(name)
    try:
        found = tf.as_dtype(name)
    except TypeError:
        found = tf.string
    if not found.is_floating:
        raise ValueError(
            "dtype must be float16, float32, float64, bfloat16, mixed_float16 or mixed_bfloat16, got {!r}".format(dtype)
        )
    return str(found.name)


def computed(name: str) -> str:
    """The type that layers of a dtype compute in: a policy of mixed types has another for its variables."""
    return {mixed: plain for plain, mixed in MIXED.items()}.get(name, name)


def like(x: Tensor) -> str:
    """The dtype for Keras layers that take x and give its type: on TensorFlow 2, variables stay float32 where x has
    half the bits, as they do in Keras's own layers under such a policy."""
    name = dtype_name(tf.as_dtype(x.dtype))
    return name if IS_TF1 else MIXED.get(name, name)


def as_list(shape: Any) -> List[Optional[int]]:
    if not isinstance(shape, (list, tuple)):
        shape = tf.TensorShape(shape).as_list()
    return [getattr(size, "value", size) for size in shape]


def image_shape(shape: Any, what: str) -> List[Optional[int]]:
    """The shape of an image batch as a list of 4; ValueError for any other rank."""
    shape = as_list(shape)
    if len(shape) != 4:
        raise ValueError("{} works on images, of rank 4, and got an input of shape {}".format(what, tuple(shape)))
    return shape


def to_channels_last(x: Tensor, order: str) -> Tensor:
    """The CPU kernels of TensorFlow 1.15 know no other order, and Grappler drops the transposes that meet."""
    return tf.transpose(x, [0, 2, 3, 1]) if order == FIRST else x


def from_channels_last(x: Tensor, order: str) -> Tensor:
    return tf.transpose(x, [0, 3, 1, 2]) if order == FIRST else x


def spatial(shape: Sequence[Optional[int]], order: str) -> Size:
    """(rows, columns) of a shape of rank 4."""
    rows, columns = shape[2:4] if order == FIRST else shape[1:3]
    return rows, columns


def with_spatial(shape: Sequence[Optional[int]], size: Size, order: str) -> Tuple[Optional[int], ...]:
    """The shape of rank 4 with other (rows, columns)."""
    if order == FIRST:
        return (shape[0], shape[1], size[0], size[1])
    return (shape[0], size[0], size[1], shape[3])
