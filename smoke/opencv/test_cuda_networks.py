"""Networks on NVIDIA's GPUs by cuDNN, against numpy and the processor."""

import cv2
import numpy as np
import pytest

import build_info
from gpu import on
from reference import assert_within

pytestmark = build_info.needs("cudaarithm", "dnn")

# From Ampere on cuDNN rounds what it convolves to TF32, with ten bits, unless NVIDIA_TF32_OVERRIDE=0 forbids it.
NEAR = {"f32": 2e-3, "f16": 2e-2}
TARGETS = {"f32": cv2.dnn.DNN_TARGET_CUDA, "f16": cv2.dnn.DNN_TARGET_CUDA_FP16}


def answer(net, picture, target):
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_CUDA)
    net.setPreferableTarget(TARGETS[target])
    net.setInput(picture)
    return net.forward()


def needs_cudnn():
    if not (build_info.value("cuDNN") or "").startswith("YES"):
        pytest.skip("this build is without cuDNN")


@on("dnn")
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_a_network_answers_as_numpy(target):
    needs_cudnn()
    from test_dnn import PICTURE, caffe_net, expected_classes

    found = answer(caffe_net(), PICTURE, target)
    assert_within(found, expected_classes(), NEAR[target])
    if target == "f16":
        # Had the processor computed it in the GPU's place, it would be as near as that.
        assert np.abs(found - expected_classes()).max() > 1e-6


def layers():
    """A network with a path through each of the layers that cuDNN or a kernel of OpenCV's computes."""
    from test_dnn import integer, integers, message, node, tensor, value_info

    random = np.random.RandomState(5)

    def weights(*shape):
        fan_in = np.prod(shape[1:]) if len(shape) > 1 else 1
        return (random.standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)

    arrays = {
        "k1": weights(16, 3, 3, 3), "b1": weights(16),
        "scale": random.uniform(0.5, 1.5, 16).astype(np.float32), "shift": weights(16),
        "mean": weights(16), "variance": random.uniform(0.5, 1.5, 16).astype(np.float32),
        "k2": weights(16, 1, 5, 5), "b2": weights(16),
        "k3": weights(32, 16, 3, 3), "b3": weights(32),
        "k4": weights(32, 16, 2, 2), "b4": weights(16),
        "dense": weights(10, 48), "offsets": weights(10),
    }  # fmt: skip
    square = lambda size: integers("kernel_shape", size, size)  # noqa: E731
    around = lambda size: integers("pads", size, size, size, size)  # noqa: E731
    nodes = [
        node("Conv", ["x", "k1", "b1"], "conv1", square(3), around(1), integers("strides", 2, 2)),
        node("BatchNormalization", ["conv1", "scale", "shift", "mean", "variance"], "norm"),
        node("Relu", ["norm"], "relu"),
        node("Conv", ["relu", "k2", "b2"], "depthwise", square(5), around(2), integer("group", 16)),
        node("LeakyRelu", ["depthwise"], "leaky"),
        node("Add", ["relu", "leaky"], "sum"),
        node("Conv", ["sum", "k3", "b3"], "wide", square(3), around(2), integers("dilations", 2, 2)),
        node("Sigmoid", ["wide"], "sigmoid"),
        node("MaxPool", ["sigmoid"], "small", square(2), integers("strides", 2, 2)),
        node("ConvTranspose", ["small", "k4", "b4"], "large", square(2), integers("strides", 2, 2)),
        node("Concat", ["large", "sum", "leaky"], "joined", integer("axis", 1)),
        node("AveragePool", ["joined"], "averages", square(3), around(1), integers("strides", 2, 2)),
        node("Tanh", ["averages"], "tanh"),
        node("GlobalAveragePool", ["tanh"], "means"),
        node("Flatten", ["means"], "flat", integer("axis", 1)),
        node("Gemm", ["flat", "dense", "offsets"], "scores", integer("transB", 1)),
        node("Softmax", ["scores"], "y", integer("axis", 1)),
    ]
    shape = (4, 3, 64, 48)
    graph = message(
        *((1, content) for content in nodes),
        (2, "kiln"),
        *((5, tensor(name, array)) for name, array in arrays.items()),
        (11, value_info("x", shape)),
        *((11, value_info(name, array.shape)) for name, array in arrays.items()),
        (12, value_info("y", (4, 10))),
    )
    model = message((1, 4), (7, graph), (8, message((2, 9))))
    return cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8)), random.standard_normal(shape).astype(
        np.float32
    )


@on("dnn")
@pytest.mark.parametrize("target", sorted(TARGETS))
def test_every_layer_answers_as_on_the_processor(target):
    needs_cudnn()
    net, picture = layers()
    names = list(net.getLayerNames())
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
    net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    net.setInput(picture)
    expected = [each.copy() for each in net.forward(names)]
    net, picture = layers()
    net.setPreferableBackend(cv2.dnn.DNN_BACKEND_CUDA)
    net.setPreferableTarget(TARGETS[target])
    net.setInput(picture)
    for name, found, wanted in zip(names, net.forward(names), expected):
        limit = NEAR[target] * max(1, np.abs(wanted).max())
        assert np.abs(found - wanted).max() <= limit, name


@on("dnn")
def test_a_batch_of_another_size_is_taken_by_the_same_network():
    needs_cudnn()
    from test_dnn import PICTURE, caffe_net, expected_classes

    net = caffe_net()
    answer(net, PICTURE, "f32")
    found = answer(net, np.concatenate([PICTURE, -PICTURE, PICTURE]), "f32")
    assert_within(found[[0, 2]], np.repeat(expected_classes(), 2, axis=0), NEAR["f32"])
