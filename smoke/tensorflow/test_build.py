"""The wheel is what it was asked to be."""

import base64
import glob
import hashlib
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import build_info
from build_info import asked_for


def test_version_is_the_one_asked_for():
    version = asked_for("KILN_VERSION")
    assert version == tf.__version__
    assert "\nVersion: " + version in build_info.metadata()


def test_version_of_the_code_and_of_the_metadata_agree():
    # The metadata may add a local part, such as +avx2, which tells variants apart.
    assert re.search(
        r"^Version: {}(\+[a-z0-9.]+)?$".format(re.escape(tf.__version__)), build_info.metadata(), re.M
    )
    assert tf.version.GIT_VERSION.lstrip("v").startswith(tf.__version__.rpartition(".")[0])
    assert tf.version.GRAPH_DEF_VERSION >= tf.version.GRAPH_DEF_VERSION_MIN_CONSUMER


def test_every_file_of_the_wheel_is_there_unchanged():
    _, site = build_info.package()
    checked = 0
    for path, digest, size in build_info.record():
        if digest:
            with open(os.path.join(site, path), "rb") as file:
                content = file.read()
            algorithm, _, expected = digest.partition("=")
            found = base64.urlsafe_b64encode(hashlib.new(algorithm, content).digest()).decode().rstrip("=")
            assert (found, len(content)) == (expected, int(size)), path
            checked += 1
    assert checked > 1000


def test_no_file_lies_outside_its_package():
    folders = {path.split("/")[0] for path, _, _ in build_info.record() if not path.startswith("../")}
    metadata = os.path.basename(build_info.metadata_folder())
    assert folders <= {"tensorflow", "tensorflow_core", metadata}
    # Programs, and nothing else, stand beside the interpreter.
    outside = [path for path, _, _ in build_info.record() if path.startswith("../")]
    assert all(re.match(r"(\.\./)+bin/[\w-]+$", path) for path in outside), outside


def test_no_shared_library_is_missing():
    missing = []
    environment = dict(os.environ, LD_LIBRARY_PATH=build_info.package()[0])
    for path in build_info.shared_libraries():
        said = subprocess.check_output([build_info.tool("ldd"), path], env=environment).decode()
        missing += [
            (os.path.basename(path), line.strip()) for line in said.splitlines() if "not found" in line
        ]
    # The driver's library comes with the graphics card.
    assert [each for each in missing if "libcuda.so.1" not in each[1]] == []


def test_symbols_are_no_newer_than_the_tag():
    with open(os.path.join(build_info.metadata_folder(), "WHEEL"), encoding="utf-8") as lines:
        tags = re.findall(r"^Tag: (\S+)", lines.read(), re.MULTILINE)
    newest = {"manylinux2010": (2, 12), "manylinux1": (2, 5), "manylinux2014": (2, 17)}
    allowed = [newest[name] for name in newest for tag in tags if name in tag]
    allowed += [tuple(map(int, found)) for tag in tags for found in re.findall(r"manylinux_(\d+)_(\d+)", tag)]
    if not allowed:
        pytest.skip("the tag {} promises no version of glibc".format(tags))
    wanted = set()
    for path in build_info.shared_libraries():
        said = subprocess.check_output([build_info.tool("readelf"), "--version-info", path]).decode()
        wanted |= {tuple(map(int, found.split("."))) for found in re.findall(r"Name: GLIBC_([0-9.]+)", said)}
    assert max(wanted) <= max(allowed)


def test_guard_names_no_feature_that_was_asked_for():
    asked, unused = build_info.asked_features(), build_info.unused_features()
    flags = build_info.processor_flags()
    for feature, (name, flag) in build_info.GUARD_NAMES.items():
        if flag in flags:
            assert (name in unused) == (feature not in asked), (feature, unused)


