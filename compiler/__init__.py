"""From an ONNX model to a network file: import, quantisation, placement, calibration on the device model."""

from compiler.compile import FIRST_INPUTS, compile_model
from compiler.dry_run import dry_run
from compiler.for_chip import compile_for_chip
from compiler.importer.onnx_import import import_onnx
from compiler.inputs import Inputs, NamedInputs, load_input, load_inputs
from compiler.model import FloatNetwork
from compiler.network import CoreImage, Network
from compiler.network.report import fitting_of, summarise
from compiler.options import CompileOptions

__all__ = [
    "FIRST_INPUTS",
    "CompileOptions",
    "CoreImage",
    "FloatNetwork",
    "Inputs",
    "NamedInputs",
    "Network",
    "compile_for_chip",
    "compile_model",
    "dry_run",
    "fitting_of",
    "import_onnx",
    "load_input",
    "load_inputs",
    "summarise",
]
