"""Residual networks: the block of 2015 and the pre-activation block of 2016.

Version 1: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", 2015, arXiv:1512.03385.
Version 2: the same, "Identity Mappings in Deep Residual Networks", 2016, arXiv:1603.05027.

Both are functions on the tensors of a Keras model and use Keras's own layers alone: a model made of them is saved and
loaded without this package.
"""

import numbers
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import tensorflow as tf

from fireclay import _keras

BOTTLENECK = 4
PROJECTION, PAD = "projection", "pad"
SMALL, IMAGENET = "small", "imagenet"


class _Layers:
    """Keras layers with a block's common arguments, in channels_last."""

    def __init__(self, batch_norm: bool, initializer: Any, regularizer: Any, dtype: str, prefix: Optional[str]) -> None:
        self.batch_norm, self.initializer, self.regularizer = batch_norm, initializer, regularizer
        self.dtype, self.prefix = dtype, prefix

    def _common(self, name: str) -> Any:
        return {"dtype": self.dtype, **({} if self.prefix is None else {"name": self.prefix + name})}

    def conv(self, x: _keras.Tensor, name: str, filters: int, size: int, strides: int = 1) -> _keras.Tensor:
        return tf.keras.layers.Conv2D(
            filters,
            size,
            strides=strides,
            padding="same",
            use_bias=not self.batch_norm,
            kernel_initializer=self.initializer,
            kernel_regularizer=self.regularizer,
            **self._common(name),
        )(x)

    def norm(self, x: _keras.Tensor, name: str) -> _keras.Tensor:
        if not self.batch_norm:
            return x
        # TensorFlow 1.15 chooses its fused kernel for float64 too, which has none.
        plain = {"fused": False} if _keras.IS_TF1 and self.dtype == "float64" else {}
        return tf.keras.layers.BatchNormalization(**plain, **self._common(name + "_norm"))(x)

    def relu(self, x: _keras.Tensor, name: str) -> _keras.Tensor:
        return tf.keras.layers.Activation("relu", **self._common(name + "_relu"))(x)

    def norm_relu(self, x: _keras.Tensor, name: str) -> _keras.Tensor:
        return self.relu(self.norm(x, name), name)

    def add(self, x: _keras.Tensor, y: _keras.Tensor) -> _keras.Tensor:
        return tf.keras.layers.Add(**self._common("add"))([x, y])

    def pad(self, x: _keras.Tensor, channels: int, filters: int, strides: int) -> _keras.Tensor:
        """Every strides-th pixel, and zeros for the channels that are new."""
        if strides > 1:
            x = tf.keras.layers.MaxPooling2D(1, strides, data_format=_keras.LAST, **self._common("shortcut_pool"))(x)
        if filters > channels:
            # It pads the last two axes in channels_first, whatever they mean.
            margins = ((0, 0), (0, filters - channels))
            x = tf.keras.layers.ZeroPadding2D(margins, data_format=_keras.FIRST, **self._common("shortcut_pad"))(x)
        return x

    def permuted(self, x: _keras.Tensor, order: str, axes: Tuple[int, ...], name: str) -> _keras.Tensor:
        return tf.keras.layers.Permute(axes, **self._common(name))(x) if order == _keras.FIRST else x


class _Block(NamedTuple):
    channels: int
    filters: int
    strides: int
    stages: List[Tuple[int, int, int]]
    project: bool
    pad: bool

    def shortcut(self, to: _Layers, x: _keras.Tensor) -> _keras.Tensor:
        if self.pad:
            return to.pad(x, self.channels, self.filters, self.strides)
        return to.conv(x, "shortcut", self.filters, 1, self.strides) if self.project else x


def _version_1(to: _Layers, x: _keras.Tensor, block: _Block) -> _keras.Tensor:
    shortcut = block.shortcut(to, x)
    if block.project:
        shortcut = to.norm(shortcut, "shortcut")
    for number, (width, size, step) in enumerate(block.stages, 1):
        name = "conv{}".format(number)
        x = to.norm(to.conv(x, name, width, size, step), name)
        if number < len(block.stages):
            x = to.relu(x, name)
    return to.relu(to.add(shortcut, x), "add")


def _version_2(to: _Layers, x: _keras.Tensor, block: _Block) -> _keras.Tensor:
    shortcut, x = x, to.norm_relu(x, "before_conv1")
    # Only a projection sees the normalised tensor: on an identity path nothing lies.
    shortcut = block.shortcut(to, x if block.project else shortcut)
    for number, (width, size, step) in enumerate(block.stages, 1):
        name = "conv{}".format(number)
        x = to.conv(x if number == 1 else to.norm_relu(x, "before_" + name), name, width, size, step)
    return to.add(shortcut, x)


