"""What the layers share: registration, checked arguments, and the order of the axes."""

import numbers

import tensorflow as tf

LAST, FIRST = "channels_last", "channels_first"
IS_TF1 = tf.__version__.startswith("1.")


def serializable(cls):
    """Makes Keras find the class by its name when a model is loaded. TensorFlow 1.15 has no decorator for it."""
    tf.keras.utils.get_custom_objects()[cls.__name__] = cls
    return cls


def data_format(value):
    """The order of the axes: "channels_last" or "channels_first"; None means Keras's own setting."""
    chosen = tf.keras.backend.image_data_format() if value is None else value
    if chosen not in (LAST, FIRST):
        raise ValueError("data_format must be {!r} or {!r}, got {!r}".format(LAST, FIRST, value))
    return chosen


def one_of(name, value, choices):
    if value not in choices:
        raise ValueError("{} must be one of {}, got {!r}".format(name, ", ".join(map(repr, choices)), value))
    return value


def integer(name, value, least=1):
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise ValueError("{} must be an integer of at least {}, got {!r}".format(name, least, value))
    return int(value)


def real(name, value):
    """A Python float that is not NaN; infinities are let through."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or value != value:
        raise ValueError("{} must be a number, got {!r}".format(name, value))
    return float(value)


def positive(name, value):
    number = real(name, value)
    if not 0 < number < float("inf"):
        raise ValueError("{} must be positive and finite, got {!r}".format(name, value))
    return number


def pair(name, value, check):
    """One value for both axes, or (rows, columns); each goes through check(name, value)."""
    both = tuple(value) if isinstance(value, (list, tuple)) else (value, value)
    if len(both) != 2:
        raise ValueError("{} must be one value or a pair (rows, columns), got {!r}".format(name, value))
    return tuple(check(name, each) for each in both)


def floating(x):
    """The argument as a tensor; ValueError unless it holds floating-point numbers."""
    x = tf.convert_to_tensor(x)
    if not x.dtype.is_floating:
        raise ValueError("expected a floating-point tensor, got {}: cast it first".format(x.dtype.name))
    return x


def image_shape(shape, what):
    """The shape of an image batch as a list of 4; ValueError for any other rank."""
    shape = tf.TensorShape(shape).as_list() if not isinstance(shape, (list, tuple)) else list(shape)
    if len(shape) != 4:
        raise ValueError("{} works on images, of rank 4, and got an input of shape {}".format(what, tuple(shape)))
    return shape


def to_channels_last(x, order):
    """The CPU kernels of TensorFlow 1.15 know no other order, and Grappler drops the transposes that meet."""
    return tf.transpose(x, [0, 2, 3, 1]) if order == FIRST else x


def from_channels_last(x, order):
    return tf.transpose(x, [0, 3, 1, 2]) if order == FIRST else x


def spatial(shape, order):
    """(rows, columns) of a shape of rank 4."""
    return tuple(shape[2:4] if order == FIRST else shape[1:3])


def with_spatial(shape, size, order):
    """The shape of rank 4 with other (rows, columns)."""
    if order == FIRST:
        return (shape[0], shape[1], size[0], size[1])
    return (shape[0], size[0], size[1], shape[3])
