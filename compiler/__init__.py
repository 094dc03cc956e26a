"""From an ONNX model to a network file: import, quantisation, placement, calibration on the device model."""

from typing import TYPE_CHECKING

from macro_models.lazy import lazy_names

if TYPE_CHECKING:
    from compiler.compile import FIRST_INPUTS, compile_model
    from compiler.fitting import fitting_of
    from compiler.for_chip import compile_for_chip
    from compiler.importer.onnx_import import import_onnx
    from compiler.inputs import Inputs, NamedInputs, load_input, load_inputs
    from compiler.model import FloatNetwork
    from compiler.network import CoreImage, Network
    from compiler.network.report import summarise
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
    "fitting_of",
    "import_onnx",
    "load_input",
    "load_inputs",
    "summarise",
]

__getattr__ = lazy_names(__name__, {
    "compiler.compile": ("FIRST_INPUTS", "compile_model"),
    "compiler.fitting": ("fitting_of",),
    "compiler.for_chip": ("compile_for_chip",),
    "compiler.importer.onnx_import": ("import_onnx",),
    "compiler.inputs": ("Inputs", "NamedInputs", "load_input", "load_inputs"),
    "compiler.model": ("FloatNetwork",),
    "compiler.network": ("CoreImage", "Network"),
    "compiler.network.report": ("summarise",),
    "compiler.options": ("CompileOptions",),
})
