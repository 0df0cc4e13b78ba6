"""OpenCV on NVIDIA's GPUs: what must hold without one, and with one its answers against numpy's and the processor's."""

import os

import cv2
import numpy as np
import pytest

import build_info
from gpu import GPUS, on, sent
from reference import assert_equal, assert_within, noise

pytestmark = build_info.needs("cudaarithm")

# --- with or without a GPU ---------------------------------------------------------------------------------------


def test_a_machine_without_a_driver_has_no_gpu():
    if os.path.exists("/proc/driver/nvidia/version") or os.path.exists("/dev/dxg"):
        pytest.skip("this machine has a driver")
    # OpenCV's own answers: 0 where there is no GPU, -1 where there is no driver that this toolkit can use.
    assert GPUS in (0, -1)


def test_the_processor_computes_in_a_wheel_with_cuda():
    first, second = noise((40, 50)), noise((40, 50), seed=1)
    assert_equal(cv2.add(first, second), np.clip(first.astype(int) + second, 0, 255))


def test_the_toolkit_is_the_one_asked_for():
    if "KILN_CUDA" not in os.environ:
        pytest.skip("KILN_CUDA is not set: nothing is known of what was asked for")
    assert build_info.value("NVIDIA CUDA").startswith("YES (ver " + os.environ["KILN_CUDA"])
    assert "CUFFT" in build_info.value("NVIDIA CUDA") and "CUBLAS" in build_info.value("NVIDIA CUDA")


def test_the_machine_code_is_for_the_gpus_asked_for():
    if "KILN_CUDA_ARCH" not in os.environ:
        pytest.skip("KILN_CUDA_ARCH is not set: nothing is known of what was asked for")
    assert build_info.value("NVIDIA GPU arch") == os.environ["KILN_CUDA_ARCH"].replace(".", "")
    assert build_info.value("NVIDIA PTX archs") == os.environ["KILN_CUDA_PTX"].replace(".", "")


def test_the_functions_of_each_module_have_their_names_in_python():
    names = {
        "cudaarithm": ("add", "dft", "gemm"),
        "cudafilters": ("createGaussianFilter", "createSobelFilter"),
        "cudaimgproc": ("cvtColor", "createCLAHE"),
        "cudawarping": ("resize", "warpAffine"),
    }
    for module, functions in names.items():
        if module in build_info.built_modules():
            for function in functions:
                assert callable(getattr(cv2.cuda, function)), module + ": " + function


@pytest.mark.skipif(GPUS > 0, reason="there is a GPU")
def test_without_a_gpu_its_memory_is_refused_with_an_exception():
    with pytest.raises((cv2.error, SystemError)):
        sent(noise((4, 4)))


@pytest.mark.modules("dnn")
def test_the_networks_on_the_gpu_are_built_where_cudnn_was_asked_for():
    if not build_info.option("CUDNN"):
        pytest.skip("this build was asked to do without cuDNN")
    assert build_info.value("cuDNN").startswith("YES")


# --- on a GPU ----------------------------------------------------------------------------------------------------


@on("cudaarithm")
def test_the_wheel_has_code_for_this_gpu():
    gpu = cv2.cuda_DeviceInfo()
    assert gpu.isCompatible()
    here = gpu.majorVersion(), gpu.minorVersion()
    native = any(cv2.cuda.TargetArchs_hasBin(here[0], minor) for minor in range(here[1] + 1))
    assert native or cv2.cuda.TargetArchs_hasEqualOrLessPtx(*here)


@on("cudaarithm")
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32, np.float64])
def test_a_picture_comes_back_from_the_gpu_as_it_was(dtype):
    for shape in ((61, 47), (61, 47, 3), (1, 1), (3, 500, 4)):
        picture = noise(shape, dtype)
        assert_equal(sent(picture).download(), picture)


@on("cudaarithm")
def test_parts_of_a_picture_are_views():
    picture = noise((40, 60))
    there = sent(picture)
    part = cv2.cuda_GpuMat(there, (10, 5, 20, 30))
    assert_equal(part.download(), picture[5:35, 10:30])
    part.setTo(7)
    picture[5:35, 10:30] = 7
    assert_equal(there.download(), picture)


@on("cudaarithm")
def test_types_are_converted_on_the_gpu():
    picture = noise((30, 50))
    assert_within(
        sent(picture).convertTo(cv2.CV_32F, 1 / 255.0, beta=-0.5).download(), picture / 255.0 - 0.5, 1e-6
    )
    wide = noise((30, 50), np.int16)
    assert_equal(sent(wide).convertTo(cv2.CV_8U).download(), np.clip(wide, 0, 255))


@on("cudaarithm")
def test_work_in_two_streams_is_waited_for():
    streams = [cv2.cuda_Stream() for _ in range(2)]
    pictures = [noise((300, 400), np.float32, seed=seed) for seed in range(2)]
    sums = []
    for picture, stream in zip(pictures, streams):
        there = sent(picture)
        for _ in range(20):
            there = cv2.cuda.add(there, there, stream=stream)
        sums.append(there)
    for stream in streams:
        stream.waitForCompletion()
        assert stream.queryIfComplete()
    for picture, found in zip(pictures, sums):
        assert_equal(found.download(), picture * 2.0**20)


@on("cudaarithm")
def test_a_fault_is_an_exception_and_the_gpu_goes_on():
    with pytest.raises(cv2.error):
        cv2.cuda.add(sent(noise((4, 5))), sent(noise((6, 7))))
    assert_equal(
        cv2.cuda.add(sent(noise((4, 5))), sent(np.zeros((4, 5), np.uint8))).download(), noise((4, 5))
    )
