"""The compiler was told what was asked for, and TensorFlow's own word of itself is true."""

import json
import os
import re
import sys

import numpy as np
import pytest
import tensorflow as tf

import build_info
import known


def test_version_of_the_code_and_of_the_metadata_agree():
    # The metadata may add a local part, such as +avx2, which tells variants apart.
    assert known.distribution().version.partition("+")[0] == tf.__version__
    assert tf.version.GIT_VERSION.lstrip("v").startswith(tf.__version__.rpartition(".")[0])
    assert tf.version.GRAPH_DEF_VERSION >= tf.version.GRAPH_DEF_VERSION_MIN_CONSUMER


def test_guard_names_no_feature_that_was_asked_for(record_property):
    asked, unused = known.asked_features(), build_info.unused_features()
    record_property("guard: not compiled to use", " ".join(sorted(unused)) or "nothing")
    flags = known.processor_flags()
    for feature, (name, flag) in build_info.GUARD_NAMES.items():
        if flag in flags:
            assert (name in unused) == (feature not in asked), (feature, unused)


def test_guard_agrees_with_the_machine_code(record_property):
    counts, unused = build_info.instruction_counts(), build_info.unused_features()
    for kind, count in counts.items():
        record_property("main library: instructions " + kind, count)
    record_property("guard: not compiled to use", " ".join(sorted(unused)) or "nothing")
    flags = known.processor_flags()
    for feature, kind in KINDS.items():
        name, flag = build_info.GUARD_NAMES[feature]
        if flag in flags:
            assert (counts[kind] > FEW[kind]) == (name not in unused), (feature, counts, unused)


def test_machine_code_uses_the_features_asked_for(record_property):
    asked, counts = known.asked_features(), build_info.instruction_counts()
    record_property("asked for", " ".join(sorted(asked)) or "baseline")
    for feature, kind in KINDS.items():
        assert (counts[kind] > FEW[kind]) == (feature in asked), (feature, counts)


# The kind of instructions by which a feature is known, and how many of them libraries that choose at run time may bring
# into a wheel without it. AVX2 is for integers, of which the kernels have few: what tells is how halves of vectors are
# moved (42 in the published wheel, which is compiled for AVX; 956 in one for AVX2).
KINDS = {"avx": "ymm", "avx2": "i128", "fma": "fma", "avx512f": "zmm"}
FEW = {"ymm": 10000, "i128": 400, "fma": 10000, "zmm": 10000}


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


def test_abi_is_that_of_the_exported_symbols(record_property):
    library = known.library_facts(build_info.FRAMEWORK_LIBRARY)
    record_property("_GLIBCXX_USE_CXX11_ABI", tf.sysconfig.CXX11_ABI_FLAG)
    assert library["cxx_names"] > 1000
    assert (library["cxx11_names"] > 100) == bool(tf.sysconfig.CXX11_ABI_FLAG), library["cxx11_names"]


def test_device_is_the_one_asked_for():
    device = known.asked_for("KILN_DEVICE")
    assert tf.test.is_built_with_cuda() == (device != "cpu")


def test_cuda_is_of_the_version_asked_for(record_property):
    libraries = known.facts()["libraries"].values()
    named = {name for each in libraries for name in (*each["opens"], *each["needs"])}
    found = sorted(name for name in named if re.match(r"lib(cudart|cudnn|nccl)\.so", name))
    # TensorFlow puts most of the names together while it runs: what the wheel was built with, it says in its metadata.
    said = known.distribution().read_text("cuda.json")
    record_property("CUDA", said or " ".join(found) or "none")
    if not tf.test.is_built_with_cuda():
        assert not found and said is None
        return
    if said is None:
        pytest.skip("the wheel says nothing of its CUDA")
    assert json.loads(said)["cuda"] == known.asked_for("KILN_DEVICE").partition("-")[2]


# What TensorFlow opens by name once there is a driver, by the version of CUDA.
OPENED = {
    "10.0": "libcudart.so.10.0 libcublas.so.10.0 libcufft.so.10.0 libcurand.so.10.0 libcusolver.so.10.0 "
    "libcusparse.so.10.0 libcudnn.so.7 libcupti.so.10.0",
    "11.8": "libcudart.so.11.0 libcublas.so.11 libcufft.so.10 libcurand.so.10 libcusolver.so.11 libcusparse.so.11 "
    "libcudnn.so.8 libcupti.so.11.8",
}
OPEN = """
import sys
import tensorflow as tf
for name in sys.argv[1:]:
    try:
        # The function that opens a library is TensorFlow's own, and looks where its own library says.
        tf.load_op_library(name)
    except tf.errors.NotFoundError as error:
        print("missing:", error.message)
"""


def test_cuda_is_found_by_the_function_that_opens_it(record_property):
    said = known.distribution().read_text("cuda.json")
    if said is None:
        pytest.skip("the wheel says nothing of a CUDA")
    names = OPENED[json.loads(said)["cuda"]].split()
    record_property("CUDA's libraries that it opens", " ".join(names))
    output = known.output(sys.executable, "-W", "ignore", "-c", OPEN, *names)
    assert re.findall("missing: .*", output) == []


def test_requirements_leave_out_what_breaks_it():
    wanted = build_info.requirements()
    assert {"numpy", "protobuf", "h5py", "gast", "keras-applications", "grpcio"} <= wanted
    # What is installed is what the tests ran with: the C interface that the wheel was compiled against, or a later one.
    assert tuple(map(int, np.__version__.split(".")[:2])) >= (1, 16)


def test_programs_start():
    lite = ["tflite_convert", "toco"] if build_info.has_lite() else []
    for name in ["saved_model_cli", "freeze_graph", *lite]:
        program = os.path.join(os.path.dirname(sys.executable), name)
        assert "usage:" in known.output(program, "--help"), name


def test_public_interface_is_complete():
    modules = (
        "autograph compat config data debugging estimator feature_column graph_util image io keras linalg "
    )
    modules += "lookup losses math metrics nn quantization queue ragged random saved_model sets signal sparse strings "
    modules += "summary sysconfig test tpu train version"
    for name in modules.split():
        assert getattr(tf, name), name
    assert hasattr(tf, "lite") == build_info.has_lite()
    assert len(dir(tf.compat.v1.raw_ops if hasattr(tf.compat.v1, "raw_ops") else tf.raw_ops)) > 900
    import tensorflow.contrib

    assert tensorflow.contrib.layers.fully_connected
