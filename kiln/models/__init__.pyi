from . import codepatch as codepatch
from . import environment as environment
from . import netron as netron
from . import onnx as onnx
from . import onnx_report as onnx_report
from . import onnx_suite as onnx_suite
from .environment import LOCK as LOCK
