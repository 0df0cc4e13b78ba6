"""OpenCV on NVIDIA's GPUs: what must hold without one, and with one its answers against numpy's and the processor's."""

import os

import cv2
import numpy as np
import pytest

import build_info
from reference import assert_equal, assert_within, noise, psnr

pytestmark = build_info.needs("cudaarithm")

GPUS = cv2.cuda.getCudaEnabledDeviceCount()
on_gpu = pytest.mark.skipif(
    GPUS < 1, reason="no GPU of NVIDIA's and its driver here: only imported, not computed"
)


def on(*modules):
    """Marks for a test that computes on a GPU with contrib's modules."""

    def decorate(test):
        return on_gpu(pytest.mark.modules(*modules)(test))

    return decorate


def sent(array):
    matrix = cv2.cuda_GpuMat()
    matrix.upload(array)
    return matrix


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
def test_a_picture_comes_back_from_the_gpu_as_it_was():
    for dtype in (np.uint8, np.int16, np.float32, np.float64):
        picture = noise((61, 47), dtype)
        assert_equal(sent(picture).download(), picture)


@on("cudaarithm")
@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "absdiff", "max", "min"])
def test_arithmetic_is_that_of_numpy(name):
    first, second = noise((53, 71), np.float32), noise((53, 71), np.float32, seed=1)
    expected = {
        "add": first + second,
        "subtract": first - second,
        "multiply": first * second,
        "absdiff": np.abs(first - second),
        "max": np.maximum(first, second),
        "min": np.minimum(first, second),
    }[name]
    found = getattr(cv2.cuda, name)(sent(first), sent(second)).download()
    assert_within(found, expected, 1e-6)


@on("cudaarithm")
def test_a_product_of_matrices_is_that_of_numpy():
    first, second = noise((33, 65), np.float32), noise((65, 17), np.float32, seed=1)
    found = cv2.cuda.gemm(sent(first), sent(second), 1.0, None, 0.0).download()
    assert_within(found, first.astype(np.float64).dot(second), 1e-4)


@on("cudaarithm")
def test_a_fourier_transform_is_that_of_numpy():
    picture = noise((64, 32), np.float32)
    found = cv2.cuda.dft(sent(picture), (32, 64)).download()
    expected = np.fft.rfft2(picture)
    assert_within(found[..., 0], expected.real, 1e-2)
    assert_within(found[..., 1], expected.imag, 1e-2)


@on("cudaarithm")
def test_sums_and_extremes_are_those_of_numpy():
    picture = noise((90, 110))
    assert cv2.cuda.sum(sent(picture))[0] == picture.sum()
    smallest, largest, _, _ = cv2.cuda.minMaxLoc(sent(picture))
    assert (smallest, largest) == (picture.min(), picture.max())


@on("cudaimgproc")
def test_grey_of_a_picture_is_that_of_the_processor():
    picture = noise((64, 96, 3))
    found = cv2.cuda.cvtColor(sent(picture), cv2.COLOR_BGR2GRAY).download()
    assert_within(found, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), 1)


@on("cudafilters")
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_gaussian_filters_are_those_of_the_processor(dtype):
    picture = noise((80, 120), dtype)
    kind = {np.uint8: cv2.CV_8UC1, np.float32: cv2.CV_32FC1}[dtype]
    found = cv2.cuda.createGaussianFilter(kind, kind, (5, 5), 1.2).apply(sent(picture)).download()
    assert_within(found, cv2.GaussianBlur(picture, (5, 5), 1.2), 1 if dtype is np.uint8 else 1e-5)


@on("cudawarping")
def test_a_rotated_picture_is_that_of_the_processor():
    picture = cv2.GaussianBlur(noise((100, 120)), (9, 9), 3)
    matrix = cv2.getRotationMatrix2D((60, 50), 20, 1.1)
    found = cv2.cuda.warpAffine(sent(picture), matrix, (120, 100), flags=cv2.INTER_LINEAR).download()
    assert psnr(found[20:-20, 20:-20], cv2.warpAffine(picture, matrix, (120, 100))[20:-20, 20:-20]) > 40


@on("cudawarping")
def test_a_smaller_picture_is_that_of_the_processor():
    picture = cv2.GaussianBlur(noise((100, 120)), (9, 9), 3)
    found = cv2.cuda.resize(sent(picture), (60, 50), interpolation=cv2.INTER_LINEAR).download()
    assert psnr(found, cv2.resize(picture, (60, 50))) > 40


@on("dnn")
def test_a_network_on_the_gpu_answers_as_on_the_processor():
    if not build_info.option("CUDNN"):
        pytest.skip("this build was asked to do without cuDNN")
    from test_dnn import PICTURE, caffe_net, expected_classes

    net = caffe_net()
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_CUDA)
    net.setPreferableTarget(cv2.dnn.DNN_TARGET_CUDA)
    net.setInput(PICTURE)
    assert_within(net.forward(), expected_classes(), 1e-3)
