"""TensorFlow's operations and training on the GPU of this machine, beside the same on its processor.

It runs on the Python of an environment that has a wheel with CUDA: `PYTHON bench/tensorflow_cuda.py`. Both take turns,
operation by operation; of many calls the shortest counts. Operations find their inputs in the device's memory and leave
their results there; training takes its pictures from the processor's. From Ampere on float32 is multiplied as TF32, with
ten bits, as TensorFlow does unless NVIDIA_TF32_OVERRIDE=0 forbids it.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Of the GPU's memory what is needed, and not the whole at the start.
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "smoke/common"))

import numpy as np

from speed import least

try:
    import tensorflow as tf
except ImportError as error:
    raise SystemExit(
        f"{sys.executable} has no TensorFlow that can be imported ({error}): run this file with the Python of an "
        "environment that has a wheel with CUDA"
    ) from error

PROCESSOR, GPU = "/cpu:0", "/gpu:0"
# Of a step of training.
PICTURES = 16


def drawn(*shape, dtype=np.float32):
    return np.random.RandomState(1).standard_normal(shape).astype(dtype)


def convolved(pictures, kernel):
    return tf.nn.conv2d(pictures, kernel, strides=1, padding="SAME")


def operations():
    """Name -> (function of tensors, their values)."""
    pictures, kernel, row = drawn(32, 56, 56, 64), drawn(3, 3, 64, 64), drawn(16000000)
    single, double = drawn(4096, 4096), drawn(2048, 2048, dtype=np.float64)
    return {
        "matmul f32, 4096 x 4096": (tf.matmul, single, single),
        "matmul f64, 2048 x 2048": (tf.matmul, double, double),
        "conv2d 3 x 3, 32 x 56 x 56 x 64": (convolved, pictures, kernel),
        "conv2d's gradients": (lambda x, k: tf.gradients(convolved(x, k), [x, k]), pictures, kernel),
        "depthwise_conv2d 3 x 3": (
            lambda x, k: tf.nn.depthwise_conv2d(x, k, [1, 1, 1, 1], "SAME"),
            pictures,
            drawn(3, 3, 64, 1),
        ),
        "max_pool 2 x 2": (lambda x: tf.nn.max_pool2d(x, 2, 2, "VALID"), pictures),
        "softmax, 4096 x 1000": (tf.nn.softmax, drawn(4096, 1000)),
        "tanh, 16 million": (tf.tanh, row),
        "reduce_sum, 16 million": (tf.reduce_sum, row),
        "transpose, 32 x 56 x 56 x 64": (lambda x: tf.transpose(x, [0, 3, 1, 2]), pictures),
        "resize_bilinear to twice": (lambda x: tf.image.resize(x, [112, 112]), pictures),
        "top_k 10, 512 x 100000": (lambda x: tf.nn.top_k(x, 10).values, drawn(512, 100000)),
        "fft2d, 8 x 512 x 512": (
            lambda x: tf.signal.fft2d(tf.cast(x, tf.complex64)),
            drawn(8, 512, 512),
        ),
        "cholesky, 2048 x 2048": (
            lambda x: tf.linalg.cholesky(tf.matmul(x, x, transpose_b=True) / 2048 + tf.eye(2048)),
            drawn(2048, 2048),
        ),
    }


def operation(device, function, arrays):
    """A call of it on a device, with its inputs there and nothing fetched."""
    with tf.Graph().as_default() as graph:
        with tf.device(device):
            inputs = [tf.compat.v1.Variable(array) for array in arrays]
            done = tf.group(function(*(each.read_value() for each in inputs)))
        config = tf.compat.v1.ConfigProto()
        config.graph_options.optimizer_options.opt_level = -1
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        session = tf.compat.v1.Session(graph=graph, config=config)
        session.run([each.initializer for each in inputs])
        return session.make_callable(done)


def resnet(halves):
    """ResNet-50's loss and an optimizer, in half precision where asked."""
    pictures = tf.compat.v1.placeholder(tf.float32, (PICTURES, 224, 224, 3))
    model = tf.keras.applications.ResNet50(weights=None, input_tensor=tf.keras.Input(tensor=pictures))
    labels = tf.one_hot(tf.range(PICTURES), 1000)
    loss = tf.reduce_mean(tf.keras.losses.categorical_crossentropy(labels, model.output))
    optimizer = tf.compat.v1.train.MomentumOptimizer(0.01, 0.9)
    if halves:
        optimizer = tf.compat.v1.train.experimental.enable_mixed_precision_graph_rewrite(optimizer)
    return pictures, loss, optimizer


def training(device, halves=False):
    """A call that trains ResNet-50 by one step."""
    with tf.Graph().as_default() as graph:
        tf.keras.backend.set_learning_phase(1)
        with tf.device(device):
            pictures, loss, optimizer = resnet(halves)
            step = optimizer.minimize(loss)
        session = tf.compat.v1.Session(
            graph=graph, config=tf.compat.v1.ConfigProto(allow_soft_placement=True)
        )
        session.run(tf.compat.v1.global_variables_initializer())
        batch = drawn(*pictures.shape.as_list())
        return lambda: session.run([loss, step], {pictures: batch})


def told(name, processor, gpu):
    print(f"{name:46s} {processor:10.3f} {gpu:10.3f} {processor / gpu:8.1f} x", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=0.3, help="for each timing")
    seconds = parser.parse_args().seconds
    from tensorflow.python.client import device_lib

    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.ERROR)
    gpus = [each for each in device_lib.list_local_devices() if each.device_type == "GPU"]
    if not gpus:
        raise SystemExit("no GPU of NVIDIA's and its driver here, or a wheel without CUDA: nothing is timed")
    print(gpus[0].physical_device_desc)
    print(f"TensorFlow {tf.__version__}, {len(os.sched_getaffinity(0))} processor cores")
    print("{:46s} {:>10s} {:>10s} {:>10s}".format("milliseconds", "processor", "GPU", ""))
    for name, (function, *arrays) in operations().items():
        told(name, *(least(operation(device, function, arrays), seconds) for device in (PROCESSOR, GPU)))
    processor = least(training(PROCESSOR), seconds)
    for name, halves in (("f32", False), ("mixed precision", True)):
        told(
            f"a step of ResNet-50, {PICTURES} pictures, {name}",
            processor,
            least(training(GPU, halves), seconds),
        )


if __name__ == "__main__":
    main()
