"""From an ONNX model to a network file: import, quantisation, placement, calibration on the device model."""

from compiler.compile import FIRST_INPUTS, compile_model
from compiler.graph import FloatNetwork
from compiler.inputs import load_input
from compiler.network import CoreImage, Network
from compiler.onnx_import import import_onnx
from compiler.options import CompileOptions
from compiler.report import summarise

__all__ = [
    "FIRST_INPUTS",
    "CompileOptions",
    "CoreImage",
    "FloatNetwork",
    "Network",
    "compile_model",
    "import_onnx",
    "load_input",
    "summarise",
]
