"""Times OpenCV operations on the GPU and on the processor beside it, on 3840 x 2160: the worker of opencv_cuda.py.

It runs on the Python of an environment that has a wheel with CUDA. Both take turns, operation by operation; of many
calls the shortest counts. "GPU" has its pictures on the GPU already, "and back" takes them there and brings the result
back.
"""

import argparse
import platform

import cv2
import numpy as np

from opencv_operations import least

HEIGHT, WIDTH = 2160, 3840


def sent(array):
    matrix = cv2.cuda_GpuMat()
    matrix.upload(array)
    return matrix


def network():
    """Ten convolutions of a common shape, 224 x 224, as a Darknet configuration, with weights drawn by chance."""
    text, channels, weights = "[net]\nwidth=224\nheight=224\nchannels=3\n", 3, []
    random = np.random.RandomState(0)
    for filters in (64, 64, 0, 128, 128, 0, 256, 256, 256, 0, 512, 512, 512):
        if not filters:
            text += "[maxpool]\nsize=2\nstride=2\n"
            continue
        text += f"[convolutional]\nfilters={filters}\nsize=3\nstride=1\npad=1\nactivation=leaky\n"
        kernels = random.standard_normal((filters, channels, 3, 3)) / np.sqrt(channels * 9)
        weights += [np.zeros(filters, np.float32), kernels.astype(np.float32).ravel()]
        channels = filters
    head = np.array([0, 2, 0, 0, 0], np.int32).tobytes()
    body = head + np.concatenate(weights).tobytes()
    return cv2.dnn.readNetFromDarknet(np.frombuffer(text.encode(), np.uint8), np.frombuffer(body, np.uint8))


def networks():
    """Name -> (processor's call, GPU's call): the pictures go there and the answers come back in either."""
    batch = np.random.RandomState(1).standard_normal((8, 3, 224, 224)).astype(np.float32)
    here = network()
    here.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)

    def forward(net):
        net.setInput(batch)
        return net.forward()

    rows = {}
    for name, target in (("f32", cv2.dnn.DNN_TARGET_CUDA), ("f16", cv2.dnn.DNN_TARGET_CUDA_FP16)):
        net = network()
        net.setPreferableBackend(cv2.dnn.DNN_BACKEND_CUDA)
        net.setPreferableTarget(target)
        rows["dnn, 10 convolutions, 8 pictures, " + name] = (
            lambda: forward(here),
            lambda net=net: forward(net),
        )
    return rows


