"""Networks read from each file format that needs no other library, with weights that are known."""

import struct

import cv2
import numpy as np
import pytest

from build_info import needs
from reference import assert_equal, assert_within, noise

pytestmark = needs("dnn")

RANDOM = np.random.RandomState(0)
PICTURE = RANDOM.standard_normal((1, 3, 8, 8)).astype(np.float32)
KERNELS = RANDOM.standard_normal((4, 3, 3, 3)).astype(np.float32)
BIASES = RANDOM.standard_normal(4).astype(np.float32)
DENSE = RANDOM.standard_normal((5, 4 * 4 * 4)).astype(np.float32) / 8
OFFSETS = RANDOM.standard_normal(5).astype(np.float32)


# --- the layers in numpy -----------------------------------------------------------------------------------------


def convolved(picture, kernels, biases):
    """A convolution of one picture (1, channels, height, width), as large as before by zeros around it."""
    height, width = picture.shape[2:]
    padded = np.pad(picture[0].astype(np.float64), ((0, 0), (1, 1), (1, 1)), mode="constant")
    total = np.zeros((len(kernels), height, width)) + biases[:, None, None]
    for i in range(3):
        for j in range(3):
            total += np.einsum("oc,chw->ohw", kernels[:, :, i, j], padded[:, i : i + height, j : j + width])
    return total[None]


