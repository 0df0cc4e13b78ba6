"""The operations whose speed the smoke run tells, each beside NumPy's. On one thread; inputs stay in the graph."""

import os

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import tensorflow as tf

VERSION = "tensorflow " + tf.__version__
MILLION = 1000000


def operations():
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.optimizer_options.opt_level = -1
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    graph = tf.Graph()
    session = tf.compat.v1.Session(graph=graph, config=config)

    def both(function, reference, *arrays):
        """A run of the operation alone: its inputs are variables, its output is not fetched."""
        with graph.as_default():
            inputs = [tf.compat.v1.Variable(array) for array in arrays]
            operation = function(*inputs).op
        session.run([each.initializer for each in inputs])
        return session.make_callable(operation), reference and (lambda: reference(*arrays))

    random = np.random.RandomState(1)
    single = random.standard_normal((1024, 1024)).astype(np.float32)
    double = random.standard_normal((512, 512))
    row = random.uniform(0.1, 4, MILLION).astype(np.float32)
    scores = random.standard_normal((256, 1000)).astype(np.float32)
    pictures = random.standard_normal((4, 56, 56, 64)).astype(np.float32)
    kernel = random.standard_normal((3, 3, 64, 64)).astype(np.float32)
    return {
        "matmul f32, 1024 x 1024": both(tf.matmul, np.matmul, single, single),
        "matmul f64, 512 x 512": both(tf.matmul, np.matmul, double, double),
        "conv2d 3 x 3 f32, 4 x 56 x 56 x 64": both(
            lambda x, k: tf.nn.conv2d(x, k, strides=1, padding="SAME"), None, pictures, kernel
        ),
        "exp f32, 1 million": both(tf.exp, np.exp, row),
        "log f32, 1 million": both(tf.math.log, np.log, row),
        "tanh f32, 1 million": both(tf.tanh, np.tanh, row),
        "sigmoid f32, 1 million": both(tf.sigmoid, sigmoid, row),
        "softmax f32, 256 x 1000": both(tf.nn.softmax, softmax, scores),
    }


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(x):
    odds = np.exp(x - x.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)
