"""Models of the layer library's parts, each with two batches of different sizes."""

import numpy as np
import tensorflow as tf

import fireclay

LAST, FIRST = (None, None, 3), (3, None, None)
SIZES = [(2, 17, 12), (1, 32, 32)]  # images, rows, columns


def _layer(layer, shape=LAST):
    inputs = tf.keras.Input(shape)
    return tf.keras.Model(inputs, layer(inputs))


def _pyramid(shape, order):
    """The bands, and the image put together again: the bands must be right too."""
    inputs = tf.keras.Input(shape)
    bands = fireclay.LaplacianAnalysis(3, data_format=order)(inputs)
    return tf.keras.Model(inputs, [*bands, fireclay.LaplacianSynthesis(data_format=order)(bands)])


def _residual(version, **kwargs):
    # Logits: of a softmax that is sure of its answer every error is invisible.
    model = fireclay.resnet((1, 1), version, classes=5, filters=8, activation=None, **kwargs)
    random = np.random.RandomState(1)
    # Biases and statistics of batch normalisation that are not the initial zeros and ones.
    weights = model.get_weights()
    model.set_weights([each if each.ndim > 1 else each + random.uniform(0, 0.5, each.shape) for each in weights])
    return model


MODELS = {
    "threshold": lambda: _layer(fireclay.ThresholdMinMax(0.25, 0.75)),
    "threshold masked": lambda: _layer(fireclay.ThresholdMinMax(0.25, 0.75, gradient="masked")),
    "gaussian": lambda: _layer(fireclay.GaussianFilter(5, 3.0)),
    "gaussian reflect": lambda: _layer(fireclay.GaussianFilter((5, 3), (3.0, 2.0), 2, padding="reflect")),
    "gaussian dilated": lambda: _layer(fireclay.GaussianFilter(3, 2.0, dilation_rate=2, padding="valid")),
    "gaussian channels first": lambda: _layer(fireclay.GaussianFilter(5, 3.0, data_format="channels_first"), FIRST),
    "pyramid of 32 x 32": lambda: _pyramid((32, 32, 3), "channels_last"),
    "pyramid": lambda: _pyramid(LAST, "channels_last"),
    "pyramid channels first": lambda: _pyramid(FIRST, "channels_first"),
    "residual v1": lambda: _residual(1),
    "residual v1 bottleneck": lambda: _residual(1, bottleneck=True),
    "residual v2": lambda: _residual(2),
    "residual v2 bottleneck": lambda: _residual(2, bottleneck=True),
    "temperature softmax": lambda: _layer(fireclay.TemperatureSoftmax(4.0), (10,)),
}


def batches(model):
    """Arrays for the model's one input, of two sizes; the first is also the static shape for what needs one."""
    shape = model.inputs[0].shape.as_list()[1:]
    random = np.random.RandomState(7)
    for images, rows, columns in SIZES:
        sizes = [rows, columns]
        known = [size if size is not None else sizes.pop(0) for size in shape]
        yield random.uniform(0, 1, [images, *known]).astype("float32")