_VERSIONS = {1: _version_1, 2: _version_2}


def _checked(version: int, filters: int, bottleneck: bool) -> int:
    _keras.one_of("version", version, tuple(_VERSIONS))
    filters = _keras.integer("filters", filters)
    if bottleneck and filters % BOTTLENECK:
        raise ValueError("filters of a bottleneck must be a multiple of {}, got {}".format(BOTTLENECK, filters))
    return filters


def residual_block(
    x: _keras.Tensor,
    filters: int,
    version: int = 2,
    strides: int = 1,
    bottleneck: bool = False,
    projection: Optional[bool] = None,
    batch_norm: bool = True,
    kernel_initializer: Any = "he_normal",
    data_format: Optional[str] = None,
    shortcut: str = PROJECTION,
    kernel_regularizer: Any = None,
    name: Optional[str] = None,
    dtype: Any = None,
) -> _keras.Tensor:
    """One residual block on the tensor x of a Keras model.

    Args:
        x: (batch, rows, columns, channels), or (batch, channels, rows, columns) for "channels_first"; the
            number of channels is known.
        filters: channels of the result, a multiple of 4 with a bottleneck.
        version: 1, ReLU after the addition; 2, normalisation and ReLU before each convolution, so that nothing
            lies on the identity path.
        strides: of the block; 2 halves rows and columns, rounded up.
        bottleneck: 1x1 to a quarter of the filters, 3x3, 1x1 back, in place of twice 3x3.
        projection: whether a 1x1 convolution makes the shortcut; None: where the shape changes, option B of the first
            paper; True: option C.
        batch_norm: False leaves out the normalisation; the convolutions then have a bias.
        kernel_initializer, kernel_regularizer: of the convolutions, as Keras takes them.
        data_format: "channels_last", "channels_first", or None for Keras's own setting. Inside it is always
            channels_last, since TensorFlow on a CPU convolves nothing else.
        shortcut: what bridges a change of shape: "projection", or "pad", option A of the first paper: every strides-th
            pixel, and zeros for new channels, without a parameter.
        name: put before the names of the block's layers, with an underscore; None leaves the names to Keras.
        dtype: of the layers, as Keras takes it; None: what gives x's own type. Where that is float16 or bfloat16 the
            variables are float32 on TensorFlow 2, as under Keras's policy of mixed types.

    Returns:
        A tensor in the same order, (batch, ceil(rows / strides), ceil(columns / strides), filters).

    Raises:
        ValueError: for an argument outside what is said here, or a shape that the shortcut cannot bridge.
    """
    filters = _checked(version, filters, bottleneck)
    strides = _keras.integer("strides", strides)
    order = _keras.data_format(data_format)
    channels = _keras.image_shape(x.shape, "residual_block")[1 if order == _keras.FIRST else 3]
    if channels is None:
        raise ValueError("residual_block must know the number of channels, and got the shape {}".format(x.shape))
    padded = _keras.one_of("shortcut", shortcut, (PROJECTION, PAD)) == PAD
    bridged = strides > 1 or channels != filters
    if padded and (projection or channels > filters):
        raise ValueError(
            "shortcut 'pad' takes no projection and adds channels, got projection {!r} and {} to {} channels".format(
                projection, channels, filters
            )
        )
    if projection is None:
        projection = bridged and not padded
    if bridged and not projection and not padded:
        raise ValueError(
            "a block from {} to {} channels with strides {} needs a projection".format(channels, filters, strides)
        )
    if bottleneck:
        width = filters // BOTTLENECK
        stages = [(width, 1, strides), (width, 3, 1), (filters, 1, 1)]
    else:
        stages = [(filters, 3, strides), (filters, 3, 1)]
    block = _Block(channels, filters, strides, stages, projection, padded)
    chosen = _keras.like(x) if dtype is None else _keras.dtype_name(dtype)
    to = _Layers(batch_norm, kernel_initializer, kernel_regularizer, chosen, None if name is None else name + "_")
    x = to.permuted(x, order, (2, 3, 1), "channels_last")
    x = _VERSIONS[version](to, x, block)
    return to.permuted(x, order, (3, 1, 2), "channels_first")


def _depths(n_blocks: Any) -> List[int]:
    if isinstance(n_blocks, numbers.Integral):
        n_blocks = [n_blocks] * 3
    if not isinstance(n_blocks, (list, tuple, np.ndarray)) or np.ndim(n_blocks) != 1:
        raise ValueError("n_blocks must be an integer or a sequence of integers, got {!r}".format(n_blocks))
    depths = [_keras.integer("n_blocks", depth) for depth in n_blocks]
    if not depths:
        raise ValueError("n_blocks must name at least one stage, got {!r}".format(n_blocks))
    return depths


