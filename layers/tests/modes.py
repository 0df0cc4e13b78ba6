"""Evaluates functions of tensors eagerly or in a graph, on TensorFlow 1.15 and on 2."""

import contextlib

import numpy as np
import tensorflow as tf

IS_TF1 = tf.__version__.startswith("1.")
SEED = 20210114
THREADS = {"intra_op_parallelism_threads": 1, "inter_op_parallelism_threads": 1}


class Mode:
    """`with Mode("graph") as mode:` makes Keras work so, and `mode.run(function, array)` evaluates."""

    def __init__(self, name):
        self.name = name
        self._stack = contextlib.ExitStack()

    @property
    def in_session(self):
        return IS_TF1 and self.name == "graph"

    def __enter__(self):
        self._stack.__enter__()
        if self.in_session:
            self._stack.enter_context(tf.Graph().as_default())
            session = tf.compat.v1.Session(config=tf.compat.v1.ConfigProto(**THREADS))
            self.session = self._stack.enter_context(session)
            tf.compat.v1.keras.backend.set_session(self.session)
        (tf.compat.v1.set_random_seed if IS_TF1 else tf.random.set_seed)(SEED)
        return self

    def __exit__(self, *error):
        return self._stack.__exit__(*error)

    def run(self, function, *arrays):
        """function(tensors) as arrays; in a graph no size but the number of axes is known beforehand."""
        if self.name == "eager":
            return _arrays(function(*map(tf.constant, arrays)))
        shapes = [[None] * np.ndim(array) for array in arrays]
        if not IS_TF1:
            signature = [tf.TensorSpec(shape, array.dtype) for shape, array in zip(shapes, arrays)]
            return _arrays(tf.function(function, input_signature=signature)(*arrays))
        inputs = [tf.compat.v1.placeholder(array.dtype, shape) for shape, array in zip(shapes, arrays)]
        outputs = function(*inputs)
        # Asking Keras for its session gives new variables their first value.
        tf.compat.v1.keras.backend.get_session()
        return self.session.run(outputs, dict(zip(inputs, arrays)))

    def gradient(self, function, *arrays):
        """The gradients of the sum of function(tensors) with respect to each."""

        def gradients(*tensors):
            if self.in_session:
                return tf.gradients(function(*tensors), list(tensors))
            with tf.GradientTape() as tape:
                tape.watch(tensors)
                total = tf.reduce_sum(function(*tensors))
            return tape.gradient(total, list(tensors))

        found = self.run(gradients, *arrays)
        return found[0] if len(arrays) == 1 else found


def _arrays(outputs):
    if isinstance(outputs, (list, tuple)):
        return [each.numpy() for each in outputs]
    return outputs.numpy()