def operations():
    """Name -> (processor's call, GPU's call, a picture for the GPU's call)."""
    random = np.random.RandomState(7)
    noise = random.randint(0, 256, (HEIGHT // 8, WIDTH // 8, 4)).astype(np.uint8)
    colour = cv2.resize(noise, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    grey = np.ascontiguousarray(colour[..., 1])
    real = grey.astype(np.float32) / 255
    square = np.ones((5, 5), np.uint8)
    kernel = random.random_sample((5, 5)).astype(np.float32)
    turn = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), 12, 1.1)
    half = (WIDTH // 2, HEIGHT // 2)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    bent = x + 4 * np.sin(y / 40), y + 4 * np.cos(x / 40)
    there = [sent(each) for each in bent]
    patch = grey[400:464, 800:864].copy()
    moved = np.roll(grey, (2, 3), (0, 1))
    moved_there, patch_there = sent(moved), sent(patch)
    gaussian = cv2.cuda.createGaussianFilter(cv2.CV_8UC1, cv2.CV_8UC1, (15, 15), 3)
    linear = cv2.cuda.createLinearFilter(cv2.CV_32FC1, cv2.CV_32FC1, kernel)
    sobel = cv2.cuda.createSobelFilter(cv2.CV_32FC1, cv2.CV_32FC1, 1, 0)
    erode = cv2.cuda.createMorphologyFilter(cv2.MORPH_ERODE, cv2.CV_8UC1, square)
    canny = cv2.cuda.createCannyEdgeDetector(50, 150)
    matching = cv2.cuda.createTemplateMatching(cv2.CV_8UC1, cv2.TM_CCOEFF_NORMED)
    farneback = cv2.cuda_FarnebackOpticalFlow.create(3, 0.5, False, 15, 3, 5, 1.2)
    stereo, stereo_here = cv2.cuda.createStereoBM(64, 15), cv2.StereoBM_create(64, 15)
    stream = cv2.cuda_Stream.Null()
    orb, orb_here = cv2.cuda_ORB.create(2000), cv2.ORB_create(2000)
    product = random.standard_normal((2048, 2048)).astype(np.float32)
    product_there = sent(product)
    return {
        "add f32": (lambda: cv2.add(real, real), lambda at: cv2.cuda.add(at, at), real),
        "exp f32": (lambda: cv2.exp(real), cv2.cuda.exp, real),
        "sum u8": (lambda: cv2.sumElems(grey), cv2.cuda.sum, grey),
        "gemm f32, 2048 x 2048": (
            lambda: cv2.gemm(product, product, 1, None, 0),
            lambda at: cv2.cuda.gemm(at, product_there, 1, None, 0),
            product,
        ),
        "dft f32": (
            lambda: cv2.dft(real, flags=cv2.DFT_COMPLEX_OUTPUT),
            lambda at: cv2.cuda.dft(at, (WIDTH, HEIGHT)),
            real,
        ),
        "BGR to grey": (
            lambda: cv2.cvtColor(colour, cv2.COLOR_BGRA2GRAY),
            lambda at: cv2.cuda.cvtColor(at, cv2.COLOR_BGRA2GRAY),
            colour,
        ),
        "equalizeHist u8": (lambda: cv2.equalizeHist(grey), cv2.cuda.equalizeHist, grey),
        "GaussianBlur 15 x 15 u8": (lambda: cv2.GaussianBlur(grey, (15, 15), 3), gaussian.apply, grey),
        "filter2D 5 x 5 f32": (lambda: cv2.filter2D(real, -1, kernel), linear.apply, real),
        "Sobel f32": (lambda: cv2.Sobel(real, cv2.CV_32F, 1, 0), sobel.apply, real),
        "erode 5 x 5 u8": (lambda: cv2.erode(grey, square), erode.apply, grey),
        "bilateralFilter 9 u8": (
            lambda: cv2.bilateralFilter(grey, 9, 30, 3),
            lambda at: cv2.cuda.bilateralFilter(at, 9, 30, 3),
            grey,
        ),
        "Canny u8": (lambda: cv2.Canny(grey, 50, 150), canny.detect, grey),
        "resize to half, linear": (
            lambda: cv2.resize(colour, half),
            lambda at: cv2.cuda.resize(at, half),
            colour,
        ),
        "warpAffine, linear": (
            lambda: cv2.warpAffine(colour, turn, (WIDTH, HEIGHT)),
            lambda at: cv2.cuda.warpAffine(at, turn, (WIDTH, HEIGHT)),
            colour,
        ),
        "remap, linear": (
            lambda: cv2.remap(grey, bent[0], bent[1], cv2.INTER_LINEAR),
            lambda at: cv2.cuda.remap(at, there[0], there[1], cv2.INTER_LINEAR),
            grey,
        ),
        "matchTemplate 64 x 64": (
            lambda: cv2.matchTemplate(grey, patch, cv2.TM_CCOEFF_NORMED),
            lambda at: matching.match(at, patch_there),
            grey,
        ),
        "ORB, 2000": (
            lambda: orb_here.detectAndCompute(grey, None)[1],
            lambda at: orb.detectAndComputeAsync(at, None)[1],
            grey,
        ),
        "StereoBM 64": (
            lambda: stereo_here.compute(grey, moved),
            lambda at: stereo.compute(at, moved_there, stream),
            grey,
        ),
        "Farneback flow": (
            lambda: cv2.calcOpticalFlowFarneback(grey, moved, None, 0.5, 3, 15, 3, 5, 1.2, 0),
            lambda at: farneback.calc(at, moved_there, None),
            grey,
        ),
    }


def timed(name, here, resident, back, seconds):
    processor = least(here, seconds)
    found = [least(call, seconds) if call else None for call in (resident, back)]
    cells = [f"{each:10.3f} {processor / each:7.1f} x" if each else " " * 20 for each in found]
    print("{:42s} {:10.3f} {} {}".format(name, processor, *cells), flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=0.3, help="for each timing")
    seconds = parser.parse_args().seconds
    if cv2.cuda.getCudaEnabledDeviceCount() < 1:
        raise SystemExit("no GPU of NVIDIA's and its driver here, or a wheel without CUDA: nothing is timed")
    cv2.cuda.printShortCudaDeviceInfo(0)
    threads = cv2.getNumThreads()
    print(f"OpenCV {cv2.__version__}, {threads} threads on {platform.processor() or platform.machine()}")
    print("{:42s} {:>10s} {:>20s} {:>20s}".format("milliseconds", "processor", "GPU", "and back"))
    stream = cv2.cuda_Stream.Null()
    for name, (here, there, picture) in operations().items():
        at = sent(picture)

        def resident(there=there, at=at):
            there(at)
            stream.waitForCompletion()

        def back(there=there, picture=picture):
            found = there(sent(picture))
            return found.download() if hasattr(found, "download") else found

        timed(name, here, resident, back, seconds)
    if hasattr(cv2, "dnn"):
        for name, (here, back) in networks().items():
            timed(name, here, None, back, seconds)


if __name__ == "__main__":
    main()
