"""Keras layers for TensorFlow 1.15 (graph and eager) and TensorFlow 2.

Importing the package makes its classes known to Keras: `tf.keras.models.load_model` needs no custom_objects.
`fireclay.measures` wants scikit-learn and `fireclay.plots` matplotlib; neither is imported here.
"""

from fireclay.distillation import (
    DistillationLoss,
    Distiller,
    LabelledAccuracy,
    TemperatureSoftmax,
    distillation_loss,
    softmax_with_temperature,
)
from fireclay.gaussian import GaussianFilter, gaussian_filter_block, gaussian_kernel
from fireclay.pyramid import LaplacianAnalysis, LaplacianSynthesis
from fireclay.residual import residual_block, resnet
from fireclay.threshold import ThresholdMinMax, threshold_min_max_value

__version__ = "0.1.0"

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
