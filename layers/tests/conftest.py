"""The layers in TensorFlow's two ways of working.

On TensorFlow 1.15 every test that asks for `mode` runs twice in one process: eagerly, and in a graph of its own with a
session of its own. On TensorFlow 2, "graph" means inside tf.function.
"""

import gc
import os

# One thread, and the same order of additions everywhere; read when TensorFlow is imported.
for variable in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("MPLBACKEND", "Agg")

import numpy as np
import pytest
import tensorflow as tf
from modes import IS_TF1, THREADS, Mode

tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
if IS_TF1:
    tf.compat.v1.enable_eager_execution(tf.compat.v1.ConfigProto(**THREADS))


@pytest.fixture(autouse=True)
def clean_keras():
    np.random.seed(20210114)
    # An iterator that TensorFlow 1.15 collects while it traces a function breaks that function, or waits for itself.
    gc.disable()
    yield
    tf.keras.backend.clear_session()
    gc.enable()
    gc.collect()


@pytest.fixture(params=["eager", "graph"])
def mode(request):
    chosen = Mode(request.param)
    with chosen:
        yield chosen
