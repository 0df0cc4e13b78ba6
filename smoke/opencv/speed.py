"""The operations whose speed the smoke run tells, on pictures of 1920 x 1080 and one thread; those of NumPy beside."""

import cv2
import numpy as np

VERSION = "opencv " + cv2.__version__


def operations():
    cv2.setNumThreads(1)
    random = np.random.RandomState(7)
    colour = np.kron(random.randint(0, 256, (135, 240, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    grey = np.ascontiguousarray(colour[..., 1])
    real = grey.astype(np.float32) / 255
    matrix = random.standard_normal((512, 512)).astype(np.float32)
    table = np.arange(256, dtype=np.uint8)[::-1].copy()
    every = {
        "add f32": (lambda: cv2.add(real, real), lambda: real + real),
        "exp f32": (lambda: cv2.exp(real), lambda: np.exp(real)),
        "matrix product f32, 512 x 512": (
            lambda: cv2.gemm(matrix, matrix, 1, None, 0),
            lambda: np.matmul(matrix, matrix),
        ),
        "lookup table u8": (lambda: cv2.LUT(grey, table), lambda: table[grey]),
        "mean and deviation u8": (lambda: cv2.meanStdDev(grey), lambda: (grey.mean(), grey.std())),
        "dft f32": (lambda: cv2.dft(real, flags=cv2.DFT_COMPLEX_OUTPUT), lambda: np.fft.fft2(real)),
    }
    if hasattr(cv2, "GaussianBlur"):
        half = (960, 540)
        every.update(
            {
                "BGR to grey": (lambda: cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY), None),
                "resize to half, linear": (lambda: cv2.resize(colour, half), None),
                "resize to half, cubic": (
                    lambda: cv2.resize(colour, half, interpolation=cv2.INTER_CUBIC),
                    None,
                ),
                "GaussianBlur 5 x 5 u8": (lambda: cv2.GaussianBlur(grey, (5, 5), 1.2), None),
                "medianBlur 5 x 5 u8": (lambda: cv2.medianBlur(grey, 5), None),
                "Canny u8": (lambda: cv2.Canny(grey, 50, 150), None),
            }
        )
    return every
