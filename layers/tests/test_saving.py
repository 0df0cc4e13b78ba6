"""Layers and models survive their configuration, .h5 and SavedModel, in a process that knows nothing of them."""

import inspect
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from modes import IS_TF1

import fireclay

HERE = os.path.dirname(os.path.abspath(__file__))

# Between them the instances of a class differ from its defaults in every argument.
CHANGED = [
    [fireclay.ThresholdMinMax(-2, 3.5, gradient="masked")],
    [
        fireclay.GaussianFilter((3, 5), (2.0, 3.0), 1, (2, 1), "reflect", "channels_first"),
        fireclay.GaussianFilter(strides=2),
        fireclay.GaussianFilter(sigma=(1.5, 2)),
    ],
    [fireclay.LaplacianAnalysis(2, 7, 2.5, "channels_first")],
    [fireclay.LaplacianSynthesis(7, 2.5, "channels_first")],
    [fireclay.TemperatureSoftmax(2.5)],
    [fireclay.DistillationLoss(3.0, 0.25, form="kl", from_logits=False)],
]


def written(thing):
    return json.loads(json.dumps(thing.get_config()))


@pytest.mark.parametrize("things", CHANGED, ids=lambda things: type(things[0]).__name__)
def test_configuration_holds_every_argument(things):
    kind = type(things[0])
    for thing in things:
        assert written(kind.from_config(written(thing))) == written(thing)
    default = written(kind())
    signature = inspect.signature(kind.__init__).parameters.values()
    for argument in (each.name for each in signature if each.kind == each.POSITIONAL_OR_KEYWORD):
        if argument not in ("self", "name"):
            assert any(written(thing)[argument] != default[argument] for thing in things), argument


@pytest.mark.parametrize("name", [name for name in fireclay.__all__ if name[0].isupper() and name != "Distiller"])
def test_class_is_known_to_keras_by_its_name_with_and_without_the_packages(name):
    for known in (name, "fireclay>" + name):
        assert tf.keras.utils.get_custom_objects()[known] is getattr(fireclay, name)
    if not IS_TF1:
        assert tf.keras.utils.get_registered_name(getattr(fireclay, name)) == "fireclay>" + name


@pytest.mark.parametrize("prefix", ["", "fireclay>"])
@pytest.mark.parametrize("things", CHANGED, ids=lambda things: type(things[0]).__name__)
def test_old_and_new_names_are_loaded(things, prefix):
    """As version 0.1 and TensorFlow 1.15 write them, and as TensorFlow 2 does."""
    thing = things[0]
    module = tf.keras.layers if isinstance(thing, tf.keras.layers.Layer) else tf.keras.losses
    loaded = module.deserialize({"class_name": prefix + type(thing).__name__, "config": written(thing)})
    assert type(loaded) is type(thing) and written(loaded) == written(thing)


def test_configurations_of_version_0_1_are_loaded():
    old = {"kernel_size": [3, 5], "nsig": [2.0, 3.0], "strides": [1, 1], "dilation_rate": [2, 1], "padding": "reflect"}
    layer = fireclay.GaussianFilter.from_config({"name": "blur", "trainable": True, "data_format": None, **old})
    assert layer.kernel_size == (3, 5) and layer.nsig == (2.0, 3.0) and layer.sigma is None
    loss = fireclay.DistillationLoss.from_config({"name": "loss", "temperature": 3.0, "alpha": 0.2})
    assert (loss.form, loss.from_logits) == ("cross-entropy", True)


def everything(order):
    """One model of all that the package has."""
    shape = (None, None, 3) if order == "channels_last" else (3, None, None)
    inputs = tf.keras.Input(shape)
    x = fireclay.ThresholdMinMax(0.1, 0.9)(inputs)
    x = fireclay.GaussianFilter(3, padding="edge", data_format=order)(x)
    bands = fireclay.LaplacianAnalysis(2, data_format=order)(x)
    bands[0] = fireclay.ThresholdMinMax(-0.1, 0.1, gradient="masked")(bands[0])
    x = fireclay.LaplacianSynthesis(data_format=order)(bands)
    for version in (1, 2):
        x = fireclay.residual_block(x, 4, version, data_format=order)
    x = tf.keras.layers.GlobalAveragePooling2D(data_format=order)(x)
    x = tf.keras.layers.Dense(5)(x)
    return tf.keras.Model(inputs, fireclay.TemperatureSoftmax(2.0)(x))


def images(*shape):
    return np.random.RandomState(15).uniform(0, 1, shape).astype("float32")


def save_saved_model(model, path, mode):
    if mode.in_session:
        inputs, outputs = {"x": model.input}, {"y": model.output}
        tf.compat.v1.saved_model.simple_save(mode.session, path, inputs, outputs)
    elif hasattr(model, "export"):
        model.export(path)
    else:
        model.save(path, save_format="tf")


def test_models_are_loaded_in_a_fresh_process(mode, tmp_path):
    x = images(2, 11, 8, 3)
    cases = [
        ("a-plain", fireclay.resnet((1, 1), 2, filters=4), x),
        ("last", everything("channels_last"), x),
        ("first", everything("channels_first"), np.ascontiguousarray(x.transpose(0, 3, 1, 2))),
    ]
    expected = {}
    for name, model, given in cases:
        stem = str(tmp_path / name)
        expected[name] = model.predict(given, verbose=0)
        np.save(stem, given)
        model.save(stem + ".h5")
        save_saved_model(model, stem + ".saved", mode)
    environment = dict(
        os.environ, PYTHONPATH=os.pathsep.join([os.path.dirname(os.path.dirname(fireclay.__file__)), HERE])
    )
    command = [sys.executable, "-W", "ignore", os.path.join(HERE, "fresh.py"), mode.name, str(tmp_path)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout.decode()[-4000:]
    for name in expected:
        for kind in ("h5", "saved"):
            found = np.load(str(tmp_path / "{}.{}.out.npy".format(name, kind)))
            np.testing.assert_allclose(found, expected[name], atol=1e-6, err_msg=name + " " + kind)


def test_loaded_model_can_be_trained_on(mode, tmp_path):
    """The threshold's gradient survives: all answers lie outside its bounds, and come back."""
    model = tf.keras.Sequential(
        [
            tf.keras.layers.Dense(1, bias_initializer="ones", kernel_initializer="zeros", input_shape=(2,)),
            fireclay.ThresholdMinMax(-0.5, 0.5),
        ]
    )
    saved_model = IS_TF1 and mode.name == "eager"
    path = str(tmp_path / ("model" if saved_model else "model.h5"))
    model.save(path, **({"save_format": "tf"} if saved_model else {}))
    loaded = tf.keras.models.load_model(path)
    loaded.compile(optimizer=tf.keras.optimizers.SGD(0.1), loss="mse")
    x = np.zeros((8, 2), "float32")
    loaded.fit(x, np.zeros((8, 1), "float32"), epochs=40, batch_size=8, verbose=0)
    assert np.abs(loaded.predict(x, verbose=0)).max() < 0.05


def test_weights_go_from_one_order_of_axes_to_the_other(mode, tmp_path):
    last, first = everything("channels_last"), everything("channels_first")
    path = str(tmp_path / "weights.weights.h5")
    last.save_weights(path)
    first.load_weights(path)
    x = images(2, 9, 10, 3)
    y = first.predict(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), verbose=0)
    np.testing.assert_allclose(y, last.predict(x, verbose=0), atol=1e-6)