def pooled(maps):
    count, channels, height, width = maps.shape
    return maps.reshape(count, channels, height // 2, 2, width // 2, 2).max(axis=(3, 5))


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def expected_classes():
    maps = pooled(np.maximum(convolved(PICTURE, KERNELS, BIASES), 0))
    return softmax(maps.reshape(1, -1).dot(DENSE.T) + OFFSETS)


def run(net):
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setInput(PICTURE)
    return net.forward()


# --- the smallest writer of protobuf messages that will do --------------------------------------------------------


def varint(number):
    digits = []
    while True:
        number, digit = number >> 7, number & 127
        digits.append(digit | (128 if number else 0))
        if not number:
            return bytes(digits)


def field(number, content):
    """One field: an integer as a varint; bytes, text and arrays with their length before them."""
    if isinstance(content, int):
        return varint(number << 3) + varint(content)
    if isinstance(content, np.ndarray):
        content = content.astype("<f4").tobytes()
    elif isinstance(content, str):
        content = content.encode("ascii")
    return varint(number << 3 | 2) + varint(len(content)) + content


def message(*fields):
    return b"".join(field(number, content) for number, content in fields)


def buffer(content):
    return np.frombuffer(content, np.uint8)


# --- Caffe -----------------------------------------------------------------------------------------------------------

PROTOTXT = b"""
name: "kiln"
input: "data"
input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "dense" type: "InnerProduct" bottom: "pool" top: "dense" inner_product_param { num_output: 5 } }
layer { name: "prob" type: "Softmax" bottom: "dense" top: "prob" }
"""


def blob(array):
    return message((7, field(1, b"".join(varint(size) for size in array.shape))), (5, array.ravel()))


def caffe_layer(name, kind, *arrays):
    return field(100, message((1, name), (2, kind), *((7, blob(array)) for array in arrays)))


def caffe_net():
    weights = caffe_layer("conv", "Convolution", KERNELS, BIASES) + caffe_layer(
        "dense", "InnerProduct", DENSE, OFFSETS
    )
    return cv2.dnn.readNetFromCaffe(buffer(PROTOTXT), buffer(weights))


def test_caffe_network_is_computed():
    assert_within(run(caffe_net()), expected_classes(), 1e-5)


def test_each_layer_can_be_read():
    net = caffe_net()
    assert list(net.getLayerNames()) == ["conv", "relu", "pool", "dense", "prob"]
    net.setInput(PICTURE)
    assert_within(net.forward("pool"), pooled(np.maximum(convolved(PICTURE, KERNELS, BIASES), 0)), 1e-4)
    assert_equal(net.getParam("conv", 1).ravel(), BIASES)


def test_batch_gives_each_picture_its_own_answer():
    net = caffe_net()
    batch = np.concatenate([PICTURE, -PICTURE, PICTURE])
    net.setInput(batch)
    found = net.forward()
    assert_within(found[[0, 2]], np.repeat(expected_classes(), 2, axis=0), 1e-5)
    assert np.abs(found[0] - found[1]).max() > 1e-3


def test_number_of_threads_does_not_change_the_answer():
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(1)
        assert_within(run(caffe_net()), expected_classes(), 1e-5)
    finally:
        cv2.setNumThreads(before)


def test_damaged_network_is_an_error():
    with pytest.raises(cv2.error):
        cv2.dnn.readNetFromCaffe(buffer(b"layer { no such thing"))


# --- Darknet ----------------------------------------------------------------------------------------------------------

DARKNET = b"""
[net]
width=8
height=8
channels=3

[convolutional]
filters=4
size=3
stride=1
pad=1
activation=leaky

[maxpool]
size=2
stride=2
"""


def test_darknet_network_is_computed():
    weights = struct.pack("<iiiq", 0, 2, 0, 0) + BIASES.tobytes() + KERNELS.tobytes()
    net = cv2.dnn.readNetFromDarknet(buffer(DARKNET), buffer(weights))
    maps = convolved(PICTURE, KERNELS, BIASES)
    assert_within(run(net), pooled(np.where(maps > 0, maps, 0.1 * maps)), 1e-4)


# --- ONNX ----------------------------------------------------------------------------------------------------------------


def value_info(name, shape):
    dimensions = message(*((1, message((1, size))) for size in shape))
    return message((1, name), (2, message((1, message((1, 1), (2, dimensions))))))


def tensor(name, array):
    return message(*((1, size) for size in array.shape), (2, 1), (8, name), (9, array.ravel()))


def node(kind, inputs, output, *attributes):
    names = [(1, name) for name in inputs]
    return message(*names, (2, output), (3, output), (4, kind), *((5, attribute) for attribute in attributes))


def integers(name, *values):
    return message((1, name), *((8, value) for value in values), (20, 7))


def integer(name, value):
    return message((1, name), (3, value), (20, 2))


def test_onnx_network_is_computed():
    nodes = [
        node(
            "Conv",
            ["x", "kernels", "biases"],
            "conv",
            integers("kernel_shape", 3, 3),
            integers("pads", 1, 1, 1, 1),
        ),
        node("Relu", ["conv"], "relu"),
        node("MaxPool", ["relu"], "pool", integers("kernel_shape", 2, 2), integers("strides", 2, 2)),
        node("Flatten", ["pool"], "flat", integer("axis", 1)),
        node("Gemm", ["flat", "dense", "offsets"], "scores", integer("transB", 1)),
        node("Softmax", ["scores"], "y", integer("axis", 1)),
    ]
    weights = [("kernels", KERNELS), ("biases", BIASES), ("dense", DENSE), ("offsets", OFFSETS)]
    graph = message(
        *((1, content) for content in nodes),
        (2, "kiln"),
        *((5, tensor(name, array)) for name, array in weights),
        (11, value_info("x", PICTURE.shape)),
        *((11, value_info(name, array.shape)) for name, array in weights),
        (12, value_info("y", (1, 5))),
    )
    model = message((1, 4), (7, graph), (8, message((2, 9))))
    assert_within(run(cv2.dnn.readNetFromONNX(buffer(model))), expected_classes(), 1e-5)


# --- TensorFlow ----------------------------------------------------------------------------------------------------------


def entry(name, content):
    """One attribute of a node: a map's key and value."""
    return field(5, message((1, name), (2, content)))


def constant(name, array):
    shape = message(*((2, message((1, size))) for size in array.shape))
    content = message((1, 1), (2, shape), (4, array.ravel()))
    return field(
        1, message((1, name), (2, "Const")) + entry("dtype", field(6, 1)) + entry("value", field(8, content))
    )


def operation(name, kind, *inputs):
    return field(
        1, message((1, name), (2, kind), *((3, source) for source in inputs)) + entry("T", field(6, 1))
    )


def test_tensorflow_graph_is_computed():
    graph = (
        field(1, message((1, "x"), (2, "Placeholder")) + entry("dtype", field(6, 1)))
        + constant("dense", DENSE.T.copy())
        + constant("offsets", OFFSETS)
        + operation("product", "MatMul", "x", "dense")
        + operation("scores", "BiasAdd", "product", "offsets")
        + operation("y", "Softmax", "scores")
    )
    net = cv2.dnn.readNetFromTensorflow(buffer(graph))
    rows = noise((3, 64), np.float32)
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setInput(rows)
    assert_within(net.forward(), softmax(rows.astype(np.float64).dot(DENSE.T) + OFFSETS), 1e-5)


# --- beside the networks -----------------------------------------------------------------------------------------------


def test_picture_becomes_a_network_input():
    picture = noise((8, 10, 3))
    blob = cv2.dnn.blobFromImage(picture, 1 / 64, (10, 8), (10, 20, 30), swapRB=True)
    expected = (
        picture[..., ::-1].transpose(2, 0, 1).astype(float) - np.array([10, 20, 30])[:, None, None]
    ) / 64
    assert_within(blob, expected[None], 1e-5)
    assert_equal(cv2.dnn.imagesFromBlob(cv2.dnn.blobFromImage(picture))[0], picture)


def test_overlapping_boxes_are_dropped():
    boxes = [(10, 10, 20, 20), (12, 11, 20, 20), (60, 60, 10, 10), (0, 0, 5, 5)]
    kept = cv2.dnn.NMSBoxes(boxes, [0.8, 0.9, 0.7, 0.1], 0.3, 0.5)
    assert sorted(np.ravel(kept)) == [1, 2]