def _input_shape(shape: Any, order: str) -> Tuple[Optional[int], ...]:
    if len(shape) != 3:
        raise ValueError("input_shape must have 3 entries, without the batch, got {!r}".format(shape))
    if shape[0 if order == _keras.FIRST else 2] is None:
        raise ValueError("input_shape must have a known number of channels, got {!r}".format(shape))
    return tuple(None if size is None else _keras.integer("each entry of input_shape", size) for size in shape)


def resnet(
    n_blocks: Union[int, Sequence[int]] = 3,
    version: int = 2,
    input_shape: Sequence[Optional[int]] = (None, None, 3),
    classes: int = 10,
    filters: int = 16,
    bottleneck: bool = False,
    batch_norm: bool = True,
    activation: Any = "softmax",
    kernel_initializer: Any = "he_normal",
    data_format: Optional[str] = None,
    dtype: Any = "float32",
    name: Optional[str] = None,
    shortcut: str = PROJECTION,
    kernel_regularizer: Any = None,
    stem: str = SMALL,
) -> Any:
    """A residual network: by default for small images, of depth 6 n_blocks + 2.

    Section 4.2 of the first paper describes that network with shortcuts without parameters, shortcut="pad"; the default
    here is a projection where the shape changes. The paper's networks for ImageNet have stem="imagenet", filters=64, and
    n_blocks (2, 2, 2, 2) for depth 18, (3, 4, 6, 3) for 34 and, with a bottleneck, for 50.

    Args:
        n_blocks: blocks in each of three stages, or a sequence with each stage's own. Every stage but the first halves
            rows and columns and doubles the filters.
        version: 1 or 2, see residual_block.
        input_shape: without the batch, (rows, columns, channels) or (channels, rows, columns); rows and columns
            may be None.
        classes: the size of the result.
        filters: channels of the first stage; with a bottleneck the stage gives four times as many.
        bottleneck, batch_norm, kernel_initializer, data_format, shortcut: see residual_block.
        activation: of the last layer; None gives logits.
        dtype: of input, weights and result: "float16", "float32", "float64" or "bfloat16"; or, on TensorFlow 2,
            "mixed_float16" or "mixed_bfloat16": weights, last layer and result are float32 then.
        name: of the model, and, with an underscore, put before its layers' names, which are otherwise the same in each
            such model: stem, stage1_block1_conv1, and so on.
        kernel_regularizer: of the convolutions and the last layer, as Keras takes it.
        stem: what comes before the first block: "small", a 3x3 convolution; "imagenet", a 7x7 convolution and a pooling
            of 3x3, each of which halves rows and columns.

    Returns:
        A tf.keras.Model from (batch,) + input_shape to (batch, classes).

    Raises:
        ValueError: for an argument outside what is said here.
    """
    depths = _depths(n_blocks)
    classes, order = _keras.integer("classes", classes), _keras.data_format(data_format)
    filters = _checked(version, filters, bottleneck=False)
    shape = _input_shape(input_shape, order)
    dtype = _keras.dtype_name(dtype)
    _keras.one_of("stem", stem, (SMALL, IMAGENET))
    prefix = "" if name is None else name + "_"
    to = _Layers(batch_norm, kernel_initializer, kernel_regularizer, dtype, prefix)

    # The images themselves may be more precise than what a mixed policy computes in.
    mixed = dtype in _keras.MIXED.values()
    inputs = tf.keras.Input(shape, dtype="float32" if mixed else dtype, name=prefix + "images")
    x = to.permuted(inputs, order, (2, 3, 1), "channels_last")
    x = to.conv(x, "stem", filters, *((7, 2) if stem == IMAGENET else (3, 1)))
    if version == 1:
        x = to.norm_relu(x, "stem")
    if stem == IMAGENET:
        pooling = {"padding": "same", "data_format": _keras.LAST, "dtype": dtype, "name": prefix + "stem_pool"}
        x = tf.keras.layers.MaxPooling2D(3, 2, **pooling)(x)
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
                shortcut=shortcut,
                kernel_regularizer=kernel_regularizer,
                name="{}stage{}_block{}".format(prefix, stage + 1, block + 1),
                dtype=dtype,
            )
    if version == 2:
        x = to.norm_relu(x, "last")
    pooled = {"data_format": _keras.LAST, "dtype": dtype, "name": prefix + "pool"}
    x = tf.keras.layers.GlobalAveragePooling2D(**pooled)(x)
    x = tf.keras.layers.Dense(
        classes,
        activation=activation,
        kernel_regularizer=kernel_regularizer,
        dtype="float32" if mixed else dtype,
        name=prefix + "classes",
    )(x)
    return tf.keras.Model(inputs, x, name=name)
