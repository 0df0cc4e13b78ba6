"""Residual blocks: their shapes, the identity path, and the gradient that reaches the first layer."""

import numpy as np
import pytest
import tensorflow as tf
from modes import IS_TF1, Mode

import fireclay
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
        ({"shortcut": "A"}, "shortcut must be one of 'projection', 'pad', got 'A'"),
        ({"shortcut": "pad", "projection": True}, "shortcut 'pad' takes no projection"),
        ({"shortcut": "pad", "filters": 4}, "shortcut 'pad' .*adds channels, got .* 8 to 4 channels"),
        ({"dtype": "int32"}, "dtype must be float16, .* got 'int32'"),
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
        ({"n_blocks": 1.5}, "n_blocks must be an integer or a sequence of integers, got 1.5"),
        ({"n_blocks": "12"}, "n_blocks must be an integer or a sequence of integers, got '12'"),
        ({"n_blocks": np.array([[1, 2]])}, "n_blocks must be an integer or a sequence of integers"),
        ({"n_blocks": np.array([1, 2.5])}, "n_blocks must be an integer of at least 1"),
        ({"input_shape": (32, 32, None)}, "input_shape must have a known number of channels, got .32, 32, None."),
        ({"input_shape": (0, 32, 3)}, "each entry of input_shape must be an integer of at least 1, got 0"),
        ({"dtype": "int32"}, "dtype must be float16, .* got 'int32'"),
        ({"dtype": "floaty"}, "dtype must be float16, .* got 'floaty'"),
        ({"stem": "large"}, "stem must be one of 'small', 'imagenet', got 'large'"),
        ({"shortcut": "A"}, "shortcut must be one of 'projection', 'pad', got 'A'"),
    ],
)
def test_wrong_arguments_of_a_network_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        resnet(**arguments)


def test_channels_must_be_known_first_too():
    with pytest.raises(ValueError, match="input_shape must have a known number of channels"):
        resnet(input_shape=(None, 8, 8), data_format="channels_first")


@pytest.mark.parametrize("n_blocks", [np.array([1, 2]), (np.int64(1), 2), [1, 2]])
def test_blocks_may_be_any_integers(n_blocks):
    assert len(layers_of(resnet(n_blocks, filters=4), tf.keras.layers.Add)) == 3


@pytest.mark.parametrize("version, bottleneck", FORMS)
@pytest.mark.parametrize("filters, strides", [(8, 2), (12, 1), (20, 2), (8, 1)])
def test_shortcut_without_parameters_takes_every_nth_pixel_and_adds_zeros(mode, version, bottleneck, filters, strides):
    model = block_model((7, 6, 8), filters, version=version, bottleneck=bottleneck, strides=strides, shortcut="pad")
    assert all(layer.kernel_size != (1, 1) or bottleneck for layer in layers_of(model, tf.keras.layers.Conv2D))
    silence(model)
    x = images(2, 7, 6, 8)
    expected = np.pad(x[:, ::strides, ::strides], [(0, 0), (0, 0), (0, 0), (0, filters - 8)], "constant")
    found = model.predict(x, verbose=0)
    np.testing.assert_array_equal(found, expected if version == 2 else np.maximum(expected, 0))


def parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_network_of_section_4_2_has_the_papers_parameters():
    """ResNet-20 for CIFAR-10, table 6: 0.27 million, with shortcuts without parameters."""
    model = resnet(3, 1, (32, 32, 3), shortcut="pad")
    assert parameters(model) == 269722
    assert not any(layer.kernel_size == (1, 1) for layer in layers_of(model, tf.keras.layers.Conv2D))
    model = resnet(3, 1, (32, 32, 3))
    assert sum(layer.kernel_size == (1, 1) for layer in layers_of(model, tf.keras.layers.Conv2D)) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "n_blocks, bottleneck, count",
    [((2, 2, 2, 2), False, 11689512), ((3, 4, 6, 3), False, 21797672), ((3, 4, 6, 3), True, 25557032)],
)
def test_imagenet_networks_have_the_known_numbers_of_parameters(n_blocks, bottleneck, count):
    options = {"bottleneck": bottleneck, "classes": 1000, "filters": 64, "stem": "imagenet"}
    model = resnet(n_blocks, 1, (224, 224, 3), **options)
    assert parameters(model) == count
    assert tuple(tf.TensorShape(model.get_layer("pool").input.shape).as_list()[1:3]) == (7, 7)


@pytest.mark.parametrize("version", [1, 2])
def test_imagenet_stem_quarters_the_image(mode, version):
    model = resnet((1,), version, (None, None, 3), filters=4, stem="imagenet")
    shapes = tf.keras.Model(model.inputs, model.get_layer("stage1_block1_add").output).predict(
        images(1, 33, 64, 3), verbose=0
    )
    assert shapes.shape == (1, 9, 16, 4)
    assert model.predict(images(2, 5, 70, 3), verbose=0).shape == (2, 10)


