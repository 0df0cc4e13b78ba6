"""What people do first with OpenCV, each as a function that returns a short text: the same with every good wheel.

opencv_things.py FILMS PICTURE [NAME]: does one and prints, as JSON, its text or the error that came instead; without a name
the list of all. Each has a process of its own, which a wheel may end by force.
"""

import functools
import http.server
import json
import multiprocessing
import os
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np

FILMS, PICTURE = sys.argv[1:3] if len(sys.argv) > 2 else ("", "")
THINGS = {}


def thing(name):
    def keep(function):
        THINGS[name] = function
        return function

    return keep


def film(name):
    return cv2.VideoCapture(FILMS + "/" + name)


def frames(capture):
    while True:
        more, found = capture.read()
        if not more:
            return
        yield found


def squares(width, height):
    """The chess board with which cameras are calibrated, seen from the front."""
    board = np.kron(np.indices((7, 10)).sum(axis=0) % 2, np.ones((40, 40))) * 255
    return cv2.copyMakeBorder(
        board.astype(np.uint8), 60, height - 340, 60, width - 460, cv2.BORDER_CONSTANT, value=255
    )


@thing("read a picture, resize it, write it as PNG and JPEG")
def picture():
    found = cv2.resize(cv2.imread(PICTURE), (320, 240), interpolation=cv2.INTER_AREA)
    back = [cv2.imdecode(cv2.imencode(kind, found)[1], 1) for kind in (".png", ".jpg")]
    return f"{found.shape} {(back[0] == found).all()} {cv2.PSNR(back[1], found) > 30}"


@thing("draw shapes and text on it, and find their contours")
def draw():
    board = np.zeros((200, 300), np.uint8)
    cv2.rectangle(board, (20, 20), (80, 80), 255, -1)
    cv2.circle(board, (150, 60), 30, 255, -1)
    cv2.putText(board, "OpenCV", (20, 150), cv2.FONT_HERSHEY_SIMPLEX, 1, 255, 2)
    contours, _ = cv2.findContours(board, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    return f"{len(contours)} contours, {cv2.countNonZero(board)} bright"


@thing("read a clip")
def read():
    capture = film("h264.mp4")
    size = [int(capture.get(each)) for each in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)]
    return f"{size} at {capture.get(cv2.CAP_PROP_FPS)} per s, {len(list(frames(capture)))} read"


@thing("go to a picture of a clip")
def seek():
    capture = film("h264.mkv")
    capture.set(cv2.CAP_PROP_POS_FRAMES, 8)
    place = capture.get(cv2.CAP_PROP_POS_FRAMES)
    return f"{place} {len(list(frames(capture)))} left"


@thing("write a clip")
def write():
    sizes = []
    with tempfile.TemporaryDirectory() as folder:
        for name, code in (("a.mp4", "mp4v"), ("a.avi", "XVID"), ("a.webm", "VP90"), ("b.avi", "MJPG")):
            path = folder + "/" + name
            writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*code), 25, (64, 48))
            for number in range(10):
                writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
            writer.release()
            sizes.append(len(list(frames(cv2.VideoCapture(path)))))
    return str(sizes)


@thing("read a clip by HTTP")
def stream():
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    os.chdir(FILMS)
    with http.server.HTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        count = len(
            list(frames(cv2.VideoCapture(f"http://127.0.0.1:{server.server_address[1]}/faststart.mp4")))
        )
        server.shutdown()
    return f"{count} read"


@thing("ask for a camera that is not there")
def camera():
    return f"opened: {cv2.VideoCapture(63).isOpened()}"


@thing("find what moves in a clip")
def motion():
    found = list(frames(film("h264.mp4")))
    model = cv2.createBackgroundSubtractorMOG2()
    moving = [cv2.countNonZero(model.apply(each)) > 500 for each in found]
    grey = [cv2.cvtColor(each, cv2.COLOR_BGR2GRAY) for each in found[:2]]
    points = cv2.goodFeaturesToTrack(grey[0], 20, 0.01, 5)
    _, status, _ = cv2.calcOpticalFlowPyrLK(grey[0], grey[1], points, None)
    return f"{sum(moving)} {status.sum():.0f} of {len(points)}"


@thing("detect a face")
def face():
    grey = cv2.cvtColor(cv2.imread(PICTURE), cv2.COLOR_BGR2GRAY)
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    found = cascade.detectMultiScale(grey, 1.1, 8, minSize=(60, 60))
    return str([[int(10 * round(number / 10)) for number in each] for each in found])


