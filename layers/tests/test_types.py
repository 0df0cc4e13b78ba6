"""The types that every layer takes and gives."""

import numpy as np
import pytest
import tensorflow as tf
from modes import IS_TF1

import fireclay

LAYERS = [
    fireclay.ThresholdMinMax,
    fireclay.GaussianFilter,
    fireclay.LaplacianAnalysis,
    fireclay.TemperatureSoftmax,
]


@pytest.mark.parametrize("dtype", ["int32", "uint8"])
@pytest.mark.parametrize("layer", LAYERS)
def test_integers_are_refused_when_the_model_is_built(layer, dtype):
    with pytest.raises(ValueError, match="expected a floating-point tensor, got " + dtype):
        layer()(tf.keras.Input((8, 8, 2), dtype=dtype))


def test_bands_of_integers_are_refused_when_the_model_is_built():
    bands = [tf.keras.Input((size, size, 2), dtype="int32") for size in (8, 4)]
    with pytest.raises(ValueError, match="expected a floating-point tensor, got int32"):
        fireclay.LaplacianSynthesis()(bands)


def test_block_of_integers_is_refused_when_the_model_is_built():
    with pytest.raises(ValueError, match=r"dtype must be float16, .* got "):
        fireclay.residual_block(tf.keras.Input((8, 8, 4), dtype="int32"), 4)


@pytest.mark.skipif(IS_TF1, reason="layers of TensorFlow 1.15 take their input's type")
@pytest.mark.parametrize("layer", LAYERS)
def test_float64_comes_back_as_float32_unless_the_layer_is_given_a_type(mode, layer):
    x = np.random.RandomState(16).uniform(0, 1, (1, 8, 8, 2))
    for given, expected in (({}, "float32"), ({"dtype": "float64"}, "float64")):
        y = mode.run(layer(**given), x)
        assert {each.dtype.name for each in (y if isinstance(y, list) else [y])} == {expected}
