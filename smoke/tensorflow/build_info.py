"""What TensorFlow says of itself when it starts, and where its parts are."""

import os
import re

import tensorflow as tf

import known

# What each name of --cpu-features is called by the guard, and by the kernel in /proc/cpuinfo.
GUARD_NAMES = {
    "sse3": ("SSE3", "pni"),
    "sse4.1": ("SSE4.1", "sse4_1"),
    "sse4.2": ("SSE4.2", "sse4_2"),
    "avx": ("AVX", "avx"),
    "avx2": ("AVX2", "avx2"),
    "avx512f": ("AVX512F", "avx512f"),
    "fma": ("FMA", "fma"),
}
FOLDER = "tensorflow_core"
# Where the kernels are: in NVIDIA's line in a library of their own, which pywrap shares.
MAIN_LIBRARIES = (FOLDER + "/libtensorflow_cc.so", FOLDER + "/python/_pywrap_tensorflow_internal.so")
FRAMEWORK_LIBRARY = FOLDER + "/libtensorflow_framework.so"


def has_lite():
    """Whether TensorFlow Lite is to be expected: NVIDIA's line leaves it out of the package."""
    return "+nv" not in tf.version.GIT_VERSION


def unused_features():
    """The features that the guard says this processor has and the wheel was not compiled to use."""
    program = "import tensorflow as tf; tf.compat.v1.Session()"
    said = known.run_python(program, TF_CPP_MIN_LOG_LEVEL="0")
    found = re.search(r"not compiled to use: (.*)", said)
    return set(found.group(1).split()) if found else set()


def instruction_counts():
    """The instructions of the main library, where the kernels are."""
    return known.instruction_counts(known.library_facts(*MAIN_LIBRARIES))


def package():
    """The folder of TensorFlow's code."""
    code = os.path.dirname(os.path.abspath(tf.python.__file__ if hasattr(tf, "python") else tf.__file__))
    while not os.path.exists(os.path.join(code, "python", "pywrap_tensorflow_internal.py")):
        code = os.path.dirname(code)
    return code


def requirements():
    """The names that the wheel requires, in lower case."""
    wanted = known.distribution().requires or []
    return {re.match(r"[\w.-]+", each).group().lower() for each in wanted}
