"""What is known of the wheel under test: what was asked for, what it says of itself, and what its files are.

Kiln says in variables what the wheel was asked to be; for a wheel from elsewhere they are not set, and a test of that
is skipped. `inspect_wheel.py` has written the facts, where it was run.
"""

import json
import os
import re
import subprocess
import sys

import pytest

try:
    from importlib import metadata
except ImportError:  # Python 3.6 and 3.7
    import importlib_metadata as metadata

# No processor has the feature on the left without those on the right, and gcc switches them on with it.
IMPLIED = {
    "avx512f": {"avx2", "fma", "f16c"},
    "avx2": {"avx"},
    "fma": {"avx"},
    "f16c": {"avx"},
    "avx": {"sse4.2"},
    "sse4.2": {"sse4.1"},
    "sse4.1": {"ssse3"},
    "ssse3": {"sse3"},
}
STAMP = "kiln.json"


def asked_for(variable):
    """What the build was asked for; where nothing is known of it the test is skipped."""
    asked = os.environ.get(variable)
    if asked is None:
        pytest.skip(variable + " is not set: the wheel was not built by Kiln, and nothing was asked of it")
    return asked


def asked_features():
    """The features of KILN_CPU_FEATURES and those that they imply."""
    asked = asked_for("KILN_CPU_FEATURES")
    found, pending = set(), set() if asked == "baseline" else set(asked.split(","))
    while pending:
        feature = pending.pop()
        found.add(feature)
        pending |= IMPLIED.get(feature, set()) - found
    return found


def facts():
    """What inspect_wheel.py found; where it was not run the test is skipped."""
    path = os.environ.get("KILN_FACTS", "")
    if not os.path.exists(path):
        pytest.skip("the wheel's files were not inspected: KILN_FACTS names no file")
    with open(path) as file:
        return json.load(file)


def library_facts(*names):
    """The facts of the first of these libraries that the wheel has, by paths in it, which may end in a version."""
    found = facts()["libraries"]
    for name in names:
        paths = [path for path in found if re.match(re.escape(name) + r"(\.\d+)*$", path)]
        if paths:
            (path,) = paths
            return found[path]
    raise ValueError("the wheel has none of " + ", ".join(names))


def instruction_counts(library):
    """How many instructions a library has of each kind: ymm, zmm, avx2, fma."""
    counts = library["instructions"]
    if counts is None:
        pytest.skip("objdump is not installed: the machine code was not looked at")
    return counts


def distribution():
    """The installed distribution under test."""
    name = os.environ.get("KILN_DISTRIBUTION")
    if name is None:
        pytest.skip("KILN_DISTRIBUTION does not name the wheel's distribution")
    return metadata.distribution(name)


def stamp():
    """What the wheel says of the build that it came from, or None."""
    text = distribution().read_text(STAMP)
    return None if text is None else json.loads(text)


def files():
    """The distribution's files: (path as RECORD has it, absolute path, hash, size)."""
    for file in distribution().files:
        yield str(file), str(file.locate()), file.hash, file.size


def libraries_of_others():
    """The names of the shared libraries that other installed packages have."""
    own = distribution().metadata["Name"]
    listed = [each.files or [] for each in metadata.distributions() if each.metadata["Name"] != own]
    return {os.path.basename(str(path)) for paths in listed for path in paths if ".so" in str(path)}


def is_elf(path):
    with open(path, "rb") as file:
        return file.read(4) == b"\x7fELF"


def processor_flags():
    with open("/proc/cpuinfo") as lines:
        return next(set(line.split()) for line in lines if line.startswith("flags"))


def output(*command, **changed):
    """What a program prints, errors too."""
    environment = dict(os.environ, **changed)
    return subprocess.check_output(command, env=environment, stderr=subprocess.STDOUT).decode()


def run_python(program, **changed):
    """What a program prints in a process of its own."""
    return output(sys.executable, "-W", "ignore", "-c", program, **changed)
