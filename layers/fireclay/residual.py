"""Residual networks: the block of 2015 and the pre-activation block of 2016.

Version 1: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385.
Version 2: the same, "Identity Mappings in Deep Residual Networks", 2016, arXiv:1603.05027.

Both are functions on the tensors of a Keras model and use Keras's own layers alone: a model made of them is saved and
loaded without this package.
"""

import tensorflow as tf

from fireclay import _keras

BOTTLENECK = 4


class _Layers:
    """Keras layers with a block's common arguments, in channels_last."""

    def __init__(self, batch_norm, kernel_initializer, dtype):
        self.batch_norm, self.initializer, self.dtype = batch_norm, kernel_initializer, dtype

    def conv(self, x, filters, size, strides=1):
        return tf.keras.layers.Conv2D(
            filters,
            size,
            strides=strides,
            padding="same",
            use_bias=not self.batch_norm,
            kernel_initializer=self.initializer,
            dtype=self.dtype,
        )(x)

    def norm(self, x):
        if not self.batch_norm:
            return x
        # TensorFlow 1.15 chooses its fused kernel for float64 too, which has none.
        plain = {"fused": False} if _keras.IS_TF1 and self.dtype == "float64" else {}
        return tf.keras.layers.BatchNormalization(dtype=self.dtype, **plain)(x)

    def relu(self, x):
        return tf.keras.layers.Activation("relu", dtype=self.dtype)(x)

    def norm_relu(self, x):
        return self.relu(self.norm(x))

    def add(self, x, y):
        return tf.keras.layers.Add(dtype=self.dtype)([x, y])


def _version_1(to, x, stages, filters, strides, projection):
    shortcut = to.norm(to.conv(x, filters, 1, strides)) if projection else x
    for number, (width, size, step) in enumerate(stages):
        x = to.norm(to.conv(x, width, size, step))
        if number < len(stages) - 1:
            x = to.relu(x)
    return to.relu(to.add(shortcut, x))


def _version_2(to, x, stages, filters, strides, projection):
    shortcut, x = x, to.norm_relu(x)
    if projection:
        shortcut = to.conv(x, filters, 1, strides)
    for number, (width, size, step) in enumerate(stages):
        x = to.conv(x if number == 0 else to.norm_relu(x), width, size, step)
    return to.add(shortcut, x)


_VERSIONS = {1: _version_1, 2: _version_2}


def _checked(version, filters, bottleneck):
    _keras.one_of("version", version, tuple(_VERSIONS))
    filters = _keras.integer("filters", filters)
    if bottleneck and filters % BOTTLENECK:
        raise ValueError("filters of a bottleneck must be a multiple of {}, got {}".format(BOTTLENECK, filters))
    return filters


def _permuted(x, order, axes, dtype):
    return tf.keras.layers.Permute(axes, dtype=dtype)(x) if order == _keras.FIRST else x


def _name(dtype):
    return dtype if isinstance(dtype, str) else tf.as_dtype(dtype).name


