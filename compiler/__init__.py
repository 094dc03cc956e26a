"""From an ONNX model to a network file: import, quantisation, placement, calibration on the device model."""

from typing import TYPE_CHECKING

from mho.macro_models.registry import lazy_names

if TYPE_CHECKING:
    from mho.compiler.dry_run import fitting_of
    from mho.compiler.importer.onnx_import import import_onnx
    from mho.compiler.inputs import Inputs, NamedInputs, load_input, load_inputs
    from mho.compiler.model import FloatNetwork
    from mho.compiler.network import CoreImage, Network
    from mho.compiler.network.report import summarise
    from mho.compiler.options import CompileOptions
    from mho.compiler.passes import FIRST_INPUTS, compile_for_chip, compile_model

__all__ = [
    "FIRST_INPUTS", "CompileOptions", "CoreImage", "FloatNetwork", "Inputs", "NamedInputs", "Network",
    "compile_for_chip", "compile_model", "fitting_of", "import_onnx", "load_input", "load_inputs", "summarise",
]

__getattr__ = lazy_names(__name__, {
    "mho.compiler.passes": ("FIRST_INPUTS", "compile_for_chip", "compile_model"),
    "mho.compiler.dry_run": ("fitting_of",),
    "mho.compiler.importer.onnx_import": ("import_onnx",),
    "mho.compiler.inputs": ("Inputs", "NamedInputs", "load_input", "load_inputs"),
    "mho.compiler.model": ("FloatNetwork",),
    "mho.compiler.network": ("CoreImage", "Network"),
    "mho.compiler.network.report": ("summarise",),
    "mho.compiler.options": ("CompileOptions",),
})
