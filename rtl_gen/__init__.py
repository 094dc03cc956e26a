"""Generation: Verilog, registers, black boxes and the files that a tape-out flow wants."""

from mho.rtl_gen.emit import emit_core
from mho.rtl_gen.generate import GeneratedFile, GenerationReport, generate
from mho.rtl_gen.macro.pin_check import check_macro_pins, macro_warnings

__all__ = ["GeneratedFile", "GenerationReport", "check_macro_pins", "emit_core", "generate", "macro_warnings"]