def test_layers_have_names():
    names = {layer.name for layer in resnet((1, 1), 1, filters=4).layers}
    assert {"images", "stem", "stage1_block1_conv1", "stage2_block1_shortcut", "pool", "classes"} <= names
    assert all(layer.name.startswith("left_") for layer in resnet((1, 1), 2, filters=4, name="left").layers)
    inputs = tf.keras.Input((8, 8, 4))
    named = tf.keras.Model(inputs, residual_block(residual_block(inputs, 4, name="a"), 4, name="b"))
    assert {"a_conv1", "b_conv1", "a_add", "b_add"} <= {layer.name for layer in named.layers}
    unnamed = residual_block(residual_block(inputs, 4), 4)
    assert len(tf.keras.Model(inputs, unnamed).layers) == len(named.layers)


def test_regularizer_is_on_every_convolution_and_the_last_layer():
    regularizer = tf.keras.regularizers.L1L2(l2=0.5)
    model = resnet((1, 1), 2, (8, 8, 3), filters=4, kernel_regularizer=regularizer)
    kinds = (tf.keras.layers.Conv2D, tf.keras.layers.Dense)
    layers = layers_of(model, kinds)
    assert len(layers) == 7 and all(layer.kernel_regularizer is regularizer for layer in layers)
    total = sum(0.5 * np.sum(layer.get_weights()[0].astype("float64") ** 2) for layer in layers)
    losses = [tf.keras.backend.eval(loss) if IS_TF1 else float(loss) for loss in model.losses]
    assert sum(losses) == pytest.approx(total, rel=1e-4)


@pytest.mark.skipif(not IS_TF1, reason="TensorFlow 2 has the policy")
def test_mixed_types_are_refused_where_keras_has_none():
    with pytest.raises(ValueError, match="dtype 'mixed_float16' needs TensorFlow 2"):
        resnet(dtype="mixed_float16")


needs_policies = pytest.mark.skipif(IS_TF1, reason="Keras's layers in TensorFlow 1.15 know no policy of mixed types")


@pytest.fixture
def mixed():
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


def kinds_of(weights):
    return {tf.as_dtype(weight.dtype).name for weight in weights}


@needs_policies
@pytest.mark.parametrize("version", [1, 2])
def test_network_of_mixed_types_keeps_its_weights_in_float32_and_learns(mode, version):
    labels = np.arange(64) % 2
    x = np.random.RandomState(8).normal(0, 0.3, (64, 8, 8, 1)).astype("float32")
    x[0::2, ::2] += 1
    x[1::2, :, ::2] += 1
    model = resnet((1, 1), version, (8, 8, 1), classes=2, filters=4, dtype="mixed_float16")
    assert kinds_of(model.weights) == {"float32"}
    assert tf.as_dtype(model.get_layer("stage1_block1_conv1").compute_dtype) == tf.float16
    model.compile(optimizer=tf.keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
    history = model.fit(x, labels, epochs=8, batch_size=16, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert model.predict(x, verbose=0).dtype == "float32"


@needs_policies
def test_block_under_the_policy_keeps_its_weights_in_float32(mixed):
    inputs = tf.keras.Input((8, 8, 4))
    x = tf.keras.layers.Conv2D(4, 1)(inputs)
    model = tf.keras.Model(inputs, residual_block(x, 8, strides=2))
    assert kinds_of(model.weights) == {"float32"}
    assert tf.as_dtype(model.outputs[0].dtype) == tf.float16


@needs_policies
def test_layers_work_under_the_policy_in_its_type_without_weights(mixed):
    x = images(2, 9, 8, 3)
    inputs = tf.keras.Input((9, 8, 3))
    y = fireclay.ThresholdMinMax(-0.5, 0.5)(inputs)
    y = fireclay.GaussianFilter(3, padding="reflect")(y)
    y = fireclay.LaplacianSynthesis()(fireclay.LaplacianAnalysis(2)(y))
    outputs = [y, fireclay.TemperatureSoftmax(2.0)(y)]
    model = tf.keras.Model(inputs, outputs)
    assert model.weights == []
    found, probabilities = model.predict(x, verbose=0)
    assert found.dtype == probabilities.dtype == "float16"
    exact = fireclay.GaussianFilter(3, padding="reflect", dtype="float32")(tf.clip_by_value(x, -0.5, 0.5)).numpy()
    np.testing.assert_allclose(found.astype("float32"), exact, atol=5e-3)
    np.testing.assert_allclose(probabilities.astype("float32").sum(axis=-1), np.ones((2, 9, 8)), atol=5e-3)
