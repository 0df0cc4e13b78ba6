"""What can be learned of the installed wheel from outside: its files, its code and what it says when it starts."""

import csv
import os
import re
import shutil
import subprocess
import sys

import pytest
import tensorflow as tf

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
# gcc switches on what is on the right with what is on the left.
IMPLIED = {
    "avx512f": {"avx2"},
    "avx2": {"avx"},
    "fma": {"avx"},
    "avx": {"sse4.2"},
    "sse4.2": {"sse4.1"},
    "sse4.1": {"ssse3"},
    "ssse3": {"sse3"},
}


def asked_for(variable):
    asked = os.environ.get(variable)
    if asked is None:
        pytest.skip(variable + " is not set: nothing is known of what was asked for")
    return asked


def asked_features():
    """The features of KILN_CPU_FEATURES and those that they imply."""
    asked = asked_for("KILN_CPU_FEATURES")
    known, pending = set(), set() if asked == "baseline" else set(asked.split(","))
    while pending:
        feature = pending.pop()
        known.add(feature)
        pending |= IMPLIED.get(feature, set()) - known
    return known


def processor_flags():
    with open("/proc/cpuinfo") as lines:
        return next(set(line.split()) for line in lines if line.startswith("flags"))


def unused_features():
    """The features that the guard says this processor has and the wheel was not compiled to use."""
    program = "import tensorflow as tf; tf.compat.v1.Session()"
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="0")
    command = [sys.executable, "-W", "ignore", "-c", program]
    said = subprocess.check_output(command, env=environment, stderr=subprocess.STDOUT).decode()
    found = re.search(r"not compiled to use: (.*)", said)
    return set(found.group(1).split()) if found else set()


def package():
    """The folder of TensorFlow's code, and the one that it is installed in."""
    code = os.path.dirname(os.path.abspath(tf.python.__file__ if hasattr(tf, "python") else tf.__file__))
    while not os.path.exists(os.path.join(code, "python", "pywrap_tensorflow_internal.py")):
        code = os.path.dirname(code)
    return code, os.path.dirname(code)


def main_library():
    return os.path.join(package()[0], "python", "_pywrap_tensorflow_internal.so")


def shared_libraries():
    code, _ = package()
    for folder, _, names in os.walk(code):
        for name in names:
            if re.search(r"\.so(\.\d+)*$", name):
                yield os.path.join(folder, name)


def metadata_folder():
    _, site = package()
    pattern = re.compile(r"tensorflow(_cpu|_gpu)?-[0-9][^-]*\.dist-info$")
    (found,) = (name for name in os.listdir(site) if pattern.match(name))
    return os.path.join(site, found)


def metadata():
    with open(os.path.join(metadata_folder(), "METADATA"), encoding="utf-8") as lines:
        return lines.read()


def record():
    """The rows (path, hash, size) of what the wheel installed."""
    with open(os.path.join(metadata_folder(), "RECORD"), newline="", encoding="utf-8") as rows:
        return list(csv.reader(rows))


def tool(name):
    """A program of binutils; where it is absent the test is skipped."""
    return shutil.which(name) or pytest.skip(name + " is not installed: the machine code was not looked at")


def instruction_counts(path, patterns):
    """How many instructions of the library match each pattern; a large library takes half a minute."""
    command = [tool("objdump"), "--disassemble", "--no-show-raw-insn", path]
    compiled = {name: re.compile(pattern.encode()) for name, pattern in patterns.items()}
    counts = dict.fromkeys(patterns, 0)
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            for name, pattern in compiled.items():
                if pattern.search(line):
                    counts[name] += 1
    assert process.returncode == 0
    return counts
