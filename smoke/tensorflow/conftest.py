"""Tests of a finished TensorFlow wheel: what it is, and its answers against numpy's.

Every test has a graph of its own, whose tensors the fixture `run` evaluates. What a build was asked for comes in
KILN_VERSION, KILN_CPU_FEATURES and KILN_DEVICE; a test of that is skipped where nothing is known of it.
"""

import os
import sys

# Ours to compute with: one thread, the same order of additions. Read when TensorFlow is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# A GPU's float32 in full: from Ampere on it would multiply with ten bits.
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
# The first process would take all of a GPU's memory, and the suite starts others.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "common"))

import numpy as np
import pytest
import tensorflow as tf

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)

SEED = 20191014


@pytest.fixture(autouse=True)
def graph():
    np.random.seed(SEED)
    with tf.Graph().as_default() as graph:
        tf.compat.v1.set_random_seed(SEED)
        yield graph
    tf.keras.backend.clear_session()


@pytest.fixture
def session(graph):
    # Without the optimiser constants would be folded by another code than the kernel under test.
    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    config.graph_options.optimizer_options.opt_level = -1
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    with tf.compat.v1.Session(graph=graph, config=config) as session:
        yield session


@pytest.fixture
def run(session):
    """run(function, *arrays): the function's tensors for these arrays, as arrays; variables get their first value."""

    def evaluate(function, *arrays):
        arrays = [np.asarray(array) for array in arrays]
        inputs = [tf.compat.v1.placeholder(tf.as_dtype(array.dtype), array.shape) for array in arrays]
        outputs = function(*inputs)
        session.run(tf.compat.v1.global_variables_initializer())
        return session.run(outputs, dict(zip(inputs, arrays)))

    return evaluate
