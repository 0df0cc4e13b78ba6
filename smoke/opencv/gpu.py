"""What the tests on a GPU share: which of them can run here, and pictures on their way there."""

import cv2
import pytest

GPUS = cv2.cuda.getCudaEnabledDeviceCount()
_on_gpu = pytest.mark.skipif(
    GPUS < 1, reason="no GPU of NVIDIA's and its driver here: only imported, not computed"
)


def on(*modules):
    """Marks for a test that computes on a GPU with contrib's modules."""

    def decorate(test):
        return _on_gpu(pytest.mark.modules(*modules)(test))

    return decorate


def sent(array):
    """A picture of the GPU's memory."""
    matrix = cv2.cuda_GpuMat()
    matrix.upload(array)
    return matrix
