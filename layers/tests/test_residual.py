"""Residual blocks: their shapes, the identity path, and the gradient that reaches the first layer."""

import numpy as np
import pytest
import tensorflow as tf
from modes import Mode

from fireclay import residual_block, resnet

FORMS = [(version, bottleneck) for version in (1, 2) for bottleneck in (False, True)]


def images(*shape, dtype="float32"):
    return np.random.RandomState(7).uniform(-1, 1, shape).astype(dtype)


def block_model(shape, filters, **options):
    inputs = tf.keras.Input(shape)
    return tf.keras.Model(inputs, residual_block(inputs, filters, **options))


def layers_of(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


@pytest.mark.parametrize("version, bottleneck", FORMS)
@pytest.mark.parametrize("filters, strides, size", [(8, 1, (7, 9)), (8, 2, (4, 5)), (12, 1, (7, 9)), (16, 2, (4, 5))])
def test_block_has_the_size_it_should(mode, version, bottleneck, filters, strides, size):
    model = block_model((None, None, 8), filters, version=version, bottleneck=bottleneck, strides=strides)
    y = model.predict(images(2, 7, 9, 8), verbose=0)
    assert y.shape == (2, size[0], size[1], filters)
    bridged = filters != 8 or strides > 1
    convolutions = [layer.kernel_size[0] for layer in layers_of(model, tf.keras.layers.Conv2D)]
    assert sorted(convolutions) == sorted(([1, 3, 1] if bottleneck else [3, 3]) + ([1] if bridged else []))


def silence(model):
    """Makes the residual branch zero: the block is then its shortcut."""
    for layer in layers_of(model, tf.keras.layers.Conv2D):
        layer.set_weights([np.zeros_like(weight) for weight in layer.get_weights()])


@pytest.mark.parametrize("bottleneck", [False, True])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_identity_path_of_version_2_is_exact(mode, bottleneck, batch_norm):
    model = block_model((5, 6, 8), 8, version=2, bottleneck=bottleneck, batch_norm=batch_norm)
    silence(model)
    x = images(2, 5, 6, 8)
    np.testing.assert_array_equal(model.predict(x, verbose=0), x)
    np.testing.assert_array_equal(mode.gradient(model, x), np.ones_like(x))


def test_version_1_ends_in_a_relu(mode):
    model = block_model((5, 6, 8), 8, version=1)
    silence(model)
    x = images(2, 5, 6, 8)
    np.testing.assert_array_equal(model.predict(x, verbose=0), np.maximum(x, 0))


def test_identity_is_exact_through_fifty_blocks():
    inputs = x = tf.keras.Input((4, 4, 4))
    for _ in range(50):
        x = residual_block(x, 4, version=2, batch_norm=False)
    model = tf.keras.Model(inputs, x)
    silence(model)
    x = images(1, 4, 4, 4)
    np.testing.assert_array_equal(Mode("eager").gradient(model, x), np.ones_like(x))


def first_gradient(kind, depth, batch_norm, initializer):
    """The norm of the loss's gradient in the first layer's weights, before training."""
    layers = tf.keras.layers
    inputs = tf.keras.Input((8, 8, 8))
    x = layers.Conv2D(8, 3, padding="same", kernel_initializer=initializer, name="first")(inputs)
    for _ in range(depth // 2):
        if kind == "plain":
            for _ in range(2):
                x = layers.Conv2D(8, 3, padding="same", kernel_initializer=initializer)(x)
                x = layers.Activation("relu")(layers.BatchNormalization()(x) if batch_norm else x)
        else:
            x = residual_block(x, 8, version=kind, batch_norm=batch_norm, kernel_initializer=initializer)
    logits = layers.Dense(10)(layers.GlobalAveragePooling2D()(x))
    model = tf.keras.Model(inputs, logits)
    x, labels = images(16, 8, 8, 8), np.arange(16) % 10
    with tf.GradientTape() as tape:
        answers = model(tf.constant(x), training=True)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=answers))
    gradient = tape.gradient(loss, model.get_layer("first").trainable_weights[0])
    return float(np.linalg.norm(gradient.numpy()))


def test_first_layer_of_a_deep_plain_stack_learns_nothing_and_residual_stacks_do():
    tf.compat.v1.set_random_seed(3)
    plain, v1, v2 = (first_gradient(kind, 50, False, "glorot_uniform") for kind in ("plain", 1, 2))
    assert plain < 1e-5
    assert v1 > 0.01 and v2 > 0.01
    assert min(v1, v2) / plain > 1e4


def test_with_normalisation_the_plain_stack_explodes():
    tf.compat.v1.set_random_seed(3)
    plain, v1, v2 = (first_gradient(kind, 50, True, "he_normal") for kind in ("plain", 1, 2))
    assert plain > 20 * max(v1, v2)