def residual_block(
    x,
    filters,
    version=2,
    strides=1,
    bottleneck=False,
    projection=None,
    batch_norm=True,
    kernel_initializer="he_normal",
    data_format=None,
):
    """One residual block on the tensor x of a Keras model.

    Args:
        x: (batch, rows, columns, channels), or (batch, channels, rows, columns) for "channels_first"; the
            number of channels is known.
        filters: channels of the result, a multiple of 4 with a bottleneck.
        version: 1, ReLU after the addition; 2, normalisation and ReLU before each convolution, so that nothing
            lies on the identity path.
        strides: of the block; 2 halves rows and columns, rounded up.
        bottleneck: 1x1 to a quarter of the filters, 3x3, 1x1 back, in place of twice 3x3.
        projection: whether a 1x1 convolution makes the shortcut; None: where the shape changes, as in the papers.
        batch_norm: False leaves out the normalisation; the convolutions then have a bias.
        kernel_initializer: of the convolutions, as Keras takes it.
        data_format: "channels_last", "channels_first", or None for Keras's own setting. Inside it is always
            channels_last, since TensorFlow on a CPU convolves nothing else.

    Returns:
        A tensor in the same order and type, (batch, ceil(rows / strides), ceil(columns / strides), filters).

    Raises:
        ValueError: for an argument outside what is said here, or a shape that the shortcut cannot bridge.
    """
    filters = _checked(version, filters, bottleneck)
    strides = _keras.integer("strides", strides)
    order = _keras.data_format(data_format)
    channels = _keras.image_shape(x.shape, "residual_block")[1 if order == _keras.FIRST else 3]
    if channels is None:
        raise ValueError("residual_block must know the number of channels, and got the shape {}".format(x.shape))
    bridged = strides > 1 or channels != filters
    if projection is None:
        projection = bridged
    if bridged and not projection:
        raise ValueError(
            "a block from {} to {} channels with strides {} needs a projection".format(channels, filters, strides)
        )
    if bottleneck:
        width = filters // BOTTLENECK
        stages = [(width, 1, strides), (width, 3, 1), (filters, 1, 1)]
    else:
        stages = [(filters, 3, strides), (filters, 3, 1)]
    dtype = _name(x.dtype)
    to = _Layers(batch_norm, kernel_initializer, dtype)
    x = _permuted(x, order, (2, 3, 1), dtype)
    x = _VERSIONS[version](to, x, stages, filters, strides, projection)
    return _permuted(x, order, (3, 1, 2), dtype)


def resnet(
    n_blocks=3,
    version=2,
    input_shape=(None, None, 3),
    classes=10,
    filters=16,
    bottleneck=False,
    batch_norm=True,
    activation="softmax",
    kernel_initializer="he_normal",
    data_format=None,
    dtype="float32",
    name=None,
):
    """A residual network for small images, as in section 4.2 of the first paper: depth 6 n_blocks + 2 by default.

    Args:
        n_blocks: blocks in each of three stages, or a sequence with each stage's own. Every stage but the first halves
            rows and columns and doubles the filters.
        version: 1 or 2, see residual_block.
        input_shape: without the batch, (rows, columns, channels) or (channels, rows, columns); rows and columns
            may be None.
        classes: the size of the result.
        filters: channels of the first stage; with a bottleneck the stage gives four times as many.
        bottleneck, batch_norm, kernel_initializer, data_format: see residual_block.
        activation: of the last layer; None gives logits.
        dtype: of input, weights and result: "float16", "float32" or "float64".

    Returns:
        A tf.keras.Model from (batch,) + input_shape to (batch, classes).

    Raises:
        ValueError: for an argument outside what is said here.
    """
    depths = [n_blocks] * 3 if not isinstance(n_blocks, (list, tuple)) else list(n_blocks)
    depths = [_keras.integer("n_blocks", depth) for depth in depths]
    if not depths:
        raise ValueError("n_blocks must name at least one stage, got {!r}".format(n_blocks))
    classes, order = _keras.integer("classes", classes), _keras.data_format(data_format)
    filters = _checked(version, filters, bottleneck=False)
    if len(input_shape) != 3:
        raise ValueError("input_shape must have 3 entries, without the batch, got {!r}".format(input_shape))
    dtype = _name(dtype)
    to = _Layers(batch_norm, kernel_initializer, dtype)

    inputs = tf.keras.Input(tuple(input_shape), dtype=dtype)
    x = to.conv(_permuted(inputs, order, (2, 3, 1), dtype), filters, 3)
    if version == 1:
        x = to.norm_relu(x)
    for stage, depth in enumerate(depths):
        width = filters * 2**stage * (BOTTLENECK if bottleneck else 1)
        for block in range(depth):
            x = residual_block(
                x,
                width,
                version,
                strides=2 if stage > 0 and block == 0 else 1,
                bottleneck=bottleneck,
                batch_norm=batch_norm,
                kernel_initializer=kernel_initializer,
                data_format=_keras.LAST,
            )
    if version == 2:
        x = to.norm_relu(x)
    x = tf.keras.layers.GlobalAveragePooling2D(data_format=_keras.LAST, dtype=dtype)(x)
    x = tf.keras.layers.Dense(classes, activation=activation, dtype=dtype)(x)
    return tf.keras.Model(inputs, x, name=name)
