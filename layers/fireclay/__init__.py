"""Keras layers for TensorFlow 1.15 (graph and eager) and TensorFlow 2.

Importing the package makes its classes known to Keras: `tf.keras.models.load_model` needs no custom_objects.
`fireclay.measures` wants scikit-learn and `fireclay.plots` matplotlib; neither is imported here. These two work where
TensorFlow is not installed.
"""

import importlib.util

if importlib.util.find_spec("tensorflow") is not None:
    from fireclay.distillation import (
        DistillationLoss,
        LabelledAccuracy,
        TemperatureSoftmax,
        distillation_loss,
        softmax_with_temperature,
    )
    from fireclay.distiller import Distiller
    from fireclay.gaussian import GaussianFilter, gaussian_filter_block, gaussian_kernel
    from fireclay.pyramid import LaplacianAnalysis, LaplacianSynthesis
    from fireclay.residual import residual_block, resnet
    from fireclay.threshold import ThresholdMinMax, threshold_min_max_value

__version__ = "0.2.0"

__all__ = [
    "DistillationLoss",
    "Distiller",
    "GaussianFilter",
    "LabelledAccuracy",
    "LaplacianAnalysis",
    "LaplacianSynthesis",
    "TemperatureSoftmax",
    "ThresholdMinMax",
    "distillation_loss",
    "gaussian_filter_block",
    "gaussian_kernel",
    "residual_block",
    "resnet",
    "softmax_with_temperature",
    "threshold_min_max_value",
]


def __getattr__(name: str) -> object:
    """Called for a name that is not there, from Python 3.7 on."""
    if name in __all__:
        raise ImportError("fireclay.{} needs TensorFlow, which is not installed: install tensorflow".format(name))
    raise AttributeError("module 'fireclay' has no attribute {!r}".format(name))
