"""Times OpenCV operations in one interpreter, on request: the worker of opencv_wheel.py.

Reads lines "NAME SECONDS" from standard input; repeats that operation for about so long and answers with the
least number of milliseconds that one call took. "threads N" sets the number of threads.
"""

import sys
import time

import cv2
import numpy as np

HEIGHT, WIDTH = 1080, 1920


def pictures():
    random = np.random.RandomState(7)
    noise = random.randint(0, 256, (HEIGHT // 8, WIDTH // 8, 3)).astype(np.uint8)
    colour = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    grey = np.ascontiguousarray(colour[..., 1])
    return colour, grey, grey.astype(np.float32) / 255


def operations():
    """Name -> a call without arguments, on pictures of 1920 x 1080."""
    colour, grey, real = pictures()
    half, kernel = (WIDTH // 2, HEIGHT // 2), np.random.RandomState(1).rand(5, 5).astype(np.float32)
    kernel /= kernel.sum()
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 12, 1.1)
    tilt = np.vstack([turn, [1e-5, 2e-5, 1]])
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    bent = x + 4 * np.sin(y / 40), y + 4 * np.cos(x / 40)
    patch, square = grey[400:464, 800:864].copy(), np.ones((5, 5), np.uint8)
    return {
        "cvtColor BGR to grey": lambda: cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY),
        "cvtColor BGR to HSV": lambda: cv2.cvtColor(colour, cv2.COLOR_BGR2HSV),
        "resize linear u8": lambda: cv2.resize(colour, half, interpolation=cv2.INTER_LINEAR),
        "resize cubic u8": lambda: cv2.resize(colour, half, interpolation=cv2.INTER_CUBIC),
        "resize area u8": lambda: cv2.resize(colour, (WIDTH // 3, HEIGHT // 3), interpolation=cv2.INTER_AREA),
        "GaussianBlur 5x5 u8": lambda: cv2.GaussianBlur(grey, (5, 5), 1.2),
        "GaussianBlur 5x5 f32": lambda: cv2.GaussianBlur(real, (5, 5), 1.2),
        "filter2D 5x5 u8": lambda: cv2.filter2D(grey, -1, kernel),
        "filter2D 5x5 f32": lambda: cv2.filter2D(real, -1, kernel),
        "medianBlur 5x5 u8": lambda: cv2.medianBlur(grey, 5),
        "bilateralFilter u8": lambda: cv2.bilateralFilter(grey, 5, 30, 3),
        "erode 5x5 u8": lambda: cv2.erode(grey, square),
        "Sobel u8": lambda: cv2.Sobel(grey, cv2.CV_16S, 1, 0, ksize=3),
        "Canny u8": lambda: cv2.Canny(grey, 50, 150),
        "dft f32": lambda: cv2.dft(real),
        "matchTemplate 64x64": lambda: cv2.matchTemplate(grey, patch, cv2.TM_CCOEFF_NORMED),
        "warpAffine u8": lambda: cv2.warpAffine(colour, turn, (WIDTH, HEIGHT)),
        "warpPerspective u8": lambda: cv2.warpPerspective(grey, tilt, (WIDTH, HEIGHT)),
        "remap u8": lambda: cv2.remap(grey, bent[0], bent[1], cv2.INTER_LINEAR),
        "integral u8": lambda: cv2.integral(grey),
        "equalizeHist u8": lambda: cv2.equalizeHist(grey),
    }


def least(call, seconds):
    """The shortest of many calls, in milliseconds: what is not the operation can only make a call longer."""
    call()
    shortest, end = float("inf"), time.perf_counter() + seconds
    while True:
        begun = time.perf_counter()
        call()
        ended = time.perf_counter()
        shortest = min(shortest, ended - begun)
        if ended > end:
            return shortest * 1000


def main():
    known = operations()
    print("\t".join([cv2.__version__, *known]), flush=True)
    for line in sys.stdin:
        name, _, number = line.rstrip("\n").rpartition(" ")
        if name == "threads":
            cv2.setNumThreads(int(number))
            print(cv2.getNumThreads(), flush=True)
        else:
            print(least(known[name], float(number)), flush=True)


if __name__ == "__main__":
    main()