@pytest.mark.parametrize("version", [1, 2])
def test_depth_is_six_n_plus_two(mode, version):
    for blocks in (1, 3):
        model = resnet(blocks, version, (8, 8, 3), filters=4)
        convolutions = [layer for layer in layers_of(model, tf.keras.layers.Conv2D) if layer.kernel_size == (3, 3)]
        assert len(convolutions) + 1 == 6 * blocks + 2


def test_stages_are_as_given_and_sizes_are_known_late(mode):
    model = resnet((1, 2), 1, filters=4, classes=5, bottleneck=True)
    assert len(layers_of(model, tf.keras.layers.Add)) == 3
    for size in [(8, 8), (13, 9)]:
        y = model.predict(images(2, size[0], size[1], 3), verbose=0)
        assert y.shape == (2, 5)
        np.testing.assert_allclose(y.sum(axis=1), [1, 1], atol=1e-5)


@pytest.mark.parametrize("version, bottleneck", FORMS)
def test_channels_first_gives_the_same(mode, version, bottleneck):
    options = {"version": version, "filters": 4, "bottleneck": bottleneck, "n_blocks": (1, 1)}
    last = resnet(input_shape=(9, 8, 3), data_format="channels_last", **options)
    first = resnet(input_shape=(3, 9, 8), data_format="channels_first", **options)
    first.set_weights(last.get_weights())
    x = images(2, 9, 8, 3)
    np.testing.assert_allclose(
        first.predict(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), verbose=0), last.predict(x, verbose=0), atol=1e-6
    )


@pytest.mark.parametrize("version, bottleneck", FORMS)
def test_block_in_channels_first_gives_the_same_transposed(mode, version, bottleneck):
    options = {"version": version, "bottleneck": bottleneck, "strides": 2, "filters": 12}
    last = block_model((7, 6, 8), data_format="channels_last", **options)
    first = block_model((8, 7, 6), data_format="channels_first", **options)
    first.set_weights(last.get_weights())
    x = images(2, 7, 6, 8)
    y = first.predict(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), verbose=0)
    np.testing.assert_allclose(y.transpose(0, 2, 3, 1), last.predict(x, verbose=0), atol=1e-5)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_network_works_in_each_type(mode, dtype, version):
    model = resnet((1, 1), version, (8, 8, 3), filters=4, classes=3, dtype=dtype)
    x = images(2, 8, 8, 3, dtype=dtype)
    y = mode.run(model, x) if not mode.in_session else model.predict(x)
    assert y.dtype == dtype and y.shape == (2, 3)
    np.testing.assert_allclose(y.astype("float64").sum(axis=1), [1, 1], atol=4e-3)


@pytest.mark.parametrize("version", [1, 2])
def test_small_network_learns(mode, version):
    """Stripes that lie or stand."""
    labels = np.arange(64) % 2
    x = np.random.RandomState(8).normal(0, 0.3, (64, 8, 8, 1)).astype("float32")
    x[0::2, ::2] += 1
    x[1::2, :, ::2] += 1
    model = resnet((1, 1), version, (8, 8, 1), classes=2, filters=4)
    model.compile(optimizer=tf.keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    history = model.fit(x, labels, epochs=12, batch_size=16, verbose=0)
    assert history.history["loss"][-1] < 0.1


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"version": 3}, "version must be one of 1, 2, got 3"),
        ({"filters": 0}, "filters must be an integer of at least 1"),
        ({"filters": 6, "bottleneck": True}, "filters of a bottleneck must be a multiple of 4, got 6"),
        ({"strides": 0}, "strides must be an integer of at least 1"),
        ({"strides": 2, "projection": False}, "a block from 8 to 8 channels with strides 2 needs a projection"),
        ({"filters": 16, "projection": False}, "a block from 8 to 16 channels with strides 1 needs a projection"),
    ],
)
def test_wrong_arguments_of_a_block_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        residual_block(tf.keras.Input((8, 8, 8)), **{"filters": 8, **arguments})


def test_unknown_channels_are_told():
    with pytest.raises(ValueError, match="must know the number of channels"):
        residual_block(tf.keras.Input((8, 8, None)), 8)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"n_blocks": 0}, "n_blocks must be an integer of at least 1, got 0"),
        ({"n_blocks": ()}, "n_blocks must name at least one stage"),
        ({"input_shape": (32, 32)}, "input_shape must have 3 entries"),
        ({"classes": 0}, "classes must be an integer of at least 1"),
        ({"version": "2"}, "version must be one of 1, 2, got '2'"),
    ],
)
def test_wrong_arguments_of_a_network_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        resnet(**arguments)