def test_machine_code_uses_the_features_asked_for(record_property):
    asked = build_info.asked_features()
    patterns = {"fma": r"\tvfn?m(add|sub)", "avx": r"%ymm", "avx512f": r"%zmm"}
    counts = build_info.instruction_counts(build_info.main_library(), patterns)
    for name, count in counts.items():
        record_property("instructions " + name, count)
    # Eigen's kernels are compiled for the target alone. A few vector instructions may come from libraries that choose
    # at run time, such as BoringSSL's; thousands cannot.
    for name, count in counts.items():
        if name in asked:
            assert count > 5000, counts
        else:
            assert count < 5000, counts


def test_headers_and_flags_for_extensions(tmp_path):
    flags = tf.sysconfig.get_compile_flags()
    (abi,) = (flag for flag in flags if flag.startswith("-D_GLIBCXX_USE_CXX11_ABI="))
    assert abi == "-D_GLIBCXX_USE_CXX11_ABI={}".format(tf.sysconfig.CXX11_ABI_FLAG)
    include = tf.sysconfig.get_include()
    for header in (
        "tensorflow/core/framework/op_kernel.h",
        "third_party/eigen3/unsupported/Eigen/CXX11/Tensor",
    ):
        assert os.path.exists(os.path.join(include, header)), header
    (folder,) = (flag[2:] for flag in tf.sysconfig.get_link_flags() if flag.startswith("-L"))
    (name,) = (flag[3:] for flag in tf.sysconfig.get_link_flags() if flag.startswith("-l:"))
    assert os.path.exists(os.path.join(folder, name))


def test_abi_is_that_of_the_exported_symbols():
    names = subprocess.check_output(
        [build_info.tool("nm"), "--dynamic", "--defined-only", glob.glob(framework_library())[0]]
    ).decode()
    # The C++ library itself may be linked in, with both: what counts is TensorFlow's own functions on strings.
    ours = [name for name in names.split() if name.startswith("_ZN10tensorflow")]
    new = [name for name in ours if "NSt7__cxx11" in name]
    assert len(ours) > 1000
    assert (len(new) > 100) == bool(tf.sysconfig.CXX11_ABI_FLAG), len(new)


def framework_library():
    return os.path.join(build_info.package()[0], "libtensorflow_framework.so*")


def test_device_is_the_one_asked_for():
    device = asked_for("KILN_DEVICE")
    assert tf.test.is_built_with_cuda() == (device != "cpu")


def test_cuda_is_linked_where_the_wheel_says_so():
    said = subprocess.check_output(
        [build_info.tool("readelf"), "--dynamic", build_info.main_library()]
    ).decode()
    said += subprocess.check_output(
        [build_info.tool("readelf"), "--dynamic", glob.glob(framework_library())[0]]
    ).decode()
    assert tf.test.is_built_with_cuda() == bool(re.search(r"lib(cuda|cudart|cublas)\.so", said))


def test_requirements_leave_out_what_breaks_it():
    wanted = dict(re.findall(r"^Requires-Dist: ([\w-]+) ?\(?([^)\n;]*)", build_info.metadata(), re.MULTILINE))
    assert {"numpy", "protobuf", "h5py", "gast", "keras-applications", "grpcio"} <= {
        name.lower() for name in wanted
    }
    # What is installed is what the tests ran with: the C interface that the wheel was compiled against, or a later one.
    assert tuple(map(int, np.__version__.split(".")[:2])) >= (1, 16)


def test_programs_start():
    for name, arguments in [
        ("saved_model_cli", ["--help"]),
        ("tflite_convert", ["--help"]),
        ("toco", ["--help"]),
    ]:
        program = os.path.join(os.path.dirname(sys.executable), name)
        said = subprocess.check_output([program, *arguments], stderr=subprocess.STDOUT).decode()
        assert "usage:" in said, name


def test_public_interface_is_complete():
    modules = "autograph compat config data debugging estimator feature_column graph_util image io keras linalg lite "
    modules += "lookup losses math metrics nn quantization queue ragged random saved_model sets signal sparse strings "
    modules += "summary sysconfig test tpu train version"
    for name in modules.split():
        assert getattr(tf, name), name
    assert len(dir(tf.compat.v1.raw_ops if hasattr(tf.compat.v1, "raw_ops") else tf.raw_ops)) > 900
    import tensorflow.contrib

    assert tensorflow.contrib.layers.fully_connected