@thing("calibrate a camera")
def calibrate():
    flat, board = [], squares(640, 480)
    for turn in range(-3, 4):
        corners = np.float32([[0, 0], [640, 0], [640, 480], [0, 480]])
        moved = corners + np.float32([[9, 6], [-8, 4], [3, -7], [-4, 5]]) * turn
        view = cv2.warpPerspective(
            board, cv2.getPerspectiveTransform(corners, moved), (640, 480), borderValue=255
        )
        _, points = cv2.findChessboardCorners(view, (9, 6))
        flat.append(points)
    grid = np.zeros((54, 3), np.float32)
    grid[:, :2] = np.mgrid[:9, :6].T.reshape(-1, 2)
    error = cv2.calibrateCamera([grid] * len(flat), flat, (640, 480), None, None)[0]
    return f"{len(flat)} views, less than a pixel: {error < 1}"


@thing("match two pictures by ORB, and find the homography")
def match():
    first = cv2.imread(PICTURE, 0)
    turn = cv2.getRotationMatrix2D((256, 256), 15, 0.9)
    second = cv2.warpAffine(first, turn, first.shape[::-1])
    orb = cv2.ORB_create(800)
    (places, of_first), (others, of_second) = (orb.detectAndCompute(each, None) for each in (first, second))
    pairs = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(of_first, of_second)
    source = np.float32([places[each.queryIdx].pt for each in pairs])
    target = np.float32([others[each.trainIdx].pt for each in pairs])
    matrix, _ = cv2.findHomography(source, target, cv2.RANSAC, 3)
    return str(np.round(matrix[:2, :2], 1).tolist())


@thing("cut out a figure, and segment colours")
def segment():
    found = cv2.resize(cv2.imread(PICTURE), (128, 128), interpolation=cv2.INTER_AREA)
    mask = np.zeros(found.shape[:2], np.uint8)
    cv2.setRNGSeed(1)
    cv2.grabCut(found, mask, (20, 5, 90, 120), np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_RECT)
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1)
    _, labels, _ = cv2.kmeans(np.float32(found.reshape(-1, 3)), 4, None, criteria, 3, cv2.KMEANS_PP_CENTERS)
    return f"{(mask & 1).mean():.1f} {len(np.unique(labels))}"


@thing("run a network")
def network():
    layers = """
    name: "tiny"
    input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
    layer { name: "pool" type: "Pooling" bottom: "data" top: "pool"
            pooling_param { pool: MAX kernel_size: 4 stride: 4 } }
    layer { name: "prob" type: "Softmax" bottom: "pool" top: "prob" }
    """
    net = cv2.dnn.readNetFromCaffe(np.frombuffer(layers.encode(), np.uint8))
    net.setInput(cv2.dnn.blobFromImage(cv2.resize(cv2.imread(PICTURE), (8, 8)), 1 / 255))
    found = net.forward()
    return f"{found.shape} {float(found.sum()):.3f}"


@thing("stitch two pictures")
def stitch():
    whole = cv2.resize(cv2.imread(PICTURE), (800, 500))
    status, found = cv2.Stitcher_create(cv2.Stitcher_SCANS).stitch([whole[:, :520], whole[:, 280:]])
    return f"{status} {status == 0 and abs(found.shape[1] - 800) < 30}"


@thing("work in threads and in processes")
def parallel():
    pictures = [np.full((200, 200), number, np.uint8) for number in range(16)]
    blur = functools.partial(cv2.GaussianBlur, ksize=(5, 5), sigmaX=1)
    with ThreadPoolExecutor(4) as pool:
        threads = sum(int(each[0, 0]) for each in pool.map(blur, pictures))
    with multiprocessing.get_context("fork").Pool(2) as pool:
        processes = sum(int(each[0, 0]) for each in pool.map(blur, pictures))
    return f"{threads} {processes}"


@thing("let a UMat take OpenCL where it is")
def opencl():
    found = cv2.GaussianBlur(cv2.UMat(np.full((50, 50), 9, np.uint8)), (5, 5), 0)
    return f"{type(found).__name__} {found.get()[0, 0]}"


@thing("show a window")
def window():
    cv2.namedWindow("kiln")
    cv2.imshow("kiln", np.zeros((50, 50), np.uint8))
    key = cv2.waitKey(100)
    cv2.destroyAllWindows()
    return f"no key: {key}"


def main():
    if len(sys.argv) < 4:
        print(json.dumps(list(THINGS)))
        return
    try:
        print(json.dumps(THINGS[sys.argv[3]]()))
    except Exception as error:
        print(json.dumps("{}: {}".format(type(error).__name__, " ".join(str(error).split())[:150])))


if __name__ == "__main__":
    main()
